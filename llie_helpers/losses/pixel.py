"""Losses on pixels, and on the amplitudes of their Fourier transform."""

import torch
from torch import Tensor
from torch.nn import functional as F

from llie_helpers.losses.precision import full_precision

GT_MEAN_SIGMA = 0.1  # relative deviation; a smaller one weights exposure for longer


@full_precision
def mse(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Return the mean squared error. Its minimiser, the mean of plausible targets, is blurred."""
    return F.mse_loss(enhanced, normal)


@full_precision
def l1(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Return the mean absolute error. Its minimiser is the median, which is robust to outliers."""
    return F.l1_loss(enhanced, normal)


@full_precision
def fft_amplitude(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Return the L1 loss between Fourier amplitudes, which carry light more than structure.

    ``mean(| |rfft2(enhanced)| - |rfft2(normal)| |)`` per channel, with the orthonormal
    transform, so that it does not grow with the size of the image.
    """
    amplitudes = (torch.fft.rfft2(image, norm="ortho").abs() for image in (enhanced, normal))
    return F.l1_loss(*amplitudes)


@full_precision
def gt_mean(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Return the GT-mean L1 loss (Liao, Hao, Hong and Wang, ICCV 2025, arXiv 2507.20148).

    ``W L1(enhanced, normal) + (1 - W) L1(clip(g enhanced), normal)`` for each image, where
    ``g`` is the ratio of the two mean brightnesses. ``W`` is the Bhattacharyya distance of
    two Gaussians at those means, whose standard deviations are a tenth of the means, clipped to
    [0, 1] and detached. Exposure is therefore learned first. For training only: a score that
    is computed after matching the means is not a result.

    Args:
        enhanced: images (N, 3, H, W) in [0, 1].
        normal: their targets, of the same shape.
    """
    # Mean brightness is that of the grey image (Rec. 601), as in the authors' code.
    grey = normal.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    mean, target = (
        (image * grey).sum(1).mean((1, 2)).clamp_min(1e-3) for image in (enhanced, normal)
    )
    weight = bhattacharyya(mean.detach(), target.detach(), GT_MEAN_SIGMA).clamp(0, 1)
    gain = (target / mean).view(-1, 1, 1, 1)
    plain = (enhanced - normal).abs().mean((1, 2, 3))
    matched = ((gain * enhanced).clamp(0, 1) - normal).abs().mean((1, 2, 3))
    return (weight * plain + (1 - weight) * matched).mean()


def bhattacharyya(mean_a: Tensor, mean_b: Tensor, sigma: float) -> Tensor:
    """Return the distance of two Gaussians with standard deviations ``sigma`` times their means.

    ``(a - b)^2 / (4 (va + vb)) + ln((va + vb) / (2 sqrt(va vb))) / 2`` with variances
    ``va, vb``. The authors' code averages the Kullback-Leibler divergences to the Gaussian
    halfway between, which gives the same number.
    """
    variance_a, variance_b = (sigma * mean_a).square(), (sigma * mean_b).square()
    total = variance_a + variance_b
    spread = (total / (2 * (variance_a * variance_b).sqrt())).log()
    return (mean_a - mean_b).square() / (4 * total) + spread / 2
