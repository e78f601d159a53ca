"""Exercises of lesson 08: two averages of PSNR, luma, which methods are dominated, and chance."""

import numpy as np
import torch

from llie_helpers.lessons.checks.compare import Finding
from llie_helpers.lessons.checks.exercise import Exercise


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
    hints=[
        "The logarithm of a mean is not the mean of the logarithms. Which of the two comes first "
        "in each of the two scores?",
        "`errors = (enhanced - normal).square().mean(dim=(1, 2, 3))` has one number for each "
        "image.",
        "Both scores are made of `errors`, `-10 *`, `.log10()` and `.mean()`; only the order of "
        "the last two differs.",
    ],
)


def luma_solution(enhanced, normal):
    """PSNR of the luma of two images (3, H, W), in dB."""
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    error = ((enhanced - normal) * weights).sum(dim=0)
    return -10 * error.square().mean().log10()


luma = Exercise(
    title="Scores without colour",
    minutes=6,
    difficulty=2,
    reference=luma_solution,
    inputs=lambda: [tuple(torch.rand(2, 3, 6, 8) * torch.tensor([0.3, 0.6, 1]).view(3, 1, 1))],
    tolerance=1e-4,
    mistakes={
        "all channels count alike in your score; "
        "luma weighs green most.": "0.299, 0.587, 0.114 => 1 / 3, 1 / 3, 1 / 3",
        "the channels are in the order red, green, "
        "blue.": "0.299, 0.587, 0.114 => 0.114, 0.587, 0.299",
        "these are the weights of BT.709; the task asks for BT.601's 0.299, "
        "0.587 and 0.114.": "0.299, 0.587, 0.114 => 0.2126, 0.7152, 0.0722",
        "that is the PSNR of all three channels; weigh them "
        "and add them up first.": "((enhanced - normal) * weights).sum(dim=0) => enhanced - normal",
        "add the three weighted channels up before you square: errors of channels may cancel.": [
            "(enhanced - normal) * => (enhanced - normal) ** 2 *",
            "error.square() => error",
        ],
        "a sum over the channels, not a mean: "
        "the weights add up to 1 already.": "sum(dim=0) => mean(dim=0)",
        "a PSNR is minus ten times the logarithm.": "-10 => 10",
        "the factor is 10 for squared errors, and 20 for their roots only.": "-10 => -20",
    },
    hints=[
        "Luma is one number for each pixel: a weighted sum of its three channels.",
        "`torch.tensor([0.299, 0.587, 0.114])[:, None, None]` can be multiplied with an image; "
        "sum over `dim=0`.",
        "Weigh the difference of the images and sum over the channels. The rest is the PSNR of a "
        "grey image: square, `.mean()`, `.log10()`, times -10.",
    ],
)


def frontier_solution(costs, qualities):
    """Row numbers of the methods that no other dominates."""
    methods = list(zip(costs, qualities, strict=True))

    def dominated(cost, quality):
        return any(c <= cost and q >= quality and (c, q) != (cost, quality) for c, q in methods)

    return [i for i, method in enumerate(methods) if not dominated(*method)]


def frontier_inputs():
    # Rows 1 and 6 are equal; row 4 ties with row 2 in quality, row 5 with row 0 in cost.
    costs = [1.0, 3.0, 8.0, 4.0, 9.0, 1.0, 3.0, 20.0]
    return [
        (costs, [15.0, 20.0, 22.0, 18.0, 22.0, 12.0, 20.0, 21.0]),
        ([2.0, 1.0, 3.0], [22.0, 23.0, 21.0]),
    ]


def frontier_observe(student, costs, qualities):
    got = student(costs, qualities)
    got = got.tolist() if isinstance(got, np.ndarray | torch.Tensor) else got
    if not isinstance(got, list | tuple | set):
        raise Finding(f"return a list of row numbers; yours is of type {type(got).__name__}.")
    try:
        rows = sorted(int(i) for i in got)
    except (TypeError, ValueError):
        raise Finding("return a list of row numbers.") from None
    expected = set(frontier_solution(costs, qualities))
    missing, extra = expected - set(rows), set(rows) - expected
    return f"{len(missing)} methods missing, {len(extra)} dominated by another", rows


frontier = Exercise(
    title="Which methods are worth their cost?",
    minutes=10,
    difficulty=2,
    reference=frontier_solution,
    inputs=frontier_inputs,
    observe=frontier_observe,
    mistakes={
        "two equal methods dominate neither each other nor themselves; you drop both.": [
            "(c, q) != (cost, quality) => methods.count((c, q)) > ((c, q) == (cost, quality))",
        ],
        "a method that is as good and cheaper dominates, and so does one that costs the same "
        "and is better.": (
            "c <= cost and q >= quality and (c, q) != (cost, quality) => c < cost and q > quality"
        ),
        "a low cost is good and a high quality is good; "
        "you have one of them upside down.": "c <= cost => c >= cost",
        "you keep the cheap and the good, and lose those in between: a method is dominated only "
        "by one that is at least as good in *both*.": (
            "c <= cost and q >= quality and (c, q) != (cost, quality) => c < cost or q > quality"
        ),
        "you look at quality "
        "alone.": "c <= cost and q >= quality and (c, q) != (cost, quality) => q > quality",
        "you look "
        "at cost alone.": "c <= cost and q >= quality and (c, q) != (cost, quality) => c < cost",
        "these are the dominated ones; return the others.": "if not dominated => if dominated",
        "return a list of row numbers.": lambda costs, qualities: ["first"],
        "return a list of row numbers; yours is of type": lambda costs, qualities: 3,
    },
    right=[
        lambda *given: set(frontier_solution(*given)),
        lambda *given: np.array(frontier_solution(*given)),
    ],
    hints=[
        "Ask of each method: does another cost no more, and is no worse, and differ from it?",
        "A small function `dominated(cost, quality)` with `any(...)` over all methods, then a list "
        "comprehension over their numbers.",
        "A method `(c, q)` is no worse than `(cost, quality)` if `c <= cost and q >= quality`. "
        "That holds of equal ones as well: rule them out.",
    ],
)


def interval_solution(ours, theirs, draws):
    """2.5th and 97.5th percentile of the mean difference over bootstrap draws."""
    differences = (ours - theirs)[draws].mean(axis=1)
    return tuple(np.percentile(differences, [2.5, 97.5]))


def interval_inputs():
    rng = np.random.default_rng(5)
    ours = rng.normal(20, 3, 9)
    return [(ours, ours - rng.normal(0.6, 0.5, 9), rng.integers(9, size=(400, 9)))]


interval = Exercise(
    title="Could it be chance?",
    minutes=8,
    difficulty=3,
    reference=interval_solution,
    inputs=interval_inputs,
    mistakes={
        "the difference is ours minus theirs.": lambda ours, theirs, draws: interval_solution(
            theirs, ours, draws
        ),
        "95 % in the middle leave 2.5 % on either side.": "[2.5, 97.5] => [5, 95]",
        "percentiles are given in per cent: 2.5 and 97.5.": "2.5, 97.5 => 0.025, 0.975",
        "take the mean of each draw first; "
        "you have the percentiles of single images.": ".mean(axis=1) => ",
        "average over the images of a draw, not over the draws.": "axis=1 => axis=0",
        "resample both with the *same* draws: each image "
        "is compared with itself.": "(ours - theirs)[draws] => (ours[draws] - theirs[draws[::-1]])",
        "the lower end comes first.": "2.5, 97.5 => 97.5, 2.5",
        "draws are not used: "
        "resample the images with them.": "(ours - theirs)[draws].mean(axis=1) => ours - theirs",
    },
    hints=[
        "Both methods were scored on the same images. Take the difference image by image; then ask "
        "how its mean would vary with other images.",
        "`(ours - theirs)[draws]` has one row for each draw, with the differences of the images "
        "that were drawn.",
        "The mean of each row, `.mean(axis=1)`, is one possible outcome of the test. "
        "`np.percentile(values, [low, high])` gives both ends; which two leave 95 % between them?",
    ],
)
