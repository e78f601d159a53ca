"""How each data set lies on the disk: folders become lists of matched files."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from llie_helpers.data.pairs import PairFiles, match, natural_sort
from llie_helpers.errors import CourseError
from llie_helpers.images import IMAGE_SUFFIXES, RAW_SUFFIXES

# Low and normal folders of each split; "all" stands for a set with no official split.
FOLDERS = {
    "lol_v1": {
        "train": ("our485/low", "our485/high"),
        "test": ("eval15/low", "eval15/high"),
    },
    "lol_v2_real": {
        "train": ("Real_captured/Train/Low", "Real_captured/Train/Normal"),
        "test": ("Real_captured/Test/Low", "Real_captured/Test/Normal"),
    },
    "lol_v2_synthetic": {
        "train": ("Synthetic/Train/Low", "Synthetic/Train/Normal"),
        "test": ("Synthetic/Test/Low", "Synthetic/Test/Normal"),
    },
    "train3": {"all": ("low_light", "normal_light")},
    "sid_sony": {"all": ("Sony/short", "Sony/long")},
    "sid_fuji": {"all": ("Fuji/short", "Fuji/long")},
}
# Archives are unpacked as name/name/..., and Kaggle mounts sets as datasets/owner/name/.
DEPTH = 5


@dataclass
class Listing:
    """The pairs of a data set per split, and what is wrong with its files."""

    folder: Path
    splits: dict[str, list[PairFiles]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, split: str, pairs: Iterable[PairFiles]) -> None:
        self.splits.setdefault(split, []).extend(pairs)

    @property
    def files(self) -> list[PairFiles]:
        """All pairs, split after split."""
        return [pair for pairs in self.splits.values() for pair in pairs]


def find(name: str, roots: Iterable[Path]) -> Listing | None:
    """List data set ``name`` where it first occurs in ``roots``, however deep it is nested.

    Upper and lower case do not matter. Returns None if it is nowhere.
    """
    for root in roots:
        listing = _sice(root) if name == "sice" else _find_folders(name, root)
        if listing:
            return listing
    return None


def two_folders(low: Path, normal: Path) -> Listing:
    """List the pairs of any two folders, matched by name.

    Raises:
        CourseError: one of them is no folder.
    """
    for folder in (low, normal):
        if not folder.is_dir():
            raise CourseError(f"There is no folder {folder}; check its name.")
    pairs, problems = match(images_in(low), images_in(normal))
    return Listing(low, {"all": pairs}, problems)


def images_in(folder: Path) -> list[Path]:
    """The image files right inside a folder, without hidden ones."""
    suffixes = IMAGE_SUFFIXES | RAW_SUFFIXES
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
    )


def _find_folders(name: str, root: Path) -> Listing | None:
    """The shallowest folder below ``root`` that has the most of the layout's folders."""
    layout = FOLDERS[name]
    wanted = [path for pair in layout.values() for path in pair]
    best, most = None, 0
    for base in _folders(root):
        present = sum(_inside(base, path) is not None for path in wanted)
        if present > most:
            best, most = base, present
    if best is None:
        return None
    listing = Listing(best)
    for split, paths in layout.items():
        low, normal = (_inside(best, path) for path in paths)
        for folder, path in zip((low, normal), paths, strict=True):
            if folder is None:
                listing.problems.append(f"there is no folder {best / path}")
        if low and normal:
            if name.startswith("sid"):
                _add_sid(listing, low, normal)
            else:
                pairs, problems = match(images_in(low), images_in(normal))
                listing.add(split, pairs)
                listing.problems += problems
    return listing


def _add_sid(listing: Listing, short: Path, long: Path) -> None:
    """Pair short with long exposures by scene.

    A name such as 10003_00_0.04s tells the scene (10003), the number in the burst and
    the exposure time; the scene's first digit is its split. Many short exposures share
    one long one.
    """
    splits = {"0": "train", "1": "test", "2": "val"}
    normal = {path.stem[:5]: path for path in reversed(images_in(long))}
    used = set()
    for path in images_in(short):
        scene = path.stem[:5]
        if scene not in normal or scene[0] not in splits:
            listing.problems.append(f"{path} has no long-exposure partner")
            continue
        used.add(scene)
        listing.add(splits[scene[0]], [PairFiles(path.stem, path, normal[scene], scene)])
    for scene in sorted(normal.keys() - used):
        listing.problems.append(f"{normal[scene]} has no short-exposure partner")


def _sice(root: Path) -> Listing | None:
    """Sequences 1/, 2/, ... of exposures from dark to bright, and Label/1.JPG, ...

    Part 1 is for training and part 2 for testing. The darker half of a sequence (3 of 7
    or 4 of 9 exposures) is its low light, as in Guo et al., Zero-DCE, CVPR 2020.
    """
    listing = None
    for part in _folders(root):
        labels = _inside(part, "Label")
        sequences = [folder for folder in _subfolders(part) if folder.name.isdigit()]
        if labels is None or not sequences:
            continue
        listing = listing or Listing(root)
        name = (re.findall(r"part[ _-]?(\d)", str(part.relative_to(root)), re.I) or ["1"])[-1]
        label_files = {path.stem: path for path in images_in(labels)}
        by_name = {folder.name: folder for folder in sequences}
        for number in natural_sort(by_name):
            exposures = {path.stem: path for path in images_in(by_name[number])}
            darker = natural_sort(exposures)[: len(exposures) // 2]
            if number not in label_files:
                listing.problems.append(f"{by_name[number]} has no normal-light partner in Label")
                continue
            if not darker:
                listing.problems.append(f"{by_name[number]} holds fewer than two exposures")
            scene = f"part{name}/{number}"
            listing.add(
                "test" if name == "2" else "train",
                (
                    PairFiles(f"{scene}/{stem}", exposures[stem], label_files[number], scene)
                    for stem in darker
                ),
            )
    return listing


def _folders(root: Path) -> Iterator[Path]:
    """``root`` and the folders below it, shallow ones first."""
    level = [root] if root.is_dir() else []
    for _ in range(DEPTH + 1):
        yield from level
        level = [folder for parent in level for folder in _subfolders(parent)]


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if e.is_dir() and not e.name.startswith((".", "__"))]
    except PermissionError:
        return []
    return [folder / name for name in natural_sort(names)]


def _inside(folder: Path, path: str) -> Path | None:
    """The subfolder ``path`` of ``folder``, in upper or lower case, if it exists."""
    for part in path.split("/"):
        same = [child for child in _subfolders(folder) if child.name.lower() == part.lower()]
        if not same:
            return None
        folder = same[0]
    return folder
