"""Thumbnails of whole images, from which a network learns how bright a scene should be."""

import numpy as np
import torch
from torch.nn import functional as F

from llie_helpers.data.pairs import Pairs
from llie_helpers.images import to_float

SIDE = 64  # pixels, of a thumbnail; the aspect ratio is not kept
STORED = 128  # pixels, side of the copies kept in memory (0.4 MB per pair)
SMALLEST_PART = 80  # pixels of a stored copy, the least that a thumbnail zooms in on


class Thumbnails:
    """Thumbnails ``(low, normal)`` of pairs, each ``(3, 64, 64)`` in [0, 1].

    Half of the draws show the whole image, half a random part of at least 5/8 of each side, as
    augmentation.
    """

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs
        self._kept: dict[int, torch.Tensor] = {}

    def draw(self, which: int, draw: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the thumbnails of pair number ``which``, zoomed as ``draw`` decides."""
        both = self._stored(which)
        if draw.random() < 0.5:
            side = int(draw.integers(SMALLEST_PART, STORED))
            top, left = (int(place) for place in draw.integers(STORED - side + 1, size=2))
            both = both[..., top : top + side, left : left + side]
        low, normal = F.adaptive_avg_pool2d(both, SIDE)
        return low, normal

    def _stored(self, which: int) -> torch.Tensor:
        if which not in self._kept:
            # As floats: rounding to 8 bits would remove differences between means of dark pixels.
            images = (to_float(image) for image in self.pairs.raw(which))
            shrunk = [F.adaptive_avg_pool2d(image, STORED) for image in images]
            self._kept[which] = torch.stack(shrunk)
        return self._kept[which]
