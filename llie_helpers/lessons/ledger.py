"""The results ledger: one line of JSON per result, shared by all lessons."""

import errno
import html
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llie_helpers.errors import CourseError


class Column(NamedTuple):
    """How one entry of a row is headed and written."""

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
    "psnr_gt_mean": Column("GT-mean (dB)", "{:.2f}".format),
    "lpips": Column("LPIPS", "{:.3f}".format),
    "parameters": Column("parameters", "{:,}".format),
    "gmacs": Column("GMACs", "{:.2f}".format),
    "ms_per_megapixel": Column("ms/Mpx", "{:.0f}".format),
    "train_seconds": Column("training (s)", "{:.0f}".format),
    "seed": Column("seed"),
    "version": Column("code", shown=False),
    "time": Column("time (UTC)", shown=False),
}

# Rows that agree in these are one experiment run again; a table shows its latest run.
EXPERIMENT = ("lesson", "model", "data", "split", "profile", "seed")


class Ledger:
    """The ledger in the file ``path``, which need not exist yet."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)

    def append(self, row: dict) -> None:
        """Add one row.

        The row is one write to a file opened for appending, so notebooks that run at the
        same time never mix their lines.

        Raises:
            CourseError: ``row`` has an unknown column, or the disk is full.
        """
        if unknown := row.keys() - COLUMNS.keys():
            raise CourseError(
                f"The ledger has no column {', '.join(sorted(unknown))}; it has "
                f"{', '.join(COLUMNS)}."
            )
        line = json.dumps({name: row.get(name) for name in COLUMNS}) + "\n"
        if self._ends_torn():
            line = "\n" + line
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            data = line.encode()
            if os.write(file, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise CourseError(
                    f"The disk is full: the result was not added to {self.path.name}; "
                    "free some space and run the cell again."
                ) from error
            raise
        finally:
            os.close(file)

    def rows(self) -> list[dict]:
        """All rows, oldest first. A line torn by a crash or a full disk is passed over."""
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

    def table(self, lesson: str | None = None) -> "Table":
        """The latest row of every experiment, of one ``lesson`` or of all, for a notebook."""
        rows = [row for row in self.rows() if lesson in (None, row["lesson"])]
        latest = {tuple(row[name] for name in EXPERIMENT): row for row in rows}
        return Table(list(latest.values()))

    def _ends_torn(self) -> bool:
        if not self.path.exists() or self.path.stat().st_size == 0:
            return False
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"


class Table:
    """Rows of a ledger: an HTML table in a notebook, aligned text elsewhere."""

    def __init__(self, rows: Sequence[dict]):
        self.rows = list(rows)

    def cells(self) -> list[list[str]]:
        """The header and the rows as text; a value that was not measured is empty."""
        shown = {name: column for name, column in COLUMNS.items() if column.shown}
        body = [
            [
                "" if row.get(name) is None else column.text(row[name])
                for name, column in shown.items()
            ]
            for row in self.rows
        ]
        return [[column.title for column in shown.values()], *body]

    def __str__(self) -> str:
        cells = self.cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head, *body = (
            "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in row)
            for tag, row in zip(["th"] + ["td"] * len(self.rows), self.cells(), strict=True)
        )
        rows = "".join(f"<tr>{row}</tr>" for row in body)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
