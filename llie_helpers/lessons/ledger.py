"""The results ledger: one line of JSON per result, shared by all lessons."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from llie_helpers.files import explained
from llie_helpers.tables import Table

Row = dict[str, Any]


class Column(NamedTuple):
    """The title of a column and the format of its values."""

    title: str
    text: Callable[[Any], str] = str
    shown: bool = True


COLUMNS = {
    "lesson": Column("lesson"),
    "model": Column("model"),
    "data": Column("data"),
    "split": Column("split"),
    "profile": Column("profile"),
    "psnr": Column("PSNR (dB)", "{:.2f}".format),
    "ssim": Column("SSIM", "{:.3f}".format),
    "psnr_gt_mean": Column("GT-mean PSNR (dB)", "{:.2f}".format),
    "lpips": Column("LPIPS", "{:.3f}".format),
    "parameters": Column("parameters", "{:,}".format),
    "gmacs": Column("GMACs", "{:.2f}".format),
    "ms_per_megapixel": Column("ms/Mpx", "{:.0f}".format),
    "train_seconds": Column("training (s)", "{:.0f}".format),
    "seed": Column("seed"),
    "version": Column("code", shown=False),
    "time": Column("time (UTC)", shown=False),
}

# Rows with equal values in these columns are runs of one experiment; a table shows the latest.
EXPERIMENT = ("lesson", "model", "data", "split", "profile", "seed")


class Ledger:
    """The ledger in the file ``path``, which is created on the first `append`."""

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)

    def append(self, row: Row) -> None:
        """Add one row.

        A row is a single write in append mode, so that notebooks can write concurrently.

        Raises:
            CourseError: the disk is full.
        """
        line = json.dumps({name: row.get(name) for name in COLUMNS}) + "\n"
        data = ("\n" + line if self._ends_truncated() else line).encode()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab", buffering=0) as file:
                if (file.write(data) or 0) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise explained(error, self.path) from error

    def rows(self) -> list[Row]:
        """Return all rows, oldest first, except lines truncated by a crash or a full disk."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(row, dict):
                found.append({name: row.get(name) for name in COLUMNS})
        return found

    def table(self, lesson: str | None = None) -> Table:
        """Return a table of the latest row of every experiment, of one ``lesson`` or of all.

        Values that were not measured are empty.
        """
        rows = [row for row in self.rows() if lesson in (None, row["lesson"])]
        latest = {tuple(row[name] for name in EXPERIMENT): row for row in rows}
        shown = {name: column for name, column in COLUMNS.items() if column.shown}
        return Table(
            [column.title for column in shown.values()],
            [
                [
                    "" if row[name] is None else column.text(row[name])
                    for name, column in shown.items()
                ]
                for row in latest.values()
            ],
        )

    def _ends_truncated(self) -> bool:
        if not self.path.exists() or self.path.stat().st_size == 0:
            return False
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
