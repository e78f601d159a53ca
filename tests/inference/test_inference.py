"""One door to every method, classical or learned."""

import shutil

import pytest
import torch

from llie_helpers.data import load_pairs
from llie_helpers.data.synthesis import to_linear
from llie_helpers.errors import CourseError
from llie_helpers.images import quantise, save_image
from llie_helpers.inference.image import enhance
from llie_helpers.methods import create_method
from llie_helpers.methods.histogram import HistogramMapper
from llie_helpers.models import create_model, save_weights


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(create_model("mse_cnn", widths=[4, 6]), path)
    return path


def test_classical_methods_take_their_options():
    image = torch.rand(2, 3, 16, 16)
    assert torch.allclose(create_method("gamma", gamma=0.3)(image), image**0.3)
    assert torch.equal(create_method("identity")(image), image)


def test_a_network_is_in_eval_mode_and_records_no_gradients(weights):
    method = create_method("mse_cnn", weights)
    assert not method.network.training
    assert not method(torch.rand(1, 3, 16, 16)).requires_grad


def test_enhance_takes_a_tensor_or_a_file(weights, tmp_path):
    image = (torch.rand(3, 20, 24) * 255).round() / 255
    save_image(tmp_path / "dark.png", image)
    from_tensor = enhance(image, "mse_cnn", weights)
    assert from_tensor.shape == image.shape
    assert torch.equal(enhance(tmp_path / "dark.png", "mse_cnn", weights), from_tensor)


def test_a_network_with_a_mapper_is_shown_mapped_images(weights, tmp_path):
    mapper = HistogramMapper().fit(load_pairs("embedded", "val"))
    image = 0.2 * torch.rand(1, 3, 16, 16)
    expected = create_method("mse_cnn", weights)(quantise(mapper(image)))
    beside = tmp_path / "best.safetensors"
    shutil.copyfile(weights, beside)
    mapper.save(tmp_path / "best.mapper.json")
    assert torch.equal(create_method("mse_cnn", beside)(image), expected)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("gama", {}, "no method called 'gama'; did you mean gamma"),
        ("gamma", {"gama": 1}, "no option of gamma called 'gama'; did you mean gamma"),
        ("clahe", {"clip": "abc"}, "clahe's option clip is 'abc'; it must be a number"),
        ("retinex", {"sigmas": 3.0}, "option sigmas is 3.0; it must be a list of numbers"),
        ("gamma", {"gamma": -1.0}, "gamma is -1.0, but it must be positive"),
        ("gamma", {"weights": "lol_v1"}, "gamma is a classical method: .* takes no weights"),
        ("mse_cnn", {"weights": "gone.safetensors"}, "no weights file gone.safetensors"),
    ],
)
def test_mistakes_are_named(name, options, sentence):
    with pytest.raises(CourseError, match=sentence):
        create_method(name, **options)


def test_exposure_is_in_stops_and_strength_mixes(weights):
    image = 0.2 * torch.rand(3, 40, 40)
    plain = enhance(image, "gamma")
    lighter = enhance(image, "gamma", exposure=1.0)
    assert torch.allclose(to_linear(lighter), (2 * to_linear(plain)).clamp(0, 1), atol=1e-4)
    assert torch.equal(enhance(image, "gamma", strength=0.0), image)
    half = enhance(image, "gamma", strength=0.5)
    assert torch.allclose(half, (image + plain) / 2, atol=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2000.0, -11.0])
@pytest.mark.parametrize("control", ["exposure", "strength"])
def test_controls_out_of_range_are_refused(control, value):
    with pytest.raises(CourseError, match=f"The {control} is {value}; it must be between"):
        enhance(torch.rand(3, 16, 16), "gamma", **{control: value})


def test_a_method_is_made_once_and_used_often(weights):
    method = create_method("mse_cnn", weights)
    image = torch.rand(3, 40, 40)
    assert torch.equal(enhance(image, method), enhance(image, "mse_cnn", weights))
