"""The ladder of data: already present, else from Kaggle, else the embedded samples."""

from pathlib import Path

from llie_helpers.data import layouts
from llie_helpers.data.catalog import CATALOG, DataSet
from llie_helpers.data.download import fetch
from llie_helpers.data.layouts import Listing
from llie_helpers.errors import CourseError, unknown_name
from llie_helpers.paths import data_dir

# Where a Kaggle notebook finds the data sets that were added to it.
KAGGLE_INPUT = Path("/kaggle/input")


def choose(name: str, download: bool = True) -> str:
    """Pick the best data set at hand: ``name`` if present, else from Kaggle, else embedded.

    Prints one line that says on which rung of this ladder it stands and why.

    Args:
        name: a name of the catalog.
        download: whether Kaggle may be asked.

    Returns:
        ``name`` or ``"embedded"``, for `load`.

    Raises:
        CourseError: there is no such set.
    """
    title = look_up(name).title
    if name == "embedded":
        print("Data: the embedded samples, as asked for.")
        return name
    if listing := present(name):
        print(f"Data: {title}, already present in {listing.folder} (rung 1 of 3).")
        return name
    reason = f"{title} is not in {data_dir()}"
    if download:
        try:
            folder = get(name)
        except CourseError as error:
            reason += f" and could not be fetched ({str(error).rstrip('.')})"
        else:
            print(f"Data: {title}, downloaded from Kaggle to {folder} (rung 2 of 3).")
            return name
    print(f"Data: the embedded samples (rung 3 of 3), because {reason}.")
    return "embedded"


def get(name: str) -> Path:
    """Download a data set from Kaggle, unless it is present, and return its folder.

    Raises:
        CourseError: no such set, no copy on Kaggle is known, or the download failed.
    """
    data_set = look_up(name)
    if name == "embedded":
        raise CourseError("The embedded samples need no download: they are always there.")
    if listing := present(name):
        return listing.folder
    if data_set.kaggle is None:
        raise CourseError(
            f"{data_set.title} cannot be downloaded automatically: get it from "
            f"{data_set.by_hand} and unpack it into {data_dir()}."
        )
    folder = fetch(data_set.kaggle, data_dir(), lambda path: bool(layouts.find(name, [path])))
    return layouts.find(name, [folder]).folder


def available() -> dict[str, Path | None]:
    """Each set of the catalog with the folder it lies in, or None where it is absent.

    The embedded set lies in no folder and is always there, so it is not listed.
    """
    listings = {name: present(name) for name in CATALOG if name != "embedded"}
    return {name: listing and listing.folder for name, listing in listings.items()}


def present(name: str) -> Listing | None:
    """The files of a set of the catalog, or None where it is absent."""
    return layouts.find(name, [data_dir(), KAGGLE_INPUT])


def look_up(name: str) -> DataSet:
    """The catalog's entry called ``name``; a `CourseError` with the nearest names if none."""
    if name not in CATALOG:
        raise unknown_name("data set", name, [*CATALOG, "folders:LOW_DIR:NORMAL_DIR", "FILE.npz"])
    return CATALOG[name]
