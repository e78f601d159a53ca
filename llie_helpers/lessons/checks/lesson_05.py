"""Exercises of lesson 05: the two-path module, honest inputs, AdamW, and loss scaling."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import torch

from llie_helpers.lessons.checks.compare import Finding
from llie_helpers.lessons.checks.exercise import Exercise, combinations


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


def _two_path(x, short, long, refine, inner=(1, 1), before=(0, 0), after=(1, 1),
              aside=lambda x, short: short(x), shortcut=lambda x, y: y):  # fmt: skip
    def path(layers, value, half):
        value = layers[0](value)
        value = layers[1](torch.relu(value) if inner[half] else value)
        return torch.relu(value) if before[half] else value

    y = path(long, x, 0) + aside(x, short)
    y = torch.relu(y) if after[0] else y
    z = path(refine, y, 1) + shortcut(x, y)
    return torch.relu(z) if after[1] else z


def _with_modules(x, short, long, refine):
    relu = torch.nn.ReLU(inplace=True)
    y = relu(torch.nn.Sequential(long[0], relu, long[1])(x).add_(short(x)))
    return relu(y + torch.nn.Sequential(refine[0], relu, refine[1])(y))


two_path = Exercise(
    title="The two-path module",
    minutes=8,
    difficulty=2,
    reference=two_path_solution,
    inputs=two_path_inputs,
    mistakes=combinations(
        _two_path,
        {
            "the ReLU between the two 3x3 convolutions of a path is missing: without it, both are "
            "one linear map.": {"inner": (0, 0)},
            "the ReLU inside the long path is missing.": {"inner": (0, 1)},
            "the ReLU inside the second half's path is missing.": {"inner": (1, 0)},
            "there is a ReLU too many: a path must be able to subtract, so the ReLU comes after "
            "the sum, not before it.": {"before": (1, 1)},
            "the long path has a ReLU at its end; the sum comes first.": {"before": (1, 0)},
            "the second half has a ReLU before its sum; add y first.": {"before": (0, 1)},
            "both ReLUs after the sums are missing.": {"after": (0, 0)},
            "the last ReLU is missing: the figure has one after each of the two sums.": {
                "after": (1, 0)
            },
            "the ReLU after the first sum is missing.": {"after": (0, 1)},
            "there is no ReLU at all: that is one linear map.": {"inner": (0, 0), "after": (0, 0)},
            "the last ReLU is the only one of four.": {"inner": (0, 0), "after": (0, 1)},
            "the shortcut of the second half starts at y, where the two paths have met, not at "
            "x.": {"shortcut": lambda x, y: x},
            "the second half has no shortcut: add y to what its two convolutions give.": {
                "shortcut": lambda x, y: 0
            },
            "the 1x1 path is missing: its result is added to that of the long path.": {
                "aside": lambda x, short: 0
            },
            "x itself is added to the long path; it takes the 1x1 convolution on its way.": {
                "aside": lambda x, short: x
            },
            "the 1x1 path has no ReLU of its own: the ReLU comes after the sum.": {
                "aside": lambda x, short: torch.relu(short(x))
            },
        },
        most=1,
    ),
    right=[_two_path, _with_modules],
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


class _Spy:
    """A ``fit`` that learns nothing: its predictions tell which model made them, for which row."""

    def __init__(self):
        self.fitted = []

    def __call__(self, low, normal):
        if not np.array_equal(low[:, 0], normal[:, 0]):
            raise Finding(
                "the rows that you fit on do not belong together: select low and normal alike."
            )
        number = len(self.fitted)
        self.fitted.append(set(low[:, 0].astype(int)))
        return SimpleNamespace(
            predict=lambda rows: np.stack([rows[:, 0], np.full(len(rows), number)], axis=1)
        )


def inputs_inputs():
    # The first column of a row is its number, in low and normal alike.
    scenes = np.array([7, 2, 7, 9, 2, 4, 9, 4, 7, 2, 4, 9, 11, 6, 6, 11])
    low = np.stack([np.arange(16.0), np.linspace(0.1, 0.3, 16)], axis=1)
    val_low = np.stack([np.arange(100.0, 104.0), np.full(4, 0.2)], axis=1)
    return [(low, low * [1, 3], scenes, val_low, val_low * [1, 3], 3)]


def inputs_observe(student, low, normal, scenes, val_low, val_normal, folds):
    """Return the first fault of the predictions; any that share the scenes out are right."""
    spy = _Spy()
    got = student(low, normal, scenes, val_low, val_normal, folds, spy)
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise Finding("return two arrays: the predictions for low and those for val_low.")
    for_train, for_val = (np.asarray(part) for part in got)
    if for_train.shape != low.shape or for_val.shape != val_low.shape:
        raise Finding(
            "one of the results has the wrong shape; each row of the input wants one prediction."
        )
    rows, makers = np.arange(len(low)), for_train[:, 1].astype(int)
    known = [spy.fitted[maker] & set(rows) for maker in makers]
    faults = {
        "another order": list(for_train[:, 0]) != list(rows)
        or list(for_val[:, 0]) != list(val_low[:, 0]),
        "fitted on validation rows": any(row >= 100 for fitted in spy.fitted for row in fitted),
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
    wasteful = len(set(for_val[:, 1])) > 1 or len(spy.fitted[int(for_val[0, 1])]) < len(low)
    return "fitted on too little" if wasteful else "no fault"


def _scene_fold(scenes, folds):
    return np.unique(scenes, return_inverse=True)[1] % folds


def _row_fold(scenes, folds):
    return np.arange(len(scenes)) % folds


def _inputs(low, normal, scenes, val_low, val_normal, folds, fit,
            fold_of=_scene_fold, leak=False, last=False):  # fmt: skip
    fold = fold_of(scenes, folds)
    predicted = np.empty_like(normal)
    for k in np.unique(fold):
        known = [low[fold != k], normal[fold != k]]
        if leak:
            known = [np.concatenate([known[0], val_low]), np.concatenate([known[1], val_normal])]
        model = fit(*known)
        predicted[fold == k] = model.predict(low[fold == k])
    return predicted, (model if last else fit(low, normal)).predict(val_low)


def _in_sample(low, normal, scenes, val_low, val_normal, folds, fit):
    model = fit(low, normal)
    return model.predict(low), model.predict(val_low)


def _joined(low, normal, scenes, val_low, val_normal, folds, fit):
    predicted, for_val = _inputs(low, normal, scenes, val_low, val_normal, folds, fit)
    return predicted[_scene_fold(scenes, folds).argsort()], for_val


inputs = Exercise(
    title="Inputs without a leak",
    minutes=12,
    difficulty=4,
    reference=inputs_solution,
    inputs=inputs_inputs,
    observe=inputs_observe,
    mistakes={
        "a model was fitted on validation rows: their score would then say how well targets "
        "are remembered. val_normal is for scoring only.": partial(
            _inputs, fold_of=_row_fold, leak=True, last=True
        ),
        "some training row is predicted by a model that was fitted on that very row.": _in_sample,
        "the row itself is held out, but other rows of its scene are not: fold by scene, not by "
        "row.": partial(_inputs, fold_of=_row_fold),
        "models must share the training rows": partial(_inputs, fold_of=lambda scenes, _: scenes),
        "the validation rows are predicted by a model of a fold. That leaks nothing, but it "
        "wastes data: no training row gives them away, so fit on all of them.": partial(
            _inputs, last=True
        ),
        "the predictions are not in the order of the rows; write them to their own rows.": _joined,
        "the rows that you fit on do not belong together": lambda low, normal, *rest: _inputs(
            low, normal[::-1], *rest
        ),
    },
    right=[_inputs, partial(_inputs, fold_of=lambda scenes, folds: scenes % folds)],
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


def decay_observe(student, weight, gradient, mean, square, *numbers):
    # An optimiser may well work in place, so the answer gets copies of its own.
    state = (weight.clone(), gradient.clone(), mean.clone(), square.clone())
    return student(*state, *numbers)


def _adamw(weight, gradient, mean, square, step, rate, decay, penalty=0, share=(0.1, 0.001),
           power=2, early=False, shift=0, corrected=(1, 1), size=lambda v: v.sqrt() + 1e-8,
           pull=lambda weight, moved, size, rate: weight, returned=1):  # fmt: skip
    gradient = gradient + penalty * decay * weight
    old = mean, square
    new = mean + share[0] * (gradient - mean), square + share[1] * (gradient**power - square)
    m, v = old if early else new
    m = m / (1 - (1 - share[0]) ** (step + shift)) if corrected[0] else m
    v = v / (1 - (1 - share[1]) ** (step + shift)) if corrected[1] else v
    moved = weight - rate * m / size(v)
    moved = moved - rate * decay * pull(weight, moved, size(v), rate)
    return moved, *(old, new, (m, v))[returned]


def _in_place(weight, gradient, mean, square, step, rate, decay):
    """PyTorch's own way."""
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
    observe=decay_observe,
    mistakes=combinations(
        _adamw,
        {
            "the decay is added to the gradient, so Adam divides it by the gradient's size: that "
            "is Adam with an L2 penalty, not AdamW.": {"penalty": 1, "pull": lambda *_: 0},
            "the decay is divided by the size of the gradients; it must be outside of that "
            "fraction.": {"pull": lambda weight, moved, size, rate: weight / size},
            "the decay is not multiplied by the learning rate.": {
                "pull": lambda weight, moved, size, rate: weight / rate
            },
            "the decay has the wrong sign: it pulls weights towards 0.": {"pull": lambda w, *_: -w},
            "the decay is missing: this is plain Adam.": {"pull": lambda *_: 0},
            "the decay acts on the weight that has moved already; all pulls use the weight as it "
            "was before the step.": {"pull": lambda weight, moved, *_: moved},
            "the means start at 0 and are too small at first: divide them by 1 - beta**step before "
            "you use them.": {"corrected": (0, 0)},
            "m is not corrected: divide it by 1 - 0.9**step.": {"corrected": (0, 1)},
            "v is not corrected: divide it by 1 - 0.999**step.": {"corrected": (1, 0)},
            "step counts from 1 already; the exponent is step itself.": {"shift": 1},
            "the step moves by the old m and v; update them first.": {"early": True},
            "0.9 belongs to the gradients, 0.999 to their squares.": {"share": (0.001, 0.1)},
            "v is the running mean of the squared gradients.": {"power": 1},
            "1e-8 is under the root; add it to the root.": {"size": lambda v: (v + 1e-8).sqrt()},
            "1e-8 is missing: where all gradients were 0, you divide by 0.": {"size": torch.sqrt},
            "divide by the root of v, not by v itself.": {"size": lambda v: v + 1e-8},
            "return m and v as they are kept, without the correction, which the next step makes "
            "again.": {"returned": 2},
            "return the updated m and v; yours are the old ones.": {"returned": 0},
        },
        most=1,
    ),
    right=[_adamw, _in_place, lambda *given: [part.double() for part in decay_solution(*given)]],
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


def _step(gradient, scale, good, wait, divide=lambda gradient, scale: gradient.float() / scale,
          late=0, by_new=False, restart=True):  # fmt: skip
    grown = good + 1 == wait + late
    after = 2 * scale if grown else scale
    divided = divide(gradient, after if by_new else scale)
    return divided, after, 0 if grown and restart else good + 1


def _scaler(gradient, scale, good, wait, use=torch.isfinite, overflow=(2, 0), step=_step):
    if use(gradient).all():
        return step(gradient, scale, good, wait)
    return None, scale / overflow[0], overflow[1] * good


scaler = Exercise(
    title="Loss scaling",
    minutes=10,
    difficulty=3,
    reference=scaler_solution,
    inputs=scaler_inputs,
    observe=scaler_observe,
    mistakes=combinations(
        _scaler,
        {
            "you divide in float16, where the small values vanish again; convert first, then "
            "divide.": {"step": partial(_step, divide=lambda grad, scale: (grad / scale).float())},
            "the gradient is not divided by the scale.": {
                "step": partial(_step, divide=lambda gradient, scale: gradient.float())
            },
            "you divide by the new scale; the gradient was made with the old one.": {
                "step": partial(_step, by_new=True)
            },
            "the scale doubles one step late: this step counts as a good one too.": {
                "step": partial(_step, late=1)
            },
            "the count must go back to 0 when the scale has doubled.": {
                "step": partial(_step, restart=False)
            },
            "after an overflow the scale must be halved, or the next step overflows as well.": {
                "overflow": (1, 0)
            },
            "after an overflow, the count of good steps starts again at 0.": {"overflow": (2, 1)},
        },
        most=2,
    )
    | {
        "an infinite or NaN gradient must not be used: return None for it.": _step,
        "only NaN is caught; a gradient that overflows is infinite.": partial(
            _scaler, use=lambda gradient: ~gradient.isnan()
        ),
        "only infinity is caught; a NaN is no gradient either.": partial(
            _scaler, use=lambda gradient: ~gradient.isinf()
        ),
        "the unscaled gradient is still float16": partial(
            _step, divide=lambda gradient, scale: gradient / scale
        ),
        "you skip a step whose gradient is finite.": partial(_scaler, use=lambda grad: grad > 0),
    },
    right=[_scaler, lambda *given: [*scaler_solution(given[0].double(), *given[1:])]],
    hints=[
        "There are three cases: the gradient overflowed; it is fine and this is the `wait`-th good "
        "step in a row; it is fine and not yet.",
        "`torch.isfinite(gradient).all()` tells the first case. In the others the gradient is "
        "`gradient.float() / scale`, with the scale that it was made with.",
        "Overflow: `return None, scale / 2, 0`. The other two differ in the scale and the count "
        "that they return, and `good + 1 == wait` tells them apart.",
    ],
)
