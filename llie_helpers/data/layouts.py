"""Layouts of data sets on disk; each lists the pairs in a folder."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from llie_helpers.codecs import IMAGE_SUFFIXES, RAW_SUFFIXES
from llie_helpers.data.matching import PairFiles, match, natural_sort
from llie_helpers.errors import CourseError

# Levels of folders that are searched: archives unpack as name/name/..., Kaggle mounts sets as
# datasets/owner/name/, and images are up to three levels below.
DEPTH = 8


@dataclass
class Listing:
    """The pairs of files found in ``folder``, and one sentence per problem."""

    folder: Path
    files: list[PairFiles]
    problems: list[str]

    def __post_init__(self) -> None:
        if not self.files:
            self.problems.append("it holds no pairs")


# Lists the pairs below a folder; None if the folder does not have this layout.
Layout = Callable[[Path], Listing | None]


def two_folders(low: Path, normal: Path) -> Listing:
    """List the pairs of any two folders, matched by name.

    Raises:
        CourseError: one of the folders does not exist.
    """
    for folder in (low, normal):
        if not folder.is_dir():
            raise CourseError(f"There is no folder {folder}; check its name.")
    return Listing(low, *match(images_in(low), images_in(normal)))


def split_folders(
    root: Path,
    splits: Mapping[str, tuple[str, str]],
    pairing: Callable[..., tuple[list[PairFiles], list[str]]] = match,
) -> Listing | None:
    """List a set that has a low and a normal folder for each split; case does not matter.

    Args:
        root: searched for the folder that contains most of them, at the lowest depth.
        splits: the two folders of each split; a set without official splits has only ``"all"``.
        pairing: pairs the files of two folders, as `match` does.
    """
    folders = {_parts(folder.relative_to(root)): folder for folder in _walk(root)}
    wanted = [_parts(path) for paths in splits.values() for path in paths]
    bases = Counter(
        parts[: -len(path)] for parts in folders for path in wanted if parts[-len(path) :] == path
    )
    if not bases:
        return None
    base = max(bases, key=bases.__getitem__)
    files: list[PairFiles] = []
    problems: list[str] = []
    for split, paths in splits.items():
        pair = [folders.get(base + _parts(path)) for path in paths]
        for folder, path in zip(pair, paths, strict=True):
            if folder is None:
                problems.append(f"there is no folder {folders[base] / path}")
        if all(pair):
            found, unmatched = pairing(*(images_in(folder) for folder in pair if folder), split)
            files += found
            problems += unmatched
    return Listing(folders[base], files, problems)


def bursts(short: list[Path], long: list[Path], _: str) -> tuple[list[PairFiles], list[str]]:
    """Pair the short with the long exposures of SID by scene.

    A name such as 10003_00_0.04s consists of the scene (10003), whose first digit is the
    split, the number in the burst and the exposure time. Many short exposures share one long
    exposure.
    """
    splits = {"0": "train", "1": "test", "2": "val"}
    normal = {path.stem[:5]: path for path in reversed(long)}
    files, problems = [], []
    for path in short:
        scene = path.stem[:5]
        if scene in normal and scene[0] in splits:
            files.append(PairFiles(path.stem, path, normal[scene], splits[scene[0]], scene))
        else:
            problems.append(f"{path} has no long-exposure partner")
    for scene in sorted(normal.keys() - {pair.scene for pair in files}):
        problems.append(f"{normal[scene]} has no short-exposure partner")
    return files, problems


def sice(root: Path) -> Listing | None:
    """List SICE: sequences 1/, 2/, ... of exposures from dark to bright, and Label/1.JPG, ...

    Part 1 is for training and part 2 for testing. The darker half of a sequence (3 of 7
    or 4 of 9 exposures) serves as low light, as in Guo et al., Zero-DCE, CVPR 2020.
    """
    files: list[PairFiles] = []
    problems: list[str] = []
    for labels in (folder for folder in _walk(root) if folder.name.lower() == "label"):
        part = re.findall(r"part[ _-]?(\d)", str(labels.relative_to(root)), re.I) or ["1"]
        split = "test" if part[-1] == "2" else "train"
        normal = {path.stem: path for path in images_in(labels)}
        for sequence in _subfolders(labels.parent):
            if not sequence.name.isdigit():
                continue
            scene = f"part{part[-1]}/{sequence.name}"
            exposures = {path.stem: path for path in images_in(sequence)}
            darker = natural_sort(exposures)[: len(exposures) // 2]
            if sequence.name not in normal:
                problems.append(f"{sequence} has no normal-light partner in Label")
                continue
            if not darker:
                problems.append(f"{sequence} holds fewer than two exposures")
            target = normal[sequence.name]
            for stem in darker:
                files.append(PairFiles(f"{scene}/{stem}", exposures[stem], target, split, scene))
    return Listing(root, files, problems) if files or problems else None


def images_in(folder: Path) -> list[Path]:
    """Return the image files directly in a folder, sorted, without hidden files."""
    suffixes = IMAGE_SUFFIXES | RAW_SUFFIXES
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
    )


def _walk(root: Path) -> Iterator[Path]:
    """Yield ``root`` and the folders below it, breadth first."""
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


def _parts(path: Path | str) -> tuple[str, ...]:
    return tuple(part.lower() for part in Path(path).parts)
