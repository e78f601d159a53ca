"""Enhancement by predicting the percentiles of the target.

The histogram of each channel is described by its percentiles at the levels ``Q``. A regressor
predicts those of the normal-light image from those of the low-light one, and a piecewise-linear
tone curve through them maps the image.
"""

from llie_helpers.methods.histogram.mapper import HistogramMapper, cross_fit, map_splits
from llie_helpers.methods.histogram.percentiles import (
    Q,
    map_histogram,
    mapped,
    pair_percentiles,
    percentiles,
)

__all__ = [
    "HistogramMapper",
    "Q",
    "cross_fit",
    "map_histogram",
    "map_splits",
    "mapped",
    "pair_percentiles",
    "percentiles",
]
