"""Enhancement without learning: the baselines that every network has to beat.

Pure functions on images (N, 3, H, W) or (3, H, W), float, RGB, in [0, 1]; the output has
the same shape, type and device. OpenCV works on 8-bit images, as these methods were
defined, so the last three round their input to 8 bits first.
"""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

from llie_helpers.errors import CourseError


def identity(image: Tensor) -> Tensor:
    """The input as it is: the score of doing nothing."""
    return image


def gamma(image: Tensor, gamma: float = 0.5) -> Tensor:
    """``image ** gamma``: below 1 brightens, dark tones most; 1 changes nothing.

    Raises:
        CourseError: ``gamma`` is not positive.
    """
    if not gamma > 0:
        raise CourseError(f"gamma is {gamma}, but it must be positive; try 0.5.")
    return image.clamp(0, 1) ** gamma


def histogram_equalisation(image: Tensor) -> Tensor:
    """Spread the lightness of each image evenly over its range; colours stay.

    The L channel of CIELAB goes through its own cumulative histogram (Gonzalez and Woods,
    Digital Image Processing, section 3.3).
    """
    return _each(image, lambda rgb: _on_lightness(rgb, cv2.equalizeHist))


def clahe(image: Tensor, clip: float = 2.0, tiles: int = 8) -> Tensor:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994).

    Equalises the L channel of CIELAB in each of ``tiles`` x ``tiles`` regions and blends
    between them; histogram counts above ``clip`` times the mean count are shared out, so
    that noise in flat regions is not blown up.

    Raises:
        CourseError: ``clip`` or ``tiles`` is not positive.
    """
    if clip <= 0 or tiles < 1:
        raise CourseError(
            f"CLAHE got clip {clip} and {tiles} tiles, but both must be positive; try 2.0 and 8."
        )
    equaliser = cv2.createCLAHE(clipLimit=clip, tileGridSize=(tiles, tiles))
    return _each(image, lambda rgb: _on_lightness(rgb, equaliser.apply))


def retinex(
    image: Tensor, sigmas: tuple[float, ...] = (15.0, 80.0, 250.0), clip: float = 0.01
) -> Tensor:
    """Multi-scale Retinex (Jobson, Rahman and Woodell, IEEE TIP 1997); one sigma: single-scale.

    Illumination is estimated as a Gaussian blur, and reflectance is what remains,
    ``mean over sigmas of log(I) - log(blur(I, sigma))``. In place of the paper's fixed gain
    and offset, the log ratios are stretched to [0, 1] over all three channels at once,
    leaving out the ``clip`` share at either end.

    Args:
        sigmas: widths of the blurs in pixels; the paper takes 15, 80 and 250.
        clip: share of values saturated at each end, in [0, 0.5).

    Raises:
        CourseError: no sigma, one that is not positive, or ``clip`` out of range.
    """
    if not sigmas or min(sigmas) <= 0 or not 0 <= clip < 0.5:
        raise CourseError(
            f"Retinex got sigmas {sigmas} and clip {clip}, but it needs at least one positive "
            "sigma and a clip in [0, 0.5); try (15, 80, 250) and 0.01."
        )

    def enhance(rgb: np.ndarray) -> np.ndarray:
        light = rgb.astype(np.float32) + 1  # so that black has a logarithm
        log_blurs = [np.log(_blur(light, sigma)) for sigma in sigmas]
        ratio = np.log(light) - np.mean(log_blurs, axis=0)
        low, high = np.quantile(ratio, [clip, 1 - clip])
        return np.clip((ratio - low) / max(high - low, 1e-6), 0, 1)

    return _each(image, enhance)


CLASSICAL: dict[str, Callable[..., Tensor]] = {
    "identity": identity,
    "gamma": gamma,
    "histogram_equalisation": histogram_equalisation,
    "clahe": clahe,
    "retinex": retinex,
}


def _each(image: Tensor, function: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """Apply ``function``, from uint8 RGB (H, W, 3) to uint8 or float in [0, 1], to each image."""
    levels = (image.detach().clamp(0, 1) * 255).round().to(torch.uint8)
    batch = levels.reshape(-1, *image.shape[-3:]).permute(0, 2, 3, 1).cpu().numpy()
    outputs = [function(np.ascontiguousarray(rgb)) for rgb in batch]
    result = torch.from_numpy(np.stack(outputs)).permute(0, 3, 1, 2).reshape(image.shape)
    scale = 255 if result.dtype == torch.uint8 else 1
    return result.to(image) / scale


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of a float (H, W, 3) array; a wide one, which holds no detail, on a small copy.

    The exact filter of sigma 250 has 2001 taps and takes seconds per megapixel.
    """
    height, width = image.shape[:2]
    shrink = max(1.0, sigma / 8)
    size = max(1, round(width / shrink)), max(1, round(height / shrink))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / shrink), (width, height))


def _on_lightness(rgb: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply ``function`` to the L channel of CIELAB; all arrays are uint8."""
    lightness, a, b = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB))
    return cv2.cvtColor(cv2.merge([function(lightness), a, b]), cv2.COLOR_LAB2RGB)
