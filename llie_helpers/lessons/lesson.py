"""The set-up of a lesson: profile, device, seed, figure style and ledger."""

import functools
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from llie_helpers import __version__, paths
from llie_helpers.devices import choose_device, describe
from llie_helpers.errors import CourseError, check_seed
from llie_helpers.files import make_folder
from llie_helpers.lessons.ledger import COLUMNS, Ledger
from llie_helpers.lessons.names import explain_missing_names
from llie_helpers.metrics import Evaluation
from llie_helpers.plotting.figures import use_style

PROFILES = ("quick", "full")
DRIVE = Path("/content/drive")

T = TypeVar("T")


@dataclass(frozen=True)
class Lesson:
    """A running lesson, created by `begin`.

    Attributes:
        name: such as "03_mse_cnn".
        profile: "quick" (embedded data, minutes on two cores) or "full" (real data, a GPU if any).
        device: where networks run.
        seed: seed of Python, NumPy and PyTorch.
    """

    name: str
    profile: str
    device: torch.device
    seed: int

    def choose(self, *, quick: T, full: T) -> T:
        """Return ``quick`` or ``full``, depending on the profile."""
        return quick if self.profile == "quick" else full

    @property
    def ledger(self) -> Ledger:
        """Return the ledger of all lessons."""
        return Ledger(paths.runs_dir() / "ledger.jsonl")

    def run_dir(self, name: str) -> Path:
        """Return a folder for the checkpoints of run ``name`` of this lesson and profile."""
        return make_folder(paths.runs_dir() / self.name / self.profile / name)

    def record(
        self,
        *,
        model: str,
        data: str,
        split: str,
        evaluation: Evaluation,
        parameters: int | None = None,
        gmacs: float | None = None,
        train_seconds: float | None = None,
    ) -> None:
        """Add one result to the ledger.

        Args:
            model: the method's name, such as "mse_cnn".
            data: the data set's name, such as "lol_v1".
            split: "train", "val" or "test".
            evaluation: its scores, from `metrics.evaluate`.
            parameters: number of learned values; 0 for a classical method.
            gmacs: multiply-adds for one image, in 1e9.
            train_seconds: wall-clock time of training.
        """
        scores = {k: v for k, v in vars(evaluation).items() if k in COLUMNS}
        self.ledger.append(
            scores
            | {
                "lesson": self.name,
                "profile": self.profile,
                "model": model,
                "data": data,
                "split": split,
                "parameters": parameters,
                "gmacs": gmacs,
                "train_seconds": train_seconds,
                "seed": self.seed,
                "version": code_version(),
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )


def begin(name: str, seed: int = 0) -> Lesson:
    """Begin lesson ``name``: choose profile and device, set seeds and style, and print one line.

    The profile is ``$LLIE_PROFILE``, by default "full" with a CUDA GPU and "quick" without one.
    The quick profile runs on the CPU everywhere, so that its scores are the same everywhere.

    Raises:
        CourseError: ``$LLIE_PROFILE`` is neither "quick" nor "full", or the seed is invalid.
    """
    asked = os.environ.get("LLIE_PROFILE")
    if asked and asked not in PROFILES:
        raise CourseError(
            f"LLIE_PROFILE is {asked!r}; set it to 'quick' or 'full', or leave it unset."
        )
    device = choose_device()
    gpu = device.type == "cuda"
    profile = asked or ("full" if gpu else "quick")
    reason = "set by LLIE_PROFILE" if asked else f"{'a' if gpu else 'no'} CUDA GPU was found"
    seed = check_seed(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries draw from NumPy's global generator too
    torch.manual_seed(seed)
    use_style()
    explain_missing_names()
    print(
        f"{name}: {profile} profile ({reason}), on {describe(device)}, seed {seed}."
        + ("" if gpu or asked == "quick" else _gpu_menu())
    )
    return Lesson(name, profile, device, seed)


def use_drive() -> Path:
    """Keep the ledger and all checkpoints on Google Drive, if the notebook runs on Colab.

    Call it right after `begin`, so that results survive the end of the runtime. Caches stay on the
    runtime's own disk, which is faster.

    Returns:
        The folder of results.
    """
    if not _on_colab():
        print("Google Drive is used only on Colab; here, results stay on your own disk.")
        return paths.runs_dir()
    from google.colab import drive

    os.environ.setdefault("LLIE_CACHE", str(paths.cache_dir()))
    drive.mount(str(DRIVE))
    folder = make_folder(DRIVE / "MyDrive" / "out-of-the-dark" / "runs")
    os.environ["LLIE_RUNS"] = str(folder)
    print("Ledger and checkpoints go to out-of-the-dark/runs on your Drive.")
    return folder


@functools.cache
def code_version() -> str:
    """Return the commit of the checkout, with "-dirty" if files were changed; else the release."""
    if not (paths.root() / ".git").exists():
        return __version__
    command = ["git", "-C", str(paths.root()), "describe", "--always", "--tags", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return __version__


def _on_colab() -> bool:
    return "google.colab" in sys.modules


def _gpu_menu() -> str:
    """Return how to switch on a GPU on Colab or Kaggle."""
    if _on_colab():
        return " For a GPU: Runtime > Change runtime type > T4 GPU, then run all again."
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        return " For a GPU: Settings > Accelerator > GPU T4 x2, then run all again."
    return ""
