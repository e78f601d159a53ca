"""Exercises of lesson 02: a score, curves, a map of the light, the quantile loss and a leak."""

import numpy as np
import torch

from llie_helpers.lessons.checks.compare import ANY_NUMBER, Finding, expect_form
from llie_helpers.lessons.checks.exercise import ONE_DECISION, Exercise


def psnr_solution(enhanced, normal):
    """PSNR of each image of a batch."""
    mse = ((enhanced - normal) ** 2).mean(dim=(1, 2, 3))
    return -10 * torch.log10(mse)


def psnr_inputs():
    normal = torch.rand(3, 3, 6, 9)
    # Images and channels differ in error, so that every way of pooling shows.
    error = torch.tensor([0.02, 0.1, 0.4]).view(3, 1, 1, 1) * torch.rand(3, 3, 1, 1)
    return [((normal + error * torch.rand_like(normal)).clamp(0, 1), normal)]


_POOLED = (
    "you average the squared error over the whole batch, which lets the worst image decide; "
    "average over channels, rows and columns only (dim=(1, 2, 3))."
)

psnr = Exercise(
    title="PSNR, one score per image",
    minutes=6,
    difficulty=2,
    reference=psnr_solution,
    inputs=psnr_inputs,
    tolerance=1e-4,
    mistakes={
        _POOLED: "dim=(1, 2, 3) => ",
        f"{_POOLED} One score repeated N times is still one score.": [
            "dim=(1, 2, 3) => ",
            "log10(mse) => log10(mse).expand(len(normal))",
        ],
        "your scores are right but you average them; "
        "return one score per image.": "log10(mse) => log10(mse).mean()",
        "the data range is 1 here, not 255: your "
        "scores are 48.1 dB too high.": "-10 * torch.log10(mse) => 10 * torch.log10(255**2 / mse)",
        "the factor 10 belongs to the mean squared error; of its square root you take 20 log10, "
        "so your scores are half of what they should be.": "log10(mse) => log10(mse.sqrt())",
        "20 log10 is for the root of the mean squared error; of the mean squared error itself you "
        "take 10 log10.": "-10 => -20",
        "you take the logarithm pixel by pixel; average the squared error first, then take the "
        "logarithm.": [
            ".mean(dim=(1, 2, 3)) => ",
            "log10(mse) => log10(mse).mean((1, 2, 3))",
        ],
        "decibels use the logarithm to base 10, not the natural one.": "log10 => log",
        "the sign is wrong: a smaller error must give a larger score.": "-10 => 10",
        "you take the absolute error; "
        "PSNR squares it.": "(enhanced - normal) ** 2 => (enhanced - normal).abs()",
        "you score each channel and average three PSNRs; average the squared error over the "
        "channels first, "
        "then take the logarithm.": ["(1, 2, 3) => (2, 3)", "log10(mse) => log10(mse).mean(1)"],
    },
    right=[lambda e, n: -20 * (n - e).flatten(1).square().mean(1).sqrt().log10()],
    hints=[
        "Three steps: square the difference, average it within each image, take the logarithm.",
        "The first dimension counts the images. Average over the other three only.",
        "`.mean(dim=...)` takes a tuple of dimensions, and the logarithm is `torch.log10`.",
    ],
)


def lime_solution(image, smooth, strength):
    """Divide an image by a power of its smoothed brightest channel."""
    light = smooth(image.amax(dim=0, keepdim=True)).clamp(min=0.01)
    return (image / light**strength).clamp(0, 1)


def _smooth(light):
    """Average over 3 x 3 pixels, for a map with or without leading dimensions."""
    maps = light.reshape(-1, 1, *light.shape[-2:])
    padded = torch.nn.functional.pad(maps, (1, 1, 1, 1), mode="replicate")
    return torch.nn.functional.avg_pool2d(padded, 3, stride=1).reshape(light.shape)


def lime_inputs():
    image = torch.rand(3, 12, 16) * torch.linspace(0.05, 1, 16)
    image[:, :5, :5] = 0
    image[:, 7:, :5] *= 0.02  # so dark that the map is below 0.01, and not black
    return [(image, _smooth, strength) for strength in (0.6, 0.9)]


lime = Exercise(
    title="Divide by the light",
    minutes=8,
    difficulty=2,
    reference=lime_solution,
    inputs=lime_inputs,
    mistakes={
        "you take the mean of the three channels; the least light that explains a pixel is its "
        "brightest channel.": "amax => mean",
        "you take the darkest channel; a surface reflects at most the light that it receives, so "
        "there is at least as much light as in the brightest.": "amax => amin",
        "you estimate the light of each channel, which divides the colours away; make one map for "
        "all three.": "image.amax(dim=0, keepdim=True) => image",
        "you smooth the colours and take the brightest channel after that; take it first.": (
            "smooth(image.amax(dim=0, keepdim=True)) => smooth(image).amax(dim=0, keepdim=True)"
        ),
        "the map is not smoothed; pass it to smooth(...).": "light = smooth => light = ",
        "you keep the light at 0.01 before you smooth; do it after, to the map that you divide "
        "by.": ["keepdim=True)).clamp(min=0.01) => keepdim=True).clamp(min=0.01))"],
        "where everything is black the light is 0, and you divide by it; keep it at 0.01 or "
        "more.": ".clamp(min=0.01) => ",
        "you keep light ** strength at 0.01 or more; keep the light itself there, before the "
        "power.": [
            ".clamp(min=0.01) => ",
            "light**strength => (light**strength).clamp(min=0.01)",
        ],
        "you divide by the light itself, whatever the strength is; divide by light ** strength.": (
            "light**strength => light"
        ),
        "the strength is the wrong way round: 0 must change "
        "nothing.": "**strength => ** (1 - strength)",
        "you add 0.01 to the light; only where it is less, raise it to 0.01 "
        "(clamp).": ".clamp(min=0.01) =>  + 0.01",
        "you raise the image to the strength; raise the light.": (
            "/ light**strength => ** strength / light"
        ),
        "you multiply by the light, which darkens; divide by it.": "image / light => image * light",
        "the result leaves [0, 1]; clamp it.": ".clamp(0, 1) => ",
    },
    right=[
        lambda image, smooth, strength: torch.clip(
            image * torch.maximum(smooth(image.max(0).values), torch.tensor(0.01)) ** -strength,
            0,
            1,
        ),
    ],
    hints=[
        "Three lines: the map, the division, the clamp. There is one map for all three channels.",
        "`image.amax(dim=0, keepdim=True)` is the brightest channel, of shape `(1, H, W)`. It is "
        "what `smooth` wants.",
        "`.clamp(min=0.01)` comes after the smoothing, and `light**strength` is what you divide "
        "by: PyTorch repeats the one map for the three channels.",
    ],
)


def gamma_for_mean_solution(image, target):
    """The gamma that gives ``image`` the mean ``target``, by bisection."""
    low, high = 0.01, 10.0
    for _ in range(40):
        middle = (low + high) / 2
        # A larger gamma darkens: above the target the answer lies higher.
        if (image**middle).mean() > target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def gamma_for_mean_observe(answer, image, target):
    """Look at the mean that a gamma gives, not at the gamma."""
    got = float(expect_form(answer(image, target), target))
    if not got > 0:
        raise Finding(f"for the target {target} you return {got:.3g}, but a gamma is positive.")
    mean = (image**got).mean().item()
    if abs(mean - target) < 1e-3:
        return "right"
    right = gamma_for_mean_solution(image, target)
    # As if all pixels had the mean, or the geometric mean.
    formulas = np.log(target) / torch.stack([image.mean().log(), image.log().mean()]).numpy()
    if np.isclose(got, formulas, rtol=1e-3).any():
        found = "the mean of a power is not the power of the mean; search instead."
    elif np.isclose(got, 1 / right, rtol=1e-2):
        found = "you return 1 / gamma; the output here is image ** gamma."
    elif np.isclose(got, target / image.mean().item(), rtol=1e-3):
        found = "target / mean is a gain (a factor), not an exponent."
    elif target < image.mean() and np.isclose(got, 1, atol=1e-3):
        found = "this target is darker than the image, so search above 1 as well."
    elif min(got - 0.01, 10 - got) < 0.01:
        found = "the search ran the wrong way; a larger gamma makes the image darker."
    elif abs(got / right - 1) < 0.25:
        found = "it must be within 0.001; take more or finer steps."
    else:
        found = "it must be within 0.001, and a larger gamma makes the image darker."
    raise Finding(
        f"for the target {target} your gamma {got:.3g} gives the mean {mean:.3g}: {found}"
    )


gamma_for_mean = Exercise(
    title="The gamma that hits a target brightness",
    minutes=12,
    difficulty=3,
    reference=gamma_for_mean_solution,
    inputs=lambda: [
        (torch.rand(3, 12, 16) ** 2 / 2 + 0.001, target) for target in (0.45, 0.2, 0.08)
    ],
    observe=gamma_for_mean_observe,
    mistakes={
        "the mean of a power is not the power of the mean": (
            "return (low + high) / 2 => return np.log(target) / np.log(image.mean().item())"
        ),
        "is not the power of the mean; search instead": (
            "return (low + high) / 2 => return np.log(target) / image.log().mean().item()"
        ),
        "you return 1 / gamma": "return (low + high) / 2 => return 2 / (low + high)",
        "target / mean is a gain": "return (low + high) / 2 => return target / image.mean().item()",
        "take more or finer steps": "range(40) => range(6)",
        "search above 1 as well": "10.0 => 1.0",
        "the search ran the wrong way": "() > => () <",
        "within 0.001, and a larger gamma makes the image darker": [
            "0.01, 10.0 => 0.1, 8.0",
            "() > => () <",
        ],
        "a gamma is positive": "return (low => return -(low",
    },
    right=[
        lambda image, target: min(
            np.geomspace(0.05, 20, 6000),
            key=lambda gamma: abs((image.numpy() ** gamma).mean() - target),
        ),
    ],
    hints=[
        "There is no formula, but the mean of `image**gamma` falls steadily as gamma grows. "
        "So keep two gammas, one too bright and one too dark, and close in.",
        "Try the middle of the two. If the mean is above the target, the middle is still too "
        "bright: which of the two ends does it replace?",
        "Start from 0.01 and 10, and halve the interval 40 times: that leaves less than a "
        "billionth of it. A larger gamma makes the image darker.",
    ],
)


def equalise_solution(levels):
    """Histogram equalisation of a grey image with 256 levels."""
    counts = torch.bincount(levels.flatten().long(), minlength=256)
    cdf = counts.cumsum(0) / levels.numel()
    darkest = cdf[levels.min().long()]
    curve = (cdf - darkest) / (1 - darkest)
    return curve[levels.long()]


equalise = Exercise(
    title="Histogram equalisation from the CDF",
    minutes=12,
    difficulty=3,
    reference=equalise_solution,
    inputs=lambda: [((torch.rand(9, 14) ** 2 * top).byte() + 3,) for top in (60, 252)],
    mistakes={
        "the cumulative counts are not divided by the number of pixels, so the curve "
        "does not end at 1.": ["cdf - darkest => counts.cumsum(0).float()", " / (1 - darkest) => "],
        "the darkest level must become 0: subtract the CDF's value at the darkest level that "
        "occurs, "
        "and divide by what is left of 1.": ["cdf - darkest => cdf", " / (1 - darkest) => "],
        "after you subtract the CDF's first value, the brightest pixel no longer reaches 1; "
        "divide by 1 minus that value.": " / (1 - darkest) => ",
        "you look up the histogram itself, which makes frequent levels bright; accumulate it "
        "with cumsum first.": ["cdf - darkest => counts / levels.numel()", " / (1 - darkest) => "],
        "you return the curve; look every pixel up in it, "
        "curve[levels.long()].": "return curve[levels.long()] => return curve",
        "that is a linear stretch from darkest to brightest; equalisation follows the CDF, "
        "which gives frequent levels more room.": (
            "return curve[levels.long()] => "
            "return (levels.float() - levels.min()) / (levels.max() - levels.min())"
        ),
    },
    right=[
        # In NumPy: how many pixels are at most as bright as this one?
        lambda levels: (lambda rank: (rank - rank.min()) / np.ptp(rank))(
            np.searchsorted(np.sort(levels.numpy(), axis=None), levels.numpy(), side="right")
        ),
    ],
    hints=[
        "The curve you look pixels up in is the CDF itself. Build it from counts per level.",
        "`torch.bincount(levels.flatten().long(), minlength=256)` counts, `.cumsum(0)` adds up, "
        "`levels.numel()` is the number of pixels.",
        "The CDF ends at 1 but starts above 0, at the share of the darkest pixels. Subtract that "
        "value and divide by what is left; then `curve[levels.long()]` looks up every pixel.",
    ],
)


def pinball_solution(predicted, actual, quantile):
    """The quantile (pinball) loss, averaged over all values."""
    short = actual - predicted
    return torch.maximum(quantile * short, (quantile - 1) * short).mean()


pinball = Exercise(
    title="The quantile loss",
    minutes=6,
    difficulty=2,
    reference=pinball_solution,
    inputs=lambda: [(*torch.rand(2, 4, 7), quantile) for quantile in (0.9, 0.5, 0.1)],
    mistakes={
        "the sides are swapped: with quantile 0.9, predicting too low must cost "
        "nine times as much as predicting too high.": lambda p, a, q: pinball_solution(p, a, 1 - q),
        "that is the absolute error, which treats both sides alike; "
        "weigh them with the quantile and 1 - quantile.": lambda p, a, q: (a - p).abs().mean(),
        "that is half the absolute error, right for quantile 0.5 only; weigh "
        "the sides with the quantile and 1 - quantile.": lambda p, a, q: (a - p).abs().mean() / 2,
        "you sum over the values; take the mean, "
        "so that the loss does not grow with their number.": "mean() => sum()",
        "you return one loss per value; take the mean.": ".mean() => ",
        "predictions that are too high cost nothing (or less than nothing); "
        "the other side needs the weight 1 - quantile.": "(quantile - 1) * short => 0 * short",
        "you average before you take the larger of the two, so too high and too low cancel out; "
        "take the mean last.": "actual - predicted => (actual - predicted).mean()",
        ONE_DECISION: "torch.maximum => max",
        "one branch has the wrong sign, so the loss can fall below 0; "
        "both sides must cost.": "(quantile - 1) => quantile",
        "the weight of too high must be negative, quantile - 1, because actual - predicted is "
        "negative there.": "(quantile - 1) => (1 - quantile)",
        "you take the smaller of the two, which is never above 0; take the "
        "larger.": "torch.maximum => torch.minimum",
        "you square the error, which finds the mean; a quantile needs "
        "the plain distance.": lambda p, a, q: (torch.where(a > p, q, 1 - q) * (a - p) ** 2).mean(),
    },
    right=[
        lambda p, a, q: (a - p).abs().mean() / 2 + (q - 0.5) * (a - p).mean(),
        lambda p, a, q: pinball_solution(p, a, q).item(),
    ],
    hints=[
        "Let `short = actual - predicted`. It is positive where the prediction is too low.",
        "Too low costs `quantile * short`, too high costs `(quantile - 1) * short`: each is "
        "positive on its own side and negative on the other.",
        "So the larger of the two is always the right one, value by value. Take the mean last.",
    ],
)


def honest_predictions_solution(features, targets, scenes, fit):
    """Predict every row with a model that saw no row of the same scene."""
    predicted = np.empty_like(targets)
    for scene in np.unique(scenes):
        held_out = scenes == scene
        model = fit(features[~held_out], targets[~held_out])
        predicted[held_out] = model.predict(features[held_out])
    return predicted


class _Spy:
    """A model that remembers its rows, each (number, scene), and predicts for a row:

    (its number, whether the training data had it, whether they had its scene, how many they were).
    """

    def __init__(self, features, targets):
        self.rows = np.asarray(features)
        if not np.array_equal(self.rows[:, 0], np.asarray(targets)[:, 0]):
            raise ValueError("features and targets belong to different rows")

    def predict(self, features):
        features = np.asarray(features)
        seen = [np.isin(features[:, k], self.rows[:, k]) for k in (0, 1)]
        count = np.full(len(features), len(self.rows))
        return np.stack([features[:, 0], *seen, count], axis=1).astype(float)


def honest_predictions_inputs():
    def case(scenes):
        rows = np.arange(len(scenes))
        features = np.stack([rows, scenes], axis=1).astype(float)
        return features, np.repeat(rows[:, None].astype(float), 4, axis=1), scenes, _Spy

    scenes = np.tile(np.arange(8), 3)  # three darkenings of each of eight photographs
    return [case(scenes), case(7 + 3 * scenes)]


def honest_predictions_observe(answer, features, targets, scenes, fit):
    """Ask the spies who was seen."""
    got = expect_form(answer(features, targets, scenes, fit), targets)
    if found := _leak(got, len(targets)):
        raise Finding(ANY_NUMBER if scenes.min() > 0 else found)
    return "right"


def _leak(got, count):
    rows = np.arange(count)
    number, row_seen, scene_seen, trained_on = np.asarray(got, dtype=float).T
    if not np.array_equal(np.sort(number), rows):
        return "some rows are never predicted, or predicted twice; every row needs one prediction."
    if not np.array_equal(number, rows):
        return (
            "the predictions are in another order than the rows; write them back where they "
            "belong, predicted[held_out] = ..."
        )
    if row_seen.all():
        return "every row is predicted by a model that was trained on that row: that is the leak."
    if row_seen.any():
        return "some rows are predicted by a model that was trained on them."
    if scene_seen.any():
        return (
            "no model saw the row itself, but it saw other darkenings of the same photograph; "
            "hold out whole scenes."
        )
    if trained_on.min() < len(rows) / 2:
        return "each model learns from less than half of the rows; train on all other scenes."
    return None


def row_by_row(features, targets, scenes, fit):
    """The same with a model for each row, and lists of rows."""
    predicted = []
    for row, scene in zip(features, scenes, strict=True):
        others = [i for i, other in enumerate(scenes) if other != scene]
        model = fit([features[i] for i in others], [targets[i] for i in others])
        predicted += list(model.predict([row]))
    return predicted


honest_predictions = Exercise(
    title="Find the leak and close it",
    minutes=10,
    difficulty=3,
    reference=honest_predictions_solution,
    inputs=honest_predictions_inputs,
    observe=honest_predictions_observe,
    mistakes={
        "every row is predicted by a model that was trained on that row": "~held_out => :",
        "some rows are predicted by "
        "a model that was trained on them": "~held_out => scenes != (scene if scene % 2 else -1)",
        "it saw other darkenings of the same photograph": [
            "np.unique(scenes) => range(4)",
            "scenes == scene => np.random.default_rng(0).permutation(len(scenes)) % 4 == scene",
        ],
        "each model learns from "
        "less than half of the rows": "~held_out => scenes == scenes[scenes != scene][0]",
        "the predictions are "
        "in another order": "return predicted => return predicted[scenes.argsort(kind='stable')]",
        "some rows are never predicted": [
            "np.unique(scenes) => np.unique(scenes)[:-1]",
            "empty_like => zeros_like",
        ],
        "the result has shape": "return predicted => return predicted[:, 0]",
        "right for scenes numbered 0, 1, 2 and so on": [
            "in np.unique(scenes) => in range(len(np.unique(scenes)))",
            "empty_like => zeros_like",
        ],
    },
    right=[
        lambda features, targets, scenes, fit: honest_predictions_solution(
            features, targets, scenes % 4, fit
        ).tolist(),
        row_by_row,
    ],
    hints=[
        "Ask of every row: had the model that predicts it seen this row, or another darkening of "
        "the same photograph?",
        "Loop over the scenes. `held_out = scenes == scene` marks the rows of one scene; train on "
        "`~held_out`, predict `held_out`.",
        "Start with `predicted = np.empty_like(targets)`, and in the loop write "
        "`predicted[held_out] = model.predict(features[held_out])`.",
    ],
)
