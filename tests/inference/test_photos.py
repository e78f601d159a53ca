"""Photographs keep their depth, alpha, greyness, orientation and metadata."""

import io

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from llie_helpers.errors import CourseError
from llie_helpers.inference.photos import Photo, read_photo, write_photo

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
CAMERA = 0x0110


def exif(orientation: int = 1) -> bytes:
    tags = Image.Exif()
    tags[CAMERA], tags[0x0112] = "a camera", orientation
    return tags.tobytes()


def noise(height=20, width=30, dtype=np.uint8, channels=3):
    levels = np.iinfo(dtype).max + 1
    return np.random.default_rng(0).integers(0, levels, (height, width, channels), dtype)


def as_tensor(pixels):
    return torch.from_numpy(pixels / np.iinfo(pixels.dtype).max).float().permute(2, 0, 1)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".bmp", ".webp", ".jpg"])
def test_8_bits_go_round(tmp_path, suffix):
    photo = Photo(noise(), exif=exif(), icc=ICC)
    write_photo(tmp_path / f"a{suffix}", as_tensor(photo.pixels), photo)
    back = read_photo(tmp_path / f"a{suffix}")
    assert back.pixels.shape == photo.pixels.shape
    if suffix in (".png", ".tiff", ".bmp"):
        assert np.array_equal(back.pixels, photo.pixels)
    if suffix != ".bmp":
        assert back.icc == ICC
        with Image.open(tmp_path / f"a{suffix}") as image:
            assert image.getexif()[CAMERA] == "a camera"


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bits_and_alpha_go_round(tmp_path, suffix, channels):
    pixels = noise(dtype=np.uint16, channels=channels)
    alpha = pixels[..., 3] if channels == 4 else None
    photo = Photo(pixels[..., :3], alpha, icc=ICC)
    image = torch.from_numpy(photo.pixels.astype(np.float32) / 65535).permute(2, 0, 1)
    write_photo(tmp_path / f"a{suffix}", image, photo)
    back = read_photo(tmp_path / f"a{suffix}")
    assert back.pixels.dtype == np.uint16
    assert np.array_equal(back.pixels, photo.pixels)
    assert back.icc == ICC
    assert (back.alpha is None) == (alpha is None)
    assert alpha is None or np.array_equal(back.alpha, alpha)


def test_grey_stays_grey_and_transparency_stays(tmp_path):
    grey = noise()[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    photo = read_photo(tmp_path / "grey.png")
    assert photo.grey
    write_photo(tmp_path / "out.png", as_tensor(photo.pixels), photo)
    with Image.open(tmp_path / "out.png") as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), grey)
    Image.fromarray(noise(channels=4)).save(tmp_path / "alpha.webp", lossless=True)
    assert np.array_equal(read_photo(tmp_path / "alpha.webp").alpha, noise(channels=4)[..., 3])


def test_a_photograph_is_turned_upright_once(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "a.jpg", exif=exif(orientation=6), quality=95)
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.pixels.shape == (30, 20, 3)
    write_photo(tmp_path / "b.jpg", as_tensor(photo.pixels), photo)
    assert read_photo(tmp_path / "b.jpg").pixels.shape == (30, 20, 3)
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.getexif()[CAMERA] == "a camera"


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(200, 200)).save(buffer, "JPEG")
    return buffer.getvalue()


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bomb() -> bytes:
    return saved(Image.new("1", (20_000, 20_000)), "PNG")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("cut.jpg", lambda: jpeg()[:2000], "damaged or cut short"),
        ("empty.png", lambda: b"", "it is empty"),
        ("text.jpg", lambda: b"not a photograph", "it is not an image"),
        ("dot.png", lambda: saved(Image.new("RGB", (1, 1)), "PNG"), "1x1 pixels; the smallest"),
        ("print.jpg", lambda: saved(Image.new("CMYK", (20, 20)), "JPEG"), "convert it to RGB"),
        ("moving.gif", lambda: saved(Image.new("L", (20, 20)), "GIF"), "not in a supported format"),
        ("named.jpg", lambda: saved(Image.new("RGB", (20, 20)), "PNG"), "a PNG file with the"),
        ("bomb.png", bomb, "20000x20000 pixels; the largest|damaged or no"),
        (
            "stack.tiff",
            lambda: saved(
                Image.new("L", (20, 20)), "TIFF", save_all=True,
                append_images=[Image.new("L", (20, 20))],
            ),
            "a stack of 2 images",
        ),
    ],
)  # fmt: skip
def test_what_is_no_photograph_is_named(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content())
    with pytest.raises(CourseError, match=sentence):
        read_photo(tmp_path / name)


def test_a_missing_file_and_a_wrong_suffix_are_named(tmp_path):
    with pytest.raises(CourseError, match="there is no such file"):
        read_photo(tmp_path / "gone.jpg")
    with pytest.raises(CourseError, match="use a suffix of"):
        write_photo(tmp_path / "a.gif", torch.rand(3, 20, 20), Photo(noise()))


def test_float_files_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.tiff"), np.random.rand(20, 20, 3).astype(np.float32))  # noqa: NPY002
    with pytest.raises(
        CourseError, match=r"damaged or not a photograph|it is not an image|8 and 16"
    ):
        read_photo(tmp_path / "a.tiff")
