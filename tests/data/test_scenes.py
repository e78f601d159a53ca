import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llie_helpers.data.pairs import Pairs
from llie_helpers.data.scenes import group_scenes, scene_split, shared_scenes, thumbnail
from llie_helpers.errors import CourseError


def scene(seed):
    """A random scene with structure that is coarse enough to survive a thumbnail."""
    blocks = np.random.default_rng(seed).integers(30, 200, (6, 9, 3), dtype=np.uint8)
    return blocks.repeat(10, axis=0).repeat(10, axis=1)


def test_other_exposures_of_a_scene_belong_to_it():
    first, second = scene(1), scene(2)
    darker = (first * 0.4).astype(np.uint8)
    noisy = np.clip(first + np.random.default_rng(0).normal(0, 20, first.shape), 0, 255)
    images = [first, second, darker, noisy.astype(np.uint8), second[:, :-1]]
    assert group_scenes(images) == [0, 1, 0, 0, 1]


def test_scenes_are_linked_through_images_between_them():
    first, other = scene(1).astype(float), scene(2).astype(float)
    chain = [(first * (1 - t) + other * t).astype(np.uint8) for t in np.linspace(0, 0.6, 7)]
    ends = thumbnail(chain[0]) @ thumbnail(chain[-1])
    assert ends < 0.95
    assert set(group_scenes(chain)) == {0}


def test_links_are_found_between_all_parts_of_a_large_set(monkeypatch):
    numbers = [0, 1, 2, 0, 3, 1, 4]
    monkeypatch.setattr("llie_helpers.data.scenes.ROWS", 2)
    assert group_scenes([scene(number) for number in numbers]) == numbers


def test_uniform_images_and_no_images_are_fine():
    black = np.zeros((30, 40, 3), np.uint8)
    assert group_scenes([black, black]) == [0, 1]
    assert group_scenes([]) == []


@given(st.lists(st.integers(0, 9), min_size=2), st.floats(0, 1), st.integers(0, 99))
def test_a_split_is_a_partition_that_cuts_no_scene(scenes, fraction, seed):
    if len(set(scenes)) < 2:
        with pytest.raises(CourseError, match="needs two or more"):
            scene_split(scenes, fraction, seed)
        return
    train, val = scene_split(scenes, fraction, seed)
    assert sorted(train + val) == list(range(len(scenes)))
    assert train
    assert val
    assert not {scenes[i] for i in train} & {scenes[i] for i in val}
    assert (train, val) == scene_split(scenes, fraction, seed)


def test_validation_gets_its_fraction_of_the_pairs_and_the_seed_matters():
    scenes = [i // 3 for i in range(300)]
    splits = [scene_split(scenes, 0.1, seed)[1] for seed in range(3)]
    assert [len(val) for val in splits] == [30, 30, 30]
    assert splits[0] != splits[1]


def test_pairs_of_one_scene_are_found_across_sets_whatever_their_exposure():
    def pairs(title, images):
        names = tuple(f"{title}{i}" for i in range(len(images)))
        return Pairs(title, names, (0,) * len(images), [(image, image) for image in images])

    ours = pairs("a", [scene(0), scene(1), scene(2)])
    theirs = pairs("b", [scene(3), scene(1) // 2 + 20, scene(0), scene(1)])
    assert shared_scenes(ours, theirs) == [("a0", "b2"), ("a1", "b1"), ("a1", "b3")]
    assert shared_scenes(ours[:0], theirs) == shared_scenes(ours, theirs[:0]) == []
