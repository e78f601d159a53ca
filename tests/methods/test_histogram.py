import json
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from llie_helpers.data.pairs import Pairs
from llie_helpers.errors import CourseError
from llie_helpers.images import quantise
from llie_helpers.methods import create_method, histogram
from llie_helpers.methods.histogram import HistogramMapper, Q, map_histogram, percentiles
from llie_helpers.models.weights import SHIPPED

images = hnp.arrays(np.uint8, st.tuples(st.just(3), st.integers(1, 9), st.integers(1, 9)))
curves = hnp.arrays(np.float32, (3, len(Q)), elements=st.floats(0, 1, width=32)).map(
    lambda values: torch.from_numpy(np.sort(values, axis=-1))
)


def as_image(levels):
    return torch.from_numpy(levels).float() / 255


def make_pairs(scenes, seed=0):
    """One pair for each number: random images, and low light of a random exposure."""
    rng = np.random.default_rng(seed)
    arrays = []
    for _ in scenes:
        normal = 255 * rng.random((12, 16, 3)) ** rng.uniform(0.5, 2)
        arrays.append(tuple(x.astype(np.uint8) for x in (normal * rng.uniform(0.1, 0.3), normal)))
    names = tuple(str(i) for i in range(len(arrays)))
    return Pairs("random", names, tuple(scenes), arrays)


@given(images, st.lists(st.floats(0, 100), min_size=1, max_size=4))
def test_percentiles_are_numpys(levels, q):
    expected = np.percentile(levels.reshape(3, -1), q, axis=1).T / 255
    assert np.allclose(percentiles(as_image(levels), q), expected, atol=1e-5)


def test_percentiles_of_a_batch_are_those_of_its_images():
    batch = torch.rand(200, 3, 5, 7)  # more planes than an OpenCV image may have channels
    assert percentiles(batch).shape == (200, 3, len(Q))
    assert torch.equal(percentiles(batch)[199], percentiles(batch[199]))


@given(images)
def test_an_image_mapped_to_its_own_percentiles_is_itself(levels):
    image = as_image(levels)
    assert torch.allclose(map_histogram(image, percentiles(image)), image, atol=1e-5)


@given(images, curves)
def test_mapping_keeps_the_order_of_values_and_the_range_of_the_targets(levels, targets):
    output = map_histogram(as_image(levels), targets)
    for plane, mapped, target in zip(levels, output.numpy(), targets.numpy(), strict=True):
        order = plane.ravel().argsort()
        assert (np.diff(mapped.ravel()[order]) >= -1e-6).all()
        assert mapped.min() >= target[0] - 1e-6
        assert mapped.max() <= target[-1] + 1e-6


def test_a_mapped_image_has_the_target_percentiles():
    generator = torch.Generator().manual_seed(0)
    image, other = torch.rand(2, 2, 3, 64, 64, generator=generator)
    targets = percentiles(other.sqrt())
    # The image holds all 256 levels, and the curve is at most four times as steep as even.
    assert (percentiles(map_histogram(image, targets)) - targets).abs().max() <= 4 / 255


def test_percentiles_that_share_a_value_get_the_mean_of_their_targets():
    image = torch.zeros(3, 4, 4)
    targets = torch.linspace(0, 0.8, len(Q)).expand(3, -1)
    assert torch.allclose(map_histogram(image, targets), torch.full_like(image, 0.4))


@pytest.fixture(scope="module")
def mapper():
    return HistogramMapper().fit(make_pairs(range(20)))


def test_the_mapper_fits_what_it_was_shown_better_than_the_mean(mapper):
    low, normal = histogram.pair_percentiles(make_pairs(range(20)))
    error = np.abs(mapper.predict_percentiles(low) - normal).mean()
    assert error < 0.5 * np.abs(normal.mean(axis=0) - normal).mean()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_output_has_the_type_of_the_input_and_the_values_of_float32(mapper, dtype):
    low = make_pairs([0])[0].low
    enhanced = mapper(low.to(dtype))
    assert enhanced.dtype == dtype
    expected = mapper(low.to(dtype).float())
    assert torch.allclose(enhanced.float(), expected, atol=torch.finfo(dtype).eps + 1e-6)


def test_the_mapper_does_not_wait_for_other_threads(mapper):
    assert mapper.regressor.n_jobs == 1


@settings(max_examples=25)
@given(levels=images)
def test_predictions_rise_and_stay_in_range_for_any_image(mapper, levels):
    image = as_image(levels)
    found = mapper.predict(image)
    assert found.shape == (3, len(Q))
    assert (found.diff(dim=-1) >= 0).all()
    assert 0 <= found.min() <= found.max() <= 1
    assert torch.equal(mapper(image), map_histogram(image, found))


def test_the_mapper_treats_a_batch_as_its_images(mapper):
    batch = 0.2 * torch.rand(2, 3, 8, 8)
    assert torch.equal(mapper(batch)[1], mapper(batch[1]))
    assert mapper(batch).mean() > batch.mean()


def test_quantiles_bracket_the_median():
    pairs = make_pairs(range(20))
    low, middle, high = (
        HistogramMapper(quantile).fit(pairs).predict(pairs[0].low).mean()
        for quantile in (0.1, 0.5, 0.9)
    )
    assert low < middle < high


def test_cross_fit_never_uses_the_target_of_the_scene_it_predicts():
    scenes = [i // 2 for i in range(16)]
    pairs = make_pairs(scenes)
    before = histogram.cross_fit(pairs)
    assert before.shape == (16, 3, len(Q))
    changed = [
        (low, 255 - normal if scene == 2 else normal)
        for (low, normal), scene in zip(pairs.arrays, scenes, strict=True)
    ]
    after = histogram.cross_fit(Pairs("x", pairs.names, pairs.scenes, changed))
    held_out = torch.tensor([scene == 2 for scene in scenes])
    assert torch.equal(before[held_out], after[held_out])
    assert not torch.equal(before[~held_out], after[~held_out])


def test_mapped_pairs_hold_the_mapped_low_image_and_the_same_target():
    pairs = make_pairs([0, 1])
    targets = torch.stack([percentiles(pair.normal) for pair in pairs])
    mapped = histogram.mapped(pairs, targets)
    assert (len(mapped), mapped.names, mapped.scenes) == (2, pairs.names, pairs.scenes)
    assert torch.equal(mapped[1].normal, pairs[1].normal)
    expected = map_histogram(pairs[1].low, targets[1])
    assert (mapped[1].low - expected).abs().max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda pairs: HistogramMapper(quantile=1.0), "between 0 and 1"),
        (lambda pairs: HistogramMapper().fit(pairs.subset([])), "got no pairs"),
        (lambda pairs: HistogramMapper()(pairs[0].low), r"call fit\(pairs\)"),
        (histogram.cross_fit, "at least 4 scenes, but these show 2"),
    ],
)
def test_misuse_is_explained(call, message):
    with pytest.raises(CourseError, match=message):
        call(make_pairs([0, 0, 1]))


def test_missing_xgboost_is_explained(monkeypatch):
    for name in ("xgboost", "xgboost.core"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(CourseError, match="pip install xgboost"):
        HistogramMapper()
    with pytest.raises(CourseError, match="pip install xgboost"):
        create_method("unet", "lol_v1")  # whose input a mapper maps


def test_a_saved_mapper_maps_alike(mapper, tmp_path):
    mapper.save(tmp_path / "mapper.json")
    again = HistogramMapper.load(tmp_path / "mapper.json")
    image = 0.2 * torch.rand(3, 9, 9)
    assert torch.equal(again(image), mapper(image))


def test_every_version_of_xgboost_reads_where_the_trees_start(mapper, tmp_path):
    # Those before 3.1 know no list, and take 0.5 instead.
    mapper.save(tmp_path / "mapper.json")
    for file in (tmp_path / "mapper.json", *SHIPPED.glob("*.mapper.json")):
        learner = json.loads(file.read_text())["learner"]
        assert 0 < float(learner["learner_model_param"]["base_score"]) < 1, file


def test_what_is_no_mapper_is_refused(tmp_path):
    with pytest.raises(CourseError, match=r"gone.json holds no histogram mapper"):
        HistogramMapper.load(tmp_path / "gone.json")
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(CourseError, match=r"x.json holds no histogram mapper"):
        HistogramMapper.load(tmp_path / "x.json")
    with pytest.raises(CourseError, match="not been fitted yet"):
        HistogramMapper().save(tmp_path / "y.json")
    assert not (tmp_path / "y.json").exists()


def test_splits_are_mapped_without_the_leak():
    train, val = make_pairs(range(8)), make_pairs(range(3))
    mapped_train, mapped_val, mapper = histogram.map_splits(train, val)
    crossed = histogram.mapped(train, histogram.cross_fit(train))
    assert torch.equal(mapped_train[5].low, crossed[5].low)
    assert torch.equal(mapped_val[2].low, quantise(mapper(val[2].low)))
    assert torch.equal(mapped_val[2].normal, val[2].normal)
