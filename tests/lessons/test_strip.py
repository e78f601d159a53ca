"""The strip: a panel for every lesson so far, the student's own where there is one."""

import sys

import pytest

from llie_helpers import lessons
from llie_helpers.lessons.strip import NETWORKS
from llie_helpers.models.weights import shipped


def titles(figure):
    return [axis.get_title() for axis in figure.axes if axis.get_visible()]


def test_without_xgboost_there_is_no_mapper(tmp_path, monkeypatch):
    monkeypatch.setenv("LLIE_RUNS", str(tmp_path))
    monkeypatch.setitem(sys.modules, "xgboost", None)
    figure = lessons.strip(lessons.begin("02_histograms"))
    assert titles(figure) == ["dark", "01 brightened", "target"]


@pytest.mark.slow
def test_it_grows_by_a_panel_a_lesson_and_keeps_what_students_made(tmp_path, monkeypatch):
    monkeypatch.setenv("LLIE_RUNS", str(tmp_path))
    first = ["dark", "01 brightened", "02 mapper"]
    third, fourth = lessons.begin("03_mse_cnn"), lessons.begin("04_unet")
    assert titles(lessons.strip(lessons.begin("02_histograms"))) == [*first, "target"]
    assert titles(lessons.strip(third)) == [*first, "03 mse_cnn", "target"]
    figure = lessons.strip(third, lambda low: low + 0.5)
    assert titles(figure) == [*first, "03 yours", "target"]
    mine = figure.axes[3].images[0].get_array().mean()
    assert mine > figure.axes[0].images[0].get_array().mean() + 100
    known = [f"04 {NETWORKS['04']}"] if "lol_v1" in shipped(NETWORKS["04"]) else []
    assert titles(lessons.strip(fourth)) == [*first, "03 yours", *known, "target"]
