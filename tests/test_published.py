"""The re-run of the published system follows its protocol."""

import numpy as np
import pytest
import torch

from llie_helpers import published
from llie_helpers.data import Pairs
from llie_helpers.metrics import psnr
from llie_helpers.published import pooled_mse, rerun, resized


def toy(name: str, split: str) -> Pairs:
    draw = np.random.default_rng({"train": 1, "val": 2, "test": 3}[split])
    count = 4 if split == "train" else 2
    normals = [draw.integers(0, 256, (20, 30, 3), dtype=np.uint8) for _ in range(count)]
    arrays = [(image // 4, image) for image in normals]
    names = tuple(f"{split}{i}" for i in range(count))
    return Pairs(f"{name}/{split}", names, tuple(range(count)), arrays)


def test_resized_pairs_are_bgr():
    blue = np.zeros((20, 30, 3), np.uint8)
    blue[..., 2] = 255
    low, normal = resized([Pairs("blue", ("a",), (0,), [(blue // 5, blue)])], size=16)[0]
    assert low.shape == normal.shape == (3, 16, 16)
    assert torch.equal(normal[:, 0, 0], torch.tensor([1.0, 0.0, 0.0]))
    assert low[0, 0, 0] == pytest.approx(0.2)


def test_the_score_is_pooled_over_all_pixels():
    pairs = resized([toy("toy", "train")], size=16)
    identity = torch.nn.Identity()
    low, normal = pairs.tensors
    assert pooled_mse(identity, pairs) == pytest.approx(((low - normal) ** 2).mean().item())
    # The mean of each image's PSNR, which the frozen protocol takes, is another number.
    assert psnr(low, normal).mean().item() > published.psnr(pooled_mse(identity, pairs))


def test_rerun_scores_both_ways(monkeypatch, tmp_path):
    monkeypatch.setattr(published, "load", toy)
    result = rerun("mse_cnn", "toy", tmp_path, epochs=1, progress=False, widths=[4, 6])
    # The recipe's loss is MSE alone, so the validation loss is the pooled score.
    assert result.own_mse == pytest.approx(result.run.best["val_loss"], rel=1e-4)
    assert result.test_mse != pytest.approx(result.own_mse, rel=1e-3)
    assert len(result.frozen.per_image) == 2
    assert "19.08 dB" in str(result)
