"""What people have as LOL v1: recognised by what is in it, or refused in one sentence."""

import functools
import os
import re
import shutil
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llie_helpers import data, paths
from llie_helpers.data import folders
from llie_helpers.data.catalog import LOL_V1_TEST
from llie_helpers.data.layouts import numbered
from llie_helpers.errors import CourseError
from llie_helpers.files import STALE

TRAIN, TEST = (2, 5, 25, 100), (1, 22)
OFFICIAL = ("our485/low", "our485/high", "eval15/low", "eval15/high")
FLAT = ("trainA", "trainB", "testA", "testB")
RENAMED = ("Train/input", "Train/target", "Test/input", "Test/target")


@pytest.fixture
def place(root, tmp_path, monkeypatch):
    """A folder to put things into, which is where alone the course looks for data."""
    monkeypatch.setattr(folders, "KAGGLE_INPUT", tmp_path / "input")
    monkeypatch.setattr(folders, "own_dir", lambda: tmp_path / "own")
    return root


@functools.cache
def image(number, dark):
    coarse = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    pixels = cv2.resize(coarse, (24, 16), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".png", pixels // 8 if dark else pixels)[1].tobytes()


def lol(root, sides=OFFICIAL, low="{}.png", normal="{}.png", train=TRAIN, test=TEST):
    """A small LOL v1 with other names of folders and files; returns its folder."""
    for i, side in enumerate(sides):
        if side is None:
            continue
        for number in (train, test)[i // 2]:
            path = root / side / (normal if i % 2 else low).format(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image(number, dark=i % 2 == 0))
    return root


def zipped(folder, archive, prefix="", extra=()):
    """Move a folder into a zip archive."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w") as content:
        for path in sorted(folder.rglob("*.*")):
            content.write(path, f"{prefix}{path.relative_to(folder).as_posix()}")
        for name in extra:
            content.writestr(name, b"1")
    shutil.rmtree(folder)
    return archive


def lol_v2(root):
    """Parts of LOL v2, whose numbers overlap with those of LOL v1."""
    for split, numbers in (("Train", (1, 2, 3, 100)), ("Test", (690, 700, 748))):
        for number in numbers:
            for side, word in (("Low", "low"), ("Normal", "normal")):
                path = root / "Real_captured" / split / side / f"{word}{number:05}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(image(number, side == "Low"))


def equally_bright(root):
    for side in "ab":
        lol(root, (f"Train/{side}", None, f"Test/{side}", None))
    return root


def cut(path):
    path.write_bytes(path.read_bytes()[:100])


# Each makes a layout in the folder ``p``; the course is pointed at it, or as POINTED says.
RECOGNISED = {
    "as the authors publish it": lambda p: lol(p),
    "as Kaggle unpacks it": lambda p: lol(p / "lol-dataset" / "lol_dataset"),
    "in capitals": lambda p: lol(p, [side.upper() for side in OFFICIAL], "{}.PNG"),
    "LOLv1/{Train,Test}/{input,target}": lambda p: lol(p / "LOLv1", RENAMED),
    "LOL-v1/{Train,Test}/{Low,Normal}": lambda p: lol(
        p / "LOL-v1", ("Train/Low", "Train/Normal", "Test/Low", "Test/Normal")
    ),
    "{train,val}/{dark,gt}": lambda p: lol(p, ("train/dark", "train/gt", "val/dark", "val/gt")),
    "trainA, trainB, testA, testB": lambda p: lol(p, FLAT),
    "train_low, train_high, ...": lambda p: lol(
        p / "x", ("train_low", "train_high", "test_low", "test_high")
    ),
    "the names say the opposite": lambda p: lol(
        p, ("train/high", "train/low", "test/high", "test/low")
    ),
    "one split deeper than the other": lambda p: lol(
        p, ("a/b/train/low", "a/b/train/high", "a/test/low", "a/test/high")
    ),
    "low00002.png and normal00002.png": lambda p: lol(
        p, RENAMED, "low{:05}.png", "normal{:05}.png"
    ),
    "2_low.png and 2_high.png": lambda p: lol(p, RENAMED, "{}_low.png", "{}_high.png"),
    "0002.png in the authors' folders": lambda p: lol(p, OFFICIAL, "{:04}.png", "{}.png"),
    "formats that differ": lambda p: lol(p, RENAMED, "{}.png", "{}.jpg"),
    "a zip": lambda p: zipped(lol(p / "x"), p / "archive.zip"),
    "a folder with only the zip": lambda p: zipped(lol(p / "x"), p / "lol" / "archive.zip"),
    "LLIE_DATA is the zip": lambda p: zipped(lol(p / "x"), p / "lol.zip"),
    "a zip of renamed folders": lambda p: zipped(lol(p / "x", RENAMED), p / "a.zip", "LOLv1/"),
    "a zip made on a Mac": lambda p: zipped(
        lol(p / "x"), p / "a.zip", "lol/", ["__MACOSX/lol/our485/low/._2.png"]
    ),
    "a zip beside a damaged one": lambda p: (
        zipped(lol(p / "x"), p / "b.zip"),
        (p / "a.zip").write_bytes(b"PK"),
    ),
    "LLIE_DATA inside our485": lambda p: lol(p),
    "LLIE_DATA inside our485/low": lambda p: lol(p),
    "LLIE_DATA inside eval15": lambda p: lol(p / "lol"),
    "LLIE_DATA inside LOLv1/Train": lambda p: lol(p / "LOLv1", RENAMED),
    "LLIE_DATA inside trainA": lambda p: lol(p, FLAT),
    "LLIE_DATA with a tilde": lambda p: lol(p),
    "two copies": lambda p: (lol(p / "a", RENAMED), lol(p / "b", RENAMED)),
    "beside LOL v2": lambda p: (lol_v2(p), lol(p / "LOLv1", RENAMED)),
    "beside other pictures": lambda p: shutil.copytree(
        lol(p, RENAMED) / "Train/input", p / "pictures"
    ),
    "in Kaggle's folder": lambda p: lol(p.parent / "input" / "lol", RENAMED),
    "in the user's own folder": lambda p: lol(p.parent / "own" / "data"),
}
SPOILED = {
    "a damaged file": lambda p: cut(lol(p) / "our485/low/100.png"),
    "a missing file": lambda p: (lol(p) / "our485/high/100.png").unlink(),
    "a damaged file in renamed folders": lambda p: cut(lol(p, RENAMED) / "Train/target/100.png"),
    "a missing file in renamed folders": lambda p: (
        lol(p, RENAMED) / "Train/input/100.png"
    ).unlink(),
}
REFUSED = {
    "an empty folder": (lambda p: p.mkdir(), "holds no images; looked for our485/"),
    "no folder": (lambda p: None, "data, which does not exist; looked for"),
    "training pairs alone": (
        lambda p: lol(p, (*RENAMED[:2], None, None)),
        r"holds images in data/Train/input \(4\), data/Train/target \(4\); looked for",
    ),
    "a test folder is missing": (
        lambda p: lol(p, (*OFFICIAL[:3], None)),
        r"not usable: there is no folder .*eval15/high\.",
    ),
    "a test folder is empty": (
        lambda p: (lol(p, (*OFFICIAL[:3], None)) / "eval15/high").mkdir(),
        r"not usable: .*eval15/low and .*eval15/high hold no pairs",
    ),
    "numbered from 1": (
        lambda p: lol(p, RENAMED, train=(1, 2, 3, 4), test=(1, 2)),
        r"Train/input \(4\)",
    ),
    "all in one folder": (
        lambda p: lol(p, ("all",) * 4, "{}_low.png", "{}_high.png"),
        r"holds images in data/all \(12\); looked for",
    ),
    "both sides equally bright": (
        lambda p: equally_bright(p),
        r"Train/a \(4\)",
    ),
    "three folders with the same numbers": (
        lambda p: shutil.copytree(lol(p, RENAMED) / "Train/input", p / "Train/mine"),
        r"Train/mine \(4\)",
    ),
    "LOL v2": (lol_v2, r"Real_captured/Test/Low \(3\)"),
    "a damaged zip": (
        lambda p: cut(zipped(lol(p / "x"), p / "lol.zip")),
        r"lol\.zip, which is damaged; looked for",
    ),
    "a zip of something else": (
        lambda p: zipped(lol(p / "x", ("a",) * 4), p / "lol.zip"),
        r"lol\.zip, which is another set; looked for",
    ),
    "a zip of sides equally bright": (
        lambda p: zipped(equally_bright(p / "x"), p / "lol.zip"),
        r"lol\.zip, which is another set; looked for",
    ),
    "LLIE_DATA is no zip": (
        lambda p: (p.mkdir(), (p / "lol.rar").write_bytes(b"Rar!")),
        r"lol\.rar, which is not a complete zip archive; looked for",
    ),
    "every test image is damaged": (
        lambda p: [cut(path) for path in (lol(p) / "eval15").rglob("*.png")],
        r"not usable: .*eval15/low/1\.png cannot be read",
    ),
}
POINTED = {
    "LLIE_DATA is the zip": "lol.zip",
    "LLIE_DATA is no zip": "lol.rar",
    "LLIE_DATA inside our485": "our485",
    "LLIE_DATA inside our485/low": "our485/low",
    "LLIE_DATA inside eval15": "lol/eval15",
    "LLIE_DATA inside LOLv1/Train": "LOLv1/Train",
    "LLIE_DATA inside trainA": "trainA",
}


def point_to(layout, place, monkeypatch):
    monkeypatch.setenv("HOME", str(place.parent))
    monkeypatch.setenv("USERPROFILE", str(place.parent))
    tilde = layout == "LLIE_DATA with a tilde"
    monkeypatch.setenv("LLIE_DATA", "~/data" if tilde else str(place / POINTED.get(layout, "")))


def loaded():
    return {split: data.load_pairs("lol_v1", split) for split in ("train", "val", "test")}


@pytest.mark.parametrize("layout", RECOGNISED)
def test_a_layout_that_is_recognised(place, monkeypatch, layout, caplog):
    place.mkdir()
    RECOGNISED[layout](place)
    point_to(layout, place, monkeypatch)
    assert data.available()["lol_v1"] is not None
    splits = loaded()
    names = {split: set(pairs.names) for split, pairs in splits.items()}
    assert names == {"train": {"2", "100"}, "val": {"5", "25"}, "test": {"1", "22"}}
    for pairs in splits.values():
        for low, normal in map(pairs.raw, range(len(pairs))):
            assert low.mean() < normal.mean() / 4
    assert caplog.messages == []


@pytest.mark.parametrize("layout", SPOILED)
def test_a_bad_pair_is_left_out_with_one_warning(place, layout, caplog):
    SPOILED[layout](place)
    assert {split: len(pairs) for split, pairs in loaded().items()} == {
        "train": 1,
        "val": 2,
        "test": 2,
    }
    (said,) = caplog.messages
    assert re.search(r"1 left out, pairs: train 3, test 2; .*100\.png ", said)


@pytest.mark.parametrize("layout", REFUSED)
def test_a_layout_that_is_refused_in_one_sentence(place, monkeypatch, layout):
    make, expected = REFUSED[layout]
    make(place)
    point_to(layout, place, monkeypatch)
    with pytest.raises(CourseError, match=expected) as caught:
        loaded()
    said = str(caught.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert not re.search(r"\. [A-Z]", said)


def test_an_archive_is_unpacked_once_and_kept(place, monkeypatch):
    archive = zipped(lol(place / "x"), place / "lol.zip")
    loaded()
    monkeypatch.setattr(folders, "unpack", lambda *_: pytest.fail("it was unpacked again"))
    loaded()
    assert [path.name for path in place.iterdir()] == ["lol.zip"]
    assert data.available()["lol_v1"] == archive


def test_what_a_killed_unpacking_left_is_removed_once_it_is_old(place):
    zipped(lol(place / "x"), place / "lol.v1.zip")
    unpacked = paths.cache_dir() / "unpacked"
    old, new = (unpacked / f".lol.{8 * digit}.v1-01234567" for digit in "ab")
    for left in (old, new):
        left.mkdir(parents=True)
    os.utime(old, (time.time() - STALE - 60,) * 2)
    loaded()
    assert not old.exists()
    assert new.exists()


# Names as folders have them; a leading dot or two underscores hide a folder.
NAME = st.text("abcLOWhigh_-. 0123456789", min_size=1, max_size=12).filter(
    lambda name: not name.startswith((".", "__")) and name.strip() == name
)


@given(st.lists(NAME, min_size=6, max_size=6, unique_by=str.lower), st.booleans())
def test_no_name_of_a_folder_matters(names, alike):
    root = Path("root")
    train, test, *sides = names
    low, normal, *others = sides
    if alike:
        others = low, normal
    tree = {root: [], root / train: [], root / test: []}
    for split, numbers, pair in ((train, TRAIN, (low, normal)), (test, TEST, others)):
        for side in pair:
            tree[root / split / side] = [root / split / side / f"{n}.png" for n in numbers]
    listing = numbered(tree, LOL_V1_TEST)
    found = {(pair.split, pair.name): {pair.low, pair.normal} for pair in listing.files}
    assert found == {
        (split, str(n)): {root / folder / side / f"{n}.png" for side in pair}
        for split, folder, numbers, pair in (
            ("train", train, TRAIN, (low, normal)),
            ("test", test, TEST, others),
        )
        for n in numbers
    }
    assert listing.left_out == []


@pytest.mark.skipif(os.name != "posix", reason="links need a permission")
def test_a_link_to_itself_hides_no_set(place):
    lol(place / "LOL")
    (place / "loop").symlink_to("loop")
    assert data.choose("lol_v1") == "lol_v1"
