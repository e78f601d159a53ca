import io
from collections import defaultdict

import cv2
import numpy as np
import pytest

from llie_helpers import data
from llie_helpers.data.folders import folders_in
from llie_helpers.data.matching import PairFiles
from llie_helpers.errors import CourseError


@pytest.fixture
def root(root):
    root.mkdir()
    return root


def touch(root, *names):
    """Empty files: a layout looks at names only."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def found(name, root):
    """Per split the names of the pairs and of their files, and the problems."""
    listing = data.CATALOG[name].layout(folders_in(root))
    splits = defaultdict(list)
    for pair in listing.files:
        splits[pair.split].append((pair.name, pair.low.name, pair.normal.name))
    return splits, listing.problems + listing.left_out


NESTINGS = ["", "lol_dataset", "lol-dataset/lol_dataset", "datasets/owner/lol-dataset/lol_dataset"]


@pytest.mark.parametrize("nesting", NESTINGS)
def test_lol_v1_however_deep(root, nesting):
    base = root / nesting
    touch(base, *(f"our485/{side}/{n}.png" for side in ("low", "high") for n in (2, 10)))
    touch(base, "eval15/low/1.png", "eval15/high/1.png", "our485/low/.hidden.png")
    touch(base, "our485/high/Thumbs.db", "__MACOSX/our485/low/._2.png")
    splits, problems = found("lol_v1", root)
    assert splits == {
        "train": [("2", "2.png", "2.png"), ("10", "10.png", "10.png")],
        "test": [("1", "1.png", "1.png")],
    }
    assert problems == []
    assert data.available()["lol_v1"] == base


def test_both_parts_of_lol_v2(root):
    part = root / "lol-v2-dataset/LOL-v2"
    for split in ("Train", "Test"):
        touch(part, f"Real_captured/{split}/Low/low00001.png")
        touch(part, f"Real_captured/{split}/Normal/normal00001.png")
        touch(part, f"Synthetic/{split}/Low/r001.png", f"Synthetic/{split}/Normal/r001.png")
    real = [("00001", "low00001.png", "normal00001.png")]
    synthetic = [("r001", "r001.png", "r001.png")]
    assert found("lol_v2_real", root) == ({"train": real, "test": real}, [])
    assert found("lol_v2_synthetic", root) == ({"train": synthetic, "test": synthetic}, [])


def test_train3_has_no_official_split(root):
    touch(root, "train3/low_light/a.png", "train3/normal_light/a.png")
    assert found("train3", root) == ({"all": [("a", "a.png", "a.png")]}, [])


def test_a_missing_folder_is_a_problem(root):
    touch(root, "our485/low/1.png", "our485/high/1.png", "eval15/low/1.png")
    splits, problems = found("lol_v1", root)
    assert list(splits) == ["train"]
    assert len(problems) == 1
    assert problems[0].endswith("eval15/high")
    with pytest.raises(CourseError, match=r"there is no folder .*eval15/high"):
        data.load_pairs("lol_v1", "train")


def test_sice_takes_the_darker_half(root):
    for part, number, exposures in ((1, "2", 7), (1, "10", 9), (2, "1", 3)):
        base = f"SICE/Dataset_Part{part}"
        touch(root, *(f"{base}/{number}/{n}.JPG" for n in range(1, exposures + 1)))
        touch(root, f"{base}/Label/{number}.JPG")
    touch(root, "SICE/Dataset_Part1/11/1.JPG", "SICE/Dataset_Part1/11/2.JPG")
    splits, problems = found("sice", root)
    assert splits == {
        "train": [(f"part1/2/{n}", f"{n}.JPG", "2.JPG") for n in (1, 2, 3)]
        + [(f"part1/10/{n}", f"{n}.JPG", "10.JPG") for n in (1, 2, 3, 4)],
        "test": [("part2/1/1", "1.JPG", "1.JPG")],
    }
    assert len(problems) == 1
    assert "11 has no normal-light partner" in problems[0]


@pytest.fixture
def sice(root):
    """A SICE of three sequences for training and one for testing; returns its folder."""
    for part, number in ((1, 1), (1, 2), (1, 3), (2, 1)):
        base = root / f"Dataset_Part{part}"
        for name, level in (
            (f"{number}/1.png", 20),
            (f"{number}/2.png", 90),
            (f"Label/{number}.png", 200),
        ):
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(base / name), np.full((16, 16, 3), level, np.uint8))
    return root


def test_sice_is_decoded_when_asked_for(sice):
    test = data.load_pairs("sice", "test")
    assert test.names == ("part2/1/1",)
    assert [image.max() for image in test.raw(0)] == [20, 200]
    assert len(data.load_pairs("sice", "train")) == 2
    assert len(data.load_pairs("sice", "val")) == 1
    assert not list(sice.rglob("*.u8")), "too large a set to be cached"


def truncated(path):
    path.write_bytes(path.read_bytes()[:50])


def of_another_size(path):
    cv2.imwrite(str(path), np.zeros((17, 16, 3), np.uint8))


@pytest.mark.parametrize("spoil", [truncated, of_another_size])
def test_a_damaged_file_of_sice_is_named_and_its_pair_left_out(sice, caplog, spoil):
    damaged = sice / "Dataset_Part1/2/1.png"
    spoil(damaged)
    pairs = [data.load_pairs("sice", split) for split in ("train", "val", "test")]
    assert sorted(name for part in pairs for name in part.names) == [
        "part1/1/1", "part1/3/1", "part2/1/1"
    ]  # fmt: skip
    assert all(low.max() == 20 for part in pairs for low, _ in map(part.raw, range(len(part))))
    (said,) = caplog.messages
    assert f"1 left out, pairs: train 2, test 1; {damaged}" in said
    assert str(damaged) in data.check("sice").problems[0]


def test_files_of_sice_are_checked_once_and_again_when_they_change(sice, monkeypatch):
    damaged, label = (sice / f"Dataset_Part1/{name}.png" for name in ("2/1", "Label/3"))
    content = damaged.read_bytes()
    truncated(damaged)
    data.load_pairs("sice", "train")
    read, decoded = PairFiles.read, []
    monkeypatch.setattr(PairFiles, "read", lambda pair: decoded.append(pair.name) or read(pair))
    data.load_pairs("sice", "train")
    assert decoded == ["part1/2/1"]
    damaged.write_bytes(content)
    of_another_size(label)
    decoded.clear()
    assert len(data.load_pairs("sice", "test")) == 1
    assert sorted(decoded) == ["part1/2/1", "part1/3/1"]


def test_a_test_split_of_sice_that_is_lost_is_not_replaced(sice):
    truncated(sice / "Dataset_Part2/1/1.png")
    with pytest.raises(CourseError, match=r"SICE in .* is not usable: .*Part2/1/1\.png"):
        data.load_pairs("sice", "test")


def test_sid_pairs_bursts_with_one_long_exposure(root):
    short = ["00001_00_0.04s", "00001_01_0.1s", "10003_00_0.1s", "20005_00_0.1s", "10099_00_0.1s"]
    touch(root, *(f"Sony/short/{name}.ARW" for name in short))
    touch(root, *(f"Sony/long/{s}_00_10s.ARW" for s in ("00001", "10003", "20005", "00077")))
    listing = data.CATALOG["sid_sony"].listing()
    assert [(pair.split, pair.scene, pair.normal.name) for pair in listing.files] == [
        ("train", "00001", "00001_00_10s.ARW"),
        ("train", "00001", "00001_00_10s.ARW"),
        ("test", "10003", "10003_00_10s.ARW"),
        ("val", "20005", "20005_00_10s.ARW"),
    ]
    assert len(listing.left_out) == 2
    assert "10099_00_0.1s.ARW has no long-exposure partner" in listing.left_out[0]
    assert "00077_00_10s.ARW has no short-exposure partner" in listing.left_out[1]
    assert data.CATALOG["sid_fuji"].where() is None


def test_nothing_there(root):
    assert set(data.available().values()) == {None}
    with pytest.raises(CourseError, match="run `python -m llie_helpers data get lol_v1`"):
        data.load_pairs("lol_v1", "test")
    with pytest.raises(CourseError, match=r"github\.com/csjcai/SICE"):
        data.load_pairs("sice", "test")
    with pytest.raises(CourseError, match="get it from"):
        data.get("sice")


def photos(count, height=16):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, height, 24, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "keys", [("low", "normal"), ("LOW", "high"), ("X", "Y"), ("low_light", "normal_light")]
)
@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
def test_npz(root, keys, kind):
    normal = photos(10)
    low = normal // 4
    scale = 1 if kind == "uint8" else 255
    arrays = {key: (a / scale).astype(kind) for key, a in zip(keys, (low, normal), strict=True)}
    np.savez(root / "dataset.npz", **arrays)
    name = str(root / "dataset.npz")
    splits = {split: data.load_pairs(name, split) for split in ("train", "val", "test")}
    assert {split: len(pairs) for split, pairs in splits.items()} == {
        "train": 8,
        "val": 1,
        "test": 1,
    }
    index = int(splits["test"].names[0])
    assert np.array_equal(splits["test"].raw(0), (low[index], normal[index]))
    assert data.check(name).ok
    assert data.source(name).where() == root / "dataset.npz"


def test_npz_with_names(root):
    np.savez(root / "a.npz", low=photos(3), normal=photos(3), names=["x", "y", "z"])
    names = [
        n
        for split in ("train", "val", "test")
        for n in data.load_pairs(str(root / "a.npz"), split).names
    ]
    assert sorted(names) == ["x", "y", "z"]


BAD_ARRAYS = {
    r"holds \['a', 'b'\], but one of these is needed: low and normal": {
        "a": photos(2),
        "b": photos(2),
    },
    r"shapes \(2, 16, 24, 3\) and \(2, 18, 24, 3\)": {"low": photos(2), "normal": photos(2, 18)},
    r"'low' .* has shape \(16, 24, 3\), expected \(N, H, W, 3\)": {
        "low": photos(1)[0],
        "normal": photos(1)[0],
    },
    r"float64 from 0\.0 to 2\.0, expected uint8": {
        "low": np.zeros((2, 4, 4, 3)) + np.array([0, 1, 2.0]),
        "normal": photos(2),
    },
    "float32 from nan to nan": {"low": np.full((2, 4, 4, 3), np.nan, "f"), "normal": photos(2)},
    r"shape \(2, 0, 4, 3\), expected": {"low": np.zeros((2, 0, 4, 3)), "normal": photos(2)},
    "are 24x12; the smallest are 16x16": {"low": photos(2, 12), "normal": photos(2, 12)},
    "2 pairs but 1 names": {"low": photos(2), "normal": photos(2), "names": ["one"]},
}


def test_one_name_for_all_pairs_is_refused(root):
    np.savez(root / "a.npz", low=photos(2), normal=photos(2), names="all")
    with pytest.raises(CourseError, match="2 pairs but 1 names"):
        data.load_pairs(str(root / "a.npz"), "train")


@pytest.mark.parametrize("message", BAD_ARRAYS)
def test_npz_with_wrong_arrays(root, message):
    np.savez(root / "a.npz", **BAD_ARRAYS[message])
    with pytest.raises(CourseError, match=message):
        data.load_pairs(str(root / "a.npz"), "train")


def damaged_npz():
    """An archive whose first array begins with a block of a type that zlib does not know."""
    stream = io.BytesIO()
    np.savez_compressed(stream, low=photos(2), normal=photos(2))
    content = bytearray(stream.getvalue())
    name, extra = content[26], content[28]  # lengths of what precedes the array
    content[30 + name + extra] |= 0b110
    return bytes(content)


def npy():
    stream = io.BytesIO()
    np.save(stream, photos(2))
    return stream.getvalue()


@pytest.mark.parametrize("content", [b"<html>", b"", npy(), damaged_npz()])
def test_npz_that_is_none(root, content):
    (root / "a.npz").write_bytes(content)
    with pytest.raises(CourseError, match="not a readable npz"):
        data.load_pairs(str(root / "a.npz"), "train")
    source = data.source(str(root / "b.npz"))
    for call in (source.where, source.check, lambda: source.pairs("test")):
        with pytest.raises(CourseError, match="There is no file"):
            call()
