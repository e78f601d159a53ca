"""`enhance` returns what it was given, of the same kind, shape and type; exposure and strength."""

import io
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from llie_helpers.data.embedded import photograph
from llie_helpers.data.synthesis import to_linear
from llie_helpers.errors import CourseError
from llie_helpers.images import save_image, to_uint8
from llie_helpers.inference.image import MODES, enhance
from llie_helpers.methods import create_method

SIDES = st.integers(16, 24)
ARRAYS = st.tuples(SIDES, SIDES, st.sampled_from([None, 1, 2, 3, 4])).flatmap(
    lambda shape: st.sampled_from(["u1", "<u2", ">u2", "f2", "f4", "f8"]).flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            tuple(side for side in shape if side),
            elements=hnp.from_dtype(np.dtype(dtype), min_value=0, max_value=1)
            if "f" in dtype
            else None,
        )
    )
)


@settings(max_examples=60)
@given(array=ARRAYS)
def test_an_array_comes_back_as_it_was(array):
    array.flags.writeable = False
    result = enhance(array, "identity")
    assert (type(result), result.dtype, result.shape) == (np.ndarray, array.dtype, array.shape)
    if array.dtype.kind == "u":
        assert np.array_equal(result, array)
    else:
        assert np.allclose(result, array, atol=1e-3 if array.dtype.itemsize == 2 else 1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_colours_are_enhanced_and_alpha_is_kept(dtype, channels):
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    array = (0.25 * top * np.ones((16, 20, channels))).astype(dtype)
    result = enhance(array[:, ::-1], "gamma", gamma=0.5) / top
    colours = channels - (channels % 2 == 0)
    assert np.allclose(result[..., :colours], 0.5, atol=0.003)
    assert np.array_equal(result[..., colours:] * top, array[..., colours:])


@pytest.mark.parametrize("method", ["dual_branch", "lime", "histogram_equalisation"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("grey", [False, True])
def test_what_alpha_hides_is_kept_and_does_not_count(method, dtype, grey):
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    lit = photograph("coffee", 128).astype(float)[..., : 1 if grey else 3] / 255
    image = np.dstack([0.4 * lit, np.ones(lit.shape[:2])])
    image[:, 40:, -1] = 0
    results = []
    for hidden in (0, 1):
        image[:, 40:, :-1] = hidden
        low = (image * top).astype(dtype)
        results.append(enhance(low, method))
        assert np.allclose(results[-1][:, 40:], low[:, 40:], atol=1e-6)
        assert np.array_equal(results[-1][..., -1], low[..., -1])
    black, white = results
    assert np.array_equal(black[:, :40], white[:, :40])


def test_a_cutout_is_as_bright_as_in_its_photograph(tmp_path):
    low = photograph("coffee", 256) // 4
    whole = enhance(low)
    shown = np.zeros(low.shape[:2], bool)
    shown[50:120, 80:180] = True
    cutout = np.dstack([np.where(shown[..., None], low, 0), 255 * shown.astype(np.uint8)])
    cut = enhance(cutout)[..., :3]
    assert abs(cut[shown].mean() / whole[shown].mean() - 1) < 0.15
    Image.fromarray(cutout).save(tmp_path / "cutout.png")
    assert np.array_equal(to_uint8(enhance(tmp_path / "cutout.png")), cut)


@pytest.mark.parametrize("shape", [(3, 16, 17), (1, 3, 16, 17), (2, 3, 16, 17)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_tensor_comes_back_as_it_was(shape, dtype):
    image = torch.rand(shape).to(dtype)
    result = enhance(image, "identity")
    assert (result.dtype, result.shape) == (dtype, image.shape)
    assert torch.allclose(result, image, atol=1e-6)


def test_each_image_of_a_batch_is_a_photograph_of_its_own():
    image = 0.3 * torch.rand(2, 3, 24, 16)
    method = create_method("histogram_equalisation")
    expected = torch.stack([enhance(one, method) for one in image])
    assert torch.equal(enhance(image, method), expected)


@pytest.mark.parametrize("mode", MODES)
def test_a_pillow_image_comes_back_in_its_mode(mode):
    levels = np.arange(16 * 20, dtype=np.uint8).reshape(16, 20)
    if mode == "I;16":
        image = Image.fromarray(levels.astype(np.uint16) * 200)
    else:
        image = Image.merge("RGBA", [Image.fromarray(levels)] * 4).convert(mode)
    image.info["icc_profile"] = b"profile"
    result = enhance(image, "identity")
    assert result.mode == MODES[mode]
    assert result.info == {"icc_profile": b"profile"}
    assert np.array_equal(np.asarray(result), np.asarray(image.convert(MODES[mode])))


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_the_transparent_colour_of_a_png_becomes_alpha(mode):
    image = Image.new(mode, (16, 16))
    image.info["transparency"] = (0, 0, 0) if mode == "RGB" else 0
    result = enhance(image, "identity")
    assert result.mode == ("LA" if mode == "L" else "RGBA")
    assert np.asarray(result)[..., -1].max() == 0


def cut_short():
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG")
    return Image.open(io.BytesIO(file.getvalue()[:900]))


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (None, "an object of type NoneType; give a tensor"),
        ([[0, 1]], "an object of type list"),
        (torch.rand(16, 16), r"a tensor \(16, 16\)"),
        (torch.rand(1, 16, 16), r"a tensor \(1, 16, 16\)"),
        (torch.zeros(3, 16, 16, dtype=torch.uint8), "of torch.uint8; it must be"),
        (torch.zeros(0, 3, 16, 16), "without images"),
        (torch.full((3, 16, 16), 255.0), "values from 255 to 255; floats must be in"),
        (torch.full((3, 16, 16), torch.nan), "values from nan to nan"),
        (torch.rand(3, 15, 16), "16x15 pixels; the smallest is 16x16"),
        (np.zeros(16), r"an array \(16,\)"),
        (np.array(0.5), r"an array \(\)"),
        (np.zeros((3, 16, 16)), r"an array \(3, 16, 16\)"),
        (np.zeros((16, 16), int), "of int64; it must be"),
        (np.zeros((16, 16), bool), "of bool; it must be"),
        (np.zeros((16, 16), complex), "of complex128; it must be"),
        (np.full((16, 16, 3), -0.5), "values from -0.5 to -0.5"),
        (np.zeros((4, 16), np.uint8), "16x4 pixels"),
        (Image.new("CMYK", (16, 16)), "of mode CMYK; use"),
        (Image.new("F", (16, 16)), "of mode F; use"),
        (cut_short(), "cannot be decoded"),
        ("gone.png", "There is no image file gone.png"),
    ],
)
def test_what_is_no_photograph_is_one_sentence(image, sentence):
    with pytest.raises(CourseError, match=sentence) as caught:
        enhance(image, "gamma")
    assert "\n" not in str(caught.value)


def test_a_file_is_enhanced_as_its_tensor(tmp_path):
    image = (torch.rand(3, 20, 24) * 255).round() / 255
    save_image(tmp_path / "dark.png", image)
    from_tensor = enhance(image, "mse_cnn", "embedded")
    assert from_tensor.shape == image.shape
    assert torch.equal(enhance(tmp_path / "dark.png", "mse_cnn", "embedded"), from_tensor)


def test_a_method_is_made_once_and_used_often():
    method = create_method("mse_cnn", "embedded")
    image = torch.rand(3, 40, 40)
    assert torch.equal(enhance(image, method), enhance(image, "mse_cnn", "embedded"))


def test_exposure_is_in_stops_and_strength_mixes():
    image = 0.2 * torch.rand(3, 40, 40)
    plain = enhance(image, "gamma")
    lighter = enhance(image, "gamma", exposure=1.0)
    assert torch.allclose(to_linear(lighter), (2 * to_linear(plain)).clamp(0, 1), atol=1e-4)
    assert torch.equal(enhance(image, "gamma", strength=0.0), image)
    half = enhance(image, "gamma", strength=0.5)
    assert torch.allclose(half, (image + plain) / 2, atol=1e-6)


NO_CONTROLS = [float("nan"), float("inf"), 2000.0, -11.0, "1", None, 1j, torch.tensor(0.0)]


@pytest.mark.parametrize("value", NO_CONTROLS)
@pytest.mark.parametrize("control", ["exposure", "strength"])
def test_controls_that_are_no_numbers_or_out_of_range_are_refused(control, value):
    sentence = f"The {control} is {value}; it must be between"
    with pytest.raises(CourseError, match=re.escape(sentence)):
        enhance(torch.rand(3, 16, 16), "gamma", **{control: value})
