"""Read and write image files, and convert between integer arrays and float tensors."""

import io
import os
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path

# Pillow's name of the format for each suffix.
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".webp": "WEBP",
           ".tif": "TIFF", ".tiff": "TIFF"}  # fmt: skip
IMAGE_SUFFIXES = frozenset(FORMATS)
BAND = 256  # rows of a large image that are processed at a time, to save memory
RAW_SUFFIXES = frozenset({".arw", ".raf", ".dng", ".nef", ".cr2", ".cr3", ".rw2", ".orf"})


class Place(NamedTuple):
    """The edges of a part of a photograph, as fractions of the photograph's height and width."""

    top: float = 0.0
    left: float = 0.0
    bottom: float = 1.0
    right: float = 1.0

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


def quantise(image: torch.Tensor, bits: int = 8) -> torch.Tensor:
    """Round ``image``, clamped to [0, 1], to the ``2 ** bits`` levels of a file or a sensor."""
    steps = 2**bits - 1
    return (image.clamp(0, 1) * steps).round() / steps


def load_image(path: str | os.PathLike) -> torch.Tensor:
    """Read an image file as ``(3, H, W)`` float32, RGB, in [0, 1].

    Grey becomes RGB, alpha is dropped, the EXIF orientation is applied, and 16-bit
    files keep their precision. Camera RAW files are developed by `read_raw`.

    Raises:
        CourseError: the file is missing, truncated or not an image.
    """
    return to_float(_decode(path))


def read_rgb(path: str | os.PathLike) -> np.ndarray:
    """Read an image file as uint8 ``(H, W, 3)`` RGB; 16 bits are rounded to 8.

    Raises:
        CourseError: the file is missing, truncated or not an image.
    """
    rgb = _decode(path)
    return rgb if rgb.dtype == np.uint8 else np.rint(rgb / 257).astype(np.uint8)


def save_image(path: str | os.PathLike, image: torch.Tensor) -> None:
    """Write ``(3, H, W)``, RGB, clamped to [0, 1], with 8 bits; the suffix sets the format.

    Raises:
        CourseError: the format is unknown, or the disk is full.
    """
    path = Path(path)
    check_suffix(path)
    bgr = cv2.cvtColor(to_uint8(image), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(path.suffix.lower(), bgr)
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def check_suffix(path: Path) -> None:
    """Raise a `CourseError` unless the suffix of ``path`` is that of an image format."""
    if path.suffix.lower() not in FORMATS:
        known = ", ".join(sorted(FORMATS))
        raise CourseError(f"{path} cannot be written as an image: use a suffix of {known}.")


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
        levels = (band.clamp(0, 1) * np.iinfo(dtype).max).round()
        target[:] = levels.int().permute(1, 2, 0).cpu().numpy()
    return pixels


def read_raw(path: str | os.PathLike) -> np.ndarray:
    """Develop a camera RAW file to uint8 ``(H, W, 3)`` sRGB, at half the sensor's size.

    The camera's white balance is used and automatic brightening is off, so that a short
    exposure stays dark. At half size each 2x2 Bayer block gives one pixel, without
    demosaicing.

    Raises:
        CourseError: rawpy is not installed, or the file is not a RAW file.
    """
    try:
        import rawpy
    except ImportError as error:
        raise CourseError(
            f"{path} is a camera RAW file, which needs rawpy: run `pip install rawpy`."
        ) from error
    try:
        with rawpy.imread(str(path)) as raw:
            # dcraw's default curve is BT.709; this one is sRGB's.
            srgb = (2.4, 12.92)
            return raw.postprocess(
                gamma=srgb, use_camera_wb=True, no_auto_bright=True, half_size=True
            )
    except (OSError, rawpy.LibRawError) as error:
        raise _unreadable(path, error) from error


def _decode(path: str | os.PathLike) -> np.ndarray:
    """Read a file as ``(H, W, 3)`` RGB, uint8 or uint16."""
    path = Path(path)
    if path.suffix.lower() in RAW_SUFFIXES:
        return read_raw(path)
    try:
        content = path.read_bytes()
        # OpenCV returns a truncated JPEG with its lower part grey; Pillow refuses it.
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except UnidentifiedImageError as error:
        raise _unreadable(path, "unknown image format") from error
    # Pillow's decoders raise OSError, SyntaxError, ValueError and others on broken files.
    except Exception as error:
        raise _unreadable(path, error) from error
    # Pillow has no 16-bit colour, so the pixels come from OpenCV.
    bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if bgr is None or bgr.dtype not in (np.uint8, np.uint16):
        raise _unreadable(path, "only 8-bit and 16-bit images are supported")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _unreadable(path: str | os.PathLike, reason: object) -> CourseError:
    if not Path(path).is_file():
        return CourseError(f"There is no image file {path}; check its name and folder.")
    reason = str(reason).rstrip(".") or type(reason).__name__
    return CourseError(
        f"{path} cannot be read as an image ({reason}): it is damaged or cut short; get it again."
    )
