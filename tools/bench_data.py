"""How fast training data is read: from the cache, and by decoding files each time."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from llie_helpers.data import Pairs, load_pairs, source
from llie_helpers.data.crops import RandomCrops, items_per_second
from llie_helpers.data.matching import PairFiles
from llie_helpers.data.sources import ImageFiles
from llie_helpers.errors import CourseError

CROP = 128


@dataclass(frozen=True, eq=False)
class ByOpenCV(Sequence):
    """Pairs decoded by one bare OpenCV call a file, the fastest way there is without a cache.

    `images.read_rgb`, which also checks every file, would flatter the cache.
    """

    files: Sequence[PairFiles]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        pair = self.files[index]
        return tuple(cv2.imread(str(path))[..., ::-1] for path in (pair.low, pair.normal))


@dataclass(frozen=True)
class DataSpeed:
    """Random pair crops of 128x128 per second, read the two ways in one run."""

    title: str
    cached: float
    decoded: float

    @property
    def ratio(self) -> float:
        return self.cached / self.decoded

    def __str__(self) -> str:
        return (
            f"random {CROP}x{CROP} pair crops of {self.title}, one process\n"
            f"  from the cache:          {self.cached:9,.0f} a second\n"
            f"  decoding the files each: {self.decoded:9,.1f} a second\n"
            f"  the cache is {self.ratio:,.0f} times as fast"
        )


def bench_data(name: str, seconds: float = 5.0) -> DataSpeed:
    """Measure for about ``seconds`` each way on the training split of the data set ``name``.

    Raises:
        CourseError: the set is absent, or does not lie in files (the embedded one).
    """
    cached = load_pairs(name, "train")
    files_of = source(name)
    if not isinstance(files_of, ImageFiles):
        raise CourseError(f"{name} has no files to decode; choose a set such as lol_v1.")
    files = {file.name: file for file in files_of.listing().files if file.split != "test"}
    decoded = Pairs(
        cached.title,
        cached.names,
        cached.scenes,
        ByOpenCV([files[name] for name in cached.names]),
    )
    speeds = []
    threads = torch.get_num_threads()
    # A crop is too small to share among threads, which would only wait for each other.
    torch.set_num_threads(1)
    for pairs in (cached, decoded):
        crops = RandomCrops(pairs, CROP, length=1_000_000, augment=False)
        items_per_second(crops, seconds / 10)  # not counted: the first reads fetch from the disk
        speeds.append(items_per_second(crops, seconds))
    torch.set_num_threads(threads)
    return DataSpeed(cached.title, *speeds)
