"""The history of a training run, in one JSON file beside the weights."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path


@dataclass
class History(Sequence):
    """One row of numbers per epoch, and the settings of the run.

    A row has, where applicable:

    - ``epoch``, counted from 1; ``steps``, ``crops`` and ``seconds`` from the first epoch on;
    - ``lr``: the learning rate of the epoch's last step;
    - ``train_loss``, ``val_loss``, ``val_psnr`` (dB) and ``val_ssim``: means over the epoch's
      batches, or over the validation images;
    - ``val_psnr_a``, ``val_psnr_b``: PSNR on every other validation scene, and on the rest, so
      that a choice made on one half can be checked on the other;
    - ``adversarial_loss``, ``discriminator_loss``: of adversarial training;
    - ``loss_weights`` and ``loss_terms``: the weight of each term of the loss in this epoch,
      and its unweighted mean in training.

    Args:
        settings: ``model``, ``options``, ``data`` (titles of training and validation data),
            ``seed`` and ``recipe``.
        rows: one per epoch.
        stopped_early: whether early stopping ended the run.
    """

    settings: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    stopped_early: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    @property
    def monitor(self) -> str:
        """Return the column that decides which epoch is the best."""
        return self.settings["recipe"]["monitor"]

    @property
    def best(self) -> dict[str, Any]:
        """Return the row of the best epoch, the first of several.

        Where no epoch was validated, it is the last one.
        """
        sign = 1 if self.monitor == "val_loss" else -1
        validated = [row for row in self.rows if self.monitor in row]
        return min(validated or self.rows[-1:], key=lambda row: sign * row.get(self.monitor, 0))

    @property
    def finished(self) -> bool:
        """Return whether the run reached its last epoch or stopped early."""
        return self.stopped_early or len(self) >= self.settings["recipe"]["epochs"]

    @property
    def seconds(self) -> float:
        """Return how long the run took in seconds, validation included."""
        return self.rows[-1]["seconds"] if self.rows else 0.0

    def save(self, path: str | os.PathLike) -> None:
        """Write the history as JSON, one line per epoch.

        Raises:
            CourseError: the disk is full or the folder cannot be written.
        """
        best = self.best["epoch"] if self.rows else None
        head = self.settings | {"best_epoch": best, "stopped_early": self.stopped_early}
        rows = ",\n".join(f"  {json.dumps(row)}" for row in self.rows)
        opened = json.dumps(head, indent=1).removesuffix("\n}")
        with atomic_path(path) as temporary:
            temporary.write_text(f'{opened},\n "epochs": [\n{rows}\n ]\n}}\n', encoding="utf-8")


def load_history(path: str | os.PathLike) -> History:
    """Read the history.json that `fit` wrote.

    Raises:
        CourseError: the file is missing, damaged or not a history.
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        rows, stopped_early = record.pop("epochs"), record.pop("stopped_early")
        del record["best_epoch"]
        history = History(record, rows, stopped_early)
        _ = history.monitor, history.seconds
    # The JSON may be truncated, or not be a history.
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CourseError(
            f"{path} is not a readable record of a training run ({error}); train again with "
            "resume=False, or choose another run_dir."
        ) from error
    return history
