"""Lesson 06: the discriminator, which classifies each patch of a pair (Isola et al., CVPR 2017).

    input and target, 6 @ 1/1
      -> 64 @ 1/2 -> 128 @ 1/4 -> 256 @ 1/8 -> 512 @ 1/16    4x4, stride 2
      -> 512 -> 1                                            4x4, stride 1

LeakyReLU follows every layer but the last, batch norm every layer but the first and the last. The
receptive field of a logit is 142x142 pixels; in the paper, with one layer of stride 2 less, 70x70.
"""

from collections.abc import Sequence

import torch
from torch import nn

from llie_helpers.errors import CourseError

STRIDES = (2, 2, 2, 2, 1, 1)
SMALLEST = 48  # pixels, which the layers reduce to one logit


class PatchGAN(nn.Module):
    """Classify each patch of a pair as real or fake: ``(low, image) -> (N, 1, h, w)`` logits.

    ``low`` and ``image``, the target or the generator's output, are ``(N, 3, H, W)`` in
    [0, 1] and at least 48x48.

    Args:
        width: channels of the first layer; the published network has 64.

    Raises:
        CourseError: the images are smaller.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        channels = (6, width, 2 * width, 4 * width, 8 * width, 8 * width, 1)
        self.layers = patch_layers(channels, STRIDES)

    def forward(self, low: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        height, width = low.shape[-2:]
        if min(height, width) < SMALLEST:
            raise CourseError(
                f"The PatchGAN needs images of at least {SMALLEST}x{SMALLEST} pixels, but got "
                f"{width}x{height}; choose larger crops."
            )
        return self.layers(2 * torch.cat([low, image], dim=1) - 1)


def patch_layers(channels: Sequence[int], strides: Sequence[int]) -> nn.Sequential:
    """Return 4x4 convolutions that lead through ``channels``, one for each of ``strides``."""
    layers: list[nn.Module] = []
    last = len(strides) - 1
    for i, stride in enumerate(strides):
        normed = 0 < i < last
        # No bias before batch norm, which subtracts the mean.
        layers.append(
            nn.Conv2d(channels[i], channels[i + 1], 4, stride, padding=1, bias=not normed)
        )
        if normed:
            layers.append(nn.BatchNorm2d(channels[i + 1]))
        if i < last:
            layers.append(nn.LeakyReLU(0.2))
    return nn.Sequential(*layers)
