"""Lesson 07: a dual-branch network for any resolution, with fewer parameters than the published.

    image --.-- thumbnail --> gain and gamma of each channel
            |                           |
            '----------------------> exposed image --.------ 4x4 means --------------(+)--> out
            |                                        |------ details x gate ----------|
            '-- 1/4 size, 96 channels <--------------'                |              |
                     |                                                |              |
                   blocks of 32 ----------------------(+)-- blocks of 32 -- painted -'
                     '-- 1/8 size: blocks of 64 -- x2 --'

    a block:       .-- most channels: 3x3 convolution ------------------------.
               x --|                                                          |-- mix --(+ x)-->
                   '-- a quarter: Fourier amplitudes of 8x8 windows ----------'

Light first, because most of the error is light: a small network sets the exposure from a
thumbnail. Then noise: the output starts from means over 4x4 pixels, and the blocks decide which
details to let pass and which to paint. They see no size, only surroundings: tiles fit together.
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
        blocks, deep: how many in each of the two places at a quarter, and at an eighth.
    """

    def __init__(self, width: int = 32, blocks: int = 3, deep: int = 4):
        super().__init__()
        self.judge = ExposureJudge()
        self.enter = nn.Conv2d(2 * 3 * 16, width, kernel_size=1)
        self.first = nn.Sequential(*(DualBlock(width) for _ in range(blocks)))
        self.down = nn.Conv2d(width, 2 * width, kernel_size=2, stride=2)
        self.deep = nn.Sequential(*(DualBlock(2 * width) for _ in range(deep)))
        self.up = nn.Conv2d(2 * width, 4 * width, kernel_size=1)
        self.last = nn.Sequential(*(DualBlock(width) for _ in range(blocks)))
        self.leave = nn.Conv2d(width, 4 * 16, kernel_size=1)

    def forward(self, low: torch.Tensor, logs: torch.Tensor | None = None) -> torch.Tensor:
        """Enhance ``low``; for a crop or a frame, ``logs`` may be what was judged of the whole."""
        logs = self.judge(low) if logs is None else logs
        enhanced = padded(partial(self.enhance, logs=logs), low, multiple=8)
        return enhanced if self.training else enhanced.clamp(0, 1)

    def expose(self, low: torch.Tensor) -> torch.Tensor:
        """The exposure alone, without the rest."""
        return exposed(low, self.judge(low))

    def enhance(self, low: torch.Tensor, logs: torch.Tensor) -> torch.Tensor:
        light = exposed(low, logs)
        both = torch.cat([light, low.clamp_min(1e-3).log() / 4 + 1], dim=1)
        cells = F.pixel_unshuffle(both, 4).contiguous(memory_format=torch.channels_last)
        x = self.first(self.enter(cells))
        x = self.last(x + F.pixel_shuffle(self.up(self.deep(self.down(x))), 2))
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
        pairs = pairwise((6, width, width, 2 * width, 2 * width))
        layers = [(nn.Conv2d(*pair, 3, stride=2, padding=1), nn.GELU()) for pair in pairs]
        self.look = nn.Sequential(*(part for layer in layers for part in layer))
        self.dropout = nn.Dropout(0.3)
        self.decide = nn.Linear(4 * width, 6)
        nn.init.zeros_(self.decide.weight)
        self.decide.bias.data = torch.tensor([0.3] * 3 + [-0.3] * 3)  # a fair start for LOL

    def forward(self, whole: torch.Tensor) -> torch.Tensor:
        """Logarithms of three gains and three exponents, ``(N, 6)``."""
        tones = (F.adaptive_avg_pool2d(whole, self.SIDE) + 0.01).log()
        mean = tones.mean(dim=(2, 3), keepdim=True)
        seen = self.look(torch.cat([tones / 1.5 + 2, tones - mean], dim=1)).flatten(2)
        found = self.dropout(torch.cat([seen.mean(dim=2), seen.amax(dim=2)], dim=1))
        gain, gamma = self.decide(found).chunk(2, dim=1)
        # Half relative to the mean tone: a darker image is brightened more from the start.
        return torch.cat([gain - gamma.exp() * mean.mean(dim=1)[..., 0] / 2, gamma], dim=1)


class DualBlock(nn.Module):
    """Most channels through space, some through frequency, then mixed by a gate."""

    def __init__(self, width: int):
        super().__init__()
        self.split = near, far = width - width // 4, width // 4
        self.norm = nn.LayerNorm(width)  # over the channels of each pixel
        self.space = nn.Conv2d(near, near, kernel_size=3, padding=1, groups=near)
        self.frequency = WindowAmplitude(far)
        self.mix = nn.Conv2d(width, 2 * width, kernel_size=1)
        self.project = nn.Conv2d(width, width, kernel_size=1)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        near, far = self.norm(x.movedim(1, -1)).movedim(-1, 1).split(self.split, dim=1)
        a, b = self.mix(torch.cat([self.space(near), self.frequency(far)], dim=1)).chunk(2, dim=1)
        return x + self.project(a * b)


class WindowAmplitude(nn.Module):
    """Change the Fourier amplitudes of 8x8 windows by 1x1 convolutions that see them all."""

    SIDE = 8

    def __init__(self, channels: int):
        super().__init__()
        one, two = (nn.Conv1d(channels, channels, kernel_size=1) for _ in range(2))
        self.gate = nn.Sequential(one, nn.GELU(), two)
        # For so small a window a matrix product is faster than the fast transform.
        pixels = torch.eye(self.SIDE**2).unflatten(1, (self.SIDE, self.SIDE))
        waves = torch.view_as_real(torch.fft.rfft2(pixels, norm="ortho"))
        matrix = waves.movedim(-1, 1).flatten(1)  # real parts, then imaginary ones
        self.register_buffer("forth", matrix, persistent=False)
        self.register_buffer("back", torch.linalg.pinv(matrix), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        side, (height, width) = self.SIDE, features.shape[-2:]
        full = F.pad(features, (0, -width % side, 0, -height % side), mode="replicate")
        windows = full.unflatten(3, (-1, side)).unflatten(2, (-1, side)).transpose(3, 4)
        spectrum = (windows.flatten(4) @ self.forth).unflatten(4, (2, -1))
        power = spectrum.square().sum(dim=4)
        change = self.gate(power.log1p().flatten(2)).view_as(power)
        # Real factors keep the phase. Means stay: steps between windows would show as squares.
        spectrum = spectrum * (1 + F.pad(change[..., 1:], (1, 0)))[..., None, :]
        windows = (spectrum.flatten(4) @ self.back).unflatten(4, (side, side)).transpose(3, 4)
        return windows.flatten(4).flatten(2, 3)[..., :height, :width]
