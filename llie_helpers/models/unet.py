"""Lesson 04: the published U-Net, whose skip connections start after the max-pooling.

    image                                                              enhanced
      |                                                                   ^  conv 3, sigmoid
      v                                                                   |
     32, 32 @ 1/1          .--- conv 192, transposed conv 192, x2 --> concatenate
      |  max-pool          |                                              ^  x2
      v                    |                                              |
    down1 @ 1/2 -----------'                                              |
     64, 64 @ 1/2          .--- conv 128, transposed conv 128, x2 --> concatenate
      |  max-pool          |                                              ^  x2
      v                    |                                              |
    down2 @ 1/4 -----------'                                              |
    128, 128 @ 1/4 -------------------------------------------------------'

Every convolution is 3x3 and keeps the size; ReLU follows all but the last. The decoder has no
convolutions of its own, and no full-resolution features reach the output, because the skip
connections carry `down1` and `down2`, which are already pooled. A standard U-Net (Ronneberger,
Fischer and Brox, MICCAI 2015; here `plain_unet`) takes them from before the pooling.
"""

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.models.network import Network, any_size


class UNet(Network):
    """Map ``(N, 3, H, W)`` in [0, 1] to the same; any size from 16x16 up.

    Args:
        width: channels of the first two convolutions; all others are multiples of it.
    """

    multiple = 4

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.full_size = nn.Sequential(conv(3, width), conv(width, width))
        self.half_size = nn.Sequential(conv(width, 2 * width), conv(2 * width, 2 * width))
        self.quarter_size = nn.Sequential(conv(2 * width, 4 * width), conv(4 * width, 4 * width))
        self.skip1 = skip(width, 6 * width)
        self.skip2 = skip(2 * width, 4 * width)
        self.head = nn.Conv2d((4 + 4 + 6) * width, 3, kernel_size=3, padding=1)

    @any_size
    def forward(self, low: torch.Tensor) -> torch.Tensor:
        down1 = F.max_pool2d(self.full_size(low), kernel_size=2)
        down2 = F.max_pool2d(self.half_size(down1), kernel_size=2)
        x = self.quarter_size(down2)
        x = torch.cat([F.interpolate(x, scale_factor=2), self.skip2(down2)], dim=1)
        x = torch.cat([F.interpolate(x, scale_factor=2), self.skip1(down1)], dim=1)
        return torch.sigmoid(self.head(x))


def conv(channels_in: int, channels_out: int) -> nn.Sequential:
    """Return one 3x3 convolution with ReLU."""
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1), nn.ReLU())


def skip(channels_in: int, channels_out: int) -> nn.Sequential:
    """Return a convolution, then a transposed one that doubles height and width."""
    double = nn.ConvTranspose2d(
        channels_out, channels_out, kernel_size=3, stride=2, padding=1, output_padding=1
    )
    return nn.Sequential(conv(channels_in, channels_out), double, nn.ReLU())
