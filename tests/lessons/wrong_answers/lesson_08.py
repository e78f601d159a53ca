"""Wrong answers to lesson 08: exercise -> label -> (answer, words of its verdict)."""

import numpy as np
import torch

LUMA = torch.tensor([0.299, 0.587, 0.114])[:, None, None]


def _errors(enhanced, normal):
    return (enhanced - normal).square().mean(dim=(1, 2, 3))


def _pooled(enhanced, normal):
    errors = _errors(enhanced, normal)
    return -10 * errors.log10().mean(), -10 * errors.mean().log10()


def _luma_psnr(enhanced, normal, weights=LUMA):
    return -10 * ((enhanced - normal) * weights).sum(dim=0).square().mean().log10()


def _not_dominated(costs, qualities, beats):
    methods = list(zip(costs, qualities, strict=True))
    return [i for i, mine in enumerate(methods) if not any(beats(m, mine) for m in methods)]


def _percentiles(values, ends=(2.5, 97.5)):
    return tuple(np.percentile(values, ends))


WRONG = {
    "pooled": {
        "exchanged": (lambda e, n: _pooled(e, n)[::-1], "wrong way round"),
        "pooled twice": (
            lambda e, n: (_pooled(e, n)[1],) * 2,
            "both of your values are the pooled",
        ),
        "never pooled": (lambda e, n: (_pooled(e, n)[0],) * 2, "pool the errors"),
        "no minus": (lambda e, n: tuple(-x for x in _pooled(e, n)), "minus ten"),
        "natural logarithm": (
            lambda e, n: (-10 * _errors(e, n).log().mean(), -10 * _errors(e, n).mean().log()),
            "base 10",
        ),
        "twenty": (lambda e, n: tuple(2 * x for x in _pooled(e, n)), "factor is 10"),
        "absolute": (
            lambda e, n: (
                -10 * (e - n).abs().mean(dim=(1, 2, 3)).log10().mean(),
                -10 * (e - n).abs().mean().log10(),
            ),
            "squared before",
        ),
        "one number": (lambda e, n: _pooled(e, n)[0], "expected 2 values"),
    },
    "luma": {
        "grey": (lambda e, n: _luma_psnr(e, n, 1 / 3), "all channels count alike"),
        "bgr": (lambda e, n: _luma_psnr(e, n, LUMA.flip(0)), "order red, green, blue"),
        "bt709": (
            lambda e, n: _luma_psnr(e, n, torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]),
            "BT.709",
        ),
        "rgb": (lambda e, n: -10 * (e - n).square().mean().log10(), "all three channels"),
        "squared first": (
            lambda e, n: -10 * ((e - n).square() * LUMA).sum(dim=0).mean().log10(),
            "before you square",
        ),
        "mean": (
            lambda e, n: -10 * ((e - n) * LUMA).mean(dim=0).square().mean().log10(),
            "add up to 1 already",
        ),
        "no minus": (lambda e, n: -_luma_psnr(e, n), "minus ten"),
    },
    "frontier": {
        "drops twins": (
            lambda c, q: _not_dominated(
                [*c], [*q], lambda a, b: a is not b and a[0] <= b[0] and a[1] >= b[1]
            ),
            "you drop both",
        ),
        "strictly better in both": (
            lambda c, q: _not_dominated(c, q, lambda a, b: a[0] < b[0] and a[1] > b[1]),
            "costs the same",
        ),
        "dear is good": (
            lambda c, q: _not_dominated(
                c, q, lambda a, b: a[0] >= b[0] and a[1] >= b[1] and a != b
            ),
            "upside down",
        ),
        "either": (
            lambda c, q: _not_dominated(c, q, lambda a, b: a[0] < b[0] or a[1] > b[1]),
            "in between",
        ),
        "best only": (
            lambda c, q: _not_dominated(c, q, lambda a, b: a[1] > b[1]),
            "quality alone",
        ),
        "the others": (
            lambda c, q: [
                i
                for i in range(len(c))
                if i
                not in _not_dominated(c, q, lambda a, b: a[0] <= b[0] and a[1] >= b[1] and a != b)
            ],
            "return the others",
        ),
        "names": (lambda c, q: ["first"], "row numbers"),
    },
    "interval": {
        "theirs first": (lambda a, b, d: _percentiles((b - a)[d].mean(axis=1)), "ours minus"),
        "five per cent on a side": (
            lambda a, b, d: _percentiles((a - b)[d].mean(axis=1), (5, 95)),
            "2.5 % on either side",
        ),
        "fractions": (
            lambda a, b, d: _percentiles((a - b)[d].mean(axis=1), (0.025, 0.975)),
            "in per cent",
        ),
        "single images": (lambda a, b, d: _percentiles((a - b)[d]), "mean of each draw"),
        "over the draws": (
            lambda a, b, d: _percentiles((a - b)[d].mean(axis=0)),
            "not over the draws",
        ),
        "upside down": (
            lambda a, b, d: _percentiles((a - b)[d].mean(axis=1), (97.5, 2.5)),
            "lower end comes first",
        ),
        "no draws": (lambda a, b, d: _percentiles(a - b), "draws are not used"),
    },
}
