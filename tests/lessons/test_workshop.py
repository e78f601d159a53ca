"""A photograph is uploaded, enhanced by the sliders' values, and saved at full size."""

import html
import io
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from llie_helpers.images import to_float
from llie_helpers.inference.photos import Photo, read_photo
from llie_helpers.lessons.widgets import workshop

CALLS = []


def enhance(pixels, exposure, strength):
    CALLS.append((pixels.shape, exposure, strength))
    return to_float(pixels) ** 0.5


@pytest.fixture
def shop(tmp_path):
    CALLS.clear()
    made = workshop(enhance, Photo(np.full((600, 1800, 3), 40, np.uint8)), tmp_path)
    # As a notebook's display handle.
    made.screen = SimpleNamespace(update=lambda picture: picture.data)
    return made


def upload(shop, name: str, content: bytes) -> None:
    """As the browser does under ipywidgets 8, or 7."""
    control = shop.controls["upload"]
    about = {"name": name, "type": "image/png", "size": len(content)}
    about["last_modified"] = datetime(2026, 1, 1, tzinfo=UTC)
    if isinstance(control.value, dict):
        control.set_trait("value", {name: {"metadata": about, "content": content}})
    else:
        control.set_trait("value", (about | {"content": memoryview(content)},))


def png(width=30, height=20) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (10, 20, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def test_sliders_work_on_a_preview(shop):
    assert "before" in shop.picture().data
    assert CALLS[-1] == ((300, 900, 3), 0.0, 1.0)
    shop.controls["exposure"].value = 1.0
    shop.controls["strength"].value = 0.5
    assert CALLS[-1] == ((300, 900, 3), 1.0, 0.5)


def test_an_uploaded_photograph_is_saved_at_full_size(shop, tmp_path):
    upload(shop, "mine.png", png())
    assert "mine.png: 30 x 20 pixels" in shop.message.value
    shop.controls["save"].click()
    assert read_photo(tmp_path / "mine.png").pixels.shape == (20, 30, 3)
    assert 'download="mine.png"' in shop.message.value


def test_what_is_no_photograph_is_named_and_changes_nothing(shop):
    before = shop.photo, shop.name
    upload(shop, "text.jpg", b"no photograph")
    assert "text.jpg cannot be read: it is not an image" in shop.message.value
    assert "/" not in shop.message.value
    assert (shop.photo, shop.name) == before


def test_a_photograph_too_large_to_upload_is_opened_by_its_path(shop, tmp_path):
    assert "at most 10 MB" in shop.message.value
    shop.controls["path"].value = str(tmp_path / "far.png")
    assert "far.png" in shop.message.value
    (tmp_path / "far.png").write_bytes(png())
    shop.controls["path"].value = f" {tmp_path / 'far.png'}"
    assert shop.message.value == "far.png: 30 x 20 pixels"
    assert shop.photo.pixels.shape == (20, 30, 3)


def test_a_photograph_can_be_opened_again_after_another(shop, tmp_path):
    path = tmp_path / "one.png"
    path.write_bytes(png())
    for _ in range(2):
        upload(shop, "other.png", png())
        assert shop.name == "other.png"
        shop.controls["path"].value = str(path)
        assert shop.name == "one.png"


def test_a_panorama_is_shown_with_the_rows_that_a_network_needs(shop, tmp_path):
    (tmp_path / "wide.png").write_bytes(png(4000, 40))
    shop.controls["path"].value = str(tmp_path / "wide.png")
    assert shop.message.value == "wide.png: 4000 x 40 pixels"
    assert CALLS[-1][0] == (16, 1600, 3)


def test_a_home_that_nobody_has_is_told(shop):
    shop.controls["path"].value = "~nobody of that name/dark.png"
    assert "There is no image file ~nobody of that name" in shop.message.value


def test_a_name_is_text_and_not_html(shop):
    name = "<img src=x onerror=alert()>.png"
    upload(shop, name, png())
    assert "<img" not in shop.message.value
    shop.controls["save"].click()
    assert "<img" not in shop.message.value
    assert f'download="{html.escape(name)}"' in shop.message.value
    assert f'alt="the photograph {html.escape(name)}: before"' in shop.picture().data


def test_saving_shows_that_it_works_on_it_and_why_it_cannot(shop, tmp_path):
    seen = []

    def observed(pixels, **values):
        seen.append((shop.message.value, shop.controls["save"].disabled))
        return enhance(pixels, **values)

    shop.enhance = observed
    shop.controls["save"].click()
    assert seen == [("Enhancing photo.png at full size ...", True)]
    assert not shop.controls["save"].disabled
    shop.folder = tmp_path / "photo.png"  # a file
    shop.controls["save"].click()
    assert "photo.png" in shop.message.value
    assert "Download" not in shop.message.value
    assert not shop.controls["save"].disabled


def test_the_line_stays_where_it_is_when_a_slider_moves(shop):
    assert 'name="llie-workshop"' in shop.picture().data
