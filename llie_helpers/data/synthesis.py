"""The physics of darkness: from a photograph in daylight to the same one in the dark.

A camera counts photons, so every step but the last few happens in linear light:

    normal -> to_linear -> expose
           -> shot_noise -> read_noise -> quantise (sensor)
           -> white_balance -> to_srgb -> tone -> quantise (file) -> jpeg -> low

`darken` goes all the way and `capture` everything after the light. Light that varies over the
scene is in `lighting`, and random darkness to train on in `relighting`.

Images are float tensors ``(..., 3, H, W)``, RGB; 0 is black and 1 is white, which in
linear light means a full pixel. Randomness comes from the ``torch.Generator`` passed
in, so one seed gives one image.

Papers:
    Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting for
        single-image raw-data", IEEE TIP 2008.
    Brooks et al., "Unprocessing images for learned raw denoising", CVPR 2019.
    Wei et al., "A physics-based noise formation model for extreme low-light raw
        denoising", CVPR 2020.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from llie_helpers.errors import CourseError
from llie_helpers.images import quantise, to_float, to_uint8

SENSOR_BITS = 12  # depth of the sensor's converter


def to_linear(srgb: torch.Tensor) -> torch.Tensor:
    """Undo the sRGB curve: ``((s + 0.055) / 1.055) ** 2.4``, and ``s / 12.92`` near black.

    ``srgb`` and the result have the same shape and are in [0, 1]. Source: IEC 61966-2-1.
    """
    curve = ((srgb.clamp(min=0.0) + 0.055) / 1.055) ** 2.4
    return torch.where(srgb <= 0.04045, srgb / 12.92, curve)


def to_srgb(linear: torch.Tensor) -> torch.Tensor:
    """Apply the sRGB curve: ``1.055 * l ** (1 / 2.4) - 0.055``, and ``12.92 l`` near black.

    The inverse of `to_linear`. Source: IEC 61966-2-1.
    """
    # The clamp keeps the root's slope finite at 0, where the straight part is taken.
    curve = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, curve)


def expose(linear: torch.Tensor, stops: float | torch.Tensor) -> torch.Tensor:
    """Multiply the light by ``2 ** stops``: -1 halves the shutter time, +1 doubles it.

    Stops add up, and the result is not clipped: a value above 1 overflows its pixel. A map
    ``(H, W)`` of stops changes the light from place to place.
    """
    return linear * 2.0**stops


def shot_noise(
    linear: torch.Tensor, photons: float, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Count photons one by one: ``Poisson(photons * x) / photons`` with ``x`` at least 0.

    ``photons`` is what a white pixel holds (its full well, in photo-electrons). The mean
    stays ``x`` and the variance is ``x / photons``: noise grows with the root of the
    signal, so it is the dark parts whose signal drowns. Source: Foi et al. 2008.

    Raises:
        CourseError: ``photons`` is not positive.
    """
    if not photons > 0:
        raise CourseError(f"photons is {photons}, but it must be positive; try 2000.")
    return torch.poisson(linear.clamp(min=0.0) * photons, generator=generator) / photons


def read_noise(
    linear: torch.Tensor, sigma: float, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Add what the electronics add, light or no light: ``x + Normal(0, sigma ** 2)``.

    ``sigma`` is in units of a white pixel. The result may be negative, as a sensor's is
    before its black level is clipped. Sources: Foi et al. 2008; Wei et al. 2020.
    """
    noise = torch.randn(linear.shape, generator=generator, dtype=linear.dtype, device=linear.device)
    return linear + sigma * noise


def grainy_noise(
    linear: torch.Tensor,
    photons: float,
    read_sigma: float,
    grain: float = 1.0,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Add shot and read noise whose grain is ``grain`` pixels wide.

    At 1 each pixel has its own noise, of variance ``x / photons + read_sigma ** 2``. Above 1 it
    is that of a photograph of ``1 / grain`` the size that was enlarged after it was taken: noise
    in blotches, as demosaicing and denoising leave it too. Below 1 it is that of a larger
    photograph that was reduced, finer and weaker. Details of the image stay sharp.

    Args:
        linear: image ``(..., 3, H, W)``, linear light.
        photons: full well of a pixel, see `shot_noise`.
        read_sigma: noise of the electronics, see `read_noise`.
        grain: width of a grain in pixels, such as 0.5 to 3.
        generator: source of the noise.
    """
    images = linear.reshape(-1, *linear.shape[-3:])
    size = [max(1, round(side / grain)) for side in linear.shape[-2:]]
    if size == list(linear.shape[-2:]):
        return read_noise(shot_noise(linear, photons, generator), read_sigma, generator)
    taken = _resize(images, size).clamp(min=0.0)
    noise = read_noise(shot_noise(taken, photons, generator), read_sigma, generator) - taken
    return linear + _resize(noise, linear.shape[-2:]).view(linear.shape)


def _resize(images: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    return F.interpolate(images, tuple(size), mode="bicubic", antialias=True)


def white_balance(linear: torch.Tensor, gains: Sequence[float]) -> torch.Tensor:
    """Multiply red, green and blue by one gain each (von Kries' rule; Brooks et al. 2019).

    Gains that do not suit the light leave a colour cast, common where light is scarce.
    """
    return linear * linear.new_tensor(gains).view(3, 1, 1)


def tone(image: torch.Tensor, contrast: float) -> torch.Tensor:
    """Apply an S-shaped tone curve: ``x ** c / (x ** c + (1 - x) ** c)`` for x in [0, 1].

    ``contrast`` c is the slope at mid-grey: 1 changes nothing, and ``1 / c`` is the exact
    inverse of ``c``. At 1.5 it is close to the smoothstep ``3 x ** 2 - 2 x ** 3`` that
    Brooks et al. 2019 take for a camera's tone curve.

    Raises:
        CourseError: ``contrast`` is not in [0.1, 10].
    """
    _check_contrast(contrast)
    image = image.clamp(0.0, 1.0)
    rising = image**contrast
    return rising / (rising + (1.0 - image) ** contrast)


def _check_contrast(contrast: float) -> None:
    # Far beyond, the powers of mid-grey are 0.
    if not 0.1 <= contrast <= 10:
        raise CourseError(f"contrast is {contrast}, but it must be from 0.1 to 10; try 1.")


def jpeg(image: torch.Tensor, quality: int) -> torch.Tensor:
    """Save as JPEG at ``quality`` (1 to 100) and read back, in memory; 8 bits per channel."""
    coded = []
    for one in image.reshape(-1, *image.shape[-3:]):
        bgr = cv2.cvtColor(to_uint8(one), cv2.COLOR_RGB2BGR)
        _, file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR))
        coded.append(to_float(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)))
    return torch.stack(coded).view(image.shape).to(image)


def darken(
    normal: torch.Tensor,
    stops: float,
    photons: float = 2000.0,
    read_sigma: float = 0.001,
    gains: Sequence[float] = (1.0, 1.0, 1.0),
    contrast: float = 1.0,
    jpeg_quality: int | None = None,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Return the photograph ``normal`` as a camera would have taken it with less light.

    Args:
        normal: sRGB image ``(..., 3, H, W)`` in [0, 1].
        stops: how much darker; 3 means an eighth of the light.
        photons: full well of a pixel, see `shot_noise`; fewer means more noise.
        read_sigma: noise of the electronics, see `read_noise`.
        gains: colour cast of the dark photograph, see `white_balance`.
        contrast: the camera's tone curve, undone before and applied after; see `tone`.
        jpeg_quality: save the dark photograph as JPEG; None leaves it lossless.
        generator: source of the noise; the same seed gives the same image.

    Returns:
        sRGB image of the same shape in [0, 1], on the 256 levels of a file.

    Raises:
        CourseError: ``photons`` or ``contrast`` is out of range; see `shot_noise` and `tone`.
    """
    _check_contrast(contrast)
    linear = expose(to_linear(tone(normal, 1.0 / contrast)), -stops)
    return capture(
        linear,
        photons,
        read_sigma,
        gains=gains,
        contrast=contrast,
        jpeg_quality=jpeg_quality,
        generator=generator,
    )


def capture(
    linear: torch.Tensor,
    photons: float = 2000.0,
    read_sigma: float = 0.001,
    grain: float = 1.0,
    gains: Sequence[float] = (1.0, 1.0, 1.0),
    contrast: float = 1.0,
    jpeg_quality: int | None = None,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Return the sRGB photograph that a camera takes of ``linear``, the light on its sensor.

    Shapes, ranges and arguments are those of `darken`; ``grain`` is that of `grainy_noise`.
    """
    counted = grainy_noise(linear, photons, read_sigma, grain, generator)
    balanced = white_balance(quantise(counted, SENSOR_BITS), gains)
    low = quantise(tone(to_srgb(balanced), contrast), bits=8)
    return low if jpeg_quality is None else jpeg(low, jpeg_quality)
