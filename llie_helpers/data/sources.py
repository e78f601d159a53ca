"""Sources of pairs: one class for each kind, all with ``pairs``, ``check`` and ``where``."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tqdm.auto import tqdm

from llie_helpers.data.cache import open_cache
from llie_helpers.data.download import fetch
from llie_helpers.data.layouts import Layout, Listing, two_folders
from llie_helpers.data.pairs import Lazy, Pairs
from llie_helpers.data.report import Report
from llie_helpers.data.splits import NAMES, split_indices
from llie_helpers.errors import CourseError, unknown_name
from llie_helpers.paths import data_dir

# Where a Kaggle notebook finds the data sets that were added to it.
KAGGLE_INPUT = Path("/kaggle/input")


@dataclass(kw_only=True)
class Source(ABC):
    """A source of pairs; `data.source` makes it from its name.

    A new kind is a subclass with `check`, `where` and `_load`, and a line in `data.source`.

    Args:
        name: what `data.source` takes.
        title: what messages call it.
        mismatched: names of pairs whose two images do not belong together; they are left
            out of training and validation.
        validation: names of pairs whose scenes make up the validation split; empty means
            that scenes are drawn at random with a fixed seed.
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
        """Return the folder or file that holds the images, None if none does.

        Raises:
            CourseError: the name is a path, and nothing is there.
        """

    def get(self) -> Path:
        """Download the images if need be and return their folder, as `data.get` does."""
        raise CourseError(f"{self.name} needs no download: it is on this computer.")

    @abstractmethod
    def _load(self) -> tuple[Pairs, Sequence[str]]:
        """Return all pairs and the official split of each, ``"all"`` if it has none."""


@dataclass(kw_only=True)
class ImageFiles(Source):
    """Pairs of image files.

    Args:
        counts: pairs per official split, as published.
        cached: whether the decoded images are small enough to be kept on the disk; else
            they are decoded each time they are asked for.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    cached: bool = True

    @abstractmethod
    def listing(self) -> Listing:
        """List the files; raise a `CourseError` that says how to get them if they are absent."""

    def check(self) -> Report:
        listing = self.listing()
        with ThreadPoolExecutor() as pool:
            checks = pool.map(lambda pair: pair.problem(), listing.files)
            found = list(tqdm(checks, "checking", len(listing.files), delay=2))
        counts = Counter(pair.split for pair in listing.files)
        warnings = tuple(
            f"{counts[split]} {split} pairs, where {published} were published"
            for split, published in self.counts.items()
            if counts[split] != published
        )
        problems = (*listing.problems, *filter(None, found))
        return Report(self._title(listing), counts, problems, warnings)

    def _load(self) -> tuple[Pairs, Sequence[str]]:
        listing = self.listing()
        Report(self._title(listing), {}, tuple(listing.problems)).raise_problems()
        if not self.cached:
            names, _, _, splits, scenes = zip(*listing.files, strict=True)
            numbers = {scene: number for number, scene in enumerate(dict.fromkeys(scenes))}
            arrays = Lazy([pair.read for pair in listing.files])
            return Pairs(self.name, names, tuple(numbers[s] for s in scenes), arrays), splits
        try:
            cached = open_cache(self._cache_name(), listing.files)
        except CourseError:
            # The cache stops at the first bad file; the report names them all.
            self.check().raise_problems()
            raise
        return Pairs(self.name, cached.names, cached.scenes, cached), cached.splits

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
        return two_folders(self.low, self.normal)

    def where(self) -> Path:
        return self.listing().folder

    def _cache_name(self) -> str:
        # Two folders have no short name, so a digest of theirs takes its place.
        return f"folders-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"


@dataclass(kw_only=True)
class CatalogSet(ImageFiles):
    """A published data set.

    Args:
        paper: the paper that introduced it.
        licence: what is known of its licence.
        origin: where its authors publish it.
        kaggle: ``owner/slug`` of a public copy on Kaggle, or None if no copy is known
            to be complete.
        layout: how its files are arranged.
    """

    paper: str
    licence: str
    origin: str
    kaggle: str | None = None
    layout: Layout

    def listing(self) -> Listing:
        if listing := self._find():
            return listing
        how = (
            f"run `python -m llie_helpers data get {self.name}`"
            if self.kaggle
            else f"get it from {self.origin} and unpack it there"
        )
        raise CourseError(
            f"{self.title} is not in {data_dir()}: {how}, or set LLIE_DATA to its folder."
        )

    def where(self) -> Path | None:
        listing = self._find()
        return listing.folder if listing else None

    def get(self) -> Path:
        if folder := self.where():
            return folder
        if self.kaggle is None:
            raise CourseError(
                f"{self.title} cannot be downloaded automatically: get it from "
                f"{self.origin} and unpack it into {data_dir()}."
            )
        fetch(self.kaggle, data_dir(), lambda folder: self.layout(folder) is not None)
        return self.listing().folder

    def _find(self) -> Listing | None:
        return self.layout(data_dir()) or self.layout(KAGGLE_INPUT)

    def _title(self, listing: Listing) -> str:
        return f"{self.title} in {listing.folder}"
