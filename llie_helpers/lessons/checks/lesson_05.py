"""Exercises of lesson 05: residual networks, honest inputs, AdamW, half precision, its scaler."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.lessons.checks.compare import Finding, copy_of
from llie_helpers.lessons.checks.exercise import Exercise, combine, edited
from llie_helpers.lessons.checks.networks import network as look_at_network
from llie_helpers.models.network import any_size
from llie_helpers.models.residual import Residual, TwoPath


def two_path_observe(answer, options, x):
    """Observe layers and output; explain names of weights that do not fit the package's."""
    names, output = look_at_network(answer, options, x)
    for part in ("short", "long", "refine"):
        if f"{part}.0.weight" not in names:
            raise Finding(f"self.{part} must be an nn.Sequential that begins with a convolution.")
        if options["batch_norm"] and f"{part}.0.bias" in names:
            raise Finding(
                f"a convolution of self.{part} has a bias that batch norm would subtract: pass "
                "batch_norm on to conv and two, which leave it out."
            )
        if not options["batch_norm"] and f"{part}.1.running_mean" in names:
            raise Finding(
                f"self.{part} has batch norm although batch_norm is false: pass it on to conv and "
                "two."
            )
        if not options["batch_norm"] and f"{part}.1.weight" in names:
            raise Finding(
                f"there is no ReLU between the convolutions of self.{part}: without it, both are "
                "one linear map. two has it."
            )
    return names, output


two_path = Exercise(
    title="The two-path module",
    minutes=8,
    difficulty=3,
    reference=TwoPath,
    methods=("__init__", "forward"),
    inputs=lambda: [
        ({"width": 4, "batch_norm": False}, torch.rand(2, 4, 6, 7) - 0.5),
        ({"width": 3, "batch_norm": True}, torch.rand(1, 3, 5, 8) - 0.5),
    ],
    observe=two_path_observe,
    mistakes={
        "a convolution of self.short has a bias that batch norm would subtract": (
            "1, batch_norm => 1, False"
        ),
        "self.long has batch norm although batch_norm is false": (
            "self.long = two(width, batch_norm) => self.long = two(width, True)"
        ),
        "self.short must be an nn.Sequential": (
            "nn.Sequential(*conv(width, width, 1, batch_norm)) => nn.Conv2d(width, width, 1)"
        ),
        "there is no ReLU between the convolutions of self.long": (
            "self.long = two(width, batch_norm) => self.long = nn.Sequential("
            "*conv(width, width, 3, batch_norm), *conv(width, width, 3, batch_norm))"
        ),
        "the long path has a ReLU at its end; the sum comes first.": (
            "self.long(x) => torch.relu(self.long(x))"
        ),
        "the second half has a ReLU before its sum; add y first.": (
            "self.refine(y) => torch.relu(self.refine(y))"
        ),
        "the last ReLU is missing: the figure has one after each of the two sums.": (
            "return torch.relu( => return ("
        ),
        "the ReLU after the first sum is missing.": "y = torch.relu( => y = (",
        "both ReLUs after the sums are missing.": "torch.relu( => (",
        "the shortcut of the second half starts at y, where the two paths have met, not at x.": (
            "(y + => (x +"
        ),
        "the second half works on y, where the two paths have met, not on x.": (
            "self.refine(y) => self.refine(x)"
        ),
        "the second half has no shortcut: add y to what its two convolutions give.": "(y + => (",
        "the 1x1 path is not used: add its result to that of the long path.": "self.short(x) + => ",
        "x itself is added to the long path; it takes the 1x1 convolution on its way.": (
            "self.short(x) => x"
        ),
        "the 1x1 path has no ReLU of its own: the ReLU comes after the sum.": (
            "self.short(x) => torch.relu(self.short(x))"
        ),
    },
    hints=[
        "Walk along the figure with your finger. Which convolutions do you meet? Where do two "
        "lines meet, and what happens right after?",
        "`self.short = nn.Sequential(*conv(width, width, 1, batch_norm))`; `two` makes the other "
        "paths. Outside of `two` there are two ReLUs, one after each sum.",
        "`y` is the ReLU of `self.short(x) + self.long(x)`. The second half is the same with `y` "
        "itself in place of the 1x1 path.",
    ],
)


network = Exercise(
    title="The forward pass of the residual network",
    minutes=5,
    difficulty=2,
    reference=Residual,
    methods=("forward",),
    inputs=lambda: [
        ({"width": 4, "modules": 2, "batch_norm": False}, torch.rand(1, 3, 16, 18)),
        ({"width": 3, "modules": 3, "batch_norm": True}, torch.rand(2, 3, 17, 16)),
    ],
    observe=look_at_network,
    mistakes={
        "the modules have no shortcut: add x to what each module returns.": (
            "x = x + module(x) => x = module(x)"
        ),
        "every module gets the same features; the next one takes the sum so far.": (
            "x = self.preprocess(low)\n        for module in self.series:\n"
            "            x = x + module(x) => "
            "x = self.preprocess(low)\n        x = x + sum(module(x) for module in self.series)"
        ),
        "the sigmoid is missing; without it values leave the range from 0 to 1.": (
            "torch.sigmoid(self.head(x)) => self.head(x)"
        ),
        "clamp is not the sigmoid: outside 0 to 1 it has no gradient, so training would stall.": (
            "torch.sigmoid(self.head(x)) => self.head(x).clamp(0, 1)"
        ),
        "the image itself is added at the end; here the shortcuts run from module to module.": (
            "torch.sigmoid(self.head(x)) => torch.sigmoid(low + self.head(x))"
        ),
        "+= and the like change features": "x = x + module(x) => x += module(x)",
        "the loop ends after one module; return after the loop, not in it.": (
            "        return =>             return"
        ),
    },
    hints=[
        "What has three channels, and what has `width` of them? Name the layer that changes one "
        "into the other, at each end.",
        "`x = self.preprocess(low)`. Each module then says what to add to `x`.",
        "In a loop over `self.series`: `x = x + module(x)`. The head and a sigmoid follow.",
    ],
)


def amp_step_solution(model, optimizer, scaler, low, normal):
    """One training step in mixed precision; returns the loss as a number."""
    with torch.autocast(low.device.type, torch.float16, enabled=scaler.is_enabled()):
        enhanced = model(low)
    enhanced = enhanced.float()
    loss = F.mse_loss(enhanced, normal) + F.l1_loss(enhanced, normal)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


class Gain(nn.Module):
    """A network of three gains, whose output has autocast's type, as on a GPU."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor([0.5, 1.5, 2.0]).view(3, 1, 1))
        self.dtypes = []

    def forward(self, low):
        kind = low.device.type
        autocast = torch.is_autocast_enabled(kind)
        self.dtypes.append(torch.get_autocast_dtype(kind) if autocast else torch.float32)
        return (low * self.gain).to(self.dtypes[-1])


def amp_step_inputs():
    # Large inputs, so that the gradient is longer than 1.
    batches = [(8 * torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4)) for _ in range(4)]
    return [(True, batches), (False, batches)]


def amp_step_observe(answer, half, batches):
    """Take steps, the first of which overflows in half precision, and follow the weights."""
    model = Gain()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler(
        "cpu", init_scale=2.0**24, backoff_factor=2.0**-10, growth_interval=2, enabled=half
    )
    seen = []
    for low, normal in batches:
        try:
            loss = answer(model, optimizer, scaler, low, normal)
        except AssertionError as error:
            raise Finding("scale the loss: scaler.scale(loss).backward().") from error
        except RuntimeError as error:
            if "unscale_()" not in str(error) and "step()" not in str(error):
                raise
            raise Finding(
                "call scaler.unscale_(optimizer), scaler.step(optimizer) and scaler.update() once "
                "each in every step, in this order."
            ) from error
        if isinstance(loss, torch.Tensor) and loss.requires_grad:
            raise Finding("you return the loss with its graph; return the number, loss.item().")
        if not model.dtypes:
            raise Finding("the model is not called.")
        if half and model.dtypes[-1] == torch.bfloat16:
            raise Finding(
                "the network runs in bfloat16, which is what autocast takes on a CPU unless told "
                "otherwise, and which needs no scaler: give it torch.float16."
            )
        if half and model.dtypes[-1] != torch.float16:
            raise Finding(
                "the network does not run in float16: call it within "
                "torch.autocast(low.device.type, torch.float16, enabled=...)."
            )
        if not half and model.dtypes[-1] != torch.float32:
            raise Finding(
                "autocast is on although the scaler is off; on a CPU that would be slow. "
                "Pass enabled=scaler.is_enabled()."
            )
        seen.append((loss, model.gain.detach().clone(), scaler.get_scale()))
    return seen


CLIP = "    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
UNSCALE = "    scaler.unscale_(optimizer)\n"
FLOAT = "    enhanced = enhanced.float()\n"

amp_step = Exercise(
    title="A training step in half precision",
    minutes=8,
    difficulty=3,
    reference=amp_step_solution,
    inputs=amp_step_inputs,
    observe=amp_step_observe,
    mistakes={
        "the gradients of earlier steps add up; call optimizer.zero_grad() in every step.": (
            "    optimizer.zero_grad()\n => "
        ),
        "the gradients are clipped while they are still multiplied by the scale: call "
        "scaler.unscale_(optimizer) first.": f"{UNSCALE}{CLIP} => {CLIP}{UNSCALE}",
        "the step is taken by the optimizer itself, infinite gradients and all; "
        "scaler.step(optimizer) skips those.": "scaler.step(optimizer) => optimizer.step()",
        "the absolute error is missing; the loss is MSE + MAE.": (
            " + F.l1_loss(enhanced, normal) => "
        ),
        "the squared error is missing; the loss is MSE + MAE.": (
            "F.mse_loss(enhanced, normal) +  => "
        ),
        "the gradients are not clipped.": f"{CLIP} => ",
        "scaler.update() once each": "    scaler.update()\n => ",
        "in this order": (
            f"{UNSCALE}{CLIP}    scaler.step(optimizer)\n => "
            f"    scaler.step(optimizer)\n{UNSCALE}{CLIP}"
        ),
        "scale the loss": "scaler.scale(loss).backward() => loss.backward()",
        "does not run in float16": "enabled=scaler.is_enabled() => enabled=False",
        "the network runs in bfloat16": "torch.float16, enabled => enabled",
        "autocast is on although the scaler is off": ", enabled=scaler.is_enabled() => ",
        "the weights do not change: scaler.step(optimizer) is missing, or the new gradients are "
        "cleared before it; clear the old ones before backward.": [
            "    optimizer.zero_grad()\n => ",
            f"{CLIP} => {CLIP}    optimizer.zero_grad()\n",
        ],
        "you return the scaled loss; return the loss itself.": (
            "scaler.scale(loss).backward() => loss = scaler.scale(loss)\n    loss.backward()"
        ),
        "you return the loss with its graph": "loss.item() => loss",
        "the loss compares the output with the low-light input; the target is normal.": (
            "enhanced, normal => enhanced, low"
        ),
    },
    # Gradients are rounded to float16, and added in it where the output is converted twice.
    tolerance=1e-3,
    right=[
        lambda *given: torch.tensor(amp_step_solution(*given)),
        edited(amp_step_solution, f"{FLOAT} => "),
        edited(amp_step_solution, [f"{FLOAT} => ", "(enhanced => (enhanced.float()"]),
    ],
    hints=[
        "Write lesson 03's step first: loss, zero_grad, backward, clip, step. Then ask of each "
        "line whether it sees scaled gradients, and whether it may.",
        "The network alone runs within `torch.autocast`. After `scaler.scale(loss).backward()` the "
        "gradients are too large by the scale, so they are unscaled before they are clipped.",
        "The last four lines of work: `scaler.unscale_(optimizer)`, clip, `scaler.step(optimizer)`,"
        " `scaler.update()`.",
    ],
)


def inputs_solution(low, normal, scenes, val_low, val_normal, folds, fit):
    """Predictions to train on, each by a model that never saw the scene, and to validate on."""
    fold = np.unique(scenes, return_inverse=True)[1] % folds
    predicted = np.empty_like(normal)
    for k in range(folds):
        held_out = fold == k
        predict = fit(low[~held_out], normal[~held_out])
        predicted[held_out] = predict(low[held_out])
    return predicted, fit(low, normal)(val_low)


def inputs_inputs():
    # The first column of a row is its number, in low and normal alike. All scenes are multiples
    # of 3, so that the remainder of a scene's number makes no folds.
    scenes = 3 * np.array([7, 2, 7, 9, 2, 4, 9, 4, 7, 2, 4, 9, 11, 6, 6, 11])
    low = np.stack([np.arange(16.0), np.linspace(0.1, 0.3, 16)], axis=1)
    val_low = np.stack([np.arange(100.0, 104.0), np.full(4, 0.2)], axis=1)
    return [(low, low * [1, 3], scenes, val_low, val_low * [1, 3], 3)]


def inputs_observe(student, low, normal, scenes, val_low, val_normal, folds):
    """Return the first fault of the predictions; any that share the scenes out are right."""
    seen = []

    def fit(low, normal):
        """Learn nothing: the predictions tell which model made them, and for which row."""
        if not len(low):
            raise Finding(
                "all rows are in one fold, which leaves none to fit on. Scenes may have any "
                "numbers, such as 0, 4, 8, so number those that occur before you take % folds: "
                "np.unique(scenes, return_inverse=True)[1]."
            )
        if not np.array_equal(low[:, 0], normal[:, 0]):
            raise Finding(
                "the rows that you fit on do not belong together: select low and normal alike."
            )
        seen.append(set(low[:, 0].astype(int)))
        model = len(seen) - 1
        return lambda rows: np.insert(rows[:, :1], 1, model, axis=1)

    got = student(low, normal, scenes, val_low, val_normal, folds, fit)
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise Finding("return two arrays: the predictions for low and those for val_low.")
    for_train, for_val = (np.asarray(part) for part in got)
    if for_train.shape != low.shape or for_val.shape != val_low.shape:
        raise Finding(
            "one of the results has the wrong shape; each row of the input wants one prediction."
        )
    rows = np.arange(len(low))
    if not np.array_equal(np.sort(for_train[:, 0]), rows):
        raise Finding(
            "some training rows are never predicted, or predicted twice; every row needs one "
            "prediction."
        )
    makers = for_train[:, 1].astype(int)
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
        "all rows are in one fold": "np.unique(scenes, return_inverse=True)[1] => scenes",
        "the validation rows are predicted by a model of a fold. That leaks nothing, but it wastes "
        "data: no training row gives them away, so fit "
        "on all of them.": "fit(low, normal)(val_low) => predict(val_low)",
        "the predictions are not in the order of the rows; "
        "write them to their own rows.": "return predicted => return predicted[fold.argsort()]",
        "some training rows are never predicted": [
            "range(folds) => range(folds - 1)",
            "empty_like(normal) => full_like(normal, np.nan)",
        ],
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


class WholeShortcut(Residual):
    """The residual network with a shortcut around the whole, which starts as "change nothing"."""

    def __init__(self, **options):
        super().__init__(**options)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @any_size
    def forward(self, low):
        x = self.preprocess(low)
        for module in self.series:
            x = x + module(x)
        changed = low + self.head(x)
        return changed if self.training else changed.clamp(0, 1)


def whole_observe(answer, options, image):
    """Observe the network in evaluation and in training, and find what it starts with."""

    def in_training(**options):
        made = answer(**options)
        made.eval = made.train
        return made

    seen = [look_at_network(each, options, image) for each in (answer, in_training)]
    at_zero = {name for name, value in answer(**options).named_parameters() if not value.any()}
    for part in ("weight", "bias"):
        if f"head.{part}" not in at_zero:
            raise Finding(
                f"the {part} of self.head is not zero at the start, so the network begins with a "
                f"change: nn.init.zeros_(self.head.{part})."
            )
    if "preprocess.0.weight" in at_zero:
        raise Finding(
            "only the head starts at zero. Behind layers of zeros it would see nothing and learn "
            "no more than one colour."
        )
    return seen


whole = Exercise(
    title="A shortcut around the whole",
    minutes=6,
    difficulty=2,
    reference=WholeShortcut,
    methods=("__init__", "forward"),
    inputs=lambda: [
        ({"width": 4, "modules": 2, "batch_norm": False}, torch.rand(1, 3, 16, 18)),
        ({"width": 3, "modules": 1, "batch_norm": True}, torch.rand(2, 3, 17, 16)),
    ],
    observe=whole_observe,
    mistakes=combine(
        {
            "the change goes through a sigmoid, as in super().forward, so it could only brighten; "
            "write out the layers as far as the head.": (
                "self.head(x) => torch.sigmoid(self.head(x))"
            ),
            "in training, return the sum as it is: where clamp cuts, the gradient is 0.": (
                "changed if self.training else => "
            ),
            "outside of training, clamp the sum to 0 to 1.": (
                "changed if self.training else changed.clamp(0, 1) => changed"
            ),
            "it is the other way round: clamp outside of training, not in it.": (
                "if self.training => if not self.training"
            ),
        },
        most=2,
    )
    | {
        "the weight of self.head is not zero at the start": (
            "        nn.init.zeros_(self.head.weight)\n => "
        ),
        "the bias of self.head is not zero at the start": (
            "        nn.init.zeros_(self.head.bias)\n => "
        ),
        "only the head starts at zero": (
            "nn.init.zeros_(self.head.weight) => [nn.init.zeros_(it) for it in self.parameters()]"
        ),
        "the image is not added: the head returns a change, not a picture.": (
            "low + self.head(x) => self.head(x)"
        ),
        "the sigmoid is left over from the other network; it would squeeze a picture that is "
        "almost right.": "low + self.head(x) => torch.sigmoid(low + self.head(x))",
        "the modules have lost their own shortcuts: add x to what each module returns.": (
            "x = x + module(x) => x = module(x)"
        ),
        "the parent gets no options, so it makes its layers by default: "
        "super().__init__(**options).": "super().__init__(**options) => super().__init__()",
    },
    hints=[
        "Which lines of your network's forward stay? What did the sigmoid do there, and what "
        "would it do to a sum that is right already?",
        "`super().__init__(**options)` makes all layers. Then two calls of `nn.init.zeros_`. "
        "The output is `low + self.head(x)`.",
        "`changed = low + self.head(x)`, and then "
        "`return changed if self.training else changed.clamp(0, 1)`.",
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
        "1e-8 is not in the denominator: where all gradients were 0, you divide by 0.": (
            " + 1e-8 => "
        ),
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
        ([2.0, -torch.inf, 1.0], 1024.0, 2, 4),
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
    if not finite:
        raise Finding(
            "only infinity is caught; a NaN is no gradient either."
            if gradient.isnan().any()
            else "an infinite gradient must not be used: return None for it."
        )
    # Of tiny gradients, too, it is the relative error that counts.
    return "taken", unscaled.sign(), unscaled.abs().log2(), *after


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
            "the scale doubles too late or never: this step counts as a good one too.": (
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
        "an infinite gradient must not be used: "
        "return None for it.": "not torch.isfinite(gradient).all() => gradient.isnan().any()",
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
