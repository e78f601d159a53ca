"""Images as tensors: reading, writing and rounding them; thumbnails, and places in a photograph."""

import os
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from llie_helpers.codecs import check_suffix, decode, encode, libvips, read_bytes, rgb
from llie_helpers.files import atomic_path

SMALLEST = 16  # pixels of each side of an image, for networks and data sets
BAND = 64  # rows of a large image that are processed at a time, to save memory


class Place(NamedTuple):
    """The edges of a part of a photograph, as fractions of the photograph's height and width.

    For a batch of parts at different places, each edge is a tensor ``(N,)``.
    """

    top: float | torch.Tensor = 0.0
    left: float | torch.Tensor = 0.0
    bottom: float | torch.Tensor = 1.0
    right: float | torch.Tensor = 1.0

    def scaled(self, height: float, width: float) -> "Place":
        """Return the place with the same top left corner and scaled sides."""
        return Place(
            self.top,
            self.left,
            self.top + height * (self.bottom - self.top),
            self.left + width * (self.right - self.left),
        )


WHOLE = Place()


def enlarge(maps: torch.Tensor, size: torch.Size, place: Place) -> torch.Tensor:
    """Interpolate the part at ``place`` in ``maps`` ``(N, C, h, w)`` to ``size``."""
    across, down = place.right - place.left, place.bottom - place.top
    theta = torch.tensor(
        [[across, 0, place.left + place.right - 1], [0, down, place.top + place.bottom - 1]]
    )
    theta = theta.expand(len(maps), -1, -1)
    grid = F.affine_grid(theta, [*maps.shape[:2], *size], align_corners=False)
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)


def thumbnail(image: torch.Tensor, side: int) -> torch.Tensor:
    """Average ``(..., H, W)`` over areas, to ``(..., side, side)``.

    Pixels that lie across an edge count with the share of them that is inside, so that an image
    has the same thumbnail at any size; PyTorch's adaptive pooling counts them whole on both sides,
    and cannot be exported to ONNX.
    """
    down, across = (_shares(length, side).to(image) for length in image.shape[-2:])
    return down @ image @ across.T


def _shares(length: int, side: int) -> torch.Tensor:
    """Return ``(side, length)``: the weight of each pixel in each pixel of the thumbnail."""
    edges = torch.arange(side + 1) * length / side
    pixel = torch.arange(length)
    inside = torch.minimum(edges[1:, None], pixel + 1) - torch.maximum(edges[:-1, None], pixel)
    return inside.clamp_min(0) * side / length


def quantise(image: torch.Tensor, bits: int = 8) -> torch.Tensor:
    """Round ``image``, clamped to [0, 1], to the ``2 ** bits`` levels of a file or a sensor."""
    steps = 2**bits - 1
    return (image.clamp(0, 1) * steps).round() / steps


def load_image(path: str | os.PathLike) -> torch.Tensor:
    """Read an image file as ``(3, H, W)`` float32, RGB, in [0, 1].

    Grey becomes RGB, alpha is dropped, the EXIF orientation is applied, and 16-bit
    files keep their precision. Camera RAW files are developed by `codecs.develop`.

    Raises:
        CourseError: the file is missing, truncated or not an image.
    """
    return to_float(rgb(decode(*read_bytes(path))))


def read_rgb(path: str | os.PathLike) -> np.ndarray:
    """Read an image file as uint8 ``(H, W, 3)`` RGB; 16 bits are rounded to 8.

    Raises:
        CourseError: the file is missing, truncated or not an image.
    """
    pixels = rgb(decode(*read_bytes(path)))
    return pixels if pixels.dtype == np.uint8 else np.rint(pixels / 257).astype(np.uint8)


def save_image(path: str | os.PathLike, image: torch.Tensor) -> None:
    """Write ``(3, H, W)``, RGB, clamped to [0, 1], with 8 bits; the suffix sets the format.

    Raises:
        CourseError: the format is unknown, or the disk is full.
    """
    path = Path(path)
    check_suffix(path)
    pixels = libvips().Image.new_from_array(to_uint8(image))
    with atomic_path(path) as temporary:
        encode(pixels, temporary)


def to_float(image: np.ndarray) -> torch.Tensor:
    """Turn a uint8 or uint16 ``(H, W, 3)`` array into ``(3, H, W)`` float32 in [0, 1]."""
    levels = np.float32(np.iinfo(image.dtype).max)
    # In one step: copies of a photograph of 24 megapixels would take 0.3 GB each.
    return torch.from_numpy(
        np.divide(image.transpose(2, 0, 1), levels, dtype=np.float32, order="C")
    )


def to_uint8(image: torch.Tensor) -> np.ndarray:
    """Turn ``(3, H, W)`` into uint8 ``(H, W, 3)``: clamp to [0, 1] and round to 8 bits."""
    return _to_levels(image, np.uint8)


def to_uint16(image: torch.Tensor) -> np.ndarray:
    """Turn ``(3, H, W)`` into uint16 ``(H, W, 3)``: clamp to [0, 1] and round to 16 bits."""
    return _to_levels(image, np.uint16)


def _to_levels(image: torch.Tensor, dtype: type) -> np.ndarray:
    """Round the image band by band, because copies of a large photograph take much memory."""
    channels, height, width = image.shape
    pixels: np.ndarray = np.empty((height, width, channels), dtype)
    bands = image.detach().split(BAND, dim=1)
    for target, band in zip(np.split(pixels, range(BAND, height, BAND)), bands, strict=True):
        # In half precision, 65535 is infinite, and NumPy has no bfloat16.
        levels = band.float().clamp(0, 1).mul_(np.iinfo(dtype).max).round_().cpu().numpy()
        cv2.merge(list(levels.astype(dtype)), target)
    return pixels
