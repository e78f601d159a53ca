"""The lighting scenes: a test set of the embedded test photographs in dark, backlit and full light.

Light and camera are those of `relighting`, with fixed seeds. No network is trained on these
photographs; one that is trained on other photographs by the same physics has an advantage.
"""

import math
import zlib
from functools import cache, partial

import torch

from llie_helpers.data import lighting
from llie_helpers.data.embedded import PHOTOGRAPHS, SPLITS, photograph
from llie_helpers.data.pairs import Lazy, Pairs, RawPair
from llie_helpers.data.relighting import Scene, relight
from llie_helpers.data.synthesis import expose, to_linear, to_srgb, tone
from llie_helpers.images import to_float, to_uint8

# Stops of each kind: that a dark scene loses, that the shadows of a backlit one lose, and that a
# scene in full light gains, which clips some highlights to white.
KINDS = {"dark": (2.0, 3.0, 4.0, 5.0), "backlit": (2.0, 3.0, 4.0, 5.0), "full": (0.0, 0.7)}
# Smooth variation of a dark scene's light, in stops, and of the colour of light (log gains).
FIELD, COLOUR = 0.3, 0.07
CONTRAST = 1.15
PHOTONS = (600, 10_000)
READ_SIGMA = 0.0015
GRAINS = (0.8, 1.0, 1.6)
# Shares of a backlit picture that are darker than its highlights.
LEVELS = (0.6, 0.75, 0.9)


def lighting_scenes() -> dict[str, Pairs]:
    """Return the pairs of each of `KINDS`; a pair in full light is the same image twice.

    A pair's name, such as ``"coffee_backlit_3"``, is photograph, kind and stops.
    """
    return {kind: _pairs(kind) for kind in KINDS}


def _pairs(kind: str) -> Pairs:
    made = [(name, kind, stops) for name in SPLITS["test"][0] for stops in KINDS[kind]]
    return Pairs(
        f"lighting scenes/{kind}",
        tuple(f"{name}_{kind}_{stops:g}" for name, _, stops in made),
        tuple(list(PHOTOGRAPHS).index(name) for name, *_ in made),
        Lazy([partial(_pair, *each) for each in made]),
    )


@cache
def _pair(name: str, kind: str, stops: float) -> RawPair:
    normal = to_float(photograph(name))
    if kind == "full":
        same = to_uint8(to_srgb(expose(to_linear(normal), stops)))
        same.flags.writeable = False
        return same, same
    generator = torch.Generator().manual_seed(zlib.crc32(f"{name} {kind} {stops}".encode()))
    size = (normal.shape[-2], normal.shape[-1])
    if kind == "dark":
        light = stops + FIELD * lighting.light_field(size, 3, generator)
    else:
        linear = to_linear(tone(normal, 1 / CONTRAST))
        light = lighting.backlight_stops(linear, stops, _choice(LEVELS, generator))
    share = float(torch.rand((), generator=generator))
    scene = Scene(
        stops=light,
        colour=lighting.light_colour(*(COLOUR * torch.randn(2, generator=generator)).tolist()),
        glare=torch.zeros(3, *size),
        photons=math.exp((1 - share) * math.log(PHOTONS[0]) + share * math.log(PHOTONS[1])),
        read_sigma=READ_SIGMA,
        grain=_choice(GRAINS, generator),
        contrast=CONTRAST,
        jpeg_quality=None,
    )
    low, target = map(to_uint8, relight(normal, scene, generator))
    low.flags.writeable = target.flags.writeable = False
    return low, target


def _choice(values: tuple[float, ...], generator: torch.Generator) -> float:
    return values[int(torch.randint(len(values), (), generator=generator))]
