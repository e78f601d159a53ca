"""Wrong answers to lesson 06: exercise -> label -> (answer, words of its verdict)."""

import torch
import torch.nn.functional as F


def _back(layers, index, padded=True, reach=1):
    first = last = index
    for kernel, stride, padding in reversed(layers):
        first = first * stride - padding * padded
        last = last * stride - padding * padded + kernel - reach
    return first, last


def _forwards(layers, index):
    return _back(layers[::-1], index)


def _cut_off(layers, index):
    first, last = _back(layers, index)
    return max(0, first), last


def _with_width(layers, index):
    first, last = _back(layers, index)
    return first, last - first + 1


def _log_sigmoid(logits, label):
    p = torch.sigmoid(logits)
    return -torch.log(p) if label == 1 else -torch.log(1 - p)


def _clamped(logits, label):
    p = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)
    return -torch.log(p) if label == 1 else -torch.log(1 - p)


def _one_exp(logits, label):
    return torch.log(1 + torch.exp(-logits)) + (1 - label) * logits


def _library(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def _bce(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def _judge(real=1.0, fake=0.0, squash=False, detach=True, half=0.5):
    def judge(discriminator, low, normal, enhanced):
        logits = (
            discriminator(low, normal),
            discriminator(low, enhanced.detach() if detach else enhanced),
        )
        if squash:
            logits = [torch.sigmoid(x) for x in logits]
        return half * (_bce(logits[0], real) + _bce(logits[1], fake))

    return judge


def _no_grad(discriminator, low, normal, enhanced):
    with torch.no_grad():
        return _judge()(discriminator, low, normal, enhanced)


def _half_blind(discriminator, low, normal, enhanced):
    with torch.no_grad():
        fake = discriminator(low, enhanced)
    return (_bce(discriminator(low, normal), 1.0) + _bce(fake, 0.0)) / 2


def _steps(loss_scale, clear_each=False, clear_first=True, step_each=False):
    def accumulate(model, optimizer, batches):
        if clear_first:
            optimizer.zero_grad()
        for low, normal in batches:
            if clear_each:
                optimizer.zero_grad()
            (F.l1_loss(model(low), normal) * loss_scale(low, batches)).backward()
            if step_each:
                optimizer.step()
        if not step_each:
            optimizer.step()

    return accumulate


def _share(low, batches):
    return len(low) / sum(len(one) for one, _ in batches)


def _equal(low, batches):
    return 1 / len(batches)


WRONG = {
    "patch": {
        "forwards": (_forwards, "go back from the last layer"),
        "no padding": (lambda *a: _back(*a, padded=False), "padding is left out"),
        "one too far": (lambda *a: _back(*a, reach=0), "not start + kernel"),
        "cut off": (_cut_off, "outside of the image"),
        "width": (_with_width, "not the width"),
    },
    "surprise": {
        "sigmoid, then log": (_log_sigmoid, "infinite or NaN"),
        "clamped": (_clamped, "too small for a logit"),
        "exp overflows": (_one_exp, "infinite or NaN"),
        "mean": (_library, "do not take the mean"),
        "label swapped": (lambda x, y: F.softplus(x) - (1 - y) * x, "wrong way round"),
        "negative": (lambda x, y: -F.softplus(x) + y * x, "sign is wrong"),
        "probability": (
            lambda x, y: torch.sigmoid(x) if y else 1 - torch.sigmoid(x),
            "minus its logarithm",
        ),
    },
    "judge": {
        "swapped": (_judge(real=0.0, fake=1.0), "labels are swapped"),
        "both real": (_judge(fake=1.0), "label 1"),
        "double sigmoid": (_judge(squash=True), "applied twice"),
        "the bugs of the exercise": (
            _judge(real=0.0, fake=1.0, squash=True, detach=False),
            "Also, the sigmoid",
        ),
        "sum": (_judge(half=1.0), "take their mean"),
        "no detach": (_judge(detach=False), "detach the output"),
        "no gradient": (_no_grad, "has no gradient"),
        "half blind": (_half_blind, "from both"),
    },
    "accumulate": {
        "sum": (_steps(lambda low, batches: 1), "too long"),
        "equal": (_steps(_equal), "counts the same"),
        "forgot len": (
            _steps(lambda low, batches: _share(low, batches) / len(low)),
            "multiply it by len(low)",
        ),
        "clears each": (_steps(_share, clear_each=True), "only the last"),
        "never clears": (_steps(_share, clear_first=False), "old gradients"),
        "steps each": (_steps(_share, step_each=True), "after each batch"),
        "three steps": (_steps(_share, step_each=True, clear_each=True), "several steps"),
    },
    "invented": {
        "difference": (lambda m, t, w: w((m - t).square()), "energy of the difference"),
        "energies": (lambda m, t, w: w(m * m) - w(t * t), "difference of the energies"),
        "explained": (
            lambda m, t, w: w(m * t).square() / (w(t * t) + 1e-8),
            "asked is the rest",
        ),
        "swapped": (
            lambda m, t, w: w(t * t) - w(m * t).square() / (w(m * m) + 1e-8),
            "swapped",
        ),
        "pixel by pixel": (
            lambda m, t, w: w(m * m - (m * t).square() / (t * t + 1e-8)),
            "at each pixel alone",
        ),
        "not squared": (lambda m, t, w: w(m * m) - w(m * t) / (w(t * t) + 1e-8), "squared"),
        "global": (
            lambda m, t, w: w((m - (m * t).sum() / (t * t).sum() * t).square()),
            "whole image",
        ),
    },
}
