"""Lesson 07: local light, then a dual-branch network for noise and detail, at any resolution.

    whole --> thumbnail --> bilateral grid of log gains: 8x8 places, 12 luminances, 3 colours
                                            |
    image --.-- luminance of 4x4 means ----slice --> gains --> illuminated image --.
            |                                                                      |
            '------------------------------.---------------------------------------'
                                           |
                     .---------------------'------------------.
                     |                                        |------ 4x4 means -----(+)--> out
                     |                                        |------ detail x gate --|
                     '-- 1/4 size, 96 channels                         |              |
                                |                                      |              |
                             encoder -----------------(+)-- decoder ---'--- residual -'
                                '-- 1/8 size: bottleneck -- x2 --'

    a block:       .-- most channels: 3x3 convolution ------------------------.
               x --|                                                          |-- mix --(+ x)-->
                   '-- a quarter: Fourier amplitudes of 8x8 windows ----------'

Light causes most of the error, so it comes first: `bilateral_grid` decides from a thumbnail of the
whole image by how much to multiply each place and luminance. Noise comes second: the output starts
from means over 4x4 pixels, and the blocks decide which detail passes and what is added. What is
left of noise in the colours is smoothed. All this depends on a pixel's neighbourhood and not on
the size of the image, so tiles agree where they overlap.

By construction no gain is below 1, white stays white, black stays black, and where no light is
added nothing else is changed.
"""

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.images import WHOLE, Place
from llie_helpers.models import bilateral_grid
from llie_helpers.models.bilateral_grid import CELL, gain_map, headroom, luminance, upsample
from llie_helpers.models.network import Network, Objective, any_size, check_images

FAINTEST = 1e-3  # a quarter of an 8-bit step; keeps the gradient of logarithms finite
DIM = 0.002  # luminance after which half of the residual is added
ALIKE = 0.02  # five 8-bit steps; means that differ by less are taken for one colour


class DualBranch(Network):
    """Map ``(N, 3, H, W)`` in [0, 1] to the same; any size from 16x16 up.

    Args:
        width: channels at a quarter of the size; twice as many at an eighth.
        blocks: blocks in each of the encoder and the decoder, at a quarter of the size.
        deep: blocks of the bottleneck, at an eighth.
        spectral: whether blocks have a spectral branch; False for an ablation.
    """

    multiple = 8

    def __init__(
        self, width: int = 32, blocks: int = 3, deep: int = 4, spectral: bool = True
    ) -> None:
        super().__init__()
        self.grid_predictor = bilateral_grid.GridPredictor()
        self.stem = nn.Conv2d(2 * 3 * CELL**2, width, kernel_size=1)
        self.encoder = nn.Sequential(*(DualBlock(width, spectral) for _ in range(blocks)))
        self.down = nn.Conv2d(width, 2 * width, kernel_size=2, stride=2)
        self.bottleneck = nn.Sequential(*(DualBlock(2 * width, spectral) for _ in range(deep)))
        self.up = nn.Conv2d(2 * width, 4 * width, kernel_size=1)
        self.decoder = nn.Sequential(*(DualBlock(width, spectral) for _ in range(blocks)))
        self.head = nn.Conv2d(width, (3 + 1) * CELL**2, kernel_size=1)  # residual and gate

    def prepare(self, whole: torch.Tensor) -> torch.Tensor:
        """Predict the log gains ``(N, 3, 12, 8, 8)`` of whole images ``(N, 3, H, W)``."""
        return self.grid_predictor(whole)

    @any_size
    def illuminate(
        self, image: torch.Tensor, context: torch.Tensor, place: Place = WHOLE
    ) -> torch.Tensor:
        """Apply the gains in ``context``, as `prepare` predicted them."""
        return bilateral_grid.illuminate(image, context, place)

    def forward(
        self, low: torch.Tensor, context: torch.Tensor | None = None, place: Place = WHOLE
    ) -> torch.Tensor:
        check_images(low)
        # Predicted before `any_size` pads the image, so that the border does not count.
        return self.restore(low, self.prepare(low) if context is None else context, place)

    @any_size
    def restore(self, low: torch.Tensor, context: torch.Tensor, place: Place) -> torch.Tensor:
        """Enhance images with known gains."""
        gains = gain_map(low, context, place)
        lit = (low * gains).clamp_(max=1)
        residual, gate = self.look(low, lit)
        # The means are free of noise; detail passes the gate or is added by the residual.
        smooth = upsample(F.avg_pool2d(lit, CELL))
        light = upsample(F.avg_pool2d(luminance(low), CELL))
        restored = torch.addcmul(smooth, (gate - 2).sigmoid(), lit - smooth)
        restored = torch.addcmul(restored, residual, light / (light + DIM))
        restored = restored + upsample(colour_noise(F.avg_pool2d(restored, CELL)))
        # Noise is visible where light was added; elsewhere nothing needs to be restored.
        share = headroom(low) * (1 - 1 / gains.square())
        enhanced = torch.addcmul(lit, share, restored - lit)
        return enhanced if self.training else enhanced.clamp(0, 1)

    def look(self, low: torch.Tensor, lit: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what to add to an illuminated image, and a gate for its detail."""
        # The logarithm, scaled to about [-1, 1], separates dark values.
        both = torch.cat([lit, low.clamp_min(FAINTEST).log() / 4 + 1], dim=1)
        cells = F.pixel_unshuffle(both, CELL).contiguous(memory_format=torch.channels_last)
        x = self.encoder(self.stem(cells))
        x = self.decoder(x + F.pixel_shuffle(self.up(self.bottleneck(self.down(x))), 2))
        return F.pixel_shuffle(self.head(x), CELL).split((3, 1), dim=1)

    def objective(self, **options: float) -> Objective:
        """Return `LightObjective` if the recipe has options for it."""
        return LightObjective.create(self, options) if options else Objective(self)


@dataclass
class LightObjective(Objective):
    """Train on crops with the grid of the whole image, and the light on thumbnails as well.

    Args:
        light: weight of the root mean square error of illuminated thumbnails; 0 leaves the grid
            predictor as it is and trains all else.
        steady: weight of the L1 distance between the output at full and at half size, as means
            over 8x8 pixels.
        smoothness: weight of the squared differences of the grid between neighbouring places, and
            of its squared second differences between luminances.
        order: weight of gains that fall so steeply with luminance that darker tones would become
            the brighter ones.
    """

    network: DualBranch
    light: float = 1.0
    steady: float = 2.0
    smoothness: float = 0.05
    order: float = 0.3

    sees_whole: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.network.grid_predictor.requires_grad_(self.light > 0)

    def __call__(
        self, loss: nn.Module, low: torch.Tensor, normal: torch.Tensor, *whole: torch.Tensor
    ) -> torch.Tensor:
        whole_low, whole_normal, edges = whole
        place = Place(*edges.unbind(1))
        grid = self.network.prepare(whole_low)
        enhanced = self.network(low, grid, place)
        half = self.network(F.avg_pool2d(low, 2), grid, place)
        return (
            loss(enhanced, normal)
            + self.light * light_error(whole_low, whole_normal, grid)
            + self.steady * F.l1_loss(F.avg_pool2d(half, 4), F.avg_pool2d(enhanced, 8))
            + self.smoothness * roughness(grid)
            + self.order * disorder(grid)
        )


def colour_noise(means: torch.Tensor) -> torch.Tensor:
    """Return what to add to means of cells so that noise leaves no patches of colour.

    A bilateral filter over 3x3 cells (Tomasi and Manduchi, ICCV 1998), of which only the change of
    colour is kept: the eye forgives grain, but not mottling.

    Args:
        means: means over cells, (N, 3, H, W).

    Returns:
        (N, 3, H, W); the sum over colours is 0.
    """
    height, width = means.shape[-2:]
    around = F.pad(means, (1, 1, 1, 1), mode="replicate")
    change, weights = torch.zeros_like(means), torch.zeros_like(means[:, :1])
    for down, right in itertools.product(range(3), repeat=2):
        difference = around[..., down : down + height, right : right + width] - means
        distance = difference.square().sum(dim=1, keepdim=True)
        weight = (-distance / (2 * ALIKE**2)).exp()
        change, weights = torch.addcmul(change, weight, difference), weights + weight
    change = change / weights
    return change - change.mean(dim=1, keepdim=True)


def light_error(low: torch.Tensor, normal: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Return the root mean square error of illuminated whole images, averaged over images."""
    lit = bilateral_grid.illuminate(low, grid, WHOLE, cell=1)
    return ((lit - normal).square().mean(dim=(1, 2, 3)) + 1e-5).sqrt().mean()


def roughness(grid: torch.Tensor) -> torch.Tensor:
    """Return mean squared differences: first between places, second between luminances."""
    places = grid.diff(dim=3).square().mean() + grid.diff(dim=4).square().mean()
    return places + grid.diff(dim=2).diff(dim=2).square().mean()


def disorder(grid: torch.Tensor) -> torch.Tensor:
    """Return by how much, on average, log gains fall from one luminance to the next too fast.

    At the slope -1 two luminances would become equal; slopes below -0.8 count.
    """
    spacing = math.log(1 / bilateral_grid.DARK + 1) / (grid.shape[2] - 1)
    return (-grid.diff(dim=2) - 0.8 * spacing).clamp_min(0).mean()


class DualBlock(nn.Module):
    """Spatial branch for most channels, spectral branch for a quarter, then a gated mix.

    Without ``spectral`` all channels are the spatial branch's.
    """

    def __init__(self, width: int, spectral: bool = True) -> None:
        super().__init__()
        if spectral and width < 4:
            raise ValueError("width must be at least 4 for a spectral branch")
        in_spectral = width // 4 if spectral else 0
        in_spatial = width - in_spectral
        self.split = in_spatial, in_spectral
        self.norm = nn.LayerNorm(width)  # over the channels of each pixel
        self.spatial = nn.Conv2d(in_spatial, in_spatial, 3, padding=1, groups=in_spatial)
        self.spectral = WindowAmplitude(in_spectral) if spectral else nn.Identity()
        self.mix = nn.Conv2d(width, 2 * width, kernel_size=1)
        self.project = nn.Conv2d(width, width, kernel_size=1)
        for parameter in self.project.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spatial, spectral = self.norm(x.movedim(1, -1)).movedim(-1, 1).split(self.split, dim=1)
        branches = self.spatial(spatial).movedim(1, -1), self.spectral(spectral).movedim(1, -1)
        a, b = matmul(self.mix, torch.cat(branches, dim=-1)).chunk(2, dim=-1)
        return x + matmul(self.project, a * b).movedim(-1, 1)


def matmul(convolution: nn.Conv2d, pixels: torch.Tensor) -> torch.Tensor:
    """Apply a 1x1 convolution to ``(N, H, W, C)`` as a matrix product, which is faster."""
    return F.linear(pixels, convolution.weight.flatten(1), convolution.bias)


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
        power = spectrum[..., 0, :].square() + spectrum[..., 1, :].square()
        change = self.gate(power.log1p().flatten(2)).view_as(power)
        # Real factors keep the phase. Means are not scaled: that would show as blocks.
        spectrum = spectrum * (1 + F.pad(change[..., 1:], (1, 0)))[..., None, :]
        windows = (spectrum.flatten(4) @ self.inverse_dft).unflatten(4, (side, side))
        return windows.transpose(3, 4).flatten(4).flatten(2, 3)[..., :height, :width]
