"""Photographs of every exposure through the shipped weights: no clipping, casts or halos."""

import functools

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from llie_helpers.data.embedded import PHOTOGRAPHS, photograph
from llie_helpers.data.synthesis import darken
from llie_helpers.images import quantise, to_float
from llie_helpers.methods import create_method
from llie_helpers.metrics import match_gt_mean, psnr

# Those with a mean value above 0.4; of darker ones nobody can say what they were meant to be.
WELL_LIT = ("astronaut", "chelsea", "china", "motorcycle")
CELL = 16


@functools.cache
def network():
    return create_method("dual_branch")


def enhanced(image: torch.Tensor) -> torch.Tensor:
    return quantise(network()(image[None]))


def colours(image: torch.Tensor) -> torch.Tensor:
    """Red less green and blue less green, as means over 16x16 pixels."""
    cells = F.avg_pool2d(image, CELL)
    return torch.cat([cells[:, :1] - cells[:, 1:2], cells[:, 2:] - cells[:, 1:2]], dim=1)


def known(names, faults):
    """Return ``names``, those in ``faults`` as tests that still have to fail."""
    strict = {name: pytest.mark.xfail(strict=True, reason=why) for name, why in faults.items()}
    return [pytest.param(name, marks=strict.get(name, ())) for name in names]


@pytest.mark.parametrize("name", known(WELL_LIT, {"china": "it is brightened: 20 dB"}))
def test_a_well_lit_photograph_comes_back(name):
    image = to_float(photograph(name))
    result = enhanced(image)
    assert psnr(result, image[None]).item() > 22
    assert psnr(match_gt_mean(result, image[None]), image[None]).item() > 27


@pytest.mark.parametrize(
    "name", known(PHOTOGRAPHS, {"coffee": "colours are 0.106 stronger in 1 % of the picture"})
)
def test_no_exposure_brings_clipping_or_colours_of_its_own(name):
    bright = to_float(photograph(name))
    truth = colours(bright[None])
    grey = truth.norm(dim=1) < 0.06
    for stops in range(7):
        dark = (
            darken(bright, stops, generator=torch.Generator().manual_seed(0)) if stops else bright
        )
        result = enhanced(dark)
        blown = (result[0].amax(0) > 0.99) & (bright.amax(0) < 0.8)
        assert blown.float().mean().item() < 0.01, stops
        found = colours(match_gt_mean(result, bright[None]))
        # In the dark colours fade; none may appear.
        added = (found.norm(dim=1) - truth.norm(dim=1)).flatten()
        assert added.quantile(0.99).item() < 0.1, stops
        if grey.any():
            assert found.norm(dim=1)[grey].quantile(0.95).item() < 0.15, stops


def test_a_lamp_has_no_halo():
    y, x = np.mgrid[:240, :320]
    distance = torch.tensor(np.hypot(y - 100, x - 140))
    light = 0.04 + 0.96 * torch.sigmoid((25 - distance) / 4) + 0.1 * (-distance / 60).exp()
    lamp = light.clamp(max=1).float().expand(3, -1, -1)
    result = enhanced(lamp)[0].mean(0)
    rings = torch.stack(
        [result[(distance >= r) & (distance < r + 6)].mean() for r in range(0, 120, 6)]
    )
    assert (rings.diff() < 0.01).all()


def test_a_bright_sky_has_no_blocks():
    ground = darken(to_float(photograph("china")), 4.0, generator=torch.Generator().manual_seed(0))
    sky = torch.tensor([0.62, 0.74, 0.88])[:, None, None] * torch.linspace(1, 0.9, 96)[:, None]
    scene = ground.clone()
    scene[:, :96] = sky
    result = enhanced(scene)
    spread = colours(result[..., :80, :]).std(dim=(2, 3))
    assert (spread < 0.02).all()
    assert cv2.GaussianBlur(result[0, 1, :80].numpy(), (0, 0), 8).std() < 0.05
