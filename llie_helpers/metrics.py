"""The one frozen evaluation protocol.

RGB at full resolution, no resizing, no padding. The output is clamped to [0, 1] and
rounded to 8 bits. PSNR (data range 1) and SSIM (11x11 Gaussian, sigma 1.5, valid region,
mean over channels) are computed per image and averaged over images. The target is never
used to change an output, except in the separate diagnostic ``psnr_gain``.
"""

import functools
import logging
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)
from tqdm.auto import tqdm

from .errors import CourseError

WINDOW = 11


class Metric(NamedTuple):
    """What a number means: which direction is better, its range and unit."""

    title: str
    better: str  # "higher" or "lower"
    low: float
    high: float
    unit: str = ""


METRICS = {
    "psnr": Metric("PSNR", "higher", 0.0, float("inf"), "dB"),
    "ssim": Metric("SSIM", "higher", -1.0, 1.0),
    "lpips": Metric("LPIPS", "lower", 0.0, float("inf")),
    "psnr_gain": Metric("PSNR after gain correction", "higher", 0.0, float("inf"), "dB"),
    "ms_per_megapixel": Metric("Time", "lower", 0.0, float("inf"), "ms/Mpx"),
}


def round8(image: Tensor) -> Tensor:
    """``image`` (any shape) clamped to [0, 1] and rounded to the 256 levels of an 8-bit file."""
    return (image.clamp(0, 1) * 255).round() / 255


def psnr(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, ``-10 log10(MSE)``, in dB.

    Args:
        enhanced, normal: images (N, 3, H, W) or (3, H, W) in [0, 1], scored as they are;
            :func:`evaluate` calls :func:`round8` first.

    Returns:
        (N,) values; infinite for equal images.

    Raises:
        CourseError: the two shapes differ or are not images.
    """
    enhanced, normal = _batches(enhanced, normal)
    return peak_signal_noise_ratio(
        enhanced, normal, data_range=1.0, reduction="none", dim=(1, 2, 3)
    )


def ssim(enhanced: Tensor, normal: Tensor) -> Tensor:
    """Structural similarity of each image (Wang et al., IEEE TIP 2004), at most 1.

    11x11 Gaussian window with sigma 1.5 at every place where it lies wholly inside the
    image, averaged over places and channels: scikit-image's ``structural_similarity`` with
    ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1``.

    Args:
        enhanced, normal: images (N, 3, H, W) or (3, H, W) in [0, 1], at least 11x11.

    Returns:
        (N,) values in [-1, 1].

    Raises:
        CourseError: the two shapes differ, are not images, or are smaller than the window.
    """
    enhanced, normal = _batches(enhanced, normal)
    height, width = enhanced.shape[-2:]
    if min(height, width) < WINDOW:
        raise CourseError(
            f"SSIM needs images of at least {WINDOW}x{WINDOW} pixels, but this one is "
            f"{height}x{width}; use a larger image."
        )
    # torchmetrics pads by reflection; the map without that border is the valid region.
    _, similarity = structural_similarity_index_measure(
        enhanced, normal, sigma=1.5, data_range=1.0, reduction="none", return_full_image=True
    )
    border = WINDOW // 2
    return similarity[..., border:-border, border:-border].mean(dim=(1, 2, 3))


def gain_match(enhanced: Tensor, normal: Tensor) -> Tensor:
    """``enhanced`` times one gain per image, so that its mean is the target's, clamped to [0, 1].

    A diagnostic only: the gain comes from the ground truth, so a score after it is not a
    result. It says how much of the error is exposure.

    Args:
        enhanced, normal: images (N, 3, H, W) or (3, H, W) in [0, 1].

    Returns:
        Images shaped like ``enhanced``; an all-black image stays black.
    """
    axes = (-3, -2, -1)
    mean = enhanced.mean(dim=axes, keepdim=True).clamp_min(1e-6)
    return (enhanced * (normal.mean(dim=axes, keepdim=True) / mean)).clamp(0, 1)


def lpips(enhanced: Tensor, normal: Tensor) -> Tensor | None:
    """Learned perceptual distance on AlexNet (Zhang et al., CVPR 2018), 0 for equal images.

    Args:
        enhanced, normal: images (N, 3, H, W) or (3, H, W) in [0, 1].

    Returns:
        (N,) values, or None where torchvision or its AlexNet weights cannot be had; the
        reason is logged once.
    """
    enhanced, normal = _batches(enhanced, normal)
    metric = _lpips_metric()
    if metric is None:
        return None
    metric = metric.to(enhanced.device)
    with torch.no_grad():
        return torch.stack(
            [metric(*pair) for pair in zip(enhanced.split(1), normal.split(1), strict=True)]
        )


@functools.cache
def _lpips_metric():
    try:
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        return LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)
    # OSError covers a failed download, RuntimeError a torchvision that does not fit torch.
    except (ImportError, OSError, RuntimeError) as error:
        logging.getLogger(__name__).warning(
            'LPIPS is left out (pip install "llie_helpers[perceptual]"): %s', error
        )
        return None


@dataclass(frozen=True)
class Evaluation:
    """Scores of one enhancer on one set of pairs: means over images, and each image's own.

    ``lpips`` is None where it cannot be computed. ``ms_per_megapixel`` is the median over
    images, so that a slow first call does not count. ``per_image`` holds one dict per pair
    with ``name``, ``scene``, ``psnr``, ``ssim`` and ``psnr_gain``.
    """

    psnr: float
    ssim: float
    psnr_gain: float
    lpips: float | None
    ms_per_megapixel: float
    per_image: list[dict]

    def __str__(self) -> str:
        lpips = "not available" if self.lpips is None else f"{self.lpips:.3f}"
        return (
            f"PSNR {self.psnr:.2f} dB, SSIM {self.ssim:.3f}, LPIPS {lpips}, "
            f"gain-corrected PSNR {self.psnr_gain:.2f} dB, "
            f"{self.ms_per_megapixel:.1f} ms/megapixel, {len(self.per_image)} images"
        )


@torch.no_grad()
def evaluate(enhancer: Callable[[Tensor], Tensor], pairs, progress: bool = False) -> Evaluation:
    """Score ``enhancer`` on ``pairs`` under the frozen protocol, one whole image at a time.

    Args:
        enhancer: any callable from (1, 3, H, W) images in [0, 1] to images of the same
            shape. A ``torch.nn.Module`` runs on its own device in evaluation mode, and is
            left in the mode it was in.
        pairs: ``data.Pairs``, or any sequence of pairs with ``low``, ``normal``, ``name``
            and ``scene``.
        progress: show a progress bar.

    Raises:
        CourseError: there are no pairs, an output has another shape than its target, or
            it holds a value that is not finite.
    """
    if not len(pairs):
        raise CourseError("There are no pairs to evaluate; choose a split that holds images.")
    rows, distances, times = [], [], []
    with _evaluation_mode(enhancer) as device:
        for pair in tqdm(pairs, desc="evaluate", unit="image", disable=not progress):
            low, normal = pair.low[None].to(device), pair.normal[None].to(device)
            output, seconds = _timed(enhancer, low)
            times.append(1e9 * seconds / low[0, 0].numel())
            if not torch.isfinite(output).all():
                raise CourseError(
                    f"The output for image {pair.name} holds values that are not finite (NaN or "
                    "infinity); check the weights and train with a lower learning rate."
                )
            enhanced = round8(output.float())
            rows.append(
                {
                    "name": pair.name,
                    "scene": pair.scene,
                    "psnr": psnr(enhanced, normal).item(),
                    "ssim": ssim(enhanced, normal).item(),
                    "psnr_gain": psnr(gain_match(enhanced, normal), normal).item(),
                }
            )
            distances.append(lpips(enhanced, normal))

    def mean(name: str) -> float:
        return statistics.fmean(row[name] for row in rows)

    return Evaluation(
        psnr=mean("psnr"),
        ssim=mean("ssim"),
        psnr_gain=mean("psnr_gain"),
        lpips=None if distances[0] is None else torch.cat(distances).mean().item(),
        ms_per_megapixel=statistics.median(times),
        per_image=rows,
    )


@contextmanager
def _evaluation_mode(enhancer) -> Iterator[torch.device]:
    """The enhancer's device; a module's dropout and batch statistics are off inside."""
    if not isinstance(enhancer, torch.nn.Module):
        yield torch.device("cpu")
        return
    modes = [(module, module.training) for module in enhancer.modules()]
    enhancer.eval()
    try:
        yield next((p.device for p in enhancer.parameters()), torch.device("cpu"))
    finally:
        for module, mode in modes:
            module.training = mode


def _timed(enhancer, low: Tensor) -> tuple[Tensor, float]:
    """Output and seconds of one call; a GPU is waited for at both ends."""
    wait = torch.cuda.synchronize if low.is_cuda else lambda: None
    wait()
    start = time.perf_counter()
    output = enhancer(low)
    wait()
    return output, time.perf_counter() - start


def _batches(enhanced: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
    """Both as float32 (N, 3, H, W), after checking that they can be compared."""
    if enhanced.shape != normal.shape or enhanced.ndim not in (3, 4) or enhanced.shape[-3] != 3:
        raise CourseError(
            f"The output has shape {tuple(enhanced.shape)} and the target "
            f"{tuple(normal.shape)}, but both must be the same (N, 3, H, W) or (3, H, W)."
        )
    shape = (-1, *enhanced.shape[-3:])
    return enhanced.float().reshape(shape), normal.float().reshape(shape)
