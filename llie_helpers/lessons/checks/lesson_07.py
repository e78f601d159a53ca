"""Exercises of lesson 07: amplitude and phase, light by luminance, frequencies."""

import torch

from llie_helpers.lessons.checks.compare import difference
from llie_helpers.lessons.checks.exercise import Exercise
from llie_helpers.models.bilateral_grid import cubic_bspline


def swap_solution(light, structure):
    """The amplitude of one image with the phase of the other."""
    amplitude = torch.fft.rfft2(light).abs()
    phase = torch.fft.rfft2(structure).angle()
    return torch.fft.irfft2(torch.polar(amplitude, phase), s=light.shape[-2:])


def swap_observe(student, light, structure):
    image, right = student(light, structure), swap_solution(light, structure)
    # The result need not be clipped, but may be.
    return image if difference(image, right.clamp(0, 1)) else right


swap = Exercise(
    title="Exchange the light",
    minutes=8,
    difficulty=2,
    reference=swap_solution,
    inputs=lambda: [tuple(torch.rand(2, 3, *size)) for size in ((8, 12), (9, 11))],
    observe=swap_observe,
    mistakes={
        "amplitude and phase are exchanged: the "
        "amplitude comes from `light`.": lambda light, structure: swap_solution(structure, light),
        "the amplitude is not squared; that would be the power.": "abs() => abs() ** 2",
        "the amplitude is the absolute value of the spectrum, not its real part.": [
            ".abs() => .real",
            "torch.polar(amplitude, phase) => amplitude * torch.exp(1j * phase)",
        ],
        "both spectra are multiplied; use the amplitude of one and only the phase of the other.": [
            ".abs() => ",
            ".angle() => ",
            "torch.polar(amplitude, phase) => amplitude * phase",
        ],
        "you return `light` itself: its own phase is used.": lambda light, structure: light,
        "you return `structure` itself: its own amplitude is used.": lambda light, structure: (
            structure
        ),
        "an image of odd width comes back a column short: rfft2 keeps half of the columns and "
        "cannot know the width, so give irfft2 the size, "
        "`s=light.shape[-2:]`.": ", s=light.shape[-2:] => ",
    },
    right=[lambda light, structure: swap_solution(light, structure).clamp(0, 1)],
    hints=[
        "Transform both images. A complex number has a length and an angle: which do you take from "
        "which image?",
        "`.abs()` is the amplitude and `.angle()` the phase; `torch.polar(amplitude, phase)` puts "
        "them together. `irfft2` needs to be told the size.",
        "The way back is `torch.fft.irfft2(spectrum, s=light.shape[-2:])`, with the spectrum that "
        "`torch.polar` has made.",
    ],
)


def radius_solution(height, width):
    """Frequency of each entry of rfft2, in cycles per pixel: (height, width // 2 + 1)."""
    down = torch.fft.fftfreq(height)[:, None]
    across = torch.fft.rfftfreq(width)[None, :]
    return (down**2 + across**2).sqrt()


radius = Exercise(
    title="Which entry is which frequency?",
    minutes=8,
    difficulty=3,
    reference=radius_solution,
    inputs=lambda: [(8, 12), (9, 7)],
    mistakes={
        "rfft2 stores the rows of negative frequencies in the lower half; counting up from 0 makes "
        "them the highest of all.": "torch.fft.fftfreq(height) => (torch.arange(height) / height)",
        "the frequencies are in cycles per image; divide rows by the height and columns by the "
        "width.": [
            "fftfreq(height) => fftfreq(height, 1 / height)",
            "rfftfreq(width) => rfftfreq(width, 1 / width)",
        ],
        "rows and columns have different lengths, and each is divided by its own; "
        "you use one for both.": "rfftfreq(width) => rfftfreq(width, height / width)",
        "take the square root of the sum of squares.": ".sqrt() => ",
        "distances in a plane add up by Pythagoras, "
        "not directly.": "(down**2 + across**2).sqrt() => down.abs() + across",
        "the zero frequency is in the corner; you have moved it to the middle.": (
            "torch.fft.fftfreq(height) => torch.fft.fftshift(torch.fft.fftfreq(height))"
        ),
        "these are frequencies in radians; "
        "leave out the factor of 2 pi.": "return  => return 2 * torch.pi * ",
        "you have all columns; rfft2 keeps all rows, "
        "and width // 2 + 1 columns.": ".rfftfreq => .fftfreq",
    },
    hints=[
        "Each entry belongs to a wave with so many cycles per pixel downwards and so many across. "
        "Its frequency is the length of that arrow.",
        "`torch.fft.fftfreq(height)` gives the rows' frequencies in the order of rfft2, "
        "`torch.fft.rfftfreq(width)` the columns'.",
        "With `[:, None]` the first become a column, with `[None, :]` the second a row, and the "
        "sum of a column and a row is a table. Its entries are to be the lengths of the arrows.",
    ],
)


def amplify_solution(features, gate):
    """Change the amplitude by a gate that sees it; leave the phase alone."""
    spectrum = torch.fft.rfft2(features, norm="ortho")
    spectrum = spectrum * (1 + gate(spectrum.abs().log1p()))
    return torch.fft.irfft2(spectrum, s=features.shape[-2:], norm="ortho")


def _gate(amplitude):
    return 0.3 * torch.sin(3 * amplitude.flip(1)) - 0.2 * amplitude


amplify = Exercise(
    title="A layer for every size",
    minutes=10,
    difficulty=3,
    reference=amplify_solution,
    inputs=lambda: [(torch.rand(2, 4, 8, 12), _gate), (torch.rand(1, 4, 8, 9), _gate)],
    mistakes={
        'without norm="ortho" the amplitude grows with the size of the image, '
        "and the gate sees another number for each size.": ', norm="ortho" => ',
        'norm="ortho" must be given both ways, or the result is scaled.': ':], norm="ortho" => :]',
        "the gate sees log(1 + amplitude), not the amplitude itself.": ".log1p() => ",
        "the gate sees the amplitude's logarithm, of which there is none at 0; "
        "use log1p.": "log1p => log",
        "the gate sees the real part only; it is to see the amplitude, "
        "`.abs()`.": ".abs() => .real.abs()",
        "the gate's output is a change: multiply by 1 + gate.": "1 + gate => gate",
        "multiply the spectrum; you add to it, which changes the phase as well.": (
            "spectrum * (1 + gate(spectrum.abs().log1p())) => "
            "spectrum + gate(spectrum.abs().log1p())"
        ),
        "the gate is not used.": "1 + gate(spectrum.abs().log1p()) => 1",
        "give irfft2 the size, `s=features.shape[-2:]`, "
        "for the sake of odd widths.": "s=features.shape[-2:],  => ",
    },
    hints=[
        "There, change, and back. What is changed is the length of each complex number and not its "
        "angle: which arithmetic does that?",
        "A product with a real number changes only the length. The gate is given "
        "`spectrum.abs().log1p()`, and the factor is 1 plus its answer.",
        '`spectrum = torch.fft.rfft2(features, norm="ortho")` is the way there. The way back has '
        "the same `norm`, and `s=features.shape[-2:]`.",
    ],
)


def look_up_solution(maps, level):
    """Log gains of all pixels: a mean of each pixel's levels, weighted by splines."""
    knots = torch.arange(maps.shape[1])[:, None, None]
    weights = cubic_bspline((level - knots).abs())
    weights = weights / weights.sum(dim=0)
    return (maps * weights).sum(dim=1)


def look_up_inputs():
    generator = torch.Generator().manual_seed(7)

    def drawn(levels, height, width):
        maps = torch.rand(3, levels, height, width, generator=generator)
        level = (levels - 1) * torch.rand(height, width, generator=generator)
        level[0, 0], level[0, 1] = 0, levels - 1  # black and white, where knots are missing
        return maps, level

    return [drawn(5, 4, 6), drawn(3, 3, 3)]


look_up = Exercise(
    title="A gain for each luminance",
    minutes=10,
    difficulty=3,
    reference=look_up_solution,
    inputs=look_up_inputs,
    mistakes={
        "a distance has no sign: take the absolute value of level minus knot.": ".abs() => ",
        "near black and near white some of the splines are missing, and the weights add up to less "
        "than 1: divide them by their sum.": "weights / weights.sum(dim=0) => weights",
        "the weights of each pixel add up to 1 over the levels; you divide by the sum over all "
        "pixels.": "weights.sum(dim=0) => weights.sum()",
        "these weights are those of linear interpolation, max(1 - distance, 0); use "
        "cubic_bspline.": (
            "cubic_bspline((level - knots).abs()) => (1 - (level - knots).abs()).clamp_min(0)"
        ),
        "you take the nearest level alone.": (
            "cubic_bspline((level - knots).abs()) => ((level - knots).abs() < 0.5).float()"
        ),
        "the levels are numbered from 0.": (
            "torch.arange(maps.shape[1]) => torch.arange(1, maps.shape[1] + 1)"
        ),
        "the sum of the weighted maps is the mean already, as the weights add up to 1; you divide "
        "by the number of levels once more.": ").sum(dim=1) => ).mean(dim=1)",
        "these are log gains, and stay so: the lesson takes exp afterwards.": (
            "return (maps * weights).sum(dim=1) => return (maps * weights).sum(dim=1).exp()"
        ),
        "the mean is one of log gains; you average the gains.": (
            "return (maps * weights).sum(dim=1) => return (maps.exp() * weights).sum(dim=1).log()"
        ),
    },
    right=[
        # Level by level.
        lambda maps, level: (
            sum(maps[:, k] * cubic_bspline((level - k).abs()) for k in range(maps.shape[1]))
            / sum(cubic_bspline((level - k).abs()) for k in range(maps.shape[1]))
        ),
    ],
    hints=[
        "Each level has a map of log gains, and each pixel a weight for each level. How far is a "
        "pixel's level from level 0, from level 1, and so on? That is a tensor `(K, H, W)`.",
        "`torch.arange(maps.shape[1])[:, None, None]` are the numbers of the levels, `(K, 1, 1)`. "
        "`cubic_bspline` turns distances into weights. Divide them by their sum over the levels.",
        "`maps * weights` is `(3, K, H, W)`; sum over the levels, dimension 1.",
    ],
)
