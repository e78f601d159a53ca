"""Large photographs in bounded memory: overlapping tiles, blended so that no seam shows."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

from .images import to_float
from .models.dual_branch import DualBranch, ExposureJudge

TILE = 768  # pixels; about 0.3 GB of memory for `dual_branch`
# Both are multiples of 64, so that the windows of `dual_branch` lie alike in all tiles.
OVERLAP = 64


@torch.no_grad()
def in_tiles(
    network: Callable[[torch.Tensor], torch.Tensor],
    image: np.ndarray,
    device: str | torch.device = "cpu",
    progress: bool = False,
) -> torch.Tensor:
    """Enhance a photograph of any size tile by tile.

    Where the exposure depends on the whole photograph (`DualBranch`), it is decided once, from
    a thumbnail. Neighbouring tiles overlap and fade into one another with the two halves of a
    Hann window, which add up to 1.

    Args:
        network: maps ``(1, 3, h, w)`` in [0, 1] to the same.
        image: ``(H, W, 3)`` RGB, uint8 or uint16, at least 16x16.

    Returns:
        ``(3, H, W)`` in [0, 1], on the CPU.
    """
    height, width, _ = image.shape
    whole = {}
    if isinstance(network, DualBranch):
        whole = {"whole": thumbnail(image).to(device)}
    enhanced = torch.zeros(3, height, width)
    places = [(rows, columns) for rows in spans(height) for columns in spans(width)]
    for rows, columns in tqdm(places, unit="tile", disable=not progress):
        tile = to_float(image[rows, columns])[None].to(device)
        weight = fade(rows, height)[:, None] * fade(columns, width)
        enhanced[:, rows, columns] += network(tile, **whole)[0].clamp(0, 1).cpu() * weight
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


def thumbnail(image: np.ndarray) -> torch.Tensor:
    """What the judge of exposure sees of ``(H, W, 3)``: ``(1, 3, 64, 64)``, by rows of bands."""
    side = ExposureJudge.SIDE
    # Averaged from floats, but never with the whole photograph as floats at once.
    rows = [F.adaptive_avg_pool2d(to_float(band), (None, side)) for band in bands(image)]
    return F.adaptive_avg_pool2d(torch.cat(rows, dim=1), side)[None]


def bands(image: np.ndarray, height: int = 256) -> Iterator[np.ndarray]:
    for top in range(0, len(image), height):
        yield image[top : top + height]
