"""Every method: one interface, the same result on parts as on the whole, data on its device."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from llie_helpers.data.embedded import photograph
from llie_helpers.errors import CourseError
from llie_helpers.images import Place, quantise, to_float
from llie_helpers.inference import tiles
from llie_helpers.inference.batch import enhance_files
from llie_helpers.inference.image import enhance
from llie_helpers.inference.photos import Photo, write_photo
from llie_helpers.inference.tiles import enhance_tiled, tile_slices
from llie_helpers.inference.video import TemporalSmoother, enhance_frame
from llie_helpers.methods import (
    Method,
    NetworkMethod,
    Pointwise,
    as_method,
    blend,
    create_method,
    list_methods,
)
from llie_helpers.methods.histogram import HistogramMapper
from llie_helpers.metrics import evaluate
from llie_helpers.models import create_model, shipped

META = torch.device("meta")
CLASSICAL = ("identity", "gamma", "histogram_equalisation", "clahe", "retinex", "lime")


def dark_photograph(height: int, width: int) -> torch.Tensor:
    large = F.interpolate(to_float(photograph("motorcycle"))[None], (height, width))
    noise = 0.01 * torch.randn(large.shape, generator=torch.Generator().manual_seed(0))
    return (0.2 * large + noise).clamp(0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", list_methods())
def test_tiles_are_as_bright_as_in_the_whole(name, monkeypatch):
    if name not in CLASSICAL and not shipped(name):
        pytest.skip("no weights are shipped for it, and untrained ones enhance nothing")
    monkeypatch.setattr(tiles, "TILE", 320)
    method, image = create_method(name), dark_photograph(330, 440)
    difference = 255 * (enhance_tiled(method, image[0]) - method(image)[0])
    for rows in tile_slices(330):
        for columns in tile_slices(440):
            assert difference[:, rows, columns].mean().abs() < 0.1


def a_method(name: str) -> Method:
    if name == "histogram_mapper":
        low, normal = torch.rand(2, 6, 3, 23).sort().values.numpy()
        return HistogramMapper().fit_percentiles(low, normal)
    return create_method(name, None if name in CLASSICAL else "embedded")


@pytest.mark.parametrize("name", [*CLASSICAL, "histogram_mapper", "dual_branch", "fft_dual_branch"])
def test_a_part_with_the_context_of_the_whole_is_that_part_of_the_result(name):
    method, image = a_method(name), dark_photograph(192, 384)
    place = Place(1 / 3, 1 / 6, 1, 5 / 6)
    part = method(image[..., 64:, 64:320], method.prepare(image), place)
    difference = (part - method(image)[..., 64:, 64:320]).abs()[..., 64:, 64:-64]
    # What the networks' filters reach beyond 64 pixels is little, but not nothing.
    assert difference.max() < {"dual_branch": 1e-3, "fft_dual_branch": 0.02}.get(name, 1e-5)
    assert torch.equal(method(image[0]), method(image)[0])


@pytest.mark.parametrize("name", ["dual_branch", "fft_dual_branch"])
def test_a_network_that_looks_at_the_whole_sees_what_the_mapper_made_of_it(name):
    mapper, network = a_method("histogram_mapper"), create_model(name).eval()
    image = dark_photograph(150, 60)
    method, mapped = NetworkMethod(network, mapper), quantise(mapper(image))
    place = Place(0.4, 0, 1, 1)
    found = method(image[:, :, 60:], method.prepare(image), place)
    with torch.no_grad():
        expected = network(mapped[:, :, 60:], network.prepare(mapped), place)
    assert torch.allclose(found, expected, atol=1e-6)


def test_functions_and_networks_become_methods():
    network, gamma = create_model("pix2pix", width=2, blocks=1), create_method("gamma")
    method, image = as_method(network), dark_photograph(32, 32)
    assert (type(method), method.name) == (NetworkMethod, "pix2pix")
    assert torch.equal(method(image), method(image)), "dropout is on"
    assert as_method(gamma) is gamma
    assert torch.equal(as_method(torch.sqrt)(image), image.sqrt())


def test_contexts_are_blended_where_they_are_numbers():
    old = (None, (torch.zeros(2), torch.tensor(0.0)), torch.zeros(2, dtype=torch.uint8))
    new = (None, (torch.ones(2), torch.tensor(4.0)), torch.ones(2, dtype=torch.uint8))
    nothing, (some, other), levels = blend(old, new, 0.25)
    assert nothing is None
    assert some.tolist() == [0.25, 0.25]
    assert other == 1
    assert levels.tolist() == [1, 1]
    assert blend(None, None, 0.5) is None


class OnMeta(Method):
    """Stands in for a network on a GPU: it takes images on its device only."""

    device = META

    def __init__(self) -> None:
        self.prepared = self.enhanced = 0

    def prepare(self, whole):
        assert whole.device == META
        self.prepared += 1
        return torch.zeros(1, device=META)

    def enhance(self, part, context, place):
        assert part.device == context.device == META
        self.enhanced += 1
        return part

    def illuminate(self, part, context, place=None):
        return self.enhance(part, context, place)


def enhance_folder(method, pixels, tmp_path):
    write_photo(tmp_path / "a.png", to_float(pixels), Photo(pixels))
    done = enhance_files([tmp_path / "a.png"], tmp_path / "out", lambda x: enhance(x, method), None)
    # A batch keeps what went wrong with a file.
    raise RuntimeError(done.failed[tmp_path / "a.png"])


def score(method, pixels, tmp_path):
    image = to_float(pixels)
    pair = SimpleNamespace(low=image, normal=image, name="a", scene=0)
    evaluate(method, [pair])


@pytest.mark.parametrize(
    "entry",
    [
        lambda method, pixels, _: enhance(pixels, method),
        lambda method, pixels, _: enhance(to_float(pixels), method),
        lambda method, pixels, _: enhance_tiled(method, pixels),
        lambda method, pixels, _: enhance_frame(pixels, TemporalSmoother(method), 0.0),
        lambda method, pixels, _: enhance_frame(pixels, TemporalSmoother(method), 0.0, fast=True),
        enhance_folder,
        score,
    ],
)
def test_every_entry_point_moves_images_to_the_methods_device(entry, tmp_path):
    method = OnMeta()
    # Images on `meta` hold no values, so in the end there is nothing to return or to score.
    with pytest.raises((NotImplementedError, RuntimeError), match="meta"):
        entry(method, np.full((20, 24, 3), 40, np.uint8), tmp_path)
    assert method.prepared
    assert method.enhanced


def test_any_module_is_used_as_a_network_is():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.Dropout())
    image = torch.rand(3, 8, 8)
    assert torch.equal(as_method(network)(image), network[0](image))  # nothing is dropped
    assert as_method(network.to(META)).device == META
    assert as_method(torch.nn.Sigmoid()).device == torch.device("cpu")


@pytest.mark.parametrize("method", [create_method("gamma"), Pointwise(torch.sqrt, "root")])
def test_a_method_that_sets_no_exposure_has_no_fast_mode(method):
    with pytest.raises(CourseError, match=rf"{method.name} cannot correct the exposure alone"):
        method.illuminate(torch.rand(1, 3, 1, 256), None)


def test_fast_is_what_the_network_offers():
    method, image = create_method("dual_branch"), dark_photograph(64, 64)
    context = method.prepare(image)
    lit = method.illuminate(image, context)
    assert lit.mean() > 1.5 * image.mean()
    assert (lit - method(image, context)).abs().mean() < 0.1


@pytest.mark.parametrize("name", ["identity", "clahe", "lime", "mse_cnn", "dual_branch"])
def test_a_batch_without_images_is_explained(name):
    with pytest.raises(CourseError, match="without images"):
        create_method(name)(torch.rand(0, 3, 32, 32))
