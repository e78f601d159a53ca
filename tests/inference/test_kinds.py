"""Every kind of photograph keeps its pixels and all that its file has beside them."""

import base64
import dataclasses
import io
from pathlib import Path

import kinds
import numpy as np
import photographs
import pytest
from kinds import contents, judge
from photographs import Kind, icc, make
from PIL import ExifTags, Image, ImageCms

from llie_helpers.images import to_float
from llie_helpers.inference.hdr import BT2020, P3
from llie_helpers.inference.photos import decode_photo, write_photo

KINDS = list(photographs.kinds())


def enhanced(kind: Kind, folder: Path, suffix: str = "") -> bytes:
    """Return the content of a file that the identity made of a file of a kind."""
    photo = decode_photo(make(kind), f"a{kind.suffix}")
    target = folder / f"a{suffix or kind.suffix}"
    write_photo(target, to_float(photo.pixels), photo)
    return target.read_bytes()


@pytest.fixture(scope="module")
def judged():
    """What each kind that was judged so far keeps, by its name."""
    return {}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_nothing_is_lost(kind, judged, tmp_path):
    judged[str(kind)] = judge(kind, tmp_path)
    assert [what for what, kept in judged[str(kind)].items() if not kept] == []


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_the_page_has_the_tables(judged, tmp_path):
    found = [(kind, judged.get(str(kind)) or judge(kind, tmp_path)) for kind in KINDS]
    text = kinds.PAGE.read_text(encoding="utf-8")
    assert kinds.with_tables(text, found) == text, f"run `{kinds.PROGRAM} results`"


def test_the_table_is_long_and_has_each_kind_once():
    assert len({str(kind) for kind in KINDS}) == len(KINDS) >= 110


@pytest.mark.parametrize("lost", ["EXIF", "profile", "transparency", "16 bits", "pixels"])
def test_a_loss_is_seen(lost, tmp_path, monkeypatch):
    kind = Kind(".png", "RGBA", 16, carried=frozenset({"EXIF", "profile"}))

    def write_less(path, image, like):
        if lost == "EXIF":
            like = dataclasses.replace(like, exif=b"")
        elif lost == "profile":
            like = dataclasses.replace(like, header=None)
        elif lost == "transparency":
            like = dataclasses.replace(like, alpha=None)
        elif lost == "16 bits":
            like = dataclasses.replace(like, pixels=(like.pixels // 257).astype("u1"))
        else:
            image = image * 0.99
        write_photo(path, image, like)

    monkeypatch.setattr(kinds, "write_photo", write_less)
    assert not judge(kind, tmp_path)[lost]


@pytest.mark.parametrize("profile", ["P3", "Adobe"])
def test_colours_of_wide_gamuts_stay(profile, tmp_path):
    kind = Kind(".png", carried=frozenset({"profile"}), profile=profile)

    def in_srgb(content):
        image = Image.open(io.BytesIO(content))
        own = io.BytesIO(image.info["icc_profile"])
        return ImageCms.profileToProfile(image, own, io.BytesIO(icc("sRGB")))

    plain = Image.open(io.BytesIO(make(kind))).convert("RGB")
    shown = in_srgb(make(kind))
    assert in_srgb(enhanced(kind, tmp_path)).tobytes() == shown.tobytes() != plain.tobytes()


def test_the_thumbnail_of_the_dark_photograph_is_dropped(tmp_path):
    kind = Kind(".jpg", edit="a thumbnail")
    before, after = (
        Image.open(io.BytesIO(each)).getexif() for each in (make(kind), enhanced(kind, tmp_path))
    )
    assert before.get_ifd(ExifTags.IFD.IFD1)
    assert not after.get_ifd(ExifTags.IFD.IFD1)
    assert after[271] == before[271]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
@pytest.mark.parametrize("source", [".jpg", ".png", ".webp", ".tif"])
def test_another_kind_of_file_keeps_what_it_can_hold(source, suffix, tmp_path):
    carried = frozenset({"EXIF", "XMP", "profile"})
    kind = Kind(source, carried=carried, options={"lossless": True} if source == ".webp" else {})
    given = contents(make(kind)).carried
    kept = contents(enhanced(kind, tmp_path, suffix)).carried
    assert {name: kept[name] for name in carried} == {name: given[name] for name in carried}


SHOW = """async (photograph) => {
  const image = new Image();
  image.src = photograph;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL();
}"""
SHOWN = [
    *(Kind(suffix, carried=frozenset({"profile"}), profile=profile, options={"quality": 98})
      for suffix in (".jpg", ".webp", ".avif") for profile in ("P3", "Adobe")),
    *(Kind(".png", bits=bits, colours=(primaries, 13))
      for bits in (8, 16) for primaries in (P3, BT2020)),
    *(Kind(".avif", colours=(primaries, 13)) for primaries in (P3, BT2020)),
    Kind(".png", "RGBA", orientation=6), Kind(".jpg", "L", orientation=3),
]  # fmt: skip


def shown(url):
    """The pixels of a PNG in a data URL."""
    content = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)), dtype=float)


@pytest.mark.slow
@pytest.mark.browser
def test_chromium_shows_the_same_colours_before_and_after(tmp_path, browser):
    page = browser.new_page()
    for kind in SHOWN:
        given, kept = (
            shown(page.evaluate(SHOW, f"data:;base64,{base64.b64encode(content).decode()}"))
            for content in (make(kind), enhanced(kind, tmp_path))
        )
        difference = np.abs(given - kept)
        assert difference.mean() < 2, f"{kind}: {difference.mean():.1f}"
    page.close()
