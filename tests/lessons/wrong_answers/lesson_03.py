"""Wrong answers to lesson 03: exercise -> label -> (answer, words of its verdict)."""

import math

import torch
import torch.nn.functional as F


def _places(stride, height, width):
    return math.ceil(height / stride) * math.ceil(width / stride)


def _no_stride_product(layers):
    field, previous = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * previous
        previous = stride
    return field


def _stride_first(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        jump *= stride
        field += (kernel - 1) * jump
    return field


def _whole_kernels(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        field += kernel * jump
        jump *= stride
    return field


def _step(order, target="normal", loss_function=F.mse_loss):
    """A training step whose lines run in ``order``."""

    def step(model, optimizer, low, normal):
        loss = loss_function(model(low), normal if target == "normal" else low)
        for line in order.split():
            if line == "zero":
                optimizer.zero_grad()
            elif line == "backward":
                loss.backward()
            elif line == "clip":
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            elif line == "step":
                optimizer.step()
        return loss.item()

    return step


def _with_graph(model, optimizer, low, normal):
    loss = F.mse_loss(model(low), normal)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss


def _late(losses, patience, min_delta):
    best, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < best - min_delta:
            best, waited = loss, 0
        else:
            waited += 1
        if waited > patience:
            return epoch
    return len(losses)


def _from_last(losses, patience, min_delta):
    last, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, start=1):
        waited = 0 if loss < last - min_delta else waited + 1
        last = loss
        if waited == patience:
            return epoch
    return len(losses)


def _never_reset(losses, patience, min_delta):
    best, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < best - min_delta:
            best = loss
        else:
            waited += 1
        if waited == patience:
            return epoch
    return len(losses)


def _creeping(losses, patience, min_delta):
    best, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, start=1):
        waited = 0 if loss < best - min_delta else waited + 1
        best = min(best, loss)
        if waited == patience:
            return epoch
    return len(losses)


def _right(losses, patience, min_delta):
    best, waited = float("inf"), 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < best - min_delta:
            best, waited = loss, 0
        else:
            waited += 1
        if waited == patience:
            return epoch
    return len(losses)


def _best_epoch(losses, patience, min_delta):
    seen = losses[: _right(losses, patience, min_delta)]
    return seen.index(min(seen)) + 1


def _error(guess, targets, weights):
    return (weights.view(-1, 1, 1, 1) * (guess - targets) ** 2).sum(dim=0).mean()


def _unweighted(targets, weights):
    guess = targets.mean(dim=0)
    return guess, _error(guess, targets, weights)


def _most_likely(targets, weights):
    guess = targets[weights.argmax()]
    return guess, _error(guess, targets, weights)


def _median(targets, weights):
    guess = targets.median(dim=0).values
    return guess, _error(guess, targets, weights)


def _plain_error(targets, weights):
    guess = (weights.view(-1, 1, 1, 1) * targets).sum(dim=0)
    return guess, ((guess - targets) ** 2).mean()


def _summed_error(targets, weights):
    guess = (weights.view(-1, 1, 1, 1) * targets).sum(dim=0)
    return guess, (weights.view(-1, 1, 1, 1) * (guess - targets) ** 2).sum()


WRONG = {
    "cost": {
        "no bias": (
            lambda i, o, k, s, h, w: (i * o * k * k, i * o * k * k * _places(s, h, w)),
            "bias is missing",
        ),
        "bias of the input": (
            lambda i, o, k, s, h, w: (i * o * k * k + i, i * o * k * k * _places(s, h, w)),
            "not to the input channels",
        ),
        "one bias": (
            lambda i, o, k, s, h, w: (i * o * k * k + 1, i * o * k * k * _places(s, h, w)),
            "not one per layer",
        ),
        "kernel not squared": (
            lambda i, o, k, s, h, w: (i * o * k + o, i * o * k * _places(s, h, w)),
            "square",
        ),
        "one input channel": (
            lambda i, o, k, s, h, w: (o * k * k + o, o * k * k * _places(s, h, w)),
            "every input channel",
        ),
        "no stride": (
            lambda i, o, k, s, h, w: (i * o * k * k + o, i * o * k * k * h * w),
            "stride is left out",
        ),
        "stride once": (
            lambda i, o, k, s, h, w: (i * o * k * k + o, i * o * k * k * h * w // s),
            "divides the places twice",
        ),
        "swapped": (
            lambda i, o, k, s, h, w: (i * o * k * k * _places(s, h, w), i * o * k * k + o),
            "swapped",
        ),
    },
    "field": {
        "no strides": (lambda layers: 1 + sum(k - 1 for k, _ in layers), "strides are left out"),
        "no product": (_no_stride_product, "previous layer's stride"),
        "own stride first": (_stride_first, "acts after its kernel"),
        "whole kernels": (_whole_kernels, "kernel - 1"),
        "starts at 0": (
            lambda layers: _whole_kernels([(k - 1, s) for k, s in layers]) - 1,
            "start at 1: without",
        ),
        "weights": (lambda layers: sum(k * k for k, _ in layers), "count the weights"),
    },
    "step": {
        "gradients add up": (_step("backward clip step"), "add up"),
        "clip before backward": (_step("zero clip backward step"), "stands before backward()"),
        "the bugs of the exercise": (_step("clip backward step", "low"), "Also, the loss compares"),
        "both orders": (_step("clip backward step"), "Also, the step is taken"),
        "no clip": (_step("zero backward step"), "or it is missing"),
        "loss on low": (_step("zero backward clip step", "low"), "target is normal"),
        "no step": (_step("zero backward clip"), "do not change"),
        "zeroed too late": (_step("backward zero clip step"), "do not change"),
        "absolute error": (
            _step("zero backward clip step", loss_function=F.l1_loss),
            "absolute error",
        ),
        "returns the graph": (_with_graph, "loss.item()"),
    },
    "stop": {
        "late": (_late, "one epoch late"),
        "from the last loss": (_from_last, "best so far"),
        "never reset": (_never_reset, "set back to 0"),
        "no min_delta": (lambda losses, p, d: _right(losses, p, 0.0), "min_delta is not used"),
        "wrong sign": (lambda losses, p, d: _right(losses, p, -d), "wrong sign"),
        "creeping best": (_creeping, "creeps down"),
        "from 0": (lambda *a: _right(*a) - 1, "from 0"),
        "best epoch": (_best_epoch, "best epoch"),
    },
    "guess": {
        "unweighted": (_unweighted, "equally likely"),
        "most likely": (_most_likely, "most likely"),
        "median": (_median, "absolute error"),
        "plain error": (_plain_error, "squared error has to be weighted"),
        "summed error": (_summed_error, "over the pixels"),
    },
}
