"""Kinds of photographs: a small generated file of each.

`kinds.judge` says what of it an enhanced file keeps, and the tests hold every kind to that.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from llie_helpers.codecs import SAME_KIND, libvips
from llie_helpers.inference.hdr import BT2020, P3

HEIGHT, WIDTH = 144, 192
# What a file may hold beside its pixels.
CARRIED = ("profile", "EXIF", "XMP", "IPTC", "comments", "resolution", "gamma", "film")
EVERYTHING = frozenset(CARRIED) - {"gamma", "film"}
PROFILES = [ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
LOSSY = (".jpg", ".webp", ".avif")
TIFFFILE = {"planarconfig", "byteorder", "bigtiff", "tile", "extrasamples"}
# How a camera stores what is upright, by EXIF orientation.
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}
XMP = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4" xmp:Label="Zoë"/></rdf:RDF>'
    '</x:xmpmeta><?xpacket end="w"?>'
).encode()
IPTC = b"\x1c\x02\x05\x00\x05night\x1c\x02\x50\x00\x04Zo\xc3\xab"
FILM = b"\0\0\0\x18ftypmp42" + bytes(range(256))  # the beginning of one, as of a Motion Photo
CAMERA, GPS = 34665, 34853  # directories of EXIF
# The rating, the notes and private tags are among those that libexif drops.
TAGS: dict[int, dict[int, Any]] = {
    0: {270: b"a cat", 271: b"Camera", 315: "Zoë".encode(), 33432: "© Zoë".encode(), 18246: 4,
        306: b"2024:12:24 18:00:00", 40091: "Zoë".encode("utf-16-le"), 50341: b"PrintIM 0300"},
    CAMERA: {33434: 0.5, 34855: 3200, 36867: b"2024:12:24 18:00:00", 37500: b"NOTES" * 20,
             42036: "Objektiv für die Nacht".encode(), 65000: b"Owner"},
    GPS: {1: b"N", 2: (52.0, 30.0, 1.5), 29: b"2024:12:24"},
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of photograph.

    Attributes:
        suffix: of the file.
        mode: Pillow's name of its bands.
        bits: of each band.
        orientation: as in EXIF, 1 to 8.
        carried: what the file has beside its pixels, of `CARRIED`.
        profile: of colour, if it carries one, see `icc`.
        colours: the numbers of ITU-T H.273 for primaries and transfer function, if it tells them.
        options: of the program that writes it.
        edit: what is done to the file, see `edited`.
    """

    suffix: str
    mode: str = "RGB"
    bits: int = 8
    orientation: int = 1
    carried: frozenset[str] = frozenset()
    profile: str = "sRGB"
    colours: tuple[int, int] = (0, 0)
    options: dict[str, Any] = field(default_factory=dict)
    edit: str = ""

    @property
    def container(self) -> str:
        """The suffix that stands for all of the same kind of file."""
        return SAME_KIND.get(self.suffix, self.suffix)

    @property
    def lossy(self) -> bool:
        """Whether the file's pixels are only like those it was made of."""
        jpeg = self.container == ".jpg" or self.options.get("compression") == "jpeg"
        return jpeg or (self.container in LOSSY and not self.options.get("lossless"))

    def __str__(self) -> str:
        turned = f"turned {self.orientation}" if self.orientation > 1 else ""
        carried = [word for word in CARRIED if word in self.carried]
        profile = self.profile if self.profile != "sRGB" else ""
        colours = "colours {} {}".format(*self.colours) if self.colours[0] else ""
        options = [f"{name}={value}" for name, value in self.options.items()]
        parts = [f"{self.suffix} {self.mode} {self.bits} bits", turned, *carried, profile, colours]
        return " ".join(part for part in [*parts, *options, self.edit] if part)


def kinds() -> Iterator[Kind]:
    """Yield every kind."""
    for suffix in (".jpg", ".jpeg", ".jpe", ".jfif"):
        yield Kind(suffix, carried=EVERYTHING)
    for quality in (40, 75, 90, 98):
        for sampling in (0, 1, 2):
            yield Kind(".jpg", options={"quality": quality, "subsampling": sampling})
    yield Kind(".jpg", options={"progressive": True})
    for edit in ("no end mark", "bytes behind", "a thumbnail", "a wrong type", "broken EXIF"):
        yield Kind(".jpg", carried=frozenset({"XMP"}), edit=edit)
    for carried in (frozenset(), EVERYTHING - {"profile"}):
        yield Kind(".jpg", "CMYK", carried=carried)
        for mode in ("CMYK", "LAB"):
            yield Kind(".tif", mode, carried=carried - {"comments"})
        yield Kind(".jpg", "L", carried=carried, orientation=6)
    for mode in ("L", "LA", "RGB", "RGBA"):
        for suffix in (".png", ".tif"):
            for bits in (8, 16):
                yield Kind(suffix, mode, bits)
        for suffix in (".tga", ".jp2"):
            yield Kind(suffix, mode)
    for mode in ("1", "P"):
        for suffix in (".png", ".tif", ".bmp"):
            yield Kind(suffix, mode)
    for mode, suffix in (("L", ".bmp"), ("RGB", ".bmp"), ("L", ".pgm"), ("RGB", ".ppm")):
        yield Kind(suffix, mode)
    for mode in ("RGB", "RGBA"):
        yield Kind(".avif", mode)
        yield Kind(".avif", mode, carried=frozenset({"EXIF", "XMP", "profile"}), orientation=6)
        for options in ({"quality": 50}, {"quality": 80}, {"lossless": True}):
            yield Kind(".webp", mode, options=options)
    for bits in (10, 12):
        yield Kind(".avif", "RGB", bits)
        yield Kind(".avif", "RGBA", bits)
    for suffix, bits in ((".avif", 8), (".png", 8), (".png", 16)):
        for primaries, transfer in ((P3, 13), (BT2020, 14), (BT2020, 16), (BT2020, 18), (P3, 16)):
            yield Kind(suffix, "RGB", bits, colours=(primaries, transfer))
    yield Kind(".avif", "RGBA", colours=(BT2020, 16))
    for suffix in (".jpg", ".png", ".webp", ".tif"):
        options = {"lossless": True} if suffix == ".webp" else {}
        mode = "RGB" if suffix == ".jpg" else "RGBA"
        for orientation in range(2, 9):
            carried = frozenset({"EXIF"} if orientation % 2 else {"EXIF", "XMP"})
            yield Kind(suffix, mode, 8, orientation, carried, options=options)
        for profile in ("P3", "Adobe", "large"):
            yield Kind(suffix, carried=frozenset({"profile"}), profile=profile, options=options)
    for suffix in (".png", ".tif"):
        for orientation in (3, 6):
            yield Kind(suffix, "LA", 8, orientation)
            yield Kind(suffix, "RGB", 16, orientation, frozenset({"profile"}), "P3")
            yield Kind(suffix, "RGBA", 16, orientation)
    yield Kind(".png", carried=EVERYTHING - {"IPTC"})
    for mode, bits in (("L", 8), ("RGBA", 8), ("RGB", 16)):
        yield Kind(".png", mode, bits, carried=frozenset({"gamma"}))
    for carried in (frozenset({"film"}), frozenset({"film", "EXIF", "XMP"})):
        yield Kind(".jpg", carried=carried)
    yield Kind(".png", bits=16, carried=frozenset({"EXIF", "profile"}))
    for suffix in (".tif", ".tiff"):
        yield Kind(suffix, carried=EVERYTHING - {"comments"})
        yield Kind(suffix, bits=16, carried=EVERYTHING - {"comments", "EXIF"})
    for lossless in (True, False):
        options = {"lossless": lossless}
        yield Kind(".webp", carried=frozenset({"EXIF", "XMP", "profile"}), options=options)
    for compression in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        yield Kind(".tif", options={"compression": compression})
    for options in (
        {"planarconfig": "separate"},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"tile": (16, 16)},
        {"extrasamples": ["assocalpha"]},
    ):
        for bits in (8, 16):
            mode = "RGBA" if "extrasamples" in options else "RGB"
            yield Kind(".tif", mode, bits, carried=frozenset({"resolution"}), options=options)
    yield Kind(".tif", options={"byteorder": ">"}, edit="a preview")
    yield Kind(".tif", "LA", options={"extrasamples": ["assocalpha"]})


def picture(kind: Kind) -> np.ndarray:
    """Return the upright pixels that a file of a kind is made of: ``(H, W)`` or with bands."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / max(HEIGHT, WIDTH)
    waves = [np.sin(3 * x + band) * np.cos(4 * y * (band + 1)) / 2.2 + 0.5 for band in range(3)]
    waves = [wave + np.random.default_rng(0).normal(0, 0.01, wave.shape) for wave in waves]
    waves = [wave.clip(0, 1) for wave in waves]
    alpha = 0.25 + 0.7 * x
    bands = {"L": waves[:1], "LA": [waves[0], alpha], "RGBA": [*waves, alpha]}.get(kind.mode, waves)
    levels = 255 if kind.bits == 8 else 65535
    return np.rint(np.dstack(bands).squeeze() * levels).astype(np.uint8 if levels < 256 else "u2")


@cache
def icc(name: str) -> bytes:
    """Return a colour profile.

    They are sRGB's, "P3" and "Adobe" with the primaries of wide gamuts, "large" with 100 kB.
    """
    if name == "P3":
        return bytes(libvips().Image.profile_load("p3"))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if name == "large":
        profile = struct.pack(">I", 100_000) + profile[4:].ljust(99_996, b"\0")
    if name == "Adobe":
        for tag, primary in (
            (b"rXYZ", (0.60974, 0.31111, 0.01947)),
            (b"gXYZ", (0.20528, 0.62567, 0.06087)),
            (b"bXYZ", (0.14919, 0.06322, 0.74457)),
        ):
            at = int.from_bytes(profile[(entry := profile.index(tag)) + 4 : entry + 8]) + 8
            numbers = struct.pack(">3i", *(round(number * 65536) for number in primary))
            profile = profile[:at] + numbers + profile[at + 12 :]
    return profile


def exif(kind: Kind) -> bytes:
    """Return EXIF data for a kind, b"" if it has none."""
    if kind.edit == "broken EXIF":
        return b"Exif\0\0II*\0\xff\0\0\0"
    if kind.edit == "a wrong type":  # orientation as text, and a maker as a fraction
        tags = struct.pack("<HHHI4sHHII", 2, 274, 2, 2, b"6", 271, 5, 1, 38) + struct.pack(
            "<3I", 0, 1, 3
        )
        return b"Exif\0\0II*\0\x08\0\0\0" + tags
    if kind.edit == "a thumbnail":
        small = saved(Image.new("RGB", (16, 12)), "JPEG")
        first = struct.pack("<HHHI4sI", 1, 271, 2, 4, b"Cam", 26)
        second = struct.pack("<HHHIIHHIII", 2, 513, 4, 1, 56, 514, 4, 1, len(small), 0)
        return b"Exif\0\0II*\0\x08\0\0\0" + first + second + small
    tags = exif_tags(kind)
    return tags.tobytes() if len(tags) else b""


def exif_tags(kind: Kind) -> Image.Exif:
    """Return EXIF data for a kind as Pillow has them."""
    tags = Image.Exif()
    if "EXIF" in kind.carried:
        tags.update(TAGS[0])
        for directory in (CAMERA, GPS):
            tags.get_ifd(directory).update(TAGS[directory])
    if kind.orientation > 1:
        tags[274] = kind.orientation
    return tags


def make(kind: Kind) -> bytes:
    """Return the content of a file of a kind."""
    content = written(kind)
    if "film" in kind.carried:
        return content + FILM
    chunks = b""
    if "gamma" in kind.carried:
        primaries = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)  # of Display P3
        chunks = chunk(b"gAMA" + struct.pack(">I", 45455)) + chunk(
            b"cHRM" + struct.pack(">8I", *primaries)
        )
    if kind.colours[0] and kind.suffix == ".png":
        chunks = chunk(b"cICP" + bytes([*kind.colours, 0, 1]))
    if chunks:
        return content[:33] + chunks + content[33:]  # behind the header
    if kind.colours[0]:
        at = content.index(b"colrnclx") + 8
        return content[:at] + struct.pack(">HH", *kind.colours) + content[at + 4 :]
    return content


def chunk(content: bytes) -> bytes:
    """Return a chunk of PNG with its name and data."""
    return struct.pack(">I", len(content) - 4) + content + zlib.crc32(content).to_bytes(4)


def written(kind: Kind) -> bytes:
    """Return the content of a file written by Pillow, tifffile, OpenCV or libvips."""
    pixels = STORED[kind.orientation](picture(kind))
    profile = icc(kind.profile) if "profile" in kind.carried else None
    if kind.container == ".tif" and (kind.bits > 8 or kind.options.keys() & TIFFFILE):
        return tiff(kind, pixels, profile)
    if kind.suffix == ".avif" and kind.bits > 8:
        image = libvips().Image.new_from_array(pixels)
        return image.heifsave_buffer(compression="av1", bitdepth=kind.bits, Q=80, effort=3)
    if kind.suffix == ".png" and kind.bits > 8:
        return png_of_16_bits(kind, pixels, profile)
    image = Image.fromarray(pixels)
    if kind.mode == "LAB":
        image = ImageCms.profileToProfile(image, *PROFILES, outputMode="LAB")
    elif kind.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert(kind.mode)
    options = dict(kind.options)
    if "resolution" in kind.carried:
        options["dpi"] = (300, 300)
    if profile:
        options["icc_profile"] = profile
    if tags := exif(kind):
        options["exif"] = tags
    texts = PngImagePlugin.PngInfo()
    if "XMP" in kind.carried:
        options["xmp"] = XMP
        texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    if "comments" in kind.carried:
        options["comment"] = "A cat, © Zoë".encode()
        texts.add_text("Title", "a cat")
        texts.add_itxt("Author", "Zoë 写真")
    if kind.container == ".png":
        options["pnginfo"] = texts
    if kind.container == ".tif":
        options["exif"] = exif_tags(kind)
        more = {"XMP": (700, XMP), "IPTC": (33723, IPTC)}
        options["exif"].update(dict(more[name] for name in more if name in kind.carried))
    name = {".jpg": "JPEG", ".tif": "TIFF", ".jp2": "JPEG2000", ".pgm": "PPM"}
    content = saved(image, name.get(kind.container, kind.suffix[1:].upper()), **options)
    if kind.container == ".jpg" and "IPTC" in kind.carried:
        resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + bytes(len(IPTC) % 2)
        part = b"Photoshop 3.0\0" + resource
        at = 4 + int.from_bytes(content[4:6])
        content = (
            content[:at] + b"\xff\xed" + struct.pack(">H", len(part) + 2) + part + content[at:]
        )
    return {"no end mark": content[:-2], "bytes behind": content + b"more" * 99}.get(
        kind.edit, content
    )


def saved(image: Image.Image, name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def tiff(kind: Kind, pixels: np.ndarray, profile: bytes | None) -> bytes:
    """Return a TIFF file that Pillow cannot write."""
    alpha = kind.mode.endswith("A")
    options: dict[str, Any] = {"extrasamples": ["unassalpha"]} if alpha else {}
    options |= kind.options
    if options.get("extrasamples") == ["assocalpha"]:
        most = np.iinfo(pixels.dtype).max
        light = np.rint(pixels[..., :-1] * (pixels[..., -1:] / most)).astype(pixels.dtype)
        pixels = np.dstack([light, pixels[..., -1]])
    if options.get("planarconfig"):
        pixels = pixels.transpose(2, 0, 1)
    extra: list[tuple] = [(274, 3, 1, kind.orientation, False)]
    if "XMP" in kind.carried:
        extra.append((700, 1, len(XMP), XMP, False))
    if "IPTC" in kind.carried:
        extra.append((33723, 7, len(IPTC), IPTC, False))
    if "resolution" in kind.carried:
        options["resolution"], options["resolutionunit"] = (300, 300), "INCH"
    buffer = io.BytesIO()
    with tifffile.TiffWriter(
        buffer, bigtiff=options.pop("bigtiff", False), byteorder=options.pop("byteorder", "<")
    ) as file:
        photometric = "minisblack" if kind.mode.startswith("L") else "rgb"
        file.write(pixels, photometric=photometric, iccprofile=profile, extratags=extra,
                   metadata=None, **options)  # fmt: skip
        if kind.edit == "a preview":
            file.write(pixels[::2, ::2], photometric=photometric, metadata=None, subfiletype=1)
    return buffer.getvalue()


def png_of_16_bits(kind: Kind, pixels: np.ndarray, profile: bytes | None) -> bytes:
    """Return a PNG file of 16 bits, which Pillow cannot write."""
    parts = {cv2.IMAGE_METADATA_ICCP: profile or b"",
             cv2.IMAGE_METADATA_EXIF: exif(kind).removeprefix(b"Exif\0\0")}  # fmt: skip
    parts = {name: np.frombuffer(part, np.uint8) for name, part in parts.items() if part}
    if kind.mode == "LA":
        image = libvips().Image.new_from_array(pixels).copy(interpretation="grey16")
        content = image.pngsave_buffer()
    else:
        if pixels.ndim == 3:
            pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
        _, encoded = cv2.imencodeWithMetadata(".png", pixels, list(parts), list(parts.values()))
        content = encoded.tobytes()
    return content
