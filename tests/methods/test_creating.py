"""One door to every method, classical or learned: `create_method`."""

import shutil

import pytest
import torch

from llie_helpers.data import load_pairs
from llie_helpers.errors import CourseError
from llie_helpers.images import quantise
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
