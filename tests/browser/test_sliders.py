"""Every widget in JupyterLab, by mouse, touch and keys, awake and asleep."""

import io
import re

import pytest
from nbconvert import HTMLExporter
from PIL import Image

OUTPUTS = ".jp-Cell-outputArea"
# Each slider, and the element that takes keys.
SLIDERS = {
    "before and after": ".llie-cut >> nth=0",
    "frames": "figure.llie-slider:visible input",
    "gain": ".noUi-handle >> nth=0",
    "steps": ".noUi-handle >> nth=1",
    "exposure": ".noUi-handle >> nth=2",
    "strength": ".noUi-handle >> nth=3",
    "workshop": ".llie-cut >> nth=1",
}
# What the output of a slider shows: its pictures, and how much of them.
SHOWN = f"""(slider) => JSON.stringify(
    [...slider.closest('{OUTPUTS}').querySelectorAll('img')].map(
        (i) => [i.checkVisibility() && i.src, i.parentElement.style.width]))"""
VALUE = "(slider) => slider.value ?? slider.getAttribute('aria-valuenow')"
ASLEEP = ".llie-asleep:visible"
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def small(opened):
    """The notebook of all widgets, after Run All."""
    with opened("widgets", viewport={"width": 1280, "height": 900}) as notebook:
        notebook.run_all()
        yield notebook


@pytest.fixture(scope="module")
def touched(opened):
    """The same on a tablet."""
    with opened("widgets", viewport={"width": 900, "height": 900}, has_touch=True) as notebook:
        notebook.run_all()
        yield notebook


def slider(notebook, name):
    found = notebook.page.locator(SLIDERS[name])
    found.scroll_into_view_if_needed()
    return found


def changes(notebook, found, act):
    """Whether ``act`` changes what a slider shows, and moves nothing else."""
    before, place = found.evaluate(SHOWN), notebook.place()
    act()
    wait_for_change(notebook, found, before)
    assert notebook.place() == place


def wait_for_change(notebook, found, before):
    """Wait until a slider shows something else."""
    notebook.page.wait_for_function(
        f"([slider, before]) => ({SHOWN})(slider) !== before", arg=[found.element_handle(), before]
    )


def to_start(notebook, found):
    """Move a slider to its start, and wait until it shows that."""
    before, value = found.evaluate(SHOWN), found.evaluate(VALUE)
    found.press("Home")
    if found.evaluate(VALUE) != value:
        wait_for_change(notebook, found, before)


def track(found):
    """The places of a slider's two ends, and its height, on the page."""
    return found.evaluate(
        "(e) => { const b = (e.closest('.noUi-target') ?? e).getBoundingClientRect();"
        " return [b.left + 2, b.right - 2, b.top + b.height / 2] }"
    )


def test_all_cells_run_and_show_what_they_should(small):
    assert small.errors() == []
    assert small.broken_images() == 0
    assert small.page.locator(ASLEEP).count() == 0
    small.wait("![...document.querySelectorAll('details.llie-frames')].some((d) => d.open)")


@pytest.mark.parametrize("name", SLIDERS)
def test_a_slider_obeys_the_keys_and_the_page_stays(small, name):
    found = slider(small, name)
    to_start(small, found)
    # JupyterLab sees the keys of a cell that was clicked.
    for key in ("End", "ArrowLeft", "Home", "ArrowRight", "End", "ArrowDown", "Home", "ArrowUp"):
        changes(small, found, lambda key=key: found.press(key))


@pytest.mark.parametrize("name", SLIDERS)
def test_a_slider_obeys_the_mouse(small, name):
    found = slider(small, name)
    left, right, middle = track(found)

    def drag():
        small.page.mouse.move(left, middle)
        small.page.mouse.down()
        small.page.mouse.move((left + right) / 2, middle)
        small.page.mouse.move(right, middle)
        small.page.mouse.up()

    to_start(small, found)
    small.page.mouse.click(left, middle)  # this makes the cell the active one
    changes(small, found, drag)


@pytest.mark.parametrize("name", SLIDERS)
def test_a_slider_obeys_a_finger(touched, name):
    found = slider(touched, name)
    left, right, middle = track(found)
    devtools = touched.page.context.new_cdp_session(touched.page)

    def finger(kind, *places):
        points = [{"x": x, "y": middle} for x in places]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def drag():
        finger("touchStart", left)
        for step in range(1, 11):
            finger("touchMove", left + step / 10 * (right - left))
        finger("touchEnd")

    to_start(touched, found)
    touched.page.touchscreen.tap(left, middle)
    changes(touched, found, drag)


def test_the_workshop_keeps_the_line_where_it_is(small):
    slider(small, "workshop").press("End")
    exposure = slider(small, "exposure")
    to_start(small, exposure)
    changes(small, exposure, lambda: exposure.press("End"))
    small.wait("[...document.querySelectorAll('.llie-cut')].at(-1).value === '100'")
    assert small.page.locator(".llie-before").last.get_attribute("style").count("width: 100%")


def upload(notebook, name, content):
    with notebook.page.expect_file_chooser() as chooser:
        notebook.page.get_by_role("button", name="Your photograph").click()
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    chooser.value.set_files(file)


def turned_jpeg() -> bytes:
    """A wide picture with the note that the camera was held upright."""
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40), (30, 60, 90)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def test_an_upload_is_turned_upright_and_saved(small):
    upload(small, "<b>turned.jpg", turned_jpeg())
    small.page.get_by_text("<b>turned.jpg: 40 x 60 pixels").wait_for()
    small.wait(
        "[...document.querySelectorAll('.llie-cut ~ * img, .llie-before img')]"
        ".some((i) => i.naturalWidth === 40 && i.naturalHeight === 60)"
    )
    small.page.get_by_role("button", name="Save at full size").click()
    with small.page.expect_download() as event:
        small.page.get_by_text("Download <b>turned.jpg").click()
    with Image.open(event.value.path()) as saved:
        assert saved.size == (40, 60)


def test_a_text_file_is_refused_by_name(small):
    upload(small, "notes.txt", b"no photograph")
    small.page.get_by_text("notes.txt cannot be read").wait_for()


def test_a_large_photograph_is_opened_by_its_path(opened, folder):
    Image.effect_noise((2000, 2000), 90).convert("RGB").save(folder / "large.png", compress_level=0)
    content = (folder / "large.png").read_bytes()
    assert len(content) > 11_000_000
    with opened("widgets") as notebook:
        notebook.run_all()
        notebook.page.get_by_text("Jupyter uploads at most 10 MB").wait_for()
        upload(notebook, "large.png", content)
        path = notebook.page.get_by_label("or its path")
        path.fill("large.png")
        path.press("Enter")
        notebook.page.get_by_text("large.png: 2000 x 2000 pixels").wait_for()


def test_a_notebook_that_is_not_trusted_says_what_wakes_its_sliders(opened):
    with opened("stored") as notebook:
        notebook.page.locator(ASLEEP).nth(3).wait_for()
        assert notebook.page.locator(ASLEEP).count() == 4
        notebook.settle()
        assert notebook.broken_images() == 0
        text = notebook.page.inner_text("body")
        assert "Loading widget" not in text
        assert "Error displaying widget" not in text


def test_without_styles_and_handlers_each_picture_has_its_label(opened):
    """As GitHub shows notebooks."""
    with opened("stored") as notebook:
        notebook.page.locator(ASLEEP).nth(3).wait_for()
        shown = notebook.page.evaluate(
            f"""[...document.querySelectorAll('{OUTPUTS} .llie-slider')].map((slider) => {{
                slider.querySelectorAll('style, input').forEach((e) => e.remove());
                slider.querySelectorAll('*').forEach((e) => e.removeAttribute('style'));
                slider.querySelectorAll('img').forEach((i) => i.replaceWith(` [${{i.alt}}] `));
                return slider.textContent }})"""
        )
    pair, frames, *_ = (re.sub(r"\s+", " ", text).strip() for text in shown)
    assert pair.startswith("[grey steps: dark] dark ◂▸ [grey steps: light] light")
    assert frames.startswith("gain 0.2 [grey steps, gain 0.2] gain 0.5 [grey steps, gain 0.5] gain")
    assert all("Trust Notebook" in text for text in shown)


def test_the_exported_page_is_awake_and_describes_every_picture(browser, folder):
    page, _ = HTMLExporter().from_filename(folder / "stored.ipynb")
    (folder / "stored.html").write_text(page, encoding="utf-8")
    assert "No description" not in page
    for tag in re.findall("<img [^>]*>", page):
        assert len(re.search(' alt="([^"]*)"', tag)[1].split()) >= 3, tag[-200:]
    with browser.new_context() as context:
        shown = context.new_page()
        shown.goto((folder / "stored.html").as_uri(), wait_until="domcontentloaded")
        shown.wait_for_function(
            "![...document.querySelectorAll('.llie-asleep')].some((note) => note.checkVisibility())"
        )
        shown.locator(SLIDERS["before and after"]).press("End")
        assert "width: 100%" in shown.locator(".llie-before").first.get_attribute("style")


@pytest.mark.parametrize("width", [1280, 900, 390])
def test_nothing_is_wider_than_the_page(small, width):
    small.page.set_viewport_size({"width": width, "height": 900})
    assert small.too_wide() == []


@pytest.mark.parametrize("dark", [False, True])
def test_axe_has_nothing_serious_to_say(opened, dark):
    with opened("widgets", dark=dark) as notebook:
        notebook.run_all()
        assert notebook.serious() == []
