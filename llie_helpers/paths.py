"""The folders that the course reads data from and writes results to."""

import functools
import logging
import os
from pathlib import Path

from platformdirs import user_data_path


def root() -> Path:
    """Return the checkout of the course, or the working directory if there is none."""
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "notebooks" / "source").is_dir() else Path.cwd()


def data_dir() -> Path:
    """Return the folder of data sets: ``$LLIE_DATA``, or ``data/`` in the course."""
    return Path(os.environ.get("LLIE_DATA") or root() / "data").expanduser()


def download_dir() -> Path:
    """Return the folder for new data sets: `data_dir`, or the user's own if it is read-only."""
    return data_dir() if can_write(data_dir()) else own_dir() / "data"


def runs_dir() -> Path:
    """Return the folder of checkpoints, caches and the ledger: ``$LLIE_RUNS``, or ``runs/``.

    Where the course's folder is read-only, as on a hub that many share, it is in the user's own.
    """
    if chosen := os.environ.get("LLIE_RUNS"):
        return Path(chosen).expanduser()
    runs = root() / "runs"
    if can_write(runs):
        return runs
    _tell_once(runs, own_dir() / "runs")
    return own_dir() / "runs"


def cache_dir() -> Path:
    """Return the folder of decoded images: ``$LLIE_CACHE``, or ``cache/`` in `runs_dir`.

    It may be deleted at any time. Set the variable if the runs are on a mounted drive, which is
    too slow for memory-mapped files.
    """
    return Path(os.environ.get("LLIE_CACHE") or runs_dir() / "cache").expanduser()


def own_dir() -> Path:
    """Return the user's own folder for the course, which other users of a hub do not share."""
    return user_data_path("out-of-the-dark", appauthor=False)


def can_write(folder: Path) -> bool:
    """Return whether a folder can be written, or made where it does not exist."""
    folder = folder.absolute()
    # A drive of Windows may not exist.
    found = (place for place in (folder, *folder.parents) if os.path.exists(place))
    return os.access(next(found, folder), os.W_OK)


@functools.cache
def _tell_once(refused: Path, own: Path) -> None:
    logging.getLogger(__name__).warning(
        "%s cannot be written, so results and caches go to %s.", refused, own
    )
