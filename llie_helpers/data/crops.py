"""Datasets for PyTorch's DataLoader: random crops to train on, whole images to validate on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from llie_helpers.data.augment import augment_pair, brightness, lerp_log
from llie_helpers.data.pairs import Pairs, RawPair
from llie_helpers.errors import CourseError, check_seed
from llie_helpers.images import to_float

# Of the low images that `brighten_prob` changes: the share that is replaced by the target, and the
# gains of these, drawn uniformly on a logarithmic scale.
REPLACED_SHARE = 0.25
LOWEST_GAIN, HIGHEST_GAIN = 0.9, 1.3
# Of the crops, where there are `scales`; the others show noise and detail as the camera left them.
RESIZED_SHARE = 0.5


class View(NamedTuple):
    """One window, or thumbnail, of both images of a pair, each ``(3, H, W)`` in [0, 1]."""

    low: torch.Tensor
    normal: torch.Tensor


@dataclass(eq=False)
class RandomCrops(Dataset[tuple[torch.Tensor, ...]]):
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
            1/gain_jitter and gain_jitter, unless it is about as bright as its target.
        brighten_prob: share of low images that are moved towards their targets, so that the
            network also sees photographs that are not dark. A quarter of them are replaced by
            the target, both with the same random gain, so that it learns to leave bright
            images alone.
        scales: lowest and highest factor by which half of the crops are resized, so that the
            network sees noise and detail of several sizes; (1, 1) resizes none.

    Raises:
        CourseError: there are no pairs, no crop is asked for, an image is smaller than a crop, or
            the seed is invalid.
    """

    pairs: Pairs
    size: int
    length: int
    seed: int = 0
    augment: bool = True
    gain_jitter: float = 1.0
    brighten_prob: float = 0.0
    scales: Sequence[float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        if len(self.pairs) == 0:
            raise CourseError(
                f"{self.pairs.title} has no pairs to crop; check the data set and split."
            )
        if min(self.size, self.length) < 1:
            raise CourseError(
                f"{self.length} crops of {self.size}x{self.size} pixels cannot be drawn; ask for "
                "at least one, of at least one pixel."
            )
        self.seed = check_seed(self.seed)
        # In shared memory, so that workers that outlive an epoch see the next one.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Choose the crops of ``epoch``; the same epoch always gives the same crops."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        which, draw = self._draw(index)
        pair = self.pairs.raw(which)
        view = self._view(pair, *self._window(which, pair[0], draw))
        if self.augment:
            generator = torch.Generator().manual_seed(int(draw.integers(2**63)))
            view = View(*augment_pair(*view, generator))
        return self._relight([view], draw)[0]

    def _draw(self, index: int) -> tuple[int, np.random.Generator]:
        """Return the number of the pair of crop ``index``, and the generator of all else."""
        if not 0 <= index < self.length:
            raise IndexError(index)
        draw = np.random.default_rng((self.seed, int(self._epoch), index))
        return int(draw.integers(len(self.pairs))), draw

    def _window(
        self, which: int, image: np.ndarray, draw: np.random.Generator
    ) -> tuple[slice, slice]:
        """Draw the rows and columns of a crop of an image of pair ``which``."""
        height, width, _ = image.shape
        if min(height, width) < self.size:
            height, width, _ = self.pairs.raw(which)[0].shape  # before augmentation
            raise CourseError(
                f"{self.pairs.names[which]} of {self.pairs.title} is {width}x{height}, too small "
                f"for a crop of {self.size}x{self.size}; choose smaller crops or larger images."
            )
        side = self.size
        if tuple(self.scales) != (1, 1) and draw.random() < RESIZED_SHARE:
            low, high = map(math.log, self.scales)
            scale = math.exp(draw.uniform(low, high))
            side = min(round(side / scale), height, width)
        top = int(draw.integers(height - side + 1))
        left = int(draw.integers(width - side + 1))
        return slice(top, top + side), slice(left, left + side)

    def _view(self, pair: RawPair, rows: slice, columns: slice) -> View:
        """Crop both images, and resize the crops where the window has another size."""
        # Crop before the conversion to float, which takes time and memory.
        crops = [image[rows, columns] for image in pair]
        if rows.stop - rows.start != self.size:
            shrinks = rows.stop - rows.start > self.size
            how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            size = (self.size, self.size)
            crops = [cv2.resize(crop, size, interpolation=how) for crop in crops]
        return View(*map(to_float, crops))

    def _relight(self, views: list[View], draw: np.random.Generator) -> list[View]:
        """Change the light of all views of one pair alike, as the last of them asks for."""
        if self.gain_jitter != 1:
            gain = self.gain_jitter ** draw.uniform(-1, 1)
            low, normal = views[-1]
            # Otherwise, images that need no change would get targets that are brighter or darker.
            if self.gain_jitter * low.mean() < normal.mean():
                views = [View(brightness(low, gain), normal) for low, normal in views]
        if draw.random() < self.brighten_prob:
            share = draw.random() / (1 - REPLACED_SHARE)
            if share > 1:
                gain = LOWEST_GAIN * (HIGHEST_GAIN / LOWEST_GAIN) ** draw.random()
                targets = [brightness(normal, gain) for _, normal in views]
                views = [View(target, target) for target in targets]
            else:
                views = [View(lerp_log(low, normal, share), normal) for low, normal in views]
        return views


class WholeImages(Dataset[View]):
    """Whole images of all pairs, in order: ``(low, normal)``, each ``(3, H, W)``, of any size."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> View:
        low, normal = self.pairs.raw(index)
        return View(to_float(low), to_float(normal))
