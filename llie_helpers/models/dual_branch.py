"""Lesson 07: a dual-branch network for any resolution, with fewer parameters than the published.

    image --.-- thumbnail --> gain and gamma of each channel
            |                           |
            '----------------------> exposed image --.------ 4x4 means --------------(+)--> out
            |                                        |------ details x gate ----------|
            '-- 1/4 size, 96 channels <--------------'                |              |
                     |                                                |              |
                   blocks of 32 ----------------------(+)-- blocks of 32 -- painted -'
                     '-- 1/8 size: blocks of 64 -- x2 --'

    a block:       .-- half the channels: 3x3 convolution --------------------.
               x --|                                                          |-- mix --(+ x)-->
                   '-- the other half: Fourier amplitude, 1x1 convolutions ---'

Light first, because most of the error is light: a small network sees the whole image as a
thumbnail and sets its exposure. Then noise: the output starts from means over 4x4 pixels,
which have little of it, and the blocks decide which details to let pass and which to paint.
"""

from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from .padding import padded


class DualBranch(nn.Module):
    """Map ``(N, 3, H, W)`` in [0, 1] to the same; any size from 16x16 up.

    Args:
        width: channels at a quarter of the size; twice as many at an eighth.
        blocks: how many of them in each of the three places.
    """

    def __init__(self, width: int = 32, blocks: int = 3):
        super().__init__()
        self.judge = ExposureJudge()
        self.enter = nn.Conv2d(2 * 3 * 16, width, kernel_size=1)
        self.first = nn.Sequential(*(DualBlock(width) for _ in range(blocks)))
        self.down = nn.Conv2d(width, 2 * width, kernel_size=2, stride=2)
        self.deep = nn.Sequential(*(DualBlock(2 * width) for _ in range(blocks)))
        self.up = nn.Conv2d(2 * width, 4 * width, kernel_size=1)
        self.last = nn.Sequential(*(DualBlock(width) for _ in range(blocks)))
        self.leave = nn.Conv2d(width, 4 * 16, kernel_size=1)

    def forward(self, low: torch.Tensor, whole: torch.Tensor | None = None) -> torch.Tensor:
        """Enhance ``low``; where it is a crop, ``whole`` is the image that sets its exposure."""
        logs = self.judge(low if whole is None else whole)
        enhanced = padded(partial(self.enhance, logs=logs), low, multiple=8)
        return enhanced if self.training else enhanced.clamp(0, 1)

    def expose(self, low: torch.Tensor) -> torch.Tensor:
        """The exposure alone, without the rest."""
        return exposed(low, self.judge(low))

    def enhance(self, low: torch.Tensor, logs: torch.Tensor) -> torch.Tensor:
        light = exposed(low, logs)
        both = torch.cat([light, low.clamp_min(1e-3).log() / 4 + 1], dim=1)
        x = self.first(self.enter(F.pixel_unshuffle(both, 4)))
        deep = self.deep(self.down(x))
        x = self.last(x + F.pixel_shuffle(self.up(deep), 2))
        painted, gate = F.pixel_shuffle(self.leave(x), 4).split((3, 1), dim=1)
        # Start without the noise: detail is what the gate lets pass, or what is painted.
        smooth = F.interpolate(F.avg_pool2d(light, 4), scale_factor=4, mode="bilinear")
        return smooth + (gate - 2).sigmoid() * (light - smooth) + painted


def exposed(image: torch.Tensor, logs: torch.Tensor) -> torch.Tensor:
    """``gain * image ** gamma`` in [0, 1]; ``logs`` (N, 6) are of three gains and three gammas."""
    gain, gamma = logs.exp()[..., None, None].chunk(2, dim=1)
    return (gain * (image + 1e-3) ** gamma).clamp(0, 1)


class ExposureJudge(nn.Module):
    """Decide on gain and gamma of each channel from a thumbnail of the whole image."""

    SIDE = 64

    def __init__(self, width: int = 16):
        super().__init__()
        widths = (6, width, width, 2 * width, 2 * width)
        self.look = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, kernel_size=3, stride=2, padding=1), nn.GELU())
                for a, b in pairwise(widths)
            )
        )
        self.dropout = nn.Dropout(0.3)
        self.decide = nn.Linear(4 * width, 6)
        nn.init.zeros_(self.decide.weight)
        # LOL's usual correction is a fair start.
        self.decide.bias.data = torch.tensor([1.5, 1.5, 1.5, -0.3, -0.3, -0.3])

    def forward(self, whole: torch.Tensor) -> torch.Tensor:
        """Logarithms of three gains and three exponents, ``(N, 6)``."""
        tones = (F.adaptive_avg_pool2d(whole, self.SIDE) + 0.01).log()
        mean = tones.mean(dim=(2, 3), keepdim=True)
        seen = self.look(torch.cat([tones / 1.5 + 2, tones - mean], dim=1))
        summary = torch.cat([seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3))], dim=1)
        return self.decide(self.dropout(summary))


class DualBlock(nn.Module):
    """Half the channels through space, half through frequency, then mixed by a gate."""

    def __init__(self, width: int):
        super().__init__()
        half = width // 2
        self.norm = nn.GroupNorm(1, width)
        self.space = nn.Conv2d(half, half, kernel_size=3, padding=1, groups=half)
        self.gate = nn.Sequential(
            nn.Conv2d(half, half // 2, kernel_size=1),
            nn.GELU(),
            nn.Conv2d(half // 2, half, kernel_size=1),
        )
        self.mix = nn.Conv2d(width, 2 * width, kernel_size=1)
        self.attend = nn.Conv2d(width, width, kernel_size=1)
        self.project = nn.Conv2d(width, width, kernel_size=1)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        near, far = self.norm(x).chunk(2, dim=1)
        both = torch.cat([self.space(near), self.frequency(far)], dim=1)
        a, b = self.mix(both).chunk(2, dim=1)
        y = a * b
        y = y * self.attend(y.mean(dim=(2, 3), keepdim=True))
        return x + self.project(y)

    def frequency(self, features: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfft2(features.float(), norm="ortho")
        # Multiplying by a real number changes the amplitude and keeps the phase.
        spectrum = spectrum * (1 + self.gate(spectrum.abs().log1p()))
        return torch.fft.irfft2(spectrum, s=features.shape[-2:], norm="ortho")
