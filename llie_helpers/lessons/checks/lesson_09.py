"""Exercises of lesson 09: tiles and their seams, a curve as a table, a steady light."""

import math

import numpy as np
import torch

from llie_helpers.lessons.checks.exercise import Exercise


def cover_solution(length, tile, overlap):
    """Where tiles are along one side: list of (start, stop)."""
    starts = range(0, max(length - overlap, 1), tile - overlap)
    return [(start, min(start + tile, length)) for start in starts]


cover = Exercise(
    title="Lay the tiles",
    minutes=8,
    difficulty=2,
    reference=cover_solution,
    inputs=lambda: [(length, 40, 8) for length in (6, 8, 17, 40, 72)] + [(75, 40, 10), (49, 16, 4)],
    mistakes={
        "your tiles do not overlap: "
        "the next one starts `tile - overlap` further on.": "tile - overlap) => tile)",
        "the step is `tile - overlap`, not `overlap`.": "tile - overlap) => overlap)",
        "your tiles reach beyond the image; "
        "the last one stops at its end.": "min(start + tile, length) => start + tile",
        "the last tile is moved back to have its full length; it shares exactly `overlap` pixels "
        "with the one before, "
        "and may be shorter.": "(start, min => (max(0, min(start, length - tile)), min",
        "your last tile is wholly inside "
        "the overlap with the one before and adds nothing.": "max(length - overlap, 1) => length",
        "a side that is no longer than the overlap gets no tile; "
        "even the shortest side needs one.": "max(length - overlap, 1) => length - overlap",
        "the end of the image is not covered: "
        "one tile is missing.": "for start in starts] => for start in starts][:-1]",
        "return a list of pairs (start, stop).": (
            "return [(start, min(start + tile, length)) for start in starts] => "
            "return list(range(0, length, tile - overlap))"
        ),
    },
    hints=[
        "How far apart do two neighbouring tiles start, if they share `overlap` pixels? And when "
        "does one more tile add nothing new?",
        "`range(0, ..., tile - overlap)`: a start needs more than `overlap` pixels behind it. An "
        "image smaller than that still needs one tile.",
        "The starts are below `length - overlap`, and 0 is always one of them: "
        "`max(length - overlap, 1)`. No tile stops beyond `length`.",
    ],
)


def fade_solution(overlap):
    """Weights across an overlap, (overlap,) each: of the tile that comes, and of the one before."""
    angle = (torch.arange(overlap) + 0.5) / overlap * torch.pi / 2
    return angle.sin() ** 2, angle.cos() ** 2


fade = Exercise(
    title="One comes, one goes",
    minutes=6,
    difficulty=2,
    reference=fade_solution,
    inputs=lambda: [(8,), (5,)],
    mistakes={
        "the two are the wrong way round: first the tile "
        "that comes.": "angle.sin() ** 2, angle.cos() ** 2 => angle.cos() ** 2, angle.sin() ** 2",
        "take the angle at the middle of each pixel; without the half pixel "
        "the two fades are no mirror images.": " + 0.5 => ",
        "sine and cosine do not add up to 1; their squares do.": " ** 2 => ",
        "the sine is to go from 0 to 1: a quarter of a turn, pi / 2.": "torch.pi / 2 => torch.pi",
        "a straight ramp adds up to 1, but has a kink at both ends, which can be seen as a "
        "line; take the squared sine.": (
            "angle.sin() ** 2, angle.cos() ** 2 => angle / torch.pi * 2, 1 - angle / torch.pi * 2"
        ),
        "both tiles have the same weights; one comes while the other goes.": "cos() => sin()",
    },
    hints=[
        "Two weights that add up to 1 everywhere and start flat: which two functions of an angle "
        "have squares that add up to 1?",
        "`angle = (torch.arange(overlap) + 0.5) / overlap * torch.pi / 2` goes from nearly 0 to "
        "nearly a quarter of a turn.",
        "Over this range the sine grows from 0 to 1 and the cosine falls from 1 to 0. The squares "
        "of both are the weights; which belongs to the tile that comes?",
    ],
)


def table_solution(gain, gamma):
    """``gain * x ** gamma`` for each of the 256 values of a byte: (256,) uint8."""
    levels = np.arange(256) / 255
    return np.rint(np.clip(gain * levels**gamma, 0, 1) * 255).astype(np.uint8)


table = Exercise(
    title="A curve for bytes",
    minutes=6,
    difficulty=1,
    reference=table_solution,
    inputs=lambda: [(3.0, 0.6), (1.7, 0.9)],
    mistakes={
        "values above 1 wrap around: a byte has no 256, and 256 becomes 0; clip before you "
        "convert.": [
            "np.clip(gain * levels**gamma, 0, 1) => gain * levels**gamma",
            ".astype => .astype(int).astype",
        ],
        "round to the nearest level; a conversion to uint8 cuts the fraction off.": "np.rint => ",
        "the levels go from 0 to 1: divide by 255, not by 256.": "256) / 255 => 256) / 256",
        "the curve is for values in [0, 1]; you feed it bytes.": [
            "np.arange(256) / 255 => np.arange(256.0)",
            "gain * levels**gamma => gain * levels**gamma / 255",
        ],
        "the gain comes after the power.": "gain * levels**gamma => (gain * levels) ** gamma",
        "return bytes: multiply by 255, round, and convert to uint8.": (
            "np.rint(np.clip(gain * levels**gamma, 0, 1) * 255).astype(np.uint8) => "
            "np.clip(gain * levels**gamma, 0, 1)"
        ),
        "the values are right, but they are no bytes yet: convert to uint8.": "np.uint8 => int",
        "the values are whole, but still floats: convert to uint8.": ".astype(np.uint8) => ",
    },
    hints=[
        "A byte has 256 values. Compute the curve once for each of them, and a photograph needs no "
        "arithmetic any more.",
        "`np.arange(256) / 255` are the values in [0, 1]. Mind what happens to values above 1 when "
        "they become bytes.",
        "In this order: the curve, `np.clip` to [0, 1], times 255, `np.rint`, and last "
        "`.astype(np.uint8)`.",
    ],
)


def steady_solution(values, times, settle):
    """Values that follow with a delay of ``settle`` seconds, however far apart the times are."""
    followed = [values[0]]
    for i in range(1, len(values)):
        share = 1 - math.exp(-(times[i] - times[i - 1]) / settle)
        followed.append(followed[-1] + share * (values[i] - followed[-1]))
    return followed


steady = Exercise(
    title="Follow, but slowly",
    minutes=8,
    difficulty=3,
    reference=steady_solution,
    inputs=lambda: [([1.0, 3.0, 3.0, 0.5, 2.0], [0.2, 0.24, 0.3, 1.1, 1.14], 0.5)],
    mistakes={
        "the share depends on the time since the frame before; with one share for all, "
        "a video of twice the frame rate follows twice as fast.": "times[i] - times[i - 1] => 0.04",
        "dt is the time since the frame before, "
        "not since the first one.": "times[i - 1] => times[0]",
        "your share is what is *kept*; "
        "what is taken of the new value is 1 minus it.": "1 - math.exp => math.exp",
        "the share is 1 - exp(-dt / settle); dt / settle is above 1 for a long gap.": (
            "1 - math.exp(-(times[i] - times[i - 1]) / settle) => "
            "(times[i] - times[i - 1]) / settle"
        ),
        "the share is 1 - exp(-dt / settle); yours has no minus in the exponent.": "exp(- => exp(",
        "the share depends on dt: 1 - exp(-dt / settle).": "times[i] - times[i - 1] => 1",
        "divide the time by `settle`.": " / settle => ",
        "divide the time by `settle`; you multiply by it.": "/ settle => * settle",
        "start at the first value, not at 0: "
        "a video would begin in the dark.": "[values[0]] => [0.0]",
        "the values are not "
        "smoothed.": "followed[-1] + share * (values[i] - followed[-1]) => values[i]",
        "start each step from the last *smoothed* value, "
        "not from the last value of the network.": "followed[-1] => values[i - 1]",
        "move by a share of the *difference* "
        "between the new value and the smoothed one.": "(values[i] - followed[-1]) => values[i]",
    },
    hints=[
        "The smoothed value moves a share of the way to the new one. The longer ago the last frame "
        "was, the larger the share, and it never exceeds 1.",
        "`share = 1 - math.exp(-dt / settle)`, with `dt` the time since the frame before.",
        "Begin with `followed = [values[0]]`. Each step starts at `followed[-1]` and goes `share` "
        "of the way from there to `values[i]`.",
    ],
)
