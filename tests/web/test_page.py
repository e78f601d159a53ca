"""The page that enhances a photograph in the browser, as `tools/webpage.py build` writes it."""

import contextlib
import gzip
import io
import json
import re
import subprocess

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import webpage
from axe_playwright_python.sync_playwright import Axe
from benchmarks.page import CAMERA
from PIL import Image

from llie_helpers.data.embedded import photograph
from llie_helpers.images import to_float, to_uint8
from llie_helpers.inference import enhance
from llie_helpers.inference.photos import decode_photo
from llie_helpers.inference.tiles import tile_slices

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CHROMIUM = CAMERA
MINUTE = 60_000  # milliseconds


@contextlib.contextmanager
def visit(browser, server):
    """The page, once its network is loaded and it asks for nothing more."""
    with browser.new_context(has_touch=True) as context:
        page = context.new_page()
        page.set_default_timeout(MINUTE)
        errors = []
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(server[0])
        page.locator("[data-ready]").wait_for()
        yield page
        assert errors == []


@pytest.fixture
def fresh(browser, server):
    with visit(browser, server) as page:
        yield page


@pytest.fixture(scope="module")
def visited(browser, server):
    with visit(browser, server) as page:
        yield page


@pytest.fixture
def page(visited):
    """The page that tests share, as at its start."""
    visited.evaluate("exposure.value = 0, strength.value = 1, divider.value = 50, again.click()")
    return visited


def choose(page, content, name="dark.png"):
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": content})


def saved(page, button="#png", minutes=1):
    """The file that the page offers once it is done."""
    page.locator("[data-state=done]").wait_for(timeout=minutes * MINUTE)
    with page.expect_download() as event:
        page.click(button)
    return event.value.suggested_filename, event.value.path().read_bytes()


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def dark(height, width):
    large = F.interpolate(to_float(photograph("motorcycle"))[None], (height, width))[0]
    noise = 0.01 * torch.randn(3, height, width, generator=torch.Generator().manual_seed(0))
    return to_uint8(0.2 * large + noise)


def move(page, slider, value):
    page.locator(f"#{slider}").fill(str(value))


def test_12_megapixels_without_a_network_are_what_python_makes_of_them(browser):
    low = dark(3000, 4000)
    with (
        contextlib.ExitStack() as network,
        visit(browser, network.enter_context(webpage.served())) as page,
    ):
        network.close()
        asked = []
        page.context.on("request", lambda request: asked.append(request.url))
        choose(page, encoded(low, compress_level=1))
        _, content = saved(page, minutes=9)
        assert [address for address in asked if not address.startswith("blob:")] == []
    difference = pixels(content).astype(int) - to_uint8(enhance(to_float(low)))
    assert np.abs(difference).mean() < 1
    assert np.abs(difference).max() <= 4
    # Where tiles meet, the difference jumps no more than elsewhere.
    for axis, length in enumerate(low.shape[:2]):
        jumps = np.abs(np.diff(difference, axis=axis)).mean(axis=(1 - axis, 2))
        seams = [edge - 1 for part in tile_slices(length) for edge in (part.start, part.stop)]
        seams = [edge for edge in seams if 0 <= edge < length - 1]
        assert jumps[seams].max() <= jumps.max()
        assert jumps[seams].mean() < jumps.mean() + 0.05


@pytest.mark.parametrize("size", [(16, 17), (99, 801), (333, 250)])
@pytest.mark.parametrize(("exposure", "strength"), [(0, 1), (-0.7, 0.6), (1, 1)])
def test_any_size_exposure_and_strength(page, size, exposure, strength):
    low = dark(*size)
    choose(page, encoded(low))
    page.locator("[data-state=done]").wait_for()
    move(page, "exposure", exposure)
    move(page, "strength", round(strength, 2))
    _, content = saved(page)
    expected = to_uint8(enhance(to_float(low), exposure=exposure, strength=strength))
    difference = np.abs(pixels(content).astype(int) - expected)
    assert difference.mean() < 1
    assert difference.max() <= 4


def test_what_is_shown_is_what_is_saved(page):
    choose(page, encoded(np.full((300, 400, 3), (9, 18, 12), np.uint8)))
    page.locator("[data-state=done]").wait_for()
    for exposure, strength in ((0, 1), (1, 0.5), (-1, 0.2)):
        move(page, "exposure", exposure)
        move(page, "strength", strength)
        move(page, "divider", 0)
        shown = pixels(page.locator("#stage").screenshot())
        height, width = (side // 4 for side in shown.shape[:2])
        middle = shown[height : 2 * height, width : int(1.7 * width)].mean((0, 1))
        assert np.abs(middle - pixels(saved(page)[1]).mean((0, 1))).max() < 3


@pytest.mark.parametrize(("button", "suffix"), [("#jpeg", ".jpg"), ("#png", ".png")])
def test_a_turned_photograph_is_saved_upright_with_its_exif(page, button, suffix):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"
    turned = encoded(dark(60, 90), "JPEG", quality=95, exif=exif)
    choose(page, turned, "IMG 1.x.jpg")
    name, content = saved(page, button)
    assert name == f"IMG 1.x-enhanced{suffix}"
    image = Image.open(io.BytesIO(content))
    assert image.size == (60, 90)
    assert dict(image.getexif()) == {0x0112: 1, 0x010F: "Camera"}
    upright = to_float(decode_photo(turned, "turned").pixels)
    assert np.abs(pixels(content) - to_uint8(enhance(upright)).astype(int)).mean() < 8


@pytest.fixture
def cutout():
    """A dark photograph, most of which is transparent."""
    alpha = np.zeros((200, 300), np.uint8)
    alpha[60:140, 90:210] = 255
    return np.dstack([dark(200, 300), alpha])


def test_hidden_colours_do_not_pass_for_darkness(page, cutout):
    choose(page, encoded(cutout))
    content = np.asarray(Image.open(io.BytesIO(saved(page)[1])))
    assert (content[..., 3] == cutout[..., 3]).all()
    shown = cutout[..., 3] > 0
    difference = np.abs(content[..., :3].astype(int) - enhance(cutout)[..., :3])[shown]
    assert difference.mean() < 1
    assert difference.max() <= 4


def test_the_ground_of_a_jpeg_is_white(page, cutout):
    choose(page, encoded(cutout))
    content = pixels(saved(page, "#jpeg")[1])
    assert content[:40].min() > 250
    assert np.abs(content[60:140, 90:210].mean() - enhance(cutout)[60:140, 90:210, :3].mean()) < 2


def test_a_second_visit_needs_no_network_and_has_threads(fresh):
    fresh.context.set_offline(True)
    fresh.reload()
    fresh.locator("[data-ready]").wait_for()
    assert fresh.evaluate("crossOriginIsolated")
    low = dark(300, 400)
    choose(fresh, encoded(low))
    difference = np.abs(pixels(saved(fresh)[1]).astype(int) - to_uint8(enhance(to_float(low))))
    assert difference.max() <= 4


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no image", "dark.png is not an image that this browser can read"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is HEIC, which this browser cannot read"),
        (
            encoded(dark(15, 40)),
            "40x15 pixels: choose a photograph of 16x16 pixels to",
        ),
        (encoded(np.zeros((11000, 10000), bool)), "10000x11000 pixels: choose a photograph"),
    ],
    ids=["text", "heic", "small", "large"],
)
def test_bad_input_is_one_sentence_and_the_page_goes_on(page, content, sentence):
    choose(page, content)
    page.get_by_text(sentence).wait_for()
    assert page.locator("[data-state=start]").count() == 1
    choose(page, encoded(dark(20, 20)))
    page.locator("[data-state=done]").wait_for()


def test_what_cannot_be_opened_leaves_the_photograph_that_is_shown(page):
    choose(page, encoded(dark(20, 20)))
    page.locator("[data-state=done]").wait_for()
    move(page, "exposure", 1)
    choose(page, b"no image")
    page.get_by_text("is not an image that this browser can read").wait_for()
    assert page.locator("[data-state=done]").count() == 1
    assert page.inner_text("#stops") == "+1 stops"


def test_a_folder_cannot_be_opened(fresh):
    fresh.evaluate("() => { File.prototype.arrayBuffer = () => Promise.reject(Error('folder')) }")
    choose(fresh, b"", "holiday")
    fresh.get_by_text("holiday is not an image that this browser can read").wait_for()


def test_each_photograph_has_its_own_exposure_and_strength(page):
    choose(page, encoded(dark(20, 20)))
    page.locator("[data-state=done]").wait_for()
    move(page, "exposure", 1)
    move(page, "strength", 0.5)
    choose(page, encoded(dark(20, 30)))
    page.get_by_text("30x20 pixels, enhanced").wait_for()
    assert page.inner_text("#stops") == "0 stops"
    assert page.inner_text("#share") == "100 %"
    assert page.evaluate("[exposure.value, strength.value]") == ["0", "1"]


# Lets the first image be decoded when the test says so.
SLOW_IMAGE = """() => {
    const decode = HTMLImageElement.prototype.decode;
    HTMLImageElement.prototype.decode = async function () {
        if (!window.go) await new Promise((go) => (window.go = go));
        return decode.call(this);
    };
}"""


def test_the_photograph_chosen_last_is_enhanced(fresh):
    fresh.evaluate(SLOW_IMAGE)
    choose(fresh, encoded(dark(60, 90)), "large.png")
    fresh.get_by_text("Opening large.png").wait_for()
    choose(fresh, encoded(dark(20, 30)), "small.png")
    done = fresh.get_by_text("30x20 pixels, enhanced")
    done.wait_for()
    fresh.evaluate("go()")
    fresh.wait_for_timeout(500)
    assert done.count() == 1


def test_a_page_that_memory_fails_says_so(fresh):
    fresh.evaluate(
        "() => { OffscreenCanvas.prototype.getContext = () => { throw new RangeError() } }"
    )
    choose(fresh, encoded(dark(20, 20)))
    fresh.get_by_text("too large for the memory of this device").wait_for()


def test_webassembly_blocked(browser):
    policy = {"Content-Security-Policy": "script-src 'self'"}
    with webpage.served(policy) as (address, _), browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        page.get_by_text("This browser blocks WebAssembly").wait_for()


def test_opened_as_a_file(browser):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((webpage.DIST / "index.html").as_uri())
        page.get_by_text("open the page from a web address, not as a file").wait_for()


def test_no_camera(fresh):
    fresh.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(Error('none')) }"
    )
    fresh.click("#camera")
    fresh.get_by_text("There is no camera that this page may use").wait_for()


def test_the_live_camera_is_lit_and_photographed(page):
    page.click("#camera")
    page.get_by_text(re.compile(r"\d+ frames a second")).wait_for()
    assert page.evaluate("[before.width, before.height, after.width]") == [640, 360, 640]
    total = "(id) => document.getElementById(id).getContext('2d').getImageData(0, 0, 640, 360)"
    sums = [
        page.evaluate(f"({total})('{name}').data.reduce((sum, value) => sum + value)")
        for name in ("before", "after")
    ]
    assert sums[1] >= sums[0]
    page.click("#shoot")
    name, content = saved(page, "#jpeg")
    assert name == "photograph-enhanced.jpg"
    assert len(pixels(content)) > 360


# Lets the first worker say, when the test calls `lose`, that the graphics processor is lost.
LOSES = """window.Worker = class extends Worker {
    constructor(url, options) {
        super(url, options);
        const failure = new MessageEvent("message", { data: { kind: "failure", failure: "gpu" } });
        window.lose ??= () => this.onmessage(failure);
    }
};"""


def test_the_live_camera_goes_on_without_the_graphics_processor(fresh):
    fresh.add_init_script(LOSES)
    fresh.reload()
    fresh.click("#camera")
    frames = fresh.get_by_text(re.compile(r"\d+ frames a second"))
    frames.wait_for()
    fresh.evaluate("lose(), (rate.textContent = '')")
    frames.wait_for()


# Counts the streams that are open, and lets the camera open when the test says so.
SLOW_CAMERA = """() => {
    const devices = navigator.mediaDevices, get = devices.getUserMedia.bind(devices);
    const streams = [];
    window.asked = [];
    devices.getUserMedia = async (how) => {
        await new Promise((open, refuse) => asked.push({ open, refuse }));
        return (streams.push(await get(how)), streams.at(-1));
    };
    setInterval(() => {
        const open = streams.filter((each) => each.active).length;
        document.body.dataset.open = `${open} of ${streams.length}`;
    });
}"""


@pytest.fixture
def slow_camera(fresh):
    fresh.evaluate(SLOW_CAMERA)
    fresh.click("#camera")
    return fresh


def still_closed(page, state, opened):
    """All cameras that have opened are closed, and stay so, and the page is as it was."""
    page.locator(f"[data-open='0 of {opened}']").wait_for()
    page.wait_for_timeout(500)
    assert page.evaluate("document.body.dataset.open") == f"0 of {opened}"
    assert page.evaluate("document.body.dataset.state") == state


def test_a_camera_asked_for_twice_is_opened_once_and_closed(slow_camera):
    slow_camera.click("#camera")
    slow_camera.evaluate("asked.forEach(({ open }) => open())")
    slow_camera.locator("[data-open='1 of 2'][data-state=live]").wait_for()
    slow_camera.click("#again")
    still_closed(slow_camera, "start", 2)


def test_start_over_while_a_second_camera_opens(slow_camera):
    slow_camera.evaluate("camera.click(), asked[0].open()")
    slow_camera.locator("[data-open$='of 1']").wait_for()
    slow_camera.wait_for_timeout(500)  # the first one may be live
    slow_camera.evaluate("again.click(), asked[1].open()")
    still_closed(slow_camera, "start", 2)


@pytest.mark.parametrize("answer", ["open", "refuse"])
def test_a_camera_that_answers_late_changes_nothing(slow_camera, answer):
    choose(slow_camera, encoded(dark(60, 90)))
    slow_camera.locator("[data-state=done]").wait_for()
    slow_camera.evaluate(f"asked[0].{answer}()")
    still_closed(slow_camera, "done", 1 if answer == "open" else 0)


def test_a_camera_that_opens_after_a_photograph_and_start_over(slow_camera):
    choose(slow_camera, encoded(dark(60, 90)))
    slow_camera.locator("[data-state=done]").wait_for()
    slow_camera.click("#again")
    slow_camera.evaluate("asked[0].open()")
    still_closed(slow_camera, "start", 1)


def test_a_camera_that_cannot_be_played_is_closed(slow_camera):
    slow_camera.evaluate(
        "() => { HTMLVideoElement.prototype.play = () => Promise.reject(Error('no')) }"
    )
    slow_camera.evaluate("asked[0].open()")
    slow_camera.get_by_text("There is no camera that this page may use").wait_for()
    still_closed(slow_camera, "start", 1)


def test_cancel_and_start_over(page):
    choose(page, encoded(dark(1500, 1500)))
    page.locator("#progress[value]").wait_for()
    page.click("#cancel")
    assert page.locator("#start").is_visible()
    page.click("#samples button:nth-child(1)")
    page.locator("#progress:indeterminate").wait_for()
    page.locator("[data-state=done]").wait_for()
    assert page.evaluate("before.width") == photograph("motorcycle", webpage.LONGEST).shape[1]
    page.click("#again")
    assert page.locator("#start").is_visible()


def test_everything_by_keyboard(fresh):
    focused = "document.activeElement.id || document.activeElement.querySelector('img')?.alt"
    order = []
    while "A motorcycle in a dark garage" not in order:
        fresh.keyboard.press("Tab")
        order.append(fresh.evaluate(focused))
    assert order == ["choose", "camera", "A motorcycle in a dark garage"]
    fresh.keyboard.press("Enter")
    fresh.locator("[data-state=done]").wait_for()
    assert fresh.evaluate(focused) == "divider"
    split = "getComputedStyle(stage).getPropertyValue('--split')"
    fresh.keyboard.press("End")
    assert fresh.evaluate(split) == "100%"
    fresh.keyboard.press("Tab")
    fresh.keyboard.press("End")
    assert fresh.inner_text("#stops") == "+2 stops"
    order = []
    for _ in range(4):
        fresh.keyboard.press("Tab")
        order.append(fresh.evaluate(focused))
    assert order == ["strength", "jpeg", "png", "again"]


def test_the_keyboard_goes_on_where_a_control_has_gone(page):
    def press(control, state):
        page.focus(control)
        page.keyboard.press("Enter")
        page.locator(f"[data-state={state}]").wait_for()
        return page.evaluate("document.activeElement.id")

    page.focus("#choose")
    choose(page, encoded(dark(1500, 1500)))
    page.locator("[data-state=working]").wait_for()
    assert page.evaluate("document.activeElement.id") == "cancel"
    assert press("#cancel", "start") == "choose"
    assert press("#samples button", "done") == "divider"
    assert press("#again", "start") == "choose"
    assert press("#camera", "live") == "shoot"
    assert press("#again", "start") == "choose"


def test_the_divider_follows_mouse_and_touch(page):
    choose(page, encoded(dark(60, 90)))
    page.locator("[data-state=done]").wait_for()
    box = page.locator("#stage").bounding_box()
    for point, share in ((page.mouse.click, 0.2), (page.touchscreen.tap, 0.7)):
        point(box["x"] + share * box["width"], box["y"] + box["height"] / 3)
        page.wait_for_function(f"Math.abs(divider.value - {100 * share}) < 2")


def test_a_photograph_chosen_before_the_network_is_loaded(browser, server):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(server[0])
        choose(page, encoded(dark(20, 30)))
        page.locator("[data-state=done]").wait_for(timeout=MINUTE)


def test_each_photograph_is_answered_where_the_network_cannot_be_loaded(browser, server):
    with browser.new_context() as context:
        # Requests of a service worker pass by the route.
        context.add_init_script("Object.defineProperty(navigator, 'serviceWorker', {})")
        context.route("**/*.onnx", lambda route: route.abort())
        page = context.new_page()
        page.goto(server[0])
        told = page.get_by_text("The network could not be loaded")
        told.wait_for()
        for _ in range(2):
            page.evaluate("document.getElementById('status').textContent = ''")
            choose(page, encoded(dark(20, 30)))
            told.wait_for()


@pytest.mark.parametrize("how", ["paste", "drop"])
def test_paste_and_drop(page, how):
    page.evaluate(
        """async ([how, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(bytes)], "dark.png", { type: "image/png" }));
            const event = new Event(how, { bubbles: true, cancelable: true });
            event[how === "paste" ? "clipboardData" : "dataTransfer"] = data;
            document.body.dispatchEvent(event);
        }""",
        [how, list(encoded(dark(20, 30)))],
    )
    page.locator("[data-state=done]").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 900, 1280])
def test_axe_finds_nothing_serious(page, scheme, width):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 800})
    for state in ("start", "done"):
        if state == "done":
            page.click("#samples button:nth-child(2)")
            page.locator("[data-state=done]").wait_for()
        page.focus({"start": "#choose", "done": "#jpeg"}[state])  # its colours differ then
        found = Axe().run(page).response
        serious = [e for e in found["violations"] if e["impact"] in ("serious", "critical")]
        # Axe is not sure whether text in the colour of its ground is hidden on purpose.
        unseen = [each for each in found["incomplete"] if "equalRatio" in json.dumps(each)]
        assert serious + unseen == [], json.dumps(serious + unseen)
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_source_stays_small():
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    files = subprocess.run(listed, cwd=webpage.WEB, check=True, capture_output=True, text=True)
    paths = [webpage.WEB / name for name in files.stdout.split() if name != "package-lock.json"]
    lines = {path.name: len(path.read_text("utf-8").splitlines()) for path in paths}
    assert 0 < sum(lines.values()) < 600, lines


def test_a_visit_takes_at_most_6_megabytes(fresh, server):
    paths = {path.partition("?")[0].lstrip("/") or "index.html" for path in server[1]}
    sizes = {path: len(gzip.compress((webpage.DIST / path).read_bytes())) for path in paths}
    assert any(path.endswith(".wasm") for path in sizes)
    assert sum(sizes.values()) < 6e6, sizes
