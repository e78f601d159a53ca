"""Synthesise training pairs with random low light from well-lit photographs.

    normal -> to_linear -> expose by a map of stops -> white_balance (colour of the light)
           -> lamp_glare -> capture -> low

The steps are in `synthesis` and `lighting`. Images are ``(3, H, W)``, RGB, sRGB, in [0, 1], and
all randomness comes from the ``torch.Generator`` passed in, so one seed gives one pair.
"""

import math
from typing import NamedTuple

import torch

from llie_helpers.data import lighting
from llie_helpers.data.synthesis import (
    capture,
    expose,
    jpeg,
    to_linear,
    to_srgb,
    tone,
    white_balance,
)
from llie_helpers.images import quantise

Range = tuple[float, float]
Gains = tuple[float, float, float]

# The kinds of pairs and their probabilities.
KINDS = {"unchanged": 0.1, "uniform": 0.36, "lamp": 0.11, "backlit": 0.43}

# Stops that the whole picture loses: alone, and besides those by a lamp.
UNIFORM_STOPS: Range = (0.5, 6.0)
LAMP_STOPS: Range = (0.0, 2.5)
# A backlit picture loses none in half of the draws, which are clamped at 0.
BACKLIT_STOPS: Range = (-1.0, 1.0)
# Standard deviation of the smooth field of light, in stops, and its cells.
UNIFORM_FIELD: Range = (0.0, 0.6)
LAMP_FIELD: Range = (0.0, 0.3)
BACKLIT_FIELD: Range = (0.0, 0.4)
FIELD_CELLS: Range = (2, 6)
# A lamp: its reach and ambient light, and the factor of its fall-off in stops, below 1 because
# walls reflect.
REACH: Range = (0.1, 0.4)
AMBIENT: Range = (0.0, 0.1)
FALLOFF: Range = (0.5, 1.0)
# Backlight, see `lighting.backlight_stops`.
DEPTH: Range = (1.5, 5.0)
LEVEL: Range = (0.5, 0.95)
SOFTNESS: Range = (0.4, 1.2)
# Standard deviation of warmth and tint of the light.
COLOUR = 0.1
# A lamp in the picture: how often, its radius and its warmth.
GLARE_SHARE = 0.2
GLARE_RADIUS: Range = (0.01, 0.08)
GLARE_WARMTH: Range = (0.0, 0.25)
# The camera. The others have almost no noise, so that 8-bit quantisation is visible.
NOISY_SHARE = 0.85
PHOTONS: Range = (400, 20_000)
READ_SIGMA: Range = (0.0005, 0.004)
CLEAN_PHOTONS, CLEAN_READ_SIGMA = 1e6, 1e-4
GRAINY_SHARE = 0.5
GRAIN: Range = (0.6, 2.5)
CONTRAST: Range = (1.0, 1.35)
JPEG_SHARE = 0.3
JPEG_QUALITY: Range = (70, 98)
# Unchanged pictures: stops of light gained, and white or black strips along a side, like skies,
# frames and captions; a few cover everything.
UNCHANGED_STOPS: Range = (-0.2, 0.8)
UNCHANGED_QUALITY: Range = (80, 98)
STRIP_SHARE = 0.3
WHITE_SHARE = 0.7
STRIP: Range = (0.05, 0.5)
FULL_STRIP_SHARE = 0.05


class Scene(NamedTuple):
    """The light of a scene and the camera that photographs it, see `synthesis.capture`."""

    stops: torch.Tensor  # of light lost, (H, W), at least 0
    colour: Gains  # of the light
    glare: torch.Tensor  # light of a lamp in the picture, (3, H, W), 0 without one
    photons: float
    read_sigma: float
    grain: float
    contrast: float
    jpeg_quality: int | None


def draw_pair(
    normal: torch.Tensor, kind: str, generator: torch.Generator | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a random pair ``(low, normal)`` of one of the `KINDS` from a photograph.

    Both are on the 256 levels of a file. An "unchanged" pair needs no enhancement: both are
    the same up to JPEG compression. The others come from `draw_scene` and `relight`.
    """
    if kind == "unchanged":
        return _draw_unchanged(normal, generator)
    return relight(normal, draw_scene(normal, kind, generator), generator)


def draw_kind(generator: torch.Generator | None = None) -> str:
    """Draw one of `KINDS` with its probability."""
    shares = torch.tensor(list(KINDS.values()))
    return list(KINDS)[int(torch.multinomial(shares, 1, generator=generator))]


def draw_scene(normal: torch.Tensor, kind: str, generator: torch.Generator | None = None) -> Scene:
    """Return a random scene for a photograph.

    The light of kind "uniform" varies only by a smooth field, that of "lamp" falls off from a lamp,
    and in "backlit" the highlights keep theirs. Some scenes have a lamp in the picture, which for
    kind "lamp" is the source of the light.
    """
    size = (normal.shape[-2], normal.shape[-1])
    contrast = _uniform(CONTRAST, generator)
    field = lighting.light_field(size, int(_uniform(FIELD_CELLS, generator)), generator)
    y, x = torch.rand(2, generator=generator).tolist()
    if kind == "uniform":
        stops = _uniform(UNIFORM_STOPS, generator) + _uniform(UNIFORM_FIELD, generator) * field
    elif kind == "lamp":
        reach, ambient = _uniform(REACH, generator), _uniform(AMBIENT, generator)
        stops = _uniform(FALLOFF, generator) * lighting.lamp_stops(size, y, x, reach, ambient)
        stops += _uniform(LAMP_STOPS, generator) + _uniform(LAMP_FIELD, generator) * field
    else:
        ranges = (DEPTH, LEVEL, SOFTNESS)
        depth, level, softness = (_uniform(range_, generator) for range_ in ranges)
        linear = to_linear(tone(normal, 1 / contrast))
        stops = lighting.backlight_stops(linear, depth, level, softness)
        # The field spares the highlights too, or skies would have dark clouds.
        stops += _uniform(BACKLIT_FIELD, generator) * field * (stops / depth)
        stops += max(0.0, _uniform(BACKLIT_STOPS, generator))
    warmth, tint = (COLOUR * torch.randn(2, generator=generator)).tolist()
    glare = torch.zeros(3, *size)
    if _happens(GLARE_SHARE, generator):
        gains = lighting.light_colour(_uniform(GLARE_WARMTH, generator))
        glare = lighting.lamp_glare(size, y, x, _log_uniform(GLARE_RADIUS, generator), gains)
    noisy = _happens(NOISY_SHARE, generator)
    return Scene(
        stops=stops.clamp(min=0),
        colour=lighting.light_colour(warmth, tint),
        glare=glare,
        photons=_log_uniform(PHOTONS, generator) if noisy else CLEAN_PHOTONS,
        read_sigma=_log_uniform(READ_SIGMA, generator) if noisy else CLEAN_READ_SIGMA,
        grain=_log_uniform(GRAIN, generator) if _happens(GRAINY_SHARE, generator) else 1.0,
        contrast=contrast,
        jpeg_quality=_draw_quality(JPEG_QUALITY, generator),
    )


def relight(
    normal: torch.Tensor, scene: Scene, generator: torch.Generator | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a photograph in the light of ``scene``, and in full light.

    A lamp in the picture is equally bright in both.
    """
    linear = to_linear(tone(normal, 1 / scene.contrast))
    dark = white_balance(expose(linear, -scene.stops), scene.colour) + scene.glare
    low = capture(
        dark,
        scene.photons,
        scene.read_sigma,
        scene.grain,
        contrast=scene.contrast,
        jpeg_quality=scene.jpeg_quality,
        generator=generator,
    )
    return low, quantise(tone(to_srgb(linear + scene.glare), scene.contrast))


def add_strip(image: torch.Tensor, value: float, share: float, side: int) -> torch.Tensor:
    """Return ``image`` with a strip of ``value`` over ``share`` of it, along one of four sides."""
    turned = image.rot90(side, (-2, -1)).clone()
    turned[..., : round(share * turned.shape[-2]), :] = value
    return turned.rot90(-side, (-2, -1))


def _draw_unchanged(
    normal: torch.Tensor, generator: torch.Generator | None
) -> tuple[torch.Tensor, torch.Tensor]:
    same = to_srgb(expose(to_linear(normal), _uniform(UNCHANGED_STOPS, generator)))
    if _happens(STRIP_SHARE, generator):
        value = float(_happens(WHITE_SHARE, generator))
        full = _happens(FULL_STRIP_SHARE, generator)
        share = 1.0 if full else _uniform(STRIP, generator)
        same = add_strip(same, value, share, int(torch.randint(4, (), generator=generator)))
    same = quantise(same)
    quality = _draw_quality(UNCHANGED_QUALITY, generator)
    return (same if quality is None else jpeg(same, quality)), same


def _draw_quality(qualities: Range, generator: torch.Generator | None) -> int | None:
    return round(_uniform(qualities, generator)) if _happens(JPEG_SHARE, generator) else None


def _happens(share: float, generator: torch.Generator | None) -> bool:
    return float(torch.rand((), generator=generator)) < share


def _uniform(range_: Range, generator: torch.Generator | None) -> float:
    low, high = range_
    return low + (high - low) * float(torch.rand((), generator=generator))


def _log_uniform(range_: Range, generator: torch.Generator | None) -> float:
    low, high = range_
    return math.exp(_uniform((math.log(low), math.log(high)), generator))
