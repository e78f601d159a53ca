"""Checks of lesson 05: the two-path module, honest inputs, AdamW, and loss scaling."""

import itertools

import numpy as np
import torch

from llie_helpers.lessons.checks.compare import compare, difference
from llie_helpers.lessons.checks.exercise import Check


def two_path_solution(x, short, long, refine):
    """The two-path module from its five convolutions."""
    first, second = long
    y = torch.relu(short(x) + second(torch.relu(first(x))))
    third, fourth = refine
    return torch.relu(y + fourth(torch.relu(third(y))))


def _two_path(x, short, long, refine, inner=True, each=False, last=True, origin=False, missing=""):
    """A module with mistakes on demand."""

    def path(layers, value):
        value = layers[0](value)
        value = layers[1](torch.relu(value) if inner else value)
        return torch.relu(value) if each else value

    y = path(long, x)
    if missing != "short":
        y = y + short(x)
    if missing != "joined":
        y = torch.relu(y)
    z = path(refine, y)
    if missing != "shortcut":
        z = z + (x if origin else y)
    return torch.relu(z) if last else z


def two_path_test(student):
    def wrong(**options):
        return lambda *given: _two_path(*given, **options)

    mistakes = {
        "the ReLU between the two 3x3 convolutions of a path is missing: without it, both are one "
        "linear map.": wrong(inner=False),
        "there is a ReLU too many: a path must be able to subtract, so the ReLU comes after the "
        "sum, not before it.": wrong(each=True),
        "the last ReLU is missing: the figure has one after each of the two sums.": wrong(
            last=False
        ),
        "the ReLU after the first sum is missing.": wrong(missing="joined"),
        "the shortcut of the second half starts at y, where the two paths have met, not at "
        "x.": wrong(origin=True),
        "the second half has no shortcut: add y to what its two convolutions give.": wrong(
            missing="shortcut"
        ),
        "the 1x1 path is missing: its result is added to that of the long path.": wrong(
            missing="short"
        ),
    }
    convolution = torch.nn.Conv2d
    short = convolution(4, 4, kernel_size=1)
    long = [convolution(4, 4, kernel_size=3, padding=1) for _ in range(2)]
    refine = [convolution(4, 4, kernel_size=3, padding=1) for _ in range(2)]
    x = torch.rand(2, 4, 6, 7) - 0.5
    return compare(student, two_path_solution, x, short, long, refine, mistakes=mistakes)


two_path = Check(
    "The two-path module",
    minutes=8,
    difficulty=2,
    reference=two_path_solution,
    test=two_path_test,
    hints=[
        "Walk along the figure with your finger. Where do two arrows meet? What happens right "
        "after each meeting, and what between two 3x3 convolutions?",
        "There are four ReLUs: one inside each pair of 3x3 convolutions and one after each sum. "
        "The 1x1 path has none of its own.",
        "First half: `y = torch.relu(short(x) + second(torch.relu(first(x))))`. The second half is "
        "the same with `y` itself in place of the 1x1 path.",
    ],
)


def inputs_solution(low, normal, scenes, val_low, val_normal, folds, fit):
    """Predictions to train on, each by a model that never saw the scene, and to validate on."""
    fold = np.unique(scenes, return_inverse=True)[1] % folds
    predicted = np.empty_like(normal)
    for k in range(folds):
        held_out = fold == k
        model = fit(low[~held_out], normal[~held_out])
        predicted[held_out] = model.predict(low[held_out])
    return predicted, fit(low, normal).predict(val_low)


class _Spy:
    """Fits nothing; its predictions tell which model made them for which row."""

    def __init__(self):
        self.seen = []

    def __call__(self, low, normal):
        if len(low) != len(normal) or not np.array_equal(low[:, 0], normal[:, 0]):
            raise _MixedUp
        self.seen.append(set(low[:, 0].astype(int)))
        return _SpyModel(len(self.seen) - 1)


class _SpyModel:
    def __init__(self, number):
        self.number = number

    def predict(self, low):
        return np.stack([low[:, 0], np.full(len(low), float(self.number))], axis=1)


class _MixedUp(Exception):
    """Rows of low and normal that do not belong together."""


def inputs_test(student):
    # The first column of a row is its number, in low and normal alike.
    scenes = np.array([7, 2, 7, 9, 2, 4, 9, 4, 7, 2, 4, 9])
    low = np.stack([np.arange(12.0), np.linspace(0.1, 0.3, 12)], axis=1)
    normal = low * [1, 3]
    val_low = np.stack([np.arange(100.0, 104.0), np.full(4, 0.2)], axis=1)
    for folds in (4, 2):
        spy = _Spy()
        try:
            got = student(
                low.copy(), normal.copy(), scenes.copy(), val_low.copy(), val_low.copy(), folds, spy
            )
        except _MixedUp:
            return "the rows that you fit on do not belong together: select low and normal alike."
        if found := _inspect_inputs(got, spy.seen, scenes, val_low, folds):
            return found
    return None


def _inspect_inputs(got, seen, scenes, val_low, folds):
    if not isinstance(got, tuple | list) or len(got) != 2:
        return "return two arrays: the predictions for low and those for val_low."
    for_train, for_val = (np.asarray(part) for part in got)
    rows = np.arange(len(scenes))
    if for_train.shape != (len(scenes), 2) or for_val.shape != val_low.shape:
        return "one of the results has the wrong shape; each row of the input wants one prediction."
    if not np.array_equal(for_train[:, 0], rows) or not np.array_equal(
        for_val[:, 0], val_low[:, 0]
    ):
        return "the predictions are not in the order of the rows; write them to their own rows."
    if any(row >= 100 for fitted in seen for row in fitted):
        return (
            "a model was fitted on validation rows: their score would then say how well targets "
            "are remembered. val_normal is for scoring only."
        )
    makers = for_train[:, 1].astype(int)
    if any(row in seen[maker] for row, maker in zip(rows, makers, strict=True)):
        return "some training row is predicted by a model that was fitted on that very row."
    for row, maker in zip(rows, makers, strict=True):
        if scenes[row] in scenes[list(seen[maker])]:
            return (
                "the row itself is held out, but other rows of its scene are not: fold by scene, "
                "not by row."
            )
    if len(set(makers)) != folds:
        return (
            f"with folds = {folds}, {folds} models must share the training rows; "
            f"yours are predicted by {len(set(makers))}."
        )
    if len(seen[int(for_val[0, 1])]) < len(scenes) or len(set(for_val[:, 1])) > 1:
        return (
            "the validation rows are predicted by a model of a fold. That leaks nothing, but it "
            "wastes data: no training row can betray them, so fit on all of them."
        )
    return None


inputs = Check(
    "Inputs without a leak",
    minutes=12,
    difficulty=4,
    reference=inputs_solution,
    test=inputs_test,
    hints=[
        "For each prediction ask: which rows was the model that made it fitted on? Go through the "
        "training rows first and the validation rows afterwards.",
        "Two leaks: rows of one scene fall into different folds, and val_normal reaches `fit`. "
        "Then one waste: which model would you use on a new photograph?",
        "`fold = np.unique(scenes, return_inverse=True)[1] % folds` gives all rows of a scene the "
        "same fold. For the validation rows, `fit(low, normal)` may use every training row.",
    ],
)


def decay_solution(weight, gradient, mean, square, step, rate, decay):
    """One step of AdamW; ``step`` counts from 1."""
    mean = 0.9 * mean + 0.1 * gradient
    square = 0.999 * square + 0.001 * gradient**2
    unbiased_mean = mean / (1 - 0.9**step)
    unbiased_square = square / (1 - 0.999**step)
    move = unbiased_mean / (unbiased_square.sqrt() + 1e-8)
    weight = weight - rate * move - rate * decay * weight
    return weight, mean, square


def _decay(weight, gradient, mean, square, step, rate, decay, **wrong):
    if wrong.get("coupled"):
        gradient = gradient + decay * weight
    mean = 0.9 * mean + 0.1 * gradient
    square = 0.999 * square + 0.001 * gradient**2
    corrected = not wrong.get("biased")
    up = mean / (1 - 0.9**step) if corrected else mean
    down = square / (1 - 0.999**step) if corrected else square
    move = up / (down.sqrt() + 1e-8)
    if wrong.get("inside"):
        move = move + decay * weight / (down.sqrt() + 1e-8)
    shrink = 0 if wrong.get("coupled") or wrong.get("none") or wrong.get("inside") else decay
    shrink = shrink * (1 if wrong.get("no_rate") else rate) * (-1 if wrong.get("grows") else 1)
    return weight - rate * move - shrink * weight, mean, square


def decay_test(student):
    def wrong(**options):
        return lambda *given: _decay(*given, **options)

    mistakes = {
        "the decay is added to the gradient, so Adam divides it by the gradient's size: that is "
        "Adam with an L2 penalty, not AdamW.": wrong(coupled=True),
        "the decay is divided by the size of the gradients; it must stand outside of "
        "that fraction.": wrong(inside=True),
        "the decay is not multiplied by the learning rate.": wrong(no_rate=True),
        "the decay has the wrong sign: it pulls weights towards 0.": wrong(grows=True),
        "the decay is missing: this is plain Adam.": wrong(none=True),
        "the means start at 0 and are too small at first: divide them by 1 - beta**step before you "
        "use them.": wrong(biased=True),
    }
    for step in (1, 7):
        weight = 2 * torch.randn(6)
        gradient = torch.tensor([3.0, -1.0, 0.1, 0.01, -0.3, 20.0])
        mean, square = 0.3 * torch.randn(6) * (step > 1), torch.rand(6) * (step > 1)
        given = (weight, gradient, mean, square, step, 0.1, 0.2)
        if found := compare(student, decay_solution, *given, mistakes=mistakes):
            return found
    return None


decay = Check(
    "Decoupled weight decay",
    minutes=10,
    difficulty=3,
    reference=decay_solution,
    test=decay_test,
    hints=[
        "Write Adam first: which two running means does it keep, and what does it divide by what? "
        "Then ask where the pull towards 0 must stand so that nothing divides it.",
        "The running means see the gradient of the loss and nothing else. The pull is "
        "`rate * decay * weight`, taken from the weight directly.",
        "`move = mean / (1 - 0.9**step) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)`, then "
        "`weight - rate * move - rate * decay * weight`.",
    ],
)


def scaler_solution(gradient, scale, good, wait):
    """What loss scaling does with a float16 gradient of ``scale`` times the loss."""
    if not torch.isfinite(gradient).all():
        return None, scale / 2, 0
    if good + 1 == wait:
        return gradient.float() / scale, scale * 2, 0
    return gradient.float() / scale, scale, good + 1


def _scaler(gradient, scale, good, wait, **wrong):
    if not torch.isfinite(gradient).all():
        return None, scale / (1 if wrong.get("keeps") else 2), good if wrong.get("counts") else 0
    grown = good + 1 == wait + (1 if wrong.get("late") else 0)
    after = scale * 2 if grown else scale
    divisor = after if wrong.get("new") else scale
    half = (gradient / divisor).float() if wrong.get("half") else gradient.float() / divisor
    result = gradient.float() if wrong.get("scaled") else half
    return result, after, good + 1 if wrong.get("forever") or not grown else 0


def scaler_test(student):
    big = torch.tensor([1e-7, -3e-6, 0.5, 300.0]) * 128
    cases = [
        (big.half(), 128.0, 0, 3),
        (torch.tensor([2.0, float("inf"), 1.0]).half(), 1024.0, 2, 4),
        (torch.tensor([2.0, float("nan"), 1.0]).half(), 1024.0, 1, 4),
        (big.half(), 128.0, 2, 3),
        (torch.tensor([0.003, 0.2]).half(), 4096.0, 2, 5),
    ]

    def results(function):
        made = [function(gradient.clone(), *rest) for gradient, *rest in cases]
        for one in made:
            if not isinstance(one, tuple | list) or len(one) != 3:
                return None
        return made

    got = results(student)
    if got is None:
        return "return three things: the gradient or None, the next scale, the next count."
    given = [result[0] for result in got]
    if any(part is None for part in (given[0], given[3], given[4])):
        return "you skip a step whose gradient is finite."
    floats = [part for part in given if part is not None]
    if any(not isinstance(part, torch.Tensor) for part in floats):
        return "the gradient must stay a tensor."
    if any(part.dtype != torch.float32 for part in floats):
        return (
            "the unscaled gradient is still float16, where the small values vanish again; "
            "convert it to float32 before you divide."
        )
    if (found := _differ(got, results(scaler_solution))) is None:
        return None
    if given[1] is not None and given[2] is None:
        return "only NaN is caught; a gradient that overflows is infinite."
    if given[1] is not None or given[2] is not None:
        return "an infinite or NaN gradient must not be used: return None for it."
    bugs = {
        "you divide in float16, where the small values vanish again; convert first, then divide.": {
            "half": True
        },
        "the gradient is not divided by the scale.": {"scaled": True},
        "you divide by the new scale; the gradient was made with the old one.": {"new": True},
        "after an overflow the scale must be halved, or the next step overflows as well.": {
            "keeps": True
        },
        "after an overflow, the count of good steps starts again at 0.": {"counts": True},
        "the scale doubles one step late: this step counts as a good one too.": {"late": True},
        "the count must go back to 0 when the scale has doubled.": {"forever": True},
    }
    for count in (1, 2):
        for sentences in itertools.combinations(bugs, count):
            options = {key: True for sentence in sentences for key in bugs[sentence]}
            if _differ(got, results(lambda *a, o=options: _scaler(*a, **o))) is None:
                return " Also, ".join(sentences)
    return found


def _differ(got, expected):
    for one, right in zip(got, expected, strict=True):
        if (one[0] is None) != (right[0] is None):
            return "a step is skipped that should not be, or the other way round."
        if right[0] is not None:
            # Relative, since some gradients are tiny.
            if one[0].shape != right[0].shape:
                return "the gradient has another shape."
            size = right[0].abs().clamp(min=1e-12)
            if found := difference(one[0] / size, right[0] / size, 1e-4):
                return f"the gradient is wrong: {found}"
        if found := difference(list(one[1:]), list(right[1:])):
            return f"the scale or the count is wrong: {found}"
    return None


scaler = Check(
    "Loss scaling",
    minutes=10,
    difficulty=3,
    reference=scaler_solution,
    test=scaler_test,
    hints=[
        "There are three cases: the gradient overflowed; it is fine and this is the `wait`-th good "
        "step in a row; it is fine and not yet.",
        "`torch.isfinite(gradient).all()` tells the first case. In the others the gradient is "
        "`gradient.float() / scale`, with the scale that it was made with.",
        "Overflow: `return None, scale / 2, 0`. If `good + 1 == wait`: the scale doubles and the "
        "count is 0. Otherwise: the same scale and `good + 1`.",
    ],
)
