"""A decorator for loss terms: full precision, and a check of shapes."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from llie_helpers.errors import CourseError


def full_precision(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Run ``loss(enhanced, normal)`` in float32, or float64 if given that, even under autocast."""

    @functools.wraps(loss)
    def wrapped(enhanced: Tensor, normal: Tensor) -> Tensor:
        check_shapes(enhanced, normal)
        dtype = torch.promote_types(enhanced.dtype, torch.float32)
        with torch.autocast(enhanced.device.type, enabled=False):
            return loss(enhanced.to(dtype), normal.to(dtype))

    return wrapped


def check_shapes(enhanced: Tensor, normal: Tensor) -> None:
    """Check that the shapes are equal, so that nothing is broadcast.

    Raises:
        CourseError: the shapes differ or are not (N, C, H, W).
    """
    if enhanced.shape != normal.shape or enhanced.ndim != 4:
        raise CourseError(
            f"A loss got an output of shape {tuple(enhanced.shape)} and a target of shape "
            f"{tuple(normal.shape)}, but both must be the same (N, C, H, W)."
        )
