"""Pairs of images of one scene: one taken in low light, one in normal light."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..errors import CourseError
from ..images import read_rgb, to_float


class Pair(NamedTuple):
    """One scene twice: ``low`` and ``normal`` are ``(3, H, W)`` float32, RGB, in [0, 1]."""

    low: torch.Tensor
    normal: torch.Tensor
    name: str
    scene: int


@dataclass(frozen=True, eq=False)
class Pairs(Sequence):
    """An immutable sequence of image pairs; ``pairs[i]`` is a `Pair`.

    Args:
        title: what it is, such as ``"embedded/train"``.
        names: one name per pair.
        scenes: one number per pair; pairs that show the same scene share it.
        arrays: per pair ``(low, normal)``, uint8 ``(H, W, 3)`` RGB. Any sequence: a
            list in memory, views of a memory map, or files decoded when asked for.
    """

    title: str
    names: tuple[str, ...]
    scenes: tuple[int, ...]
    arrays: Sequence[tuple[np.ndarray, np.ndarray]]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int | slice) -> "Pair | Pairs":
        if isinstance(index, slice):
            return self.subset(range(len(self))[index])
        low, normal = self.raw(index)
        return Pair(to_float(low), to_float(normal), self.names[index], self.scenes[index])

    def __repr__(self) -> str:
        return f"Pairs({self.title!r}, {len(self)} pairs, {len(set(self.scenes))} scenes)"

    def raw(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ``(low, normal)`` as stored, uint8 ``(H, W, 3)``, not copied where possible."""
        return self.arrays[index]

    def subset(self, indices: Iterable[int], title: str | None = None) -> "Pairs":
        """Return the pairs at ``indices``, in that order, decoding nothing."""
        indices = tuple(int(index) for index in indices)
        return Pairs(
            title or self.title,
            tuple(self.names[i] for i in indices),
            tuple(self.scenes[i] for i in indices),
            Picked(self.arrays, indices),
        )


@dataclass(frozen=True, eq=False)
class Picked(Sequence):
    """Some elements of a sequence, fetched only when they are asked for."""

    source: Sequence
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int):
        return self.source[self.indices[index]]


class PairFiles(NamedTuple):
    """The two files of one pair, before they are decoded."""

    name: str
    low: Path
    normal: Path


@dataclass(frozen=True)
class Report:
    """What a check of image pairs found: ``str(report)`` is for people, ``ok`` for scripts."""

    title: str
    counts: dict[str, int]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; a warning, such as an unusual count, is no problem."""
        return not self.problems

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {split}" for split, count in self.counts.items())
        lines = [f"{self.title}: {counts or 'no'} pairs, {'ok' if self.ok else 'not usable'}"]
        lines += [f"  problem: {problem}" for problem in self.problems]
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def raise_problems(self) -> None:
        """Raise a `CourseError` that sums up the problems, if there are any."""
        if self.problems:
            raise CourseError(f"{self.title} is not usable: {some(self.problems, '; ')}.")


def match(
    low_files: Iterable[Path], normal_files: Iterable[Path]
) -> tuple[list[PairFiles], list[str]]:
    """Pair files by name, never by their order in a folder.

    ``low/2.png`` belongs to ``normal/2.jpg``, ``low00001.png`` to ``normal00001.png``
    and ``7_low.png`` to ``7_high.png``.

    Returns:
        The pairs in natural order (2 before 10) and a list of problems: files
        without a partner and names that are taken twice.
    """
    low, normal = _by_key(low_files), _by_key(normal_files)
    problems = []
    for side in (low, normal):
        for files in side.values():
            if len(files) > 1:
                problems.append(f"{' and '.join(map(str, files))} have the same name")
    for one, other, missing in ((low, normal, "normal-light"), (normal, low, "low-light")):
        for key in natural_sort(one.keys() - other.keys()):
            problems.append(f"{one[key][0]} has no {missing} partner")
    both = natural_sort(low.keys() & normal.keys())
    return [PairFiles(key, low[key][0], normal[key][0]) for key in both], problems


def inspect(files: Sequence[PairFiles], progress: bool = False) -> list[str]:
    """Decode every file and return the problems: unreadable files and sizes that differ."""
    from tqdm.auto import tqdm

    with ThreadPoolExecutor() as pool:
        found = tqdm(
            pool.map(_inspect_one, files),
            "checking pairs",
            total=len(files),
            disable=not progress,
            delay=2,
        )
        return [problem for problem in found if problem]


def natural_sort(names: Iterable[str]) -> list[str]:
    """Sort names so that numbers in them count as numbers: 2 before 10."""
    return sorted(
        names,
        key=lambda name: [
            (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)
        ],
    )


def some(items: Sequence[str], separator: str = ", ", most: int = 5) -> str:
    """Join the first few ``items`` and say how many more there are."""
    more = len(items) - most
    return separator.join(items[:most]) + (f"{separator}and {more} more" if more > 0 else "")


# "low00001" and "normal00001", or "7_low" and "7_high": the side is not part of the name.
_SIDE = re.compile(r"^(low|normal|high)(?=[_-]?\d)[_-]?|[_-](low|normal|high)$", re.IGNORECASE)


def _by_key(files: Iterable[Path]) -> dict[str, list[Path]]:
    by_key = defaultdict(list)
    for path in sorted(files):
        by_key[_SIDE.sub("", path.stem)].append(path)
    return by_key


def _inspect_one(pair: PairFiles) -> str | None:
    try:
        low, normal = read_rgb(pair.low), read_rgb(pair.normal)
    except CourseError as error:
        return str(error).rstrip(".")
    if low.shape != normal.shape:
        sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (low, normal)]
        return f"{pair.low} is {sizes[0]} but {pair.normal} is {sizes[1]}"
    return None
