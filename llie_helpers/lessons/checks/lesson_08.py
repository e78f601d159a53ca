"""Exercises of lesson 08: averages of PSNR, which methods are dominated, chance, shared scenes."""

import numpy as np
import torch

from llie_helpers.lessons.checks.compare import NOTHING, Finding, difference, expect_form
from llie_helpers.lessons.checks.exercise import ONE_DECISION, Exercise


def pooled_solution(enhanced, normal):
    """Mean of the images' PSNR, and PSNR of the pooled error, both in dB."""
    errors = (enhanced - normal).square().mean(dim=(1, 2, 3))
    return -10 * errors.log10().mean(), -10 * errors.mean().log10()


def pooled_inputs():
    normal = torch.rand(3, 3, 6, 8)
    noise = torch.tensor([0.02, 0.1, 0.4])[:, None, None, None] * torch.randn(3, 3, 6, 8)
    return [(normal + noise, normal)]


pooled = Exercise(
    title="Two averages",
    minutes=6,
    difficulty=1,
    reference=pooled_solution,
    inputs=pooled_inputs,
    tolerance=1e-4,
    mistakes={
        "the two are the wrong way round: first the mean of the images' PSNR, "
        "then the pooled one.": lambda *given: pooled_solution(*given)[::-1],
        "both of your values are the pooled one; the first needs "
        "a PSNR for each image before the mean.": "errors.log10().mean() => errors.mean().log10()",
        "both of your values are the mean of the images' PSNR; for the second, "
        "pool the errors before the logarithm.": "errors.mean().log10() => errors.log10().mean()",
        "a PSNR is minus ten times the logarithm.": "-10 => 10",
        "the factor is 10 for squared errors, and 20 for their roots only.": "-10 => -20",
        "the logarithm has base 10.": "log10 => log",
        "the error is squared before it is averaged.": "square() => abs()",
        "take the mean over the images; their sum grows with their number.": [
            "log10().mean() => log10().sum()",
            "errors.mean() => errors.sum()",
        ],
    },
    right=[
        lambda *given: [float(value) for value in pooled_solution(*given)],
        lambda enhanced, normal: (
            np.mean(
                [
                    -10 * np.log10(((a - b) ** 2).mean().item())
                    for a, b in zip(enhanced, normal, strict=True)
                ]
            ),
            -10 * np.log10(((enhanced - normal) ** 2).mean().item()),
        ),
    ],
    hints=[
        "The logarithm of a mean is not the mean of the logarithms. Which of the two comes first "
        "in each of the two scores?",
        "`errors = (enhanced - normal).square().mean(dim=(1, 2, 3))` has one number for each "
        "image.",
        "Both scores are made of `errors`, `-10 *`, `.log10()` and `.mean()`; only the order of "
        "the last two differs.",
    ],
)


def frontier_solution(costs, qualities):
    """Row numbers of the methods that no other dominates."""

    def dominates(i, j):
        no_worse = (costs[i] <= costs[j]).all() and qualities[i] >= qualities[j]
        better = (costs[i] < costs[j]).any() or qualities[i] > qualities[j]
        return no_worse and better

    rows = range(len(qualities))
    return [j for j in rows if not any(dominates(i, j) for i in rows)]


def frontier_inputs():
    # Small integers, so that there are ties in each column, and two equal rows. Mostly you get
    # what you pay for, so that many are on the frontier.
    draw = np.random.default_rng(2)
    cases = []
    for rows, columns in ((9, 1), (12, 2), (12, 3), (20, 2)):
        costs = draw.integers(1, 6, (rows, columns))
        qualities = costs.max(axis=1) + draw.integers(0, 3, rows)
        twice = [*range(rows), 0]
        cases.append((costs[twice].astype(float), qualities[twice].astype(float)))
    return cases


_ROW_NUMBERS = (
    "return a list of row numbers, such as [0, 2]; np.flatnonzero makes them of one True or False "
    "for each row."
)


def frontier_observe(student, costs, qualities):
    got = student(costs, qualities)
    if got is None:
        raise Finding(NOTHING)
    got = got.tolist() if isinstance(got, np.ndarray | torch.Tensor) else got
    try:
        rows = sorted(int(i) for i in got)
    except (TypeError, ValueError):
        raise Finding(_ROW_NUMBERS) from None
    if any(isinstance(i, bool | np.bool_) for i in got):
        raise Finding(_ROW_NUMBERS)
    expected = set(frontier_solution(costs, qualities))
    missing, extra = expected - set(rows), set(rows) - expected
    told = f"{len(missing)} of them missing, and {len(extra)} that are dominated"
    return told if missing or extra else "exactly those that no other dominates", rows


def all_at_once(costs, qualities):
    no_worse = (costs[:, None] <= costs).all(axis=2) & (qualities[:, None] >= qualities)
    better = (costs[:, None] < costs).any(axis=2) | (qualities[:, None] > qualities)
    return np.flatnonzero(~(no_worse & better).any(axis=0))


def as_points(costs, qualities):
    """The same by tuples, in which equal methods are equal."""
    points = [(*map(float, row), -float(q)) for row, q in zip(costs, qualities, strict=True)]
    return {
        number
        for number, point in enumerate(points)
        if not any(
            other != point and all(a <= b for a, b in zip(other, point, strict=True))
            for other in points
        )
    }


frontier = Exercise(
    title="Which methods are worth their cost?",
    minutes=10,
    difficulty=3,
    reference=frontier_solution,
    inputs=frontier_inputs,
    observe=frontier_observe,
    mistakes={
        "two equal methods do not dominate each other; you drop both.": [
            "for i in rows => for i in rows if i != j",
            "return no_worse and better => return no_worse",
        ],
        "every method is as good as itself, and does not dominate itself; "
        "ask for a difference too.": "return no_worse and better => return no_worse",
        "being better in one number is enough, if no other is worse; "
        "you ask for a lower cost in each column and for a higher quality.": [
            "<= => <",
            "costs[i] < costs[j]).any() or => costs[i] < costs[j]).all() and",
            ">= => >",
        ],
        "a lower cost in one column makes a method better, if none is higher; you ask for a lower "
        "cost in every column: .any(), not .all().": (
            "costs[i] < costs[j]).any() => costs[i] < costs[j]).all()"
        ),
        "a cost that is equal is no worse: compare with <= there.": "<= => <",
        "a lower cost *or* a higher quality makes a method better; you ask for both.": (
            ".any() or => .any() and"
        ),
        "a method that dominates is no more expensive in *every* column; "
        "for you one cheap column is enough.": "costs[j]).all() => costs[j]).any()",
        "a method that costs less and is no better dominates too; "
        "you ask for a higher quality.": "(costs[i] < costs[j]).any() or => ",
        "a method that costs the same and is better dominates too; "
        "you ask for a lower cost.": " or qualities[i] > qualities[j] => ",
        "you look at the first cost only.": "costs[ => costs[:, :1][",
        "costs with different units cannot be added up; "
        "compare each column by itself.": "costs[ => costs.sum(axis=1, keepdims=True)[",
        "a low cost is good; you prefer a high one.": ["<= => >=", "costs[i] < => costs[i] >"],
        "a high quality is good; you prefer a low one.": [
            "qualities[i] >= => qualities[i] <=",
            "qualities[i] > q => qualities[i] < q",
        ],
        "these are the dominated ones; return the others.": "if not any => if any",
        ONE_DECISION: ".all() and => and",
        _ROW_NUMBERS: lambda costs, qualities: [True] * len(qualities),
    },
    right=[all_at_once, as_points],
    hints=[
        "Begin with two methods: does method i dominate method j? Then ask that of every i, for "
        "each j.",
        "`costs[i] <= costs[j]` compares all costs at once, and `.all()` and `.any()` sum it up. "
        "Two conditions make a method dominate: nowhere worse, and somewhere better.",
        "Write `dominates(i, j)` as a small function inside: nowhere worse is `.all()` for costs "
        "*and* a comparison of qualities, somewhere better is `.any()` for costs *or* one. The "
        "result is a list comprehension with `not any(...)` in it.",
    ],
)


def interval_solution(ours, theirs, draws):
    """2.5th and 97.5th percentile of the mean difference over bootstrap draws."""
    differences = (ours - theirs)[draws].mean(axis=1)
    return tuple(np.percentile(differences, [2.5, 97.5]))


def interval_inputs():
    rng = np.random.default_rng(5)
    ours = rng.normal(20, 3, 9)
    # Of 401 values in order, the percentiles are the 11th and the 391st by any definition.
    return [(ours, ours - rng.normal(0.6, 0.5, 9), rng.integers(9, size=(401, 9)))]


def by_sorting(ours, theirs, draws):
    means = sorted(sum(ours[i] - theirs[i] for i in draw) / len(draw) for draw in draws)
    return means[int(0.025 * len(means))], means[int(0.975 * len(means))]


def interval_observe(student, ours, theirs, draws):
    ends = expect_form(student(ours, theirs, draws), (0.0, 0.0))
    if difference(student(ours, theirs, draws), ends):
        raise Finding("each call gives another interval: use the given `draws`, not your own.")
    if not difference(student(ours, theirs, np.zeros_like(draws)), ends):
        raise Finding(
            "draws are not used: resample the images with them. A formula with standard errors "
            "takes the differences to be normally distributed; the draws do not."
        )
    return ends


interval = Exercise(
    title="Could it be chance?",
    minutes=8,
    difficulty=3,
    reference=interval_solution,
    inputs=interval_inputs,
    observe=interval_observe,
    mistakes={
        "the difference is ours minus theirs.": lambda ours, theirs, draws: interval_solution(
            theirs, ours, draws
        ),
        "95 % in the middle leave 2.5 % on either side.": "[2.5, 97.5] => [5, 95]",
        "percentiles are given in per cent: 2.5 and 97.5.": "2.5, 97.5 => 0.025, 0.975",
        "take the mean of each draw first; "
        "you have the percentiles of single images.": ".mean(axis=1) => ",
        "average over the images of a draw, not over the draws.": "axis=1 => axis=0",
        "a difference of percentiles is not the percentile of a difference; take the difference "
        "of each draw first.": lambda ours, theirs, draws: (
            np.percentile(ours[draws].mean(axis=1), [2.5, 97.5])
            - np.percentile(theirs[draws].mean(axis=1), [2.5, 97.5])
        ),
        "the lower end comes first.": "2.5, 97.5 => 97.5, 2.5",
        "draws are not used: resample the images with them.": lambda ours, theirs, draws: [
            (ours - theirs).mean() + sign * 1.96 * (ours - theirs).std(ddof=1) / len(ours) ** 0.5
            for sign in (-1, 1)
        ],
        "use the given `draws`, not your own.": lambda ours, theirs, draws: interval_solution(
            ours, theirs, np.random.default_rng().integers(len(ours), size=draws.shape)
        ),
        "mean and 1.96 standard deviations of the draws assume a normal distribution; take "
        "percentiles.": (
            "np.percentile(differences, [2.5, 97.5]) => "
            "(differences.mean() - 1.96 * differences.std(), "
            "differences.mean() + 1.96 * differences.std())"
        ),
    },
    right=[
        lambda ours, theirs, draws: np.percentile((ours - theirs)[draws].mean(1), [2.5, 97.5]),
        lambda ours, theirs, draws: np.quantile(
            ours[draws].mean(axis=1) - theirs[draws].mean(axis=1), [0.025, 0.975]
        ).tolist(),
        by_sorting,
    ],
    hints=[
        "Both methods were scored on the same images. Take the difference image by image; then ask "
        "how its mean would vary with other images.",
        "`(ours - theirs)[draws]` has one row for each draw, with the differences of the images "
        "that were drawn.",
        "The mean of each row, `.mean(axis=1)`, is one possible outcome of the test. "
        "`np.percentile(values, [low, high])` gives both ends; which two leave 95 % between them?",
    ],
)


def shared_solution(ours, theirs, threshold):
    """Pairs (i, j) of rows that show the same scene: normalised correlation above threshold."""

    def normalised(rows):
        centred = rows - rows.mean(axis=1, keepdims=True)
        return centred / np.linalg.norm(centred, axis=1, keepdims=True)

    correlation = normalised(ours) @ normalised(theirs).T
    return [(int(i), int(j)) for i, j in zip(*np.nonzero(correlation > threshold), strict=True)]


def shared_inputs():
    rng = np.random.default_rng(3)
    scenes = rng.random((7, 60))

    def seen(*views):
        return np.stack(
            [gain * scenes[scene] + offset + 0.01 * rng.random(60) for scene, gain, offset in views]
        )

    # Rows 1 and 4 of ours are one scene; a different exposure must not hide it. The last row of
    # theirs is the negative of a scene.
    ours = seen((0, 1, 0), (1, 0.3, 0), (2, 1, 0.5), (3, 0.6, 0.2), (1, 0.8, 0.1))
    theirs = seen((4, 1, 0), (1, 1, 0), (5, 0.9, 2.0), (3, 0.2, 0.9), (6, 0.4, 3.0), (1, 0.1, 0.7),
                  (2, -1, 1.5))  # fmt: skip
    return [(ours, theirs, 0.95)]


def shared_observe(student, ours, theirs, threshold):
    got = student(ours, theirs, threshold)
    if got is None:
        raise Finding(NOTHING)
    got = got.tolist() if isinstance(got, np.ndarray | torch.Tensor) else got
    if not isinstance(got, list | tuple | set):
        raise Finding(f"return a list of pairs (i, j); yours is of type {type(got).__name__}.")
    try:
        pairs = sorted((int(i), int(j)) for i, j in got)
    except (TypeError, ValueError):
        raise Finding("return a list of pairs (i, j) of row numbers.") from None
    expected = set(shared_solution(ours, theirs, threshold))
    missing, extra = expected - set(pairs), set(pairs) - expected
    told = f"{len(missing)} of them missing, and {len(extra)} that are not of one scene"
    return told if missing or extra else "exactly the pairs of one scene", pairs


shared = Exercise(
    title="Have they met before?",
    minutes=8,
    difficulty=3,
    reference=shared_solution,
    inputs=shared_inputs,
    observe=shared_observe,
    mistakes={
        "subtract each row's own mean first; otherwise "
        "any two bright images correlate.": "rows - rows.mean(axis=1, keepdims=True) => rows",
        "subtract each row's own mean, "
        "not the mean of all rows.": "rows.mean(axis=1, keepdims=True) => rows.mean()",
        "divide each row by its length; without that, "
        "contrast counts as similarity.": "np.linalg.norm(centred, axis=1, keepdims=True) => 1",
        "no pair is above the threshold: subtract each row's mean first, then divide each row by "
        "its own length (`axis=1`).": (
            "np.linalg.norm(centred, axis=1, keepdims=True) => np.linalg.norm(centred)"
        ),
        "normalise the rows of both arrays.": (
            "normalised(theirs) => (theirs - theirs.mean(axis=1, keepdims=True))"
        ),
        "subtract each row's mean, and divide each row by its length.": [
            "rows - rows.mean(axis=1, keepdims=True) => rows",
            "np.linalg.norm(centred, axis=1, keepdims=True) => 1",
        ],
        "divided by the standard deviation, a row has the root of its number of pixels for its "
        "length; take the mean of the products, not their sum.": (
            "np.linalg.norm(centred, axis=1, keepdims=True) => centred.std(axis=1, keepdims=True)"
        ),
        "one image of ours can have several partners; do not stop at the best.": (
            "correlation > threshold => "
            "(correlation > threshold) & (correlation == correlation.max(1, keepdims=True))"
        ),
        "the pairs are the wrong way round: first ours, "
        "then theirs.": "(int(i), int(j)) => (int(j), int(i))",
        "the pairs that belong together "
        "correlate *above* the threshold.": "correlation > threshold => correlation < threshold",
        "a negative is not the same scene: leave the sign "
        "of the correlation as it is.": "correlation > threshold => abs(correlation) > threshold",
    },
    right=[
        lambda *given: set(shared_solution(*given)),
        lambda *given: np.array(shared_solution(*given)),
        lambda ours, theirs, threshold: np.argwhere(
            np.corrcoef(ours, theirs)[: len(ours), len(ours) :] > threshold
        ),
    ],
    hints=[
        "The same scene at another exposure is about `gain * scene + offset`. What must you do to "
        "a row so that neither gain nor offset is left?",
        "Subtract each row's mean, then divide it by its length (`np.linalg.norm`). The product of "
        "two such rows is their correlation, at most 1.",
        "`correlation = a @ b.T` has all of them at once; `np.nonzero(correlation > threshold)` "
        "gives the rows and columns where it is high.",
    ],
)
