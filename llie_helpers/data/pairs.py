"""Pairs of images of one scene, taken in low light and in normal light."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, Protocol, overload

import cv2
import numpy as np
import torch

from llie_helpers.images import to_float

# Low and normal, each uint8 (H, W, 3) RGB.
RawPair = tuple[np.ndarray, np.ndarray]


class Pair(NamedTuple):
    """One scene twice: ``low`` and ``normal`` are ``(3, H, W)`` float32, RGB, in [0, 1]."""

    low: torch.Tensor
    normal: torch.Tensor
    name: str
    scene: int


class Arrays(Protocol):
    """Raw pairs by number: a list, views of a memory map, or `Lazy`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> RawPair: ...


@dataclass(frozen=True, eq=False)
class Lazy:
    """Raw pairs computed on access: number ``i`` is ``calls[i]()``."""

    calls: Sequence[Callable[[], RawPair]]

    def __len__(self) -> int:
        return len(self.calls)

    def __getitem__(self, index: int, /) -> RawPair:
        return self.calls[index]()


@dataclass(frozen=True, eq=False)
class Pairs(Sequence[Pair]):
    """An immutable sequence of image pairs; ``pairs[i]`` is a `Pair`.

    Args:
        title: what messages call the pairs, such as ``"embedded/train"``.
        names: one name per pair.
        scenes: one number per pair; pairs that show the same scene share it.
        arrays: per pair ``(low, normal)``, uint8 ``(H, W, 3)`` RGB.
    """

    title: str
    names: tuple[str, ...]
    scenes: tuple[int, ...]
    arrays: Arrays

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice) -> "Pairs": ...

    def __getitem__(self, index: int | slice) -> "Pair | Pairs":
        if isinstance(index, slice):
            return self.subset(range(len(self))[index])
        low, normal = self.raw(index)
        return Pair(to_float(low), to_float(normal), self.names[index], self.scenes[index])

    def __repr__(self) -> str:
        return f"Pairs({self.title!r}, {len(self)} pairs, {len(set(self.scenes))} scenes)"

    def raw(self, index: int) -> RawPair:
        """Return ``(low, normal)`` as stored, uint8 ``(H, W, 3)``, without a copy if possible."""
        return self.arrays[index]

    def subset(self, indices: Iterable[int], title: str | None = None) -> "Pairs":
        """Return the pairs at ``indices``, in that order, without decoding them."""
        chosen = [int(index) for index in indices]
        return Pairs(
            title or self.title,
            tuple(self.names[i] for i in chosen),
            tuple(self.scenes[i] for i in chosen),
            Lazy([partial(self.raw, i) for i in chosen]),
        )

    def resized(self, size: int) -> "Pairs":
        """Return all pairs resized to squares of ``size`` pixels; the aspect ratio changes."""
        arrays = []
        for i in range(len(self)):
            low, normal = (cv2.resize(image, (size, size)) for image in self.raw(i))
            arrays.append((low, normal))
        return Pairs(f"{self.title} at {size}x{size}", self.names, self.scenes, arrays)


def concatenate(*parts: Pairs) -> Pairs:
    """Return the pairs of all ``parts`` one after the other, without decoding them.

    Scene numbers are kept: the parts must be splits of one data set.
    """
    return Pairs(
        " and ".join(part.title for part in parts),
        tuple(name for part in parts for name in part.names),
        tuple(scene for part in parts for scene in part.scenes),
        Lazy([partial(part.raw, i) for part in parts for i in range(len(part))]),
    )


def mix(parts: Sequence[Pairs], balance: bool = False) -> Pairs:
    """Return the pairs of several data sets as one; their scenes stay apart.

    Args:
        parts: pairs of different data sets.
        balance: repeat pairs of the smaller sets until all are as large as the largest, so that
            random crops come from each equally often.
    """
    longest = max(map(len, parts))
    mixed, scenes = [], 0
    for part in parts:
        if balance and len(part):
            part = part.subset(i % len(part) for i in range(longest))
        mixed.append(replace(part, scenes=tuple(scenes + scene for scene in part.scenes)))
        scenes += 1 + max(part.scenes, default=-1)
    return concatenate(*mixed)
