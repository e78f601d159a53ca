"""Lesson 07: the published dual-branch network, 129,016 parameters at 224x224.

            .-- 3x3, 32 --(+)-- 3x3 to 3 --------------------------.
    image --|      '-- 3x3, 64, stride 2 -- 4x4 up to 32 --^       |-- 1x1 to 3, tanh --(+)-- out
            |-- rfft2 -- times a learned mask -- irfft2 -----------'                     |
            '----------------------------------------------------------------------------'

Instance norm (without parameters) and LeakyReLU 0.2 follow the first two convolutions. The
mask has one real number for each channel and frequency, so that 75,936 of the parameters form one
fixed linear filter.
"""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.images import WHOLE, Place
from llie_helpers.models.network import Network, any_size

BAND = 64  # rows whose moments are computed at a time, to save memory
MARGIN = 4  # rows above and below a band that convolutions need; even, because of the stride


class FFTDualBranch(Network):
    """Map ``(N, 3, H, W)`` in [0, 1] to the same; any size from 16x16 up.

    Published for 224x224 only. For other sizes the mask is interpolated over frequency, in cycles
    per pixel, so that the filter stays the same.

    Args:
        size: height and width of the images that the mask is learned for; even.
    """

    multiple = 2

    def __init__(self, size: int = 224) -> None:
        super().__init__()
        if size % 2:
            raise ValueError("size must be even")
        self.full_size = nn.Sequential(nn.Conv2d(3, 32, kernel_size=3, padding=1), *norm(32))
        self.half_size = nn.Sequential(
            nn.Conv2d(32, 64, kernel_size=3, stride=2, padding=1),
            *norm(64),
            nn.ConvTranspose2d(64, 32, kernel_size=4, stride=2, padding=1),
        )
        self.head = nn.Conv2d(32, 3, kernel_size=3, padding=1)
        self.mask = nn.Parameter(torch.full((1, 3, size, size // 2 + 1), 0.01))
        self.fusion = nn.Conv2d(6, 3, kernel_size=1)

    def prepare(self, whole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the means and variances with which both layers are normalised."""
        first, second = self.full_size[0], self.half_size[0]
        if torch.compiler.is_compiling():  # an ONNX file has no loop over an open height
            full = moments([first(whole)])
            return full, moments([second(normalise(first(whole), full))])
        full = moments(first(band)[:, :, above : above + BAND] for band, above in bands(whole))
        half = moments(
            second(normalise(first(band), full))[:, :, above // 2 : (above + BAND) // 2]
            for band, above in bands(whole)
        )
        return full, half

    @any_size
    def forward(
        self,
        low: torch.Tensor,
        context: tuple[torch.Tensor, torch.Tensor] | None = None,
        place: Place = WHOLE,
    ) -> torch.Tensor:
        branches = torch.cat([self.spatial(low, context), self.frequency(low)], dim=1)
        enhanced = low + torch.tanh(self.fusion(branches))
        return enhanced if self.training else enhanced.clamp(0, 1)

    def spatial(
        self, low: torch.Tensor, context: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> torch.Tensor:
        full, half = context or (None, None)
        features = normalise(self.full_size[0](low), full)
        down, *_, up = self.half_size
        return self.head(features + up(normalise(down(features), half)))

    def frequency(self, low: torch.Tensor) -> torch.Tensor:
        # PyTorch has no half-precision FFT on a CPU, and elsewhere it is too inaccurate.
        spectrum = torch.fft.rfft2(low.float())
        spectrum = spectrum * self.mask_for(*low.shape[-2:])
        return torch.fft.irfft2(spectrum, s=low.shape[-2:])

    def mask_for(self, height: int, width: int) -> torch.Tensor:
        """Interpolate the mask for another image size, ``(1, 3, height, width // 2 + 1)``."""
        if (height, width // 2 + 1) == tuple(self.mask.shape[-2:]):
            return self.mask
        # Sort the rows by frequency, from negative to positive, and repeat the highest one at the
        # other end, so that they can be interpolated.
        rows = torch.fft.fftshift(self.mask, dim=-2)
        rows = torch.cat([rows, rows[..., :1, :]], dim=-2)
        size = (height + 1, width // 2 + 1)
        rows = F.interpolate(rows, size, mode="bilinear", align_corners=True)
        # This is ifftshift, which ONNX lacks for open sizes.
        return torch.cat([rows[..., height // 2 : -1, :], rows[..., : height // 2, :]], dim=-2)


def norm(channels: int) -> tuple[nn.Module, nn.Module]:
    """Return instance norm, without parameters, and LeakyReLU."""
    return nn.InstanceNorm2d(channels), nn.LeakyReLU(0.2)


def normalise(features: torch.Tensor, moments: torch.Tensor | None) -> torch.Tensor:
    """Apply instance norm with given moments, by default those of ``features``, and LeakyReLU."""
    if moments is None:
        return F.leaky_relu(F.instance_norm(features), 0.2)
    mean, variance = moments
    return F.leaky_relu((features - mean) * (variance + 1e-5).rsqrt(), 0.2)


def bands(whole: torch.Tensor) -> Iterator[tuple[torch.Tensor, int]]:
    """Yield overlapping bands of rows, and how many margin rows each has at its top."""
    for top in range(0, whole.shape[2], BAND):
        start = max(top - MARGIN, 0)
        yield whole[:, :, start : top + BAND + MARGIN], top - start


def moments(bands: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return mean and variance of each channel over all ``bands``, ``(2, N, C, 1, 1)``."""
    count, total, squares = 0, torch.tensor(0.0), torch.tensor(0.0)
    for band in bands:
        pixels = band.shape[2] * band.shape[3]
        variance, mean = torch.var_mean(band, dim=(2, 3), correction=0, keepdim=True)
        count, total = count + pixels, total + pixels * mean
        squares = squares + pixels * (variance + mean.square())
    mean = total / count
    return torch.stack([mean, squares / count - mean.square()])
