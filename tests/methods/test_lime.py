"""LIME against the paper's energy, minimised another way."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from llie_helpers.data.embedded import photograph
from llie_helpers.errors import CourseError
from llie_helpers.images import to_float
from llie_helpers.methods import create_method
from llie_helpers.methods.lime import LIME, smooth_illumination


def energy(found: torch.Tensor, brightest: torch.Tensor, smoothness: float) -> torch.Tensor:
    """Equation 17 of the paper with its third weights, whose Gaussian is written out."""
    total = (found - brightest).square().sum()
    for axis in (0, 1):
        step = brightest.diff(dim=axis)
        # The difference of the last pixel is 0, and the Gaussian repeats what is at the border.
        padded = torch.cat([step, torch.zeros_like(brightest.narrow(axis, 0, 1))], axis)
        height, width = padded.shape
        reach = torch.arange(-8, 9)
        window = torch.exp(-reach.square() / (2 * 2.0**2)).double()
        window = torch.outer(window, window) / window.sum() ** 2
        padded = F.pad(padded[None, None], (8, 8, 8, 8), mode="replicate")
        mean = F.conv2d(padded, window[None, None])[0, 0, :height, :width]
        mean = mean.narrow(axis, 0, step.shape[axis])
        weight = smoothness / ((mean.abs() + 1e-3) * (step.abs() + 1e-3))
        total = total + (weight * found.diff(dim=axis).square()).sum()
    return total


@pytest.mark.parametrize("size", [(9, 7), (12, 1)])
def test_the_map_minimises_the_energy_of_the_paper(size):
    brightest = torch.rand(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    # The energy is quadratic, so one Newton step from anywhere reaches its minimum.
    start = torch.zeros(brightest.numel(), dtype=torch.float64)

    def of_vector(vector):
        return energy(vector.view(size), brightest, 0.15)

    gradient = torch.autograd.functional.jacobian(of_vector, start)
    hessian = torch.autograd.functional.hessian(of_vector, start)
    expected = torch.linalg.solve(hessian, -gradient).view(size).numpy()
    found = smooth_illumination(brightest.numpy(), 0.15)
    assert np.ptp(found) > 0.01
    assert found == pytest.approx(expected, abs=1e-3)


def test_the_map_of_a_thumbnail_is_close_to_that_of_the_whole_photograph():
    image = cv2.resize(photograph("chelsea"), (256, 170), interpolation=cv2.INTER_AREA)
    dark = to_float(image // 4)
    brightest = dark.amax(dim=0).numpy()
    exact = dark / torch.from_numpy(smooth_illumination(brightest, 0.15)).clamp(1 / 255, 1) ** 0.8
    found = create_method("lime")(dark)
    assert (found - exact.clamp(0, 1)).abs().mean() < 0.02
    assert (found - exact.clamp(0, 1)).abs().mean() < 0.1 * (exact - dark).abs().mean()


def test_an_edge_is_kept_and_texture_is_not():
    step = np.where(np.arange(64) < 32, 0.1, 0.8) * np.ones((48, 1))
    texture = 0.05 * np.random.default_rng(0).uniform(-1, 1, step.shape)
    found = smooth_illumination(step + texture, 0.15)
    assert found[:, :28].std() < 0.2 * texture.std()
    assert found[:, 36:].mean() - found[:, :28].mean() > 0.6
    assert np.abs(np.diff(found, axis=1))[:, 31].mean() > 0.5


def test_the_map_of_a_large_photograph_follows_its_edges():
    wall = torch.full((3, 300, 400), 0.1)
    wall[:, :, 200:] = 0.7
    lime = create_method("lime")
    context, found = lime.prepare(wall[None]), lime(wall)
    assert context.shape == (1, 2, 96, 128)  # of a thumbnail
    # No halo: beside the edge, within a pixel of the thumbnail, the wall is as bright as elsewhere.
    assert found[:, :, 195:199].numpy() == pytest.approx(found[0, 0, 0].item(), rel=0.1)


def test_shadows_are_opened_and_lamps_are_kept():
    image = torch.full((3, 60, 80), 0.05)
    image[:, 20:40, 30:50] = 1
    found = create_method("lime")(image)
    assert found[:, 25:35, 35:45].min() > 0.99
    assert found[:, :10].mean() > 0.3
    assert torch.allclose(LIME(gamma=0)(image), image)


@pytest.mark.parametrize("options", [{"gamma": 1.1}, {"gamma": -0.1}, {"smoothness": -1.0}])
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(CourseError, match="gamma from 0 to 1"):
        LIME(**options)
