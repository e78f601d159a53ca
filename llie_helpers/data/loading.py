"""Find, check, download and load data sets by name."""

import re
from collections.abc import Sequence
from pathlib import Path

from llie_helpers.data.catalog import CATALOG, EMBEDDED
from llie_helpers.data.npz import NpzFile
from llie_helpers.data.pairs import Pairs, mix
from llie_helpers.data.photographs import PREFIX, Photographs
from llie_helpers.data.report import Report, tell_left_out
from llie_helpers.data.scenes import shared_scenes
from llie_helpers.data.sources import CatalogSet, ImageFiles, Source, TwoFolders
from llie_helpers.errors import CourseError, unknown_name

# The plus sign between two data sets; one in the name of a folder is not followed by a data set.
PLUS = re.compile(rf"\+(?=(?:folders|photographs):|(?:{'|'.join(CATALOG)})(?:\+|$))")
# The splits of one set in a mix whose scenes the others must not show in theirs.
HELD_OUT = {"train": ("val", "test"), "val": ("test",), "test": ()}


def source(name: str) -> Source:
    """Return the source of data called ``name``.

    Args:
        name: a name of the catalog such as ``"lol_v1"``, any two folders as
            ``"folders:LOW_DIR:NORMAL_DIR"``, photographs in good light, to be darkened, as
            ``"photographs:DIR"``, or a path that ends in ``.npz``.

    Raises:
        CourseError: there is no such source; suggests similar names.
    """
    if name in CATALOG:
        return CATALOG[name]
    if name.startswith("folders:"):
        return TwoFolders(name)
    if name.startswith(PREFIX):
        return Photographs(name=name, title=name)
    if name.endswith(".npz"):
        return NpzFile(name=name, title=name)
    forms = ["folders:LOW_DIR:NORMAL_DIR", "photographs:DIR", "FILE.npz"]
    raise unknown_name("data set", name, [*CATALOG, *forms])


def load_pairs(name: str, split: str) -> Pairs:
    """Return the pairs of one split of a data set that is on this computer.

    The first call decodes all images into a cache, which later calls open immediately. Of SICE and
    SID, which are too large, it only finds the images that are damaged; their pairs are decoded,
    and those of photographs computed, on each access.

    Args:
        name: a data set, see `source`, or several, such as ``"lol_v1+photographs:DIR"``: their
            pairs together, those of smaller sets repeated in the training split so that random
            crops come from each set equally often. What one set validates or tests with is left
            out of the others' training, if both are cached.
        split: ``"train"``, ``"val"`` or ``"test"``. The test split is the official one;
            a set without one is split by scene. Validation shares no scene with the other
            two. Pairs known to be mismatched are only in an official test split.

    Raises:
        CourseError: no such set or split, the set is not on this computer, or none of its pairs
            is usable. Single files without a partner, pairs whose sizes differ and unreadable ones
            are left out, with a warning.
    """
    sources = [source(part) for part in PLUS.split(name)]
    if len(sources) == 1:
        return sources[0].pairs(split)
    parts = [_kept_apart(mine, split, sources) for mine in sources]
    return mix(parts, balance=split == "train")


def _kept_apart(mine: Source, split: str, sources: Sequence[Source]) -> Pairs:
    """Return the pairs of one set in a mix, without scenes that another holds out of ``split``.

    Only sets in the cache are compared: to decode or compute the others would take too long.
    """
    pairs = mine.pairs(split)
    left_out: dict[str, str] = {}
    cached = [each for each in sources if isinstance(each, ImageFiles) and each.cached]
    for theirs in cached if mine in cached else []:
        for other in (theirs.pairs(later) for later in HELD_OUT[split] if theirs is not mine):
            left_out |= {
                name: f"{name} shows the scene of {known} of {other.title}"
                for name, known in shared_scenes(pairs, other)
            }
    kept = pairs.subset([i for i, name in enumerate(pairs.names) if name not in left_out])
    tell_left_out(pairs.title, list(left_out.values()), [split] * len(kept))
    return kept


def check(name: str) -> Report:
    """Decode every image of a data set and report what is missing, mismatched or unreadable.

    Counts other than the published ones are warnings, not problems.

    Raises:
        CourseError: no such set, or it is not on this computer.
    """
    return source(name).check()


def get(name: str) -> Path:
    """Download a data set from Kaggle, unless it is on this computer, and return its folder.

    Raises:
        CourseError: no such set, no copy on Kaggle is known, or the download failed.
    """
    return source(name).get()


def available() -> dict[str, Path | None]:
    """Return the folder of each published data set, or None if it is not on this computer."""
    return {name: entry.where() for name, entry in CATALOG.items() if entry is not EMBEDDED}


def choose(name: str) -> str:
    """Return ``name`` if that data set is available, else ``"embedded"``; print which and why.

    Three sources are tried: this computer, Kaggle, the embedded samples.

    Raises:
        CourseError: there is no such set.
    """
    wanted = source(name)
    if wanted is EMBEDDED:
        print("Data: the embedded samples, as asked for.")
        return name
    if folder := wanted.where():
        print(f"Data: {wanted.title}, already present in {folder} (source 1 of 3).")
        return name
    assert isinstance(wanted, CatalogSet)  # every other source is there, or raises
    reason = wanted.absence()
    try:
        folder = wanted.get()
    except CourseError as error:
        reason += f" and could not be fetched ({str(error).rstrip('.')})"
    else:
        print(f"Data: {wanted.title}, downloaded from Kaggle to {folder} (source 2 of 3).")
        return name
    print(f"Data: the embedded samples (source 3 of 3), because {reason}.")
    return EMBEDDED.name
