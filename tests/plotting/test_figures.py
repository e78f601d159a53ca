"""Figures: what they show, and that a notebook shows each once and small."""

import base64
import io
import itertools
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from llie_helpers import plotting
from llie_helpers.data.pairs import Pairs
from llie_helpers.errors import CourseError
from llie_helpers.images import quantise
from llie_helpers.metrics import psnr

ONE_EPOCH = [{"epoch": 1, "train_loss": 1.0, "lr": 1e-3}]


def images(n: int = 3, height: int = 20, width: int = 30) -> torch.Tensor:
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(0))


def shown(figure, monkeypatch) -> dict:
    outputs = []
    monkeypatch.setattr(plotting.figures, "display", lambda *args, **_: outputs.append(args[0]))
    figure._ipython_display_()
    (output,) = outputs
    return output


def visible(figure) -> list:
    return [axis for axis in figure.axes if axis.get_visible()]


class TestImages:
    def test_one_axis_per_image_with_title_and_score(self):
        figure = plotting.show_images(images(5), list("abcde"), ["1 dB"] * 5)
        assert [axis.get_title() for axis in visible(figure)] == list("abcde")
        assert all(axis.get_xlabel() == "1 dB" for axis in visible(figure))

    def test_shows_8_bit_values_in_rgb(self):
        image = torch.tensor([1.2, 0.5, -0.1])[:, None, None].expand(3, 4, 5)
        (axis,) = plotting.show_images([image]).axes
        assert axis.images[0].get_array()[0, 0].tolist() == [255, 128, 0]

    @pytest.mark.parametrize(("n", "columns"), [(1, None), (2, None), (4, None), (6, 3)])
    def test_is_as_high_as_its_images(self, n, columns, monkeypatch):
        figure = plotting.show_images(images(n, 200, 300), columns=columns)
        figure.draw_without_rendering()
        across = columns or n
        for axis in visible(figure):
            box = axis.get_window_extent()
            assert box.width == pytest.approx(figure.bbox.width / across, rel=0.1)
            assert box.width / box.height == pytest.approx(1.5, rel=0.02)


def texts(figure) -> list:
    found = [text for axis in visible(figure) for text in (axis.title, axis.xaxis.label)]
    return [text for text in found if text.get_text()]


LONG = "IMG_20240131_235959_in_low_light_burst_1"


@pytest.mark.parametrize(
    "figure",
    [
        lambda: plotting.show_images(images(4), [LONG] * 4, [LONG] * 4),
        lambda: plotting.show_images(images(1), [LONG * 2]),
        lambda: plotting.show_images(images(3, 60, 20), [LONG] * 3),
        lambda: plotting.show_results(images(2), {LONG: images(2), "a": images(2)}, images(2)),
        lambda: plotting.show_histograms(images(2), [LONG] * 2),
    ],
)
def test_long_texts_do_not_overlap(figure):
    figure = figure()
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in texts(figure)]
    assert boxes
    for box in boxes:
        assert box.x0 >= -1
        assert box.x1 <= figure.bbox.x1 + 1
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


@pytest.mark.parametrize("columns", [1, 4])
@pytest.mark.parametrize("sides", [(1, 2000), (2000, 3), (500, 4000), (900, 100), (1, 1)])
def test_a_picture_of_any_shape_is_seen_and_fills_no_pages(sides, columns):
    figure = plotting.show_images(torch.rand(columns, 3, *sides))
    assert figure.get_size_inches()[1] < 20
    figure.draw_without_rendering()
    height, width = figure.axes[0].bbox.height, figure.axes[0].bbox.width
    assert min(height, width) > 2
    if max(sides) <= 20 * min(sides):
        assert height / width == pytest.approx(sides[0] / sides[1], rel=0.01)


def test_short_texts_keep_their_size():
    figure = plotting.show_images(images(4), ["motorcycle_4.75stops"] * 4)
    assert {text.get_fontsize() for text in texts(figure)} == {12.0}


@pytest.mark.parametrize(
    ("show", "message"),
    [
        (lambda: plotting.show_images(images(1)[None]), r"shape \(1, 3, 20, 30\)"),
        (lambda: plotting.show_images(images(1)[0]), r"shape \(20, 30\)"),
        (lambda: plotting.show_images(images(1, height=0)), r"shape \(3, 0, 30\)"),
        (lambda: plotting.show_images(images(2)[:, :1]), r"shape \(1, 20, 30\)"),
        (lambda: plotting.show_images([images(1)[0].permute(1, 2, 0).numpy()]), "type ndarray"),
        (lambda: plotting.show_histograms(images(1)[0, 0], ["a"] * 20), r"shape \(30,\)"),
    ],
)
def test_what_cannot_be_shown_is_explained(show, message):
    with pytest.raises(CourseError, match=message):
        show()


class TestPairs:
    def test_shows_name_and_means(self):
        low, normal = np.full((2, 8, 9, 3), [[[[51]]], [[[204]]]], np.uint8)
        pairs = Pairs("two", ("cup", "cat"), (0, 1), [(low, normal)] * 2)
        figure = plotting.show_pairs(pairs, n=4)
        assert [axis.get_title() for axis in figure.axes] == ["cup", "cat", "", ""]
        assert figure.axes[0].get_xlabel() == "mean 0.200"
        assert figure.axes[3].get_xlabel() == "mean 0.800"


class TestResults:
    def test_scores_each_output_against_the_target_in_its_row(self):
        low, normal = images(2) / 5, quantise(images(2))
        figure = plotting.show_results(low, {"perfect": normal, "gamma": low**0.5}, normal)
        titles = [axis.get_title() for axis in figure.axes]
        assert titles == ["low", "perfect", "gamma", "target"] + [""] * 4
        scores = [axis.get_xlabel() for axis in figure.axes]
        assert scores[1] == "inf dB, SSIM 1.00"
        assert scores[4].startswith(f"{psnr(low[1], normal[1]).item():.1f} dB")
        assert scores[3] == scores[7] == ""

    def test_methods_may_have_any_name(self):
        low, normal = images(1) / 5, images(1)
        figure = plotting.show_results(low, {"low": normal, "target": low}, normal)
        assert [axis.get_title() for axis in figure.axes] == ["low", "low", "target", "target"]
        scores = [axis.get_xlabel() for axis in figure.axes]
        assert scores[0] == scores[2] != scores[1]
        assert scores[3] == ""

    def test_takes_images_of_several_sizes(self):
        low = [images(1)[0], images(1, 40, 30)[0]]
        assert len(plotting.show_results(low, {}, low).axes) == 4


class TestHistograms:
    def test_bars_sum_to_one_and_clipping_is_counted(self):
        image = torch.full((3, 10, 10), 0.5)
        image[:, :2] = 0
        image[:, 9:] = 1
        picture, bars = plotting.show_histograms([image], ["half"]).axes
        assert picture.get_title() == "half"
        assert bars.get_title() == "clipped: 20.0% black, 10.0% full"
        assert len(bars.patches) == 6
        for steps in bars.patches:
            assert steps.get_data().values.sum() == pytest.approx(1)


class TestDisplay:
    def test_photographs_are_jpeg_and_curves_png(self, monkeypatch):
        output = shown(plotting.show_images(images(2), ["low", "normal"]), monkeypatch)
        assert output["text/plain"] == "Side by side: low; normal."
        assert 'alt="Side by side: low; normal."' in output["text/html"]
        assert "data:image/jpeg;base64," in output["text/html"]
        output = shown(plotting.show_history(ONE_EPOCH), monkeypatch)
        encoded = re.search(r"data:image/png;base64,([^\"]+)", output["text/html"])[1]
        picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
        assert picture.width == 900
        assert picture.mode == "P"
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)

    def test_titles_stand_in_for_a_missing_text(self, monkeypatch):
        figure = plotting.CourseFigure(2, 1)
        figure.subplots().set_title('loss & "rate"')
        output = shown(figure, monkeypatch)
        assert 'alt="Figure: loss &amp; &quot;rate&quot;"' in output["text/html"]

    def test_pyplot_knows_none_of_the_figures(self):
        open_before = plt.get_fignums()
        plotting.show_images(images())
        plotting.show_history(ONE_EPOCH)
        assert plt.get_fignums() == open_before
