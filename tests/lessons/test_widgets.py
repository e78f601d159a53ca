"""Widgets, driven by value; run under ipywidgets 7.7.1 with IPython 7.34 as well as under 8."""

import base64
import html
import io
import re
import types
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from llie_helpers import plotting
from llie_helpers.errors import CourseError
from llie_helpers.lessons.widgets import (
    before_after,
    frames_slider,
    live,
    parameter_slider,
    predict,
    prediction,
)
from llie_helpers.lessons.widgets.embed import LARGEST, data_url, picture

VOID = {"img", "input", "br"}


class Page(HTMLParser):
    """The tags of a page, with their attributes; it must close what it opens."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self._open = [], []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def all(self, name: str) -> list[dict]:
        return [attrs for tag, attrs in self.tags if tag == name]


def flat(value: float, height: int = 20, width: int = 30) -> torch.Tensor:
    return torch.full((3, height, width), value)


def decode(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


def level(address: str) -> float:
    """The mean value of an embedded picture, in [0, 1]."""
    return np.asarray(decode(address)).mean() / 255


def screen(slider) -> dict:
    (image,) = Page(slider.screen.value).all("img")
    return image


@pytest.fixture
def displayed(monkeypatch):
    """What is displayed during the test."""
    objects = []

    def show(shown, display_id=False):
        objects.append(shown)
        return types.SimpleNamespace(update=objects.append)

    monkeypatch.setattr(live, "display", show)
    monkeypatch.setattr(prediction, "display", show)
    return objects


class TestEmbedding:
    def test_keeps_values_and_size(self):
        image = decode(data_url(picture(flat(0.25, 40, 60))))
        assert image.size == (60, 40)
        assert image.getpixel((5, 5))[0] == pytest.approx(64, abs=3)

    def test_noise_at_full_size_stays_small(self):
        noise = torch.rand(3, 800, 1200, generator=torch.Generator().manual_seed(0))
        address = data_url(picture(noise))
        assert len(base64.b64decode(address.partition(",")[2])) <= LARGEST

    @pytest.mark.parametrize("size", [(8, 20_000), (40_000, 8)])
    def test_what_webp_cannot_hold_is_shown_reduced(self, size):
        page = Page(before_after(flat(0.1, *size), flat(0.8, *size)).data)
        for image, value in zip(page.all("img"), (0.1, 0.8), strict=True):
            assert level(image["src"]) == pytest.approx(value, abs=0.02)
            assert (int(image["height"]), int(image["width"])) == size  # the place on the page

    def test_a_pyplot_figure_is_not_shown_twice(self):
        figure = plt.figure(figsize=(2, 1), dpi=50)
        assert picture(figure).size == (100, 50)
        assert not plt.fignum_exists(figure.number)

    @pytest.mark.parametrize("image", [torch.rand(2, 3, 4, 4), torch.rand(4, 4), "photo.png"])
    def test_other_things_are_refused(self, image):
        with pytest.raises(CourseError, match=r"\(3, H, W\) or a figure"):
            picture(image)


class TestBeforeAfter:
    def test_is_self_contained_and_accessible(self):
        text = before_after(flat(0.1), flat(0.8), labels=("low", "<b>")).data
        page = Page(text)
        before, after = page.all("img")
        assert before["alt"] == "the same photograph: low"
        assert level(before["src"]) == pytest.approx(0.1, abs=0.02)
        assert level(after["src"]) == pytest.approx(0.8, abs=0.02)
        (slider,) = page.all("input")
        assert slider["type"] == "range"
        assert "low" in slider["aria-label"]
        assert not page.all("script")
        assert not re.search(r"https?:|<b>|\bid=", text)

    def test_each_picture_stands_before_its_label(self):
        text = before_after(flat(0.1), flat(0.8), ("dark", "light"), "grey").data
        order = [">dark</span>", 'alt="grey: light"', ">light</span>"]
        assert re.findall("|".join(order), text) == order
        assert text.index('alt="grey: dark"') < text.index(order[0])

    def test_pictures_of_one_name_share_the_place_of_the_line(self):
        page = Page(before_after(flat(0.1), flat(0.8), name="mine").data)
        assert page.all("input")[0]["name"] == "mine"
        assert "window[cut.name]" in page.all("img")[1]["onload"]

    def test_both_must_have_one_size(self):
        with pytest.raises(CourseError, match="30x20 and after 31x20"):
            before_after(flat(0.1), flat(0.1, width=31))


class TestFramesSlider:
    def test_shows_the_first_frame_and_names_all(self):
        page = Page(frames_slider([flat(0.2), flat(0.4), flat(0.6)], [1, 2, 4], "gain").data)
        frames = [attrs for attrs in page.all("div") if "data-frame" in attrs]
        assert [f["data-frame"] for f in frames] == ["1", "2", "4"]
        assert [f["style"] for f in frames] == ["display:block", "display:none", "display:none"]
        assert [level(i["src"]) for i in page.all("img")] == pytest.approx(
            [0.2, 0.4, 0.6], abs=0.02
        )
        (slider,) = page.all("input")
        assert (slider["min"], slider["max"], slider["value"]) == ("0", "2", "0")
        assert (slider["aria-label"], slider["aria-valuetext"]) == ("gain", "1")
        assert not page.all("script")

    def test_takes_figures(self):
        figures = [plotting.show_images([flat(0.5)]) for _ in range(2)]
        assert len(Page(frames_slider(figures, "ab").data).all("img")) == 2

    @pytest.mark.parametrize(("count", "labels"), [(0, []), (2, ["one"])])
    def test_needs_a_label_per_image(self, count, labels):
        with pytest.raises(CourseError, match=f"Found {count} images and {len(labels)} labels"):
            frames_slider([flat(0.5)] * count, labels)


class TestParameterSlider:
    def test_follows_its_controls(self):
        def brighten(gain=0.5, add=0, mode="plain"):
            """A grey"""
            return flat(1 - gain if mode == "inverted" else gain + add / 10)

        slider = parameter_slider(
            brighten, gain=(0.0, 1.0, 0.1), add=(0, 3), mode=["plain", "inverted"]
        )
        kinds = [type(control).__name__ for control in slider.controls.values()]
        assert kinds == ["FloatSlider", "IntSlider", "Dropdown"]
        assert level(screen(slider)["src"]) == pytest.approx(0.5, abs=0.02)
        slider.controls["gain"].value = 0.2
        assert level(screen(slider)["src"]) == pytest.approx(0.2, abs=0.02)
        slider.controls["add"].value = 3
        assert level(screen(slider)["src"]) == pytest.approx(0.5, abs=0.02)
        slider.controls["mode"].value = "inverted"
        assert level(screen(slider)["src"]) == pytest.approx(0.8, abs=0.02)
        assert screen(slider)["alt"] == "A grey, gain = 0.2, add = 3, mode = inverted"

    def test_frames_for_pages_without_a_kernel(self):
        def grey(x=0.3):
            return flat(x)

        slider = parameter_slider(grey, x=(0.0, 1.0, 0.25), frames=3)
        page = Page(slider.static)
        assert [level(i["src"]) for i in page.all("img")] == pytest.approx([0, 0.3, 1], abs=0.02)
        frames = [attrs["style"] for attrs in page.all("div") if "data-frame" in attrs]
        assert frames == ["display:none", "display:block", "display:none"]
        (slider,) = page.all("input")
        assert (slider["value"], slider["aria-valuetext"]) == ("1", "0.3")
        assert [i["alt"] for i in page.all("img")] == [
            "grey, x = 0",
            "grey, x = 0.3",
            "grey, x = 1",
        ]

    def test_frames_of_a_menu(self):
        slider = parameter_slider(lambda x: flat(x), x=[0.1, 0.9])
        assert len(Page(slider.static).all("img")) == 2

    def test_few_steps_give_few_frames(self):
        slider = parameter_slider(lambda n: flat(n / 2), n=(0, 2), frames=9)
        assert len(Page(slider.static).all("img")) == 3

    @pytest.mark.parametrize("choices", [(0.0, 1.0, 0.6), (0, 7, 2), (0.0, 0.3, 0.1)])
    def test_frames_stay_within_the_range(self, choices):
        low, high, step = choices
        called = []

        def shown(x):
            called.append(x)
            return flat(0.5)

        parameter_slider(shown, x=choices, frames=9)
        last = low + step * int((high - low) / step + 1e-9)
        assert max(called) == pytest.approx(last)

    def test_the_readout_shows_all_decimals_of_a_value(self):
        def shown(x=0.375):
            return flat(x)

        (control,) = parameter_slider(shown, x=(0.25, 1.0, 0.5)).controls.values()
        assert control.readout_format == ".3f"

    def test_shows_figures(self):
        slider = parameter_slider(lambda x: plotting.show_images([flat(x)]), x=(0.0, 1.0), frames=2)
        assert decode(screen(slider)["src"]).width == 540

    def test_an_error_at_the_start_stops_the_cell(self):
        with pytest.raises(ZeroDivisionError):
            parameter_slider(lambda n: flat(1 / n), n=(0, 4))

    def test_a_later_error_surfaces_and_is_shown(self):
        slider = parameter_slider(lambda n=0: flat([0.1, 0.2, 0.3][n]), n=(0, 9), frames=1)
        with pytest.raises(IndexError):
            slider.controls["n"].value = 7
        assert "IndexError: list index out of range" in html.unescape(slider.screen.value)
        slider.controls["n"].value = 2
        assert level(screen(slider)["src"]) == pytest.approx(0.3, abs=0.02)

    @pytest.mark.parametrize(
        "choices", [(1,), (0, 1, 2, 3), ("a", "b"), 3, [], (2, 1), (0.5, 0.5), (0, 1, 0)]
    )
    def test_a_range_of_another_form_is_refused(self, choices):
        with pytest.raises(CourseError, match="range of x"):
            parameter_slider(flat, x=choices)

    @pytest.mark.parametrize(
        ("start", "choices"), [(0.9, (0.0, 0.5)), (-1, (0, 5)), ("c", ["a", "b"]), (2, [1])]
    )
    def test_a_default_outside_its_range_is_refused(self, start, choices):
        def shown(value=start):
            return flat(0.5)

        with pytest.raises(CourseError, match=r"value starts at .* not in its range"):
            parameter_slider(shown, value=choices)

    def test_needs_a_range(self):
        with pytest.raises(CourseError, match="needs a range"):
            parameter_slider(flat)

    def test_displays_the_live_slider_and_the_frames_apart(self, displayed):
        slider = parameter_slider(lambda x: flat(x), x=(0.0, 1.0))
        slider._ipython_display_()
        widget, frames = displayed
        assert widget is slider.box
        assert slider.screen in widget.children
        (details,) = Page(frames.data).all("details")
        assert details["class"].split() == ["llie-frames", slider.mark]
        assert "open" in details
        # Whichever comes last folds the frames up.
        assert screen(slider)["onload"] == details["ontoggle"]
        assert slider.mark in details["ontoggle"]
        assert f'<div class="{slider.mark}"' in slider.screen.value


@pytest.mark.parametrize(
    "html_of",
    [
        lambda: before_after(flat(0.1), flat(0.8)).data,
        lambda: frames_slider([flat(0.1)], ["one"]).data,
        lambda: parameter_slider(lambda x: flat(x), x=(0.0, 1.0)).static,
    ],
)
def test_sliders_keep_their_keys_say_when_they_sleep_and_reserve_their_place(html_of):
    page = Page(html_of())
    (slider,) = page.all("input")
    # Without it, JupyterLab jumps to another heading at each arrow key.
    assert slider["data-lm-suppress-shortcuts"] == "true"
    assert "touch-action:pan-y" in slider["style"]
    (note,) = [attrs for attrs in page.all("div") if attrs.get("class") == "llie-asleep"]
    assert "hidden" not in note
    for image in page.all("img"):
        assert (image["width"], image["height"]) == ("30", "20")


class TestPredict:
    def make(self):
        return predict("Which way?", ["up", "down & out"])

    def test_backticks_become_code(self, displayed):
        question = predict("What is `a < b`?", ["`True`", "else"])
        question._ipython_display_()
        question.reveal("`True`", "`a` is less.")
        text = "".join(shown.data for shown in displayed if hasattr(shown, "data"))
        assert "`" not in text
        assert "What is <code>a &lt; b</code>?" in text
        assert "A. <code>True</code><br><code>a</code> is less." in text

    def test_the_answer_is_folded_until_there_is_a_prediction(self, displayed):
        question = self.make()
        assert question.control.value is None
        question.reveal("up", "It is lighter.")
        (text,) = displayed
        assert Page(text.data).all("details") == [{"class": "llie-answer"}]
        assert not question.control.disabled
        question.control.value = "down & out"
        _, text = displayed
        assert Page(text.data).all("details") == [{"class": "llie-answer", "open": None}]
        assert question.control.disabled

    def test_shows_the_prediction_beside_the_outcome(self, displayed):
        question = self.make()
        question.control.value = "down & out"
        question.reveal("up", "It is lighter.")
        (text,) = displayed
        told = "You predicted: B. down &amp; out<br>Answer: A. up<br>It is lighter."
        assert f"<summary>Show the answer</summary><p>{told}</p>" in text.data
        assert Page(text.data).all("details") == [{"class": "llie-answer", "open": None}]
        assert question.control.disabled

    def test_a_cell_that_ran_again_unfolds_its_answer_alone(self, displayed):
        question = self.make()
        question.reveal("up", "First.")
        question.reveal("up", "Again.")
        question.control.value = "up"
        assert ["Again." in shown.data for shown in displayed] == [False, True, True]

    def test_the_answer_must_be_a_choice(self):
        with pytest.raises(ValueError, match="not one of"):
            self.make().reveal("left")

    def test_the_text_lists_the_choices(self, displayed):
        question = self.make()
        question._ipython_display_()
        text, buttons = displayed
        assert "B. down &amp; out" in text.data
        assert buttons is question.control
