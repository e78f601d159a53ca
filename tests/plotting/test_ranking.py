"""The page for blind rankings, in a real browser."""

import csv
import json
import re
import weakref

import pytest
import torch
from scipy.stats import binomtest

from llie_helpers.cli import main
from llie_helpers.errors import CourseError
from llie_helpers.images import save_image, to_float
from llie_helpers.methods import classical
from llie_helpers.models import create_model
from llie_helpers.plotting.ranking import ranking

METHODS = {"identity": classical.identity, "gamma": classical.gamma, "</script>": classical.clahe}
IMAGES = {f'{number}, "x".png': torch.full((3, 20, 30), number / 20) for number in range(1, 4)}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return ranking(IMAGES, METHODS, tmp_path_factory.mktemp("ranking") / "page.html")


def test_the_page_needs_no_other_file(file):
    text = file.read_text(encoding="utf-8")
    assert len(re.findall("data:image/jpeg;base64,", text)) == len(IMAGES) * (1 + len(METHODS))
    assert re.findall(r'https?://|src="|url\(', text) == []
    # A method's name cannot end the script that holds it.
    assert text.count("</script>") == 2


def test_large_images_are_reduced(tmp_path):
    methods = {"a": classical.identity, "b": classical.identity}
    page = ranking({"x": torch.rand(3, 30, 2400)}, methods, tmp_path / "page.html")
    assert page.stat().st_size < 100_000


def test_a_reduced_panorama_keeps_a_row(tmp_path):
    methods = {"a": classical.identity, "b": classical.identity}
    assert ranking({"x": torch.rand(3, 2, 3000)}, methods, tmp_path / "page.html").is_file()


def test_the_command_holds_few_photographs_at_once(tmp_path, monkeypatch):
    alive, most = weakref.WeakSet(), []

    def read(pixels):
        image = to_float(pixels)
        alive.add(image)
        most.append(len(alive))
        return image

    monkeypatch.setattr("llie_helpers.images.to_float", read)
    for number in range(6):
        save_image(tmp_path / f"{number}.png", torch.rand(3, 16, 24))
    page = str(tmp_path / "page.html")
    assert main(["ranking", str(tmp_path), "-m", "gamma", "-m", "identity", "-o", page]) == 0
    assert len(most) == 6
    assert max(most) <= 2


@pytest.mark.parametrize(
    ("images", "methods"),
    [({}, METHODS), (IMAGES, {"gamma": classical.gamma}), (IMAGES, dict.fromkeys("abcdefghij"))],
)
def test_what_cannot_be_ranked_is_refused(images, methods, tmp_path):
    with pytest.raises(CourseError, match="2 to 9 different methods"):
        ranking(images, methods, tmp_path / "page.html")


def test_the_command_writes_a_page_and_leaves_an_existing_one_alone(tmp_path, capsys):
    save_image(tmp_path / "dark.png", torch.rand(3, 16, 24))
    command = ["ranking", str(tmp_path), "-m", "gamma", "-m", "lime", "-o"]
    assert main([*command, str(tmp_path / "page.html")]) == 0
    assert main([*command, str(tmp_path / "page.html")]) == 1
    assert "add --force" in capsys.readouterr().err


def test_a_photograph_that_cannot_be_ranked_is_left_out(tmp_path, caplog):
    (tmp_path / "cut.jpg").write_bytes(b"no image")
    images = {"cut": tmp_path / "cut.jpg", "speck": torch.rand(3, 8, 8)}
    methods = {"gamma": classical.gamma, "network": create_model("plain_unet", widths=[4])}
    with pytest.raises(CourseError, match="No image is left"):
        ranking(images, methods, tmp_path / "page.html")
    assert "cut is left out: " in caplog.messages[0]
    assert "speck is left out: An image of 8x8 pixels is too small" in caplog.messages[1]
    page = ranking(images | {"sound": torch.rand(3, 16, 24)}, methods, tmp_path / "page.html")
    assert page.read_text(encoding="utf-8").count("data:image/jpeg;base64,") == 3


@pytest.fixture
def page(browser, file):
    with browser.new_context() as context:
        page = context.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(file.as_uri())
        yield page
        assert errors == []


def answers(page):
    return page.evaluate("JSON.parse(localStorage.getItem(key) ?? '[]')")


def download(page, name):
    with page.expect_download() as event:
        page.get_by_text(name).click()
    assert event.value.suggested_filename == name
    return event.value.path().read_text(encoding="utf-8")


@pytest.mark.browser
@pytest.mark.slow
def test_no_name_is_shown_before_the_end(page):
    assert "Image 1 of 3" in page.inner_text("main")
    assert page.locator("main img").count() == 1 + len(METHODS)
    for name in METHODS:
        assert name not in page.inner_html("main")


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [500, 900, 1300])
def test_all_outputs_are_equally_large(page, width):
    page.set_viewport_size({"width": width, "height": 700})
    sizes = page.eval_on_selector_all("main img", "all => all.map((img) => img.offsetWidth)")
    assert len(set(sizes)) == 1
    assert sizes[0] > 100


@pytest.mark.browser
@pytest.mark.slow
def test_a_ranking_by_keyboard_survives_a_reload_and_can_be_downloaded(page):
    page.keyboard.press("Enter")  # nothing is chosen yet
    assert "Image 1 of 3" in page.inner_text("main")
    for key in ("2", "1", "Backspace", "3", "3", "7", "Enter"):
        page.keyboard.press(key)
    page.reload()
    assert "Image 2 of 3" in page.inner_text("main")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.locator("figure button").nth(0).click()
    page.locator("#next").click()

    stored = answers(page)
    assert [answer["image"] for answer in stored] == list(IMAGES)
    shown = stored[0]["shown"]
    assert sorted(shown) == sorted(METHODS)
    assert stored[0]["order"] == [shown[1], shown[2]]
    wins = {name: sum(answer["order"][0] == name for answer in stored) for name in METHODS}
    for name, count in wins.items():
        assert f"{name}\t{count} of 3" in page.inner_text("table")
    assert "best in 33 %" in page.inner_text("main")

    assert json.loads(download(page, "ranking.json")) == stored
    rows = list(csv.DictReader(download(page, "ranking.csv").splitlines()))
    assert [(row["image"], row["method"]) for row in rows] == [
        (answer["image"], method) for answer in stored for method in answer["order"]
    ]
    page.locator("#again").click()
    assert answers(page) == []
    assert "Image 1 of 3" in page.inner_text("main")


@pytest.mark.browser
@pytest.mark.slow
def test_orders_are_random(page):
    orders = {page.evaluate("shuffled([0, 1, 2]).join()") for _ in range(100)}
    assert len(orders) == 6


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(("wins", "of"), [(5, 19), (0, 10), (10, 10), (1, 1)])
def test_intervals_are_wilsons(page, wins, of):
    expected = binomtest(wins, of).proportion_ci(method="wilson")
    found = page.evaluate(f"wilson({wins}, {of})")
    assert found == pytest.approx([expected.low, expected.high], abs=1e-4)
