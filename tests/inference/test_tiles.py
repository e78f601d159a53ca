"""Tiles cover a photograph, add up to 1, and show no seam."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings

from llie_helpers import models
from llie_helpers.data.embedded import photograph
from llie_helpers.images import to_float, to_uint8
from llie_helpers.inference import tiles
from llie_helpers.methods import Pointwise, create_method


@given(st.integers(16, 4000))
@settings(max_examples=60)
def test_the_weights_of_all_tiles_add_up_to_one(length):
    total = torch.zeros(length)
    for span in tiles.tile_slices(length):
        weights = tiles.blend_weights(span, length)
        assert weights.min() >= 0
        assert len(weights) == span.stop - span.start <= tiles.TILE
        total[span] += weights
    assert torch.allclose(total, torch.ones(length), atol=1e-6)


def gradient(height, width):
    levels = np.linspace(0, 60, width)[None, :, None] * np.ones((height, 1, 3))
    return levels.round().astype(np.uint8)


def dark_photograph(height, width):
    large = F.interpolate(to_float(photograph("motorcycle"))[None], (height, width))[0]
    noise = 0.01 * torch.randn(3, height, width, generator=torch.Generator().manual_seed(0))
    return to_uint8(0.2 * large + noise)


@pytest.mark.parametrize("weights", models.shipped("dual_branch"))
@pytest.mark.parametrize("make", [gradient, dark_photograph])
def test_no_seam_shows(make, weights, monkeypatch):
    monkeypatch.setattr(tiles, "TILE", 320)
    network = create_method("dual_branch", weights)
    image = make(330, 500)
    with torch.no_grad():
        whole = network(to_float(image)[None])[0]
    difference = (tiles.enhance_tiled(network, image) - whole).abs()
    assert difference.mean() < 0.1 / 255
    assert difference.max() < 1 / 255


@pytest.mark.parametrize(("side", "count"), [(1100, 1), (1200, 4)])
def test_only_large_images_are_divided(side, count):
    parts = []
    tiles.enhance_tiled(Pointwise(lambda low: parts.append(low) or low), torch.rand(3, side, side))
    assert len(parts) == count


def test_16_bits_are_kept():
    image = np.random.default_rng(0).integers(0, 2**16, (20, 60_000, 3), dtype=np.uint16)
    expected = to_float(image) ** 0.5
    assert torch.allclose(tiles.enhance_tiled(create_method("gamma"), image), expected, atol=1e-6)


@given(st.integers(16, 80), st.integers(16, 80))
@settings(max_examples=40)
def test_the_result_never_leaves_0_to_1(height, width):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "TILE", 24)
        patch.setattr(tiles, "OVERLAP", 8)
        for value in (0.0, 1.0):
            image = torch.full((3, height, width), value)
            output = tiles.enhance_tiled(Pointwise(lambda low: 3 * low - 1), image)
            assert output.min() >= 0
            assert output.max() <= 1
