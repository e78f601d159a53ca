"""Evaluate a method on a set of pairs under the frozen protocol."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from llie_helpers.data.pairs import Pairs
from llie_helpers.errors import CourseError
from llie_helpers.images import quantise
from llie_helpers.metrics.diagnosis import PARTS, error_parts
from llie_helpers.metrics.scores import lpips, match_gt_mean, psnr, ssim

MEANS = ("psnr", "ssim", "psnr_gt_mean", *PARTS)


@dataclass(frozen=True)
class Evaluation:
    """Scores of one method on one set of pairs.

    Attributes:
        psnr: mean over images, in dB.
        ssim: mean over images.
        psnr_gt_mean: mean over images of the PSNR after `match_gt_mean`, in dB; a diagnostic.
        brightness, light, colour, detail: mean over images of the parts of the squared error; see
            `error_parts`.
        lpips: mean over images; None if it is not available for each.
        ms_per_megapixel: median over images, so that a slow first call does not count.
        per_image: one dict per pair with ``name``, ``scene`` and the means' terms, ``psnr`` to
            ``detail``.
    """

    psnr: float
    ssim: float
    psnr_gt_mean: float
    brightness: float
    light: float
    colour: float
    detail: float
    lpips: float | None
    ms_per_megapixel: float
    per_image: list[dict[str, Any]]

    @property
    def local(self) -> float:
        """The error of local light and colour together."""
        return self.light + self.colour

    def __str__(self) -> str:
        lpips = "not available" if self.lpips is None else f"{self.lpips:.3f}"
        return (
            f"PSNR {self.psnr:.2f} dB, SSIM {self.ssim:.3f}, LPIPS {lpips}, "
            f"GT-mean PSNR {self.psnr_gt_mean:.2f} dB, "
            f"{self.ms_per_megapixel:.1f} ms/megapixel, {len(self.per_image)} images"
        )


@torch.no_grad()
def evaluate(
    method: Callable[[Tensor], Tensor], pairs: Pairs, progress: bool = False
) -> Evaluation:
    """Evaluate ``method`` on ``pairs`` under the frozen protocol, one whole image at a time.

    Args:
        method: a `Method`, a network, or any other callable that maps images ``(1, 3, H, W)``,
            RGB, in [0, 1] to the same. Images are moved to its device. A network is evaluated
            in evaluation mode and restored to its mode.
        pairs: the images and their targets, of any size from 11x11.
        progress: show a progress bar.

    Raises:
        CourseError: there are no pairs, or an output has another shape than its target or
            values that are not finite.
    """
    if not len(pairs):
        raise CourseError("There are no pairs to evaluate; choose a split that has images.")
    rows, distances, times = [], [], []
    with _evaluation_mode(method) as device:
        for pair in tqdm(pairs, desc="evaluate", unit="image", disable=not progress):
            low = pair.low[None].to(device)
            output, seconds = _timed(method, low)
            normal = pair.normal[None].to(output.device)
            times.append(1e9 * seconds / low[0, 0].numel())
            if not torch.isfinite(output).all():
                raise CourseError(
                    f"The output for image {pair.name} has values that are not finite (NaN or "
                    "infinity); check the weights and train with a lower learning rate."
                )
            enhanced = quantise(output.float())
            parts = error_parts(enhanced, normal)[0].tolist()
            rows.append(
                {
                    "name": pair.name,
                    "scene": pair.scene,
                    "psnr": psnr(enhanced, normal).item(),
                    "ssim": ssim(enhanced, normal).item(),
                    "psnr_gt_mean": psnr(match_gt_mean(enhanced, normal), normal).item(),
                    **dict(zip(PARTS, parts, strict=True)),
                }
            )
            if (distance := lpips(enhanced, normal)) is not None:
                distances.append(distance.item())
    means = {name: statistics.fmean(row[name] for row in rows) for name in MEANS}
    return Evaluation(
        **means,
        lpips=statistics.fmean(distances) if len(distances) == len(rows) else None,
        ms_per_megapixel=statistics.median(times),
        per_image=rows,
    )


@contextmanager
def _evaluation_mode(method: Callable[[Tensor], Tensor]) -> Iterator[torch.device]:
    """Yield the device of ``method``, with a network in evaluation mode until the exit."""
    if not isinstance(method, nn.Module):
        yield getattr(method, "device", torch.device("cpu"))
        return
    modes = [(module, module.training) for module in method.modules()]
    method.eval()
    try:
        yield next((p.device for p in method.parameters()), torch.device("cpu"))
    finally:
        for module, mode in modes:
            module.training = mode


def _timed(method: Callable[[Tensor], Tensor], low: Tensor) -> tuple[Tensor, float]:
    """Return the output and the seconds of one call, synchronising with the GPU."""
    waits = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}
    wait = waits.get(low.device.type, lambda: None)
    wait()
    start = time.perf_counter()
    output = method(low)
    wait()
    return output, time.perf_counter() - start
