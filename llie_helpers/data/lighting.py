"""The light of a scene: its variation over the picture, its colour, and visible lamps.

Images are float tensors ``(3, H, W)``, RGB, in linear light, where 1 is white. Differences of
light are maps of stops ``(H, W)``: ``expose(linear, -stops)`` of `synthesis` leaves ``2 ** -stops``
of the light. Randomness comes from the ``torch.Generator`` passed in.
"""

import math

import torch
from torch.nn import functional as F

Size = tuple[int, int]

# Pixels, longer side of the thumbnail on which surfaces are separated.
THUMBNAIL = 100
# A difference of root luminance that separates two surfaces; less is texture.
EDGE = 0.1
# Least luminance of a highlight, so that a black picture has none.
LEAST_HIGHLIGHT = 0.02
# Linear light of a lamp's disc, enough to clip any colour, and of the glare around its centre.
DISC, GLARE = 2.0, 0.3


def light_field(size: Size, cells: int, generator: torch.Generator | None = None) -> torch.Tensor:
    """Return a smooth random map ``(H, W)`` with mean 0 and standard deviation 1.

    ``cells`` x ``cells`` standard normal numbers (2 x 2 or more), enlarged to ``size`` by bicubic
    interpolation: value noise, after Perlin, "An image synthesizer", SIGGRAPH 1985. The more
    cells, the faster the light changes from place to place.
    """
    coarse = torch.randn(1, 1, cells, cells, generator=generator)
    field = F.interpolate(coarse, size, mode="bicubic")[0, 0]
    return (field - field.mean()) / field.std(correction=0).clamp(min=1e-3)


def lamp_stops(size: Size, y: float, x: float, reach: float, ambient: float = 0.0) -> torch.Tensor:
    """Return by how many stops ``(H, W)`` each pixel is darker than the one next to the lamp.

    ``-log2((1 - a) / (1 + (d / r) ** 2) + a)``: the inverse-square law for a lamp at a distance
    ``r`` in front of a wall, at distance ``d`` along the wall, with a share ``a`` of ambient light.

    Args:
        size: height and width in pixels.
        y: where the lamp is, as a fraction of the height.
        x: where the lamp is, as a fraction of the width.
        reach: ``r``, in units of the longer side.
        ambient: ``a``, in [0, 1].
    """
    falloff = 1 / (1 + _squared_distance(size, y, x) / reach**2)
    return -((1 - ambient) * falloff + ambient).log2()


def backlight_stops(
    linear: torch.Tensor, depth: float, level: float, softness: float = 0.8
) -> torch.Tensor:
    """Return the stops ``(H, W)`` that a scene loses when it is exposed for its highlights.

    ``depth * (1 - min(b / h, 1) ** s)``, where ``b`` is the luminance of the surface and ``h`` its
    quantile at ``level``. Brighter surfaces keep their light, and black loses ``depth`` stops. A
    guided filter separates the surfaces: it removes texture and keeps edges, so that the sky
    causes no halos around objects in front of it. Source: He and Sun, "Fast guided filter",
    arXiv:1505.00996.

    Args:
        linear: image ``(3, H, W)`` in [0, 1], linear light.
        depth: stops that the shadows lose, 2 to 5 in a backlit photograph.
        level: share of the picture that is darker than the highlights, in [0, 1].
        softness: ``s``; a higher value darkens mid-tones more.
    """
    # The root approximates perceived brightness, in which edges are measured.
    luminance = linear.mean(dim=0)[None, None].clamp(min=0).sqrt()
    height, width = linear.shape[-2:]
    scale = min(1.0, THUMBNAIL / max(height, width))
    size = (max(1, round(scale * height)), max(1, round(scale * width)))
    small = F.adaptive_avg_pool2d(luminance, size)
    mean = _blur(small)
    variance = _blur(small.square()) - mean.square()
    slope = variance / (variance + EDGE**2)
    slope, offset = _blur(slope), _blur((1 - slope) * mean)
    highlight = (slope * small + offset).square().quantile(level).clamp(min=LEAST_HIGHLIGHT)
    slope, offset = (F.interpolate(m, (height, width), mode="bilinear") for m in (slope, offset))
    surface = (slope * luminance + offset)[0, 0].square()
    return depth * (1 - (surface / highlight).clamp(max=1) ** softness)


def light_colour(warmth: float, tint: float = 0.0) -> tuple[float, float, float]:
    """Return gains of red, green and blue, for `synthesis.white_balance`; their logs sum to 0.

    In proportion ``exp(warmth) : exp(tint) : exp(-warmth)``, by von Kries' rule. Under a white
    balance for daylight (D65), ``warmth`` is about 0.24 for horizon light (D50), -0.1
    for shade (D75) and 1.0 for a tungsten bulb (A). A positive ``tint`` is greenish, like
    fluorescent light. Source: CIE 15, white points of standard illuminants.
    """
    third = tint / 3
    return math.exp(warmth - third), math.exp(2 * third), math.exp(-warmth - third)


def lamp_glare(
    size: Size,
    y: float,
    x: float,
    radius: float,
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> torch.Tensor:
    """Return the light ``(3, H, W)`` that a lamp in the picture adds, in linear light.

    A disc that is more than white, and ``0.3 / (1 + (d / r) ** 2) ** 1.5`` of glare around it, a
    Moffat profile. Sources: Moffat, "A theoretical investigation of focal stellar images in the
    photographic emulsion", A&A 1969; Talvala et al., "Veiling glare in high dynamic range
    imaging", SIGGRAPH 2007.

    Args:
        size: height and width in pixels.
        y: where the lamp is, as a fraction of the height.
        x: where the lamp is, as a fraction of the width.
        radius: ``r``, that of the disc, in units of the longer side.
        gains: the lamp's colour, see `light_colour`.
    """
    distance = _squared_distance(size, y, x).sqrt() / radius
    # The edge of the disc is about a pixel wide.
    disc = torch.sigmoid((1 - distance) * radius * max(size))
    light = DISC * disc + GLARE / (1 + distance.square()) ** 1.5
    return light * torch.tensor(gains).view(3, 1, 1)


def _blur(image: torch.Tensor) -> torch.Tensor:
    """Average over 5 x 5 pixels, twice, for a rounder window."""
    for _ in range(2):
        image = F.avg_pool2d(F.pad(image, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    return image


def _squared_distance(size: Size, y: float, x: float) -> torch.Tensor:
    """Return squared distances of pixel centres from a point, in units of the longer side."""
    height, width = size
    rows = (torch.arange(height) + 0.5 - y * height) / max(size)
    columns = (torch.arange(width) + 0.5 - x * width) / max(size)
    return rows.square()[:, None] + columns.square()
