"""Enhance large photographs in overlapping tiles, blended without visible seams."""

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from llie_helpers.images import WHOLE, Place, to_float
from llie_helpers.methods import Method

TILE = 1152  # pixels; about 0.3 GB of memory for `dual_branch`
# A multiple of 64, as is TILE, so that the windows of `dual_branch` align in all tiles. Within a
# third of it from its border a tile is not used: `dual_branch` lacks surroundings there, which
# changes values by up to 32/255, but beyond 72 pixels by less than 0.1/255.
OVERLAP = 192

Postprocess = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@torch.no_grad()
def enhance_tiled(
    method: Method,
    image: np.ndarray | torch.Tensor,
    postprocess: Postprocess | None = None,
    context: Any = None,
) -> torch.Tensor:
    """Enhance a photograph of any size, tile by tile if it is large.

    The whole photograph is analysed once (`Method.prepare`). Neighbouring tiles overlap and are
    blended across the middle third of their overlap with the halves of a Hann window, which add up
    to 1.

    Args:
        method: what to enhance with.
        image: ``(H, W, 3)`` RGB, uint8 or uint16, at least 16x16; or ``(3, H, W)`` in [0, 1].
        postprocess: applied to an enhanced tile and the input tile, both ``(1, 3, h, w)``.
        context: what to know of the whole photograph; by default, what the method prepares.

    Returns:
        ``(3, H, W)`` in [0, 1], on the CPU.
    """
    height, width = image.shape[1:] if isinstance(image, torch.Tensor) else image.shape[:2]

    def crop(rows: slice, columns: slice) -> torch.Tensor:
        # Only the crop becomes float, which takes four times the memory.
        if isinstance(image, torch.Tensor):
            part = image[:, rows, columns]
        else:
            part = to_float(image[rows, columns])
        return part[None].to(method.device)

    def enhance(part: torch.Tensor, place: Place) -> torch.Tensor:
        output = method(part, context, place).clamp(0, 1)
        return (postprocess(output, part).clamp(0, 1) if postprocess else output)[0].cpu()

    whole = slice(height), slice(width)
    context = method.prepare(crop(*whole)) if context is None else context
    if height * width <= TILE**2:
        return enhance(crop(*whole), WHOLE)
    enhanced = torch.zeros(3, height, width)
    for rows in tile_slices(height):
        for columns in tile_slices(width):
            place = Place(
                rows.start / height, columns.start / width, rows.stop / height, columns.stop / width
            )
            weight = blend_weights(rows, height)[:, None] * blend_weights(columns, width)
            enhanced[:, rows, columns] += enhance(crop(rows, columns), place) * weight
    return_freed_memory()
    # The weights add up to 1 only up to rounding.
    return enhanced.clamp_(0, 1)


def return_freed_memory() -> None:
    """Return the memory of the tiles to the system; glibc would keep some 0.2 GB of it."""
    with contextlib.suppress(AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def tile_slices(length: int) -> Iterator[slice]:
    """Yield the tiles along one side of ``length`` pixels; the last one may be shorter."""
    for start in range(0, max(length - OVERLAP, 1), TILE - OVERLAP):
        yield slice(start, min(start + TILE, length))


def blend_weights(span: slice, length: int) -> torch.Tensor:
    """Return the weights of a tile along one side: 1, or less where it overlaps another tile."""
    across = (torch.arange(OVERLAP) + 0.5) / OVERLAP
    ramp = torch.sin((3 * across - 1).clamp(0, 1) * torch.pi / 2) ** 2
    weights = torch.ones(span.stop - span.start)
    if span.start > 0:
        weights[:OVERLAP] *= ramp
    if span.stop < length:
        weights[-OVERLAP:] *= ramp.flip(0)
    return weights
