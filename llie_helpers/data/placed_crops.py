"""Crops with their place in a thumbnail of the whole, for networks that decide by the whole."""

from typing import NamedTuple

import numpy as np
import torch

from llie_helpers.data.crops import RandomCrops, View
from llie_helpers.data.pairs import RawPair
from llie_helpers.images import thumbnail, to_float

SIDE = 64  # pixels, of a thumbnail; the aspect ratio is not kept
SMALLEST_PART = 0.6  # of each side of an image, the least that serves as the whole
TURN_PROB = 0.3  # an upside-down room is rare, and a network may use that light comes from above


class PlacedCrop(NamedTuple):
    """A crop of both images of a pair, thumbnails of both whole images, and the crop's place.

    Crops are ``(3, size, size)``, thumbnails ``(3, 64, 64)``, in [0, 1]; ``edges`` ``(4,)`` are
    those of a `Place`.
    """

    low: torch.Tensor
    normal: torch.Tensor
    whole_low: torch.Tensor
    whole_normal: torch.Tensor
    edges: torch.Tensor


class PlacedCrops(RandomCrops):
    """Random crops, each with a thumbnail of the image that it was cropped from.

    Half of the time the whole is the image, half of the time a random part of it, as augmentation.
    Images are flipped, and some are rotated. The brightness of targets is kept, because thumbnails
    teach which brightness photographers choose.

    Args: see `RandomCrops`.
    """

    def __getitem__(self, index: int) -> PlacedCrop:
        which, draw = self._draw(index)
        pair = self.pairs.raw(which)
        if self.augment:
            pair = self._augmented(pair, draw)
        rows, columns = self._window(which, pair[0], draw)
        corners = torch.tensor([rows.start, columns.start, rows.stop, columns.stop])
        edges = corners / torch.tensor([*pair[0].shape[:2]] * 2)
        whole = View(*(thumbnail(to_float(image), SIDE) for image in pair))
        crop, whole = self._relight([self._view(pair, rows, columns), whole], draw)
        return PlacedCrop(*crop, *whole, edges)

    def _augmented(self, pair: RawPair, draw: np.random.Generator) -> RawPair:
        """Return views of the pair, flipped, rotated and cropped to a part at random."""
        low, normal = pair
        if draw.random() < TURN_PROB:
            turns = int(draw.integers(4))
            low, normal = np.rot90(low, turns), np.rot90(normal, turns)
        if draw.random() < 0.5:
            low, normal = low[:, ::-1], normal[:, ::-1]
        if draw.random() < 0.5:
            share = draw.uniform(SMALLEST_PART, 1)
            part = []
            for side in low.shape[:2]:
                length = min(side, max(round(share * side), self.size))
                start = int(draw.integers(side - length + 1))
                part.append(slice(start, start + length))
            low, normal = low[tuple(part)], normal[tuple(part)]
        return low, normal
