"""Lesson 06: the generator of the published GAN, after pix2pix (Isola et al., CVPR 2017).

    image                                                                 enhanced
      |  7x7                                              7x7, norm, tanh    ^
     64 @ 1/1 --------------------------------------------> concatenate, 64 -'
      |  3x3, stride 2                                           ^  x2, 1x1, dropout
    128 @ 1/2 --------------------------------------------> concatenate, 128
      |  3x3, stride 2                                           ^  x2, 1x1, dropout
    256 @ 1/4 --> six residual blocks of two 3x3 convolutions ---'

Batch norm and LeakyReLU follow each convolution of the encoder and the first of each block; batch
norm alone follows the second. Internally, images are in [-1, 1]. The discriminator is `patchgan`.
"""

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.models.network import Network, any_size


class Pix2Pix(Network):
    """Map ``(N, 3, H, W)`` in [0, 1] to the same; any size from 16x16 up.

    Args:
        width: channels at full resolution; the published network has 64.
        blocks: residual blocks at a quarter of the resolution.
        dropout: share of activations that the decoder drops in training.
    """

    multiple = 4

    def __init__(self, width: int = 64, blocks: int = 6, dropout: float = 0.5) -> None:
        super().__init__()
        self.full_size = nn.Sequential(*conv(3, width, 7), nn.LeakyReLU(0.2))
        self.half_size = nn.Sequential(*conv(width, 2 * width, 3, 2), nn.LeakyReLU(0.2))
        self.quarter_size = nn.Sequential(*conv(2 * width, 4 * width, 3, 2), nn.LeakyReLU(0.2))
        self.blocks = nn.Sequential(*(ResidualBlock(4 * width) for _ in range(blocks)))
        self.to_half = decoder_level(4 * width, 2 * width, dropout)
        self.to_full = decoder_level(4 * width, width, dropout)
        self.head = nn.Sequential(*conv(2 * width, 3, 7))

    @any_size
    def forward(self, low: torch.Tensor) -> torch.Tensor:
        full = self.full_size(2 * low - 1)
        half = self.half_size(full)
        x = self.blocks(self.quarter_size(half))
        x = torch.cat([self.to_half(F.interpolate(x, scale_factor=2)), half], dim=1)
        x = torch.cat([self.to_full(F.interpolate(x, scale_factor=2)), full], dim=1)
        return (torch.tanh(self.head(x)) + 1) / 2


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm around a shortcut (He et al., CVPR 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = conv(width, width, 3), conv(width, width, 3)
        self.path = nn.Sequential(*first, nn.LeakyReLU(0.2), *second)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.path(x)


def conv(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """Return a convolution and its batch norm."""
    # No bias: batch norm subtracts the mean.
    layer = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False)
    return [layer, nn.BatchNorm2d(channels_out)]


def decoder_level(channels_in: int, channels_out: int, dropout: float) -> nn.Sequential:
    """Return a 1x1 convolution with dropout, for upsampled features."""
    layer = nn.Conv2d(channels_in, channels_out, kernel_size=1)
    return nn.Sequential(layer, nn.LeakyReLU(0.2), nn.Dropout(dropout))
