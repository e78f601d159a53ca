import random
import sys
import types
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from llie_helpers import __version__, paths
from llie_helpers.devices import choose_device
from llie_helpers.errors import CourseError
from llie_helpers.lessons import lesson as lessons
from llie_helpers.metrics import Evaluation
from llie_helpers.training.trainer import hardware

SCORES = Evaluation(
    12.3, 0.56, 15.0, 0.03, 0.01, 0.01, 0.01, None, ms_per_megapixel=4.0, per_image=[]
)


@pytest.fixture(autouse=True)
def _own_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("LLIE_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("LLIE_PROFILE")


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Test GPU")


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def drive(monkeypatch):
    """A stand-in for google.colab, with its drive module."""
    mounted = []
    package = types.ModuleType("google.colab")
    package.drive = SimpleNamespace(mount=mounted.append)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", package)
    return mounted


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_the_profile_is_quick(capsys):
    lesson = lessons.begin("03_mse_cnn")
    assert (lesson.profile, lesson.device.type, lesson.seed) == ("quick", "cpu", 0)
    assert lesson.choose(quick=1, full=2) == 1
    said = capsys.readouterr().out
    assert said == "03_mse_cnn: quick profile (no CUDA GPU was found), on the CPU, seed 0.\n"


@pytest.mark.usefixtures("gpu")
def test_with_a_gpu_the_profile_is_full(capsys):
    lesson = lessons.begin("03_mse_cnn")
    assert (lesson.profile, lesson.device.type) == ("full", "cuda")
    assert lesson.choose(quick=1, full=2) == 2
    assert "(a CUDA GPU was found), on Test GPU" in capsys.readouterr().out


@pytest.mark.usefixtures("gpu")
def test_the_variable_overrides_the_profile_and_quick_is_the_cpu_everywhere(monkeypatch, capsys):
    monkeypatch.setenv("LLIE_PROFILE", "quick")
    lesson = lessons.begin("03_mse_cnn")
    assert (lesson.profile, lesson.device.type) == ("quick", "cpu")
    assert "quick profile (set by LLIE_PROFILE), on the CPU" in capsys.readouterr().out
    # Training and enhancing choose for themselves, in the same place.
    assert hardware("auto", 1).accelerator == choose_device().type == "cpu"
    monkeypatch.setenv("LLIE_PROFILE", "full")
    assert lessons.begin("03_mse_cnn").device.type == choose_device().type == "cuda"


@pytest.mark.usefixtures("no_gpu")
def test_apples_gpu_is_not_taken_unasked(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert lessons.begin("03_mse_cnn").device.type == "cpu"
    monkeypatch.setenv("LLIE_PROFILE", "full")
    assert lessons.begin("03_mse_cnn").device.type == "cpu"
    assert choose_device("mps").type == "mps"


def test_a_folder_that_cannot_be_made_is_told_in_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LLIE_RUNS", str(tmp_path / "file"))
    with pytest.raises(CourseError, match="cannot be written"):
        lessons.begin("03_mse_cnn").run_dir("a")


def test_a_mistyped_profile_is_told(monkeypatch):
    monkeypatch.setenv("LLIE_PROFILE", "fast")
    with pytest.raises(CourseError, match="'fast'; set it to 'quick' or 'full'"):
        lessons.begin("03_mse_cnn")


@pytest.mark.usefixtures("no_gpu", "drive")
def test_colab_is_told_its_menu(capsys):
    lessons.begin("03_mse_cnn")
    assert "Runtime > Change runtime type > T4 GPU" in capsys.readouterr().out


@pytest.mark.usefixtures("no_gpu")
def test_kaggle_is_told_its_menu(monkeypatch, capsys):
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    lessons.begin("03_mse_cnn")
    assert "Settings > Accelerator" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cell", "explained"),
    [
        (
            "print(baselines)",
            "Does a cell further up define baselines? Then run the cells above first",
        ),
        ("raise NameError('a library may raise one about anything')", ""),
    ],
)
def test_a_name_of_a_cell_that_was_not_run_is_explained(cell, explained, capsys):
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    try:
        shell.run_cell("from llie_helpers.lessons import begin\nbegin('03_mse_cnn')")
        result = shell.run_cell(cell)
    finally:
        InteractiveShell.clear_instance()
    assert isinstance(result.error_in_exec, NameError)
    printed = capsys.readouterr()
    assert "NameError" in printed.out + printed.err
    assert explained in printed.err
    assert ("further up" in printed.err) == bool(explained)


def test_every_generator_is_seeded():
    def draws(seed):
        lessons.begin("03_mse_cnn", seed=seed)
        return random.random(), np.random.random(), torch.rand(()).item()  # noqa: NPY002

    assert draws(1) == draws(1)
    assert all(one != other for one, other in zip(draws(1), draws(2), strict=True))


def test_a_result_is_recorded_with_all_that_identifies_it():
    lesson = lessons.begin("03_mse_cnn", seed=3)
    lesson.record(
        model="mse_cnn", data="embedded", split="test", evaluation=SCORES, parameters=9, gmacs=0.1
    )
    (row,) = lesson.ledger.rows()
    assert row.pop("time").endswith("+00:00")
    assert row.pop("version") == lessons.code_version()
    assert row == {
        "lesson": "03_mse_cnn",
        "model": "mse_cnn",
        "data": "embedded",
        "split": "test",
        "profile": lesson.profile,
        "psnr": 12.3,
        "ssim": 0.56,
        "psnr_gt_mean": 15.0,
        "lpips": None,
        "parameters": 9,
        "gmacs": 0.1,
        "ms_per_megapixel": 4.0,
        "train_seconds": None,
        "seed": 3,
    }


def test_the_version_is_the_release_outside_a_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    lessons.code_version.cache_clear()
    assert lessons.code_version() == __version__
    lessons.code_version.cache_clear()


def test_the_profiles_keep_their_checkpoints_apart(monkeypatch):
    folders = []
    for profile in lessons.PROFILES:
        monkeypatch.setenv("LLIE_PROFILE", profile)
        folders.append(lessons.begin("03_mse_cnn").run_dir("a"))
    assert folders[0].is_dir()
    assert folders[0] != folders[1]


def test_drive_keeps_ledger_and_checkpoints_but_no_cache(drive, monkeypatch, tmp_path):
    monkeypatch.setattr(lessons, "DRIVE", tmp_path / "drive")
    cache = paths.cache_dir()
    # So that monkeypatch takes the new variable away again.
    monkeypatch.setenv("LLIE_CACHE", "")
    monkeypatch.delenv("LLIE_CACHE")
    lesson = lessons.begin("03_mse_cnn")
    lessons.use_drive()
    lesson.record(model="gamma", data="embedded", split="test", evaluation=SCORES)
    on_drive = tmp_path / "drive" / "MyDrive"
    assert drive == [str(tmp_path / "drive")]
    assert [path.name for path in on_drive.rglob("*.jsonl")] == ["ledger.jsonl"]
    assert lesson.run_dir("a").is_relative_to(on_drive)
    assert paths.cache_dir() == cache


def test_drive_elsewhere_changes_nothing(capsys):
    before = paths.runs_dir()
    assert lessons.use_drive() == before == paths.runs_dir()
    assert "only on Colab" in capsys.readouterr().out
