"""Enhance one photograph of any size."""

import os
from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from llie_helpers.data.synthesis import expose, to_linear, to_srgb
from llie_helpers.errors import CourseError
from llie_helpers.images import SMALLEST, to_uint8, to_uint16
from llie_helpers.inference.photos import read_photo
from llie_helpers.inference.tiles import Postprocess, enhance_tiled
from llie_helpers.methods import Method, as_method, create_method

MOST_STOPS = 10  # of exposure; beyond it, an 8-bit image is only black and white
# Pillow's modes, and the mode of the result.
MODES = {"1": "L", "L": "L", "LA": "LA", "I;16": "I;16", "P": "RGB", "PA": "RGBA", "RGB": "RGB",
         "RGBA": "RGBA"}  # fmt: skip

Enhance = Callable[[np.ndarray | Tensor], Tensor]


def enhance(
    image: Any,
    method: str | Method | Callable[[Tensor], Tensor] = "dual_branch",
    weights: str | os.PathLike | None = None,
    *,
    exposure: float = 0.0,
    strength: float = 1.0,
    **options: Any,
) -> Any:
    """Enhance one photograph of any size from 16x16, tile by tile.

    Args:
        image: a tensor ``(3, H, W)`` or ``(N, 3, H, W)`` in [0, 1]; an array ``(H, W)`` or
            ``(H, W, C)`` of uint8, uint16 or floats in [0, 1], with 1 channel (grey), 3 (RGB), or
            2 or 4 (the same and alpha); a Pillow image; or a file's path.
        method: a method's name, a `Method`, or any function of images.
        weights: see `create_method`; only with a method's name.
        exposure: stops of light to add to the result; negative to remove.
        strength: from 0, the original image, to 1, the result.
        **options: see `create_method`; only with a method's name.

    Returns:
        The same kind as ``image``, with its shape and type; for a path, a tensor ``(3, H, W)``.
        Alpha is kept, and so are colours that it hides; a grey image remains grey, and Pillow's
        bilevel and palette images become grey, RGB or RGBA.

    Raises:
        CourseError: ``image`` is something else, or the file cannot be read; see also `adjustment`
            and `create_method`.
    """
    postprocess = adjustment(exposure, strength)
    if isinstance(method, str):
        method = create_method(method, weights, **options)
    apply = partial(enhance_tiled, as_method(method), postprocess=postprocess)
    if isinstance(image, str | os.PathLike):
        photo = read_photo(image)
        return enhance_visible(apply, photo.pixels, photo.alpha)
    if isinstance(image, Tensor):
        return _enhance_tensor(image, apply)
    if isinstance(image, np.ndarray):
        return _enhance_array(image, apply)
    if isinstance(image, Image.Image):
        return _enhance_pillow(image, apply)
    raise CourseError(
        f"enhance got an object of type {type(image).__name__}; give a tensor, a NumPy array, a "
        "Pillow image or the path of a file."
    )


def enhance_visible(
    enhance: Callable[[np.ndarray], Tensor], pixels: np.ndarray, alpha: np.ndarray | None
) -> Tensor:
    """Enhance a photograph with transparent pixels, whose colours do not count and are kept.

    Programs write them as black, which would pass for darkness: the others would be burnt out. So
    they are given the mean colour of the others.

    Args:
        enhance: maps an array like ``pixels`` to ``(3, H, W)`` in [0, 1].
        pixels: ``(H, W, 3)``, uint8, uint16 or floats in [0, 1].
        alpha: ``(H, W)``; None or 0 everywhere is like no alpha.

    Returns:
        ``(3, H, W)`` in [0, 1].
    """
    if alpha is None or alpha.all() or not alpha.any():
        return enhance(pixels)
    hidden = alpha == 0
    seen = pixels.copy()
    seen[hidden] = pixels.mean(axis=(0, 1), where=~hidden[..., None])
    enhanced = enhance(seen)
    white = 1 if np.issubdtype(pixels.dtype, np.floating) else np.iinfo(pixels.dtype).max
    enhanced[:, torch.from_numpy(hidden)] = torch.from_numpy(pixels[hidden].T / white).float()
    return enhanced


def _enhance_tensor(image: Tensor, apply: Enhance) -> Tensor:
    if image.dim() not in (3, 4) or image.shape[-3] != 3 or not image.is_floating_point():
        raise CourseError(
            f"enhance got a tensor {tuple(image.shape)} of {image.dtype}; it must be (3, H, W) or "
            "(N, 3, H, W), RGB, of floats in [0, 1]."
        )
    _check_size(*image.shape[-2:])
    _check_values(image)
    photos = image.detach().float().reshape(-1, *image.shape[-3:])
    return torch.stack([apply(photo) for photo in photos]).reshape(image.shape).to(image)


def _enhance_array(image: np.ndarray, apply: Enhance) -> np.ndarray:
    channels = {2: 1, 3: image.shape[-1]}.get(image.ndim) if image.ndim else None
    floats = np.issubdtype(image.dtype, np.floating)
    if channels not in (1, 2, 3, 4) or not (floats or image.dtype.type in (np.uint8, np.uint16)):
        raise CourseError(
            f"enhance got an array {image.shape} of {image.dtype}; it must be (H, W) or (H, W, C) "
            "with 1 to 4 channels, of uint8, uint16 or floats in [0, 1]."
        )
    height, width = image.shape[:2]
    _check_size(height, width)
    colour, alpha = np.split(image.reshape(height, width, channels), [channels - 1 | 1], axis=2)
    rgb = np.broadcast_to(colour, (height, width, 3))
    enhanced = enhance_visible(
        partial(_enhance_floats, apply=apply) if floats else apply,
        rgb,
        alpha[..., 0] if alpha.size else None,
    )
    if floats:
        pixels = enhanced.permute(1, 2, 0).numpy()
    else:
        pixels = to_uint8(enhanced) if image.dtype == np.uint8 else to_uint16(enhanced)
    if colour.shape[2] == 1:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]
    return np.dstack([pixels, alpha]).astype(image.dtype).reshape(image.shape)


def _enhance_floats(pixels: np.ndarray, apply: Enhance) -> Tensor:
    image = torch.from_numpy(np.array(pixels, np.float32).transpose(2, 0, 1))
    _check_values(image)
    return apply(image)


def _enhance_pillow(image: Image.Image, apply: Enhance) -> Image.Image:
    mode = MODES.get(image.mode)
    if mode is None:
        raise CourseError(
            f'enhance got a Pillow image of mode {image.mode}; use image.convert("RGB").'
        )
    if "transparency" in image.info and mode in ("L", "RGB"):
        mode += "A"
    try:
        pixels = np.asarray(image if mode == image.mode else image.convert(mode))
    except OSError as error:  # Pillow decodes a file late
        raise CourseError(f"The Pillow image cannot be decoded: {error}.") from error
    enhanced = Image.fromarray(_enhance_array(pixels, apply))
    enhanced.info = {key: value for key, value in image.info.items() if key != "transparency"}
    return enhanced


def _check_size(height: int, width: int) -> None:
    if min(height, width) < SMALLEST:
        raise CourseError(
            f"enhance got an image of {width}x{height} pixels; the smallest is "
            f"{SMALLEST}x{SMALLEST}."
        )


def _check_values(image: Tensor) -> None:
    if not image.numel():
        raise CourseError("enhance got a batch without images; give at least one.")
    least, most = (value.item() for value in image.aminmax())
    if not (least >= 0 and most <= 1):  # also false for NaN
        raise CourseError(
            f"enhance got an image with values from {least:g} to {most:g}; floats must be in "
            "[0, 1], so scale or clamp them."
        )


def adjustment(exposure: float, strength: float) -> Postprocess:
    """Return a function ``(enhanced, low) -> adjusted`` that applies exposure and strength.

    They are those of `enhance`.

    Raises:
        CourseError: ``exposure`` is not in [-10, 10], or ``strength`` not in [0, 1].
    """
    for name, value, least, most in (
        ("exposure", exposure, -MOST_STOPS, MOST_STOPS),
        ("strength", strength, 0, 1),
    ):
        if not (isinstance(value, Real) and least <= value <= most):  # also false for NaN
            raise CourseError(f"The {name} is {value}; it must be between {least} and {most}.")

    def adjust(enhanced: Tensor, low: Tensor) -> Tensor:
        if exposure:
            enhanced = to_srgb(expose(to_linear(enhanced), exposure)).clamp(0, 1)
        return torch.lerp(low, enhanced, strength)

    return adjust
