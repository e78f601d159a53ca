"""Photographs are turned upright once, and what is none is named in one sentence."""

import io
import os
import struct
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import numpy as np
import photographs
import pytest
import tifffile
import torch
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from llie_helpers.codecs import libvips
from llie_helpers.errors import CourseError
from llie_helpers.inference.photos import Photo, decode_photo, read_photo, write_photo

CAMERA = 0x0110


def noise(height=20, width=30, dtype=np.uint8, channels=3):
    levels = np.iinfo(dtype).max + 1
    return np.random.default_rng(0).integers(0, levels, (height, width, channels), dtype)


def as_tensor(pixels):
    return torch.from_numpy(pixels / np.iinfo(pixels.dtype).max).float().permute(2, 0, 1)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(pixels: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".bmp", ".webp", ".tga", ".ppm", ".jp2"])
def test_pixels_without_a_file_are_written_without_loss(tmp_path, suffix):
    photo = Photo(noise())
    write_photo(tmp_path / f"a{suffix}", as_tensor(photo.pixels), photo)
    assert np.array_equal(read_photo(tmp_path / f"a{suffix}").pixels, photo.pixels)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".ppm"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("grey", [False, True])
def test_the_ground_is_white_where_a_kind_has_no_transparency(tmp_path, suffix, dtype, grey):
    most = np.iinfo(dtype).max
    alpha = np.full((30, 30), most, dtype)
    alpha[:, :10], alpha[:, 10:20] = 0, most // 2
    photo = Photo(np.zeros((30, 30, 3), dtype), alpha, grey)
    write_photo(tmp_path / f"a{suffix}", as_tensor(photo.pixels), photo)
    back = read_photo(tmp_path / f"a{suffix}").pixels[:, [2, 15, 27]].mean((0, 2))
    assert np.abs(back - [255, 128, 0]).max() < 3


@pytest.mark.parametrize("suffix", [".jp2", ".bmp", ".ppm", ".tga"])
@pytest.mark.parametrize("bands", ["RGB", "RGBA"])
def test_colours_are_srgb_where_a_kind_has_no_profile(tmp_path, suffix, bands):
    """A saturated red of Display P3 would be a duller one without its profile."""
    p3 = libvips().Image.profile_load("p3")
    profile = ImageCms.ImageCmsProfile(io.BytesIO(bytes(p3)))
    image = Image.new(bands, (30, 20), (200, 60, 40, 255)[: len(bands)])
    (tmp_path / "a.png").write_bytes(saved(image, "PNG", icc_profile=bytes(p3)))
    photo = read_photo(tmp_path / "a.png")
    write_photo(tmp_path / f"a{suffix}", as_tensor(photo.pixels), photo)
    srgb = ImageCms.createProfile("sRGB")
    shown = ImageCms.profileToProfile(image.convert("RGB"), profile, srgb, renderingIntent=1)
    apart = read_photo(tmp_path / f"a{suffix}").pixels.astype(int) - np.asarray(shown)
    assert np.abs(apart).max() <= 1


@pytest.mark.parametrize("suffix", [".jp2", ".bmp", ".pgm", ".tga"])
def test_what_is_grey_stays_grey_where_a_kind_has_no_profile(tmp_path, suffix):
    profile = bytes(libvips().Image.profile_load("sgrey"))
    grey = Image.new("L", (30, 20), 90)
    (tmp_path / "a.png").write_bytes(saved(grey, "PNG", icc_profile=profile))
    photo = read_photo(tmp_path / "a.png")
    write_photo(tmp_path / f"a{suffix}", as_tensor(photo.pixels), photo)
    again = read_photo(tmp_path / f"a{suffix}")
    assert again.grey
    assert (again.pixels == 90).all()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".tga"])
def test_colours_behind_transparency_are_written(tmp_path, suffix):
    pixels = noise(channels=4)
    pixels[:, :20, 3] = 0
    photo = Photo(pixels[..., :3], pixels[..., 3])
    write_photo(tmp_path / f"a{suffix}", as_tensor(photo.pixels), photo)
    assert np.array_equal(read_photo(tmp_path / f"a{suffix}").pixels, photo.pixels)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bits_and_alpha_go_round(tmp_path, suffix, channels):
    pixels = noise(dtype=np.uint16, channels=channels)
    photo = Photo(pixels[..., :3], pixels[..., 3] if channels == 4 else None)
    write_photo(tmp_path / f"a{suffix}", as_tensor(photo.pixels), photo)
    back = read_photo(tmp_path / f"a{suffix}")
    assert back.pixels.dtype == np.uint16
    assert np.array_equal(back.pixels, photo.pixels)
    assert np.array_equal(back.alpha, photo.alpha)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_lab_becomes_srgb(tmp_path, dtype, byteorder):
    most = np.iinfo(dtype).max
    lab = np.zeros((20, 30, 3), dtype)
    lab[..., 0] = round(0.5 * most)
    lab[:10, :, 1:] = (most + 1) // 256 * np.array([20, 236], dtype)  # 236 is -20
    (tmp_path / "a.tif").write_bytes(tiff(lab, photometric="cielab", byteorder=byteorder))
    photo = read_photo(tmp_path / "a.tif")
    shown = photo.pixels / np.iinfo(photo.pixels.dtype).max * 255
    assert photo.pixels.dtype == dtype
    for row, colour in ((0, (128, 148, 108)), (-1, (128, 128, 128))):  # Pillow's a and b from 128
        expected = ImageCms.profileToProfile(
            Image.new("LAB", (1, 1), colour), *photographs.PROFILES[::-1], outputMode="RGB"
        )
        assert shown[row, 0] == pytest.approx(expected.getpixel((0, 0)), abs=2)


def test_a_photograph_is_turned_upright_once(tmp_path):
    tags = Image.Exif()
    tags[CAMERA], tags[0x0112] = "a camera", 6
    Image.fromarray(noise()).save(tmp_path / "a.jpg", exif=tags, quality=95)
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.pixels.shape == (30, 20, 3)
    write_photo(tmp_path / "b.jpg", as_tensor(photo.pixels), photo)
    assert read_photo(tmp_path / "b.jpg").pixels.shape == (30, 20, 3)
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.getexif()[CAMERA] == "a camera"


def test_the_kind_is_known_by_content(tmp_path):
    (tmp_path / "named.jpg").write_bytes(saved(Image.fromarray(noise()), "PNG"))
    photo = read_photo(tmp_path / "named.jpg")
    assert photo.kind == ".png"
    assert np.array_equal(photo.pixels, noise())


@pytest.mark.parametrize(("big", "kind", "beyond"), [(True, 16, 2**63), (False, 4, 2**31)])
def test_damaged_tags_of_a_tiff_file_are_left_out(big, kind, beyond):
    content = tiff(noise(), photometric="rgb", bigtiff=big, extratags=[(34664, kind, 1, beyond)])
    exif = content.replace(struct.pack("<HH", 34664, kind), struct.pack("<HH", 34665, kind))
    photo = decode_photo(exif, "a.tif")
    assert (photo.exif, photo.pixels.tolist()) == (b"", noise().tolist())


def test_a_png_text_may_have_a_name_in_latin_1(tmp_path):
    texts = PngInfo()
    texts.add_text("Größe", "x")
    content = saved(Image.fromarray(noise()), "PNG", pnginfo=texts)
    write_photo(tmp_path / "a.png", as_tensor(noise()), decode_photo(content, "a.png"))
    assert Image.open(tmp_path / "a.png").info["Größe"] == "x"


@pytest.mark.parametrize("quality", [20, 30, 50, 75, 90, 95, 98, 100])
def test_the_quality_of_a_jpeg_is_found(quality, tmp_path):
    content = saved(Image.fromarray(noise()), "JPEG", quality=quality)
    photo = decode_photo(content, "a.jpg")
    assert photo.encoding["Q"] == quality
    write_photo(tmp_path / "a.jpg", as_tensor(photo.pixels), photo)
    tables = [Image.open(file).quantization for file in (io.BytesIO(content), tmp_path / "a.jpg")]
    assert tables[0] == tables[1]


GOOGLE = b"\0\0\0\x18ftypmp42" + bytes(range(200))
# Samsung's trailer: a mark, preceded by 8 bytes of its own, then the film and an index.
SAMSUNG = b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data" + GOOGLE + b"SEFH" + bytes(20) + b"SEFT"


@pytest.mark.parametrize("film", [GOOGLE, SAMSUNG], ids=["Google", "Samsung"])
def test_the_film_of_a_motion_photo_is_kept(tmp_path, film):
    (tmp_path / "in.jpg").write_bytes(saved(Image.fromarray(noise()), "JPEG") + film)
    photo = read_photo(tmp_path / "in.jpg")
    assert photo.film == film
    assert photo.remarks == "the film in this Motion Photo was not enhanced"
    write_photo(tmp_path / "out.jpg", as_tensor(photo.pixels), photo)
    assert (tmp_path / "out.jpg").read_bytes().endswith(b"\xff\xd9" + film)


def jpeg() -> bytes:
    return saved(Image.fromarray(noise(200, 200)), "JPEG")


def stack(kind: str) -> bytes:
    pages = [Image.new("L", (20, 20), tone) for tone in (0, 99)]
    return saved(pages[0], kind, save_all=True, append_images=pages[1:])


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
FLAT = np.zeros((20, 20, 3))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("cut.jpg", lambda: jpeg()[:2000], "damaged or cut short"),
        ("almost.jpg", lambda: jpeg()[:-40], "damaged or cut short"),
        ("empty.png", lambda: b"", "it is empty"),
        ("text.jpg", lambda: b"not a photograph", "it is not an image"),
        ("dot.png", lambda: saved(Image.new("RGB", (1, 1)), "PNG"), "1x1 pixels; the smallest"),
        (
            "still.gif",
            lambda: saved(Image.new("L", (20, 20)), "GIF"),
            "of the kind GIF; save it as",
        ),
        ("phone.heic", lambda: HEIC, "HEIC, whose codec"),
        ("draw.svg", lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', "kind SVG|damaged"),
        ("bomb.png", lambda: saved(Image.new("1", (20_000, 20_000)), "PNG"), "20000x20000 pixels"),
        ("bomb.bmp", lambda: saved(Image.new("1", (16_000, 10_000)), "BMP"), "16000x10000 pixels"),
        ("stack.tiff", lambda: stack("TIFF"), "a stack of images"),
        ("moving.webp", lambda: stack("WEBP"), "an animation"),
        ("moving.png", lambda: stack("PNG"), "an animation"),
        ("float.tif", lambda: tiff(FLAT.astype("f4"), photometric="rgb"), "not of 8 or 16 bits"),
        ("deep.tif", lambda: tiff(FLAT.astype("u4"), photometric="rgb"), "not of 8 or 16 bits"),
        (
            "ycbcr.tif",
            lambda: tiff(FLAT.astype("u1"), photometric="ycbcr"),
            "in YCbCr without JPEG",
        ),
        (
            "bands.tif",
            lambda: tiff(np.zeros((20, 20, 7), "u1"), photometric="rgb"),
            "is of 7 bands",
        ),
    ],
)
def test_what_is_no_photograph_is_named(tmp_path, capfd, name, content, sentence):
    (tmp_path / name).write_bytes(content())
    with pytest.raises(CourseError, match=sentence):
        read_photo(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_and_a_wrong_suffix_are_named(tmp_path):
    with pytest.raises(CourseError, match="There is no image file"):
        read_photo(tmp_path / "gone.jpg")
    with pytest.raises(CourseError, match="use a suffix of"):
        write_photo(tmp_path / "a.gif", torch.rand(3, 20, 20), Photo(noise()))


@pytest.mark.parametrize(
    ("suffix", "width"), [(".webp", 16_400), (".jpg", 65_600), (".tga", 65_600)]
)
def test_a_photograph_too_large_for_its_kind_is_named(tmp_path, suffix, width):
    with pytest.raises(CourseError, match=rf"{width}x16 pixels is too large for \{suffix}"):
        write_photo(tmp_path / f"a{suffix}", torch.zeros(3, 16, width), Photo(noise()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".bmp", ".tga"])
def test_a_full_disk_is_named(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr("llie_helpers.files.uuid.uuid4", lambda: UUID(int=0))
    (tmp_path / f".a.00000000{os.getpid():08x}{suffix}").symlink_to("/dev/full")
    with pytest.raises(CourseError, match=r"The disk is full: [^ ]+ was not written"):
        write_photo(tmp_path / f"a{suffix}", torch.rand(3, 200, 200), Photo(noise()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="links need a permission")
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".avif", ".bmp", ".tga"])
def test_a_place_that_refuses_files_is_named(tmp_path, monkeypatch, suffix):
    """A link below a file stands for all that the system refuses, even to root."""
    monkeypatch.setattr("llie_helpers.files.uuid.uuid4", lambda: UUID(int=0))
    (tmp_path / "file").touch()
    (tmp_path / f".a.00000000{os.getpid():08x}{suffix}").symlink_to(tmp_path / "file/below")
    with pytest.raises(CourseError, match=r"a\.\w+ cannot be written: not a directory; choose"):
        write_photo(tmp_path / f"a{suffix}", torch.rand(3, 20, 20), Photo(noise()))


MEASURE = """
import sys
from llie_helpers.inference.tiles import enhance_tiled
from llie_helpers.inference.photos import read_photo, write_photo
from llie_helpers.methods import create_method
from llie_helpers.timing import peak_megabytes
method = create_method(sys.argv[3])
photo = read_photo(sys.argv[1])
write_photo(sys.argv[2], enhance_tiled(method, photo.pixels), photo)
print(peak_megabytes())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "bands", "dtype", "method", "megabytes"),
    [
        (".tif", 4, np.uint16, "dual_branch", 1200),
        # The other kinds differ only in how they are read and written.
        (".tif", 3, np.uint16, "identity", 1000),
        (".jpg", 3, np.uint8, "identity", 900),
        (".png", 4, np.uint16, "identity", 900),
        (".webp", 3, np.uint8, "identity", 900),
    ],
)
def test_24_megapixels_take_little_memory(tmp_path, suffix, bands, dtype, method, megabytes):
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    pixels = np.tile(noise(400, 600, dtype, bands) // 16, (10, 10, 1))
    libvips().Image.new_from_array(pixels).write_to_file(str(source))
    command = [sys.executable, "-c", MEASURE, str(source), str(target), method]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert float(printed) < megabytes
