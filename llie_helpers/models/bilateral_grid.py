"""Gains that depend on place and brightness: a bilateral grid, predicted from a thumbnail.

A lamp and the wall behind it are in one place but differ in brightness, so that each gets a gain
of its own. The grid is small, and smooth: gains between its knots are cubic B-splines, which have
continuous second derivatives, so that a sky shows neither bands nor the cells of the grid.

Papers:
    Chen, Paris and Durand, "Real-time edge-aware image processing with the bilateral grid",
        SIGGRAPH 2007.
    Gharbi, Chen, Barron, Hasinoff and Durand, "Deep bilateral learning for real-time image
        enhancement", SIGGRAPH 2017.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.images import Place, thumbnail

CELL = 4  # pixels, side of the means whose brightness chooses a gain; single pixels are noisy
DARK = 0.01  # added to values before their logarithm; what is darker is mostly noise


class GridPredictor(nn.Module):
    """Predict a bilateral grid of log gains from a thumbnail of the whole image."""

    SIDE = 64  # pixels, of the thumbnail; the grid has an eighth of it
    LEVELS = 12  # knots along the luminance axis of the grid

    def __init__(self) -> None:
        super().__init__()
        pairs = pairwise((9, 16, 16, 32))
        layers = [(nn.Conv2d(*pair, 3, stride=2, padding=1), nn.GELU()) for pair in pairs]
        self.low_level = nn.Sequential(*(part for layer in layers for part in layer))
        self.local_path = nn.Conv2d(32, 32, 3, padding=1)
        self.global_path = nn.Conv2d(32, 32, 3, stride=2, padding=1)
        self.global_head = nn.Linear(64, 32)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Conv2d(32, 3 * self.LEVELS, kernel_size=1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, whole: torch.Tensor) -> torch.Tensor:
        """Return log gains ``(N, 3, 12, 8, 8)``, at least 0, for images ``(N, 3, H, W)``."""
        small = thumbnail(whole, self.SIDE)
        log = (small + DARK).log()
        mean = log.mean(dim=(2, 3), keepdim=True)
        # Logarithms separate shadows, the values themselves highlights.
        seen = self.low_level(torch.cat([log / 1.5 + 2, log - mean, 4 * small - 1], dim=1))
        maps = F.gelu(self.global_path(seen)).flatten(2)
        pooled = torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1)
        overall = self.dropout(F.gelu(self.global_head(pooled)))
        gains = self.head(F.gelu(self.local_path(seen) + overall[..., None, None]))
        # Darker images are brightened more even before training.
        start = -mean.mean(dim=1, keepdim=True) / 2 - 0.3
        # Light is only added. The softplus has a gradient even where there is none to add.
        return F.softplus(gains + start, beta=4).unflatten(1, (3, self.LEVELS))


def gain_map(
    image: torch.Tensor, grid: torch.Tensor, place: Place, cell: int = CELL
) -> torch.Tensor:
    """Return the gains ``(N, 3, H, W)``, at least 1, of the pixels of a part of an image.

    Args:
        image: the part, ``(N, 3, H, W)`` in [0, 1]; ``cell`` divides H and W.
        grid: log gains ``(N, 3, levels, rows, columns)`` for the whole image.
        place: where the part is in the whole image; its edges are numbers, or tensors ``(N,)``.
        cell: side in pixels of the means that gains are looked up for.
    """
    means = F.avg_pool2d(image, cell)
    return upsample(slice_grid(grid, luminance(means), place).exp(), cell)


def illuminate(
    image: torch.Tensor, grid: torch.Tensor, place: Place, cell: int = CELL
) -> torch.Tensor:
    """Return ``image`` times its gains, at most 1; for the arguments see `gain_map`."""
    return (image * gain_map(image, grid, place, cell)).clamp_(max=1)


def luminance(image: torch.Tensor) -> torch.Tensor:
    """Return the mean of an RGB pixel's mean and maximum, ``(N, 1, H, W)``.

    The maximum tells a coloured lamp from a grey wall; the mean is less noisy.
    """
    return (image.mean(dim=1, keepdim=True) + image.amax(dim=1, keepdim=True)) / 2


def headroom(value: torch.Tensor) -> torch.Tensor:
    """Return ``1 - value ** 4``: how much may be added to a value; 0 at white."""
    return 1 - value.square().square()


def slice_grid(grid: torch.Tensor, guide: torch.Tensor, place: Place) -> torch.Tensor:
    """Look up log gains ``(N, 3, H, W)`` in a bilateral grid, by place and luminance.

    Cubic B-splines interpolate along each axis. For rows and columns they are matrix products; the
    levels are then maps, weighted by the splines of each pixel's luminance. Unlike
    ``grid_sample``, this can be exported, and is smooth.

    Args:
        grid: log gains ``(N, 3, levels, rows, columns)``.
        guide: luminance ``(N, 1, H, W)`` in [0, 1].
        place: see `gain_map`.
    """
    levels, rows, columns = grid.shape[-3:]
    ys = positions(place.top, place.bottom, guide, dim=2) * rows - 0.5
    xs = positions(place.left, place.right, guide, dim=3) * columns - 0.5
    down = spline_weights(ys[:, :, None], rows, dim=2)[:, None]  # (n, 1, H, rows)
    across = spline_weights(xs[:, None], columns, dim=1)[:, None]  # (n, 1, columns, W)
    maps = (down @ grid.flatten(1, 2) @ across).unflatten(1, (3, levels))
    # Knots at equal ratios of luminance, the first at black and the last at white.
    level = (guide / DARK + 1).log() * ((levels - 1) / math.log(1 / DARK + 1))
    log_gains = (maps * spline_weights(level, levels, dim=1)[:, None]).sum(dim=2)
    return log_gains * headroom(guide)


def positions(
    start: float | torch.Tensor, end: float | torch.Tensor, image: torch.Tensor, dim: int
) -> torch.Tensor:
    """Return the centres of the pixels along ``dim`` of ``image``, as fractions of the whole.

    Args:
        start: the image's first edge in the whole, a number or a tensor ``(N,)``.
        end: its last edge.
        image: ``(N, C, H, W)``.
        dim: 2 for rows, 3 for columns.

    Returns:
        ``(1, length)`` or ``(N, length)``, within [0, 1].
    """
    length = image.shape[dim]
    start, end = (torch.as_tensor(e, dtype=image.dtype, device=image.device) for e in (start, end))
    steps = (torch.arange(length, device=image.device) + 0.5) / length
    return (start.view(-1, 1) + (end - start).view(-1, 1) * steps).clamp(0, 1)


def spline_weights(position: torch.Tensor, count: int, dim: int) -> torch.Tensor:
    """Return the weights of ``count`` knots at 0, 1, 2, ... for each position.

    Outside the knots, the others share the weight of those that are missing.

    Args:
        position: coordinates, of size 1 along ``dim``.
        count: number of knots.
        dim: the dimension along which the result has the knots.
    """
    shape = [1] * position.dim()
    shape[dim] = count
    knots = torch.arange(count, device=position.device).view(shape)
    weights = cubic_bspline((position - knots).abs())
    return weights / weights.sum(dim=dim, keepdim=True)


def cubic_bspline(distance: torch.Tensor) -> torch.Tensor:
    """Return the cubic B-spline ``(max(2 - d, 0)^3 - 4 max(1 - d, 0)^3) / 6`` of distances.

    It is 2/3 at 0, and 0 from 2 on. At unit spacing such splines add up to 1.
    """
    wide, narrow = (2 - distance).clamp_min(0), (1 - distance).clamp_min(0)
    return (wide.pow(3) - 4 * narrow.pow(3)) / 6


def upsample(image: torch.Tensor, factor: int = CELL) -> torch.Tensor:
    """Enlarge ``image`` by bilinear interpolation; on a CPU faster than ``F.interpolate``."""
    if torch.compiler.is_compiling():  # also by export; in ONNX a single operation is faster
        return F.interpolate(image, scale_factor=float(factor), mode="bilinear")
    for dim in (3, 2):
        length = image.shape[dim]
        before = torch.cat([image.narrow(dim, 0, 1), image.narrow(dim, 0, length - 1)], dim)
        after = torch.cat([image.narrow(dim, 1, length - 1), image.narrow(dim, -1, 1)], dim)
        # Centres of the new pixels, from that of the old one, in old pixels.
        offsets = [(i + 0.5) / factor - 0.5 for i in range(factor)]
        parts = [torch.lerp(image, before if d < 0 else after, abs(d)) for d in offsets]
        image = torch.stack(parts, dim + 1).flatten(dim, dim + 1)
    return image
