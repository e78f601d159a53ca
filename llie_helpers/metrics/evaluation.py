"""Scoring an method on a set of pairs."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from llie_helpers.errors import CourseError
from llie_helpers.images import quantise
from llie_helpers.metrics.scores import lpips, match_gt_mean, psnr, ssim


@dataclass(frozen=True)
class Evaluation:
    """Scores of one method on one set of pairs: means over images, and each image's own.

    ``lpips`` is None where it cannot be computed. ``ms_per_megapixel`` is the median over
    images, so that a slow first call does not count. ``per_image`` holds one dict per pair
    with ``name``, ``scene``, ``psnr``, ``ssim`` and ``psnr_gt_mean``.
    """

    psnr: float
    ssim: float
    psnr_gt_mean: float
    lpips: float | None
    ms_per_megapixel: float
    per_image: list[dict]

    def __str__(self) -> str:
        lpips = "not available" if self.lpips is None else f"{self.lpips:.3f}"
        return (
            f"PSNR {self.psnr:.2f} dB, SSIM {self.ssim:.3f}, LPIPS {lpips}, "
            f"GT-mean PSNR {self.psnr_gt_mean:.2f} dB, "
            f"{self.ms_per_megapixel:.1f} ms/megapixel, {len(self.per_image)} images"
        )


@torch.no_grad()
def evaluate(method: Callable[[Tensor], Tensor], pairs, progress: bool = False) -> Evaluation:
    """Score ``method`` on ``pairs`` under the frozen protocol, one whole image at a time.

    Args:
        method: any callable from (1, 3, H, W) images in [0, 1] to images of the same
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
    with _evaluation_mode(method) as device:
        for pair in tqdm(pairs, desc="evaluate", unit="image", disable=not progress):
            low, normal = pair.low[None].to(device), pair.normal[None].to(device)
            output, seconds = _timed(method, low)
            times.append(1e9 * seconds / low[0, 0].numel())
            if not torch.isfinite(output).all():
                raise CourseError(
                    f"The output for image {pair.name} holds values that are not finite (NaN or "
                    "infinity); check the weights and train with a lower learning rate."
                )
            enhanced = quantise(output.float())
            rows.append(
                {
                    "name": pair.name,
                    "scene": pair.scene,
                    "psnr": psnr(enhanced, normal).item(),
                    "ssim": ssim(enhanced, normal).item(),
                    "psnr_gt_mean": psnr(match_gt_mean(enhanced, normal), normal).item(),
                }
            )
            distances.append(lpips(enhanced, normal))

    def mean(name: str) -> float:
        return statistics.fmean(row[name] for row in rows)

    return Evaluation(
        psnr=mean("psnr"),
        ssim=mean("ssim"),
        psnr_gt_mean=mean("psnr_gt_mean"),
        lpips=None if distances[0] is None else torch.cat(distances).mean().item(),
        ms_per_megapixel=statistics.median(times),
        per_image=rows,
    )


@contextmanager
def _evaluation_mode(method) -> Iterator[torch.device]:
    """The method's device; a module's dropout and batch statistics are off inside."""
    if not isinstance(method, torch.nn.Module):
        yield getattr(method, "device", torch.device("cpu"))
        return
    modes = [(module, module.training) for module in method.modules()]
    method.eval()
    try:
        yield next((p.device for p in method.parameters()), torch.device("cpu"))
    finally:
        for module, mode in modes:
            module.training = mode


def _timed(method, low: Tensor) -> tuple[Tensor, float]:
    """Output and seconds of one call; a GPU is waited for at both ends."""
    wait = torch.cuda.synchronize if low.is_cuda else lambda: None
    wait()
    start = time.perf_counter()
    output = method(low)
    wait()
    return output, time.perf_counter() - start
