"""What lessons measured beforehand: written by a run of the lesson, read by the lesson."""

import json

import measure
import pytest
import torch
from builder.source import sources
from nbformat import v4

from llie_helpers import lessons
from llie_helpers.errors import CourseError
from llie_helpers.lessons.measured import FOLDER

LESSON = "02_histograms"


@pytest.mark.parametrize("name", [path.stem for path in FOLDER.glob("*.json")])
def test_what_was_measured_is_shown_by_its_lesson(name):
    assert lessons.measured(name)
    assert f'lessons.measured("{name}")' in sources()[name].read_text(encoding="utf-8")


@pytest.mark.parametrize("title", ["lol_v1/test", "embedded/test"])
def test_only_a_run_on_lol_is_kept_and_cells_below_it_are_not_run(title, tmp_path, monkeypatch):
    cells = [
        f"from types import SimpleNamespace\ntest = SimpleNamespace(title={title!r})",
        "measured = {'psnr': 20.5}",
        "1 / 0",
    ]
    built = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells])
    monkeypatch.setattr(measure, "notebook", lambda *_: built)
    monkeypatch.setattr(measure, "FOLDER", tmp_path)
    for name in ("LLIE_PROFILE", "LLIE_RUNS"):
        monkeypatch.setenv(name, "")  # restored afterwards
    if title.startswith("lol"):
        measure.measure(LESSON)
        assert (tmp_path / f"{LESSON}.json").read_text() == '{\n "psnr": 20.5\n}\n'
    else:
        with pytest.raises(CourseError, match="ran on embedded/test; set LLIE_DATA"):
            measure.measure(LESSON)


@pytest.mark.parametrize(("profile", "width"), [("quick", 16), ("full", 32)])
def test_both_profiles_run_on_lol(profile, width):
    lesson = measure.OnLol("05_residual", profile, torch.device("cpu"), seed=0)
    assert lesson.choose(quick="embedded", full="lol_v1") == "lol_v1"
    assert lesson.choose(quick=16, full=32) == width


def test_seeds_are_measured_one_by_one(tmp_path, monkeypatch):
    built = v4.new_notebook(cells=[v4.new_code_cell("measured = [lesson.profile, lesson.seed]")])
    monkeypatch.setattr(measure, "notebook", lambda *_: built)
    monkeypatch.setattr(measure, "FOLDER", tmp_path)
    for name in ("LLIE_PROFILE", "LLIE_RUNS"):
        monkeypatch.setenv(name, "")  # restored afterwards
    measure.measure(LESSON, seeds=[1, 2])
    kept = json.loads((tmp_path / f"{LESSON}.json").read_text())
    assert kept == {"1": ["quick", 1], "2": ["quick", 2]}


def test_an_unknown_lesson_is_told():
    with pytest.raises(CourseError, match="02_histogram"):
        measure.measure("02_histogram")
