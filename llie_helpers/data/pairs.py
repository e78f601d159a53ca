"""Pairs of images of one scene: one taken in low light, one in normal light."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from llie_helpers.images import read_rgb, to_float


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


@dataclass(frozen=True, eq=False)
class DecodedFiles(Sequence):
    """Pairs of files as arrays, decoded anew each time: for sets too large for the cache."""

    files: Sequence["PairFiles"]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return read_rgb(self.files[index].low), read_rgb(self.files[index].normal)


class PairFiles(NamedTuple):
    """The two files of one pair, before they are decoded.

    ``scene`` is the scene's name where the data set tells it, else empty.
    """

    name: str
    low: Path
    normal: Path
    scene: str = ""


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


def natural_sort(names: Iterable[str]) -> list[str]:
    """Sort names so that numbers in them count as numbers: 2 before 10."""

    def key(name: str):
        # Splitting at numbers alternates text and number, so like meets like.
        parts = re.split(r"(\d+)", name)
        return [int(part) if i % 2 else part for i, part in enumerate(parts)], name

    return sorted(names, key=key)


# "low00001" and "normal00001", or "7_low" and "7_high": the side is not part of the name.
_SIDE = re.compile(r"^(low|normal|high)(?=[_-]?\d)[_-]?|[_-](low|normal|high)$", re.IGNORECASE)


def _by_key(files: Iterable[Path]) -> dict[str, list[Path]]:
    by_key = defaultdict(list)
    for path in sorted(files):
        by_key[_SIDE.sub("", path.stem)].append(path)
    return by_key
