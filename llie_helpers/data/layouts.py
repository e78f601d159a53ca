"""Layouts of data sets on disk; each lists the pairs among folders of images."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path

from llie_helpers.data.folders import Folders
from llie_helpers.data.matching import PairFiles, by_number, match, natural_sort, number
from llie_helpers.errors import CourseError

# A dark folder has less than this share of the other's light.
DARKER = 0.8


@dataclass
class Listing:
    """The pairs of files found in ``folder``.

    Args:
        folder: the set's own folder, where it was found.
        files: the pairs.
        left_out: a sentence for each file that is in no pair.
        problems: why the set cannot be used at all, such as a missing folder.
    """

    folder: Path
    files: list[PairFiles]
    left_out: list[str]
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.files and not self.problems:
            self.problems.append("it holds no pairs")


# Lists the pairs among folders of images; None if they do not have this layout.
Layout = Callable[[Folders], Listing | None]


def split_folders(
    folders: Folders,
    splits: Mapping[str, tuple[str, str]],
    pairing: Callable[..., tuple[list[PairFiles], list[str]]] = match,
) -> Listing | None:
    """List a set that has a low and a normal folder for each split; case does not matter.

    Args:
        folders: searched for the folder that contains most of them, at the lowest depth.
        splits: the two folders of each split; a set without official splits has only ``"all"``.
        pairing: pairs the files of two folders, as `match` does.
    """
    root = next(iter(folders))
    by_parts = {_parts(folder.relative_to(root)): folder for folder in folders}
    wanted = [_parts(path) for paths in splits.values() for path in paths]
    bases = Counter(
        parts[: -len(path)] for parts in by_parts for path in wanted if parts[-len(path) :] == path
    )
    if not bases:
        return None
    base = max(bases, key=bases.__getitem__)
    files: list[PairFiles] = []
    left_out: list[str] = []
    problems: list[str] = []
    for split, paths in splits.items():
        pair = [by_parts.get(base + _parts(path)) for path in paths]
        absent = [path for path, folder in zip(paths, pair, strict=True) if folder is None]
        problems += [f"there is no folder {by_parts[base] / path}" for path in absent]
        if not absent:
            found, unmatched = pairing(*(folders[folder] for folder in pair if folder), split)
            files += found
            left_out += unmatched
            if not found:
                problems.append(f"{' and '.join(map(str, pair))} hold no pairs")
    return Listing(by_parts[base], files, left_out, problems)


def numbered(folders: Folders, test: frozenset[int]) -> Listing | None:
    """List a set whose files are numbered, whatever its folders are called.

    The two folders of a split are siblings with the same numbers, one of them darker. Those of
    the test split have only numbers in ``test``, and those of the training split none of them.
    """
    siblings: dict[tuple[str, Path], list[Path]] = defaultdict(list)
    for folder, images in folders.items():
        numbers = {number(path) for path in images} - {None}
        if numbers and (numbers <= test or not numbers & test):
            siblings["test" if numbers <= test else "train", folder.parent].append(folder)
    couples: dict[str, list[tuple[Path, Path]]] = {"train": [], "test": []}
    for (split, _), pair in siblings.items():
        if len(pair) == 2 and (couple := _darker_first(folders, *pair)):
            couples[split].append(couple)
    # Of several copies of a set, the two splits that are closest together belong together.
    bases = {
        (train, test): Path(os.path.commonpath([*train, *test]))
        for train, test in product(*couples.values())
    }
    if not bases:
        return None
    sides = max(bases, key=lambda both: len(bases[both].parts))
    files: list[PairFiles] = []
    left_out: list[str] = []
    for split, (low, normal) in zip(couples, sides, strict=True):
        found, unmatched = match(folders[low], folders[normal], split, by_number)
        files += found
        left_out += unmatched
    return Listing(bases[sides], files, left_out)


def _darker_first(folders: Folders, one: Path, other: Path) -> tuple[Path, Path] | None:
    """Return two folders, the darker first; None if they hold other numbers or equal light.

    Where no image can be read, as in an archive, the order is the given one.
    """
    pairs, alone = match(folders[one], folders[other], "", by_number)
    if len(alone) > len(pairs):
        return None
    light = islice(filter(None, map(_light, pairs)), 3)
    first, second = map(sum, zip((0.0, 0.0), *light, strict=True))
    if min(first, second) > DARKER * max(first, second) > 0:
        return None
    return (one, other) if first <= second else (other, one)


def _light(pair: PairFiles) -> tuple[float, float] | None:
    """Return the means of a pair's images, or None if one cannot be read."""
    try:
        low, normal = pair.read()
    except CourseError:
        return None
    return float(low.mean()), float(normal.mean())


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


def sice(folders: Folders) -> Listing | None:
    """List SICE: sequences 1/, 2/, ... of exposures from dark to bright, and Label/1.JPG, ...

    Part 1 is for training and part 2 for testing. The darker half of a sequence (3 of 7
    or 4 of 9 exposures) serves as low light, as in Guo et al., Zero-DCE, CVPR 2020.
    """
    root = next(iter(folders))
    files: list[PairFiles] = []
    left_out: list[str] = []
    for labels in (folder for folder in folders if folder.name.lower() == "label"):
        part = re.findall(r"part[ _-]?(\d)", str(labels.relative_to(root)), re.I) or ["1"]
        split = "test" if part[-1] == "2" else "train"
        normal = {path.stem: path for path in folders[labels]}
        for sequence in (folder for folder in folders if folder.parent == labels.parent):
            if not sequence.name.isdigit():
                continue
            scene = f"part{part[-1]}/{sequence.name}"
            exposures = {path.stem: path for path in folders[sequence]}
            darker = natural_sort(exposures)[: len(exposures) // 2]
            if sequence.name not in normal:
                left_out.append(f"{sequence} has no normal-light partner in Label")
                continue
            if not darker:
                left_out.append(f"{sequence} holds fewer than two exposures")
            target = normal[sequence.name]
            for stem in darker:
                files.append(PairFiles(f"{scene}/{stem}", exposures[stem], target, split, scene))
    return Listing(root, files, left_out) if files or left_out else None


def _parts(path: Path | str) -> tuple[str, ...]:
    return tuple(part.lower() for part in Path(path).parts)
