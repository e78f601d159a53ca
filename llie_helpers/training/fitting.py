"""Train a network on pairs: `fit` hands a recipe to Lightning and keeps the best weights."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn
from torch.utils.data import Dataset

from llie_helpers.data.crops import RandomCrops, WholeImages
from llie_helpers.data.pairs import Pairs
from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path, remove
from llie_helpers.images import load_image
from llie_helpers.models import weights as weights_file
from llie_helpers.models.patchgan import PatchGAN
from llie_helpers.training.adversarial import Adversarial
from llie_helpers.training.callbacks import ProgressLine, RunKeeper, best_row
from llie_helpers.training.memory import out_of_memory_error
from llie_helpers.training.module import Supervised
from llie_helpers.training.recipe import Recipe
from llie_helpers.training.trainer import keep_interrupt_handler, make_trainer, quiet


class Snapshot(NamedTuple):
    """The first validation image as the network enhanced it after an epoch, (3, H, W)."""

    epoch: int
    image: torch.Tensor


@dataclass(frozen=True)
class TrainingRun:
    """What `fit` did. ``history`` has one row per epoch, from 1: epoch, train_loss,
    val_loss, val_psnr (dB, mean over images) and lr, the learning rate of its last step;
    adversarial training adds adversarial_loss and discriminator_loss, a run that follows
    it val_ssim.
    """

    history: list[dict]
    best: dict
    seconds: float
    best_path: Path
    snapshots: list[Snapshot]

    def __str__(self) -> str:
        return (
            f"{len(self.history)} epochs in {self.seconds:.0f} s; best validation in epoch "
            f"{self.best['epoch']}: loss {self.best['val_loss']:.4g}, "
            f"{self.best['val_psnr']:.2f} dB"
        )


def fit(
    model: nn.Module,
    train: Pairs | Dataset,
    val: Pairs | Dataset,
    recipe: Recipe | None = None,
    *,
    discriminator: nn.Module | None = None,
    run_dir: str | Path,
    seed: int = 0,
    resume: bool = True,
    progress: bool = True,
    accelerator: str = "auto",
    devices: int = 1,
    **changes,
) -> TrainingRun:
    """Train ``model`` and leave it, in eval mode, with the weights that validated best.

    On a CPU the result depends on model, data, recipe and seed alone: a run that was
    killed and resumed, or shared by two processes, ends like one that was not (the
    latter up to rounding).

    Args:
        model: a network from `models.create_model`.
        train: pairs, cropped at random as the recipe says; or a dataset of (low, normal).
        val: pairs, validated whole, one at a time; or a dataset of (low, normal).
        recipe: how to train; ``changes`` replace some of its values (``epochs=3``).
        discriminator: the adversary, trained along; by default, where the recipe has an
            adversarial loss, a `PatchGAN` as wide as the network.
        run_dir: gets best.safetensors, last.ckpt, run.json and snapshots/.
        resume: go on from run_dir/last.ckpt if there is one; else start over.
        progress: show one progress line.
        accelerator, devices: as Lightning's Trainer takes them ("cpu", 2).

    Raises:
        CourseError: the loss is no longer finite, or the batch does not fit into the GPU's
            memory (the last good checkpoint is kept); the recipe is wrong, or run_dir holds
            another run.
    """
    recipe = (recipe or Recipe()).changed(**changes)
    folder = Path(run_dir)
    titles = [getattr(pairs, "title", type(pairs).__name__) for pairs in (train, val)]
    objective = model.objective(**recipe.objective)
    if isinstance(train, Pairs):
        train = RandomCrops(
            train,
            recipe.crop_size,
            recipe.crops_per_epoch,
            seed,
            recipe.augment,
            recipe.gain_jitter,
            recipe.brighten_prob,
            thumbnails=objective.sees_whole,
        )
    if isinstance(val, Pairs):
        val = WholeImages(val)
    settings = {"model": model.name, "options": model.options, "data": titles, "seed": seed}
    checkpoint = prepare(folder, settings | asdict(recipe), resume)

    # Lightning would leave a network in eval mode as it is.
    model.train()
    if recipe.adversarial:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            discriminator = (discriminator or PatchGAN(model.options.get("width", 64))).train()
        module = Adversarial(model, discriminator, train, val, recipe, seed)
    else:
        module = Supervised(model, train, val, recipe, seed)
    keeper = RunKeeper(folder, recipe.monitor, recipe.snapshot_every)
    callbacks = [keeper]
    if progress:
        callbacks.append(ProgressLine())
    if recipe.patience:
        callbacks.append(
            EarlyStopping(
                recipe.monitor,
                recipe.min_delta,
                recipe.patience,
                mode="min" if recipe.monitor == "val_loss" else "max",
                check_on_train_epoch_end=True,
            )
        )
    device = next(model.parameters()).device
    with quiet(), keep_interrupt_handler(), torch.random.fork_rng():
        trainer = make_trainer(recipe, folder, callbacks, accelerator, devices)
        try:
            trainer.fit(module, ckpt_path=checkpoint)
        except torch.cuda.OutOfMemoryError as error:
            raise out_of_memory_error(module) from error
    best_path = folder / "best.safetensors"
    model.load_state_dict(weights_file.read(best_path)[0])
    model.to(device).eval()
    if discriminator is not None:
        discriminator.to(device).eval()
    snapshots = [
        Snapshot(int(path.stem.removeprefix("epoch_")), load_image(path))
        for path in sorted((folder / "snapshots").glob("epoch_*.png"))
    ]
    best = best_row(keeper.history, recipe.monitor)
    return TrainingRun(keeper.history, best, keeper.seconds, best_path, snapshots)


def prepare(folder: Path, settings: dict, resume: bool) -> Path | None:
    """Return the checkpoint to resume from, or clear the folder of an earlier run.

    Raises:
        CourseError: the earlier run, which was to be resumed, had other settings.
    """
    settings = json.loads(json.dumps(settings))
    record, checkpoint = folder / "run.json", folder / "last.ckpt"
    if resume and checkpoint.is_file() and record.is_file():
        earlier = json.loads(record.read_text())
        # Other numbers of epochs only move the end, unless the schedule depends on them.
        movable = {"patience"} | ({"epochs"} if settings["schedule"] != "cosine" else set())
        differing = [
            f"{key} {earlier.get(key)!r}, now {value!r}"
            for key, value in settings.items()
            if key not in movable and earlier.get(key) != value
        ]
        if differing:
            raise CourseError(
                f"{folder} holds a run with other settings ({'; '.join(differing)}); choose "
                "another run_dir, or start over with resume=False."
            )
        return checkpoint
    for leftover in ("last.ckpt", "best.safetensors", "snapshots"):
        remove(folder / leftover)
    with atomic_path(record) as temporary:
        temporary.write_text(json.dumps(settings, indent=1))
    return None
