"""Check the installation, for the first table of lesson 00."""

import os
import platform
from importlib import metadata
from importlib.util import find_spec
from typing import NamedTuple

import torch
from packaging.requirements import Requirement

from llie_helpers import paths
from llie_helpers.devices import choose_device, describe
from llie_helpers.models.weights import SHIPPED
from llie_helpers.tables import Table

# Packages that only parts of the course use: import name -> use.
OPTIONAL = {
    "xgboost": "the histogram regressor of lesson 02",
    "torchvision": "perceptual losses (from lesson 04) and the LPIPS score",
    "rawpy": "camera RAW files",
}


class Row(NamedTuple):
    """The result of one check; ``remark`` is "ok", or says what to do."""

    what: str
    found: str
    remark: str


def report() -> Table:
    """Check packages, device, shipped weights and the folder for results."""
    rows = [*_packages(), _device(), _weights(), _results(), *_optional()]
    return Table(("", "found", "what it means"), rows)


def _packages() -> list[Row]:
    rows = [Row("Python", platform.python_version(), "ok")]
    try:
        listed = [Requirement(line) for line in metadata.requires("llie_helpers") or ()]
    except metadata.PackageNotFoundError:
        advice = "run `pip install -e .` in the course's folder, then restart the kernel"
        return [*rows, Row("llie_helpers", "not installed", advice)]
    needed = [need for need in listed if need.marker is None]
    wrong = [row for need in needed if (row := _missing_or_old(need))]
    rows.append(Row("PyTorch", torch.__version__, "ok"))
    found = f"{len(needed) - len(wrong)} of {len(needed)}, new enough"
    rows.append(Row("packages", found, "see below" if wrong else "ok"))
    return rows + wrong


def _missing_or_old(need: Requirement) -> Row | None:
    """Return a row for a package that is missing or too old, else None."""
    try:
        found = metadata.version(need.name)
    except metadata.PackageNotFoundError:
        found = "absent"
    if found != "absent" and need.specifier.contains(found, prereleases=True):
        return None
    return Row(need.name, found, f'run `pip install "{need}"`, then restart the kernel')


def _device() -> Row:
    device = choose_device()
    if device.type == "cuda":
        return Row("device", describe(device), "ok: the full profile by default")
    found = f"CPU, {os.cpu_count()} cores"
    return Row("device", found, "ok: no GPU is needed for the quick profile")


def _weights() -> Row:
    count = len(list(SHIPPED.glob("*.safetensors")))
    advice = "get the course again: llie_helpers/weights/ is empty"
    return Row("shipped weights", f"{count} sets" if count else "none", "ok" if count else advice)


def _results() -> Row:
    folder = paths.runs_dir()
    writable = paths.can_write(folder)
    found = "can be written" if writable else f"{folder.name} cannot be written"
    advice = "set LLIE_RUNS to a folder of your own"
    return Row("folder for results", found, "ok" if writable else advice)


def _optional() -> list[Row]:
    rows = []
    for name, use in OPTIONAL.items():
        installed = find_spec(name) is not None
        advice = "" if installed else f"; `pip install {name}` when you want it"
        rows.append(
            Row(f"optional: {name}", "installed" if installed else "absent", f"for {use}{advice}")
        )
    return rows
