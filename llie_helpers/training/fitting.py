"""Train a network on pairs with a recipe, and keep the best weights."""

import json
import os
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch.callbacks import Callback
from torch import nn
from torch.utils.data import Dataset

from llie_helpers.data.crops import RandomCrops, WholeImages
from llie_helpers.data.pairs import Pairs
from llie_helpers.data.placed_crops import PlacedCrops
from llie_helpers.devices import AUTO
from llie_helpers.errors import CourseError, check_seed
from llie_helpers.files import remove
from llie_helpers.images import load_image
from llie_helpers.models import weights as weights_file
from llie_helpers.models.network import Network
from llie_helpers.models.patchgan import PatchGAN
from llie_helpers.training.adversarial import Adversarial
from llie_helpers.training.batches import TrainingData
from llie_helpers.training.callbacks import MovingAverage, Patience, ProgressLine, RunKeeper
from llie_helpers.training.history import History, load_history
from llie_helpers.training.memory import out_of_memory_error
from llie_helpers.training.module import EnhancementModule, Supervised
from llie_helpers.training.recipe import Recipe
from llie_helpers.training.splits import scene_halves
from llie_helpers.training.trainer import hardware, keep_interrupt_handler, make_trainer, quiet

Examples = Pairs | Dataset | Sequence[tuple[torch.Tensor, torch.Tensor]]


class Snapshot(NamedTuple):
    """The first validation image, enhanced by the network after an epoch, (3, H, W)."""

    epoch: int
    image: torch.Tensor


@dataclass(frozen=True)
class TrainingRun:
    """The result of `fit`.

    Args:
        history: one row of numbers per epoch.
        best_path: the weights of the best epoch.
        snapshots: snapshots, every ``snapshot_every`` epochs of the recipe.
        loaded: how many of the epochs are those of an earlier call, from the same run_dir.
    """

    history: History
    best_path: Path
    snapshots: list[Snapshot]
    loaded: int = 0

    @property
    def best(self) -> dict[str, Any]:
        """Return the row of the best epoch, whose weights were kept."""
        return self.history.best

    @property
    def seconds(self) -> float:
        """Return how long the run took in seconds, resumptions included."""
        return self.history.seconds

    def __str__(self) -> str:
        epochs = "1 epoch" if len(self.history) == 1 else f"{len(self.history)} epochs"
        share = "all" if self.loaded == len(self.history) else f"{self.loaded} of them"
        earlier = f", {share} loaded from an earlier run" if self.loaded else ""
        return (
            f"{epochs} in {self.seconds:.0f} s{earlier}; best validation in "
            f"epoch {self.best['epoch']}: loss {self.best['val_loss']:.4g}, "
            f"{self.best['val_psnr']:.2f} dB"
        )


def fit(
    model: Network,
    train: Examples,
    val: Examples,
    recipe: Recipe | None = None,
    *,
    discriminator: nn.Module | None = None,
    run_dir: str | Path,
    seed: int = 0,
    resume: bool = True,
    progress: bool = True,
    device: str = AUTO,
    devices: int = 1,
    **changes: Any,
) -> TrainingRun:
    """Train ``model``, load the weights of the best epoch, and set it to evaluation mode.

    On a CPU the result depends only on model, data, recipe and seed: a run that was interrupted
    and resumed gives the same result, and so, up to rounding, does one shared by several processes.

    Args:
        model: a network from `models.create_model`.
        train: pairs, cropped at random as the recipe says; or a dataset of (low, normal).
        val: pairs, validated whole, one at a time; or a dataset of (low, normal).
        recipe: how to train.
        discriminator: for a recipe with an adversarial loss; by default a `PatchGAN` as wide as
            the network.
        run_dir: folder for history.json (see `History`), best.safetensors, last.ckpt, and
            snapshots/ with weights to go back to.
        seed: seed of the crops, their order and dropout, from 0.
        resume: continue from run_dir/last.ckpt if there is one; False to start over.
        progress: show one progress line.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps"; see `devices.choose_device`.
        devices: number of devices, or processes, that share each batch.
        **changes: values to replace in the recipe, such as ``epochs=3``.

    Raises:
        CourseError: the loss is not finite or a batch exceeds the GPU's memory (the last
            checkpoint is kept); there is nothing to train or to validate on; the recipe, the seed
            or the device is invalid; or run_dir holds another or a damaged run, or is a file.
    """
    if not isinstance(model, Network):
        raise CourseError(
            f"fit trains a network, but got {type(model).__name__}; take one from create_model, "
            "or derive your class from llie_helpers.models.network.Network."
        )
    for title, examples in {"training": train, "validation": val}.items():
        if not len(examples):  # type: ignore[arg-type]
            raise CourseError(f"fit got no {title} data; choose a split with images.")
    seed = check_seed(seed)
    recipe = (recipe or Recipe()).changed(**changes)
    where = hardware(device, devices)
    folder = Path(run_dir)
    settings = {
        "model": model.name,
        "options": model.options,
        "data": [getattr(pairs, "title", type(pairs).__name__) for pairs in (train, val)],
        "seed": seed,
        "recipe": asdict(recipe),
    }
    # Converted by JSON, so that it compares equal to what an earlier run wrote.
    history = History(json.loads(json.dumps(settings)))
    halves = scene_halves(val) if isinstance(val, Pairs) else ""
    module: EnhancementModule
    if recipe.adversarial:
        adversary = discriminator or default_discriminator(model, seed)
        module = Adversarial(model, adversary, recipe, seed, halves)
    else:
        module = Supervised(model, recipe, seed, halves)
    # Lightning does not switch a network from evaluation to training mode.
    module.train()
    crops: Any = train
    if isinstance(train, Pairs):
        crops = (PlacedCrops if module.objective.sees_whole else RandomCrops)(
            train,
            recipe.crop_size,
            recipe.crops_per_epoch,
            seed,
            recipe.augment,
            recipe.gain_jitter,
            recipe.brighten_prob,
            recipe.scales,
        )
    images: Any = WholeImages(val) if isinstance(val, Pairs) else val
    data = TrainingData(crops, images, recipe.batch_size, seed)

    keeper = RunKeeper(folder, history, len(crops), recipe.snapshot_every)
    callbacks: list[Callback] = [keeper]
    if recipe.ema:
        callbacks.append(MovingAverage(recipe.ema))
    if progress:
        callbacks.append(ProgressLine())
    if recipe.patience:
        callbacks.append(
            Patience(
                recipe.monitor,
                recipe.min_delta,
                recipe.patience,
                mode=recipe.mode,
                check_on_train_epoch_end=True,
            )
        )
    home = next(model.parameters()).device
    with quiet(), keep_interrupt_handler(), torch.random.fork_rng():
        trainer = make_trainer(recipe, folder, callbacks, where)
        checkpoint = prepare(folder, history, resume)
        try:
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint)
        except torch.cuda.OutOfMemoryError as error:
            # The variables of its calls hold what filled the memory.
            traceback.clear_frames(error.__traceback__)
            place = trainer.strategy.root_device
            raise out_of_memory_error(module, crops[0], place) from error
    best_path = folder / "best.safetensors"
    model.load_state_dict(weights_file.read(best_path)[0])
    module.to(home).eval()
    snapshots = [
        Snapshot(int(path.stem.removeprefix("epoch_")), load_image(path))
        for path in sorted((folder / "snapshots").glob("epoch_*.png"))
    ]
    return TrainingRun(history, best_path, snapshots, keeper.loaded)


def default_discriminator(model: Network, seed: int) -> PatchGAN:
    """Return a `PatchGAN` as wide as ``model``, keeping the global random state."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return PatchGAN(model.options.get("width", 64))


def prepare(folder: Path, history: History, resume: bool) -> Path | None:
    """Return the checkpoint to resume from, or clear the folder and return None.

    Raises:
        CourseError: the folder is a file, or holds a run with other settings or damaged files.
    """
    for path in (folder, *folder.parents):
        if os.path.isfile(path):
            raise CourseError(f"{path} is a file, but run_dir must be a folder; choose another.")
    record, checkpoint = folder / "history.json", folder / "last.ckpt"
    if resume and os.path.isfile(checkpoint) and os.path.isfile(record):
        if differing := differences(load_history(record).settings, history.settings):
            raise CourseError(
                f"{folder} holds a run with other settings ({'; '.join(differing)}); choose "
                "another run_dir, or start over with resume=False."
            )
        try:
            torch.load(checkpoint, map_location="cpu", weights_only=True)
        # A truncated file raises one of many errors, depending on where it ends.
        except Exception as error:
            raise CourseError(
                f"{checkpoint} cannot be read, because it is damaged or cut short; start over "
                "with resume=False."
            ) from error
        return checkpoint
    for leftover in ("last.ckpt", "best.safetensors", "snapshots"):
        remove(folder / leftover)
    history.save(record)
    return None


def differences(earlier: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """Describe the differences between settings that matter to a resumed run."""
    before, now = (run | run["recipe"] | {"recipe": None} for run in (earlier, settings))
    # The number of epochs may change, unless the schedule depends on it.
    movable = {"patience"} if now["schedule"] == "cosine" else {"patience", "epochs"}
    return [
        f"{key} {before.get(key)!r}, now {value!r}"
        for key, value in now.items()
        if key not in movable and before.get(key) != value
    ]
