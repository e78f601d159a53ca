import builtins
import errno
import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from llie_helpers import codecs
from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.images import (
    load_image,
    quantise,
    read_rgb,
    save_image,
    thumbnail,
    to_float,
    to_uint8,
    to_uint16,
)

RGB = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".PNG"])
def test_what_is_saved_is_read_back(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    save_image(path, to_float(RGB))
    assert np.array_equal(read_rgb(path), RGB)
    assert torch.equal(load_image(path), to_float(RGB))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_colours_are_red_green_blue(tmp_path):
    Image.new("RGB", (5, 4), (255, 0, 51)).save(tmp_path / "a.png")
    image = load_image(tmp_path / "a.png")
    assert image.shape == (3, 4, 5)
    assert image.dtype == torch.float32
    assert image[:, 0, 0].tolist() == pytest.approx([1, 0, 0.2])


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_other_kinds_become_rgb(tmp_path, mode):
    Image.fromarray(RGB).convert(mode).save(tmp_path / "a.png")
    expected = np.array(Image.fromarray(RGB).convert(mode).convert("RGB"))
    assert np.array_equal(read_rgb(tmp_path / "a.png"), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits(tmp_path, channels):
    levels = np.array([0, 128, 129, 256, 32768, 65535], np.uint16)
    wide = np.repeat(levels[None, :, None], channels, axis=2)
    cv2.imwrite(str(tmp_path / "a.png"), wide)
    assert read_rgb(tmp_path / "a.png")[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]
    expected = levels.astype(np.float32) / 65535
    assert np.allclose(load_image(tmp_path / "a.png")[0, 0].numpy(), expected, atol=1e-7)


def test_a_photo_on_its_side_is_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB).save(tmp_path / "a.jpg", exif=exif)
    assert load_image(tmp_path / "a.jpg").shape == (3, 60, 40)


@given(st.lists(st.floats(-1, 2, width=32), min_size=3, max_size=3))
def test_to_uint8_clamps_and_rounds(values):
    pixel = to_uint8(torch.tensor(values).reshape(3, 1, 1))[0, 0]
    assert pixel.tolist() == np.rint(np.clip(np.float32(values), 0, 1) * np.float32(255)).tolist()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_images_of_half_precision_become_levels(dtype):
    image = torch.linspace(-0.5, 1.5, 3 * 70 * 5).view(3, 70, 5).to(dtype)
    kept = image.clone()
    for make in (to_uint8, to_uint16):
        assert np.array_equal(make(image), make(image.float()))
    assert torch.equal(image, kept)


def test_float_and_back_is_exact():
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert np.array_equal(to_uint8(to_float(levels)), levels)


def test_a_view_of_a_read_only_map_is_copied():
    levels = RGB.copy()
    levels.flags.writeable = False
    to_float(levels).zero_()
    assert np.array_equal(levels, RGB)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("share", [0.1, 0.6, 0.97])
def test_a_truncated_image_is_refused(tmp_path, suffix, share):
    path = tmp_path / f"half{suffix}"
    cv2.imwrite(str(path), RGB)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(CourseError, match=rf"half\{suffix} cannot be read"):
        load_image(path)


def test_no_image_at_all(tmp_path):
    (tmp_path / "page.png").write_text("<html>")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.png").mkdir()
    for name in ("page.png", "empty.jpg"):
        with pytest.raises(CourseError, match=f"{name} cannot be read: it is"):
            read_rgb(tmp_path / name)
    for name in ("folder.png", "missing.png", f"{'x' * 300}.png"):
        with pytest.raises(CourseError, match="There is no image file"):
            read_rgb(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(CourseError, match=r"pipe\.jpg cannot be read: it is a pipe"):
        read_rgb(tmp_path / "pipe.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif"])
def test_bytes_that_mark_an_animated_png_mean_nothing_elsewhere(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(RGB).save(path)
    # After the end, because pixels may hold any bytes: in 10 MB, these four are there by chance in
    # one photograph of 430.
    path.write_bytes(path.read_bytes() + b"acTL")
    assert read_rgb(path).shape == RGB.shape


@pytest.mark.parametrize("side", [13_000, 20_000])  # Pillow refuses the second by itself
def test_a_bitmap_that_is_too_large_is_called_so(tmp_path, side):
    header = b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, side, side, 1, 24, *6 * [0])
    (tmp_path / "a.bmp").write_bytes(header)
    with pytest.raises(CourseError, match="the largest is 150 megapixels"):
        read_rgb(tmp_path / "a.bmp")


def test_a_quota_that_is_used_up_is_a_full_disk(tmp_path):
    class Photo:
        def write_to_target(self, *_):
            raise codecs.libvips().Error(f"write error: {os.strerror(errno.EDQUOT)}")

    with pytest.raises(CourseError, match="The disk is full"), atomic_path(tmp_path / "a.png") as a:
        codecs.encode(Photo(), a)


def test_what_is_not_there_is_not_removed(tmp_path, monkeypatch):
    """On a read-only disk, removing a temporary file that was never made would be the error."""

    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("unlink", "open"):
        monkeypatch.setattr(Path, name, refuse)
    refused = pytest.raises(CourseError, match="read-only file system; choose another folder")
    with refused, atomic_path(tmp_path / "a.txt") as temporary:
        temporary.open("w")


def test_an_unknown_format_is_not_written(tmp_path):
    with pytest.raises(CourseError, match=r"use a suffix of .*\.png"):
        save_image(tmp_path / "a.xyz", to_float(RGB))
    assert list(tmp_path.iterdir()) == []


def test_raw_files_need_rawpy(tmp_path, monkeypatch):
    real_import = builtins.__import__

    def without_rawpy(name, *rest):
        if name == "rawpy":
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_rawpy)
    (tmp_path / "a.ARW").touch()
    with pytest.raises(CourseError, match="pip install rawpy"):
        load_image(tmp_path / "a.ARW")


def write_dng(path, bayer):
    """The least that a DNG file needs: a Bayer pattern, levels, and a camera's colours."""
    identity = [number for row in np.eye(3, dtype=int) for n in row for number in (int(n), 1)]
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), False),  # DNG version
        (50708, "s", 0, "Camera", False),
        (33421, "H", 2, (2, 2), False),  # size of the pattern
        (33422, "B", 4, (0, 1, 1, 2), False),  # red, green, green, blue
        (50714, "H", 1, 0, False),  # black level
        (50717, "H", 1, 65535, False),  # white level
        (50721, "2i", 9, tuple(identity), False),  # colour matrix
        (50728, "2I", 3, (1,) * 6, False),  # white balance
        (50778, "H", 1, 21, False),  # daylight
    ]
    tifffile.imwrite(path, bayer, photometric=32803, extratags=tags, metadata=None)


def test_a_dark_raw_file_stays_dark(tmp_path):
    pytest.importorskip("rawpy")
    write_dng(tmp_path / "a.dng", np.full((64, 96), round(0.05 * 65535), np.uint16))
    image = load_image(tmp_path / "a.dng")
    assert image.shape == (3, 32, 48)
    green = 1.055 * 0.05 ** (1 / 2.4) - 0.055
    assert image[1].mean().item() == pytest.approx(green, abs=0.01)


def test_a_broken_raw_file(tmp_path):
    pytest.importorskip("rawpy")
    (tmp_path / "a.dng").write_bytes(b"not a photo")
    with pytest.raises(CourseError, match=r"a\.dng cannot be read"):
        read_rgb(tmp_path / "a.dng")


def test_the_error_of_a_text_file_shows_no_memory_address(tmp_path):
    path = tmp_path / "note.png"
    path.write_text("not an image")
    with pytest.raises(CourseError, match="it is not an image") as raised:
        load_image(path)
    assert " at 0x" not in str(raised.value)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 4))
def test_a_thumbnail_is_the_same_at_any_size(height, width, factor):
    image = torch.rand(3, height, width)
    large = image.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    small = thumbnail(image, 16)
    assert torch.allclose(thumbnail(large, 16), small, atol=1e-5)
    assert torch.allclose(small.mean(), image.mean(), atol=1e-5)


def test_a_thumbnail_is_that_of_opencv():
    expected = cv2.resize(RGB.astype(np.float32), (16, 16), interpolation=cv2.INTER_AREA) / 255
    assert np.allclose(thumbnail(to_float(RGB), 16).movedim(0, -1), expected, atol=1e-5)


def test_a_name_that_is_too_long_is_refused_before_the_work(tmp_path):
    too_long = pytest.raises(CourseError, match="cannot be written: file name too long")
    with too_long, atomic_path(tmp_path / ("x" * 300)):
        pytest.fail("the work was done")


@given(st.integers(1, 10))
def test_quantise_leaves_at_most_so_many_levels(bits):
    ramp = torch.linspace(-0.5, 1.5, 5000)
    levels = quantise(ramp, bits)
    assert len(levels.unique()) == 2**bits
    assert (levels - ramp.clamp(0, 1)).abs().max() <= 0.5 / (2**bits - 1) + 1e-6
    assert torch.equal(quantise(levels, bits), levels)
