import sys
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn
from torchmetrics.functional.image import structural_similarity_index_measure

from llie_helpers import losses, metrics
from llie_helpers.errors import CourseError
from llie_helpers.losses import WeightedLoss, perceptual
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
    assert values[-1].item() == pytest.approx(1e-3 if name == "charbonnier" else 0, abs=1e-6)


@pytest.mark.parametrize("name", SYMMETRIC)
@settings(max_examples=10, deadline=None)
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


@pytest.mark.parametrize("name", ["charbonnier", "ssim", "ms_ssim", "mse"])
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


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), height=st.integers(11, 40), width=st.integers(11, 40))
def test_ssim_loss_is_the_metric(seed, height, width):
    enhanced, normal = pair(seed, height=height, width=width)
    assert losses.ssim_loss(enhanced, normal).item() == pytest.approx(
        1 - metrics.ssim(enhanced, normal).mean().item(), abs=1e-5
    )


def dense_ms_ssim(a, b, exponents):
    """The definition, on torchmetrics' dense windows."""
    value = 1.0
    for scale, exponent in enumerate(exponents):
        if scale:
            a, b = nn.functional.avg_pool2d(a, 2), nn.functional.avg_pool2d(b, 2)
        options = {"data_range": 1.0, "reduction": "none"}
        _, similarity = structural_similarity_index_measure(a, b, return_full_image=True, **options)
        if scale < len(exponents) - 1:
            # A huge k1 makes the luminance term 1 and leaves the contrast term.
            _, similarity = structural_similarity_index_measure(
                a, b, k1=1e3, return_full_image=True, **options
            )
        value = value * similarity[..., 5:-5, 5:-5].mean((1, 2, 3)) ** exponent
    return value.mean().item()


def test_ms_ssim_loss_is_its_definition_on_five_scales():
    enhanced, normal = pair(height=180, width=176)
    expected = dense_ms_ssim(enhanced, normal, [0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
    assert losses.ms_ssim_loss(enhanced, normal).item() == pytest.approx(1 - expected, abs=1e-4)


def test_ms_ssim_loss_takes_fewer_scales_for_small_images():
    enhanced, normal = pair(height=22, width=43)
    exponents = np.array([0.0448, 0.2856])
    expected = dense_ms_ssim(enhanced, normal, exponents / exponents.sum())
    assert losses.ms_ssim_loss(enhanced, normal).item() == pytest.approx(1 - expected, abs=1e-4)
    smallest = [image[..., :11, :21] for image in (enhanced, normal)]
    assert torch.equal(losses.ms_ssim_loss(*smallest), losses.ssim_loss(*smallest))


@pytest.mark.parametrize("name", ["ssim", "ms_ssim"])
def test_images_smaller_than_the_window_are_refused(name):
    with pytest.raises(CourseError, match="at least 11x11 pixels, but these are 10x40"):
        FUNCTIONS[name](torch.zeros(1, 3, 10, 40), torch.zeros(1, 3, 10, 40))


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
    enhanced.requires_grad_()
    loss = WeightedLoss({"l1": 2.0, "ssim": 0.5})
    total = loss(enhanced, normal)
    assert set(loss.terms) == {"l1", "ssim"}
    assert total.item() == pytest.approx((2 * loss.terms["l1"] + 0.5 * loss.terms["ssim"]).item())
    assert loss.terms["l1"].item() == losses.l1(enhanced, normal).item()
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


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "at least one term"),
        ({"l2": 1.0}, "no loss term called 'l2'"),
        ({"l1": -1}, "must be >= 0"),
        ({"l1": []}, "begins at epoch 0"),
        ({"l1": [(1, 1.0)]}, "begins at epoch 0"),
        ({"l1": [(0, 1.0), (5, 2.0), (5, 3.0)]}, "goes forward"),
    ],
)
def test_weights_without_meaning_are_refused(weights, message):
    with pytest.raises(CourseError, match=message):
        WeightedLoss(weights)


@pytest.fixture
def squeezenet_file(tmp_path, monkeypatch):
    """A file with random weights, and with the later layers that the loss leaves out."""
    torch.manual_seed(0)
    weights = dict(perceptual.SqueezeNetFeatures().named_parameters())
    weights["fire6.squeeze1x1.bias"] = torch.zeros(48)
    path = tmp_path / "squeezenet.safetensors"
    save_file({name: tensor.detach().clone() for name, tensor in weights.items()}, path)
    monkeypatch.setenv("LLIE_SQUEEZENET", str(path))
    return path


@pytest.mark.usefixtures("squeezenet_file")
def test_perceptual_loss_trains_the_output_and_never_its_network():
    enhanced, normal = pair(height=40, width=48)
    enhanced.requires_grad_()
    loss = WeightedLoss({"l1": 1.0, "perceptual": 0.1})
    loss(enhanced, normal).backward()
    assert enhanced.grad.abs().sum() > 0
    assert loss.perceptual.name == "squeezenet"
    assert loss.perceptual(normal, normal) == 0
    assert loss.terms["perceptual"] > 0
    assert list(loss.parameters()) == []
    assert loss.state_dict() == {}, "the network would be stored in every checkpoint"
    moved = loss.to(torch.float64).perceptual.network
    assert all(buffer.dtype == torch.float64 for buffer in moved.buffers())


@pytest.mark.usefixtures("squeezenet_file")
def test_squeezenet_gets_bgr_less_its_mean():
    network = perceptual.Perceptual().network
    seen = {}
    network.conv1.register_forward_pre_hook(lambda _, args: seen.update(image=args[0]))
    rgb = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    assert network(rgb).shape == (1, 256, 3, 3)
    expected = [255 - 103.939, 127.5 - 116.779, -123.68]
    assert seen["image"][0, :, 0, 0].tolist() == pytest.approx(expected, abs=1e-3)


def test_a_wrong_squeezenet_file_is_named(squeezenet_file):
    save_file({"conv1.weight": torch.zeros(64, 3, 3, 3)}, squeezenet_file)
    with pytest.raises(CourseError, match=r"squeezenet.safetensors, but that is not"):
        perceptual.Perceptual()
    squeezenet_file.unlink()
    with pytest.raises(CourseError, match="correct the path, or unset it"):
        perceptual.Perceptual()


def test_vgg_is_cut_after_its_18th_layer(monkeypatch):
    class Vgg(nn.Module):
        def __init__(self, weights):
            super().__init__()
            assert weights == "imagenet"
            self.features = nn.Sequential(*[nn.Conv2d(3, 3, 1) for _ in range(37)])

    models = types.ModuleType("torchvision.models")
    models.VGG19_Weights = types.SimpleNamespace(IMAGENET1K_V1="imagenet")
    models.vgg19 = Vgg
    monkeypatch.delenv("LLIE_SQUEEZENET", raising=False)
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    loss = perceptual.Perceptual()
    assert loss.name == "vgg19"
    normalise, layers = loss.network
    assert len(layers) == 18
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    assert normalise(mean).abs().max() == 0
    assert normalise(torch.ones(3, 1, 1)).flatten().tolist() == pytest.approx(
        [2.2489, 2.4286, 2.64], abs=1e-3
    )


def test_without_any_network_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.delenv("LLIE_SQUEEZENET", raising=False)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(CourseError, match=r"llie_helpers\[perceptual\].*LLIE_SQUEEZENET"):
        WeightedLoss({"perceptual": 1.0})
