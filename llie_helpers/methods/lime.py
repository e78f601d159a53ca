"""LIME: divide a photograph by a smooth map of its illumination."""

import cv2
import numpy as np
import torch
from torch import Tensor

from llie_helpers.errors import CourseError
from llie_helpers.images import Place, enlarge
from llie_helpers.methods.method import Method

# Pixels, longer side of the thumbnail on which the map is computed.
THUMBNAIL = 128
# Standard deviation of the Gaussian window, in pixels of the thumbnail, and the constant that
# keeps divisions finite, both as in the paper.
SIGMA, EPSILON = 2.0, 1e-3
# Of the guided filter: the side of its window, and a variance of values that is an edge.
WINDOW, EDGE = 5, 1e-4
# Least illumination, one level of 8 bits: black stays black.
DARKEST = 1 / 255


class LIME(Method):
    """Low-light image enhancement by illumination map estimation (Guo, Li and Ling, TIP 2017).

    The illumination is the brightest channel, smoothed where it has texture but not across edges
    (`smooth_illumination`), and the image is divided by ``illumination ** gamma``. The paper's
    denoising afterwards is left out. The map is computed on a thumbnail; at full size it is a
    linear function of the brightest channel, whose coefficients vary from place to place (He and
    Sun, "Fast guided filter", arXiv:1505.00996), so it follows the edges of the photograph.

    Args:
        gamma: 0 changes nothing, and 1 makes the illumination even; the paper takes 0.8.
        smoothness: weight of the map's gradients; the paper takes 0.15.

    Raises:
        CourseError: ``gamma`` is not in [0, 1], or ``smoothness`` is negative.
    """

    name = "lime"

    def __init__(self, gamma: float = 0.8, smoothness: float = 0.15) -> None:
        if not (0 <= gamma <= 1 and smoothness >= 0):
            raise CourseError(
                f"LIME got gamma {gamma} and smoothness {smoothness}, but it needs a gamma from 0 "
                "to 1 and a smoothness of at least 0; try 0.8 and 0.15."
            )
        self.gamma, self.smoothness = gamma, smoothness

    def prepare(self, whole: Tensor) -> Tensor:
        """Return maps ``(N, 2, h, w)`` of slope and offset: illumination from brightest channel."""
        scale = min(1.0, THUMBNAIL / max(whole.shape[-2:]))
        height, width = (max(1, round(side * scale)) for side in whole.shape[-2:])
        maps = []
        for brightest in whole.amax(dim=1).float().numpy():
            small = cv2.resize(brightest, (width, height), interpolation=cv2.INTER_AREA)
            maps.append(_linear_maps(small, smooth_illumination(small, self.smoothness)))
        return torch.from_numpy(np.stack(maps)).float()

    def enhance(self, part: Tensor, context: Tensor, place: Place) -> Tensor:
        slope, offset = enlarge(context, part.shape[-2:], place).split(1, dim=1)
        illumination = slope * part.amax(dim=1, keepdim=True) + offset
        return (part / illumination.clamp(DARKEST, 1) ** self.gamma).clamp(0, 1).to(part)


def smooth_illumination(brightest: np.ndarray, smoothness: float) -> np.ndarray:
    """Smooth a map ``(H, W)`` of the brightest channel, by the sped-up solver of LIME.

    Returns the map ``t`` that minimises ``sum (t - b) ** 2 + sum w_d (difference_d t) ** 2`` over
    both directions ``d``, where ``w_d = smoothness / (|mean_d| + eps) / (|difference_d b| + eps)``.
    ``mean_d`` is the mean of ``difference_d b`` under a Gaussian: it is small in texture, whose
    differences cancel, and large at edges (relative total variation, Xu et al., TOG 2012).
    """
    from scipy.sparse import diags_array, eye_array, kron
    from scipy.sparse.linalg import spsolve

    height, width = brightest.shape
    system = eye_array(height * width)
    for axis, side in enumerate(brightest.shape):
        step = np.diff(brightest.astype(np.float64), axis=axis, append=brightest.take([-1], axis))
        mean = cv2.GaussianBlur(step, (0, 0), SIGMA, borderType=cv2.BORDER_REPLICATE)
        weight = smoothness / (np.abs(mean) + EPSILON) / (np.abs(step) + EPSILON)
        weight[(slice(None),) * axis + (-1,)] = 0  # there is no pixel beyond the last
        along = eye_array(side, k=1) - eye_array(side)
        difference = kron(along, eye_array(width)) if axis == 0 else kron(eye_array(height), along)
        system += difference.T @ diags_array(weight.ravel()) @ difference
    return spsolve(system.tocsc(), brightest.ravel()).reshape(height, width)


def _linear_maps(guide: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return ``slope`` and ``offset``, ``(2, H, W)``: ``target`` is ``slope * guide + offset``."""

    def mean(image: np.ndarray) -> np.ndarray:
        return cv2.blur(image, (WINDOW, WINDOW), borderType=cv2.BORDER_REPLICATE)

    guide = guide.astype(np.float64)
    covariance = mean(guide * target) - mean(guide) * mean(target)
    slope = covariance / (mean(guide * guide) - mean(guide) ** 2 + EDGE)
    return np.stack([mean(slope), mean(mean(target) - slope * mean(guide))])
