"""Sources of pairs: one class for each kind, with ``pairs``, ``check`` and ``where``."""

import hashlib
import os
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llie_helpers.data.cache import open_cache, open_files
from llie_helpers.data.download import fetch
from llie_helpers.data.folders import describe, folders_in, images_in, places, roots, unpacked
from llie_helpers.data.layouts import Layout, Listing
from llie_helpers.data.matching import match
from llie_helpers.data.pairs import Pairs
from llie_helpers.data.report import Report, failures, few, tell_left_out
from llie_helpers.data.splits import NAMES, split_indices
from llie_helpers.errors import CourseError, unknown_name
from llie_helpers.paths import data_dir, download_dir


@dataclass(kw_only=True)
class Source(ABC):
    """A source of pairs; `data.source` creates it from its name.

    A new kind needs a subclass with `check`, `where` and `_load`, and a line in `data.source`.

    Args:
        name: what `data.source` takes.
        title: what messages call it.
        mismatched: names of pairs whose two images do not belong together; they are excluded
            from training and validation.
        validation: names of pairs whose scenes make up the validation split; if empty, scenes
            are drawn at random with a fixed seed.
    """

    name: str
    title: str
    mismatched: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()

    def pairs(self, split: str) -> Pairs:
        """Return the pairs of ``split``, as `data.load_pairs` does."""
        if split not in NAMES:
            raise unknown_name("split", split, NAMES)
        pairs, official = self._load()
        indices = split_indices(split, pairs, official, self.mismatched, self.validation)
        return pairs.subset(indices, f"{pairs.title}/{split}")

    @abstractmethod
    def check(self) -> Report:
        """Report what is missing, mismatched or unreadable, as `data.check` does."""

    @abstractmethod
    def where(self) -> Path | None:
        """Return the folder or file that holds the images, or None if they are absent.

        Raises:
            CourseError: the name is a path that does not exist.
        """

    def get(self) -> Path:
        """Download the images if necessary and return their folder, as `data.get` does."""
        raise CourseError(f"{self.name} needs no download: it is on this computer.")

    @abstractmethod
    def _load(self) -> tuple[Pairs, Sequence[str]]:
        """Return all pairs and the official split of each, or ``"all"`` if there is none."""


@dataclass(kw_only=True)
class ImageFiles(Source):
    """Pairs of image files.

    Args:
        counts: pairs per official split, as published.
        cached: keep the decoded images on disk; if False, because they take too much space,
            they are decoded once to find damaged ones, and then on each access.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    cached: bool = True

    @abstractmethod
    def listing(self) -> Listing:
        """List the files, or raise a `CourseError` that says how to get them."""

    def check(self) -> Report:
        listing = self.listing()
        found = failures([pair.read for pair in listing.files])
        counts = Counter(pair.split for pair in listing.files)
        warnings = tuple(
            f"{counts[split]} {split} pairs, where {published} were published"
            for split, published in self.counts.items()
            if counts[split] != published
        )
        problems = (*listing.problems, *listing.left_out, *filter(None, found))
        return Report(self._title(listing), counts, problems, warnings)

    def _load(self) -> tuple[Pairs, Sequence[str]]:
        listing = self.listing()
        if listing.problems:
            raise self._unusable(listing, listing.problems + listing.left_out)
        open_pairs = open_cache if self.cached else open_files
        found = open_pairs(self._cache_name(), listing.files)
        left_out = [*listing.left_out, *found.damaged]
        # A test split that is lost must not be replaced by other pairs.
        if {pair.split for pair in listing.files} > set(found.splits):
            raise self._unusable(listing, left_out)
        tell_left_out(self._title(listing), left_out, found.splits)
        return Pairs(self.name, found.names, found.scenes, found), found.splits

    def _unusable(self, listing: Listing, problems: Sequence[str]) -> CourseError:
        return CourseError(f"{self._title(listing)} is not usable: {few(problems)}.")

    def _title(self, listing: Listing) -> str:
        return self.title

    def _cache_name(self) -> str:
        return self.name


class TwoFolders(ImageFiles):
    """Any two folders of images, paired by name: ``"folders:LOW_DIR:NORMAL_DIR"``."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, title=name)
        # A colon may also follow the letter of a Windows drive.
        folder = r"((?:[A-Za-z]:[\\/])?[^:]+)"
        folders = re.fullmatch(f"folders:{folder}:{folder}", name)
        if folders is None:
            raise CourseError(f"{name!r} is not of the form folders:LOW_DIR:NORMAL_DIR.")
        self.low, self.normal = map(Path, folders.groups())

    def listing(self) -> Listing:
        return Listing(self.low, *match(images_in(self.low), images_in(self.normal)))

    def where(self) -> Path:
        return self.listing().folder

    def _cache_name(self) -> str:
        # Two paths make a digest: absolute ones, as other folders may have the same relative paths.
        paths = os.fsencode(f"{self.low.absolute()}:{self.normal.absolute()}")
        return f"folders-{hashlib.sha256(paths).hexdigest()[:8]}"


@dataclass(kw_only=True)
class CatalogSet(ImageFiles):
    """A published data set.

    Args:
        paper: the paper that introduced it.
        licence: what is known about its licence.
        origin: where its authors publish it.
        kaggle: ``owner/slug`` of a complete public copy on Kaggle, or None.
        folders: its folders, for people.
        layout: lists its files.
    """

    paper: str
    licence: str
    origin: str
    kaggle: str | None = None
    folders: str
    layout: Layout

    def listing(self) -> Listing:
        place, listing = self._find()
        if listing and os.path.isfile(place):
            listing = self.layout(folders_in(unpacked(place)))
        if listing is None:
            how = (
                f"run `python -m llie_helpers data get {self.name}`"
                if self.kaggle
                else f"get it from {self.origin} and unpack it there"
            )
            raise CourseError(f"{self.absence()}; {how}, or set LLIE_DATA to its folder.")
        return listing

    def absence(self) -> str:
        """Say where the set was looked for, what was found and what was expected."""
        found = " or ".join(f"{root}, which {describe(root)}" for root in roots())
        return f"{self.title} is not in {found}; looked for {self.folders}"

    def where(self) -> Path | None:
        _, listing = self._find()
        return listing.folder if listing else None

    def get(self) -> Path:
        if folder := self.where():
            return folder
        if self.kaggle is None:
            raise CourseError(
                f"{self.title} cannot be downloaded automatically: get it from "
                f"{self.origin} and unpack it into {data_dir()}."
            )
        fetch(self.kaggle, download_dir(), lambda folder: bool(self.layout(folders_in(folder))))
        return self.listing().folder

    def _find(self) -> tuple[Path, Listing | None]:
        """Return the place that holds the set, and its listing there; None if no place does."""
        for place, folders in places():
            if folders and (listing := self.layout(folders)):
                return place, listing
        return data_dir(), None

    def _title(self, listing: Listing) -> str:
        return f"{self.title} in {listing.folder}"
