"""Small pairs, networks and recipes to train, and what to compare of runs."""

import numpy as np
import pytest
import torch
from torch import nn

from llie_helpers.data.pairs import Pairs
from llie_helpers.models import create_model
from llie_helpers.training import TrainingRun
from llie_helpers.training.module import EnhancementModule
from llie_helpers.training.recipe import Recipe

SMALL = Recipe(
    epochs=4, crops_per_epoch=12, crop_size=16, batch_size=4, plateau_patience=0, snapshot_every=2
)


def toy_pairs(title: str, count: int = 3, seed: int = 0, height=24, width=20) -> Pairs:
    draw = np.random.default_rng(seed)
    colours = draw.integers(0, 256, (count, 3), dtype=np.uint8)
    normals = [np.tile(colour, (height, width + i, 1)) for i, colour in enumerate(colours)]
    arrays = [(image // 4, image) for image in normals]
    names = tuple(f"{title}{i}" for i in range(count))
    return Pairs(title, names, tuple(range(count)), arrays)


def fresh(name: str = "mse_cnn", **options) -> nn.Module:
    torch.manual_seed(0)
    if name == "mse_cnn":
        options = {"widths": [4, 6]} | options
    return create_model(name, **options)


def numbers(run: TrainingRun) -> list[dict]:
    """The rows of a run without its times."""
    return [row | {"seconds": None} for row in run.history]


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([value.double().flatten() for value in model.state_dict().values()])


def kill_in(monkeypatch: pytest.MonkeyPatch, module: type[EnhancementModule], epoch: int) -> None:
    """Let training end in the second step of an epoch, counted from 0, as if it were killed."""
    step = module.training_step

    def killed(self, batch, batch_idx):
        if self.current_epoch == epoch and batch_idx == 1:
            raise MemoryError("as good as killed")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(module, "training_step", killed)
