import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llie_helpers.errors import CourseError
from llie_helpers.images import WHOLE, Place, enlarge, quantise
from llie_helpers.methods import classical, create_method


def dark(height=40, width=56, n=2, seed=0):
    """Dark images with a gradient of illumination and some noise."""
    generator = torch.Generator().manual_seed(seed)
    light = torch.linspace(0.02, 0.2, width).expand(n, 3, height, width)
    return (light + 0.02 * torch.rand(light.shape, generator=generator)).clamp(0, 1)


@pytest.mark.parametrize("name", sorted(classical.METHODS))
@settings(max_examples=10)
@given(height=st.integers(2, 40), width=st.integers(2, 40), seed=st.integers(0, 100))
def test_every_method_keeps_shape_type_and_range(name, height, width, seed):
    image = dark(height, width, seed=seed)
    before = image.clone()
    output = create_method(name)(image)
    assert output.shape == image.shape
    assert output.dtype == image.dtype
    assert torch.equal(image, before), "the input was changed"
    assert output.min() >= 0
    assert output.max() <= 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", sorted(classical.METHODS))
def test_every_method_takes_any_type_of_float(name, dtype):
    image = quantise(dark()).to(dtype)
    output = create_method(name)(image)
    assert output.dtype == dtype
    # Half the precision is lost in the input, and dark values are amplified.
    assert (output - create_method(name)(image.float())).abs().max() < 0.02


@pytest.mark.parametrize("name", sorted(classical.METHODS))
def test_one_image_is_treated_like_each_of_a_batch(name):
    method, images = create_method(name), dark()
    assert torch.equal(torch.stack([method(image) for image in images]), method(images))


@pytest.mark.parametrize("name", sorted(set(classical.METHODS) - {"lime"}))
def test_a_function_has_the_defaults_of_its_method(name):
    image = dark(160, 240)  # in smaller regions CLAHE clips all counts at 1
    assert torch.equal(getattr(classical, name)(image), create_method(name)(image))


@pytest.mark.parametrize("name", sorted(set(classical.METHODS) - {"identity"}))
def test_dark_images_are_brightened(name):
    image = dark()
    assert create_method(name)(image).mean() > 1.2 * image.mean()


@pytest.mark.parametrize("name", sorted(classical.METHODS))
def test_black_and_flat_images_stay_finite(name):
    for value in (0.0, 0.3, 1.0):
        flat = torch.full((3, 24, 24), value)
        assert torch.isfinite(create_method(name)(flat)).all()


# What float32 holds: a smaller number is 0 there, and the tenth root of it is not small.
@given(value=st.floats(0, 1, width=32, allow_subnormal=False), exponent=st.floats(0.1, 4))
def test_gamma_is_a_power(value, exponent):
    output = classical.gamma(torch.full((3, 2, 2), value), exponent)
    assert output.flatten().tolist() == pytest.approx([value**exponent] * 12, abs=1e-5)


def test_clahe_is_the_baseline_of_the_protocol():
    image = dark(n=1)[0]
    lab = cv2.cvtColor(
        (image * 255).round().byte().permute(1, 2, 0).numpy().copy(), cv2.COLOR_RGB2LAB
    )
    lab[..., 0] = cv2.createCLAHE(2.0, (8, 8)).apply(lab[..., 0].copy())
    expected = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).astype(np.float32) / 255
    assert np.allclose(classical.clahe(image).permute(1, 2, 0), expected)


@pytest.mark.parametrize("name", ["clahe", "histogram_equalisation"])
def test_a_part_keeps_its_rows_wherever_it_begins(name):
    """As fractions, places are not exact: 29 / 100 * 100 is less than 29."""
    method, image = create_method(name), dark(100, 16, n=1)
    context, whole = method.prepare(image), method(image)
    for top in range(90):
        place = Place(top / 100, 0, (top + 10) / 100, 1)
        rows = slice(top, top + 10)
        assert torch.equal(method(image[:, :, rows], context, place), whole[:, :, rows])


def test_histogram_equalisation_spreads_the_values():
    levels = classical.histogram_equalisation(dark()).mean(dim=1)
    assert levels.amin() < 0.05
    assert levels.amax() > 0.95


def test_retinex_removes_a_gradient_of_illumination():
    image = dark(64, 400, n=1)
    output = classical.Retinex(sigmas=(15,))(image)

    def imbalance(x):
        return x[..., 200:].mean() / x[..., :200].mean()

    assert imbalance(image) > 2
    assert imbalance(output) < 1.1


def test_retinex_is_the_mean_log_ratio_stretched_between_its_quantiles():
    image = dark(64, 80, n=1)
    levels = (255 * image[0]).round().permute(1, 2, 0).double().numpy() + 1
    ratios = [np.log(levels / cv2.GaussianBlur(levels, (0, 0), sigma)) for sigma in (2, 8)]
    ratio = np.mean(ratios, axis=0)
    low, high = np.quantile(ratio, [0.05, 0.95])
    expected = ((ratio - low) / (high - low)).clip(0, 1)
    found = classical.Retinex(sigmas=(2.0, 8.0), clip=0.05)(image)[0].permute(1, 2, 0)
    assert np.abs(found.numpy() - expected).max() < 1e-3


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_retinex_leaves_a_uniform_image_as_it_is(level):
    image = torch.cat([torch.full((1, 3, 40, 60), level), dark(40, 60, n=1)])
    uniform, other = classical.retinex(image)
    assert (uniform == level).all()
    assert (other != image[1]).any()


@pytest.mark.parametrize("sigma", [15, 80, 250])
def test_a_wide_blur_on_a_small_copy_is_close_to_the_exact_one(sigma):
    image = 255 * np.random.default_rng(0).random((200, 300, 3), np.float32) ** 4
    image[:, :150] /= 4
    exact = cv2.GaussianBlur(image, (0, 0), sigma)
    small = classical._blur(image, sigma)[None]
    blurred = enlarge(small, torch.Size((200, 300)), WHOLE)[0].permute(1, 2, 0)
    assert np.abs(blurred.numpy() / exact - 1).mean() < 0.05


def test_quantiles_of_a_large_image_are_taken_from_a_grid(monkeypatch):
    image = dark(200, 300, n=1)
    expected = classical.retinex(image)
    monkeypatch.setattr(classical, "QUANTILE_PIXELS", 5000)
    assert (classical.retinex(image) - expected).abs().max() < 0.02


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: classical.Gamma(0), "must be positive"),
        (lambda: classical.CLAHE(clip=0), "must be positive"),
        (lambda: classical.CLAHE(tiles=0), "must be positive"),
        (lambda: classical.Retinex(sigmas=()), "at least one positive"),
        (lambda: classical.Retinex(clip=0.5), "clip in"),
    ],
)
def test_settings_out_of_range_are_refused(call, message):
    with pytest.raises(CourseError, match=message):
        call()
