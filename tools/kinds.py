"""What an enhanced file keeps of each kind of photograph and of film.

The tests judge every kind; `python tools/kinds.py results` writes the tables of `docs/files.md`.
"""

import io
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import films
import numpy as np
import tifffile
from builder.source import ROOT
from marked import between_marks, rewrite
from photographs import (
    CAMERA,
    CARRIED,
    GPS,
    LOSSY,
    PROFILES,
    TAGS,
    Kind,
    icc,
    kinds,
    make,
    picture,
    saved,
)
from PIL import Image, ImageCms, ImageOps, IptcImagePlugin

from llie_helpers.codecs import libvips
from llie_helpers.console import examples, new_app, run
from llie_helpers.images import to_float
from llie_helpers.inference.hdr import BT2020, P3, TRANSFERS, to_bt709, tone_map
from llie_helpers.inference.photos import read_photo, write_photo

PROGRAM = "python tools/kinds.py"
PAGE = ROOT / "docs" / "files.md"
MARKS = (f"<!-- kinds, written by `{PROGRAM} results` -->", "<!-- end of kinds -->")
FILM_MARKS = (f"<!-- films, written by `{PROGRAM} results` -->", "<!-- end of films -->")
CONTAINERS = {".jpg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".webp": "WebP", ".avif": "AVIF",
              ".bmp": "BMP", ".ppm": "PPM", ".pgm": "PGM", ".tga": "TGA",
              ".jp2": "JPEG 2000"}  # fmt: skip
COLUMNS = ("pixels", "16 bits", "transparency", *CARRIED, "quality")
CONVERTED = ("CMYK", "LAB")


@dataclass(frozen=True)
class Contents:
    """What a second program finds in a file: pixels, all that is carried, and how it is stored."""

    pixels: np.ndarray
    carried: dict[str, Any] = field(default_factory=dict)
    tables: dict[int, list[int]] = field(default_factory=dict)
    progressive: bool = False
    turned: bool = False


def contents(content: bytes) -> Contents:
    """Read a file with Pillow, or with tifffile or OpenCV where Pillow knows only 8 bits."""
    if content.startswith(b"\xff\xd8"):
        content += b"\xff\xd9"  # Pillow refuses a file that lacks it
    pixels = None
    if content[:4] in (b"II*\0", b"MM\0*", b"II+\0"):
        page = tifffile.TiffFile(io.BytesIO(content)).pages[0]
        if page.dtype == np.uint16:
            pixels = page.asarray()
            pixels = pixels.transpose(1, 2, 0) if len(pixels) < 5 else pixels
    elif content.startswith(b"\x89PNG") and content[24] == 16:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels.ndim == 3:
            grey_with_alpha = content[25] == 4  # which OpenCV repeats
            pixels = pixels[..., [0, 3] if grey_with_alpha else [2, 1, 0, 3][: pixels.shape[2]]]
    try:
        image = Image.open(io.BytesIO(content))
    except Image.UnidentifiedImageError:
        if pixels is None:
            raise
        return Contents(pixels)  # of 16 bits, grey with alpha
    tags = image.getexif()
    found = {0: dict(tags), **{each: dict(tags.get_ifd(each)) for each in (CAMERA, GPS)}}
    texts = {name: text for name, text in getattr(image, "text", {}).items() if "xmp" not in name}
    carried = {
        "profile": image.info.get("icc_profile"),
        "EXIF": {(d, tag): found[d].get(tag) for d in TAGS for tag in TAGS[d]},
        "XMP": getattr(image, "tag_v2", {}).get(700) or image.info.get("xmp"),
        "IPTC": IptcImagePlugin.getiptcinfo(image),
        "comments": texts or image.info.get("comment"),
        "gamma": (image.info.get("gamma"), image.info.get("chromaticity")),
        "film": content.partition(b"\0\0\0\x18ftyp")[2].removesuffix(b"\xff\xd9"),
        "resolution": tuple(round(float(each)) for each in image.info.get("dpi", ())),
    }
    tables = getattr(image, "quantization", {})
    turned = tags.get(274, 1) != 1
    if pixels is None:
        if image.mode == "CMYK":
            profiles = [
                io.BytesIO(each) for each in (libvips().Image.profile_load("cmyk"), icc("sRGB"))
            ]
            image = ImageCms.profileToProfile(image, *profiles, renderingIntent=1, outputMode="RGB")
        if image.mode == "LAB":
            image = ImageCms.profileToProfile(image, *PROFILES[::-1], outputMode="RGB")
        upright = ImageOps.exif_transpose(image)
        pixels = np.asarray(upright.convert({"1": "L", "P": "RGB"}.get(upright.mode, upright.mode)))
    return Contents(pixels, carried, tables, "progressive" in image.info, turned)


app = new_app(help=__doc__)


@app.callback()
def common() -> None:
    """Judge what enhanced photographs keep."""


@app.command(**examples("results", program=PROGRAM))
def results() -> None:
    """Write the tables of what each kind of photograph and of film keeps."""
    with tempfile.TemporaryDirectory() as folder:
        judged = [(kind, judge(kind, Path(folder))) for kind in kinds()]
    rewrite(PAGE, partial(with_tables, judged=judged))


def with_tables(text: str, judged: list[tuple[Kind, dict[str, bool]]]) -> str:
    """Return the page's text with the tables of kinds."""
    return between_marks(
        between_marks(text, MARKS, table(judged) + "\n"), FILM_MARKS, film_table() + "\n"
    )


def film_table() -> str:
    """Return the table of films, by what their kinds are tested to keep."""
    lines = [f"| | {' | '.join(films.COLUMNS)} |", f"| --- |{' --- |' * len(films.COLUMNS)}"]
    for name, suffixes in films.ROWS.items():
        each = [films.keeps(kind) for kind in films.KINDS.values() if kind.suffix in suffixes]
        cells = [verdict([kept[c] for kept in each if c in kept]) for c in films.COLUMNS]
        lines.append(f"| {name}, {len(each)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table(judged: list[tuple[Kind, dict[str, bool]]]) -> str:
    """Return the table of photographs: what the kinds of each container kept."""
    kept: dict[str, dict[str, list[bool]]] = {name: {} for name in CONTAINERS}
    for kind, found in judged:
        for what, so in found.items():
            kept[kind.container].setdefault(what, []).append(so)
    lines = [f"| | {' | '.join(COLUMNS)} |", f"| --- |{' --- |' * len(COLUMNS)}"]
    for container, name in CONTAINERS.items():
        cells = [verdict(kept[container].get(column, [])) for column in COLUMNS]
        lines.append(f"| {name}, {len(kept[container]['pixels'])} | {' | '.join(cells)} |")
    return "\n".join(lines)


def verdict(kept: list[bool]) -> str:
    """Return a cell of the table for the kinds that have something."""
    if not kept:
        return "-"
    return "kept" if all(kept) else f"{sum(kept)} of {len(kept)}"


def judge(kind: Kind, folder: Path) -> dict[str, bool]:
    """Make a file of a kind, enhance it with the identity, and tell what was kept.

    Pixels may differ by 2 levels; those of lossy files from what a second program writes.
    """
    source, target = folder / f"in{kind.suffix}", folder / f"out{kind.suffix}"
    content = make(kind)
    source.write_bytes(content)
    photo = read_photo(source)
    write_photo(target, to_float(photo.pixels), photo)
    given, kept = contents(content), contents(target.read_bytes())
    judged = {"pixels": not kept.turned and near(kind, given, kept)}
    if kind.bits > 8 and kind.colours[1] not in TRANSFERS:  # Pillow reads AVIF with 8 bits
        deep = libvips().Image.new_from_file(str(target)).get("bits-per-sample") == kind.bits
        judged["16 bits"] = kept.pixels.dtype == np.uint16 or deep
    if kind.mode.endswith("A"):
        judged["transparency"] = kept.pixels.ndim == 3 and kept.pixels.shape[2] in (2, 4)
    if kind.container in LOSSY and kind.lossy:
        ratio = target.stat().st_size / source.stat().st_size
        stored = [(each.tables.get(0), each.progressive) for each in (given, kept)]
        same = stored[0] == stored[1]
        judged["quality"] = same if kind.container == ".jpg" else 0.6 < ratio < 1.6
    if kind.colours == (P3, 13):
        judged["profile"] = kept.carried["profile"] == icc("P3")
    for name in sorted(kind.carried):
        assert given.carried[name], f"{kind} was made without {name}"
        judged[name] = kept.carried[name] == given.carried[name]
    return judged


def near(kind: Kind, given: Contents, kept: Contents) -> bool:
    """Return whether pixels differ by 2 levels at most.

    A JPEG file is compared with a re-save by Pillow. Of other lossy files, CMYK and LAB, the mean
    difference counts; Pillow's re-save may have as much.
    """
    expected = given.pixels
    if kind.bits == 16 or "extrasamples" in kind.options:
        expected = picture(kind)
    primaries, transfer = kind.colours
    colour, alpha = np.split(expected, [3], axis=2) if kind.colours[0] else (expected, [])
    if transfer in TRANSFERS:
        deep = colour.astype(np.uint16) * (257 if colour.dtype == np.uint8 else 1)
        expected = np.dstack([tone_map(deep, transfer, primaries), alpha])
    elif primaries == BT2020:
        expected = to_bt709(colour, primaries)
    again = expected
    if kind.lossy and kind.suffix != ".tif" and kind.mode not in CONVERTED:
        name, how = kind.suffix[1:].upper(), kind.options
        if kind.container == ".jpg":
            halved = kind.options.get("subsampling", 2) == 2
            name, how = "JPEG", {"qtables": given.tables, "subsampling": 2 if halved else 0}
        again = np.asarray(Image.open(io.BytesIO(saved(Image.fromarray(expected), name, **how))))
    if kept.pixels.shape != expected.shape:
        return False
    if kind.container == ".jpg" and kind.mode not in CONVERTED:
        return bool(np.abs(kept.pixels.astype(int) - again).max() <= 2)
    difference = np.abs(kept.pixels.astype(int) - expected)
    if kind.lossy or kind.mode in CONVERTED:
        return bool(difference.mean() <= max(2, 1.3 * np.abs(again.astype(int) - expected).mean()))
    return bool(difference.max() <= 2)


if __name__ == "__main__":
    sys.exit(run(app, sys.argv[1:], PROGRAM))
