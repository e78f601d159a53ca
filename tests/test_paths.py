"""Where data and results are kept, above all where the course itself is read-only."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from builder.source import ROOT

from llie_helpers import paths

# Root could read and write everywhere, so the test gives that right up.
DROPPED = "-dac_override,-dac_read_search"
DROP = ["setpriv", "--bounding-set", DROPPED, "--inh-caps", DROPPED]


@pytest.fixture(autouse=True)
def _unset(monkeypatch):
    for name in ("LLIE_DATA", "LLIE_RUNS", "LLIE_CACHE"):
        monkeypatch.delenv(name, raising=False)
    paths._tell_once.cache_clear()


def test_at_home_everything_is_in_the_course(caplog):
    assert paths.data_dir() == paths.download_dir() == ROOT / "data"
    assert paths.cache_dir() == ROOT / "runs" / "cache"
    assert caplog.messages == []


def test_where_the_course_is_read_only_results_go_to_ones_own_folder(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(paths, "root", lambda: tmp_path / "course")
    monkeypatch.setattr(paths.os, "access", lambda path, mode: False)
    own = paths.own_dir()
    assert paths.runs_dir() == paths.cache_dir().parent == own / "runs"
    # The teacher's data are read where they are; a download goes elsewhere.
    assert paths.data_dir() == tmp_path / "course" / "data"
    assert paths.download_dir() == own / "data"
    (said,) = caplog.messages
    assert str(own / "runs") in said


def test_the_variables_decide_and_know_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("LLIE_RUNS", "~/results")
    monkeypatch.setenv("LLIE_DATA", "~/lol")
    assert paths.runs_dir() == tmp_path / "results"
    assert paths.data_dir() == tmp_path / "lol"


@pytest.mark.skipif(sys.platform != "linux", reason="needs folders that refuse, and setpriv")
def test_data_in_a_folder_that_may_not_be_entered_are_not_there(tmp_path):
    hidden = tmp_path / "locked" / "data"
    hidden.mkdir(parents=True)
    hidden.parent.chmod(0)
    script = "from llie_helpers import data, paths\nprint(data.source('lol_v1').absence())\n"
    script += "print(paths.download_dir() == paths.own_dir() / 'data')"
    ran = subprocess.run(
        [*(DROP if os.geteuid() == 0 else []), sys.executable, "-c", script],
        env=os.environ | {"LLIE_DATA": str(hidden)},
        capture_output=True,
        text=True,
    )
    hidden.parent.chmod(0o755)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"LOL v1 is not in {hidden}")
    assert ran.stdout.endswith("True\n")


def test_a_drive_that_is_not_there_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr(paths.os.path, "exists", lambda path: False)
    assert not paths.can_write(tmp_path / "gone")


# What a lesson does with the folders: it trains, records, caches and keeps its strip.
STUDENT = """
import sys
from llie_helpers import data, lessons, paths
lesson = lessons.begin("03_mse_cnn")
(lesson.run_dir("a") / "best.safetensors").touch()
lesson.ledger.append({"model": "gamma"})
pairs = data.load_pairs(f"folders:{sys.argv[1]}/low:{sys.argv[1]}/normal", "train")
print(len(lesson.ledger.rows()), len(pairs))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs read-only folders, and setpriv")
def test_two_students_on_one_read_only_checkout_share_nothing():
    with tempfile.TemporaryDirectory() as shared:
        place = Path(shared)
        course = place / "course"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "llie_helpers", course / "llie_helpers", ignore=ignored)
        (course / "notebooks" / "source").mkdir(parents=True)
        write_pairs(place / "pairs", count=4)
        for path in (place, *place.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        with tempfile.TemporaryDirectory() as homes:
            for student in ("ada", "bela"):
                home = Path(homes, student)
                home.mkdir()
                run_as_student(home, course, place / "pairs")
            written = [
                {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
                for home in Path(homes).iterdir()
            ]
        assert written[0] == written[1]
        assert any(name.endswith("ledger.jsonl") for name in written[0])
        assert any(name.endswith("images.u8") for name in written[0])
        for path in (place, *place.rglob("*")):
            path.chmod(0o755)
        assert not (course / "runs").exists()


def write_pairs(folder, count):
    for number in range(count):
        coarse = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
        normal = cv2.resize(coarse, (48, 32), interpolation=cv2.INTER_CUBIC)
        for side, pixels in (("low", normal // 8), ("normal", normal)):
            (folder / side).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / side / f"{number}.png"), pixels)


def run_as_student(home, course, pairs):
    """Run a lesson's calls as a user who may write to ``home`` alone."""
    kept = {name: os.environ[name] for name in ("PATH", "LLIE_PROFILE")}
    ran = subprocess.run(
        [*(DROP if os.geteuid() == 0 else []), sys.executable, "-c", STUDENT, pairs],
        env=kept | {"HOME": str(home), "PYTHONPATH": str(course)},
        cwd=home,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("cannot be written, so results and caches go to") == 1
    assert ran.stdout.splitlines()[-1] == "1 2"
