"""Pairs of low-light and normal-light images: data sets, splits, caching and augmentation.

``choose`` returns a data set that is available, and ``load_pairs`` its pairs::

    name = data.choose("lol_v1")
    train, val, test = (data.load_pairs(name, split) for split in ("train", "val", "test"))
"""

from llie_helpers.data.catalog import CATALOG
from llie_helpers.data.embedded import real_photographs
from llie_helpers.data.loading import available, check, choose, get, load_pairs, source
from llie_helpers.data.pairs import Pair, Pairs, concatenate
from llie_helpers.data.report import Report

__all__ = [
    "CATALOG",
    "Pair",
    "Pairs",
    "Report",
    "available",
    "check",
    "choose",
    "concatenate",
    "get",
    "load_pairs",
    "real_photographs",
    "source",
]
