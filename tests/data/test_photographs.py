import os
import re
import sys

import cv2
import numpy as np
import pytest

from llie_helpers import data
from llie_helpers.data import photographs
from llie_helpers.data.photographs import DARKNESSES, LONGEST
from llie_helpers.errors import CourseError

SPLITS = ("train", "val", "test")


def write(path, seed=0, width=24, height=16):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    cv2.imwrite(str(path), pixels)


@pytest.fixture
def name(root, tmp_path):
    """Ten photographs, and a file that is none."""
    folder = tmp_path / "album"
    folder.mkdir()
    (folder / "notes.txt").write_text("not a photograph")
    for number in range(10):
        write(folder / f"park{number}.png", number)
    return f"photographs:{folder}"


@pytest.fixture
def folder(name, tmp_path):
    return tmp_path / "album"


def test_each_photograph_is_a_scene_in_one_split(name):
    splits = {split: data.load_pairs(name, split) for split in SPLITS}
    assert [len(splits[split]) for split in SPLITS] == [8 * DARKNESSES, 1, 1]
    assert sorted(s for pairs in splits.values() for s in set(pairs.scenes)) == list(range(10))
    for split, pairs in splits.items():
        assert pairs.title == f"{name}/{split}"
        numbers = range(DARKNESSES if split == "train" else 1)
        scenes = dict.fromkeys(pairs.scenes)
        assert pairs.names == tuple(f"park{s}_{n}" for s in scenes for n in numbers)


def test_the_darkness_depends_on_the_name_alone(name, folder):
    train = data.load_pairs(name, "train")
    low, normal = train.raw(0)
    assert low.shape == normal.shape == (16, 24, 3)
    with pytest.raises(ValueError, match="read-only"):
        low[:] = 0
    assert train.raw(0)[0] is low, "recent pairs are kept"
    for again in (train, data.load_pairs(name, "train")):
        photographs._pair.cache_clear()
        assert np.array_equal(again.raw(0)[0], low)
        assert np.array_equal(again.raw(0)[1], normal)
    lows = [train.raw(i)[0] for i in range(DARKNESSES)]
    assert len({low.tobytes() for low in lows}) == DARKNESSES
    assert all(low.mean() <= normal.mean() + 1 for low, normal in map(train.raw, range(32)))


def test_nothing_is_cached_on_the_disk(name, tmp_path):
    data.load_pairs(name, "train").raw(0)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("width", "height"), [(2 * LONGEST, 40), (33, 2 * LONGEST)])
def test_large_photographs_shrink(name, folder, width, height):
    for path in folder.glob("*.png"):
        write(path, int(path.stem[4:]), width, height)
    low, normal = data.load_pairs(name, "val").raw(0)
    assert low.shape == normal.shape
    assert max(low.shape) == LONGEST


def test_a_photograph_that_changes_is_read_again(name, folder):
    before = data.load_pairs(name, "val").raw(0)[1]
    for path in folder.glob("*.png"):
        write(path, int(path.stem[4:]), width=30)
        os.utime(path, (1, 1))
    after = data.load_pairs(name, "val").raw(0)[1]
    assert (before.shape, after.shape) == ((16, 24, 3), (16, 30, 3))


def test_broken_files_and_equal_names_are_listed_and_left_out(name, folder, caplog):
    park = folder / "park3.png"
    whole = park.read_bytes()
    park.write_bytes(whole[:200])
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    write(folder / "park1.jpg")
    names = {pair_name.split("_")[0] for pair_name in data.load_pairs(name, "train").names}
    assert names.isdisjoint({"gone", "park1", "park3"})
    (said,) = caplog.messages
    expected = r"gone\.png.*; .*park3\.png cannot be read.*; 2 photographs are called park1\.$"
    assert re.search(rf"3 left out, pairs: all 8; .*{expected}", said)
    assert len(data.check(name).problems) == 3
    for extra in ("gone.png", "park1.jpg"):
        (folder / extra).unlink()
    park.write_bytes(whole)
    os.utime(park, (1, 1))
    assert data.check(name).ok


def test_what_is_too_small_for_a_network_is_left_out(name, folder, caplog):
    write(folder / "icon.png", width=8, height=8)
    write(folder / "strip.png", width=60 * LONGEST, height=300)
    assert len(data.load_pairs(name, "train")) == 8 * DARKNESSES
    said = r"2 left out, .*icon.png is too narrow: .*8x8, .*strip.png is .* 640x5,"
    assert re.search(said, caplog.text)


def test_a_burst_is_one_scene(name, folder):
    coarse = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    burst = cv2.resize(coarse, (240, 160))
    for i in range(20):
        # A hand that shakes, and passing light.
        cv2.imwrite(str(folder / f"burst{i}.png"), np.roll(burst, i % 3, 1) // (1 + i % 2))
    splits = [data.load_pairs(name, split) for split in SPLITS]
    scenes = [{s for s, n in zip(p.scenes, p.names, strict=True) if "burst" in n} for p in splits]
    assert sorted(map(len, scenes)) == [0, 0, 1]
    assert sum(len(set(pairs.scenes)) for pairs in splits) == 11


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_unicode_is_darkened_too(name, folder):
    # Not of the file that is no photograph: pytest-xdist stops at such a name in the log.
    for path in folder.glob("park*"):
        os.rename(path, os.fsencode(path.with_suffix("")) + b"\xe9.png")
    assert len([data.load_pairs(name, "train").raw(i) for i in range(3)]) == 3


def test_a_folder_that_is_empty_or_missing(tmp_path):
    assert data.check(f"photographs:{tmp_path}").problems == ("it holds no photographs",)
    with pytest.raises(CourseError, match="it holds no photographs"):
        data.load_pairs(f"photographs:{tmp_path}", "val")
    with pytest.raises(CourseError, match="There is no folder"):
        data.check(f"photographs:{tmp_path / 'none'}")


def test_it_is_chosen_and_checked_like_any_set(name):
    assert data.choose(name) == name
    assert str(data.check(name)) == f"{name}: pairs: all 10; ok"
    with pytest.raises(CourseError, match="needs no download"):
        data.get(name)
    with pytest.raises(CourseError, match=r"photographs:DIR"):
        data.source("photograph:album")
