"""What must hold for the network that `enhance` uses by default: rules with numbers."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.quality import count_whites
from llie_helpers.data.embedded import PHOTOGRAPHS, photograph
from llie_helpers.data.lighting_scenes import lighting_scenes
from llie_helpers.data.synthesis import darken, expose, to_linear, to_srgb
from llie_helpers.images import quantise, to_float
from llie_helpers.methods import Method
from llie_helpers.tables import Table

# Pixels of a sky that are not looked at along its edges.
BORDER = 16
SKY_STOPS = (0, 2, 4)


class Rule(NamedTuple):
    """A fault in words, what measures it on a method, and the largest value that is allowed."""

    title: str
    measure: Callable[[Method], float]
    limit: float


def darkening(method: Method) -> float:
    """Return by what share the mean of any photograph in any light falls, at most."""
    ratios = [quantise(method(low)).mean() / low.mean() for low in exposures(range(7))]
    return 1 - min(ratios).item()


def whites_lost(method: Method) -> float:
    """Return the share of white pixels, in full light and backlit, that do not stay so."""
    scenes = lighting_scenes()
    pairs = [*scenes["full"], *scenes["backlit"]]
    counts = [count_whites(pair.low, quantise(method(pair.low))) for pair in pairs]
    kept, of = torch.stack(counts).sum(dim=0).tolist()
    return 1 - kept / of


def change_with_size(method: Method) -> float:
    """Return by what share brightness differs between half and double size, at most."""
    worst = 0.0
    for low in exposures((0, 2, 4)):
        half, double = (
            method(F.interpolate(low[None], scale_factor=factor, mode=mode)).mean().item()
            for factor, mode in ((0.5, "area"), (2.0, "bilinear"))
        )
        worst = max(worst, half / double - 1, double / half - 1)
    return worst


def steps_in_sky(method: Method) -> float:
    """Return by how many levels of 255 neighbours in a sky differ more than in its target.

    The sky is darkened but not rounded to 8 bits, so every step is the method's own.
    """
    lows = [to_srgb(expose(to_linear(sky()), -stops)) for stops in SKY_STOPS]
    return max(largest_step(method(low)) for low in lows) - largest_step(sky())


def bands_in_sky(method: Method) -> float:
    """Return the same for a sky that was rounded to 8 bits, for its means over 8x8 pixels."""
    camera = {"photons": 1e7, "read_sigma": 1e-4}  # almost without noise, which would hide bands
    lows = [darken(sky(), stops, **camera, generator=seeded()) for stops in SKY_STOPS]
    target, *means = (F.avg_pool2d(quantise(x), 8, 1) for x in (sky(), *map(method, lows)))
    return max(map(largest_step, means)) - largest_step(target)


def chroma_noise(method: Method) -> float:
    """Return the colour noise, in levels of 255, in flat grey that is darkened by 5.5 stops.

    The standard deviation of means over 4x4 pixels of red less green and blue less green, in the
    noisier of a light and a dark half.
    """
    flat = torch.full((3, 384, 384), 0.45)
    flat[..., 192:] = 0.25
    output = method(darken(flat, 5.5, generator=seeded()))
    chroma = F.avg_pool2d(torch.stack([output[0] - output[1], output[2] - output[1]]), 4)
    halves = chroma[:, 4:-4, 4:44], chroma[:, 4:-4, 52:-4]
    return max(255 * half.std(dim=(1, 2)).mean().item() for half in halves)


RULES = {
    "brightness": Rule("share by which the mean of a photograph falls", darkening, 0.02),
    "whites": Rule("share of whites lost", whites_lost, 0.05),
    "size": Rule("change of brightness from half to double size", change_with_size, 0.02),
    "steps": Rule("steps in an exact sky, levels above the target's", steps_in_sky, 1.0),
    "bands": Rule("steps in an 8-bit sky, levels above the target's", bands_in_sky, 1.0),
    # What the first version of `dual_branch`, which had no local light, leaves.
    "chroma": Rule("colour noise in deep dark, levels", chroma_noise, 2.4),
}


def report(method: Method) -> Table:
    """Measure every rule."""
    rows = []
    for name, rule in RULES.items():
        value = rule.measure(method)
        verdict = "pass" if value <= rule.limit else "FAIL"
        rows.append([name, rule.title, f"{value:.3f}", f"{rule.limit}", verdict])
    return Table(["rule", "fault", "measured", "allowed", method.name], rows)


def exposures(stops: tuple[int, ...] | range) -> Iterator[Tensor]:
    """Yield every embedded photograph, darkened by each number of stops."""
    for name in PHOTOGRAPHS:
        image = to_float(photograph(name))
        for each in stops:
            yield darken(image, each, generator=seeded()) if each else image


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def sky() -> Tensor:
    """Return a smooth gradient from a blue zenith to a pale horizon, ``(3, 384, 512)``."""
    down, across = torch.linspace(0, 1, 384)[:, None], torch.linspace(0, 1, 512)
    zenith, horizon = torch.tensor([[0.35, 0.55, 0.85], [0.8, 0.85, 0.9]])[..., None, None]
    return torch.lerp(zenith, horizon, 0.8 * down + 0.2 * across**2)


def largest_step(image: Tensor) -> float:
    """Return the largest difference of neighbours in ``(3, H, W)``, in levels of 255.

    A border is left out: what padding does to the outermost pixels is no band.
    """
    inside = image[:, BORDER:-BORDER, BORDER:-BORDER]
    return 255 * max(inside.diff(dim=axis).abs().max().item() for axis in (1, 2))
