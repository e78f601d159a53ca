"""The published system behind lesson 03: a U-Net of residual and attention blocks.

Built from the description in its notebook, to be trained under its own protocol (128x128, see
`reruns`). Five levels of 1, 2, 4, 8 and 16 times ``width`` filters.
"""

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.models.network import Network, Objective, any_size


class ResidualAttentionUNet(Network):
    """Map ``(N, 3, H, W)`` in [0, 1] to the same; any size from 16x16 up.

    Args:
        width: filters of the first level; the published system has 64.
        dropout: share of activations that residual blocks drop in training.
    """

    multiple = 16

    def __init__(self, width: int = 64, dropout: float = 0.3):
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.encoder, self.down, self.decoder = (nn.ModuleList() for _ in range(3))
        channels = 3
        for w in widths:
            self.encoder.append(encoder_level(channels, w, dropout))
            self.down.append(nn.Conv2d(w, w, kernel_size=2, stride=2))
            channels = w
        self.bottleneck = encoder_level(channels, 16 * width, dropout)
        channels = 16 * width
        for w in reversed(widths):
            self.decoder.append(
                nn.Sequential(conv_relu(channels + w, w), ResidualBlock(w, dropout))
            )
            channels = w
        self.head = nn.Conv2d(width, 3, kernel_size=1)

    @any_size
    def forward(self, low: torch.Tensor) -> torch.Tensor:
        x, levels = low, []
        for level, down in zip(self.encoder, self.down, strict=True):
            levels.append(level(x))
            x = down(levels[-1])
        x = self.bottleneck(x)
        for level in self.decoder:
            x = level(torch.cat([F.interpolate(x, scale_factor=2), levels.pop()], dim=1))
        return torch.sigmoid(self.head(x))

    def objective(self, **options) -> Objective:
        return DecayedBlocks(self, **options)


class DecayedBlocks(Objective):
    """Weight decay for the convolutions of residual blocks only, as published."""

    def parameter_groups(self) -> list[dict]:
        """Return the convolutions of residual blocks as a group.

        Their penalty is 1e-4 times the sum of squared weights, whose gradient is that of a weight
        decay of 2e-4.
        """
        decayed = [
            module.weight
            for block in self.network.modules()
            if isinstance(block, ResidualBlock)
            for module in block.modules()
            if isinstance(module, nn.Conv2d)
        ]
        chosen = {id(weight) for weight in decayed}
        others = [weight for weight in self.network.parameters() if id(weight) not in chosen]
        return [
            {"params": decayed, "weight_decay": 2e-4},
            {"params": others, "weight_decay": 0.0},
        ]


class ResidualBlock(nn.Module):
    """Three 3x3 convolutions with batch norm around a shortcut (He et al., CVPR 2016)."""

    def __init__(self, width: int, dropout: float):
        super().__init__()
        layers = []
        for last in (False, False, True):
            layers += [nn.Conv2d(width, width, kernel_size=3, padding=1), batch_norm(width)]
            if not last:
                layers += [nn.ReLU(), nn.Dropout(dropout)]
        self.path = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.path(x)


class AttentionBlock(nn.Module):
    """Weights for each channel and pixel, from a softmax over channels of f * g."""

    def __init__(self, width: int):
        super().__init__()
        narrow = max(1, width // 8)
        self.f, self.g = norm_relu(width, narrow), norm_relu(width, narrow)
        self.h = norm_relu(width, width)
        self.widen = nn.Conv2d(narrow, width, kernel_size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        attention = torch.softmax(self.f(x) * self.g(x), dim=1)
        return x + self.widen(attention) * self.h(x)


def encoder_level(channels: int, width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        conv_relu(channels, width), ResidualBlock(width, dropout), AttentionBlock(width)
    )


def conv_relu(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU())


def norm_relu(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, width, kernel_size=1), batch_norm(width), nn.ReLU())


def batch_norm(width: int) -> nn.BatchNorm2d:
    # The defaults of Keras, in which the system was written; torch's are 1e-5 and 0.1.
    return nn.BatchNorm2d(width, eps=1e-3, momentum=0.01)
