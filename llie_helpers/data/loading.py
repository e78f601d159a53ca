"""From the name of a data set to its pairs."""

import hashlib
import re
from pathlib import Path

from llie_helpers.data import splits
from llie_helpers.data.cache import open_cache
from llie_helpers.data.catalog import CATALOG
from llie_helpers.data.layouts import Listing, two_folders
from llie_helpers.data.npz import read_npz
from llie_helpers.data.pairs import DecodedFiles, Pairs
from llie_helpers.data.report import Report, inspect
from llie_helpers.data.scenes import group_scenes
from llie_helpers.data.sources import look_up, present
from llie_helpers.errors import CourseError, unknown_name
from llie_helpers.paths import data_dir


def load_pairs(name: str, split: str) -> Pairs:
    """Return the pairs of one split of a data set that is present on this computer.

    The first call decodes all images into a cache; later calls open it at once.

    Args:
        name: a name of the catalog such as ``"lol_v1"``, any two folders as
            ``"folders:LOW_DIR:NORMAL_DIR"``, or a path that ends in ``.npz``.
        split: ``"train"``, ``"val"`` or ``"test"``. The test split is the official one;
            a set without one is split by scene. Validation shares no scene with the other
            two. Doubtful pairs are in no split but an official test.

    Raises:
        CourseError: no such set or split, the set is not present, or its files are not
            usable: partners are missing, sizes differ, images are unreadable.
    """
    if split not in splits.NAMES:
        raise unknown_name("split", split, splits.NAMES)
    if name == "embedded":
        # Imports scikit-image and scikit-learn, which take their time.
        from llie_helpers.data.embedded import load_embedded

        return load_embedded(split)
    pairs, official = _open(name)
    data_set = CATALOG.get(name)
    indices = splits.split_indices(
        split,
        official,
        pairs.scenes,
        pairs.names,
        mismatched=data_set.mismatched if data_set else (),
        validation=data_set.validation if data_set else (),
    )
    return pairs.subset(indices, f"{pairs.title}/{split}")


def check(name: str) -> Report:
    """Decode every image of a data set and report what is missing, mismatched or unreadable.

    Counts other than the published ones are warnings, not problems.

    Raises:
        CourseError: no such set, or it is not present.
    """
    if name == "embedded":
        return Report(
            "embedded samples", {split: len(load_pairs(name, split)) for split in splits.NAMES}
        )
    if name.endswith(".npz"):
        names, _ = read_npz(Path(name))
        return Report(name, {"all": len(names)})
    listing = _listing(name)
    counts = {split: len(files) for split, files in listing.splits.items()}
    published = CATALOG[name].counts if name in CATALOG else {}
    warnings = [
        f"{counts.get(split, 0)} {split} pairs, where {count} were published"
        for split, count in published.items()
        if counts.get(split, 0) != count
    ]
    problems = [*_problems(listing), *inspect(listing.files)]
    return Report(_title(name, listing), counts, tuple(problems), tuple(warnings))


def _open(name: str) -> tuple[Pairs, tuple[str, ...]]:
    """All pairs of a data set, and the official split of each ("all" if it has none)."""
    if name.endswith(".npz"):
        names, arrays = read_npz(Path(name))
        scenes = group_scenes(normal for _, normal in arrays)
        return Pairs(Path(name).name, tuple(names), tuple(scenes), arrays), ("all",) * len(names)
    listing = _listing(name)
    Report(_title(name, listing), {}, tuple(_problems(listing))).raise_problems()
    if name in CATALOG and not CATALOG[name].cached:
        files = listing.files
        official = tuple(split for split, its in listing.splits.items() for _ in its)
        number = {scene: i for i, scene in enumerate(dict.fromkeys(f.scene for f in files))}
        scenes = tuple(number[file.scene] for file in files)
        return Pairs(name, tuple(f.name for f in files), scenes, DecodedFiles(files)), official
    try:
        cached = open_cache(_cache_name(name), listing.splits)
    except CourseError:
        # The cache stops at the first bad file; the report names them all.
        check(name).raise_problems()
        raise
    return Pairs(name, cached.names, cached.scenes, cached), cached.splits


def _listing(name: str) -> Listing:
    """The files of a data set; a `CourseError` that says how to get it if it is absent."""
    if name.startswith("folders:"):
        # A colon may also follow the letter of a Windows drive.
        folder = r"((?:[A-Za-z]:[\\/])?[^:]+)"
        folders = re.fullmatch(f"folders:{folder}:{folder}", name)
        if folders is None:
            raise CourseError(f"{name!r} is not of the form folders:LOW_DIR:NORMAL_DIR.")
        return two_folders(Path(folders[1]), Path(folders[2]))
    data_set = look_up(name)
    listing = present(name)
    if listing is None:
        how = (
            f"run `python -m llie_helpers data get {name}`"
            if data_set.kaggle
            else f"get it from {data_set.by_hand} and unpack it there"
        )
        raise CourseError(
            f"{data_set.title} is not in {data_dir()}: {how}, or set LLIE_DATA to its folder."
        )
    return listing


def _problems(listing: Listing) -> list[str]:
    return listing.problems if listing.files else [*listing.problems, "it holds no pairs"]


def _title(name: str, listing: Listing) -> str:
    return f"{CATALOG[name].title} in {listing.folder}" if name in CATALOG else name


def _cache_name(name: str) -> str:
    """Two folders have no short name, so their cache is named by a digest of theirs."""
    if name in CATALOG:
        return name
    return f"folders-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
