import numpy as np
import pytest
import torch

from llie_helpers import data
from llie_helpers.data import embedded
from llie_helpers.data.scenes import group_scenes
from llie_helpers.data.synthesis import to_linear
from llie_helpers.errors import CourseError
from llie_helpers.images import read_rgb


@pytest.fixture(scope="module")
def splits():
    return {split: data.load_pairs("embedded", split) for split in ("train", "val", "test")}


def test_no_photograph_is_in_two_splits(splits):
    scenes = [set(pairs.scenes) for pairs in splits.values()]
    assert [len(some) for some in scenes] == [4, 1, 3]
    assert len(set.union(*scenes)) == len(embedded.PHOTOGRAPHS)


def test_each_photograph_is_a_scene_of_its_own():
    photographs = [embedded.photograph(name) for name in embedded.PHOTOGRAPHS]
    assert group_scenes(photographs) == list(range(len(photographs)))


def test_training_covers_the_exposures_of_the_other_splits():
    train = embedded.SPLITS["train"][1]
    for split in ("val", "test"):
        assert min(train) <= min(embedded.SPLITS[split][1])
        assert max(train) >= max(embedded.SPLITS[split][1])


def test_pairs_look_like_photographs_in_the_dark(splits):
    for pairs in splits.values():
        for low, normal, name, _ in pairs:
            assert low.shape == normal.shape
            assert max(low.shape[1:]) <= 400
            assert all(side % 2 == 0 for side in low.shape[1:])
            assert 0.02 < low.mean() < 0.25, name
            assert 0.2 < normal.mean() < 0.6, name
            stops = float(name.split("_")[1].removesuffix("stops"))
            ratio = to_linear(normal)[1].mean() / to_linear(low)[1].mean()
            # Clipping what the read noise makes negative lifts the darkest a little.
            assert torch.log2(ratio).item() == pytest.approx(stops, abs=0.2), name


def test_names_tell_photograph_and_exposure(splits):
    assert splits["test"].names[0] == "coffee_2.75stops"
    assert len(set(splits["train"].names)) == len(splits["train"]) == 24


def test_pairs_are_the_same_in_every_run(splits):
    embedded._pair.cache_clear()
    assert np.array_equal(data.load_pairs("embedded", "val").raw(1)[0], splits["val"].raw(1)[0])


def test_pixels_cannot_be_changed_by_mistake(splits):
    with pytest.raises(ValueError, match="read-only"):
        splits["test"].raw(0)[1][:] = 0


def test_an_unknown_split_is_named():
    with pytest.raises(CourseError, match="did you mean test"):
        data.load_pairs("embedded", "tests")


def test_the_real_photographs_are_dark_in_places_and_white_in_others():
    photographs = data.real_photographs()
    assert list(photographs) == ["dandelion", "sunset"]
    for path in photographs.values():
        luminance = read_rgb(path).mean(axis=2)
        assert max(luminance.shape) == 960
        assert np.percentile(luminance, 25) < 80
        assert luminance.max() > 250
