import sys
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from llie_helpers import losses, metrics
from llie_helpers.errors import CourseError
from llie_helpers.losses import Perceptual, WeightedLoss, random_vgg
from llie_helpers.losses.pixel import bhattacharyya

FUNCTIONS = {name: loss for name, loss in losses.LOSSES.items() if name != "perceptual"}
SYMMETRIC = sorted(set(FUNCTIONS) - {"gt_mean"})


def pair(seed=0, n=2, height=32, width=28, dtype=torch.float32):
    """A target, and an output that is darker and noisy."""
    rng = np.random.default_rng(seed)
    normal = rng.random((n, 3, height, width))
    enhanced = np.clip(0.6 * normal + 0.1 * rng.standard_normal(normal.shape), 0, 1)
    return torch.tensor(enhanced, dtype=dtype), torch.tensor(normal, dtype=dtype)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_each_term_is_a_scalar_that_falls_as_the_output_nears_the_target(name):
    enhanced, normal = pair()
    values = [FUNCTIONS[name](torch.lerp(enhanced, normal, t), normal) for t in (0, 0.5, 0.9, 1)]
    assert all(value.shape == () for value in values)
    assert values == sorted(values, reverse=True)
    assert values[0] > 2 * values[2]
    assert values[-1].item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", SYMMETRIC)
@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_terms_are_symmetric(name, seed):
    enhanced, normal = pair(seed)
    assert FUNCTIONS[name](enhanced, normal).item() == pytest.approx(
        FUNCTIONS[name](normal, enhanced).item(), rel=1e-5
    )


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_step_along_the_gradient_lowers_the_term(name):
    enhanced, normal = pair()
    enhanced.requires_grad_()
    before = FUNCTIONS[name](enhanced, normal)
    (gradient,) = torch.autograd.grad(before, enhanced)
    assert torch.isfinite(gradient).all()
    after = FUNCTIONS[name](enhanced - 1e-3 * gradient / gradient.abs().max(), normal)
    assert after < before


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_term_of_a_batch_is_the_mean_over_its_images(name):
    enhanced, normal = pair()
    enhanced = torch.lerp(enhanced, normal, 0.8)
    enhanced[1], normal[1] = enhanced[1] / 2, normal[1] / 3
    each = [FUNCTIONS[name](enhanced[i : i + 1], normal[i : i + 1]).item() for i in range(2)]
    assert each[0] != pytest.approx(each[1], rel=0.05)
    assert FUNCTIONS[name](enhanced, normal).item() == pytest.approx(sum(each) / 2, rel=1e-5)


@pytest.mark.parametrize("name", ["ssim", "mse"])
def test_gradients_are_those_of_finite_differences(name):
    enhanced, normal = pair(n=1, height=12, width=11, dtype=torch.float64)
    enhanced.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: FUNCTIONS[name](x, normal), enhanced, eps=1e-6, atol=1e-6, fast_mode=True
    )


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_gradients_stay_finite_on_flat_and_on_equal_images(name, value):
    normal = pair()[1]
    for target in (normal, torch.full_like(normal, value)):
        enhanced = torch.full_like(normal, value, requires_grad=True)
        FUNCTIONS[name](enhanced, target).backward()
        assert torch.isfinite(enhanced.grad).all()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_raised_to_float32(name, dtype):
    enhanced, normal = (image.to(dtype) for image in pair())
    expected = FUNCTIONS[name](enhanced.float(), normal.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = FUNCTIONS[name](enhanced, normal)
    assert value.dtype == torch.float32
    assert torch.equal(value, expected)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_shapes_that_would_broadcast_are_refused(name):
    with pytest.raises(CourseError, match="must be the same"):
        FUNCTIONS[name](torch.zeros(2, 3, 16, 16), torch.zeros(1, 3, 16, 16))


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), height=st.integers(11, 40), width=st.integers(11, 40))
def test_ssim_loss_is_the_metric(seed, height, width):
    enhanced, normal = pair(seed, height=height, width=width)
    assert losses.ssim_loss(enhanced, normal).item() == pytest.approx(
        1 - metrics.ssim(enhanced, normal).mean().item(), abs=1e-5
    )


@pytest.mark.parametrize("term", [losses.coarse, losses.colour])
def test_images_smaller_than_a_place_are_refused(term):
    with pytest.raises(CourseError, match="at least 8x8 pixels, but these are 40x7"):
        term(torch.rand(1, 3, 7, 40), torch.rand(1, 3, 7, 40))


def test_images_smaller_than_the_window_are_refused():
    with pytest.raises(CourseError, match="at least 11x11 pixels, but these are 40x10"):
        losses.ssim_loss(torch.zeros(1, 3, 10, 40), torch.zeros(1, 3, 10, 40))


def test_fft_amplitude_ignores_a_circular_shift():
    normal = pair()[1]
    assert losses.fft_amplitude(normal.roll((3, 5), (2, 3)), normal).item() < 1e-5


def test_fft_amplitude_does_not_grow_with_the_image():
    small, large = (losses.fft_amplitude(*pair(height=n, width=n)).item() for n in (24, 96))
    assert large == pytest.approx(small, rel=0.2)


@given(a=st.floats(0.01, 1), b=st.floats(0.01, 1), sigma=st.floats(0.05, 0.5))
def test_the_distance_of_gt_mean_is_the_mean_divergence_of_the_authors_code(a, b, sigma):
    def divergence(mean, other_mean, deviation, other_deviation):
        ratio = (deviation**2 + (mean - other_mean) ** 2) / other_deviation**2
        return np.log(other_deviation / deviation) + ratio / 2 - 0.5

    middle, spread = (a + b) / 2, np.sqrt(((sigma * a) ** 2 + (sigma * b) ** 2) / 2)
    expected = sum(divergence(m, middle, sigma * m, spread) for m in (a, b)) / 2
    tensors = (torch.tensor(m, dtype=torch.float64) for m in (a, b))
    assert bhattacharyya(*tensors, sigma).item() == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_gt_mean_is_plain_l1_when_exposure_is_far_off_and_corrected_l1_when_it_fits():
    normal = 0.5 + 0.5 * pair()[1]
    far = normal / 8
    assert losses.gt_mean(far, normal).item() == pytest.approx(losses.l1(far, normal).item())
    near = normal / 1.02
    assert losses.gt_mean(near, normal) < 0.05 * losses.l1(near, normal)


def test_gt_mean_compares_grey_images():
    """As the authors do: what moves light between colours and keeps the grey is an error of L1."""
    normal = 0.3 + 0.2 * pair()[1]
    enhanced = normal + torch.tensor([0.587, -0.299, 0]).view(3, 1, 1) / 5
    expected = losses.l1(enhanced, normal).item()
    assert losses.gt_mean(enhanced, normal).item() == pytest.approx(expected, rel=1e-4)


def test_gt_mean_learns_exposure_by_the_weighted_l1_alone():
    normal = torch.full((1, 3, 8, 8), 0.5)
    enhanced = (0.9 * normal).requires_grad_()
    losses.gt_mean(enhanced, normal).backward()
    # Of flat images, neither the matched part nor the detached weight depends on exposure.
    weight = bhattacharyya(torch.tensor(0.45), torch.tensor(0.5), 0.1).item()
    assert 0.1 < weight < 0.2
    assert enhanced.grad.sum().item() == pytest.approx(-weight, rel=1e-3)


def test_gan_losses():
    sure, unsure = torch.full((2, 1, 3, 3), 20.0), torch.zeros(2, 1, 3, 3)
    assert losses.gan_discriminator_loss(sure, -sure).item() == pytest.approx(0, abs=1e-6)
    assert losses.gan_discriminator_loss(unsure, unsure).item() == pytest.approx(np.log(2))
    assert losses.gan_discriminator_loss(-sure, -sure).item() == pytest.approx(10, rel=1e-3)
    assert losses.gan_generator_loss(sure).item() == pytest.approx(0, abs=1e-6)
    assert losses.gan_generator_loss(-sure).item() == pytest.approx(20, rel=1e-3)
    assert losses.gan_generator_loss(-sure.half()).dtype == torch.float32


def test_a_weighted_loss_adds_up_and_keeps_its_terms():
    enhanced, normal = pair()
    enhanced = torch.lerp(enhanced, normal, 0.8).requires_grad_()
    loss = WeightedLoss({"l1": 2.0, "gt_mean": 0.5})
    total = loss(enhanced, normal)
    assert set(loss.terms) == {"l1", "gt_mean"}
    expected = 2 * loss.terms["l1"] + 0.5 * loss.terms["gt_mean"]
    assert total.item() == pytest.approx(expected.item())
    for name, value in loss.terms.items():  # one of them is not symmetric
        assert value.item() == FUNCTIONS[name](enhanced, normal).item()
    assert not loss.terms["l1"].requires_grad
    total.backward()
    assert enhanced.grad.abs().sum() > 0


def test_weights_follow_their_schedule():
    loss = WeightedLoss({"l1": [[0, 1], [20, 0]], "ssim": [(0, 0.01), (50, 0.2)]})
    seen = []
    for epoch in (0, 19, 20, 49, 50, 500):
        loss.set_epoch(epoch)
        seen.append((loss.weights["l1"], loss.weights["ssim"]))
    assert seen == [(1, 0.01), (1, 0.01), (0, 0.01), (0, 0.01), (0, 0.2), (0, 0.2)]
    loss(*pair())
    assert set(loss.terms) == {"ssim"}, "a term of weight 0 was computed"


def test_where_all_weights_are_zero_so_are_the_loss_and_its_gradient():
    loss = WeightedLoss({"l1": [(0, 1.0), (3, 0.0)], "ssim": [(0, 0.0), (9, 0.1)]})
    enhanced, normal = pair()
    enhanced.requires_grad_()
    for epoch in (3, 8):
        loss.set_epoch(epoch)
        value = loss(enhanced, normal)
        assert (value.item(), value.shape, loss.terms) == (0.0, (), {})
        (gradient,) = torch.autograd.grad(value, enhanced)
        assert not gradient.any()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "at least one term"),
        ({"l2": 1.0}, "no loss term called 'l2'"),
        ({"l1": -1}, "must be >= 0"),
        ({"l1": float("nan")}, "must be >= 0"),
        ({"l1": "much"}, "must be a number or a schedule"),
        ({"l1": None}, "must be a number or a schedule"),
        ({"l1": [0, 1]}, "must be a number or a schedule"),
        ({"l1": []}, "starts at epoch 0"),
        ({"l1": [(1, 1.0)]}, "starts at epoch 0"),
        ({"l1": [(0, 1.0), (5, 2.0), (5, 3.0)]}, "increasing epochs"),
    ],
)
def test_weights_without_meaning_are_refused(weights, message):
    with pytest.raises(CourseError, match=message):
        WeightedLoss(weights)


@pytest.fixture
def vgg(monkeypatch):
    """A torchvision whose VGG-19 has small random layers."""

    class Vgg(nn.Module):
        def __init__(self, weights):
            super().__init__()
            assert weights == "imagenet"
            torch.manual_seed(0)
            self.features = nn.Sequential(*[nn.Conv2d(3, 3, 1) for _ in range(37)])

    models = types.ModuleType("torchvision.models")
    models.VGG19_Weights = types.SimpleNamespace(IMAGENET1K_V1="imagenet")
    models.vgg19 = Vgg
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", models)


@pytest.mark.usefixtures("vgg")
def test_perceptual_loss_trains_the_output_and_never_its_network():
    enhanced, normal = pair(height=40, width=48)
    enhanced.requires_grad_()
    loss = WeightedLoss({"l1": 1.0, "perceptual": 0.1})
    loss(enhanced, normal).backward()
    assert enhanced.grad.abs().sum() > 0
    assert loss.perceptual(normal, normal) == 0
    assert loss.terms["perceptual"] > 0
    assert list(loss.parameters()) == []
    assert loss.state_dict() == {}, "the network would be stored in every checkpoint"
    moved = loss.to(torch.float64).perceptual.network
    assert all(buffer.dtype == torch.float64 for buffer in moved.buffers())


@pytest.mark.usefixtures("vgg")
def test_vgg_is_cut_after_its_18th_layer():
    normalise, layers = Perceptual().network
    assert len(layers) == 18
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    assert normalise(mean).abs().max() == 0
    assert normalise(torch.ones(3, 1, 1)).flatten().tolist() == pytest.approx(
        [2.2489, 2.4286, 2.64], abs=1e-3
    )


def test_without_torchvision_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(CourseError, match=r"run `pip install torchvision` and go online once"):
        WeightedLoss({"perceptual": 1.0})


def test_places_have_no_detail_and_colours_no_brightness():
    normal = pair()[1]
    checks = torch.tensor([[0.1, -0.1], [-0.1, 0.1]]).repeat(16, 14)
    assert losses.coarse(normal + checks, normal).item() == pytest.approx(0, abs=1e-6)
    assert losses.coarse(normal + 0.1, normal).item() == pytest.approx(0.1, abs=1e-5)
    assert losses.colour(normal + checks, normal).item() == pytest.approx(0, abs=1e-6)
    bright = 0.5 + normal / 2
    warm = bright * torch.tensor([1.0, 0.8, 0.8]).view(3, 1, 1)
    assert losses.colour(0.8 * bright, bright) < 0.2 * losses.colour(warm, bright)
    # In training an output may be below 0, where its brightness would make colours infinite.
    assert losses.colour(torch.full_like(normal, -0.0499), normal) < 3


def test_random_features_have_the_layers_of_vgg_and_the_same_weights_everywhere(monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda _: pytest.fail("GPUs were seeded"))
    state = torch.get_rng_state()
    vgg = random_vgg()
    assert torch.equal(torch.get_rng_state(), state)
    assert len(vgg) == Perceptual.LAYERS
    convolutions = [layer for layer in vgg if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [16, 16, 32, 32, *4 * [64]]
    assert [i for i, layer in enumerate(vgg) if isinstance(layer, nn.MaxPool2d)] == [4, 9]
    assert not any(weights.requires_grad for weights in vgg.parameters())
    image = torch.rand(1, 3, 16, 24)
    one = vgg(image)
    assert one.shape == (1, 64, 4, 6)
    assert torch.equal(one, random_vgg()(image))
