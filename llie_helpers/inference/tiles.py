"""Large photographs in bounded memory: overlapping tiles, blended so that no seam shows."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from llie_helpers.images import Place, to_float
from llie_helpers.methods import Method

TILE = 768  # pixels; about 0.3 GB of memory for `dual_branch`
# Both are multiples of 64, so that the windows of `dual_branch` lie alike in all tiles.
OVERLAP = 64

Postprocess = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@torch.no_grad()
def enhance_tiled(
    method: Method, image: np.ndarray | torch.Tensor, postprocess: Postprocess | None = None
) -> torch.Tensor:
    """Enhance a photograph of any size tile by tile.

    The method looks at the whole photograph once (`Method.prepare`). Neighbouring tiles overlap
    and are blended with the two halves of a Hann window, which add up to 1.

    Args:
        method: what to enhance with.
        image: ``(H, W, 3)`` RGB, uint8 or uint16, at least 16x16; or ``(3, H, W)`` in [0, 1].
        postprocess: given an enhanced tile and the tile, both ``(1, 3, h, w)``, returns what to
            keep.

    Returns:
        ``(3, H, W)`` in [0, 1], on the CPU.
    """
    whole = (image if isinstance(image, torch.Tensor) else to_float(image))[None].to(method.device)
    height, width = whole.shape[-2:]
    context = method.prepare(whole)
    enhanced = torch.zeros(3, height, width)
    for rows in tile_slices(height):
        for columns in tile_slices(width):
            tile = whole[..., rows, columns]
            place = Place(
                rows.start / height, columns.start / width, rows.stop / height, columns.stop / width
            )
            output = method(tile, context, place).clamp(0, 1)
            output = postprocess(output, tile) if postprocess else output
            weight = blend_weights(rows, height)[:, None] * blend_weights(columns, width)
            enhanced[:, rows, columns] += output[0].cpu() * weight
    return enhanced.clamp_(0, 1)


def tile_slices(length: int) -> Iterator[slice]:
    """Where tiles lie along one side of ``length`` pixels; the last one may be shorter."""
    for start in range(0, max(length - OVERLAP, 1), TILE - OVERLAP):
        yield slice(start, min(start + TILE, length))


def blend_weights(span: slice, length: int) -> torch.Tensor:
    """Weights of a tile along one side: 1, and less where it overlaps a neighbour; never 0."""
    ramp = torch.sin((torch.arange(OVERLAP) + 0.5) / OVERLAP * torch.pi / 2) ** 2
    weights = torch.ones(span.stop - span.start)
    if span.start > 0:
        weights[:OVERLAP] *= ramp
    if span.stop < length:
        weights[-OVERLAP:] *= ramp.flip(0)
    return weights
