"""Datasets for PyTorch's DataLoader: random crops to train on, whole images to validate on."""

import time
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from llie_helpers.data.augment import augment_pair, brightness, lerp_log
from llie_helpers.data.pairs import Pairs
from llie_helpers.data.thumbnails import Thumbnails
from llie_helpers.errors import CourseError
from llie_helpers.images import to_float

# Gains of targets that serve as bright inputs, drawn uniformly on a logarithmic scale.
LOWEST_GAIN, HIGHEST_GAIN = 0.6, 1.3


class View(NamedTuple):
    """One window, or thumbnail, of both images of a pair, each ``(3, H, W)`` in [0, 1]."""

    low: torch.Tensor
    normal: torch.Tensor


class CropInWhole(NamedTuple):
    """A crop of both images of a pair, and a thumbnail of each whole image."""

    low: torch.Tensor
    normal: torch.Tensor
    whole_low: torch.Tensor
    whole_normal: torch.Tensor


class RandomCrops(Dataset[View | CropInWhole]):
    """``length`` random crops per epoch, each ``(low, normal)`` of ``(3, size, size)``.

    Pair and position of a crop depend only on ``seed``, the epoch and the crop's index, so a run
    is reproducible with any number of workers. Call `set_epoch` before each epoch to get new
    crops.

    Args:
        pairs: images to crop; from the cache a crop costs microseconds.
        size: height and width of a crop in pixels.
        length: crops in one epoch.
        seed: seed of the crops.
        augment: flip, rotate and change the brightness of a pair; see `augment_pair`.
        gain_jitter: multiply each low image, and not its target, by a gain between
            1/gain_jitter and gain_jitter.
        brighten_prob: share of low images that are moved towards their targets, so that the
            network also sees photographs that are not dark. A third of them are replaced by
            the target, both with the same random gain, so that it learns to leave bright
            images alone.
        thumbnails: return `CropInWhole`, with `Thumbnails` of both whole images that are
            augmented like the crop. Targets then keep their brightness, because thumbnails
            teach which brightness photographers choose.

    Raises:
        CourseError: there are no pairs, or an image is smaller than a crop.
    """

    def __init__(
        self,
        pairs: Pairs,
        size: int,
        length: int,
        seed: int = 0,
        augment: bool = True,
        gain_jitter: float = 1.0,
        brighten_prob: float = 0.0,
        thumbnails: bool = False,
    ) -> None:
        if len(pairs) == 0:
            raise CourseError(f"{pairs.title} has no pairs to crop; check the data set and split.")
        self.pairs = pairs
        self.size = size
        self.length = length
        self.seed = seed
        self.augment = augment
        self.gain_jitter = gain_jitter
        self.brighten_prob = brighten_prob
        self.thumbnails = Thumbnails(pairs) if thumbnails else None
        # In shared memory, so that workers that outlive an epoch see the next one.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Choose the crops of ``epoch``; the same epoch always gives the same crops."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> View | CropInWhole:
        if not 0 <= index < self.length:
            raise IndexError(index)
        draw = np.random.default_rng((self.seed, int(self._epoch), index))
        which = int(draw.integers(len(self.pairs)))
        views = [self._crop(which, draw)]
        if self.thumbnails is not None:
            views.append(View(*self.thumbnails.draw(which, draw)))
        views = self._change(views, draw)
        return views[0] if len(views) == 1 else CropInWhole(*views[0], *views[1])

    def _change(self, views: list[View], draw: np.random.Generator) -> list[View]:
        """Apply the same random augmentation to all views of one pair."""
        if self.augment:
            seed = int(draw.integers(2**63))
            # Generators with the same seed make the same change.
            views = [
                View(
                    *augment_pair(
                        *view, torch.Generator().manual_seed(seed), gains=self.thumbnails is None
                    )
                )
                for view in views
            ]
        if self.gain_jitter != 1:
            gain = self.gain_jitter ** draw.uniform(-1, 1)
            views = [View(brightness(low, gain), normal) for low, normal in views]
        if draw.random() < self.brighten_prob:
            share = 1.5 * draw.random()
            if share > 1:
                gain = LOWEST_GAIN * (HIGHEST_GAIN / LOWEST_GAIN) ** draw.random()
                targets = [brightness(normal, gain) for _, normal in views]
                views = [View(target, target) for target in targets]
            else:
                views = [View(lerp_log(low, normal, share), normal) for low, normal in views]
        return views

    def _crop(self, which: int, draw: np.random.Generator) -> View:
        low, normal = self.pairs.raw(which)
        height, width, _ = low.shape
        if min(height, width) < self.size:
            raise CourseError(
                f"{self.pairs.names[which]} of {self.pairs.title} is {width}x{height}, too small "
                f"for a crop of {self.size}x{self.size}; choose smaller crops or larger images."
            )
        top = int(draw.integers(height - self.size + 1))
        left = int(draw.integers(width - self.size + 1))
        # Crop before the conversion to float, which takes time and memory.
        window = np.s_[top : top + self.size, left : left + self.size]
        return View(to_float(low[window]), to_float(normal[window]))


class WholeImages(Dataset[View]):
    """Whole images of all pairs, in order: ``(low, normal)``, each ``(3, H, W)``, of any size."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> View:
        low, normal = self.pairs.raw(index)
        return View(to_float(low), to_float(normal))


def items_per_second(dataset: RandomCrops | WholeImages, seconds: float = 2.0) -> float:
    """Measure how many items per second a data set yields, for about ``seconds``."""
    fetched, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        dataset[fetched % len(dataset)]
        fetched += 1
    return fetched / elapsed
