"""Decode the content of image files to libvips images, and encode them.

libvips reads and writes most kinds, and Pillow the few that its wheel does not know.
"""

import atexit
import errno
import io
import logging
import os
import struct
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from llie_helpers.errors import CourseError

# The suffix of each kind of file that libvips reads and the course writes.
KINDS = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "tiff": ".tif", "heif": ".avif"}
# Pillow's names of the kinds that libvips does not read.
OTHER_KINDS = {".bmp": "BMP", ".ppm": "PPM", ".pgm": "PPM", ".tga": "TGA", ".jp2": "JPEG2000"}
SAME_KIND = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif"}
IMAGE_SUFFIXES = frozenset({*KINDS.values(), *OTHER_KINDS, *SAME_KIND})
RAW_SUFFIXES = frozenset(
    {".arw", ".raf", ".dng", ".nef", ".nrw", ".cr2", ".cr3", ".rw2", ".orf", ".pef", ".srw"}
)
UNKNOWN = "not an image of a known kind; save it as JPEG, PNG, TIFF or WebP"
HEIC = "HEIC, whose codec the course cannot include; save it as JPEG, PNG or AVIF"
GLIB = b"GLib-GObject"
GREY = ("1", "L", "LA")  # Pillow's modes
COMPRESSION, COLOURS = 259, 262  # tags of TIFF
JPEG, RGB, YCBCR, LAB = 7, 2, 6, 8  # their values
MOST_PAGES = 10  # of a TIFF file that are looked at to tell previews from a stack
LARGEST = 150e6  # pixels; a larger file is more likely a decompression bomb than a photograph
LARGEST_ALLOWED = f"the largest is {LARGEST / 1e6:.0f} megapixels"


@cache
def libvips() -> ModuleType:
    """Import pyvips late, because that takes a while, and without its warnings and cache."""
    import pyvips

    logging.getLogger("pyvips").setLevel(logging.CRITICAL + 1)
    # What GLib prints of impossible sizes goes the same way, as long as Python runs.
    glib, levels = pyvips.glib_lib, 8 + 16  # critical, warning
    handler = glib.g_log_set_handler(GLIB, levels, pyvips._log_handler_cb, pyvips.ffi.NULL)
    atexit.register(glib.g_log_remove_handler, GLIB, handler)
    pyvips.cache_set_max(0)
    return pyvips


def read_bytes(path: str | os.PathLike) -> tuple[bytes, Path]:
    """Return the content of a file, and its path, for `decode`.

    Raises:
        CourseError: the file is missing, not readable or a named pipe.
    """
    path = Path(path)
    try:
        if path.is_fifo():  # whose other end may never write
            raise unreadable(path, "a pipe")
        return path.read_bytes(), path
    except PermissionError as error:
        raise CourseError(f"{path} cannot be read: permission denied.") from error
    except OSError as error:
        raise CourseError(f"There is no image file {path}; check its name and folder.") from error


def decode(content: bytes, name: str | os.PathLike) -> Any:
    """Decode the ``content`` of an image file, and turn it upright.

    Args:
        content: the bytes of the file.
        name: what messages call it. Its suffix tells RAW and TGA files; others are known by their
            content.

    Returns:
        A libvips image, uint8 or uint16, grey or RGB, with alpha as its last band if it has any.
        It has the file's metadata, and in its field "kind" the suffix of its kind of file. CMYK
        and LAB become sRGB; otherwise the numbers and their colour profile are kept.

    Raises:
        CourseError: the file is damaged, too large, an animation, or of an unsupported kind.
    """
    vips = libvips()
    suffix = Path(name).suffix.lower()
    try:
        if suffix in RAW_SUFFIXES:
            image, kind = vips.Image.new_from_array(develop(content, name)), ".png"
        elif vips.vips_lib.vips_foreign_find_load_buffer(content, len(content)) == vips.ffi.NULL:
            image, kind = _decode_by_pillow(content, name)
        elif _tells(content, COLOURS, LAB):
            image, kind = _decode_lab(content, name)
        else:
            image, kind = _decode_by_libvips(content, name)
        if image.interpretation == "cmyk":
            image = image.colourspace("rgb16" if image.format == "ushort" else "srgb").copy()
            image.remove("icc-profile-data")
    except vips.Error as error:
        heic = content[4:8] == b"ftyp" and b"avif" not in content[:64]
        raise unreadable(name, HEIC if heic else "damaged or cut short") from error
    if image.bands > 4:
        raise unreadable(name, f"of {image.bands} bands; save it as RGB")
    if image.format not in ("uchar", "ushort"):
        raise unreadable(name, f"not of 8 or 16 bits ({image.bands} bands of {image.format})")
    image.set_type(vips.GValue.gstr_type, "kind", kind)
    return image


def _decode_by_libvips(content: bytes, name: str | os.PathLike) -> tuple[Any, str]:
    vips = libvips()
    new = vips.Image.new_from_buffer
    loader = new(content, "").get("vips-loader").partition("load")[0]
    if loader == "uhdr":  # a JPEG with a gain map, which would not fit the enhanced photograph
        loader, new = "jpeg", lambda data, _, **options: vips.Image.jpegload_buffer(data, **options)
    if loader not in KINDS:
        raise unreadable(name, f"of the kind {loader.upper()}; save it as JPEG, PNG, TIFF or WebP")
    if _tells(content, COLOURS, YCBCR) and not _tells(content, COMPRESSION, JPEG):
        # libvips takes the numbers for RGB's.
        raise unreadable(name, "in YCbCr without JPEG compression; save it as RGB")
    pages = [new(content, "")]
    if pages[0].get_typeof("n-pages"):
        count = min(pages[0].get("n-pages"), MOST_PAGES)
        pages = [new(content, "", page=page) for page in range(count)]
    sizes = [page.width * page.height for page in pages]
    animated = loader == "png" and b"acTL" in content.partition(b"IDAT")[0]
    if animated or sizes.count(max(sizes)) > 1:
        raise unreadable(name, "an animation or a stack of images; save one of them")
    _check_size(pages[0].width, pages[0].height, name)
    # Smaller pages are previews.
    options: dict[str, Any] = {"access": "sequential"}
    if len(sizes) > 1:
        options["page"] = sizes.index(max(sizes))
    try:
        image = new(content, "", fail_on="error", **options).copy_memory()
    except vips.Error:
        if loader != "jpeg":
            raise
        # Only the end marker may be missing: after adding it, lost data are a warning.
        image = new(content + b"\xff\xd9", "", fail_on="warning", **options).copy_memory()
    return image.autorot(), KINDS[loader]


def _entries(tag: int, value: int) -> list[bytes]:
    """Return the entry of a tag in a TIFF file's directory, in each order of bytes and size."""
    return [struct.pack(f"{order}HH{count}H", tag, 3, 1, value) for order in "<>" for count in "IQ"]


def _tells(content: bytes, tag: int, value: int) -> bool:
    """Return whether the content is that of a TIFF file where a tag has that value."""
    tiff = content[:2] in (b"II", b"MM")
    return tiff and any(entry in content for entry in _entries(tag, value))


def _decode_lab(content: bytes, name: str | os.PathLike) -> tuple[Any, str]:
    """Decode a TIFF file in LAB, of which libvips 8.18 reads only those of 16 bits."""
    for lab, as_rgb in zip(_entries(COLOURS, LAB), _entries(COLOURS, RGB), strict=True):
        content = content.replace(lab, as_rgb, 1)
    image, kind = _decode_by_libvips(content, name)
    levels = 255 if image.format == "uchar" else 65535
    # a and b are signed; a comparison gives 255 where it holds.
    wraps = (levels + 1) / 255
    lab = image[:3] - (image[:3] > levels // 2) * [0, wraps, wraps]
    lab *= [100 / levels, *2 * [256 / (levels + 1)]]
    # As in profiles, and unlike libvips' own conversion, white is D50.
    srgb = lab.copy(interpretation="lab").icc_export(
        output_profile="srgb", depth=8 if levels == 255 else 16
    )
    srgb = srgb.copy()
    srgb.remove("icc-profile-data")
    return srgb.bandjoin(image[3]) if image.bands == 4 else srgb, kind


def _decode_by_pillow(content: bytes, name: str | os.PathLike) -> tuple[Any, str]:
    # A TGA file has no mark, so its suffix must tell.
    kinds = [OTHER_KINDS.get(Path(name).suffix.lower(), "BMP"), "BMP", "PPM", "JPEG2000"]
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(content), formats=kinds) as image,
        ):
            _check_size(*image.size, name)
            if image.mode in ("I", "I;16", "I;16B"):
                pixels = np.asarray(image).astype(np.uint16)
            else:
                alpha = "A" if image.has_transparency_data else ""
                pixels = np.asarray(image.convert(("L" if image.mode in GREY else "RGB") + alpha))
            kind = next(suffix for suffix, kind in OTHER_KINDS.items() if kind == image.format)
    except UnidentifiedImageError as error:
        raise unreadable(name, UNKNOWN if content else "empty") from error
    except Image.DecompressionBombError as error:  # raised before the size is known
        raise unreadable(name, f"too large; {LARGEST_ALLOWED}") from error
    except CourseError:
        raise
    # Pillow's decoders raise OSError, SyntaxError, ValueError and others on damaged files.
    except Exception as error:
        raise unreadable(name, "damaged or cut short") from error
    return libvips().Image.new_from_array(pixels), kind


def _check_size(width: int, height: int, name: str | os.PathLike) -> None:
    if width * height > LARGEST:
        raise unreadable(name, f"{width}x{height} pixels; {LARGEST_ALLOWED}")


def check_suffix(path: Path) -> None:
    """Raise a `CourseError` unless the suffix of ``path`` is that of an image format."""
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise CourseError(f"{path} cannot be written as an image: use a suffix of {known}.")


def unreadable(name: str | os.PathLike, reason: str) -> CourseError:
    """Return the error for an image file of which ``reason`` tells what it is."""
    return CourseError(f"{name} cannot be read: it is {reason}.")


def develop(content: bytes, name: str | os.PathLike) -> np.ndarray:
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
            f"{name} is a camera RAW file, which needs rawpy: run `pip install rawpy`."
        ) from error
    try:
        with rawpy.imread(io.BytesIO(content)) as raw:
            # dcraw's default curve is BT.709; this one is sRGB's.
            srgb = (2.4, 12.92)
            return raw.postprocess(
                gamma=srgb, use_camera_wb=True, no_auto_bright=True, half_size=True
            )
    except (OSError, rawpy.LibRawError) as error:
        raise unreadable(name, "damaged, or of a camera that LibRaw does not know") from error


def rgb(image: Any) -> np.ndarray:
    """Return the pixels of a decoded image as ``(H, W, 3)``, without alpha; grey is repeated."""
    colour = image[:3] if image.bands > 2 else image[0].bandjoin([image[0], image[0]])
    return colour.numpy()


def encode(image: Any, path: Path, **options: Any) -> None:
    """Write a libvips image to a file of the kind that its suffix says, with libvips' ``options``.

    Raises:
        CourseError: the image has more pixels along a side than such a file holds.
        OSError: the file cannot be written.
    """
    suffix, vips = path.suffix.lower(), libvips()
    try:
        if suffix in OTHER_KINDS:
            Image.fromarray(image.numpy()).save(path, OTHER_KINDS[suffix])
        else:
            # A file's name, unlike a target's, might be taken to end with options in brackets.
            target = vips.Target.new_to_file(os.fsencode(path))
            image.write_to_target(target, suffix, **options)
    except (vips.Error, OSError, OverflowError, struct.error) as error:  # the last two are Pillow's
        if isinstance(error, OSError) and error.errno:
            raise
        if "write error" in str(error):
            told = [number for number in errno.errorcode if os.strerror(number) in str(error)]
            raise OSError(told[0] if told else errno.EIO, str(error)) from error
        size = f"{image.width}x{image.height}"
        raise CourseError(f"A photograph of {size} pixels is too large for {suffix}.") from error
