"""Exercises of lesson 03: what a layer costs and sees, a training step, when to stop, and MSE."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.lessons.checks.compare import Finding
from llie_helpers.lessons.checks.exercise import Exercise, combine


def cost_solution(channels_in, channels_out, kernel, stride, height, width):
    """Parameters and multiply-adds of one convolution."""
    weights = channels_in * channels_out * kernel**2
    outputs = math.ceil(height / stride) * math.ceil(width / stride)
    return weights + channels_out, weights * outputs


cost = Exercise(
    title="What a convolution costs",
    minutes=6,
    difficulty=2,
    reference=cost_solution,
    inputs=lambda: [(5, 7, 3, 2, 40, 60), (4, 6, 5, 4, 64, 32), (3, 5, 3, 2, 25, 38)],
    mistakes={
        "the bias is missing: "
        "one more parameter per output channel.": "weights + channels_out => weights",
        "the bias belongs to the output channels, one each, "
        "not to the input channels.": "+ channels_out => + channels_in",
        "there is one bias per output channel, not one per layer.": "+ channels_out => + 1",
        "a kernel is a square: "
        "kernel * kernel weights per pair of channels.": "kernel**2 => kernel",
        "each output channel has a kernel for every input channel; "
        "multiply by both.": "channels_in * => ",
        "the stride is left out: "
        "a layer with stride 2 computes half the rows and half the columns.": " / stride => ",
        "the stride skips rows and columns, so it divides the places twice.": (
            "math.ceil(height / stride) * math.ceil(width / stride) => height * width // stride"
        ),
        "round up, not down: with a stride of 2, 25 rows become 13.": (
            "math.ceil(height / stride) * math.ceil(width / stride) => "
            "(height // stride) * (width // stride)"
        ),
        "round up rows and columns one by one: with a stride of 2, 25 rows become 13.": (
            "math.ceil(height / stride) * math.ceil(width / stride) => "
            "math.ceil(height * width / stride**2)"
        ),
        "the two results are swapped; return the parameters first.": (
            "weights + channels_out, weights * outputs => weights * outputs, weights + channels_out"
        ),
        "the number of parameters does not depend "
        "on the size of the image.": "weights + channels_out => weights * outputs + channels_out",
        "a multiply-add is one multiplication and one addition together; "
        "you count two.": "weights * outputs => 2 * weights * outputs",
    },
    hints=[
        "One output value of one channel looks at `kernel * kernel` places in every input "
        "channel. How many weights is that, and for how many output channels?",
        "Parameters: the weights and one bias per output channel. Multiply-adds: every weight "
        "is used once for every place of the output, and the stride makes the output smaller.",
        "`weights = channels_in * channels_out * kernel**2`, and the output has "
        "`ceil(height / stride) * ceil(width / stride)` places.",
    ],
)


def field_solution(layers):
    """Receptive field of a stack of ``(kernel, stride)`` layers."""
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
    return field


field = Exercise(
    title="How far a stack of layers sees",
    minutes=8,
    difficulty=3,
    reference=field_solution,
    inputs=lambda: [
        ([(3, 1)],),
        ([(3, 1), (3, 1)],),
        ([(3, 2), (3, 2), (3, 1)],),
        ([(5, 1), (3, 2), (7, 3), (3, 2), (5, 1)],),
    ],
    mistakes={
        "the strides are left out: after a stride of 2, "
        "one step covers two input pixels.": "jump *= stride => jump *= 1",
        "only the previous layer's stride is used; "
        "the strides of all earlier layers multiply.": "jump *= => jump =",
        "strides multiply: two layers of stride 2 make steps of 4 pixels. "
        "You add them.": "jump *= stride => jump += stride - 1",
        "a layer's own stride acts after its kernel; "
        "use only the strides of the layers before it.": "- 1) * jump => - 1) * jump * stride",
        "a kernel of 3 adds 2 to the field, not 3: start at 1 and add kernel - 1.": [
            "kernel - 1 => kernel",
            "field, jump = 1, 1 => field, jump = 0, 1",
        ],
        "a kernel of 3 adds 2 to the field, not 3; "
        "start at 1 and add kernel - 1 each time.": "kernel - 1 => kernel",
        "start at 1: without any layer, "
        "one output pixel sees one input pixel.": "field, jump = 1, 1 => field, jump = 0, 1",
        "you count the weights of the kernels, but the "
        "field is a number of input pixels.": lambda layers: sum(kernel**2 for kernel, _ in layers),
    },
    hints=[
        "Keep two numbers while you walk through the layers: how many input pixels the result "
        "sees, and how many input pixels lie between two neighbours of the result.",
        "A kernel reaches `kernel - 1` neighbours further, and each of them is `jump` input "
        "pixels away.",
        "`field += (kernel - 1) * jump`, and only then `jump *= stride`.",
    ],
)


def step_solution(model, optimizer, low, normal):
    """One training step; returns the loss as a number."""
    loss = F.mse_loss(model(low), normal)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def step_inputs():
    model = nn.Conv2d(3, 3, kernel_size=3, padding=1)
    with torch.no_grad():
        model.weight *= 10
    # Inputs and weights are large, so that the gradient of every loss is longer than 1.
    return [(model, [(2 * torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4)) for _ in range(3)])]


def step_observe(answer, model, batches):
    """Take three steps and look at losses and weights."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    start = model.weight.detach().clone()
    losses = [answer(model, optimizer, low, normal) for low, normal in batches]
    if any(isinstance(loss, torch.Tensor) and loss.requires_grad for loss in losses):
        raise Finding(
            "you return the loss with its graph, which keeps every activation in memory; "
            "return the number, loss.item()."
        )
    if torch.equal(model.weight, start):
        raise Finding(
            "the weights do not change: optimizer.step() is missing, or no gradients are there "
            "when it runs (backward() not called yet, or zero_grad() after it)."
        )
    return losses, model.weight.detach(), model.bias.detach()


step = Exercise(
    title="A training step with three bugs",
    minutes=6,
    difficulty=2,
    reference=step_solution,
    inputs=step_inputs,
    observe=step_observe,
    mistakes=combine(
        {
            "the gradients of earlier steps add up; "
            "call optimizer.zero_grad() in every step.": "optimizer.zero_grad() => pass",
            "the step is taken with gradients that are not clipped: clip_grad_norm_ comes before "
            "backward(), when the new gradients are not there yet, or it is missing.": [
                "    loss.backward()\n => ",
                "1.0)\n => 1.0)\n    loss.backward()\n",
            ],
            "the loss compares the output with the low-light input; "
            "the target is normal.": ", normal) => , low)",
            "the loss is the absolute error; "
            "this lesson trains on the squared one.": "F.mse_loss( => F.l1_loss(",
            "the loss adds up all squared errors; take their mean, or the "
            "step depends on the size of the crop.": [
                "F.mse_loss( => nn.MSELoss(reduction='sum')("
            ],
        },
        most=3,
    )
    | {
        "you return the loss with its graph": ["loss.item() => loss"],
        "the weights do not change": ["optimizer.step() => pass"],
    },
    right=[lambda *given: torch.tensor(step_solution(*given))],
    hints=[
        "Say aloud what each line does to the gradients stored in the parameters. In which "
        "order must they be cleared, computed, shortened and used?",
        "`backward()` adds to the stored gradients; it does not replace them. Which two lines "
        "must therefore come right before it and right after it?",
        "Forward and loss against `normal`, `zero_grad`, `backward`, clip, `step`.",
    ],
)


def stop_solution(losses, patience, min_delta):
    """The epoch, counted from 1, after which training stops."""
    best, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < best - min_delta:
            best, waited = loss, 0
        else:
            waited += 1
        if waited == patience:
            return epoch
    return len(losses)


stop = Exercise(
    title="When to stop",
    minutes=8,
    difficulty=3,
    reference=stop_solution,
    inputs=lambda: [
        ([5.0, 4.0, 4.5, 4.4, 4.3, 4.2, 4.1], 3, 0.0),
        ([5.0, 5.1, 4.0, 4.1, 3.0, 3.1, 3.2, 2.0, 2.5], 2, 0.0),
        ([5.0, 5.1, 4.0, 4.1, 3.0, 3.1, 2.0, 2.1, 1.0, 1.1, 1.2, 1.3, 1.4], 3, 0.0),
        ([3.0, 2.95, 2.9, 2.85, 2.8, 2.75, 2.7, 2.65, 2.6, 2.55], 3, 0.12),
        ([3.0, 2.99, 2.98, 2.97, 2.96, 2.95], 2, 0.1),
        ([3.0, 3.05, 3.02, 3.08, 3.04, 2.0], 4, 0.1),
        ([3.0, 2.0, 1.0], 5, 0.0),
        # Equal to the limit, in numbers that a float holds exactly.
        ([3.0, 2.5, 2.5, 2.5, 2.5, 2.5], 2, 0.5),
    ],
    mistakes={
        "you stop one epoch late: with patience 3, "
        "the third epoch without a new best is the last.": "== patience => == patience + 1",
        "you stop one epoch early: "
        "count only epochs without a new best.": "== patience => == patience - 1",
        "each loss is compared with the one before; "
        "compare it with the best so far.": "waited += 1 => best, waited = loss, waited + 1",
        "the count of waited "
        "epochs is not set back to 0 when a new best comes.": "loss, 0 => loss, waited",
        "min_delta is not used: "
        "an improvement has to be larger than that.": "best - min_delta => best",
        "min_delta has the wrong sign: "
        "a new best is below best - min_delta.": "best - min_delta => best + min_delta",
        "a loss of exactly best - min_delta is no new best yet: "
        "take < and not <=.": "loss < => loss <=",
        "the best loss creeps down by steps smaller than min_delta; keep it until a loss is lower "
        "by more than min_delta.": "waited += 1 => best, waited = min(best, loss), waited + 1",
        "epochs are counted from 1 here, yours from 0.": lambda *given: stop_solution(*given) - 1,
        "that is the best epoch; asked is the epoch after "
        "which training stops.": "return epoch => return 1 + losses.index(min(losses[:epoch]))",
    },
    hints=[
        "Two things are remembered from epoch to epoch: the best loss so far, and how many "
        "epochs have passed since it.",
        "A loss below `best - min_delta` is a new best and sets the count to 0. Any other loss "
        "leaves the best as it is and adds one to the count.",
        "Return the epoch as soon as the count equals `patience`, and the number of losses if "
        "it never does.",
    ],
)


def guess_solution(targets, weights):
    """The image with the least expected squared error, and that error."""
    share = weights.view(-1, 1, 1, 1)
    guess = (share * targets).sum(dim=0)
    error = (share * (guess - targets) ** 2).sum(dim=0).mean()
    return guess, error


guess = Exercise(
    title="The safest answer",
    minutes=6,
    difficulty=3,
    reference=guess_solution,
    inputs=lambda: [(torch.rand(3, 3, 6, 8), torch.tensor([0.6, 0.3, 0.1]))],
    mistakes={
        "the three are not equally likely: "
        "weight each by its share.": "(share * targets).sum(dim=0) => targets.mean(dim=0)",
        "the most likely target is not the best guess: where it is wrong, "
        "the squared error is large.": "(share * targets).sum(dim=0) => targets[weights.argmax()]",
        "the median is best for the absolute error; the squared error "
        "asks for another average.": "(share * targets).sum(dim=0) => targets.median(dim=0).values",
        "the guess is right, but each squared error has to be weighted by "
        "its share too.": "(share * (guess - targets) ** 2).sum(dim=0) => ((guess - targets) ** 2)",
        "the guess is right, but the error is added up over the pixels; "
        "take their mean.": ".sum(dim=0).mean() => .sum()",
        "the guess is right, but its error is not 0: "
        "it equals none of the targets.": "return guess, error => return guess, 0.0",
    },
    hints=[
        "Take a single pixel and write down the expected squared error of a guess g. For which "
        "g is its derivative 0?",
        "The derivative is the sum of `2 * share * (g - target)`: the best guess is the weighted "
        "mean of the targets.",
        "`share = weights.view(-1, 1, 1, 1)` lines the shares up with the images; then "
        "`guess = (share * targets).sum(dim=0)`.",
    ],
)
