"""Pairs of low-light and normal-light images: where they come from and how they are read.

``choose`` picks the best data set at hand and ``load`` returns its pairs::

    name = data.choose("lol_v1")
    train, val, test = (data.load(name, split) for split in ("train", "val", "test"))
"""

from .catalog import CATALOG
from .ladder import available, choose, get
from .loading import check, load
from .pairs import Pair, Pairs
from .report import Report

__all__ = ["CATALOG", "Pair", "Pairs", "Report", "available", "check", "choose", "get", "load"]
