"""Classical enhancement methods: the baselines that every network has to beat.

Each is a `Method`; `clahe` and the like are those with default options. The output has the shape,
type and device of the image. OpenCV works on 8-bit images, so histogram equalisation, CLAHE and
Retinex round their input to 8 bits first.
"""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

from llie_helpers.errors import CourseError
from llie_helpers.images import Place, enlarge, to_uint8
from llie_helpers.methods.lime import LIME
from llie_helpers.methods.method import Method

# Retinex computes quantiles of about this many pixels, on a regular grid in larger photographs.
QUANTILE_PIXELS = 2**22


class Identity(Method):
    """Leave images as they are."""

    name = "identity"

    def enhance(self, part: Tensor, context: None, place: Place) -> Tensor:
        return part


class Gamma(Method):
    """Raise each value to the power ``gamma``; below 1, this brightens dark values most.

    Raises:
        CourseError: ``gamma`` is not positive.
    """

    name = "gamma"

    def __init__(self, gamma: float = 0.5) -> None:
        if not gamma > 0:
            raise CourseError(f"gamma is {gamma}, but it must be positive; try 0.5.")
        self.gamma = gamma

    def enhance(self, part: Tensor, context: None, place: Place) -> Tensor:
        return part.clamp(0, 1) ** self.gamma


class _Equalisation(Method):
    """Replace the CIELAB lightness of each pixel by that of the equalised whole image."""

    def __init__(self, equalise: Callable[[np.ndarray], np.ndarray]) -> None:
        self.equalise = equalise

    def prepare(self, whole: Tensor) -> Tensor:
        """Return the equalised lightness of whole images, ``(N, H, W)`` uint8."""
        lightness = [cv2.extractChannel(_to_lab(image), 0) for image in whole]
        return torch.from_numpy(np.stack([self.equalise(each) for each in lightness]))

    def enhance(self, part: Tensor, context: Tensor, place: Place) -> Tensor:
        height, width = context.shape[1:]
        top, bottom = (round(float(side) * height) for side in (place.top, place.bottom))
        left, right = (round(float(side) * width) for side in (place.left, place.right))
        enhanced = torch.empty_like(part)
        for target, image, lightness in zip(enhanced, part, context, strict=True):
            lab = cv2.insertChannel(lightness[top:bottom, left:right].numpy(), _to_lab(image), 0)
            rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
            target.copy_(torch.from_numpy(rgb).permute(2, 0, 1)).div_(255)
        return enhanced


class HistogramEqualisation(_Equalisation):
    """Equalise the lightness histogram of each image.

    The L channel of CIELAB is mapped by its cumulative histogram (Gonzalez and Woods, Digital Image
    Processing, section 3.3).
    """

    name = "histogram_equalisation"

    def __init__(self) -> None:
        super().__init__(cv2.equalizeHist)


class CLAHE(_Equalisation):
    """Contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994).

    Equalises the L channel of CIELAB in each of ``tiles`` x ``tiles`` regions and interpolates
    between them. Histogram counts above ``clip`` times the mean count are redistributed, so that
    noise in flat regions is not amplified.

    Raises:
        CourseError: ``clip`` or ``tiles`` is not positive.
    """

    name = "clahe"

    def __init__(self, clip: float = 2.0, tiles: int = 8) -> None:
        if not clip > 0 or tiles < 1:
            raise CourseError(
                f"CLAHE got clip {clip} and {tiles} tiles, but both must be positive; "
                "try 2.0 and 8."
            )
        super().__init__(cv2.createCLAHE(clipLimit=clip, tileGridSize=(tiles, tiles)).apply)


class Retinex(Method):
    """Multi-scale Retinex (Jobson, Rahman and Woodell, IEEE TIP 1997); one sigma: single-scale.

    Illumination is estimated by a Gaussian blur, and reflectance is the log ratio
    ``mean over sigmas of log(I) - log(blur(I, sigma))``. Instead of the paper's fixed gain and
    offset, the log ratios of all three channels together are stretched to [0, 1], with the
    ``clip`` share saturated at either end. A uniform image, which has nothing to stretch, stays as
    it is.

    Args:
        sigmas: standard deviations of the blurs in pixels, by default those of the paper.
        clip: share of values saturated at each end, in [0, 0.5).

    Raises:
        CourseError: there is no sigma, a sigma is not positive, or ``clip`` is out of range.
    """

    name = "retinex"

    def __init__(self, sigmas: tuple[float, ...] = (15.0, 80.0, 250.0), clip: float = 0.01) -> None:
        if not sigmas or not min(sigmas) > 0 or not 0 <= clip < 0.5:
            raise CourseError(
                f"Retinex got sigmas {sigmas} and clip {clip}, but it needs at least one positive "
                "sigma and a clip in [0, 0.5); try (15, 80, 250) and 0.01."
            )
        self.sigmas, self.clip = sigmas, clip

    def prepare(self, whole: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return a small map of the illumination for each sigma, and the range of log ratios."""
        height, width = whole.shape[-2:]
        blurs = [[_blur(light, sigma) for sigma in self.sigmas] for light in map(_light, whole)]
        maps = tuple(torch.stack(each) for each in zip(*blurs, strict=True))
        step = int(np.ceil((height * width / QUANTILE_PIXELS) ** 0.5))
        sample = whole[..., ::step, ::step]
        # The place that is covered by pixels of ``step`` x ``step`` around the sampled ones.
        top, left = (1 - step) / 2 / height, (1 - step) / 2 / width
        rows, columns = sample.shape[-2:]
        place = Place(top, left, top + rows * step / height, left + columns * step / width)
        ratios = self._log_ratio(sample, maps, place).flatten(1).numpy()
        ends = np.quantile(ratios, [self.clip, 1 - self.clip], axis=1)
        return maps, torch.from_numpy(ends).float()

    def enhance(
        self, part: Tensor, context: tuple[tuple[Tensor, ...], Tensor], place: Place
    ) -> Tensor:
        maps, (low, high) = context
        low, high = low[:, None, None, None], high[:, None, None, None]
        ratio = self._log_ratio(part, maps, place)
        span = high - low
        stretched = ratio.sub_(low).div_(span.clamp_min(1e-6)).clamp_(0, 1).to(part)
        return torch.where(span > 1e-4, stretched, part)

    def _log_ratio(self, part: Tensor, maps: tuple[Tensor, ...], place: Place) -> Tensor:
        light = torch.stack([torch.from_numpy(_light(image)).permute(2, 0, 1) for image in part])
        blurs = [enlarge(each, part.shape[-2:], place).log_() for each in maps]
        return light.log_() - torch.stack(blurs).mean(dim=0)


identity = Identity()
histogram_equalisation = HistogramEqualisation()
clahe = CLAHE()
retinex = Retinex()


def gamma(image: Tensor, gamma: float = 0.5) -> Tensor:
    """Return ``image ** gamma``, as `Gamma` does."""
    return Gamma(gamma)(image)


METHODS: dict[str, Callable[..., Method]] = {
    method.name: method for method in (Identity, Gamma, HistogramEqualisation, CLAHE, Retinex, LIME)
}


def _to_lab(image: Tensor) -> np.ndarray:
    return cv2.cvtColor(to_uint8(image), cv2.COLOR_RGB2LAB)


def _light(image: Tensor) -> np.ndarray:
    """Return levels ``(H, W, 3)`` float32 from 1 to 256, whose logarithm is finite."""
    light = to_uint8(image).astype(np.float32)
    light += 1
    return light


def _blur(image: np.ndarray, sigma: float) -> Tensor:
    """Blur a float (H, W, 3) array to (3, h, w), reduced in size if the blur is wide.

    At full size, the filter of sigma 250 has 2001 taps and takes seconds per megapixel.
    """
    height, width = image.shape[:2]
    shrink = max(1.0, sigma / 8)
    size = max(1, round(width / shrink)), max(1, round(height / shrink))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return torch.from_numpy(cv2.GaussianBlur(small, (0, 0), sigma / shrink)).permute(2, 0, 1)
