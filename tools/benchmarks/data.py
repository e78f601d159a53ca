"""Measure how fast training data is read, from the cache and by decoding files."""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from llie_helpers.data import Pairs, load_pairs, source
from llie_helpers.data.crops import RandomCrops
from llie_helpers.data.pairs import Lazy
from llie_helpers.data.sources import ImageFiles
from llie_helpers.errors import CourseError

CROP_SIZE = 128


@dataclass(frozen=True)
class DataSpeed:
    """Random pair crops of 128x128 pixels per second, from the cache and from files."""

    title: str
    cached: float
    decoded: float

    def __str__(self) -> str:
        return (
            f"random {CROP_SIZE}x{CROP_SIZE} pair crops of {self.title}, one process\n"
            f"  from the cache:          {self.cached:9,.0f} a second\n"
            f"  decoding the files each: {self.decoded:9,.1f} a second\n"
            f"  the cache is {self.cached / self.decoded:,.0f} times as fast"
        )


def bench_data(name: str, seconds: float) -> DataSpeed:
    """Measure both for about ``seconds`` on the training split of the data set ``name``.

    Raises:
        CourseError: the set is not present, or has no files.
    """
    cached = load_pairs(name, "train")
    decoded = decoded_pairs(name, cached)
    threads = torch.get_num_threads()
    # A crop is too small for several threads, which would only wait for each other.
    torch.set_num_threads(1)
    try:
        return DataSpeed(cached.title, *(speed(pairs, seconds) for pairs in (cached, decoded)))
    finally:
        torch.set_num_threads(threads)


def decoded_pairs(name: str, cached: Pairs) -> Pairs:
    """Return the same pairs, decoded on each access by OpenCV alone.

    This is the fastest way without a cache; `images.read_rgb` also checks every file.
    """
    files = source(name)
    if not isinstance(files, ImageFiles):
        raise CourseError(f"{name} has no files to decode; choose a set such as lol_v1.")
    by_name = {pair.name: pair for pair in files.listing().files if pair.split != "test"}
    calls = [partial(decode, by_name[name].low, by_name[name].normal) for name in cached.names]
    return Pairs(cached.title, cached.names, cached.scenes, Lazy(calls))


def decode(low: Path, normal: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return both images, uint8 ``(H, W, 3)`` RGB."""
    one, other = (cv2.imread(str(path))[..., ::-1] for path in (low, normal))
    return one, other


def speed(pairs: Pairs, seconds: float) -> float:
    """Return random crops per second."""
    crops = RandomCrops(pairs, CROP_SIZE, length=1_000_000, augment=False)
    items_per_second(crops, seconds / 10)  # warm-up: the first reads access the disk
    return items_per_second(crops, seconds)


def items_per_second(crops: RandomCrops, seconds: float) -> float:
    """Return how many crops are read per second, measured for about ``seconds``."""
    fetched, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        crops[fetched % len(crops)]
        fetched += 1
    return fetched / elapsed
