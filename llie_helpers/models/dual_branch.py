"""Lesson 07: a dual-branch network for any resolution, smaller than the published one.

    image --.-- thumbnail --> gain and gamma of each channel
            |                           |
            '----------------------> exposed image --.------ 4x4 means --------------(+)--> out
            |                                        |------ detail x gate ----------|
            '-- 1/4 size, 96 channels <--------------'               |               |
                     |                                               |               |
                  encoder ----------------------------(+)-- decoder -'--- residual --'
                     '-- 1/8 size: bottleneck -- x2 ---'

    a block:       .-- most channels: 3x3 convolution ------------------------.
               x --|                                                          |-- mix --(+ x)-->
                   '-- a quarter: Fourier amplitudes of 8x8 windows ----------'

Exposure causes most of the error, so it is corrected first, by gains and gammas that a small
network estimates from a thumbnail. Noise comes second: the output starts from means over 4x4
pixels, and the blocks decide which detail passes and what is added. They depend on a pixel's
neighbourhood and not on the size of the image, so tiles agree where they overlap.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.images import WHOLE, Place
from llie_helpers.models.network import Network, Objective, any_size, check_images
from llie_helpers.models.thumbnail import thumbnail

CELL = 4  # pixels, side of the cells that `pixel_unshuffle` turns into channels
DARK = 1e-3  # a quarter of an 8-bit step; keeps gradients of logarithms and powers finite


class DualBranch(Network):
    """Map ``(N, 3, H, W)`` in [0, 1] to the same; any size from 16x16 up.

    Args:
        width: channels at a quarter of the size; twice as many at an eighth.
        blocks: blocks in each of the encoder and the decoder, at a quarter of the size.
        deep: blocks of the bottleneck, at an eighth.
    """

    multiple = 8

    def __init__(self, width: int = 32, blocks: int = 3, deep: int = 4) -> None:
        super().__init__()
        self.exposure_estimator = ExposureEstimator()
        self.stem = nn.Conv2d(2 * 3 * CELL**2, width, kernel_size=1)
        self.encoder = nn.Sequential(*(DualBlock(width) for _ in range(blocks)))
        self.down = nn.Conv2d(width, 2 * width, kernel_size=2, stride=2)
        self.bottleneck = nn.Sequential(*(DualBlock(2 * width) for _ in range(deep)))
        self.up = nn.Conv2d(2 * width, 4 * width, kernel_size=1)
        self.decoder = nn.Sequential(*(DualBlock(width) for _ in range(blocks)))
        self.head = nn.Conv2d(width, (3 + 1) * CELL**2, kernel_size=1)  # residual and gate

    def prepare(self, whole: torch.Tensor) -> torch.Tensor:
        """Estimate the exposure parameters ``(N, 6)`` of whole images ``(N, 3, H, W)``."""
        return self.exposure_estimator(whole)

    def illuminate(
        self, image: torch.Tensor, context: torch.Tensor, place: Place = WHOLE
    ) -> torch.Tensor:
        """Apply the gains and gammas in ``context``, as `prepare` estimated them."""
        return expose(image, context)

    def forward(
        self, low: torch.Tensor, exposure: torch.Tensor | None = None, place: Place = WHOLE
    ) -> torch.Tensor:
        check_images(low)
        # Estimated before `any_size` pads the image, so that the border does not count.
        return self.restore(low, self.prepare(low) if exposure is None else exposure, place)

    @any_size
    def restore(self, low: torch.Tensor, exposure: torch.Tensor, place: Place) -> torch.Tensor:
        """Enhance images with known exposure parameters."""
        exposed = expose(low, exposure)
        # The logarithm, scaled to about [-1, 1], separates dark values.
        both = torch.cat([exposed, low.clamp_min(DARK).log() / 4 + 1], dim=1)
        cells = F.pixel_unshuffle(both, CELL).contiguous(memory_format=torch.channels_last)
        x = self.encoder(self.stem(cells))
        x = self.decoder(x + F.pixel_shuffle(self.up(self.bottleneck(self.down(x))), 2))
        residual, gate = F.pixel_shuffle(self.head(x), CELL).split((3, 1), dim=1)
        # The means are free of noise; detail passes the gate or is added by the residual.
        means = F.avg_pool2d(exposed, CELL)
        smooth = F.interpolate(means, scale_factor=CELL, mode="bilinear")
        enhanced = smooth + (gate - 2).sigmoid() * (exposed - smooth) + residual
        return enhanced if self.training else enhanced.clamp(0, 1)

    def objective(self, **options: float) -> Objective:
        """Return `ExposureObjective` if the recipe has options for it."""
        return ExposureObjective.create(self, options) if options else Objective(self)


@dataclass
class ExposureObjective(Objective):
    """Train the exposure estimator on thumbnails of whole images, and the rest on crops.

    Args:
        weight: weight of the exposure error, the root mean square error on thumbnails.
        schedule_share: part of a cosine schedule during which the exposure estimator learns.
    """

    network: DualBranch
    weight: float = 1.0
    schedule_share: float = 1.0

    sees_whole: ClassVar[bool] = True

    def __call__(
        self, loss: nn.Module, low: torch.Tensor, normal: torch.Tensor, *whole: torch.Tensor
    ) -> torch.Tensor:
        whole_low, whole_normal = whole
        exposure = self.network.prepare(whole_low)
        # Detached: the exposure is learned from whole images only, not from crops.
        on_crops = loss(self.network(low, exposure.detach()), normal)
        errors = (expose(whole_low, exposure) - whole_normal).square().mean(dim=(1, 2, 3))
        return on_crops + self.weight * (errors + 1e-6).sqrt().mean()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the exposure estimator's parameters as a group that stops learning earlier."""
        exposure = list(self.network.exposure_estimator.parameters())
        others = [p for p in self.network.parameters() if all(p is not other for other in exposure)]
        # With more steps, it overfits to the exposure of each training scene.
        return [{"params": others}, {"params": exposure, "schedule_share": self.schedule_share}]


def expose(image: torch.Tensor, exposure: torch.Tensor) -> torch.Tensor:
    """Return ``gain * image ** gamma`` in [0, 1].

    Args:
        image: ``(N, 3, H, W)`` in [0, 1].
        exposure: ``(N, 6)``, logarithms of one gain and one gamma for each channel.
    """
    gain, gamma = exposure.exp()[..., None, None].chunk(2, dim=1)
    return (gain * (image + DARK) ** gamma).clamp(0, 1)


class ExposureEstimator(nn.Module):
    """Estimate a gain and a gamma for each channel from a thumbnail of the whole image."""

    SIDE = 64

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        pairs = pairwise((6, width, width, 2 * width, 2 * width))
        layers = [(nn.Conv2d(*pair, 3, stride=2, padding=1), nn.GELU()) for pair in pairs]
        self.features = nn.Sequential(*(part for layer in layers for part in layer))
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(4 * width, 6)
        nn.init.zeros_(self.head.weight)
        self.head.bias.data = torch.tensor([0.3] * 3 + [-0.3] * 3)  # roughly right for LOL

    def forward(self, whole: torch.Tensor) -> torch.Tensor:
        """Return logarithms of three gains and three gammas, ``(N, 6)``."""
        log = (thumbnail(whole, self.SIDE) + 0.01).log()
        mean = log.mean(dim=(2, 3), keepdim=True)
        maps = self.features(torch.cat([log / 1.5 + 2, log - mean], dim=1)).flatten(2)
        pooled = self.dropout(torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1))
        gain, gamma = self.head(pooled).chunk(2, dim=1)
        # The gain is partly relative to the mean, so that darker images are brightened more even
        # before training.
        return torch.cat([gain - gamma.exp() * mean.mean(dim=1)[..., 0] / 2, gamma], dim=1)


class DualBlock(nn.Module):
    """Spatial branch for most channels, spectral branch for a quarter, then a gated mix."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.split = spatial, spectral = width - width // 4, width // 4
        self.norm = nn.LayerNorm(width)  # over the channels of each pixel
        self.spatial = nn.Conv2d(spatial, spatial, kernel_size=3, padding=1, groups=spatial)
        self.spectral = WindowAmplitude(spectral)
        self.mix = nn.Conv2d(width, 2 * width, kernel_size=1)
        self.project = nn.Conv2d(width, width, kernel_size=1)
        for parameter in self.project.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spatial, spectral = self.norm(x.movedim(1, -1)).movedim(-1, 1).split(self.split, dim=1)
        branches = torch.cat([self.spatial(spatial), self.spectral(spectral)], dim=1)
        a, b = self.mix(branches).chunk(2, dim=1)
        return x + self.project(a * b)


class WindowAmplitude(nn.Module):
    """Scale the Fourier amplitudes of 8x8 windows by factors that 1x1 convolutions predict."""

    SIDE = 8

    def __init__(self, channels: int) -> None:
        super().__init__()
        one, two = (nn.Conv1d(channels, channels, kernel_size=1) for _ in range(2))
        self.gate = nn.Sequential(one, nn.GELU(), two)
        # For such small windows a matrix product is faster than an FFT.
        pixels = torch.eye(self.SIDE**2).unflatten(1, (self.SIDE, self.SIDE))
        waves = torch.view_as_real(torch.fft.rfft2(pixels, norm="ortho"))
        matrix = waves.movedim(-1, 1).flatten(1)  # real parts, then imaginary ones
        self.register_buffer("dft", matrix, persistent=False)
        self.register_buffer("inverse_dft", torch.linalg.pinv(matrix), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        side, (height, width) = self.SIDE, features.shape[-2:]
        # With sizes as multiples of `side`, an export with open sizes takes seconds, not minutes.
        rows, columns = ((length + side - 1) // side for length in (height, width))
        bottom, right = rows * side - height, columns * side - width
        full = F.pad(features, (0, right, 0, bottom), mode="replicate")
        windows = full.unflatten(3, (columns, side)).unflatten(2, (rows, side)).transpose(3, 4)
        spectrum = (windows.flatten(4) @ self.dft).unflatten(4, (2, -1))
        power = spectrum.square().sum(dim=4)
        change = self.gate(power.log1p().flatten(2)).view_as(power)
        # Real factors keep the phase. Means are not scaled: that would show as blocks.
        spectrum = spectrum * (1 + F.pad(change[..., 1:], (1, 0)))[..., None, :]
        windows = (spectrum.flatten(4) @ self.inverse_dft).unflatten(4, (side, side))
        return windows.transpose(3, 4).flatten(4).flatten(2, 3)[..., :height, :width]
