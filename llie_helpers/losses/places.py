"""Losses on means over 8x8 pixels: the light and colour of places, without noise and detail."""

from torch import Tensor
from torch.nn import functional as F

from llie_helpers.errors import CourseError
from llie_helpers.losses.precision import full_precision

CELL = 8  # pixels, side of the places
OFFSET = 0.05  # added to brightness, so that the colour of dark places counts less


@full_precision
def coarse(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Return the mean absolute error of the means over 8x8 pixels.

    Args:
        enhanced: images (N, C, H, W) in [0, 1], at least 8x8.
        normal: their targets, of the same shape.

    Raises:
        CourseError: the images are smaller.
    """
    return F.l1_loss(_means(enhanced), _means(normal))


@full_precision
def colour(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Return the mean absolute error of colours over 8x8 pixels, whatever their brightness.

    A colour is the place's mean divided by its brightness, ``c / (mean of r, g, b + 0.05)``. The
    gradient of L1 alone is that of brightness wherever the output is too dark or too bright.

    Args:
        enhanced: images (N, 3, H, W) in [0, 1], at least 8x8.
        normal: their targets, of the same shape.

    Raises:
        CourseError: the images are smaller.
    """
    return F.l1_loss(_colours(enhanced), _colours(normal))


def _means(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    if min(height, width) < CELL:
        raise CourseError(
            f"A loss on places needs images of at least {CELL}x{CELL} pixels, but these are "
            f"{width}x{height}; train on larger crops."
        )
    return F.avg_pool2d(image, CELL)


def _colours(image: Tensor) -> Tensor:
    means = _means(image)
    return means / (means.mean(dim=1, keepdim=True).clamp_min(0) + OFFSET)
