"""Carry EXIF tags and comments from file to file, byte by byte.

libvips carries the rest. Its libexif drops tags that it does not know, ratings among them, and
it reads no EXIF data in TIFF files. EXIF data are a small TIFF file: directories of tags.
"""

import struct
import zlib
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from typing import Any, BinaryIO

import numpy as np

# Bytes of a value of each TIFF type; the second number is of what has a byte order.
TYPES = {1: (1, 1), 2: (1, 1), 3: (2, 2), 4: (4, 4), 5: (8, 4), 6: (1, 1), 7: (1, 1), 8: (2, 2),
         9: (4, 4), 10: (8, 4), 11: (4, 4), 12: (8, 8), 13: (4, 4), 16: (8, 8)}  # fmt: skip
DIRECTORIES = (34665, 34853, 40965)  # EXIF, GPS and interoperability: directories themselves
ORIENTATION = 274
# Tags that tell how the pixels of a TIFF file are stored, Photoshop's layers included, and those
# that libvips carries.
STRUCTURE = {*range(254, 260), *range(262, 267), 273, ORIENTATION, *range(277, 282), 284,
             *range(288, 292), 301, *range(317, 348), *range(512, 533), 37724,
             700, 34377, 34675}  # fmt: skip
HEADER = b"II*\0\x08\0\0\0"
Tags = dict[int, tuple[int, int, Any]]  # type, count, and bytes or tags, by number
JFIF, COMMENT, PIXELS = 0xE0, 0xFE, b"\xda"  # segments of JPEG
TEXTS = (b"tEXt", b"zTXt", b"iTXt")  # chunks of PNG
SHADES = (b"gAMA", b"cHRM")  # which say what its numbers mean, unless a better one, cICP, does
APART = (b"XML:", b"Raw ")
SAMSUNG = b"MotionPhoto_Data"


def upright(exif: bytes) -> bytes:
    """Return EXIF data with orientation 1 and no thumbnail, in place; b"" if they are damaged.

    Nothing moves, because the notes of camera makers hold positions.
    """
    data = bytearray(exif.removeprefix(b"Exif\0\0"))
    order = ">" if data.startswith(b"MM") else "<"
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        end = start + 2 + 12 * count
        for at in range(start + 2, end, 12):
            if struct.unpack_from(f"{order}H", data, at) == (ORIENTATION,):
                struct.pack_into(f"{order}HIHH", data, at + 2, 3, 1, 1, 0)
        struct.pack_into(f"{order}I", data, end, 0)  # the thumbnail's directory would follow
    except struct.error:
        return b""
    return bytes(data)


def from_tiff(content: bytes) -> bytes:
    """Return the tags of a TIFF file that do not tell how its pixels are stored, as EXIF data."""
    order = ">" if content.startswith(b"MM") else "<"
    big = content[2:4] in (b"+\0", b"\0+")
    try:
        start = struct.unpack_from(f"{order}Q" if big else f"{order}I", content, 8 if big else 4)
        tags = _read(content, start[0], order, big)
    except (struct.error, OverflowError):  # BigTIFF's positions may exceed even an index
        return b""
    tags = {tag: value for tag, value in tags.items() if tag not in STRUCTURE}
    return HEADER + _write(tags, len(HEADER)) if tags else b""


def into_tiff(file: BinaryIO, exif: bytes) -> None:
    """Write the tags of ``exif`` into a TIFF file of libvips, in a directory at its end."""
    order = ">" if exif.startswith(b"MM") else "<"
    try:
        tags = _read(exif, struct.unpack_from(f"{order}I", exif, 4)[0], order)
    except struct.error:
        return
    tags = {tag: value for tag, value in tags.items() if tag not in STRUCTURE}
    with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        tags = _read(content, struct.unpack_from("<I", content, 4)[0], "<") | tags
        at = len(content) + len(content) % 2
    file.seek(at)
    file.write(_write(tags, at))
    file.seek(4)
    file.write(struct.pack("<I", at))


def into(file: BinaryIO, exif: bytes, placeholder: bytes) -> None:
    """Write ``exif`` into a JPEG, PNG, WebP or AVIF file, in the place of libvips' EXIF data.

    Args:
        file: written by libvips with ``placeholder`` as image description. It is not there if it
            was too long for the kind of file.
        exif: EXIF data, not longer than the placeholder.
        placeholder: text that is nowhere else in the file.
    """
    with mmap(file.fileno(), 0) as content:
        at = content.find(placeholder)
        if at < 0:
            return
        start, end = content.rfind(HEADER, 0, at), at + len(placeholder)
        content[start:end] = exif.ljust(end - start, b"\0")
        if content[start - 4 : start] == b"eXIf":
            end = start + int.from_bytes(content[start - 8 : start - 4])
            content[end : end + 4] = zlib.crc32(content[start - 4 : end]).to_bytes(4)


def segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the marker and the bytes of each segment before the pixels of a JPEG file."""
    at = 2
    while content[at : at + 1] == b"\xff" and content[at + 1 : at + 2] != PIXELS:
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4])
        if not at + 4 <= end <= len(content):  # damaged
            return
        yield content[at + 1], content[at:end]
        at = end


def comments(content: bytes, kind: str) -> bytes:
    """Return a JPEG file's resolution and comments, or a PNG file's texts and gamma, unchanged."""
    if kind == ".jpg":
        return b"".join(part for marker, part in segments(content) if marker in (JFIF, COMMENT))
    if kind != ".png":
        return b""
    # Those set apart are XMP, and what ImageMagick writes as "Raw profile type iptc".
    found = list(chunks(content))
    names = TEXTS if any(name == b"cICP" for name, _ in found) else TEXTS + SHADES
    kept = [chunk for name, chunk in found if name in names and chunk[8:12] not in APART]
    return b"".join(chunk for chunk in kept if zlib.crc32(chunk[4:-4]).to_bytes(4) == chunk[-4:])


def motion(content: bytes, kind: str) -> bytes:
    """Return the film that a phone has put behind a JPEG file, a "Motion Photo", or b"".

    It ends with the file, and both programs and XMP count its place from there.
    """
    if kind != ".jpg":
        return b""
    pixels = 2 + sum(len(part) for _, part in segments(content))
    end = content.find(b"\xff\xd9", pixels)
    film = content.find(b"ftyp", end) - 4
    if end < 0 or film < end:
        return b""
    mark = content.find(SAMSUNG, end, film)  # behind 8 bytes of its own
    return content[film if mark < 0 else mark - 8 :]


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the bytes of each chunk of a PNG file."""
    at = 8
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4])
        yield content[at + 4 : at + 8], content[at:end]
        at = end


def code_points(content: bytes, kind: str) -> tuple[int, int]:
    """Return the numbers of primaries and transfer function that AVIF and PNG files may tell.

    They are those of ITU-T H.273, and (0, 0) where the file does not tell them.
    """
    if kind == ".png":
        found = next((chunk[8:] for name, chunk in chunks(content) if name == b"cICP"), b"")
        return (found[0], found[1]) if len(found) == 8 else (0, 0)
    at = content.find(b"colrnclx") if kind == ".avif" else -1
    if not 0 <= at <= len(content) - 12:
        return 0, 0
    return struct.unpack_from(">HH", content, at + 8)


def insert(file: BinaryIO, kind: str, comments: bytes) -> None:
    """Insert ``comments`` into a JPEG or PNG file of libvips."""
    # After JPEG's first mark, and PNG's first chunk: a gamma has to come before the pixels.
    at = file.seek(2 if kind == ".jpg" else 33)
    behind = file.read()
    file.seek(at)
    file.write(comments + behind)


def xmp_chunk(xmp: bytes) -> bytes:
    """Return XMP data as the chunk that PNG has for it; libvips writes another."""
    chunk = b"iTXtXML:com.adobe.xmp" + bytes(5) + xmp
    return struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))


def _read(data: bytes | mmap, at: int, order: str, big: bool = False, depth: int = 2) -> Tags:
    """Read the directory at a byte, with values in little-endian order; BigTIFF if ``big``."""
    number, step, inline = ("Q", 20, 8) if big else ("I", 12, 4)
    (count,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, at)
    at += 8 if big else 2
    tags: Tags = {}
    for entry in range(at, at + count * step, step):
        tag, kind, values = struct.unpack_from(f"{order}HH{number}", data, entry)
        (pointer,) = struct.unpack_from(f"{order}{number}", data, entry + step - inline)
        if tag in DIRECTORIES:
            if depth:
                tags[tag] = (4, 1, _read(data, pointer, order, big, depth - 1))
        elif kind in TYPES:
            size, unit = TYPES[kind]
            start = entry + step - inline if values * size <= inline else pointer
            value = data[start : start + values * size]
            if len(value) == values * size:
                swapped = np.frombuffer(value, f"{order}u{unit}").astype(f"<u{unit}")
                tags[tag] = (kind, values, swapped.tobytes())
    return tags


def _write(tags: Tags, at: int) -> bytes:
    """Return a little-endian directory for a byte of a file, with its values behind it."""
    entries, values = struct.pack("<H", len(tags)), b""
    behind = at + 2 + 12 * len(tags) + 4
    for tag, (kind, count, value) in sorted(tags.items()):
        where = behind + len(values)
        if isinstance(value, dict):
            value = _write(value, where)
        elif len(value) <= 4:
            entries += struct.pack("<HHI4s", tag, kind, count, value)
            continue
        entries += struct.pack("<HHII", tag, kind, count, where)
        values += value + bytes(len(value) % 2)
    return entries + bytes(4) + values
