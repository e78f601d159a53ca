"""Exercises of lesson 09: tiles and their seams, a steady light, a table, padding by hand."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from llie_helpers.images import WHOLE, Place
from llie_helpers.lessons.checks.compare import Finding, difference
from llie_helpers.lessons.checks.exercise import Exercise, edited


def lay_tiles(length, tile, overlap):
    """Where tiles are along one side: list of (start, stop)."""
    starts = range(0, max(length - overlap, 1), tile - overlap)
    return [(start, min(start + tile, length)) for start in starts]


cover = Exercise(
    title="Lay the tiles",
    minutes=8,
    difficulty=2,
    reference=lay_tiles,
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


def fade_weights(width):
    """Weights across a fade, (width,) each: of the tile that comes, and of the one before."""
    angle = (torch.arange(width) + 0.5) / width * torch.pi / 2
    return angle.sin() ** 2, angle.cos() ** 2


def fade_observe(answer, width):
    weights = answer(width)
    given = weights if isinstance(weights, tuple | list) else [weights]
    if any(isinstance(each, np.ndarray) for each in given):
        raise Finding("return tensors, which `tile_weights` multiplies; yours are NumPy arrays.")
    return weights


fade = Exercise(
    title="One comes, one goes",
    minutes=6,
    difficulty=2,
    reference=fade_weights,
    inputs=lambda: [(8,), (5,)],
    observe=fade_observe,
    right=[
        lambda width: list(fade_weights(width)),
        lambda width: tuple(weights.double() for weights in fade_weights(width)),
    ],
    mistakes={
        "return tensors, which `tile_weights` multiplies; yours are NumPy arrays.": lambda width: [
            w.numpy() for w in fade_weights(width)
        ],
        "the angle is taken at the middle of each pixel; `linspace` puts the first pixel at 0 and "
        "the last at pi / 2.": (
            "(torch.arange(width) + 0.5) / width * torch.pi / 2 => "
            "torch.linspace(0, torch.pi / 2, width)"
        ),
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
        "`angle = (torch.arange(width) + 0.5) / width * torch.pi / 2` goes from nearly 0 to "
        "nearly a quarter of a turn.",
        "Over this range the sine grows from 0 to 1 and the cosine falls from 1 to 0. The squares "
        "of both are the weights; which belongs to the tile that comes?",
    ],
)


def tile_weights(rows, columns, size, overlap):
    """Weights (h, w) of a tile of an image of ``size``; those of all tiles add up to 1.

    Tiles fade across the middle third of each overlap.
    """
    third, sides = overlap // 3, []
    for (start, stop), length in zip((rows, columns), size, strict=True):
        comes, goes = fade_weights(third)
        weights = torch.ones(stop - start)
        if start > 0:
            weights[: 2 * third] *= torch.cat([torch.zeros(third), comes])
        if stop < length:
            weights[third - overlap :] *= torch.cat([goes, torch.zeros(overlap - 2 * third)])
        sides.append(weights)
    return sides[0][:, None] * sides[1]


def in_tiles(method, image, tile, overlap):
    """Enhance an image (1, 3, H, W) tile by tile."""
    height, width = image.shape[-2:]
    context = method.prepare(image)
    enhanced = torch.zeros_like(image)
    for top, bottom in lay_tiles(height, tile, overlap):
        for left, right in lay_tiles(width, tile, overlap):
            place = Place(top / height, left / width, bottom / height, right / width)
            output = method(image[..., top:bottom, left:right], context, place)
            weights = tile_weights((top, bottom), (left, right), (height, width), overlap)
            enhanced[..., top:bottom, left:right] += weights * output
    return enhanced


class Toy:
    """A method that decides by the whole, lights by the place, and sees one pixel around.

    Args:
        largest: side in pixels above which it takes no part.
    """

    def __init__(self, largest=math.inf):
        self.largest, self.prepared = largest, []

    def prepare(self, whole):
        self.prepared.append(list(whole.shape[-2:]))
        return whole.mean()

    def __call__(self, part, context=None, place=WHOLE):
        height, width = part.shape[-2:]
        if max(height, width) > self.largest:
            raise Finding(
                f"the method gets {height} x {width} pixels at once; give the method tiles of at "
                f"most {self.largest} x {self.largest}, one by one."
            )
        mean = self.prepare(part) if context is None else context
        down = place.top + (place.bottom - place.top) * (torch.arange(height) + 0.5) / height
        across = place.left + (place.right - place.left) * (torch.arange(width) + 0.5) / width
        light = (1 + down[:, None]) * (2 - across) / (4 + mean)  # below 1, so clamping is harmless
        return F.avg_pool2d(part, kernel_size=3, stride=1, padding=1) * light


def averaged_tiles(method, image, tile, overlap):
    """The same, with a mean of the outputs by their weights."""
    height, width = image.shape[-2:]
    context = method.prepare(image)
    total, weight = torch.zeros(image.shape), torch.zeros(height, width)
    for rows in lay_tiles(height, tile, overlap):
        for columns in lay_tiles(width, tile, overlap):
            part = (slice(*rows), slice(*columns))
            edges = (rows[0] / height, columns[0] / width, rows[1] / height, columns[1] / width)
            output = method(image[:, :, *part], context, place=Place(*edges)).clamp(0, 1)
            weights = tile_weights(rows, columns, (height, width), overlap)
            total[:, :, *part] += weights * output
            weight[part] += weights
    return total / weight


def in_tiles_observe(answer, image, tile, overlap):
    method = Toy(tile)
    return answer(method, image, tile, overlap), method.prepared


_PREPARE = "    context = method.prepare(image)\n => "

enhance_in_tiles = Exercise(
    title="Your own tiles",
    minutes=12,
    difficulty=4,
    reference=in_tiles,
    inputs=lambda: [
        (torch.rand(1, 3, 40, 57), 24, 9),
        (torch.rand(1, 3, 15, 30), 16, 6),
        (torch.rand(1, 3, 9, 11), 16, 7),
    ],
    observe=in_tiles_observe,
    right=[averaged_tiles],
    mistakes={
        "each tile is prepared by itself and gets a light of its own; "
        "prepare once, from the whole image.": [
            _PREPARE,
            ", context, place) => , None, place)",
        ],
        "the result is right, but the whole image is prepared again for each tile; "
        "once is enough.": [_PREPARE, ", context, place) => , method.prepare(image), place)"],
        "the method is given neither context nor place, so it takes each tile for a photograph: "
        "method(part, context, place).": [_PREPARE, ", context, place) => )"],
        "the context is not used: the method prepares each tile by itself unless you give it.": (
            ", context, place) => , None, place)"
        ),
        "the method does not know where the tile is: give it the place too.": (
            ", context, place) => , context)"
        ),
        "edges are fractions of the image; divide rows by the height and columns by the width.": (
            "Place(top / height, left / width, bottom / height, right / width) => "
            "Place(top, left, bottom, right)"
        ),
        "a Place has the edges top, left, bottom, right, in this order.": (
            "Place(top / height, left / width, bottom / height, right / width) => "
            "Place(left / width, top / height, right / width, bottom / height)"
        ),
        "the edges of a Place are top, left, bottom, right; yours begin with top and bottom.": (
            "left / width, bottom / height, right => bottom / height, left / width, right"
        ),
        "start from zeros: the dark image is still below your tiles.": "zeros_like(image) => "
        "clone(image)",
        "tile_weights takes the size of the whole image, to know where a tile has neighbours.": (
            "(height, width), overlap) => (tile, tile), overlap)"
        ),
        "give the method tiles": (
            "output = method(image[..., top:bottom, left:right], context, place) => "
            "output = method(image, context)[..., top:bottom, left:right]"
        ),
        "columns are divided by the width and rows by the height; you use one for both.": (
            "left / width, bottom / height, right / width => "
            "left / height, bottom / height, right / height"
        ),
        "where tiles overlap, the later one overwrites the one before; "
        "add up the weighted outputs.": "] += weights => ] = weights",
        "where tiles overlap, the later one overwrites the one before, and the weights are not "
        "used; add up the weighted outputs.": "+= weights * output => = output",
        "where tiles overlap, their outputs are added up; multiply each by its weights.": (
            "+= weights * output => += output"
        ),
        "you have put the dark tiles together again; add their enhanced versions.": (
            "output = method(image[..., top:bottom, left:right], context, place) => "
            "output = image[..., top:bottom, left:right]"
        ),
        "columns are covered along the width; the right part of the image is missing.": (
            "lay_tiles(width => lay_tiles(min(height, width)"
        ),
    },
    hints=[
        "What has to be known of the whole photograph is known before the first tile. What does "
        "each tile need besides, and where does its output go?",
        "Two loops, over `lay_tiles(height, tile, overlap)` and `lay_tiles(width, tile, overlap)`. "
        "A tile is `image[..., top:bottom, left:right]`, and its place has the same four numbers, "
        "divided by height or width.",
        "Start with `torch.zeros_like(image)`. In the inner loop, `+=` the output of "
        "`method(part, context, place)` times `tile_weights(...)` to the region of the tile.",
    ],
)


def steady_solution(values, times, settle):
    """Values that follow with a delay of ``settle`` seconds, however far apart the times are."""
    followed = [values[0]]
    for i in range(1, len(values)):
        share = 1 - math.exp(-(times[i] - times[i - 1]) / settle)
        followed.append(followed[-1] + share * (values[i] - followed[-1]))
    return followed


def steady_observe(answer, values, times, settle):
    followed = answer(values, times, settle)
    slower = answer(values, [2 * time for time in times], settle)
    smoothed = followed is not None and difference(followed, values)
    if smoothed and not difference(slower, followed):
        raise Finding(
            "the share depends on the time since the frame before; with one share for all, a video "
            "of twice the frame rate follows twice as fast."
        )
    return followed


steady = Exercise(
    title="Follow, but slowly",
    minutes=8,
    difficulty=3,
    reference=steady_solution,
    inputs=lambda: [
        ([1.0, 3.0, 3.0, 0.5, 2.0], [0.2, 0.24, 0.3, 1.1, 1.14], 0.5),
        (list(torch.rand(3, 4)), [1.0, 1.1, 1.15], 0.2),
    ],
    observe=steady_observe,
    right=[lambda *given: torch.stack([torch.as_tensor(v) for v in steady_solution(*given)])],
    mistakes={
        "the share depends on the time since the frame before; with one share for all, "
        "a video of twice the frame rate follows twice as fast.": "times[i] - times[i - 1] => 0.04",
        "dt is the time since the frame before, "
        "not since the first one.": "times[i - 1] => times[0]",
        "frames come at no fixed rate: dt is different for each.": (
            "times[i] - times[i - 1] => times[1] - times[0]"
        ),
        "your share is what is *kept*; "
        "what is taken of the new value is 1 minus it.": "1 - math.exp => math.exp",
        "the share is 1 - exp(-dt / settle); dt / settle is above 1 for a long gap.": (
            "1 - math.exp(-(times[i] - times[i - 1]) / settle) => "
            "(times[i] - times[i - 1]) / settle"
        ),
        "the share is 1 - exp(-dt / settle); yours has no minus in the exponent.": "exp(- => exp(",
        "the base is e, so that `settle` is a time constant; yours is a half-life.": (
            "math.exp(-(times[i] - times[i - 1]) / settle) => "
            "0.5 ** ((times[i] - times[i - 1]) / settle)"
        ),
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


def table_solution(before, after):
    """The best table for each channel: (3, 256) uint8."""
    tables = np.empty((3, 256), np.uint8)
    for channel in range(3):
        values, outputs = before[..., channel].ravel(), after[..., channel].ravel()
        count = np.bincount(values, minlength=256)
        total = np.bincount(values, outputs, minlength=256)
        known = np.flatnonzero(count)
        curve = np.interp(np.arange(256), known, total[known] / count[known])
        tables[channel] = np.rint(np.maximum.accumulate(curve))
    return tables


def table_inputs():
    rng = np.random.default_rng(9)

    def pair(height, width):
        before = rng.integers(5, 90, (height, width, 3))
        after = np.array([1.5, 2.0, 2.4]) * before + rng.normal(0, 12, before.shape)
        return before.astype(np.uint8), after.clip(0, 255).astype(np.uint8)

    return [pair(12, 17), pair(30, 9)]


def table_by_median(before, after):
    """The table of medians."""
    tables = np.empty((3, 256), np.uint8)
    for channel in range(3):
        values, outputs = before[..., channel], after[..., channel]
        known = np.unique(values)
        medians = [np.median(outputs[values == value]) for value in known]
        curve = np.interp(np.arange(256), known, medians)
        tables[channel] = np.rint(np.maximum.accumulate(curve))
    return tables


# The same table, not rounded.
_curves = edited(table_solution, ["np.rint => ", "np.uint8 => float"])


def table_observe(answer, before, after):
    """Return the package's table for every right one: halves may be rounded up or down."""
    got, right = answer(before, after), table_solution(before, after)
    if difference(got, right, tolerance=1):
        return got
    farthest = np.abs(np.asarray(got, float) - _curves(before, after)).max()
    return right if farthest < 0.5 + 1e-9 else got


table = Exercise(
    title="The best table there is",
    minutes=12,
    difficulty=4,
    reference=table_solution,
    inputs=table_inputs,
    observe=table_observe,
    right=[
        lambda before, after: np.floor(_curves(before, after) + 0.5).astype(np.uint8),
        lambda before, after: torch.from_numpy(table_solution(before, after)),
    ],
    mistakes={
        "each channel has a table of its own; you use the pixels of all three for each.": [
            "before[..., channel] => before",
            "after[..., channel] => after",
        ],
        "values that do not occur are 0; interpolate them from their neighbours.": (
            "np.interp(np.arange(256), known, total[known] / count[known]) => "
            "total / np.maximum(count, 1)"
        ),
        "your curve falls in places, so that brighter pixels become the darker ones; take the "
        "largest value so far.": "np.maximum.accumulate(curve) => curve",
        "interpolate between the means first; take the largest value so far after that.": [
            "total[known] / count[known]) => np.maximum.accumulate(total[known] / count[known]))",
            "np.maximum.accumulate(curve) => curve",
        ],
        "round to the nearest level; a conversion to uint8 cuts the fraction off.": "np.rint => ",
        "the two photographs are exchanged: the table leads from `before` to "
        "`after`.": lambda before, after: table_solution(after, before),
        "the shape is (3, 256): one row for each channel.": lambda before, after: (
            table_solution(before, after).T
        ),
        "the values are right, but no bytes: the type is uint8.": "np.uint8) => float)",
        "that is the median of the outputs of a value, which makes absolute errors least; for "
        "squared ones, take the mean.": table_by_median,
        "take the mean of all outputs of a value; yours are their sums.": (
            "total[known] / count[known] => np.minimum(total[known], 255)"
        ),
    },
    hints=[
        "A table gives one output for each value, whatever the place. If a value had several "
        "outputs, which single number is nearest to all of them in squared error? (Lesson 04.)",
        "`np.bincount(values, minlength=256)` counts how often each value occurs, and "
        "`np.bincount(values, outputs, minlength=256)` adds up its outputs. "
        "`np.flatnonzero(count)` are the values that occur at all.",
        "`np.interp(np.arange(256), known, means)` fills the gaps, `np.maximum.accumulate` keeps "
        "the curve from falling, `np.rint` rounds. Do this for each of the three channels.",
    ],
)


def mirror_solution(start, stop, multiple):
    """Which row each row of a padded tile copies: list of numbers."""
    length = math.ceil((stop - start) / multiple) * multiple
    last = stop - 1
    return [last - abs(last - row) for row in range(start, start + length)]


mirror = Exercise(
    title="Padding without PyTorch",
    minutes=8,
    difficulty=3,
    reference=mirror_solution,
    inputs=lambda: [(0, 10, 4), (0, 12, 4), (20, 31, 8), (40, 56, 8), (7, 24, 5)],
    right=[
        lambda start, stop, multiple: np.pad(
            np.arange(start, stop), (0, (start - stop) % multiple), mode="reflect"
        ),
        lambda start, stop, multiple: [
            *range(start, stop),
            *range(stop - 2, stop - 2 - (start - stop) % multiple, -1),
        ],
    ],
    mistakes={
        "a tile whose side is a multiple already stays as it is; you add a whole block.": (
            "math.ceil((stop - start) / multiple) => ((stop - start) // multiple + 1)"
        ),
        "the side of the *tile* is to be a multiple, not the row where it stops.": [
            "(stop - start) / multiple => stop / multiple",
            "start + length => length",
        ],
        "the rows are numbered in the photograph; yours begin at 0 in each tile.": [
            "last = stop - 1 => last = stop - start - 1",
            "range(start, start + length) => range(length)",
        ],
        "the last row comes twice. Reflection turns at the middle of the last row, "
        "so that the first new one copies the last but one.": (
            "last - abs(last - row) => row if row < stop else 2 * stop - 1 - row"
        ),
        "you repeat the last row; reflect instead.": "last - abs(last - row) => min(row, last)",
        "you start again at the first row of the tile; reflect instead.": (
            "last - abs(last - row) => row if row < stop else row - stop + start"
        ),
        "you read beyond the tile, whose rows end before `stop`; reflect instead.": (
            "last - abs(last - row) => row"
        ),
        "nothing is padded.": ("math.ceil((stop - start) / multiple) * multiple => (stop - start)"),
        "you round down and lose rows; the padded side is at least as long as the tile's.": (
            "math.ceil((stop - start) / multiple) => ((stop - start) // multiple)"
        ),
    },
    hints=[
        "Write it down for rows 0 to 9 and multiples of 4. How long is the padded side? After "
        "row 9 the rows go backwards: which is the first?",
        "The padded side has `math.ceil((stop - start) / multiple) * multiple` rows, numbered from "
        "`start`. Up to `stop - 1`, each copies itself.",
        "A row beyond the end and the row that it copies are equally far from row `stop - 1`, one "
        "on each side. `abs` says how far a row is from it.",
    ],
)
