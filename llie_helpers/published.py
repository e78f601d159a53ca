"""The published system behind lesson 03, re-run under its own protocol and under ours.

Its protocol: images resized to 128x128 and read as BGR, a random 80/20 split over files,
early stopping on the 20 %, and the score on those same 20 %: one MSE pooled over all
pixels. Reported: MSE 0.01235, which is 19.08 dB.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from torch.utils.data import TensorDataset

from . import metrics
from .data import Pairs, load
from .images import to_float
from .models import create_model
from .models.cost import count_parameters
from .recipe import load_recipe
from .training import TrainingRun, fit

REPORTED_MSE = 0.01235
SIZE = 128
SEED = 42


@dataclass(frozen=True)
class Rerun:
    """One network scored three ways.

    Args:
        own_mse: its protocol: the 20 % of files on which training was stopped early,
            resized, pooled.
        test_mse: the same score on test images, whose scenes chose nothing.
        frozen: `metrics.evaluate` on the same test images at full resolution.
    """

    model: str
    parameters: int
    run: TrainingRun
    own_mse: float
    test_mse: float
    frozen: metrics.Evaluation

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.model}, {self.parameters:,} parameters: {self.run}",
                f"reported:                         MSE {REPORTED_MSE:.5f}, "
                f"{psnr(REPORTED_MSE):.2f} dB",
                f"its protocol, its early-stop set: MSE {self.own_mse:.5f}, "
                f"{psnr(self.own_mse):.2f} dB",
                f"its protocol, test images:        MSE {self.test_mse:.5f}, "
                f"{psnr(self.test_mse):.2f} dB",
                f"frozen protocol, test images:     {self.frozen}",
            ]
        )


def rerun(
    name: str,
    data: str,
    run_dir: str | Path,
    epochs: int | None = None,
    progress: bool = True,
    **options,
) -> Rerun:
    """Train network ``name`` by its recipe on resized BGR images and score it.

    All pairs of the train and val splits are split anew, at random over files as the
    system did, so near-duplicates of one scene stand on both sides. Pairs that are known
    not to belong together are left out. A run in ``run_dir`` is gone on with.

    Args:
        name, options: as `models.create_model` takes them.
        data: a data set, such as "lol_v1"; its test split is never trained on.
        epochs: at most; the recipe's where None.

    Raises:
        CourseError: as `data.load` and `training.fit`.
    """
    from sklearn.model_selection import train_test_split

    everything = resized([load(data, "train"), load(data, "val")])
    train, held_out = (
        TensorDataset(*everything[indices])
        for indices in train_test_split(range(len(everything)), test_size=0.2, random_state=SEED)
    )
    torch.manual_seed(SEED)
    model = create_model(name, **options)
    recipe = load_recipe(name)
    run = fit(
        model,
        train,
        held_out,
        recipe.changed(epochs=epochs or recipe.epochs),
        run_dir=run_dir,
        seed=SEED,
        progress=progress,
    )
    test = load(data, "test")
    return Rerun(
        name,
        count_parameters(model),
        run,
        pooled_mse(model, held_out),
        pooled_mse(model, resized([test])),
        # The network expects BGR: give it that, and turn its output back.
        metrics.evaluate(lambda rgb: model(rgb.flip(1)).flip(1), test),
    )


def resized(parts: list[Pairs], size: int = SIZE) -> TensorDataset:
    """All pairs as ``(low, normal)``, each ``(3, size, size)`` BGR in [0, 1]."""
    images = [
        [
            to_float(cv2.resize(image, (size, size))).flip(0)
            for pairs in parts
            for image in (pairs.raw(i)[side] for i in range(len(pairs)))
        ]
        for side in (0, 1)
    ]
    return TensorDataset(*(torch.stack(side) for side in images))


@torch.no_grad()
def pooled_mse(model: torch.nn.Module, dataset: TensorDataset) -> float:
    """The mean squared error over all pixels of all images at once."""
    errors = [(model(low[None])[0] - normal).square().mean().item() for low, normal in dataset]
    return sum(errors) / len(errors)


def psnr(mse: float) -> float:
    return -10 * math.log10(mse)
