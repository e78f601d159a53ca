"""Figures of nothing, and lists that do not fit together, are refused in a clear sentence."""

import re

import pytest
import torch

from llie_helpers import plotting
from llie_helpers.data import Pairs
from llie_helpers.errors import CourseError
from llie_helpers.methods import classical
from llie_helpers.plotting.diagrams import show_encoder_decoder, show_unet
from llie_helpers.plotting.gallery import write_gallery
from llie_helpers.plotting.trade_off import show_trade_off

THREE = torch.zeros(3, 3, 8, 8)
NONE = Pairs("nothing", (), (), [])

REFUSED = {
    "Found 0 images;": lambda: plotting.show_images([]),
    "3 images and 2 titles;": lambda: plotting.show_images(THREE, ["a", "b"]),
    "3 images and 4 titles;": lambda: plotting.show_images(THREE, list("abcd")),
    "3 images and 1 scores;": lambda: plotting.show_images(THREE, scores=["a"]),
    "Found 0 pairs; give at least one.": lambda: plotting.show_pairs(NONE),
    "0 images and 0 targets;": lambda: plotting.show_results([], {}, []),
    "3 images and 2 targets;": lambda: plotting.show_results(THREE, {}, THREE[:2]),
    "3 images, 1 outputs of gamma and 3 targets; give at least one of each, and equally many.": (
        lambda: plotting.show_results(THREE, {"gamma": THREE[:1]}, THREE)
    ),
    "0 images and 0 labels;": lambda: plotting.show_histograms([], []),
    "3 images and 2 labels;": lambda: plotting.show_histograms(THREE, ["a", "b"]),
    "0 evaluations;": lambda: plotting.show_error_parts({}),
    "0 points;": lambda: show_trade_off([], "seconds", "PSNR (dB)"),
    "0 widths;": lambda: show_unet([]),
    "Found 0 widths;": lambda: show_encoder_decoder([]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_says_what_it_found(message):
    with pytest.raises(CourseError, match=re.escape(message)):
        REFUSED[message]()


def test_a_gallery_of_no_pairs_leaves_nothing(tmp_path):
    with pytest.raises(CourseError, match="has no pairs to show"):
        write_gallery({"gamma": classical.gamma}, NONE, tmp_path / "gallery")
    assert list(tmp_path.iterdir()) == []
