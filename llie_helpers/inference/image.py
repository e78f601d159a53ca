"""Enhance one photograph of any size."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from llie_helpers.data.synthesis import expose, to_linear, to_srgb
from llie_helpers.errors import CourseError
from llie_helpers.inference.photos import read_photo
from llie_helpers.inference.tiles import Postprocess, enhance_tiled
from llie_helpers.methods import Method, as_method, create_method

MOST_STOPS = 10  # of exposure; beyond it, an 8-bit image is only black and white


def enhance(
    image: torch.Tensor | np.ndarray | str | os.PathLike,
    method: str | Method | Callable[[torch.Tensor], torch.Tensor] = "dual_branch",
    weights: str | os.PathLike | None = None,
    *,
    exposure: float = 0.0,
    strength: float = 1.0,
    **options: Any,
) -> torch.Tensor:
    """Enhance one photograph of any size, tile by tile.

    Args:
        image: ``(3, H, W)`` in [0, 1], ``(H, W, 3)`` RGB of uint8 or uint16, or a file's path.
        method: a method's name, a `Method`, or any function of images.
        weights: see `create_method`; only with a method's name.
        exposure: stops of light to add to the result; negative to remove.
        strength: from 0, the original image, to 1, the result.
        **options: see `create_method`; only with a method's name.

    Returns:
        ``(3, H, W)`` in [0, 1].

    Raises:
        CourseError: the file cannot be read; see also `adjustment` and `create_method`.
    """
    postprocess = adjustment(exposure, strength)
    if isinstance(image, str | os.PathLike):
        image = read_photo(image).pixels
    if isinstance(method, str):
        method = create_method(method, weights, **options)
    return enhance_tiled(as_method(method), image, postprocess)


def adjustment(exposure: float = 0.0, strength: float = 1.0) -> Postprocess:
    """Return a function ``(enhanced, low) -> adjusted`` that applies exposure and strength.

    Args:
        exposure: stops of light to add to the result; negative to remove.
        strength: from 0, the original image, to 1, the result.

    Raises:
        CourseError: ``exposure`` is beyond 10 stops, or ``strength`` outside [0, 1].
    """
    if not -MOST_STOPS <= exposure <= MOST_STOPS:
        raise CourseError(
            f"The exposure is {exposure}; it must be between {-MOST_STOPS} and {MOST_STOPS} stops."
        )
    if not 0 <= strength <= 1:
        raise CourseError(f"The strength is {strength}; it must be between 0 and 1.")

    def adjust(enhanced: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
        if exposure:
            enhanced = to_srgb(expose(to_linear(enhanced), exposure)).clamp(0, 1)
        return torch.lerp(low, enhanced, strength)

    return adjust
