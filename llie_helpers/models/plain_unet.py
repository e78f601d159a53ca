"""Lesson 04: a standard U-Net with about as many parameters as the published one.

Two 3x3 convolutions at each of four levels on both sides, 2x2 max-pooling down, 2x2
transposed convolutions up, and skip connections from before the pooling (Ronneberger, Fischer and
Brox, MICCAI 2015; here with padding, so that the size stays the same).
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.models.network import Network, any_size


class PlainUNet(Network):
    """Map ``(N, 3, H, W)`` in [0, 1] to the same; any size from 16x16 up.

    Args:
        widths: channels at full resolution, at half of it, and so on.
    """

    def __init__(self, widths: tuple[int, ...] = (22, 44, 88, 176)) -> None:
        super().__init__()
        steps = list(pairwise(widths))
        self.multiple = 2 ** len(steps)
        self.encoder = nn.ModuleList(double_conv(a, b) for a, b in pairwise((3, *widths)))
        self.up = nn.ModuleList(Up(coarse, fine) for fine, coarse in steps)
        self.head = nn.Conv2d(widths[0], 3, kernel_size=1)
        # As in the paper; with PyTorch's default the signal vanishes in so many layers.
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    @any_size
    def forward(self, low: torch.Tensor) -> torch.Tensor:
        x, skips = self.encoder[0](low), []
        for encode in self.encoder[1:]:
            skips.append(x)
            x = encode(F.max_pool2d(x, kernel_size=2))
        for up in reversed(self.up):
            x = up(x, skips.pop())
        return torch.sigmoid(self.head(x))


class Up(nn.Module):
    """Double the size of ``x`` and combine it with the encoder's features, ``skip``."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(channels_in, channels_out, kernel_size=2, stride=2)
        self.mix = double_conv(2 * channels_out, channels_out)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return self.mix(torch.cat([skip, self.enlarge(x)], dim=1))


def double_conv(channels_in: int, channels_out: int) -> nn.Sequential:
    """Return the two 3x3 convolutions of a level."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels_out, channels_out, kernel_size=3, padding=1),
        nn.ReLU(),
    )
