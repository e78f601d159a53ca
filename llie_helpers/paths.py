"""Where the course reads data and writes results."""

import os
from pathlib import Path


def root() -> Path:
    """Return the checkout of the course, or the working directory where it was pip-installed."""
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "notebooks" / "source").is_dir() else Path.cwd()


def data_dir() -> Path:
    """Return the folder that holds data sets: ``$LLIE_DATA``, else ``data/`` of the course."""
    return Path(os.environ.get("LLIE_DATA") or root() / "data")


def runs_dir() -> Path:
    """Return the folder for checkpoints, caches and the ledger: ``$LLIE_RUNS``, else ``runs/``."""
    return Path(os.environ.get("LLIE_RUNS") or root() / "runs")


def cache_dir() -> Path:
    """Return the folder of decoded images, which may be deleted at any time.

    ``$LLIE_CACHE``, else ``cache/`` of the runs. Set it where the runs are on a mounted
    drive, which is too slow to map into memory.
    """
    return Path(os.environ.get("LLIE_CACHE") or runs_dir() / "cache")
