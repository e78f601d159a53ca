"""Figures of images, training runs and results."""

from llie_helpers.plotting.errors import show_error_parts
from llie_helpers.plotting.figures import (
    CHANNELS,
    COLOURS,
    GREY,
    WIDTH,
    CourseFigure,
    show_histograms,
    show_images,
    show_pairs,
    show_results,
    use_style,
)
from llie_helpers.plotting.histories import show_history

__all__ = [
    "CHANNELS",
    "COLOURS",
    "GREY",
    "WIDTH",
    "CourseFigure",
    "show_error_parts",
    "show_histograms",
    "show_history",
    "show_images",
    "show_pairs",
    "show_results",
    "use_style",
]
