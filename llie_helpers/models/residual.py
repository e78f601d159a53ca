"""Lesson 05: a residual CNN at full resolution, built of two-path modules.

    image -> preprocessing -> module -> + -> module -> + -> ... -> conv 3, sigmoid
                          '-------------'----------------'

    module:    .--- 1x1 -------------.                .-----------------.
           x --|                     + -- ReLU -- y --|                 + -- ReLU -->
               '--- 3x3, ReLU, 3x3 --'                '- 3x3, ReLU, 3x3 '

The second half is the block of He et al. (CVPR 2016); the first is their projection shortcut. With
``batch_norm``, batch norm (Ioffe and Szegedy, ICML 2015) follows each convolution but the last.
"""

import torch
from torch import nn

from llie_helpers.models.network import Network, any_size


class Residual(Network):
    """Map ``(N, 3, H, W)`` in [0, 1] to the same; any size from 16x16 up.

    Args:
        width: channels of every convolution but the last.
        modules: number of two-path modules in series.
        batch_norm: whether batch norm follows each convolution.
    """

    def __init__(self, width: int = 32, modules: int = 4, batch_norm: bool = True) -> None:
        super().__init__()
        self.preprocess = nn.Sequential(*conv(3, width, 3, batch_norm), nn.ReLU())
        self.series = nn.ModuleList(TwoPath(width, batch_norm) for _ in range(modules))
        self.head = nn.Conv2d(width, 3, kernel_size=3, padding=1)

    @any_size
    def forward(self, low: torch.Tensor) -> torch.Tensor:
        x = self.preprocess(low)
        for module in self.series:
            x = x + module(x)
        return torch.sigmoid(self.head(x))


class TwoPath(nn.Module):
    """A 1x1 path beside two 3x3 convolutions, then two 3x3 convolutions with a shortcut."""

    def __init__(self, width: int, batch_norm: bool) -> None:
        super().__init__()
        self.short = nn.Sequential(*conv(width, width, 1, batch_norm))
        self.long = two(width, batch_norm)
        self.refine = two(width, batch_norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.short(x) + self.long(x))
        return torch.relu(y + self.refine(y))


def two(width: int, batch_norm: bool) -> nn.Sequential:
    """Return two 3x3 convolutions, with ReLU between them."""
    first, second = (conv(width, width, 3, batch_norm) for _ in range(2))
    return nn.Sequential(*first, nn.ReLU(), *second)


def conv(channels_in: int, channels_out: int, kernel: int, batch_norm: bool) -> list[nn.Module]:
    """Return a convolution that keeps the size, and its batch norm if any."""
    # No bias: batch norm subtracts the mean.
    layer = nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=not batch_norm)
    return [layer, nn.BatchNorm2d(channels_out)] if batch_norm else [layer]
