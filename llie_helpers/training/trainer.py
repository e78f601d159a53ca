"""Set up Lightning's Trainer: silent, interruptible, without files of its own."""

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from llie_helpers.devices import choose_device
from llie_helpers.errors import CourseError
from llie_helpers.training.recipe import Recipe


class Hardware(NamedTuple):
    """The devices to train on, in Lightning's terms, and the number of processes."""

    accelerator: str
    devices: int | list[int]
    processes: int


def make_trainer(
    recipe: Recipe, folder: Path, callbacks: list[Callback], where: Hardware
) -> lightning.Trainer:
    """Return a Trainer for ``recipe`` that prints and writes only through ``callbacks``."""
    options: dict[str, Any]
    if recipe.adversarial:
        # `Adversarial` clips and accumulates gradients itself, because its networks alternate.
        shared = where.processes > 1
        options = {"strategy": "ddp_find_unused_parameters_true" if shared else "auto"}
    else:
        options = {
            "gradient_clip_val": recipe.gradient_clip or None,
            "accumulate_grad_batches": recipe.accumulate,
        }
    gpu_only = recipe.precision == "16-mixed" and where.accelerator != "cuda"
    return lightning.Trainer(
        accelerator=where.accelerator,
        devices=where.devices,
        precision="32-true" if gpu_only else recipe.precision,  # type: ignore[arg-type]
        max_epochs=recipe.epochs,
        callbacks=callbacks,
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        reload_dataloaders_every_n_epochs=1,
        **options,
    )


def hardware(device: str, devices: int) -> Hardware:
    """Choose what to train on.

    Args:
        device: see `choose_device`.
        devices: number of devices, or of processes on a CPU.

    Raises:
        CourseError: this computer does not have so many such devices.
    """
    chosen = choose_device(device)
    if devices < 1:
        raise CourseError(f"The number of devices is {devices}; it must be 1 or more.")
    if chosen.type == "cpu":
        return Hardware("cpu", devices, devices)
    if chosen.type not in ("cuda", "mps"):
        raise CourseError(f"Training on {device!r} is not supported; use auto, cpu, cuda or mps.")
    present = torch.cuda.device_count() if chosen.type == "cuda" else 1
    index = 0 if chosen.index is None else chosen.index
    if index + devices > present:
        raise CourseError(
            f"{devices} devices from {chosen.type}:{index} on were requested, but this computer "
            f"has {present}; request fewer, or use cpu."
        )
    return Hardware(chosen.type, list(range(index, index + devices)), devices)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's notices about hardware, workers and resuming."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def keep_interrupt_handler() -> Iterator[None]:
    """Turn Lightning's exit after Ctrl-C into a KeyboardInterrupt, and restore the handler."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from None
        raise
