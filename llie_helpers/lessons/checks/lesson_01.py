"""Checks of lesson 01: what a dark photo is."""

import numpy as np
import torch

from llie_helpers.data.augment import flip_rotate
from llie_helpers.data.synthesis import to_linear, to_srgb
from llie_helpers.lessons.checks.compare import compare, difference
from llie_helpers.lessons.checks.exercise import Check

# With this tolerance `difference` looks at types, shapes and dtypes only.
ANY_VALUE = 1e9


def light_solution(srgb):
    """The light behind sRGB values (IEC 61966-2-1)."""
    curve = ((srgb + 0.055) / 1.055) ** 2.4
    return torch.where(srgb <= 0.04045, srgb / 12.92, curve)


def light_test(student):
    def curve(srgb, exponent=2.4):
        return ((srgb + 0.055) / 1.055) ** exponent

    mistakes = {
        "this is the way back, from light to sRGB; here 0.5 must become darker.": to_srgb,
        "a plain power of 2.2 is only close: near black the standard has a straight line.": (
            lambda srgb: srgb**2.2
        ),
        "the straight part is missing: up to 0.04045 the light is s / 12.92.": curve,
        "0.0031308 is the threshold for the way back; for sRGB values it is 0.04045.": (
            lambda srgb: torch.where(srgb <= 0.0031308, srgb / 12.92, curve(srgb))
        ),
        "the two parts are swapped: the straight line belongs to the dark values.": (
            lambda srgb: torch.where(srgb <= 0.04045, curve(srgb), srgb / 12.92)
        ),
        "the exponent is 2.4, not 1 / 2.4: the curve must darken 0.5.": (
            lambda srgb: torch.where(srgb <= 0.04045, srgb / 12.92, curve(srgb, 1 / 2.4))
        ),
    }
    # All 256 levels of a file, so that both parts and their seam are met.
    levels = (torch.arange(256) / 255).expand(3, 2, 256).contiguous()
    return compare(student, light_solution, levels, mistakes=mistakes)


light = Check(
    title="From sRGB to light",
    minutes=5,
    difficulty=2,
    reference=light_solution,
    test=light_test,
    hints=[
        "Compute both parts for the whole tensor, then choose between them pixel by pixel.",
        "`torch.where(condition, a, b)` takes `a` where the condition holds and `b` elsewhere.",
        "The condition is `srgb <= 0.04045`; there the light is `srgb / 12.92`.",
    ],
)


def expose_solution(srgb, stops):
    """The photograph with 2 ** stops times the light; what overflows is white."""
    light = to_linear(srgb) * 2.0**stops
    return to_srgb(light.clamp(max=1.0))


def expose_test(student):
    mistakes = {
        "you scale the sRGB values; turn them into light first, and back afterwards.": (
            lambda srgb, stops: (srgb * 2.0**stops).clamp(0, 1)
        ),
        "you multiply by the number of stops; each stop is a factor of two: 2 ** stops.": (
            lambda srgb, stops: to_srgb((to_linear(srgb) * stops).clamp(0, 1))
        ),
        "you multiply by twice the stops; stops are an exponent: 2 ** stops.": (
            lambda srgb, stops: to_srgb((to_linear(srgb) * 2 * stops).clamp(0, 1))
        ),
        "the sign is wrong: positive stops must brighten.": (
            lambda srgb, stops: to_srgb((to_linear(srgb) * 2.0**-stops).clamp(0, 1))
        ),
        "the result is still linear light; apply to_srgb at the end.": (
            lambda srgb, stops: (to_linear(srgb) * 2.0**stops).clamp(0, 1)
        ),
        "values above 1 must become 1: a full pixel is white.": (
            lambda srgb, stops: to_srgb(to_linear(srgb) * 2.0**stops)
        ),
        "the two conversions are swapped: to_linear comes first, to_srgb last.": (
            lambda srgb, stops: to_linear((to_srgb(srgb) * 2.0**stops).clamp(0, 1))
        ),
    }
    image = torch.rand(3, 6, 8) * 0.9 + 0.05
    for stops in (1.5, 3.0, -2.5):
        found = compare(student, expose_solution, image, stops, mistakes=mistakes, tolerance=1e-4)
        if found:
            return found
    return None


expose = Check(
    title="Turn the shutter",
    minutes=6,
    difficulty=2,
    reference=expose_solution,
    test=expose_test,
    hints=[
        "Stops double or halve the light, and sRGB values are not light.",
        "Three steps: `to_linear`, multiply by `2.0**stops`, `to_srgb`.",
        "A pixel cannot hold more than 1: use `.clamp(max=1.0)` on the light before `to_srgb`.",
    ],
)


def photons_solution(linear, full_well):
    """Linear light as counted by a pixel that holds full_well photons at white."""
    expected = linear * full_well
    counted = torch.poisson(expected)
    return counted / full_well


def photons_test(student):
    # 40,000 draws per level pin a mean to 0.5 % of the noise and a variance to about 1 %.
    patches = torch.tensor([0.0, 0.05, 0.25, 0.8]).view(1, 4, 1).expand(3, 4, 13334).contiguous()
    for full_well in (20.0, 500.0):
        given = patches.clone()
        noisy = student(given, full_well)
        if not torch.equal(given, patches):
            return "your function changes its input in place; work on a new tensor."
        if difference(noisy, patches, tolerance=ANY_VALUE):
            return difference(noisy, patches)
        if found := _photon_mistake(noisy, patches, full_well):
            return found
    return None


def _photon_mistake(noisy, patches, full_well):
    mean, level = noisy.mean((0, 2)), patches[0, :, 0]
    variance, expected = noisy.var((0, 2)), level / full_well
    near = {"atol": 1e-4, "rtol": 0.1}
    if torch.allclose(mean, level * full_well, **near):
        return "you return counts; divide by full_well, so that white is 1 again."
    if torch.allclose(mean, level / full_well, **near):
        return "you draw from the light itself; multiply by full_well first: photons are counted."
    if not torch.allclose(mean, level, **near):
        return "the mean brightness changes; noise must leave it as it is (clamping moves it)."
    if torch.equal(noisy, patches):
        return "there is no noise at all; draw the counts with torch.poisson."
    if variance[0] > 0:
        return "black is noisy, yet where no light falls there is no shot noise."
    if not torch.allclose(variance, expected, rtol=0.1, atol=0):
        growth = float(variance[3] / variance[1] / (level[3] / level[1]))
        if growth < 0.5:
            return "the variance does not grow with the light; it must equal level / full_well."
        return (
            f"at level {level[2]:.2f} the variance is {variance[2]:.2g}, but it must be "
            f"level / full_well = {expected[2]:.2g}."
        )
    counts = noisy * full_well
    if not torch.allclose(counts, counts.round(), atol=1e-3):
        return (
            "mean and variance are right, but half a photon was counted: a Gaussian is only close "
            "where photons are many; draw whole numbers with torch.poisson."
        )
    return None


photons = Check(
    title="Count photons",
    minutes=8,
    difficulty=3,
    reference=photons_solution,
    test=photons_test,
    hints=[
        "The light is a fraction of a full pixel. How many photons does a value of 0.3 stand for?",
        "`torch.poisson(rates)` draws one count for each rate, with that rate as its mean.",
        "Multiply by `full_well`, draw, and divide by `full_well` again.",
    ],
)


def augment_solution(low, normal):
    """Both images of a pair, changed by one random draw."""
    k = int(torch.randint(8, ()))
    gain = 0.8 + 0.45 * torch.rand(())
    low = (flip_rotate(low, k) * gain).clamp(0, 1)
    normal = (flip_rotate(normal, k) * gain).clamp(0, 1)
    return low, normal


def augment_test(student):
    # Every pixel differs from every other, so that the order of pixels tells the symmetry.
    normal = torch.linspace(0.1, 0.7, 3 * 16).view(3, 4, 4)
    low = normal / 4
    drawn = {tuple(_order(flip_rotate(normal, k))): k for k in range(8)}
    draws = []
    for _ in range(240):
        given = low.clone(), normal.clone()
        got = student(*given)
        if not (torch.equal(given[0], low) and torch.equal(given[1], normal)):
            return "your function changes its input in place; work on new tensors."
        if found := difference(got, (low, normal), tolerance=ANY_VALUE):
            return found
        ks = [drawn.get(tuple(_order(image))) for image in got]
        gains = [float(got[0].mean() / low.mean()), float(got[1].mean() / normal.mean())]
        if None in ks:
            return "a result is not one of the eight symmetries of its image."
        if ks[0] != ks[1]:
            return "low and normal are turned differently; draw k once and use it for both."
        if abs(gains[0] - gains[1]) > 1e-3:
            return "low and normal get different gains; draw the gain once and use it for both."
        draws.append((ks[0], gains[0]))
    return _augment_range(student, *zip(*draws, strict=True))


def _augment_range(student, ks, gains):
    if len(set(ks)) < 8:
        return (
            f"only {len(set(ks))} of the eight symmetries ever occur; torch.randint(n, ()) draws "
            "from 0 to n - 1."
        )
    if not (0.79 < min(gains) < 0.85 and 1.2 < max(gains) < 1.26):
        return (
            f"the gains lie between {min(gains):.2f} and {max(gains):.2f}, but should fill the "
            "range from 0.8 to 1.25."
        )
    white = torch.ones(3, 4, 4)
    if max(float(image.max()) for _ in range(20) for image in student(white / 4, white)) > 1:
        return "a bright image leaves [0, 1]; clip after the gain."
    return None


def _order(image):
    return image.flatten().argsort().tolist()


augment = Check(
    title="Three bugs in five lines",
    minutes=8,
    difficulty=2,
    reference=augment_solution,
    test=augment_test,
    hints=[
        "What do the two images of a pair have to share? Count the random draws.",
        "Which symmetry can `torch.randint(7, ())` never draw?",
        "What happens to a value of 0.9 when the gain is 1.2?",
    ],
)


def split_solution(scenes, fraction, seed):
    """Indices for training and for validation, with no scene on both sides."""
    drawn = np.random.default_rng(seed).permutation(np.unique(scenes))
    held_out = drawn[: max(1, round(fraction * len(drawn)))]
    in_val = np.isin(scenes, held_out)
    return np.flatnonzero(~in_val), np.flatnonzero(in_val)


def split_test(student):
    # Scenes of different sizes, some of whose pairs are not neighbours.
    scenes = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 4, 5, 6, 6, 0, 7, 7, 8, 9, 9, 2])
    drawn = []
    for seed in range(12):
        given = scenes.copy()
        got = student(given, 0.2, seed)
        if not isinstance(got, tuple | list) or len(got) != 2:
            return "return two things: the indices for training and those for validation."
        train, val = (sorted(np.asarray(indices).tolist()) for indices in got)
        if found := _split_mistake(train, val, scenes, student(given, 0.2, seed)):
            return found
        drawn.append(tuple(val))
    if len(set(drawn)) < 4:
        return "every seed holds out the same scenes; draw them with np.random.default_rng(seed)."
    return None


def _split_mistake(train, val, scenes, again):
    if sorted(train + val) == np.unique(scenes).tolist():
        return "you return scene numbers; return the indices of the pairs that show these scenes."
    if set(train) & set(val):
        return "a pair is in training and in validation."
    if sorted(train + val) != list(range(len(scenes))):
        return "some pairs are in neither part; every index belongs to one of the two."
    if shared := set(scenes[train].tolist()) & set(scenes[val].tolist()):
        return (
            f"{len(shared)} scenes are in training and in validation; draw among the scenes, "
            "not among the pairs."
        )
    held_out = len(np.unique(scenes[val]))
    if held_out == 8:
        return "the two parts are swapped: training comes first, and `fraction` is validation's."
    if held_out != 2:
        return f"{held_out} of 10 scenes are held out, but a fraction of 0.2 means 2."
    if sorted(np.asarray(again[1]).tolist()) != val:
        return "the same seed gives two different splits; draw with np.random.default_rng(seed)."
    return None


split = Check(
    title="A split that keeps scenes together",
    minutes=12,
    difficulty=3,
    reference=split_solution,
    test=split_test,
    hints=[
        "Draw scenes, not pairs: `np.unique(scenes)` lists them once each.",
        "`np.random.default_rng(seed).permutation(...)` puts them in random order; the first "
        "`max(1, round(fraction * number of scenes))` are held out.",
        "`np.isin(scenes, held_out)` says for each pair whether its scene is held out, and "
        "`np.flatnonzero` turns such a mask into indices.",
    ],
)
