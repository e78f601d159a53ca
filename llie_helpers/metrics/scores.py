"""Full-reference image quality metrics."""

import functools
import logging

import torch
from torch import Tensor, nn
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from llie_helpers.errors import CourseError

WINDOW = 11  # pixels, the side of the Gaussian window of SSIM
SMALLEST = 31  # pixels, of which AlexNet's strides leave one for LPIPS


def psnr(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Compute the peak signal-to-noise ratio of each image, ``-10 log10(MSE)``, in dB.

    Args:
        enhanced: images (N, 3, H, W) or (3, H, W) in [0, 1], scored as they are; `evaluate`
            quantises them to 8 bits first.
        normal: their targets, of the same shape.

    Returns:
        (N,) values; infinite for equal images.

    Raises:
        CourseError: the two shapes differ or are not images.
    """
    enhanced, normal = as_batches(enhanced, normal)
    return peak_signal_noise_ratio(
        enhanced, normal, data_range=1.0, reduction="none", dim=(1, 2, 3)
    )


def ssim(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Compute the structural similarity of each image (Wang et al., IEEE TIP 2004).

    An 11x11 Gaussian window with sigma 1.5, applied to the valid region only and averaged over
    positions and channels, as scikit-image's ``structural_similarity`` with
    ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1``.

    Args:
        enhanced: images (N, 3, H, W) or (3, H, W) in [0, 1], at least 11x11.
        normal: their targets, of the same shape.

    Returns:
        (N,) values in [-1, 1]; 1 for equal images.

    Raises:
        CourseError: the two shapes differ, are not images, or are smaller than the window.
    """
    enhanced, normal = as_batches(enhanced, normal)
    height, width = enhanced.shape[-2:]
    if min(height, width) < WINDOW:
        raise CourseError(
            f"SSIM needs images of at least {WINDOW}x{WINDOW} pixels, but this one is "
            f"{width}x{height}; use a larger image."
        )
    # torchmetrics pads by reflection; cropping the border leaves the valid region.
    _, similarity = structural_similarity_index_measure(
        enhanced, normal, sigma=1.5, data_range=1.0, reduction="none", return_full_image=True
    )
    border = WINDOW // 2
    return similarity[..., border:-border, border:-border].mean(dim=(1, 2, 3))


def match_gt_mean(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Scale each enhanced image to the mean of its ground truth, and clamp it to [0, 1].

    The "GT-mean" of the low-light literature, with one gain per image. It uses the ground truth, so
    it is a diagnostic, not a result: it shows how much of the error is exposure.

    Args:
        enhanced: images (N, 3, H, W) or (3, H, W) in [0, 1].
        normal: their targets, of the same shape.

    Returns:
        Images of the same shape, float32; an all-black image stays black.

    Raises:
        CourseError: the two shapes differ or are not images.
    """
    images, targets = as_batches(enhanced, normal)
    axes = (1, 2, 3)
    mean = images.mean(dim=axes, keepdim=True).clamp_min(1e-6)
    matched = (images * (targets.mean(dim=axes, keepdim=True) / mean)).clamp(0, 1)
    return matched.reshape(enhanced.shape)


def ciede2000(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Compute the mean colour difference CIEDE2000 of each image (Luo, Cui and Rigg, CR&A 2001).

    Args:
        enhanced: sRGB images (N, 3, H, W) or (3, H, W) in [0, 1].
        normal: their targets, of the same shape.

    Returns:
        (N,) values; 0 for equal images, and a difference of about 1 is just noticeable.

    Raises:
        CourseError: the two shapes differ or are not images.
    """
    from skimage.color import deltaE_ciede2000, rgb2lab

    batches = (batch.detach().cpu().numpy() for batch in as_batches(enhanced, normal))
    labs = (rgb2lab(batch, channel_axis=1) for batch in batches)
    difference = deltaE_ciede2000(*labs, channel_axis=1)
    return torch.from_numpy(difference).mean(dim=(1, 2)).float()


def lpips(enhanced: Tensor, normal: Tensor) -> Tensor | None:
    """Compute the learned perceptual distance on AlexNet (Zhang et al., CVPR 2018).

    Args:
        enhanced: images (N, 3, H, W) or (3, H, W) in [0, 1].
        normal: their targets, of the same shape.

    Returns:
        (N,) values, 0 for equal images; None if they are smaller than 31x31, or if torchvision or
        its AlexNet weights are not available (the reason is logged once).
    """
    enhanced, normal = as_batches(enhanced, normal)
    metric = _lpips_metric()
    if metric is None or min(enhanced.shape[-2:]) < SMALLEST:
        return None
    metric = metric.to(enhanced.device)
    with torch.no_grad():
        return torch.stack(
            [metric(*pair) for pair in zip(enhanced.split(1), normal.split(1), strict=True)]
        )


@functools.cache
def _lpips_metric() -> nn.Module | None:
    try:
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        return LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)
    # OSError covers a failed download, RuntimeError an incompatible torchvision.
    except (ImportError, OSError, RuntimeError) as error:
        # Not a warning: LPIPS is optional, and notebooks would show it in every lesson.
        logging.getLogger(__name__).info(
            "LPIPS is left out (`pip install torchvision` adds it): %s", error
        )
        return None


def as_batches(enhanced: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
    """Return both as float32 (N, 3, H, W), after checking that they can be compared."""
    if enhanced.shape != normal.shape or enhanced.ndim not in (3, 4) or enhanced.shape[-3] != 3:
        raise CourseError(
            f"The output has shape {tuple(enhanced.shape)} and the target "
            f"{tuple(normal.shape)}, but both must be the same (N, 3, H, W) or (3, H, W)."
        )
    shape = (-1, *enhanced.shape[-3:])
    return enhanced.float().reshape(shape), normal.float().reshape(shape)
