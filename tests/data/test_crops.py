import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from llie_helpers.data.crops import RandomCrops, WholeImages
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


def test_jitter_spares_what_is_as_bright_as_its_target():
    grey = np.full((20, 20, 3), 100, dtype=np.uint8)
    pairs = Pairs("alike", ("a", "b"), (0, 1), [(grey, grey), (grey - 10, grey)])
    for low, normal in RandomCrops(pairs, 8, length=20, augment=False, gain_jitter=1.2):
        assert low.mean().item() * 255 == pytest.approx(100 if low.equal(normal) else 90, abs=0.01)


def test_half_of_the_crops_are_resized_within_the_scales():
    crops = RandomCrops(numbered_pairs([(80, 90)]), 16, length=80, augment=False, scales=(0.5, 2))
    shown = []
    for low, normal in crops:
        assert low.shape == (3, 16, 16)
        assert torch.allclose(normal - low, torch.tensor(100 / 255), atol=0.005)
        shown.append((low[0, -1, 0] - low[0, 0, 0]).item() * 255)  # rows, less one
    assert 6 < min(shown) < 10
    assert 24 < max(shown) < 32
    assert 25 < sum(rows == pytest.approx(15) for rows in shown) < 55


def test_noise_is_averaged_where_a_crop_is_reduced():
    noise = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    pairs = Pairs("noise", ("a",), (0,), [(noise, noise)])
    crops = RandomCrops(pairs, 16, length=40, augment=False, scales=(1 / 3, 1 / 3))
    deviations = np.array([low.std().item() for low, _ in crops]) / (noise.std() / 255)
    reduced = deviations < 0.6
    assert 10 < reduced.sum() < 30
    assert deviations[reduced] == pytest.approx(1 / 3, abs=0.05)
    assert deviations[~reduced] == pytest.approx(1, abs=0.1)


def test_scales_stay_within_a_small_image():
    crops = RandomCrops(numbered_pairs([(18, 30)]), 16, length=20, augment=False, scales=(0.5, 2))
    assert all(low.shape == (3, 16, 16) for low, _ in crops)


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


def test_some_low_images_are_moved_towards_their_targets():
    bytes_ = np.full((20, 20, 3), 16, dtype=np.uint8), np.full((20, 20, 3), 160, dtype=np.uint8)
    pairs = Pairs("one", ("a",), (0,), [bytes_])
    crops = RandomCrops(pairs, 8, length=400, augment=False, brighten_prob=0.5)
    means = [(255 * low.mean().item(), 255 * normal.mean().item()) for low, normal in crops]
    as_it_was = [low for low, normal in means if low < 16.01]
    bright = [low for low, normal in means if low == normal]
    assert 160 < len(as_it_was) < 240
    assert 30 < len(bright) < 70
    assert 0.9 * 160 <= min(bright) < 150
    assert 190 < max(bright) <= 1.3 * 160
    between = [low for low, normal in means if 16.01 < low != normal]
    assert {round(normal) for low, normal in means if low in between} == {160}
    assert max(between) < 160


@pytest.mark.parametrize(("size", "length"), [(0, 4), (16, 0), (16, -1)])
def test_no_crops_are_explained(size, length):
    with pytest.raises(CourseError, match=rf"{length} crops of {size}x{size} pixels"):
        RandomCrops(numbered_pairs(), size, length)
