"""Large photographs in bounded memory: overlapping tiles, blended so that no seam shows."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.nn import functional as F

from .images import to_float
from .models.dual_branch import DualBranch, ExposureJudge

TILE = 768  # pixels; about 0.3 GB of memory for `dual_branch`
# Both are multiples of 64, so that the windows of `dual_branch` lie alike in all tiles.
OVERLAP = 64


@torch.no_grad()
def in_tiles(
    network: Callable[[torch.Tensor], torch.Tensor],
    image: np.ndarray | torch.Tensor,
    finish: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Enhance a photograph of any size tile by tile.

    Where the exposure depends on the whole photograph (`DualBranch`), it is decided once, from
    a thumbnail. Neighbouring tiles overlap and fade into one another with the two halves of a
    Hann window, which add up to 1.

    Args:
        network: maps ``(1, 3, h, w)`` in [0, 1] to the same.
        image: ``(H, W, 3)`` RGB, uint8 or uint16, at least 16x16; or ``(3, H, W)`` in [0, 1].
        finish: given what the network made of a tile and the tile, returns what to keep.

    Returns:
        ``(3, H, W)`` in [0, 1], on the CPU.
    """
    given = isinstance(image, torch.Tensor)
    height, width = image.shape[-2:] if given else image.shape[:2]
    device = next((p.device for p in getattr(network, "parameters", list)()), "cpu")
    judged = []
    if isinstance(network, DualBranch):
        judged = [network.judge(thumbnail(image).to(device))]
    enhanced = torch.zeros(3, height, width)
    for rows in spans(height):
        for columns in spans(width):
            tile = image[:, rows, columns] if given else to_float(image[rows, columns])
            tile = tile[None].to(device)
            output = network(tile, *judged).clamp(0, 1)
            output = finish(output, tile) if finish else output
            weight = fade(rows, height)[:, None] * fade(columns, width)
            enhanced[:, rows, columns] += output[0].cpu() * weight
    return enhanced


def spans(length: int) -> Iterator[slice]:
    """Where tiles lie along one side of ``length`` pixels; the last one may be shorter."""
    for start in range(0, max(length - OVERLAP, 1), TILE - OVERLAP):
        yield slice(start, min(start + TILE, length))


def fade(span: slice, length: int) -> torch.Tensor:
    """Weights of a tile along one side: 1, and less where it overlaps a neighbour; never 0."""
    ramp = torch.sin((torch.arange(OVERLAP) + 0.5) / OVERLAP * torch.pi / 2) ** 2
    weights = torch.ones(span.stop - span.start)
    if span.start > 0:
        weights[:OVERLAP] *= ramp
    if span.stop < length:
        weights[-OVERLAP:] *= ramp.flip(0)
    return weights


def thumbnail(image: np.ndarray | torch.Tensor) -> torch.Tensor:
    """What the judge of exposure sees of a photograph: ``(1, 3, 64, 64)``."""
    side = ExposureJudge.SIDE
    if isinstance(image, torch.Tensor):
        return F.adaptive_avg_pool2d(image, side)[None]
    # A band at a time: the whole photograph as floats would take much memory.
    bands = (to_float(image[top : top + TILE]) for top in range(0, len(image), TILE))
    rows = [F.adaptive_avg_pool2d(band, (None, side)) for band in bands]
    return F.adaptive_avg_pool2d(torch.cat(rows, dim=1), side)[None]
