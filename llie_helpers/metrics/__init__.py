"""The frozen evaluation protocol.

RGB at full resolution, without resizing or padding. The output is clamped to [0, 1] and rounded to
8 bits. PSNR (data range 1) and SSIM (11x11 Gaussian, sigma 1.5, valid region, mean over channels)
are computed per image and averaged over images. The target is never used to change an output,
except in the diagnostic ``psnr_gt_mean``.
"""

from llie_helpers.metrics.diagnosis import error_parts, true_and_false_detail
from llie_helpers.metrics.evaluation import Evaluation, evaluate
from llie_helpers.metrics.scores import ciede2000, lpips, match_gt_mean, psnr, ssim

__all__ = [
    "Evaluation",
    "ciede2000",
    "error_parts",
    "evaluate",
    "lpips",
    "match_gt_mean",
    "psnr",
    "ssim",
    "true_and_false_detail",
]
