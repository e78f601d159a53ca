"""Read and write photographs, keeping bit depth, transparency and metadata."""

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import ExifTags, Image, UnidentifiedImageError

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.images import FORMATS, RAW_SUFFIXES, check_suffix, read_raw, to_uint8, to_uint16

LARGEST = 150e6  # pixels; a larger file is more likely a decompression bomb than a photograph
SMALLEST = 16  # pixels, along either side
JPEG_QUALITY = 95


@dataclass(frozen=True)
class Photo:
    """A photograph from a file, turned upright.

    Attributes:
        pixels: ``(H, W, 3)`` RGB, uint8 or uint16; a grey photograph has three equal channels.
        alpha: ``(H, W)`` of the same type, or None.
        grey: whether the file has a single channel.
        exif, icc: EXIF data with upright orientation, and colour profile; b"" if absent.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    exif: bytes = b""
    icc: bytes = b""


def read_photo(path: str | os.PathLike) -> Photo:
    """Read a photograph: PNG and TIFF with 8 or 16 bits, JPEG, WebP, BMP or camera RAW.

    Raises:
        CourseError: the file is missing, damaged, of another format than its suffix says, an
            animation, CMYK, has a side below 16 pixels or more than 150 million pixels.
    """
    path = Path(path)
    if path.suffix.lower() in RAW_SUFFIXES:
        return Photo(read_raw(path))
    try:
        content = path.read_bytes()
        with (
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            Image.open(io.BytesIO(content)) as image,
        ):
            _check_readable(image, path)
            # OpenCV returns a truncated JPEG with its lower part grey; Pillow refuses it.
            image.load()
            exif, icc = image.getexif(), image.info.get("icc_profile") or b""
            grey = image.mode in ("1", "L", "LA", "I", "I;16", "I;16B")
    except CourseError:
        raise
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {_reason(error, path)}.") from error
    # Pillow's decoders raise SyntaxError, ValueError, DecompressionBombError and others.
    except Exception as error:
        raise CourseError(f"{path} cannot be read: it is damaged or not a photograph.") from error
    encoded = np.frombuffer(content, np.uint8)
    # Pillow has no 16-bit colour, so the pixels come from OpenCV, which also turns them upright.
    bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if bgr is None or bgr.dtype not in (np.uint8, np.uint16):
        raise CourseError(f"{path} cannot be read: only 8 and 16 bits are supported.")
    alpha = _alpha_channel(encoded, bgr)
    exif[ExifTags.Base.Orientation] = 1
    camera_data = exif.tobytes() if len(exif) > 1 else b""
    return Photo(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), alpha, grey, camera_data, icc)


def _check_readable(image: Image.Image, path: Path) -> None:
    """Raise a `CourseError` unless ``image``, opened but not decoded, is a supported photograph."""
    width, height = image.size
    expected = FORMATS.get(path.suffix.lower())
    problem = ""
    if expected is None:
        problem = f"not in a supported format ({', '.join(sorted(FORMATS))})"
    elif image.format not in (expected, "MPO"):
        problem = f"a {image.format} file with the suffix of another format; rename it"
    elif image.format != "MPO" and (frames := getattr(image, "n_frames", 1)) > 1:
        problem = f"an animation or a stack of {frames} images; save one of them"
    elif image.mode == "CMYK":
        problem = "in CMYK, colours for print; convert it to RGB"
    elif min(width, height) < SMALLEST:
        problem = f"{width}x{height} pixels; the smallest is {SMALLEST}x{SMALLEST}"
    elif width * height > LARGEST:
        problem = f"{width}x{height} pixels; the largest is {LARGEST / 1e6:.0f} megapixels"
    if problem:
        raise CourseError(f"{path} cannot be enhanced: it is {problem}.")


def _reason(error: OSError, path: Path) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "permission denied"
    if path.stat().st_size == 0:
        return "it is empty"
    if isinstance(error, UnidentifiedImageError):
        return "it is not an image"
    return "it is damaged or cut short"


def _alpha_channel(encoded: np.ndarray, bgr: np.ndarray) -> np.ndarray | None:
    """Return the alpha channel, or None."""
    raw = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if raw is None or raw.shape != (*bgr.shape[:2], 4):
        return None
    return raw[..., 3]


def write_photo(path: str | os.PathLike, enhanced: torch.Tensor, like: Photo) -> None:
    """Write ``enhanced`` ``(3, H, W)`` in [0, 1] with the depth, alpha and metadata of ``like``.

    PNG and TIFF keep 16 bits; PNG, WebP and TIFF keep alpha; all but BMP keep metadata, except that
    a 16-bit TIFF loses its EXIF data.

    Raises:
        CourseError: the format is unknown, or the disk is full.
    """
    path = Path(path)
    check_suffix(path)
    kind = FORMATS[path.suffix.lower()]
    deep = like.pixels.dtype == np.uint16 and kind in ("PNG", "TIFF")
    pixels = to_uint16(enhanced) if deep else to_uint8(enhanced)
    if like.grey:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    elif like.alpha is not None and kind in ("PNG", "WEBP", "TIFF"):
        alpha = like.alpha
        if alpha.dtype != pixels.dtype:
            alpha = (alpha // 257).astype(np.uint8)
        pixels = np.dstack([pixels, alpha])
    with atomic_path(path) as temporary:
        if kind == "TIFF":
            _write_tiff(temporary, pixels, like)
        else:
            temporary.write_bytes(_encode(path.suffix.lower(), pixels, like))


def _encode(suffix: str, pixels: np.ndarray, like: Photo) -> bytes:
    if pixels.ndim == 3:
        order = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
        pixels = cv2.cvtColor(pixels, order)
    # OpenCV expects EXIF data without JPEG's six-byte prefix.
    data = {
        cv2.IMAGE_METADATA_EXIF: like.exif.removeprefix(b"Exif\0\0"),
        cv2.IMAGE_METADATA_ICCP: like.icc,
    }
    data = {key: value for key, value in data.items() if value and suffix != ".bmp"}
    chunks = [np.frombuffer(value, np.uint8) for value in data.values()]
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix in (".jpg", ".jpeg") else []
    _, encoded = cv2.imencodeWithMetadata(suffix, pixels, list(data), chunks, options)
    return encoded.tobytes()


def _write_tiff(path: Path, pixels: np.ndarray, like: Photo) -> None:
    if pixels.dtype == np.uint8:
        metadata: dict[str, Any] = {"exif": like.exif, "icc_profile": like.icc}
        metadata = {key: value for key, value in metadata.items() if value}
        Image.fromarray(pixels).save(path, compression="tiff_lzw", **metadata)
        return
    import tifffile

    extra = ["unassalpha"] if pixels.ndim == 3 and pixels.shape[2] == 4 else None
    tifffile.imwrite(
        path,
        pixels,
        photometric="minisblack" if pixels.ndim == 2 else "rgb",
        extrasamples=extra,
        compression="zlib",
        iccprofile=like.icc or None,
        metadata=None,
    )
