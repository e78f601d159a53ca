"""Read and write photographs, keeping bit depth, transparency, metadata and compression."""

import math
import os
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from llie_helpers.codecs import (
    SAME_KIND,
    check_suffix,
    decode,
    encode,
    libvips,
    read_bytes,
    rgb,
    unreadable,
)
from llie_helpers.files import atomic_path
from llie_helpers.images import SMALLEST, to_uint8, to_uint16
from llie_helpers.inference import metadata
from llie_helpers.inference.hdr import BT2020, P3, TRANSFERS, to_bt709, tone_map

DEEP = {".png", ".tif", ".avif"}  # kinds that hold 16 bits, AVIF 12 of them
TRANSPARENT = {*DEEP, ".webp", ".tga", ".jp2"}
CARRIED = ("icc-profile-data", "iptc-data", "photoshop-data", "xmp-data", "resolution-unit")
DATA = ("exif-data", "gainmap-data", "jpeg-thumbnail-data", *CARRIED[:4])
KEEP_EXIF, KEEP_XMP, KEEP_REST = 1, 2, 2 + 4 + 8 + 16  # libvips' flags
# What libvips writes unless the source tells more, by the kind of file.
OPTIONS: dict[str, dict[str, Any]] = {
    ".jpg": {"Q": 95, "subsample_mode": "off"},
    ".png": {"compression": 3, "filter": "sub"},
    ".webp": {"lossless": True, "exact": True, "effort": 0},  # more: 1 GB for 24 megapixels
    ".tif": {"compression": "deflate", "level": 3, "predictor": "horizontal"},
    ".avif": {"Q": 90, "effort": 2},
}
QUALITIES = range(30, 100, 3)
EFFORTLESS = 1.2  # times the bytes of usual WebP and AVIF files, if libvips makes no effort
STRIP, TALL = 64, 2048  # rows of pixels
FILLER = b"To be replaced by EXIF data. "
STANDARD = 3688  # sum of the JPEG standard's quantisation table of luminance, at quality 50


@dataclass(frozen=True)
class Photo:
    """A photograph from a file, turned upright.

    Attributes:
        pixels: ``(H, W, 3)`` RGB, uint8 or uint16; a grey photograph has three equal channels.
        alpha: ``(H, W)`` of the same type, or None.
        grey: whether the file has no colour.
        kind: the suffix of its kind of file.
        header: a libvips image with the file's profile, XMP, IPTC data and resolution, or None.
        exif: EXIF data with upright orientation and no thumbnail; b"" if absent.
        comments: comments as the file has them, and a PNG file's gamma.
        film: that of a phone's Motion Photo, at the end of a JPEG file; b"" if absent.
        encoding: options with which libvips writes a file of the same quality.
        size: of the file without metadata, in bytes.
        remarks: what of the file could not be kept, or "".
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    kind: str = ".png"
    header: Any = None
    exif: bytes = b""
    comments: bytes = b""
    film: bytes = b""
    encoding: dict[str, Any] = field(default_factory=dict)
    size: int = 0
    remarks: str = ""


def read_photo(path: str | os.PathLike) -> Photo:
    """Read a photograph: JPEG, PNG, TIFF, WebP, AVIF, BMP, PPM, TGA, JPEG 2000 or camera RAW.

    CMYK and LAB become sRGB. Otherwise the numbers and their colour profile are kept, and methods
    take the numbers for sRGB: converting a wide gamut would clip its colours.

    Raises:
        CourseError: the file is missing, damaged, of another kind, an animation, has a side below
            16 pixels or more than 150 million pixels.
    """
    return decode_photo(*read_bytes(path))


def decode_photo(content: bytes, name: str | os.PathLike) -> Photo:
    """Decode the ``content`` of a photograph's file, which messages call ``name``."""
    image = decode(content, name)
    if min(image.width, image.height) < SMALLEST:
        size = f"{image.width}x{image.height} pixels"
        raise unreadable(name, f"{size}; the smallest is {SMALLEST}x{SMALLEST}")
    kind = image.get("kind")
    # Not by listing the fields: pyvips cannot if a PNG file's texts have names in Latin-1.
    parts = {name: image.get(name) for name in DATA if image.get_typeof(name)}
    exif = parts.get("exif-data", b"")
    header = image.crop(0, 0, 1, 1).copy_memory()
    film = metadata.motion(content, kind)
    pixels, remarks = _in_known_colours(rgb(image), header, *metadata.code_points(content, kind))
    return Photo(
        pixels,
        image[image.bands - 1].numpy() if image.bands in (2, 4) else None,
        image.bands < 3,
        kind,
        header,
        metadata.from_tiff(content) if kind == ".tif" else metadata.upright(exif),
        metadata.comments(content, kind),
        film,
        _encoding(content, kind, image),
        len(content) - sum(map(len, parts.values())),
        remarks or ("the film in this Motion Photo was not enhanced" if film else ""),
    )


def _in_known_colours(
    pixels: np.ndarray, header: Any, primaries: int, transfer: int
) -> tuple[np.ndarray, str]:
    """Return pixels that the profile in ``header`` describes, and a remark if they are others.

    AVIF and PNG may tell their colours by numbers, which libvips ignores.
    """
    profile = "icc-profile-data"
    if transfer in TRANSFERS:
        deep = pixels if pixels.dtype == np.uint16 else pixels.astype(np.uint16) * 257
        header.remove(profile)
        return tone_map(deep, transfer, primaries), f"HDR ({TRANSFERS[transfer]}) became SDR"
    if not header.get_typeof(profile):
        if primaries == P3:
            vips = libvips()
            header.set_type(vips.GValue.blob_type, profile, vips.Image.profile_load("p3"))
        elif primaries == BT2020:
            return to_bt709(pixels, primaries), "the wide gamut of BT.2020 became that of sRGB"
    return pixels, ""


def _encoding(content: bytes, kind: str, image: Any) -> dict[str, Any]:
    """Return options with which libvips writes a file like that with ``content``."""
    if kind == ".webp":
        lossy = b"VP8 " in re.findall(b"VP8[ L]", content)[:1]
        return {"lossless": False, "effort": 4} if lossy else {}
    if kind == ".avif":
        return {"bitdepth": image.get("bits-per-sample")}
    if kind != ".jpg":
        return {}
    parts = list(metadata.segments(content))
    table = next((part[5:69] for marker, part in parts if marker == 0xDB), b"")
    # The first channel's sampling, 2x2 in 4:2:0; libvips calls 4:2:2 so too.
    halved = any(part[11:12] == b"\x22" for marker, part in parts if marker in (0xC0, 0xC1, 0xC2))
    # The standard's rule, by which quality scales its table; the last step is too small for it.
    share = 0 if set(table) == {1} else sum(table) / STANDARD
    return {
        "Q": round(100 - 50 * share if share < 1 else 50 / share),
        "subsample_mode": "on" if halved else "off",
        "interlace": bool(image.get("jpeg-multiscan")),
    }


def write_photo(path: str | os.PathLike, enhanced: torch.Tensor, like: Photo) -> None:
    """Write ``enhanced`` ``(3, H, W)`` in [0, 1] as a file like that which ``like`` was read from.

    PNG and TIFF keep 16 bits, AVIF 12; PNG, TIFF, WebP, AVIF, TGA and JPEG 2000 keep alpha; BMP,
    PPM, TGA and JPEG 2000 keep no metadata, and the colours of a profile become sRGB there. What is
    transparent becomes white in the other kinds, unless all is. A lossy file is written at the
    quality of its source.

    Raises:
        CourseError: the format is unknown, the photograph too large for it, or the disk full.
    """
    path = Path(path)
    check_suffix(path)
    kind = SAME_KIND.get(path.suffix.lower(), path.suffix.lower())
    deep = like.pixels.dtype == np.uint16 and kind in DEEP
    image = _assembled(to_uint16(enhanced) if deep else to_uint8(enhanced), like, kind)
    del enhanced  # the last reference to 0.3 GB, if the caller has none
    with atomic_path(path) as temporary:
        if kind in OPTIONS:
            _write(temporary, image, like, kind)
        else:
            encode(image, temporary)


def _write(path: Path, image: Any, like: Photo, kind: str) -> None:
    """Write a libvips image and everything beside its pixels that the kind of file can hold."""
    options = OPTIONS[kind] | (like.encoding if kind == like.kind else {})
    if kind == like.kind and kind in (".webp", ".avif") and not options.get("lossless"):
        options["Q"] = _quality(like, options)
    filler = (FILLER * (len(like.exif) // len(FILLER) + 1)) if like.exif else b""
    if filler and kind != ".tif":
        text = filler.decode()
        image.set_type(libvips().GValue.gstr_type, "exif-ifd0-ImageDescription", text)
    keep = KEEP_REST + (KEEP_EXIF if filler else 0)
    keep -= KEEP_XMP if kind == ".png" else 0
    encode(image, path, keep=keep, **options)
    # The file itself is edited, because a copy in memory may take as much as the pixels.
    with path.open("r+b") as file:
        if kind == ".tif":
            metadata.into_tiff(file, like.exif)
        elif filler:
            metadata.into(file, like.exif, filler)
        comments = like.comments if kind == like.kind else b""
        if kind == ".png" and image.get_typeof("xmp-data"):
            comments += metadata.xmp_chunk(image.get("xmp-data"))
        if comments:
            metadata.insert(file, kind, comments)
        if kind == like.kind:
            file.seek(0, os.SEEK_END)
            file.write(like.film)


def _quality(like: Photo, options: dict[str, Any]) -> int:
    """Return the lowest quality at which the source's pixels take as many bytes as in its file.

    WebP and AVIF files do not tell theirs. Of a tall photograph, which would take much memory and
    time, one strip in eight says enough.
    """
    source = whole = _assembled(like.pixels, like, like.kind)
    if whole.height >= TALL:
        tops = range(0, whole.height - STRIP, 8 * STRIP)
        strips = [whole.crop(0, top, whole.width, STRIP) for top in tops]
        source = libvips().Image.arrayjoin(strips, across=1)
    wanted = EFFORTLESS * like.size * source.height / whole.height
    fast = options | {"effort": 0, "keep": 0}

    def size(quality: int) -> float:
        try:
            return len(source.write_to_buffer(like.kind, **fast | {"Q": quality}))
        except libvips().Error:  # more than a part of WebP holds
            return math.inf

    nearest = bisect_left(QUALITIES, wanted, key=size)
    return QUALITIES[min(nearest, len(QUALITIES) - 1)]


def _assembled(pixels: np.ndarray, like: Photo, kind: str) -> Any:
    """Return ``pixels`` as a libvips image with the bands and the metadata of ``like``."""
    if like.grey:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    image = libvips().Image.new_from_array(pixels)
    if like.alpha is not None and (kind in TRANSPARENT or like.alpha.any()):
        same = like.alpha.dtype == pixels.dtype
        alpha = like.alpha if same else (like.alpha // 257).astype(np.uint8)
        image = image.bandjoin(libvips().Image.new_from_array(alpha))
    space = ("grey16", "rgb16") if pixels.dtype == np.uint16 else ("b-w", "srgb")
    image = image.copy(interpretation=space[not like.grey])
    if image.bands in (2, 4) and kind not in TRANSPARENT:
        image = image.flatten(background=255)
    if like.header is not None:
        image = image.copy(xres=like.header.xres, yres=like.header.yres)
        for name in CARRIED:
            if like.header.get_typeof(name):
                image.set_type(like.header.get_typeof(name), name, like.header.get(name))
    if kind not in OPTIONS and image.get_typeof("icc-profile-data"):
        # Such a file holds no profile, without which the numbers would stand for other colours.
        usual = "sgrey" if like.grey else "srgb"
        image = image.icc_transform(usual, embedded=True, input_profile=usual)
    return image
