"""Exercises of lesson 05: the two-path module, honest inputs, AdamW, and loss scaling."""

from types import SimpleNamespace

import numpy as np
import torch

from llie_helpers.lessons.checks.compare import Finding, copy_of
from llie_helpers.lessons.checks.exercise import Exercise, combine


def two_path_solution(x, short, long, refine):
    """The two-path module from its five convolutions."""
    first, second = long
    y = torch.relu(short(x) + second(torch.relu(first(x))))
    third, fourth = refine
    return torch.relu(y + fourth(torch.relu(third(y))))


def two_path_inputs():
    short, *rest = (torch.nn.Conv2d(4, 4, k, padding=k // 2).requires_grad_(False)
                    for k in (1, 3, 3, 3, 3))  # fmt: skip
    return [(torch.rand(2, 4, 6, 7) - 0.5, short, rest[:2], rest[2:])]


two_path = Exercise(
    title="The two-path module",
    minutes=8,
    difficulty=2,
    reference=two_path_solution,
    inputs=two_path_inputs,
    mistakes={
        "the ReLU between the two 3x3 convolutions of a path is missing: without it, both are "
        "one linear map.": "(torch.relu( => ((",
        "the ReLU inside the long path is missing.": "torch.relu(first(x)) => first(x)",
        "the ReLU inside the second half's path is missing.": "torch.relu(third(y)) => third(y)",
        "there is a ReLU too many: a path must be able to subtract, so the ReLU comes after the "
        "sum, not before it.": [
            "first(x))) => first(x))).relu()",
            "third(y))) => third(y))).relu()",
        ],
        "the long path has a ReLU at its end; "
        "the sum comes first.": "first(x))) => first(x))).relu()",
        "the second half has a ReLU before its sum; "
        "add y first.": "third(y))) => third(y))).relu()",
        "both ReLUs after the sums are missing.": " torch.relu( =>  (",
        "the last ReLU is missing: "
        "the figure has one after each of the two sums.": "return torch.relu( => return (",
        "the ReLU after the first sum is missing.": "y = torch.relu(short => y = (short",
        "there is no ReLU at all: that is one linear map.": "torch.relu => ",
        "the shortcut of the second half starts at y, where the two paths have met, "
        "not at x.": "return torch.relu(y => return torch.relu(x",
        "the second half has no shortcut: "
        "add y to what its two convolutions give.": "return torch.relu(y +  => return torch.relu(",
        "the 1x1 path is missing: its result is added to that of the long path.": "short(x) +  => ",
        "x itself is added to the long path; "
        "it takes the 1x1 convolution on its way.": "short(x) => x",
        "the 1x1 path has no ReLU of its own: "
        "the ReLU comes after the sum.": "short(x) => torch.relu(short(x))",
    },
    hints=[
        "Walk along the figure with your finger. Where do two arrows meet? What happens right "
        "after each meeting, and what between two 3x3 convolutions?",
        "There are four ReLUs: one inside each pair of 3x3 convolutions and one after each sum. "
        "The 1x1 path has none of its own.",
        "The long path is `second(torch.relu(first(x)))`. Add the other path, then comes a ReLU, "
        "and you have `y`. The second half is the same with `y` itself in place of the 1x1 path.",
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


def inputs_inputs():
    # The first column of a row is its number, in low and normal alike.
    scenes = np.array([7, 2, 7, 9, 2, 4, 9, 4, 7, 2, 4, 9, 11, 6, 6, 11])
    low = np.stack([np.arange(16.0), np.linspace(0.1, 0.3, 16)], axis=1)
    val_low = np.stack([np.arange(100.0, 104.0), np.full(4, 0.2)], axis=1)
    return [(low, low * [1, 3], scenes, val_low, val_low * [1, 3], 3)]


def inputs_observe(student, low, normal, scenes, val_low, val_normal, folds):
    """Return the first fault of the predictions; any that share the scenes out are right."""
    seen = []

    def fit(low, normal):
        """Learn nothing: the predictions tell which model made them, and for which row."""
        if not np.array_equal(low[:, 0], normal[:, 0]):
            raise Finding(
                "the rows that you fit on do not belong together: select low and normal alike."
            )
        seen.append(set(low[:, 0].astype(int)))
        model = len(seen) - 1
        return SimpleNamespace(predict=lambda rows: np.insert(rows[:, :1], 1, model, axis=1))

    got = student(low, normal, scenes, val_low, val_normal, folds, fit)
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise Finding("return two arrays: the predictions for low and those for val_low.")
    for_train, for_val = (np.asarray(part) for part in got)
    if for_train.shape != low.shape or for_val.shape != val_low.shape:
        raise Finding(
            "one of the results has the wrong shape; each row of the input wants one prediction."
        )
    rows, makers = np.arange(len(low)), for_train[:, 1].astype(int)
    known = [seen[maker] & set(rows) for maker in makers]
    faults = {
        "another order": list(for_train[:, 0]) != list(rows)
        or list(for_val[:, 0]) != list(val_low[:, 0]),
        "fitted on validation rows": any(row >= 100 for rows_seen in seen for row in rows_seen),
        "fitted on the row itself": any(row in known[row] for row in rows),
        "fitted on the scene": any(scenes[row] in scenes[list(known[row])] for row in rows),
    }
    if fault := next((fault for fault, found in faults.items() if found), None):
        return fault
    if len(set(makers)) != folds:
        raise Finding(
            f"with folds = {folds}, {folds} models must share the training rows; "
            f"yours are predicted by {len(set(makers))}."
        )
    wasteful = len(set(for_val[:, 1])) > 1 or len(seen[int(for_val[0, 1])]) < len(low)
    return "fitted on too little" if wasteful else "no fault"


inputs = Exercise(
    title="Inputs without a leak",
    minutes=12,
    difficulty=4,
    reference=inputs_solution,
    inputs=inputs_inputs,
    observe=inputs_observe,
    mistakes={
        "a model was fitted on validation rows: their score would then say how well targets are "
        "remembered. val_normal is for scoring only.": (
            "low[~held_out], normal[~held_out] => "
            "np.append(low, val_low, 0), np.append(normal, val_normal, 0)"
        ),
        "some training row is predicted by a model "
        "that was fitted on that very row.": "low[~held_out], normal[~held_out] => low, normal",
        "the row itself is held out, but other rows of its scene are not: fold by scene, "
        "not by row.": "np.unique(scenes, return_inverse=True)[1] => np.arange(len(scenes))",
        "models must share the training rows": "folds => 9",
        "the validation rows are predicted by a model of a fold. That leaks nothing, but it wastes "
        "data: no training row gives them away, so fit "
        "on all of them.": "fit(low, normal).predict => model.predict",
        "the predictions are not in the order of the rows; "
        "write them to their own rows.": "return predicted => return predicted[fold.argsort()]",
        "the rows that you fit "
        "on do not belong together": "normal[~held_out] => normal[~held_out][::-1]",
    },
    # Other folds, since the scenes are in reverse order.
    right=[lambda low, normal, scenes, *given: inputs_solution(low, normal, -scenes, *given)],
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


def decay_inputs():
    # The small gradients show where 1e-8 is added, the zero that it is.
    gradient = torch.tensor([3.0, -1.0, 0.1, 1e-4, -1e-6, 0.0, -0.3, 20.0])
    weight, mean, square = 2 * torch.randn(8), 0.3 * torch.randn(8), torch.rand(8)
    square[5], mean[5] = 0.0, 0.0
    return [
        (weight, gradient, torch.zeros(8), torch.zeros(8), 1, 0.1, 0.2),
        (weight, gradient, mean, square, 7, 0.1, 0.2),
    ]


def _in_place(weight, gradient, mean, square, step, rate, decay):
    mean.mul_(0.9).add_(gradient, alpha=0.1)
    square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
    weight.mul_(1 - rate * decay)
    weight.sub_(rate * mean / (1 - 0.9**step) / ((square / (1 - 0.999**step)).sqrt() + 1e-8))
    return weight, mean, square


decay = Exercise(
    title="Decoupled weight decay",
    minutes=10,
    difficulty=3,
    reference=decay_solution,
    inputs=decay_inputs,
    # An optimiser may well work in place, so the answer gets copies of its own.
    observe=lambda answer, *given: answer(*map(copy_of, given)),
    mistakes={
        "the decay is added to the gradient, so Adam divides it by the gradient's size: that is "
        "Adam with an L2 penalty, not AdamW.": [
            "mean = 0.9 => gradient = gradient + decay * weight\n    mean = 0.9",
            " - rate * decay * weight => ",
        ],
        "the decay is divided by the size of the gradients; it must be outside of that "
        "fraction.": "decay * weight => decay * weight / (unbiased_square.sqrt() + 1e-8)",
        "the decay is not multiplied "
        "by the learning rate.": "rate * decay * weight => decay * weight",
        "the decay has the wrong sign: "
        "it pulls weights towards 0.": "- rate * decay => + rate * decay",
        "the decay is missing: this is plain Adam.": " - rate * decay * weight => ",
        "the decay acts on the weight that has moved already; all pulls use the weight as it "
        "was before the step.": (
            "- rate * move - rate * decay * weight => "
            "- rate * move - rate * decay * (weight - rate * move)"
        ),
        "the means start at 0 and are too small at first: divide them by 1 - beta**step before "
        "you use them.": ["mean / (1 - 0.9**step) => mean", "square / (1 - 0.999**step) => square"],
        "m is not corrected: divide it by 1 - 0.9**step.": "mean / (1 - 0.9**step) => mean",
        "v is not corrected: divide it by 1 - 0.999**step.": "square / (1 - 0.999**step) => square",
        "step counts from 1 already; the exponent is step itself.": "**step => ** (step + 1)",
        "v is the running mean of the squared gradients.": "gradient**2 => gradient",
        "1e-8 is under the root; "
        "add it to the root.": "unbiased_square.sqrt() + 1e-8 => (unbiased_square + 1e-8).sqrt()",
        "1e-8 is missing: where all gradients were 0, you divide by 0.": " + 1e-8 => ",
        "divide by the root of v, not by v itself.": ".sqrt() => ",
        "return m and v as they are kept, without the correction, which the next step makes "
        "again.": "return weight, mean, square => return weight, unbiased_mean, unbiased_square",
    },
    right=[_in_place],
    hints=[
        "Write Adam first: which two running means does it keep, and what does it divide by what? "
        "Then ask where the pull towards 0 must be so that nothing divides it.",
        "The running means see the gradient of the loss and nothing else. The pull is "
        "`rate * decay * weight`, taken from the weight directly.",
        "`move = mean / (1 - 0.9**step) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)`. The "
        "weight loses `rate` times that, and the pull.",
    ],
)


def scaler_solution(gradient, scale, good, wait):
    """What loss scaling does with a float16 gradient of ``scale`` times the loss."""
    if not torch.isfinite(gradient).all():
        return None, scale / 2, 0
    if good + 1 == wait:
        return gradient.float() / scale, scale * 2, 0
    return gradient.float() / scale, scale, good + 1


def scaler_inputs():
    big = [128e-7, -384e-6, 64.0, 38400.0]
    return [
        (big, 128.0, 0, 3),
        ([2.0, torch.inf, 1.0], 1024.0, 2, 4),
        ([2.0, torch.nan, 1.0], 1024.0, 1, 4),
        (big, 128.0, 2, 3),
        ([0.003, 0.2], 4096.0, 2, 5),
    ]


def scaler_observe(student, values, scale, good, wait):
    gradient = torch.tensor(values).half()
    made = student(gradient, scale, good, wait)
    if not isinstance(made, tuple | list) or len(made) != 3:
        raise Finding("return three things: the gradient or None, the next scale, the next count.")
    unscaled, *after = made
    finite = bool(gradient.isfinite().all())
    if unscaled is None:
        if finite:
            raise Finding("you skip a step whose gradient is finite.")
        return "skipped", *after
    if not isinstance(unscaled, torch.Tensor):
        raise Finding("the gradient must stay a tensor.")
    if unscaled.dtype == torch.float16:
        raise Finding(
            "the unscaled gradient is still float16, where the small values vanish again; "
            "convert it to float32 before you divide."
        )
    # Of tiny gradients, too, it is the relative error that counts.
    return ("taken", unscaled.sign(), unscaled.abs().log2(), *after) if finite else "taken"


scaler = Exercise(
    title="Loss scaling",
    minutes=10,
    difficulty=3,
    reference=scaler_solution,
    inputs=scaler_inputs,
    observe=scaler_observe,
    mistakes=combine(
        {
            "you divide in float16, where the small values vanish again; convert first, "
            "then divide.": "float() / scale => div(scale).float()",
            "the gradient is not divided by the scale.": "float() / scale => float()",
            "you divide by the new scale; the gradient was made with the old one.": (
                "float() / scale, scale * 2, 0 => float() / (scale * 2), scale * 2, 0"
            ),
            "the scale doubles one step late: this step counts as a good one too.": (
                "good + 1 == wait:\n        return gradient.float() / scale, scale * 2, 0 => "
                "good == wait:\n        return gradient.float() / scale, scale * 2, 0"
            ),
            "the count must go back "
            "to 0 when the scale has doubled.": "scale * 2, 0 => scale * 2, good + 1",
            "after an overflow the scale must be halved, "
            "or the next step overflows as well.": "scale / 2 => scale",
            "after an overflow, "
            "the count of good steps starts again at 0.": "scale / 2, 0 => scale / 2, good",
        },
        most=2,
    )
    | {
        "an infinite or NaN gradient must not be used: "
        "return None for it.": "if not torch.isfinite(gradient).all() => if False",
        "only NaN is caught; a gradient that "
        "overflows is infinite.": "not torch.isfinite(gradient).all() => gradient.isnan().any()",
        "only infinity is caught; a NaN "
        "is no gradient either.": "not torch.isfinite(gradient).all() => gradient.isinf().any()",
        "the unscaled gradient is still float16": ".float() => ",
        "you skip a step whose "
        "gradient is finite.": "not torch.isfinite(gradient).all() => (gradient < 0).any()",
    },
    right=[lambda gradient, *given: [*scaler_solution(gradient.double(), *given)]],
    hints=[
        "There are three cases: the gradient overflowed; it is fine and this is the `wait`-th good "
        "step in a row; it is fine and not yet.",
        "`torch.isfinite(gradient).all()` tells the first case. In the others the gradient is "
        "`gradient.float() / scale`, with the scale that it was made with.",
        "Overflow: `return None, scale / 2, 0`. The other two differ in the scale and the count "
        "that they return, and `good + 1 == wait` tells them apart.",
    ],
)
