"""Lesson 03: an encoder-decoder CNN with additive connections, trained on MSE alone.

     image                                                        enhanced
       |  stem                                              head     ^
    12 @ 1/1  ------------------------ + -------------------------> 12
       |  stride 2                                              x2   ^
    24 @ 1/2  ------------------------ + -------------------------> 24
       |                                                             ^
    48 @ 1/4  ------------------------ + -------------------------> 48
       |                                                             ^
    96 @ 1/8  ------------------------ + -------------------------> 96
       |                                                             ^
   128 @ 1/16 ------------------- middle, + -------------------------'

Each arrow is one 3x3 convolution with ReLU; "+" adds the encoder's features to the
decoder's, like the shortcuts of ResNet (He et al., CVPR 2016) and, between encoder and decoder, of
LinkNet (Chaurasia and Culurciello, 2017). At least half of the computation is done at reduced
resolution, where convolutions are cheap and receptive fields are large.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.models.network import Network, any_size


class MSECNN(Network):
    """Map ``(N, 3, H, W)`` in [0, 1] to the same; any size from 16x16 up.

    Args:
        widths: channels at full resolution, at half of it, and so on.
    """

    def __init__(self, widths: tuple[int, ...] = (12, 24, 48, 96, 128)) -> None:
        super().__init__()
        steps = list(pairwise(widths))
        self.multiple = 2 ** len(steps)
        self.stem = conv(3, widths[0])
        self.down = nn.ModuleList(conv(fine, coarse, stride=2) for fine, coarse in steps)
        self.middle = conv(widths[-1], widths[-1])
        self.up = nn.ModuleList(conv(coarse, fine) for fine, coarse in steps)
        self.head = nn.Conv2d(widths[0], 3, kernel_size=3, padding=1)

    @any_size
    def forward(self, low: torch.Tensor) -> torch.Tensor:
        levels = [self.stem(low)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        x = x + self.middle(x)
        for up in reversed(self.up):
            x = levels.pop() + F.interpolate(up(x), scale_factor=2, mode="bilinear")
        return torch.sigmoid(self.head(x))


def conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """Return one 3x3 convolution with ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size=3, stride=stride, padding=1), nn.ReLU()
    )
