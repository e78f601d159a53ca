"""Lightning's Trainer as the course needs it: silent, interruptible, one run a folder."""

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from llie_helpers.training.recipe import Recipe


def make_trainer(
    recipe: Recipe, folder: Path, callbacks: list[Callback], accelerator: str, devices: int
) -> lightning.Trainer:
    """A Trainer for ``recipe`` that shows nothing and writes nothing by itself."""
    if recipe.adversarial:
        # Clipping and accumulating are left to the module, whose two networks take turns.
        particular = {"strategy": "ddp_find_unused_parameters_true" if devices > 1 else "auto"}
    else:
        particular = {
            "gradient_clip_val": recipe.gradient_clip or None,
            "accumulate_grad_batches": recipe.accumulate,
        }
    on_gpu = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    half = recipe.precision == "16-mixed"
    return lightning.Trainer(
        accelerator=accelerator,
        devices=devices,
        precision="32-true" if half and not on_gpu else recipe.precision,
        max_epochs=recipe.epochs,
        callbacks=callbacks,
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        reload_dataloaders_every_n_epochs=1,
        **particular,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's notices about hardware, workers and resuming."""
    logger = logging.getLogger("lightning.pytorch")
    fabric = logging.getLogger("lightning.fabric")
    levels = logger.level, fabric.level
    logger.setLevel(logging.ERROR)
    fabric.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        logger.setLevel(levels[0])
        fabric.setLevel(levels[1])


@contextmanager
def keep_interrupt_handler() -> Iterator[None]:
    """Keep Ctrl-C working: Lightning ignores it for good after the first and exits."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from None
        raise
