import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from llie_helpers import data
from llie_helpers.data import folders, sources
from llie_helpers.data.catalog import CATALOG, EMBEDDED
from llie_helpers.errors import CourseError

README = Path(__file__).parents[2] / "data" / "README.md"


PUBLISHED = [data_set for data_set in CATALOG.values() if data_set is not EMBEDDED]


@pytest.mark.parametrize("data_set", PUBLISHED, ids=lambda data_set: data_set.name)
def test_each_set_is_described(data_set):
    assert CATALOG[data_set.name] is data_set
    assert all([data_set.title, data_set.paper, data_set.licence, data_set.origin])
    assert data_set.kaggle is None or re.fullmatch(r"[\w-]+/[\w-]+", data_set.kaggle)
    assert set(data_set.counts) <= {"train", "val", "test"}


def test_the_readme_tells_of_each_set():
    text = README.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in CATALOG)
    assert all(data_set.kaggle in text for data_set in PUBLISHED if data_set.kaggle)
    rows = {line.split("|")[1].strip(" `"): line for line in text.splitlines() if "|" in line}
    for data_set in PUBLISHED:
        for part in data_set.folders.split(",  or")[0].split(" and "):
            assert f"`{part.split(', or')[0]}`" in rows[data_set.name]


def write_lol_v1(root, train, test):
    """A small LOL v1 in Kaggle's layout; every number is a scene of its own."""
    for part, numbers in (("our485", train), ("eval15", test)):
        for number in numbers:
            coarse = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
            normal = cv2.resize(coarse, (48, 32), interpolation=cv2.INTER_CUBIC)
            for side, pixels in (("low", normal // 8), ("high", normal)):
                path = root / "lol_dataset" / part / side / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), pixels)


def test_lol_v1_splits(root):
    write_lol_v1(root, train=[2, 5, 6, 25, 142, 591, 600], test=[1, 22])
    names = {split: data.load_pairs("lol_v1", split).names for split in ("train", "val", "test")}
    assert names == {"train": ("2", "6", "600"), "val": ("5", "25"), "test": ("1", "22")}
    assert data.load_pairs("lol_v1", "val").title == "lol_v1/val"


def test_an_unusual_count_is_only_a_warning(root):
    write_lol_v1(root, train=[2, 5], test=[1])
    report = data.check("lol_v1")
    assert report.ok
    assert report.counts == {"train": 2, "test": 1}
    assert report.warnings == (
        "2 train pairs, where 485 were published",
        "1 test pairs, where 15 were published",
    )
    assert str(report).startswith(f"LOL v1 in {root / 'lol_dataset'}: pairs: train 2, test 1; ok")


def test_choosing_where_nothing_can_be_fetched(root, monkeypatch, capsys):
    def unreachable(*_):
        raise CourseError("Kaggle cannot be reached.")

    monkeypatch.setattr(sources, "fetch", unreachable)
    assert data.choose("lol_v1") == "embedded"
    assert capsys.readouterr().out == (
        f"Data: the embedded samples (source 3 of 3), because LOL v1 is not in {root}, which does "
        "not exist; looked for our485/{low,high} and eval15/{low,high}, or the same numbers in "
        "other folders and could not be fetched (Kaggle cannot be reached).\n"
    )
    write_lol_v1(root, train=[2], test=[1])
    assert data.choose("lol_v1") == "lol_v1"
    assert capsys.readouterr().out == (
        f"Data: LOL v1, already present in {root / 'lol_dataset'} (source 1 of 3).\n"
    )
    assert data.get("lol_v1") == root / "lol_dataset", "nothing is downloaded again"


def test_sets_that_a_kaggle_notebook_added(root, monkeypatch, tmp_path):
    monkeypatch.setattr(folders, "KAGGLE_INPUT", tmp_path / "input")
    write_lol_v1(tmp_path / "input" / "lol-dataset", train=[2], test=[1])
    assert data.choose("lol_v1") == "lol_v1"
    assert data.load_pairs("lol_v1", "test").names == ("1",)


def test_embedded_is_always_there(root, capsys):
    assert data.choose("embedded") == "embedded"
    assert capsys.readouterr().out.count("\n") == 1
    report = data.check("embedded")
    assert report.ok
    assert set(report.counts) == {"train", "val", "test"}
    assert data.load_pairs("embedded", "test").title == "embedded/test"
    with pytest.raises(CourseError, match="needs no download"):
        data.get("embedded")


def test_an_unknown_set():
    with pytest.raises(CourseError, match="did you mean lol_v1"):
        data.choose("lol-v1")
    with pytest.raises(CourseError, match="no data set called 'mit5k'"):
        data.get("mit5k")
