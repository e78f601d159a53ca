"""Checks of lesson 08: two averages of PSNR, luma, who is not dominated, and chance."""

import numpy as np
import torch

from llie_helpers.lessons.checks.compare import compare
from llie_helpers.lessons.checks.exercise import Check


def pooled_solution(enhanced, normal):
    """Mean of the images' PSNR, and PSNR of the pooled error, both in dB."""
    errors = (enhanced - normal).square().mean(dim=(1, 2, 3))
    return -10 * errors.log10().mean(), -10 * errors.mean().log10()


def pooled_test(student):
    def errors(enhanced, normal):
        return (enhanced - normal).square().mean(dim=(1, 2, 3))

    def both(enhanced, normal):
        return pooled_solution(enhanced, normal)

    mistakes = {
        "the two are the wrong way round: first the mean of the images' PSNR, then the pooled "
        "one.": lambda e, n: both(e, n)[::-1],
        "both of your values are the pooled one; the first needs a PSNR for each image before the "
        "mean.": lambda e, n: (both(e, n)[1], both(e, n)[1]),
        "both of your values are the mean of the images' PSNR; for the second, pool the errors "
        "before the logarithm.": lambda e, n: (both(e, n)[0], both(e, n)[0]),
        "a PSNR is minus ten times the logarithm.": lambda e, n: tuple(-x for x in both(e, n)),
        "the logarithm has base 10.": lambda e, n: (
            -10 * errors(e, n).log().mean(),
            -10 * errors(e, n).mean().log(),
        ),
        "the factor is 10 for squared errors, and 20 for their roots only.": lambda e, n: tuple(
            2 * x for x in both(e, n)
        ),
        "the error is squared before it is averaged.": lambda e, n: (
            -10 * (e - n).abs().mean(dim=(1, 2, 3)).log10().mean(),
            -10 * (e - n).abs().mean().log10(),
        ),
        "take the mean over the images; their sum grows with their number.": lambda e, n: (
            -10 * errors(e, n).log10().sum(),
            -10 * errors(e, n).sum().log10(),
        ),
    }
    normal = torch.rand(3, 3, 6, 8)
    spread = torch.tensor([0.02, 0.1, 0.4])[:, None, None, None]
    enhanced = normal + spread * torch.randn(3, 3, 6, 8)
    return compare(student, pooled_solution, enhanced, normal, mistakes=mistakes, tolerance=1e-4)


pooled = Check(
    "Two averages",
    minutes=6,
    difficulty=1,
    reference=pooled_solution,
    test=pooled_test,
    hints=[
        "The logarithm of a mean is not the mean of the logarithms. Which of the two comes first "
        "in each of the two scores?",
        "`errors = (enhanced - normal).square().mean(dim=(1, 2, 3))` has one number for each "
        "image.",
        "`-10 * errors.log10().mean()` and `-10 * errors.mean().log10()`.",
    ],
)


def luma_solution(enhanced, normal):
    """PSNR of the luma of two images (3, H, W), in dB."""
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    error = ((enhanced - normal) * weights).sum(dim=0)
    return -10 * error.square().mean().log10()


def _luma(weights):
    def wrong(enhanced, normal):
        error = ((enhanced - normal) * torch.tensor(weights)[:, None, None]).sum(dim=0)
        return -10 * error.square().mean().log10()

    return wrong


def luma_test(student):
    mistakes = {
        "all channels count alike in your score; luma weighs green most.": _luma([1 / 3] * 3),
        "the channels stand in the order red, green, blue.": _luma([0.114, 0.587, 0.299]),
        "these are the weights of BT.709; the task asks for BT.601's 0.299, 0.587 and 0.114.": (
            _luma([0.2126, 0.7152, 0.0722])
        ),
        "that is the PSNR of all three channels; weigh them and add them up first.": (
            lambda e, n: -10 * (e - n).square().mean().log10()
        ),
        "add the three weighted channels up before you square: errors of channels may cancel.": (
            lambda e, n: (
                -10
                * ((e - n).square() * torch.tensor([0.299, 0.587, 0.114])[:, None, None])
                .sum(dim=0)
                .mean()
                .log10()
            )
        ),
        "a sum over the channels, not a mean: the weights add up to 1 already.": (
            lambda e, n: luma_solution(e, n) + 20 * np.log10(3)
        ),
        "a PSNR is minus ten times the logarithm.": lambda e, n: -luma_solution(e, n),
        "the factor is 10 for squared errors, and 20 for their roots only.": (
            lambda e, n: 2 * luma_solution(e, n)
        ),
    }
    normal = torch.rand(3, 6, 8)
    enhanced = normal + torch.tensor([0.3, 0.1, -0.2])[:, None, None] * torch.rand(3, 6, 8)
    return compare(student, luma_solution, enhanced, normal, mistakes=mistakes, tolerance=1e-4)


luma = Check(
    "Scores without colour",
    minutes=6,
    difficulty=2,
    reference=luma_solution,
    test=luma_test,
    hints=[
        "Luma is one number for each pixel: a weighted sum of its three channels.",
        "`torch.tensor([0.299, 0.587, 0.114])[:, None, None]` can be multiplied with an image; "
        "sum over `dim=0`.",
        "`error = ((enhanced - normal) * weights).sum(dim=0)`, then "
        "`-10 * error.square().mean().log10()`.",
    ],
)


def frontier_solution(costs, qualities):
    """Row numbers of the methods that no other dominates."""
    methods = list(zip(costs, qualities, strict=True))

    def dominated(cost, quality):
        return any(c <= cost and q >= quality and (c, q) != (cost, quality) for c, q in methods)

    return [i for i, method in enumerate(methods) if not dominated(*method)]


def _frontier(costs, qualities, beats):
    methods = list(enumerate(zip(costs, qualities, strict=True)))
    return [
        i for i, mine in methods if not any(beats(other, mine) for j, other in methods if j != i)
    ]


def frontier_test(student):
    # Rows 1 and 6 are equal; row 4 ties with row 2 in quality, row 5 with row 0 in cost.
    costs = [1.0, 3.0, 8.0, 4.0, 9.0, 1.0, 3.0, 20.0]
    qualities = [15.0, 20.0, 22.0, 18.0, 22.0, 12.0, 20.0, 21.0]
    got = student(list(costs), list(qualities))
    expected = frontier_solution(costs, qualities)
    if not isinstance(got, list | tuple | set):
        return f"return a list of row numbers, not a {type(got).__name__}."
    try:
        got = sorted(int(i) for i in got)
    except (TypeError, ValueError):
        return "return a list of row numbers."
    if got == expected:
        return None
    mistakes = {
        "two equal methods dominate neither each other nor themselves; you drop both.": (
            lambda a, b: a[0] <= b[0] and a[1] >= b[1]
        ),
        "a method that is as good and cheaper dominates, and so does one that costs the same and "
        "is better.": lambda a, b: a[0] < b[0] and a[1] > b[1],
        "a low cost is good and a high quality is good; you have one of them upside down.": (
            lambda a, b: a[0] >= b[0] and a[1] >= b[1] and a != b
        ),
        "you keep the cheap and the good, and lose those in between: a method is dominated only by "
        "one that is at least as good in *both*.": lambda a, b: a[0] < b[0] or a[1] > b[1],
        "you look at quality alone.": lambda a, b: a[1] > b[1],
        "you look at cost alone.": lambda a, b: a[0] < b[0],
    }
    for sentence, beats in mistakes.items():
        if got == _frontier(costs, qualities, beats):
            return sentence
    if got == [i for i in range(len(costs)) if i not in expected]:
        return "these are the dominated ones; return the others."
    missing, extra = set(expected) - set(got), set(got) - set(expected)
    return f"{len(missing)} methods are missing and {len(extra)} are dominated by another."


frontier = Check(
    "Who is worth it?",
    minutes=10,
    difficulty=2,
    reference=frontier_solution,
    test=frontier_test,
    hints=[
        "Ask of each method: does another cost no more, and is no worse, and differ from it?",
        "A small function `dominated(cost, quality)` with `any(...)` over all methods, then a list "
        "comprehension over their numbers.",
        "`any(c <= cost and q >= quality and (c, q) != (cost, quality) for c, q in methods)`.",
    ],
)


def interval_solution(ours, theirs, draws):
    """2.5th and 97.5th percentile of the mean difference over bootstrap draws."""
    differences = (ours - theirs)[draws].mean(axis=1)
    return tuple(np.percentile(differences, [2.5, 97.5]))


def interval_test(student):
    rng = np.random.default_rng(5)
    ours = rng.normal(20, 3, 9)
    theirs = ours - rng.normal(0.6, 0.5, 9)
    draws = rng.integers(9, size=(400, 9))

    def differences(a, b, which):
        return (a - b)[which].mean(axis=1)

    mistakes = {
        "the difference is ours minus theirs.": lambda a, b, d: tuple(
            np.percentile(differences(b, a, d), [2.5, 97.5])
        ),
        "95 % in the middle leave 2.5 % on either side.": lambda a, b, d: tuple(
            np.percentile(differences(a, b, d), [5, 95])
        ),
        "percentiles are given in per cent: 2.5 and 97.5.": lambda a, b, d: tuple(
            np.percentile(differences(a, b, d), [0.025, 0.975])
        ),
        "take the mean of each draw first; you have the percentiles of single images.": (
            lambda a, b, d: tuple(np.percentile((a - b)[d], [2.5, 97.5]))
        ),
        "average over the images of a draw, not over the draws.": lambda a, b, d: tuple(
            np.percentile((a - b)[d].mean(axis=0), [2.5, 97.5])
        ),
        "resample both with the *same* draws: each image is compared with itself.": (
            lambda a, b, d: tuple(
                np.percentile(a[d].mean(axis=1) - b[d[::-1]].mean(axis=1), [2.5, 97.5])
            )
        ),
        "the lower end comes first.": lambda a, b, d: tuple(
            np.percentile(differences(a, b, d), [97.5, 2.5])
        ),
        "draws are not used: resample the images with them.": lambda a, b, d: tuple(
            np.percentile(a - b, [2.5, 97.5])
        ),
    }
    return compare(student, interval_solution, ours, theirs, draws, mistakes=mistakes)


interval = Check(
    "Could it be chance?",
    minutes=8,
    difficulty=3,
    reference=interval_solution,
    test=interval_test,
    hints=[
        "Both methods were scored on the same images. Take the difference image by image; then ask "
        "how its mean would vary with other images.",
        "`(ours - theirs)[draws]` has one row for each draw, with the differences of the images "
        "that were drawn.",
        "`.mean(axis=1)` gives the mean of each draw; `np.percentile(..., [2.5, 97.5])` both ends.",
    ],
)
