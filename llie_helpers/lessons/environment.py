"""Is everything there that the course needs? Lesson 00 shows this as its first table."""

import html
import os
import platform
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from packaging.requirements import Requirement

from llie_helpers import paths
from llie_helpers.models.weights import SHIPPED

# Packages that only a part of the course uses, by the name one imports.
OPTIONAL = {
    "xgboost": "the histogram regressor of lesson 02",
    "torchvision": "perceptual losses (from lesson 04) and the LPIPS score",
    "rawpy": "camera RAW files",
}


class Row(NamedTuple):
    """One thing that was looked at; ``remark`` is "ok", or says what to do."""

    what: str
    found: str
    remark: str


@dataclass(frozen=True)
class Report:
    """What `report` found: an HTML table in a notebook, aligned text elsewhere."""

    rows: list[Row]

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in self.rows
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>"
            for row in self.rows
        )
        head = "<tr><th></th><th>found</th><th>what it means</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def report() -> Report:
    """Look at packages, device, shipped weights and the folder for results."""
    return Report([*_packages(), _device(), _weights(), _results(), *_optional()])


def _packages() -> list[Row]:
    rows = [Row("Python", platform.python_version(), "ok")]
    try:
        listed = [Requirement(line) for line in metadata.requires("llie_helpers") or ()]
    except metadata.PackageNotFoundError:
        advice = "run `pip install -e .` in the course's folder, then restart the kernel"
        return [*rows, Row("llie_helpers", "not installed", advice)]
    needed = [need for need in listed if need.marker is None]
    wanting = [row for need in needed if (row := _wanting(need))]
    rows.append(Row("PyTorch", torch.__version__, "ok"))
    enough = f"{len(needed) - len(wanting)} of {len(needed)}, new enough"
    rows.append(Row("packages", enough, "see below" if wanting else "ok"))
    return rows + wanting


def _wanting(need: Requirement) -> Row | None:
    """What is wrong with one package; None where it is there and new enough."""
    try:
        found = metadata.version(need.name)
    except metadata.PackageNotFoundError:
        found = "absent"
    if found != "absent" and need.specifier.contains(found, prereleases=True):
        return None
    return Row(need.name, found, f'run `pip install "{need}"`, then restart the kernel')


def _device() -> Row:
    if torch.cuda.is_available():
        return Row("device", torch.cuda.get_device_name(), "ok: the full profile by default")
    cores = os.cpu_count()
    return Row("device", f"CPU, {cores} cores", "ok: no GPU is needed for the quick profile")


def _weights() -> Row:
    names = sorted(path.stem for path in SHIPPED.glob("*.safetensors"))
    advice = "get the course again: llie_helpers/weights/ is empty"
    return Row("shipped weights", ", ".join(names) or "none", "ok" if names else advice)


def _results() -> Row:
    folder = paths.runs_dir()
    existing = next(place for place in (folder, *folder.resolve().parents) if place.exists())
    writable = os.access(existing, os.W_OK)
    found = "can be written" if writable else f"{Path(existing).name} cannot be written"
    advice = "set LLIE_RUNS to a folder of your own"
    return Row("folder for results", found, "ok" if writable else advice)


def _optional() -> list[Row]:
    rows = []
    for name, use in OPTIONAL.items():
        there = find_spec(name) is not None
        advice = "" if there else f"; `pip install {name}` when you want it"
        rows.append(Row(f"optional: {name}", "there" if there else "absent", f"for {use}{advice}"))
    return rows
