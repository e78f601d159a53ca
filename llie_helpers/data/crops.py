"""Datasets for PyTorch's DataLoader: random crops to train on, whole images to validate on."""

import time

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import Dataset

from ..errors import CourseError
from ..images import to_float
from .augment import augment_pair
from .pairs import Pairs

Batch = tuple[torch.Tensor, torch.Tensor]


class RandomCrops(Dataset):
    """``length`` random crops per epoch, each ``(low, normal)`` of ``(3, size, size)``.

    Every crop is drawn from a random pair, at a random place, from ``seed``, the epoch
    and its index alone: a run can be repeated whatever the number of workers. Call
    `set_epoch` before each epoch to get new crops.

    Args:
        pairs: images to crop; from the cache a crop costs microseconds.
        size: height and width of a crop in pixels.
        length: crops in one epoch.
        seed: first of the three numbers that decide on a crop.
        augment: flip, rotate and change the brightness of a pair; see `augment_pair`.
        whole: share of the crops that are whole images instead, shrunk to that size. How
            bright a scene should be is seen in the whole of it, noise in a crop.

    Raises:
        CourseError: there are no pairs or, when a crop is drawn, an image is too small.
    """

    def __init__(
        self,
        pairs: Pairs,
        size: int,
        length: int,
        seed: int = 0,
        augment: bool = True,
        whole: float = 0.0,
    ):
        if len(pairs) == 0:
            raise CourseError(f"{pairs.title} has no pairs to crop; check the data set and split.")
        self.pairs = pairs
        self.size = size
        self.length = length
        self.seed = seed
        self.augment = augment
        self.whole = whole
        # In shared memory, so that workers that outlive an epoch see the next one.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Choose the crops of ``epoch``; the same epoch always gives the same crops."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Batch:
        if not 0 <= index < self.length:
            raise IndexError(index)
        draw = np.random.default_rng((self.seed, int(self._epoch), index))
        which = int(draw.integers(len(self.pairs)))
        low, normal = self.pairs.raw(which)
        height, width, _ = low.shape
        if min(height, width) < self.size:
            raise CourseError(
                f"{self.pairs.names[which]} of {self.pairs.title} is {width}x{height}, too small "
                f"for a crop of {self.size}x{self.size}; choose smaller crops or larger images."
            )
        if self.whole and draw.random() < self.whole:
            # As floats: rounded to 8 bits again, means of dark pixels would all be alike.
            images = to_float(low), to_float(normal)
            crops = tuple(F.adaptive_avg_pool2d(image, self.size) for image in images)
        else:
            top = int(draw.integers(height - self.size + 1))
            left = int(draw.integers(width - self.size + 1))
            # Crop the bytes first: only what is kept becomes float.
            window = np.s_[top : top + self.size, left : left + self.size]
            crops = to_float(low[window]), to_float(normal[window])
        if not self.augment:
            return crops
        return augment_pair(*crops, torch.Generator().manual_seed(int(draw.integers(2**63))))


class WholeImages(Dataset):
    """Every pair whole, in order, as ``(low, normal)`` of ``(3, H, W)``; sizes may differ."""

    def __init__(self, pairs: Pairs):
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Batch:
        low, normal, _, _ = self.pairs[index]
        return low, normal


def items_per_second(dataset: Dataset, seconds: float = 2.0) -> float:
    """Fetch items one after the other for about ``seconds``; return how many a second."""
    fetched, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        dataset[fetched % len(dataset)]
        fetched += 1
    return fetched / elapsed
