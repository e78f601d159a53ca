"""The bilateral grid, the spectral branch and the rules that the network keeps by construction."""

import itertools

import hypothesis.strategies as st
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings

from llie_helpers.images import WHOLE, Place
from llie_helpers.models import create_model
from llie_helpers.models import dual_branch as net
from llie_helpers.models.bilateral_grid import (
    GridPredictor,
    cubic_bspline,
    gain_map,
    illuminate,
    luminance,
    slice_grid,
    spline_weights,
    upsample,
)
from llie_helpers.models.dual_branch import (
    ALIKE,
    LightObjective,
    WindowAmplitude,
    colour_noise,
)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def random_network() -> torch.nn.Module:
    """A small network whose every part has an effect."""
    torch.manual_seed(0)
    network = create_model("dual_branch", width=4, blocks=1, deep=1)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    torch.nn.init.normal_(network.grid_predictor.head.weight, std=0.3)
    return network.eval()


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return random_network()


def test_the_splines_are_smooth_and_add_up_to_one():
    x = torch.linspace(0, 3, 301, dtype=torch.float64)
    spline = cubic_bspline(x)
    assert spline[0].item() == pytest.approx(2 / 3)
    assert (spline[200:] == 0).all()
    curvature = spline.diff().diff() / 0.01**2
    assert curvature.diff().abs().max() < 0.04  # 3 times the spacing: no jump
    weights = spline_weights(torch.linspace(-0.5, 7.5, 50)[None], 8, dim=0)
    assert weights.shape == (8, 50)
    assert weights.min() >= 0
    assert torch.allclose(weights.sum(dim=0), torch.ones(50))


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 3, 4]))
@settings(deadline=None, max_examples=30)
def test_enlarging_is_bilinear_interpolation(height, width, factor):
    image = rand(1, 3, height, width)
    expected = F.interpolate(image, scale_factor=float(factor), mode="bilinear")
    assert torch.allclose(upsample(image, factor), expected, atol=1e-6)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 3))
@settings(max_examples=20)
def test_a_constant_grid_is_constant_wherever_it_is_sliced(height, width, value):
    grid = torch.full((1, 3, 12, 8, 8), value)
    guide = rand(1, 1, height, width)
    expected = (value * (1 - guide**4)).expand(-1, 3, -1, -1)
    assert torch.allclose(slice_grid(grid, guide, WHOLE), expected, atol=1e-5)


def test_levels_and_places_of_the_grid_are_where_they_belong():
    grid = torch.zeros(1, 3, 12, 8, 8)
    grid[0, 1, 0, 0, 7] = 1  # green, black, top right
    dark, light = torch.full((1, 1, 16, 16), 0.0), torch.full((1, 1, 16, 16), 0.9)
    sliced = slice_grid(grid, dark, WHOLE)
    assert sliced[0, 1].flatten().argmax() == 15
    assert sliced[0, 1, 0, 15] > 0.2
    assert sliced[0, 1, 8:].max() == sliced[0, 1, :, :8].max() == sliced[0, ::2].max() == 0
    assert slice_grid(grid, light, WHOLE).max() == 0


def test_a_part_gets_the_gains_of_its_place():
    grid, image = rand(2, 3, 12, 8, 8), rand(2, 3, 64, 96)
    whole = gain_map(image, grid, WHOLE)
    part = image[..., 16:48, 32:80]
    inner = gain_map(part, grid, Place(0.25, 1 / 3, 0.75, 5 / 6))[..., 4:-4, 4:-4]
    assert torch.allclose(inner, whole[..., 20:44, 36:76], atol=1e-5)


def test_each_image_of_a_batch_may_have_its_own_place():
    grid, image = rand(2, 3, 12, 8, 8), rand(2, 3, 16, 16)
    edges = torch.tensor([[0.0, 0.1, 0.5, 0.6], [0.3, 0.4, 0.9, 1.0]])
    together = gain_map(image, grid, Place(*edges.unbind(1)))
    for i in range(2):
        alone = gain_map(image[i : i + 1], grid[i : i + 1], Place(*edges[i].tolist()))
        assert torch.allclose(together[i], alone[0], atol=1e-5)


def test_a_coloured_lamp_is_brighter_than_a_grey_wall_of_the_same_mean():
    pixels = torch.tensor([[0.9, 0.3, 0.3], [0.5, 0.5, 0.5]])[..., None, None]
    lamp, wall = luminance(pixels).flatten()
    assert lamp.item() == pytest.approx(0.7)
    assert wall.item() == pytest.approx(0.5)


def test_before_training_a_darker_image_is_brightened_more():
    predictor = GridPredictor().eval()
    image = 0.2 + 0.6 * rand(1, 3, 64, 96)
    gains = [predictor(scale * image).mean().item() for scale in (1.0, 0.5, 0.25)]
    assert gains == sorted(gains)


def test_the_grid_does_not_depend_on_the_size(network):
    image = rand(1, 3, 64, 64)
    large = F.interpolate(image, (192, 128), mode="nearest")
    assert torch.allclose(network.prepare(image), network.prepare(large), atol=1e-5)


@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_light_is_only_added(seed):
    network, image = random_network(), rand(1, 3, 24, 40, seed=seed) ** 3
    grid = network.prepare(image)
    assert grid.min() >= 0
    lit = network.illuminate(image, grid)
    assert (lit >= image - 1e-6).all()
    assert lit.max() <= 1


def test_white_stays_white_and_black_black_whatever_the_weights(network):
    image = rand(1, 3, 48, 64) ** 3
    grid = network.prepare(image)
    assert torch.equal(network(torch.ones(1, 3, 32, 32), grid), torch.ones(1, 3, 32, 32))
    black = torch.zeros(1, 3, 32, 32)
    assert torch.equal(network(black, grid), black)


def test_where_no_light_is_added_nothing_changes(network):
    image = rand(1, 3, 32, 48)
    assert torch.allclose(network(image, torch.zeros(1, 3, 12, 8, 8)), image, atol=1e-6)


@pytest.mark.parametrize("size", [(33, 45), (18, 39)])
def test_the_whole_is_analysed_without_the_padding(network, size):
    """Sizes that are no multiple of 8 are mirrored, which must not change the light."""
    image = rand(1, 3, *size) ** 3
    assert torch.equal(network(image), network(image, network.prepare(image)))


def test_what_a_pixel_becomes_depends_on_its_surroundings_and_the_grid_alone(network):
    image = rand(1, 3, 256, 256)
    other = image.clone()
    other[..., 192:] = rand(1, 3, 256, 64, seed=1)
    grid = network.prepare(image)
    before, after = network(image, grid), network(other, grid)
    assert torch.equal(before[..., :64], after[..., :64])
    assert not torch.equal(before[..., 128:192], after[..., 128:192])


def windows_of(features: torch.Tensor) -> torch.Tensor:
    return torch.fft.rfft2(features.unfold(2, 8, 8).unfold(3, 8, 8))


def test_frequencies_of_a_window_keep_their_phase():
    torch.manual_seed(0)
    layer = WindowAmplitude(4)
    features = torch.randn(2, 4, 16, 24)
    factor = windows_of(layer(features)) / windows_of(features)
    # Changed by a real factor each, hence by none of the phase's.
    assert factor.imag.abs().max() < 1e-3
    assert (factor.real - 1).abs().max() > 1e-2
    # And the mean of a window stays, or steps between windows would show.
    assert torch.allclose(factor[..., 0, 0].real, torch.ones(()), atol=1e-3)
    for parameter in layer.gate[-1].parameters():
        torch.nn.init.zeros_(parameter)
    for size in ((16, 24), (13, 9), (8, 30)):
        features = torch.randn(1, 4, *size)
        assert torch.allclose(layer(features), features, atol=1e-5)


def test_without_the_spectral_branch_all_channels_are_spatial():
    plain = create_model("dual_branch", spectral=False).eval()
    assert not any(isinstance(module, WindowAmplitude) for module in plain.modules())
    spatial = [module for module in plain.modules() if getattr(module, "groups", 1) > 1]
    assert [layer.groups for layer in spatial] == 3 * [32] + 4 * [64] + 3 * [32]
    assert plain(rand(1, 3, 40, 56)).shape == (1, 3, 40, 56)


def chroma(image: torch.Tensor) -> torch.Tensor:
    return image - image.mean(dim=1, keepdim=True)


def test_patches_of_colour_are_smoothed_and_grain_and_edges_are_kept():
    torch.manual_seed(0)
    left, right = torch.tensor([[0.4, 0.3, 0.3], [0.3, 0.3, 0.4]]).view(2, 3, 1, 1)
    halves = torch.cat([left.expand(3, 32, 16), right.expand(3, 32, 16)], dim=2)[None]
    noise = ALIKE / 2 * torch.randn_like(halves)
    noisy = halves + noise
    smoothed = noisy + colour_noise(noisy)
    assert (smoothed - noisy).mean(dim=1).abs().max() < 1e-6  # brightness is as it was
    assert chroma(smoothed - halves).std() < 0.5 * chroma(noise).std()
    assert chroma(smoothed - halves).mean(dim=(2, 3)).abs().max() < ALIKE / 10
    assert torch.allclose(colour_noise(halves), torch.zeros(1), atol=1e-5)


def a_batch() -> list[torch.Tensor]:
    """Crops and their targets, thumbnails and theirs, and the edges of the crops."""
    edges = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.25, 0.5, 0.75, 1.0]])
    return [*rand(2, 2, 3, 32, 32), *rand(2, 2, 3, 64, 64, seed=1), edges]


def test_the_objective_adds_up_its_terms(network):
    low, normal, whole_low, whole_normal, edges = a_batch()
    weights = {"light": 2.0, "steady": 3.0, "smoothness": 5.0, "order": 7.0}
    found = LightObjective.create(network, weights)(
        F.l1_loss, low, normal, whole_low, whole_normal, edges
    )
    grid, place = network.prepare(whole_low), Place(*edges.unbind(1))
    enhanced = network(low, grid, place)
    half = network(F.avg_pool2d(low, 2), grid, place)
    errors = (illuminate(whole_low, grid, WHOLE, cell=1) - whole_normal).square().mean((1, 2, 3))
    expected = F.l1_loss(enhanced, normal) + 2 * errors.sqrt().mean()
    expected += 3 * (F.avg_pool2d(half, 4) - F.avg_pool2d(enhanced, 8)).abs().mean()
    expected += 5 * net.roughness(grid) + 7 * net.disorder(grid)
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)


def test_every_parameter_of_the_network_learns_by_the_objective():
    network = random_network().train()
    loss = network.objective(light=1.0)(F.l1_loss, *a_batch())
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_without_a_weight_the_light_stays_as_it_is_and_all_else_learns():
    network = random_network().train()
    network.objective(light=0.0)(F.l1_loss, *a_batch()).backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == name.startswith("grid_predictor"), name
    network.objective(light=1.0)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_a_smooth_grid_costs_nothing_and_a_rough_one_does():
    ramp = torch.linspace(2, 1, 12)[None, None, :, None, None].expand(1, 3, 12, 8, 8)
    assert net.roughness(ramp).item() == pytest.approx(0, abs=1e-9)
    uneven = torch.linspace(1, 2, 8).expand(1, 3, 12, 8, 8)
    across, down = net.roughness(uneven), net.roughness(uneven.transpose(3, 4))
    assert across == down > 0.01


def test_gains_that_would_swap_tones_are_penalised():
    spacing = torch.log(torch.tensor(101.0)) / 11

    def cost(slope: float) -> float:
        levels = -slope * spacing * torch.arange(12)
        return net.disorder(levels[None, None, :, None, None].expand(1, 3, 12, 8, 8)).item()

    assert cost(0.7) == pytest.approx(0, abs=1e-6)
    costs = [cost(slope) for slope in (0.9, 1.0, 1.5)]
    assert all(a < b for a, b in itertools.pairwise([0.0, *costs]))
