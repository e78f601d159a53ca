"""Diagnoses that use the target: what an error consists of, and which detail is true."""

import torch
import torch.nn.functional as F
from torch import Tensor

from llie_helpers.errors import CourseError
from llie_helpers.metrics.scores import as_batches, match_gt_mean

PARTS = ("brightness", "light", "colour", "detail")
LOCAL = 8  # pixels, the side of the squares whose means are local light and colour
FINE = 9  # pixels; detail is what differs from the mean of a window of this side
NOTHING = 1e-11  # mean squared detail of a uniform image is below this, by rounding


def error_parts(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Split the mean squared error of each image into four parts that add up to it.

    What `match_gt_mean` removes is an error of brightness. Of the rest, the means over 8x8 pixels
    are local: light is what the errors of the three channels have in common, colour what is left.
    Deviations from the means are detail, noise included; means and deviations are orthogonal.

    Args:
        enhanced: images (N, 3, H, W) or (3, H, W) in [0, 1]; sides are cut to multiples of 8.
        normal: their targets, of the same shape.

    Returns:
        (N, 4) squared errors in the order of `PARTS`. The first is negative for an image that the
        gain makes worse.

    Raises:
        CourseError: the two shapes differ, are not images, or are smaller than a square.
    """
    enhanced, normal = as_batches(enhanced, normal)
    height, width = normal.shape[-2:]
    if min(height, width) < LOCAL:
        raise CourseError(
            f"The parts of an error need images of at least {LOCAL}x{LOCAL} pixels, but this one "
            f"is {width}x{height}; use a larger image."
        )
    height, width = (side // LOCAL * LOCAL for side in normal.shape[-2:])
    before = (enhanced - normal)[..., :height, :width]
    after = (match_gt_mean(enhanced, normal) - normal)[..., :height, :width]
    whole, left = (error.square().mean(dim=(1, 2, 3)) for error in (before, after))
    places = F.avg_pool2d(after, LOCAL)
    local, light = places.square().mean(dim=(1, 2, 3)), places.mean(dim=1).square().mean(dim=(1, 2))
    return torch.stack([whole - left, light, local - light, left - local], dim=1)


def true_and_false_detail(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Measure how much of the target's detail an output has, and how much it has beside it.

    Detail is an image less its local mean, here of the output scaled by `match_gt_mean`. The
    target's detail is fitted to the output's by one factor (least squares): what it explains is
    true, the rest, be it noise or invention, is false. Where the factor is negative, all is false.

    Args:
        enhanced: images (N, 3, H, W) or (3, H, W) in [0, 1].
        normal: their targets, of the same shape.

    Returns:
        (N, 2) amplitudes of true and of false detail, as shares of the target's: (1, 0) for the
        target itself, NaN for a target without detail.

    Raises:
        CourseError: the two shapes differ or are not images.
    """
    enhanced, normal = as_batches(enhanced, normal)
    made, real = _fine(match_gt_mean(enhanced, normal)), _fine(normal)
    energy = real.square().mean(dim=(1, 2, 3))
    energy = torch.where(energy > NOTHING, energy, torch.nan)
    # Detail that is the wrong way round is no true one.
    true = ((made * real).mean(dim=(1, 2, 3)) / energy).clamp_min(0)
    rest = made - true[:, None, None, None] * real
    false = (rest.square().mean(dim=(1, 2, 3)) / energy).sqrt()
    return torch.stack([true, false], dim=1)


def _fine(images: Tensor) -> Tensor:
    around = F.avg_pool2d(images, FINE, stride=1, padding=FINE // 2, count_include_pad=False)
    return images - around
