"""Exercises of lesson 01: what a dark photo is."""

import numpy as np
import torch

from llie_helpers.data.augment import flip_rotate
from llie_helpers.data.synthesis import to_linear, to_srgb
from llie_helpers.lessons.checks.compare import ANY_NUMBER, Finding, expect_form
from llie_helpers.lessons.checks.exercise import ONE_DECISION, Exercise


def light_solution(srgb):
    """The light behind sRGB values (IEC 61966-2-1)."""
    curve = ((srgb + 0.055) / 1.055) ** 2.4
    return torch.where(srgb <= 0.04045, srgb / 12.92, curve)


light = Exercise(
    title="From sRGB to light",
    minutes=5,
    difficulty=2,
    reference=light_solution,
    # All 256 levels of a file, so that both parts and their seam are met.
    inputs=lambda: [((torch.arange(256) / 255).expand(3, 2, 256),)],
    mistakes={
        "this is the way back, from light to sRGB; here 0.5 must become darker.": to_srgb,
        "a plain power of 2.2 is only close: "
        "near black the standard has a straight line.": lambda srgb: srgb**2.2,
        "the straight part is missing: up to 0.04045 "
        "the light is s / 12.92.": "torch.where(srgb <= 0.04045, srgb / 12.92, curve) => curve",
        "0.0031308 is the threshold for the way back; "
        "for sRGB values it is 0.04045.": "0.04045 => 0.0031308",
        "the two parts are swapped: "
        "the straight line belongs to the dark values.": "srgb <= => srgb >",
        "the exponent is 2.4, not 1 / 2.4: the curve must darken 0.5.": "2.4 => (1 / 2.4)",
        "the straight part divides by 12.92; you multiply.": "srgb / 12.92 => srgb * 12.92",
        "add 0.055 before you divide by 1.055; put the sum into "
        "brackets.": "(srgb + 0.055) / 1.055 => srgb + 0.055 / 1.055",
        "only 1.055 is raised to the power; put the whole fraction "
        "into brackets first.": "((srgb + 0.055) / 1.055) => (srgb + 0.055) / 1.055",
        ONE_DECISION: (
            "torch.where(srgb <= 0.04045, srgb / 12.92, curve) => "
            "srgb / 12.92 if srgb <= 0.04045 else curve"
        ),
    },
    right=[to_linear],
    hints=[
        "Compute both parts for the whole tensor, then choose between them pixel by pixel.",
        "Both parts are computed everywhere, also where the other one is taken. Which of the two "
        "belongs to dark values?",
        "Begin with `curve = ((srgb + 0.055) / 1.055) ** 2.4`. The straight part is one division; "
        "`torch.where` chooses.",
    ],
)


def expose_solution(srgb, stops):
    """The photograph with 2 ** stops times the light; what overflows is white."""
    light = to_linear(srgb) * 2.0**stops
    return to_srgb(light.clamp(max=1.0))


expose = Exercise(
    title="Change the exposure",
    minutes=6,
    difficulty=2,
    reference=expose_solution,
    inputs=lambda: [(torch.rand(3, 6, 8) * 0.9 + 0.05, stops) for stops in (1.5, 3.0, 0.5)],
    tolerance=1e-4,
    mistakes={
        "you scale the sRGB values; turn them into light first, and back afterwards.": [
            "to_linear(srgb) => srgb",
            "to_srgb(light.clamp(max=1.0)) => light.clamp(max=1.0)",
        ],
        "you multiply by the number of stops; each stop is a factor of two: "
        "2 ** stops.": "2.0**stops => stops",
        "you multiply by twice the stops; stops are an exponent: "
        "2 ** stops.": "2.0**stops => 2 * stops",
        "the sign is wrong: positive stops must brighten.": "**stops => **-stops",
        "the result is still linear light; "
        "apply to_srgb at the end.": "to_srgb(light.clamp(max=1.0)) => light.clamp(max=1.0)",
        "values above 1 must become 1: a full pixel is white.": ".clamp(max=1.0) => ",
        "the two conversions are swapped: to_linear comes first, "
        "to_srgb last.": lambda srgb, stops: to_linear((to_srgb(srgb) * 2.0**stops).clamp(0, 1)),
    },
    right=[lambda srgb, stops: to_srgb(torch.exp2(to_linear(srgb).log2() + stops).clamp(0, 1))],
    hints=[
        "Stops double or halve the light, and sRGB values are not light.",
        "Three steps: `to_linear`, multiply by `2.0**stops`, `to_srgb`.",
        "A pixel cannot hold more than 1. Is it the light or the sRGB value that overflows?",
    ],
)


def photons_solution(linear, full_well):
    """Linear light as counted by a pixel that holds full_well photons at white."""
    expected = linear * full_well
    counted = torch.poisson(expected)
    return counted / full_well


def photons_inputs():
    # 40,000 draws per level pin a mean to 0.5 % of the noise and a variance to about 1 %.
    # Of 20 photons no level but black is a whole number, so that rounding them shows.
    patches = torch.tensor([0.0, 0.07, 0.23, 0.81]).view(1, 4, 1).expand(3, 4, 13334)
    return [(patches, 20.0), (patches, 500.0)]


def photons_observe(answer, linear, full_well):
    """Look at mean and variance at each level; the draws themselves may differ."""
    noisy = torch.as_tensor(expect_form(answer(linear, full_well), linear)).float()
    mean, level = noisy.mean((0, 2)), linear[0, :, 0]
    variance, expected = noisy.var((0, 2)), level / full_well
    close = {"atol": 5e-3, "rtol": 0.1}
    if torch.allclose(mean, level * full_well, **close):
        raise Finding("you return counts; divide by full_well, so that white is 1 again.")
    if torch.allclose(mean, level / full_well, **close) or torch.equal(noisy, noisy.round()):
        raise Finding(
            "you draw from the light itself; multiply by full_well first: photons are counted."
        )
    if not torch.allclose(mean, level, **close):
        raise Finding(
            "the mean brightness changes; noise must leave it as it is (clamping moves it, "
            "and so does rounding before the draw)."
        )
    if torch.allclose(noisy, linear):
        raise Finding("there is no noise at all; draw the counts with torch.poisson.")
    if variance[0] > 0:
        raise Finding("black is noisy, yet where no light falls there is no shot noise.")
    if noisy.max() <= 1 < level[3] + 2 * expected[3].sqrt():
        raise Finding(
            "counts above full_well are clipped; keep them, because noise is above the light as "
            "often as below it."
        )
    if not torch.allclose(variance, expected, rtol=0.1, atol=0):
        growth = float(variance[3] / variance[1] / (level[3] / level[1]))
        if growth < 0.5:
            raise Finding(
                "the variance does not grow with the light; it must equal level / full_well."
            )
        worst = int((variance / expected).log().abs()[1:].argmax()) + 1
        raise Finding(
            f"at level {level[worst]:.2f} the variance is {variance[worst]:.2g}, but it must be "
            f"level / full_well = {expected[worst]:.2g}."
        )
    counts = noisy * full_well
    if not torch.allclose(counts, counts.round(), atol=1e-3):
        raise Finding(
            "mean and variance are right, but half a photon was counted: a Gaussian is only close "
            "where photons are many; draw whole numbers with torch.poisson."
        )
    missed = (counts.round() == 0).float().mean((0, 2))
    if not torch.allclose(missed, (-level * full_well).exp(), atol=0.02):
        raise Finding(
            "mean and variance are right, but a rounded Gaussian is only close where photons are "
            "many: it even counts fewer than none; draw with torch.poisson."
        )
    return "right"


_NOISY = "return counted / full_well => return linear + torch.randn(linear.shape) * "

photons = Exercise(
    title="Count photons",
    minutes=8,
    difficulty=3,
    reference=photons_solution,
    inputs=photons_inputs,
    observe=photons_observe,
    mistakes={
        "you return counts": " / full_well => ",
        "you draw from the light itself": [" * full_well => ", " / full_well => "],
        "you draw from the light itself; multiply by full_well": " * full_well => ",
        "the mean brightness changes": (
            "return counted / full_well => "
            "return (linear + 0.2 * torch.randn(linear.shape)).clamp(0, 1)"
        ),
        "so does rounding before the draw": "poisson(expected) => poisson(expected.round())",
        "there is no noise": "torch.poisson(expected) => expected",
        "black is noisy": _NOISY + "full_well**-0.5",
        "counts above full_well are clipped": "(expected) => (expected).clamp(max=full_well)",
        "the variance does not grow": _NOISY + "(linear > 0) * full_well**-0.5",
        "at level 0.07 the variance is": _NOISY + "linear * full_well**-0.5",
        "half a photon was counted": _NOISY + "(linear / full_well).sqrt()",
        "a rounded Gaussian is only close": (
            "torch.poisson(expected) => "
            "(expected + torch.randn(linear.shape) * expected.sqrt()).round()"
        ),
    },
    right=[lambda x, k: np.random.default_rng(0).poisson(x.numpy() * k) / k],
    hints=[
        "The light is a fraction of a full pixel. How many photons does a value of 0.3 stand for?",
        "`torch.poisson(rates)` draws one count for each rate, with that rate as its mean.",
        "The draw gives counts. What turns a count back into light, with white at 1?",
    ],
)


def camera_solution(mean, variance):
    """Photons at white and read noise in electrons, from the line through the points."""
    slope, height = np.polyfit(mean, variance, 1)
    photons = 1 / slope
    electrons = height**0.5 * photons
    return photons, electrons


def camera_inputs():
    mean = np.linspace(0, 0.05, 8)
    cameras = (900, 4), (3000, 9)
    return [(mean, mean / photons + (electrons / photons) ** 2) for photons, electrons in cameras]


camera = Exercise(
    title="Read a camera's noise",
    minutes=6,
    difficulty=2,
    reference=camera_solution,
    inputs=camera_inputs,
    tolerance=1e-3,
    mistakes={
        "slope and height are swapped; "
        "np.polyfit returns the slope first.": "slope, height => height, slope",
        "the slope is 1 / N, so the photons at white are 1 / slope.": "1 / slope => slope",
        "the two numbers are swapped: "
        "the photons come first.": "photons, electrons => electrons, photons",
        "the height is a variance; take its root.": "height**0.5 => height",
        "the height is in units of white; take the root, and multiply it by the photons at "
        "white.": "height**0.5 * photons => height",
        "the root of the height is in units of white; "
        "multiply it by the photons at white.": " * photons => ",
        "a variance times N squared is still a variance; "
        "take the root.": "height**0.5 * photons => height * photons**2",
    },
    right=[
        lambda mean, variance: (
            (mean[-1] - mean[0]) / (variance[-1] - variance[0]),
            variance[0] ** 0.5 * (mean[-1] - mean[0]) / (variance[-1] - variance[0]),
        ),
    ],
    hints=[
        "By how much does the variance grow where the mean grows by 1? By `1 / N`.",
        "At a mean of 0 only `(r / N) ** 2` is left. Which root and which factor give `r`?",
        "`slope, height = np.polyfit(mean, variance, 1)`; the photons at white are `1 / slope`.",
    ],
)


def augment_solution(low, normal):
    """Both images of a pair, changed by one random draw."""
    k = int(torch.randint(8, ()))
    gain = 0.8 + 0.45 * torch.rand(())
    low = (flip_rotate(low, k) * gain).clamp(0, 1)
    normal = (flip_rotate(normal, k) * gain).clamp(0, 1)
    return low, normal


def augment_observe(answer, low, normal):
    """Look at which symmetries and gains occur in many draws."""
    symmetries = {tuple(_order(flip_rotate(normal, k))): k for k in range(8)}
    ks, gains = [], []
    for _ in range(240):
        got = expect_form(answer(low, normal), (low, normal))
        # The brightest pixel is 0.7 or darker; clipped, an image no longer tells its symmetry.
        if not all(0 < image.max() < 1 for image in got):
            raise Finding(
                "a gain is so far outside of 0.8 to 1.25 that pixels become black or white; "
                "torch.rand draws from 0 to 1, torch.randn may draw any number."
            )
        one, other = (symmetries.get(tuple(_order(image))) for image in got)
        if one is None or other is None:
            raise Finding(_not_a_symmetry(got, (low, normal)))
        if one != other:
            raise Finding(_turned_differently(answer, low, normal))
        gain, other_gain = (
            float(a.mean() / b.mean()) for a, b in zip(got, (low, normal), strict=True)
        )
        # low has a quarter of the light, more than any gain could make up for.
        if got[0].mean() > got[1].mean():
            raise Finding("the two images are swapped; return low first, then normal.")
        if abs(gain - other_gain) > 1e-3:
            raise Finding(
                "low and normal get different gains; draw the gain once and use it for both."
            )
        ks.append(one)
        gains.append(gain)
    if len(set(ks)) < 8:
        raise Finding(
            f"only {len(set(ks))} of the eight symmetries ever occur; torch.randint(n, ()) draws "
            "from 0 to n - 1."
        )
    if min(gains) < 0.799 or max(gains) > 1.251:
        raise Finding(
            f"the gains are between {min(gains):.2f} and {max(gains):.2f}, too wide; "
            "draw them from 0.8 to 1.25."
        )
    if min(gains) > 0.83 or max(gains) < 1.22:
        raise Finding(
            f"the gains are between {min(gains):.2f} and {max(gains):.2f}, too narrow; "
            "they should fill the range from 0.8 to 1.25."
        )
    white = torch.ones(3, 4, 4)
    if max(float(image.max()) for _ in range(20) for image in answer(white / 4, white)) > 1:
        raise Finding("a bright image leaves [0, 1]; clip after the gain.")
    return "right"


def _not_a_symmetry(got, images):
    if all(
        any(_order(a[0]) == _order(flip_rotate(b[0], k)) for k in range(8))
        for a, b in zip(got, images, strict=True)
    ):
        return "the channels get different gains, which changes colours; draw one gain for all."
    return "a result is not one of the eight symmetries of its image."


def _turned_differently(answer, low, normal):
    found = "low and normal are turned differently; draw k once and use it for both."
    for index, name in enumerate(("low", "normal")):
        draws = {tuple(_order(answer(low, normal)[index])) for _ in range(20)}
        if draws == {tuple(_order(normal))}:
            return f"{found} Yours leaves {name} as it was."
    return found


def _order(image):
    return image.flatten().argsort().tolist()


augment = Exercise(
    title="Three bugs in five lines",
    minutes=8,
    difficulty=2,
    reference=augment_solution,
    # Every pixel differs from every other, so that the order of pixels tells the symmetry.
    inputs=lambda: [tuple(torch.linspace(0.1, 0.7, 48).view(3, 4, 4) * k for k in (0.25, 1))],
    observe=augment_observe,
    mistakes={
        "low and normal are turned differently; "
        "draw k once": "flip_rotate(normal, k) => flip_rotate(normal, int(torch.randint(8, ())))",
        "Yours leaves normal as it was.": "(flip_rotate(normal, k) * gain).clamp(0, 1) => normal",
        "low and normal get "
        "different gains": "normal, k) * gain => normal, k) * (0.8 + 0.45 * torch.rand(()))",
        "only 7 of the eight symmetries ever occur": "randint(8 => randint(7",
        "too wide; draw them from 0.8 to 1.25": "0.8 + 0.45 => 0.78 + 0.47",
        "too narrow; they should fill the range": "0.45 * => 0.4 *",
        "a gain is so far outside of 0.8 to 1.25": "0.45 * torch.rand => 1.25 * torch.rand",
        "torch.randn may draw any number": "torch.rand(()) => torch.randn(())",
        "the channels get different gains": "torch.rand(()) => torch.rand(3, 1, 1)",
        "a bright image leaves [0, 1]": ".clamp(0, 1) => ",
        "the two images are swapped": "return low, normal => return normal, low",
        "is not one of the eight symmetries": "flip_rotate(low, k) => low.roll(1, -1)",
        "changes its input in "
        "place": "flip_rotate(low, k) * gain => flip_rotate(low.mul_(gain), k)",
    },
    right=[
        # One draw for both images at once.
        lambda low, normal: augment_solution(torch.cat([low, normal]), low)[0].split(3),
        lambda low, normal: [image.double().numpy() for image in augment_solution(low, normal)],
    ],
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


def split_inputs():
    # Scenes of different sizes, some of whose pairs are not neighbours.
    scenes = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 4, 5, 6, 6, 0, 7, 7, 8, 9, 9, 2])
    return [(scenes, 0.2), (7 + 3 * scenes, 0.2), (np.array([2, 0, 1, 1, 3, 0, 2]), 0.1)]


def split_observe(answer, scenes, fraction):
    """Look at the splits of several seeds."""
    drawn = set()
    for seed in range(12):
        got, again = (answer(scenes, fraction, seed) for _ in range(2))
        if found := _unfair(got, again, scenes, fraction):
            raise Finding(ANY_NUMBER if scenes.min() > 0 else found)
        drawn.add(frozenset(np.asarray(got[1]).tolist()))
    if len(drawn) == 1:
        raise Finding(
            "every seed holds out the same scenes; draw them with np.random.default_rng(seed)."
        )
    return "right"


def _unfair(got, again, scenes, fraction):
    parts = got if isinstance(got, tuple | list) else []
    if any(isinstance(part, tuple) and np.ndim(part) > 1 for part in parts):
        return "np.where puts its indices into a tuple; take np.where(mask)[0] or np.flatnonzero."
    if [np.shape(part)[1:] for part in parts] == [(1,), (1,)]:
        return "np.argwhere gives each index a row of its own; take np.flatnonzero(mask)."
    if not isinstance(got, tuple | list) or [np.ndim(part) for part in got] != [1, 1]:
        return "return two things: the indices for training and those for validation."
    if any(np.asarray(part).dtype == bool for part in got):
        return (
            "you return masks, with True or False for each pair; return the indices where they "
            "are True: np.flatnonzero(mask)."
        )
    train, val = (sorted(np.asarray(part).tolist()) for part in got)
    known = np.unique(scenes)
    if sorted(train + val) in (known.tolist(), sorted(scenes.tolist())):
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
    wanted = max(1, round(fraction * len(known)))
    held_out = len(np.unique(scenes[val]))
    share = f"a fraction of {fraction}"
    if held_out == 0:
        return f"{share} of {len(known)} scenes leaves none for validation; hold out at least one."
    if held_out == len(known) - wanted:
        return "the two parts are swapped: training comes first, and `fraction` is validation's."
    if held_out != wanted:
        return f"{held_out} of {len(known)} scenes are held out, but {share} means {wanted}."
    if sorted(np.asarray(again[1]).tolist()) != val:
        return "the same seed gives two different splits; draw with np.random.default_rng(seed)."
    return None


split = Exercise(
    title="A split that keeps scenes together",
    minutes=12,
    difficulty=3,
    reference=split_solution,
    inputs=split_inputs,
    observe=split_observe,
    mistakes={
        "return two things": "np.flatnonzero(~in_val), => ",
        "you return masks": "np.flatnonzero( => (",
        "np.where puts its indices into a tuple": "np.flatnonzero( => np.where(",
        "np.argwhere gives each index a row of its own": "np.flatnonzero( => np.argwhere(",
        "you return scene numbers; return the indices": (
            "np.flatnonzero(~in_val), np.flatnonzero(in_val) => scenes[~in_val], scenes[in_val]"
        ),
        "you return scene numbers": [
            "np.flatnonzero(~in_val) => np.setdiff1d(drawn, held_out)",
            "np.flatnonzero(in_val) => held_out",
        ],
        "a pair is in training "
        "and in validation": "np.flatnonzero(~in_val), => np.arange(len(scenes)),",
        "some pairs are in neither part": "np.flatnonzero(in_val) => np.flatnonzero(in_val)[:1]",
        "draw among the scenes, not among the pairs": [
            "np.unique(scenes) => np.arange(len(scenes))",
            "np.isin(scenes, => np.isin(np.arange(len(scenes)),",
        ],
        "leaves none for validation; hold "
        "out at least one": "max(1, round(fraction * len(drawn))) => round(fraction * len(drawn))",
        "the two parts are swapped": (
            "return np.flatnonzero(~in_val) => in_val = ~in_val; return np.flatnonzero(~in_val)"
        ),
        "1 of 10 scenes are held out, but a fraction of 0.2 means 2": "max( => min(",
        "the same seed gives two different splits": "(seed) => ()",
        "every seed holds out the same scenes": "(seed) => (0)",
        "right for scenes numbered 0, 1, "
        "2 and so on": "np.unique(scenes) => len(np.unique(scenes))",
    },
    right=[
        lambda scenes, fraction, seed: [
            part.tolist() for part in split_solution(scenes, fraction, [seed, 1])
        ],
        lambda *given: tuple(tuple(part.tolist()) for part in split_solution(*given)),
    ],
    hints=[
        "Draw scenes, not pairs: `np.unique(scenes)` lists them once each.",
        "`np.random.default_rng(seed).permutation(...)` puts them in random order; the first "
        "`max(1, round(fraction * number of scenes))` are held out.",
        "`np.isin(scenes, held_out)` says for each pair whether its scene is held out, and "
        "`np.flatnonzero` turns such a mask into indices.",
    ],
)
