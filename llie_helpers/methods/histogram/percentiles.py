"""Percentiles of images, and tone curves that map one set of them to another."""

from collections.abc import Sequence
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor

from llie_helpers.data.pairs import Lazy, Pairs, RawPair
from llie_helpers.images import to_uint8

# In percent. The two ends keep the order of the darkest and brightest values.
Q = (0.0, 1.0, *(5.0 * step for step in range(1, 20)), 99.0, 100.0)


def percentiles(image: Tensor, q: Sequence[float] = Q) -> Tensor:
    """Return percentiles of each channel's 8-bit levels; equal to ``numpy.percentile``, but faster.

    Args:
        image: (3, H, W) or (N, 3, H, W) in [0, 1].
        q: levels in percent, in [0, 100].

    Returns:
        (3, len(q)) or (N, 3, len(q)), float32, in [0, 1] like the image.
    """
    images = image.reshape(-1, *image.shape[-3:])
    planes = [plane for each in images for plane in to_uint8(each).transpose(2, 0, 1)]
    position = np.asarray(q, np.float64) / 100 * (planes[0].size - 1)
    below = np.floor(position)
    values = []
    for plane in planes:
        # The k-th smallest 8-bit value is where the cumulative histogram exceeds k.
        cumulative = np.bincount(plane.ravel(), minlength=256).cumsum()
        low, high = (
            cumulative.searchsorted(rank, side="right") for rank in (below, np.ceil(position))
        )
        values.append(low + (position - below) * (high - low))
    result = torch.from_numpy(np.stack(values) / 255)
    return result.float().reshape(*image.shape[:-2], len(q)).to(image.device)


def pair_percentiles(pairs: Pairs, q: Sequence[float] = Q) -> tuple[np.ndarray, np.ndarray]:
    """Return percentiles of all low and of all normal images, both (len(pairs), 3, len(q))."""
    found = [(percentiles(pair.low, q), percentiles(pair.normal, q)) for pair in pairs]
    low, normal = zip(*found, strict=True)
    return torch.stack(low).numpy(), torch.stack(normal).numpy()


def map_histogram(image: Tensor, targets: Tensor, source: Tensor | None = None) -> Tensor:
    """Map each channel to its target percentiles with a piecewise-linear tone curve.

    The curve goes through the points (percentile of the image, target percentile). If several
    percentiles of the image are equal, their targets are averaged.

    Args:
        image: (3, H, W) or (N, 3, H, W) in [0, 1].
        targets: percentiles at `Q`, (3, len(Q)) or (N, 3, len(Q)), sorted along the last axis.
        source: percentiles of the photograph that ``image`` is a part of, shaped like ``targets``;
            by default those of ``image``.

    Returns:
        Images shaped like ``image``, within the range of their targets.
    """
    source = percentiles(image) if source is None else source
    # NumPy has no bfloat16.
    sources, ends = (each.float().reshape(-1, len(Q)).cpu().numpy() for each in (source, targets))
    planes = image.detach().float().reshape(len(sources), -1).cpu().numpy()
    curves = zip(planes, sources, ends, strict=True)
    mapped = [_tone_curve(*curve) for curve in curves]
    return torch.from_numpy(np.stack(mapped)).reshape(image.shape).to(image)


def _tone_curve(plane: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    points, owner, count = np.unique(source, return_inverse=True, return_counts=True)
    return np.interp(plane, points, np.bincount(owner, target) / count)


def mapped(pairs: Pairs, targets: Tensor) -> Pairs:
    """Map each low image of ``pairs`` to its ``targets`` (len(pairs), 3, len(Q)).

    Images are mapped on first access, rounded to 8 bits, and kept in memory.
    """

    @cache
    def low(index: int) -> np.ndarray:
        return to_uint8(map_histogram(pairs[index].low, targets[index]))

    def pair(index: int) -> RawPair:
        return low(index), pairs.raw(index)[1]

    arrays = Lazy([partial(pair, i) for i in range(len(pairs))])
    return Pairs(f"{pairs.title}, mapped", pairs.names, pairs.scenes, arrays)
