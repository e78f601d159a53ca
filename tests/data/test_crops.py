import itertools
import pickle
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.utils.data import DataLoader

from llie_helpers.data.crops import RandomCrops, WholeImages, items_per_second
from llie_helpers.data.pairs import Pairs
from llie_helpers.errors import CourseError


def numbered_pairs(sizes=((20, 30), (25, 16))):
    """Pairs whose pixels tell their place: red the row, green the column, blue the pair."""
    arrays = []
    for number, (height, width) in enumerate(sizes):
        image = np.empty((height, width, 3), np.uint8)
        image[..., 0], image[..., 1] = np.mgrid[:height, :width]
        image[..., 2] = number
        arrays.append((image, image + 100))
    names = tuple(str(number) for number in range(len(sizes)))
    return Pairs("numbered", names, tuple(range(len(sizes))), arrays)


@settings(deadline=None)
@given(st.integers(1, 16), st.integers(0, 1000), st.integers(0, 50))
def test_a_crop_is_the_same_window_of_both_images(size, seed, epoch):
    crops = RandomCrops(numbered_pairs(), size, length=3, seed=seed, augment=False)
    crops.set_epoch(epoch)
    for low, normal in crops:
        assert low.shape == normal.shape == (3, size, size)
        assert low.dtype == torch.float32
        assert torch.allclose(normal - low, torch.tensor(100 / 255))
        rows, columns, number = (low * 255).round().long()
        assert (rows - rows[0, 0] == torch.arange(size)[:, None]).all()
        assert (columns - columns[0, 0] == torch.arange(size)).all()
        assert len(number.unique()) == 1


def test_crops_reach_every_place_of_every_pair():
    crops = RandomCrops(numbered_pairs(), 16, length=2000, augment=False)
    seen = {tuple((low[:, 0, 0] * 255).round().int().tolist()) for low, _ in crops}
    first = {(top, left, 0) for top in range(5) for left in range(15)}
    second = {(top, 0, 1) for top in range(10)}
    assert seen == first | second


def test_a_thumbnail_shows_the_whole_image_and_is_changed_like_the_crop():
    pairs = numbered_pairs([(128, 150)])
    crops = RandomCrops(pairs, 16, length=40, augment=False, thumbnails=True)
    views = [item[2:] for item in crops]
    assert crops[0]._fields == ("low", "normal", "whole_low", "whole_normal")
    assert all(view.shape == (3, 64, 64) for pair in views for view in pair)
    # Rows are numbered: 128 rows in 64 are steps of 2 levels, fewer rows are less.
    steps = [float((low[0, 1:, 0] - low[0, :-1, 0]).mean() * 255) for low, _ in views]
    whole = [step for step in steps if step == pytest.approx(2.0, abs=0.01)]
    assert 10 < len(whole) < 30
    assert 1.2 < min(steps) < 1.5
    for low, normal in views:
        assert torch.allclose(normal - low, torch.tensor(100 / 255), atol=1e-5)


def test_a_thumbnail_is_flipped_and_brightened_like_its_crop():
    generator = torch.Generator().manual_seed(1)
    image = (torch.rand(40, 40, 3, generator=generator) * 60).to(torch.uint8).numpy()
    pairs = Pairs("one", ("a",), (0,), [(image, image)])
    crops = RandomCrops(pairs, 40, length=30, thumbnails=True, gain_jitter=2.0)
    alike = 0
    for low, _, whole_low, _ in crops:
        shrunk = F.adaptive_avg_pool2d(F.adaptive_avg_pool2d(low, 128), 64)
        alike += torch.allclose(whole_low, shrunk, atol=1e-5)
    assert 8 < alike < 22  # the half that is not zoomed


def test_jitter_changes_the_light_and_not_the_target():
    pairs = numbered_pairs()
    steady = RandomCrops(pairs, 16, length=50, augment=False)
    jittered = RandomCrops(pairs, 16, length=50, augment=False, gain_jitter=1.5)
    gains = []
    for (low, normal), (changed, its_normal) in zip(steady, jittered, strict=True):
        assert torch.equal(normal, its_normal)
        gains.append(float(changed.sum() / low.sum()))
    assert 0.66 < min(gains) < 0.8
    assert 1.25 < max(gains) < 1.51


def first_lows(dataset):
    return torch.stack([low for low, _ in dataset])


def test_seed_and_epoch_decide_on_the_crops():
    def crops(seed, epoch):
        dataset = RandomCrops(numbered_pairs(), 8, length=6, seed=seed)
        dataset.set_epoch(epoch)
        return first_lows(dataset)

    assert torch.equal(crops(1, 2), crops(1, 2))
    assert not torch.equal(crops(1, 2), crops(1, 3))
    assert not torch.equal(crops(1, 2), crops(2, 2))


def test_augmented_crops_are_turned_and_brightened_alike():
    plain = RandomCrops(numbered_pairs(), 8, length=20, augment=False)
    turned = RandomCrops(numbered_pairs(), 8, length=20, augment=True)
    gains = [b.sum() / a.sum() for (a, _), (b, _) in zip(plain, turned, strict=True)]
    assert min(gains) < 0.95
    assert max(gains) > 1.05
    for low, normal in turned:
        assert torch.allclose(normal - low, (normal - low)[0, 0, 0], atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_workers_give_the_same_crops_and_follow_the_epoch():
    dataset = RandomCrops(numbered_pairs(), 8, length=6)
    loader = DataLoader(dataset, batch_size=3, num_workers=1, persistent_workers=True)
    epochs = []
    for epoch in range(2):
        dataset.set_epoch(epoch)
        epochs.append(torch.cat([low for low, _ in loader]))
        assert torch.equal(epochs[-1], first_lows(dataset))
    assert not torch.equal(*epochs)


def test_datasets_can_be_pickled():
    dataset = RandomCrops(numbered_pairs(), 8, length=2)
    assert torch.equal(first_lows(pickle.loads(pickle.dumps(dataset))), first_lows(dataset))


def test_a_crop_larger_than_its_image_is_an_error_that_names_it():
    crops = RandomCrops(numbered_pairs([(20, 30)]), 24, length=1)
    with pytest.raises(CourseError, match=r"0 of numbered is 30x20, too small for .* 24x24"):
        crops[0]


def test_no_pairs_are_an_error():
    with pytest.raises(CourseError, match="no pairs"):
        RandomCrops(numbered_pairs([]), 8, length=1)


def test_whole_images_come_in_order():
    pairs = numbered_pairs()
    whole = WholeImages(pairs)
    assert len(whole) == 2
    for (low, normal), pair in zip(whole, pairs, strict=True):
        assert torch.equal(low, pair.low)
        assert torch.equal(normal, pair.normal)


def test_speed_is_measured(monkeypatch):
    ticks = itertools.count(step=0.25)
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    assert items_per_second(WholeImages(numbered_pairs()), seconds=2.0) == 7 / 2


def test_some_low_images_are_moved_towards_their_targets():
    bytes_ = np.full((20, 20, 3), 16, dtype=np.uint8), np.full((20, 20, 3), 160, dtype=np.uint8)
    pairs = Pairs("one", ("a",), (0,), [bytes_])
    crops = RandomCrops(pairs, 8, length=400, augment=False, brighten_prob=0.5)
    means = [(255 * low.mean().item(), 255 * normal.mean().item()) for low, normal in crops]
    as_it_was = [low for low, normal in means if low < 16.01]
    bright = [low for low, normal in means if low == normal]
    assert 160 < len(as_it_was) < 240
    assert 40 < len(bright) < 95
    assert 0.6 * 160 <= min(bright) < 110
    assert 190 < max(bright) <= 1.3 * 160
    between = [low for low, normal in means if 16.01 < low != normal]
    assert {round(normal) for low, normal in means if low in between} == {160}
    assert max(between) < 160
