"""The folders that the course reads data from and writes results to."""

import os
from pathlib import Path


def root() -> Path:
    """Return the checkout of the course, or the working directory if there is none."""
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "notebooks" / "source").is_dir() else Path.cwd()


def data_dir() -> Path:
    """Return the folder of data sets: ``$LLIE_DATA``, or ``data/`` in the course."""
    return Path(os.environ.get("LLIE_DATA") or root() / "data")


def runs_dir() -> Path:
    """Return the folder of checkpoints, caches and the ledger: ``$LLIE_RUNS``, or ``runs/``."""
    return Path(os.environ.get("LLIE_RUNS") or root() / "runs")


def cache_dir() -> Path:
    """Return the folder of decoded images: ``$LLIE_CACHE``, or ``cache/`` in `runs_dir`.

    It may be deleted at any time. Set the variable if the runs are on a mounted drive, which is
    too slow for memory-mapped files.
    """
    return Path(os.environ.get("LLIE_CACHE") or runs_dir() / "cache")
