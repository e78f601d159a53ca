"""Checks of lesson 09: tiles, fading, a curve as a table, an exposure that does not flicker."""

import math

import numpy as np
import torch

from llie_helpers.lessons.checks.compare import compare
from llie_helpers.lessons.checks.exercise import Check


def cover_solution(length, tile, overlap):
    """Where tiles lie along one side: list of (start, stop)."""
    starts = range(0, max(length - overlap, 1), tile - overlap)
    return [(start, min(start + tile, length)) for start in starts]


def cover_test(student):
    def answer(step=lambda t, o: t - o, end=lambda n, o: max(n - o, 1), cut=True):
        def wrong(length, tile, overlap):
            starts = range(0, end(length, overlap), step(tile, overlap))
            return [(s, min(s + tile, length) if cut else s + tile) for s in starts]

        return wrong

    mistakes = {
        "your tiles do not overlap: the next one starts `tile - overlap` further on.": answer(
            step=lambda t, o: t
        ),
        "your tiles reach beyond the image; the last one stops at its end.": answer(cut=False),
        "your last tile lies wholly in the overlap with the one before and adds nothing.": answer(
            end=lambda n, o: n
        ),
        "the end of the image is not covered: one tile is missing.": lambda n, t, o: cover_solution(
            n, t, o
        )[:-1],
        "the step is `tile - overlap`, not `overlap`.": answer(step=lambda t, o: o),
    }
    for sizes in ((100, 40, 10), (70, 40, 10), (75, 40, 10), (40, 40, 8), (17, 40, 8), (49, 16, 4)):
        got = student(*sizes)
        if not isinstance(got, list | tuple):
            return f"return a list of pairs (start, stop), not a {type(got).__name__}."
        try:
            got = [(int(start), int(stop)) for start, stop in got]
        except (TypeError, ValueError):
            return "return a list of pairs (start, stop)."
        expected = cover_solution(*sizes)
        if got == expected:
            continue
        for sentence, wrong in mistakes.items():
            if got == wrong(*sizes):
                return sentence
        length, tile, overlap = sizes
        return (
            f"for {length} pixels, tiles of {tile} and an overlap of {overlap}, expected "
            f"{expected}, got {got}."
        )
    return None


cover = Check(
    "Lay the tiles",
    minutes=8,
    difficulty=2,
    reference=cover_solution,
    test=cover_test,
    hints=[
        "How far apart do two neighbouring tiles start, if they share `overlap` pixels? And when "
        "does one more tile add nothing new?",
        "`range(0, ..., tile - overlap)`: a start needs more than `overlap` pixels behind it. An "
        "image smaller than that still needs one tile.",
        "`range(0, max(length - overlap, 1), tile - overlap)`, and each tile stops at "
        "`min(start + tile, length)`.",
    ],
)


def fade_solution(overlap):
    """Weights across an overlap, (overlap,) each: of the tile that comes, and of the one before."""
    angle = (torch.arange(overlap) + 0.5) / overlap * torch.pi / 2
    return angle.sin() ** 2, angle.cos() ** 2


def fade_test(student):
    def angle(overlap, shift=0.5, turn=torch.pi / 2):
        return (torch.arange(overlap) + shift) / overlap * turn

    mistakes = {
        "the two are the wrong way round: first the tile that comes.": lambda n: fade_solution(n)[
            ::-1
        ],
        "without the half pixel the first weight is 0, and where nothing else lies there, the "
        "division by the sum of weights fails.": lambda n: (
            angle(n, 0).sin() ** 2,
            angle(n, 0).cos() ** 2,
        ),
        "sine and cosine do not add up to 1; their squares do.": lambda n: (
            angle(n).sin(),
            angle(n).cos(),
        ),
        "the sine is to go from 0 to 1: a quarter of a turn, pi / 2.": lambda n: (
            angle(n, turn=torch.pi).sin() ** 2,
            angle(n, turn=torch.pi).cos() ** 2,
        ),
        "a straight ramp adds up to 1, but has a kink at both ends, which can be seen as a line; "
        "take the squared sine.": lambda n: (
            (torch.arange(n) + 0.5) / n,
            1 - (torch.arange(n) + 0.5) / n,
        ),
        "both tiles have the same weights; one comes while the other goes.": lambda n: (
            fade_solution(n)[0],
            fade_solution(n)[0],
        ),
    }
    for overlap in (8, 5):
        if found := compare(student, fade_solution, overlap, mistakes=mistakes):
            return found
    return None


fade = Check(
    "One comes, one goes",
    minutes=6,
    difficulty=2,
    reference=fade_solution,
    test=fade_test,
    hints=[
        "Two weights that add up to 1 everywhere and start flat: which two functions of an angle "
        "have squares that add up to 1?",
        "`angle = (torch.arange(overlap) + 0.5) / overlap * torch.pi / 2` goes from nearly 0 to "
        "nearly a quarter of a turn.",
        "`angle.sin() ** 2` for the tile that comes, `angle.cos() ** 2` for the one before.",
    ],
)


def table_solution(gain, gamma):
    """``gain * x ** gamma`` for each of the 256 values of a byte: (256,) uint8."""
    levels = np.arange(256) / 255
    return np.rint(np.clip(gain * levels**gamma, 0, 1) * 255).astype(np.uint8)


def table_test(student):
    levels = np.arange(256) / 255

    def curve(gain, gamma):
        return gain * levels**gamma

    mistakes = {
        "values above 1 wrap around: a byte has no 256, and 256 becomes 0; clip before you "
        "convert.": lambda g, y: np.rint(curve(g, y) * 255).astype(np.int64).astype(np.uint8),
        "round to the nearest level; a conversion to uint8 cuts the fraction off.": lambda g, y: (
            np.clip(curve(g, y), 0, 1) * 255
        ).astype(np.uint8),
        "the levels go from 0 to 1: divide by 255, not by 256.": lambda g, y: np.rint(
            np.clip(g * (np.arange(256) / 256) ** y, 0, 1) * 255
        ).astype(np.uint8),
        "the curve is for values in [0, 1]; you feed it bytes.": lambda g, y: np.rint(
            np.clip(g * np.arange(256.0) ** y, 0, 255)
        ).astype(np.uint8),
        "the gain comes after the power.": lambda g, y: np.rint(
            np.clip((g * levels) ** y, 0, 1) * 255
        ).astype(np.uint8),
        "return bytes: multiply by 255, round, and convert to uint8.": lambda g, y: np.clip(
            curve(g, y), 0, 1
        ),
    }
    for numbers in ((3.0, 0.6), (1.7, 0.9)):
        if found := compare(student, table_solution, *numbers, mistakes=mistakes):
            return found
    return None


table = Check(
    "A curve for bytes",
    minutes=6,
    difficulty=1,
    reference=table_solution,
    test=table_test,
    hints=[
        "A byte has 256 values. Compute the curve once for each of them, and a photograph needs no "
        "arithmetic any more.",
        "`np.arange(256) / 255` are the values in [0, 1]. Mind what happens to values above 1 when "
        "they become bytes.",
        "`np.rint(np.clip(gain * levels**gamma, 0, 1) * 255).astype(np.uint8)`.",
    ],
)


def steady_solution(values, times, settle):
    """Values that follow with a delay of ``settle`` seconds, however far apart the times are."""
    followed = [values[0]]
    for i in range(1, len(values)):
        share = 1 - math.exp(-(times[i] - times[i - 1]) / settle)
        followed.append(followed[-1] + share * (values[i] - followed[-1]))
    return followed


def steady_test(student):
    def answer(share, first=True):
        def wrong(values, times, settle):
            followed = [values[0] if first else 0.0]
            for i in range(1, len(values)):
                s = share(times[i] - times[i - 1], settle)
                followed.append(followed[-1] + s * (values[i] - followed[-1]))
            return followed

        return wrong

    def right(dt, settle):
        return 1 - math.exp(-dt / settle)

    mistakes = {
        "the share depends on the time since the frame before; with one share for all, a video of "
        "twice the frame rate follows twice as fast.": answer(lambda dt, s: right(0.04, s)),
        "your share is what is *kept*; what is taken of the new value is 1 minus it.": answer(
            lambda dt, s: math.exp(-dt / s)
        ),
        "the share is 1 - exp(-dt / settle); dt / settle is above 1 for a long gap.": answer(
            lambda dt, s: dt / s
        ),
        "start at the first value, not at 0: a video would begin in the dark.": answer(
            right, first=False
        ),
        "the values are not smoothed.": lambda values, times, settle: list(values),
        "divide the time by `settle`.": answer(lambda dt, s: 1 - math.exp(-dt)),
    }
    values, times = [1.0, 3.0, 3.0, 0.5, 2.0], [0.0, 0.04, 0.1, 0.6, 0.64]
    return compare(student, steady_solution, values, times, 0.5, mistakes=mistakes)


steady = Check(
    "Follow, but slowly",
    minutes=8,
    difficulty=3,
    reference=steady_solution,
    test=steady_test,
    hints=[
        "The smoothed value moves a share of the way to the new one. The longer ago the last frame "
        "was, the larger the share, and it never exceeds 1.",
        "`share = 1 - math.exp(-dt / settle)`, with `dt` the time since the frame before.",
        "`followed.append(followed[-1] + share * (values[i] - followed[-1]))`, beginning with "
        "`[values[0]]`.",
    ],
)
