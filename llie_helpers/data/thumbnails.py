"""Whole images as thumbnails: how bright a scene should be is seen in the whole of it."""

import numpy as np
import torch
from torch.nn import functional as F

from llie_helpers.data.pairs import Pairs
from llie_helpers.images import to_float

SIDE = 64  # of a thumbnail, in pixels, whatever the image's shape
STORED = 128  # of what is kept in memory, 0.4 MB a pair; a thumbnail may zoom in on a part
SMALLEST_PART = 80  # stored pixels that a thumbnail zooms in on, at least


class Thumbnails:
    """Thumbnails ``(low, normal)`` of pairs, each ``(3, 64, 64)`` in [0, 1].

    Half of the draws see the whole image, half a part of at least 5/8 of each side, so that
    there is more to see than there are photographs.
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
            # As floats: rounded to 8 bits again, means of dark pixels would all be alike.
            images = (to_float(image) for image in self.pairs.raw(which))
            shrunk = [F.adaptive_avg_pool2d(image, STORED) for image in images]
            self._kept[which] = torch.stack(shrunk)
        return self._kept[which]
