"""Exercises of lesson 09: tiles and their seams, a curve as a table, a steady exposure."""

import math

import numpy as np
import torch

from llie_helpers.lessons.checks.exercise import Exercise, combinations


def cover_solution(length, tile, overlap):
    """Where tiles are along one side: list of (start, stop)."""
    starts = range(0, max(length - overlap, 1), tile - overlap)
    return [(start, min(start + tile, length)) for start in starts]


def cover_inputs():
    return [(70, 40, 10), (75, 40, 10), (40, 40, 8), (17, 40, 8), (49, 16, 4),
            (6, 40, 8), (8, 40, 8)]  # fmt: skip


def _cover(length, tile, overlap, step=lambda tile, overlap: tile - overlap,
           end=lambda length, overlap: max(length - overlap, 1),
           stop=lambda start, tile, length: (start, min(start + tile, length))):  # fmt: skip
    starts = range(0, end(length, overlap), step(tile, overlap))
    return [stop(start, tile, length) for start in starts]


def _growing(length, tile, overlap):
    tiles = [(0, min(tile, length))]
    while tiles[-1][1] < length:
        start = tiles[-1][1] - overlap
        tiles += [(start, min(start + tile, length))]
    return tuple(tiles)


def _counted(length, tile, overlap):
    starts = np.arange(max(1, math.ceil((length - overlap) / (tile - overlap)))) * (tile - overlap)
    return np.stack([starts, np.minimum(starts + tile, length)], axis=1)


cover = Exercise(
    title="Lay the tiles",
    minutes=8,
    difficulty=2,
    reference=cover_solution,
    inputs=cover_inputs,
    mistakes=combinations(
        _cover,
        {
            "your tiles do not overlap: the next one starts `tile - overlap` further on.": {
                "step": lambda tile, overlap: tile
            },
            "the step is `tile - overlap`, not `overlap`.": {"step": lambda tile, overlap: overlap},
            "your tiles reach beyond the image; the last one stops at its end.": {
                "stop": lambda start, tile, length: (start, start + tile)
            },
            "the last tile is moved back to have its full length; it shares exactly `overlap` "
            "pixels with the one before, and may be shorter.": {
                "stop": lambda start, tile, length: (
                    max(0, min(start, length - tile)),
                    min(start + tile, length),
                )
            },
            "your last tile is wholly inside the overlap with the one before and adds nothing.": {
                "end": lambda length, overlap: length
            },
            "a side that is no longer than the overlap gets no tile; even the shortest side needs "
            "one.": {"end": lambda length, overlap: length - overlap},
        },
        most=2,
    )
    | {
        "the end of the image is not covered: one tile is missing.": (
            lambda *sizes: cover_solution(*sizes)[:-1]
        ),
        "return a list of pairs (start, stop).": (
            lambda length, tile, overlap: list(range(0, length, tile - overlap))
        ),
    },
    right=[_cover, _growing, _counted],
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


def _fade(overlap, shift=0.5, turn=torch.pi / 2, weights=lambda a: (a.sin() ** 2, a.cos() ** 2)):
    return weights((torch.arange(overlap) + shift) / overlap * turn)


fade = Exercise(
    title="One comes, one goes",
    minutes=6,
    difficulty=2,
    reference=fade_solution,
    inputs=lambda: [(8,), (5,)],
    mistakes=combinations(
        _fade,
        {
            "the two are the wrong way round: first the tile that comes.": {
                "weights": lambda angle: (angle.cos() ** 2, angle.sin() ** 2)
            },
            "without the half pixel the first weight is 0, and where no other tile is, the "
            "division by the sum of weights fails.": {"shift": 0},
            "sine and cosine do not add up to 1; their squares do.": {
                "weights": lambda angle: (angle.sin(), angle.cos())
            },
            "the sine must go from 0 to 1: a quarter of a turn, pi / 2.": {"turn": torch.pi},
            "a straight ramp adds up to 1, but has a kink at both ends, which can be seen as a "
            "line; take the squared sine.": {
                "weights": lambda angle: (angle / torch.pi * 2, 1 - angle / torch.pi * 2)
            },
            "both tiles have the same weights; one comes while the other goes.": {
                "weights": lambda angle: (angle.sin() ** 2, angle.sin() ** 2)
            },
        },
        most=1,
    ),
    right=[
        _fade,
        # By the double angle.
        lambda overlap: _fade(
            overlap,
            turn=torch.pi,
            weights=lambda angle: torch.stack([1 - angle.cos(), 1 + angle.cos()]).double() / 2,
        ),
        # A Hann window, cut in the middle.
        lambda overlap: np.hanning(4 * overlap + 1)[1::2].reshape(2, overlap),
    ],
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


LEVELS = np.arange(256) / 255


def _rounded(curve):
    return np.rint(np.clip(curve, 0, 1) * 255).astype(np.uint8)


table = Exercise(
    title="A curve for bytes",
    minutes=6,
    difficulty=1,
    reference=table_solution,
    inputs=lambda: [(3.0, 0.6), (1.7, 0.9)],
    mistakes={
        "values above 1 wrap around: a byte has no 256, and 256 becomes 0; clip before you "
        "convert.": lambda gain, gamma: (
            np.rint(gain * LEVELS**gamma * 255).astype(int).astype(np.uint8)
        ),
        "round to the nearest level; a conversion to uint8 cuts the fraction off.": (
            lambda gain, gamma: (np.clip(gain * LEVELS**gamma, 0, 1) * 255).astype(np.uint8)
        ),
        "the levels go from 0 to 1: divide by 255, not by 256.": (
            lambda gain, gamma: _rounded(gain * (np.arange(256) / 256) ** gamma)
        ),
        "the curve is for values in [0, 1]; you feed it bytes.": (
            lambda gain, gamma: _rounded(gain * np.arange(256.0) ** gamma / 255)
        ),
        "the gain comes after the power.": lambda gain, gamma: _rounded((gain * LEVELS) ** gamma),
        "return bytes: multiply by 255, round, and convert to uint8.": (
            lambda gain, gamma: np.clip(gain * LEVELS**gamma, 0, 1)
        ),
        "the values are right, but they are not bytes yet: convert to uint8.": (
            lambda gain, gamma: table_solution(gain, gamma).astype(int)
        ),
        "the values are whole, but still floats: convert to uint8.": (
            lambda gain, gamma: table_solution(gain, gamma).astype(float)
        ),
    },
    right=[
        lambda gain, gamma: np.minimum(255 * gain * LEVELS**gamma + 0.5, 255).astype(np.uint8),
        lambda gain, gamma: (
            torch.linspace(0, 1, 256).pow(gamma).mul(gain).clamp(0, 1).mul(255).round().byte()
        ),
    ],
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


def _steady(values, times, settle, share=lambda dt, settle: 1 - math.exp(-dt / settle),
            dt=lambda times, i: times[i] - times[i - 1], start=lambda values: [values[0]],
            move=lambda followed, values, i, share: followed + share * (values[i] - followed),
            ):  # fmt: skip
    followed = start(values)
    for i in range(1, len(values)):
        followed.append(move(followed[-1], values, i, share(dt(times, i), settle)))
    return followed


def _steady_arrays(values, times, settle):
    followed = np.array(values)
    for i, kept in enumerate(np.exp(-np.diff(times) / settle), start=1):
        followed[i] = kept * followed[i - 1] + (1 - kept) * values[i]
    return followed


steady = Exercise(
    title="Follow, but slowly",
    minutes=8,
    difficulty=3,
    reference=steady_solution,
    inputs=lambda: [([1.0, 3.0, 3.0, 0.5, 2.0], [0.2, 0.24, 0.3, 1.1, 1.14], 0.5)],
    mistakes=combinations(
        _steady,
        {
            "the share depends on the time since the frame before; with one share for all, a video "
            "of twice the frame rate follows twice as fast.": {"dt": lambda times, i: 0.04},
            "dt is the time since the frame before, not since the first one.": {
                "dt": lambda times, i: times[i] - times[0]
            },
            "dt is the time since the frame before; you take the time itself.": {
                "dt": lambda times, i: times[i]
            },
            "your share is what is *kept*; what is taken of the new value is 1 minus it.": {
                "share": lambda dt, settle: math.exp(-dt / settle)
            },
            "the share is 1 - exp(-dt / settle); dt / settle is above 1 for a long gap.": {
                "share": lambda dt, settle: dt / settle
            },
            "the share is 1 - exp(-dt / settle), not dt / settle with a limit of 1.": {
                "share": lambda dt, settle: min(dt / settle, 1)
            },
            "the share is 1 - exp(-dt / settle); yours has no minus in the exponent.": {
                "share": lambda dt, settle: 1 - math.exp(dt / settle)
            },
            "the share depends on dt: 1 - exp(-dt / settle).": {
                "share": lambda dt, settle: 1 - math.exp(-1 / settle)
            },
            "divide the time by `settle`.": {"share": lambda dt, settle: 1 - math.exp(-dt)},
            "divide the time by `settle`; you multiply by it.": {
                "share": lambda dt, settle: 1 - math.exp(-dt * settle)
            },
            "start at the first value, not at 0: a video would begin in the dark.": {
                "start": lambda values: [0.0]
            },
            "the values are not smoothed.": {"move": lambda followed, values, i, share: values[i]},
            "start each step from the last *smoothed* value, not from the last value of the "
            "network.": {
                "move": lambda followed, values, i, share: (
                    values[i - 1] + share * (values[i] - values[i - 1])
                )
            },
            "move by a share of the *difference* between the new value and the smoothed one.": {
                "move": lambda followed, values, i, share: followed + share * values[i]
            },
        },
        most=1,
    )
    | {
        "the first value is missing: the list starts with it.": (
            lambda *given: steady_solution(*given)[1:]
        )
    },
    right=[_steady, _steady_arrays],
    hints=[
        "The smoothed value moves a share of the way to the new one. The longer ago the last frame "
        "was, the larger the share, and it never exceeds 1.",
        "`share = 1 - math.exp(-dt / settle)`, with `dt` the time since the frame before.",
        "Begin with `followed = [values[0]]`. Each step starts at `followed[-1]` and goes `share` "
        "of the way from there to `values[i]`.",
    ],
)
