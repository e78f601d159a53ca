"""Wrong answers to lesson 02: exercise -> label -> (answer, words of its verdict)."""

import numpy as np
import torch
from sklearn.model_selection import KFold


def _mse(enhanced, normal, dim=(1, 2, 3)):
    return ((enhanced - normal) ** 2).mean(dim=dim)


def _bisect(image, target, low=0.01, high=10.0, steps=40, upwards=True):
    for _ in range(steps):
        middle = (low + high) / 2
        if ((image**middle).mean() > target) == upwards:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _cdf(levels):
    return torch.bincount(levels.flatten().long(), minlength=256).cumsum(0) / levels.numel()


def _in_sample(features, targets, scenes, fit):
    return fit(features, targets).predict(features)


def _random_folds(features, targets, scenes, fit):
    predicted = np.empty_like(targets)
    for train, held_out in KFold(4, shuffle=True, random_state=0).split(features):
        predicted[held_out] = fit(features[train], targets[train]).predict(features[held_out])
    return predicted


def _trained_on_the_fold(features, targets, scenes, fit):
    predicted = np.empty_like(targets)
    for scene in np.unique(scenes):
        fold = scenes == scene
        predicted[fold] = fit(features[fold], targets[fold]).predict(features[fold])
    return predicted


def _trained_on_one_other_scene(features, targets, scenes, fit):
    predicted = np.empty_like(targets)
    known = np.unique(scenes)
    for scene, other in zip(known, np.roll(known, 1), strict=True):
        one = scenes == other
        model = fit(features[one], targets[one])
        predicted[scenes == scene] = model.predict(features[scenes == scene])
    return predicted


def _in_fold_order(features, targets, scenes, fit):
    predicted = []
    for scene in np.unique(scenes):
        held_out = scenes == scene
        model = fit(features[~held_out], targets[~held_out])
        predicted.append(model.predict(features[held_out]))
    return np.concatenate(predicted)


def _last_fold_only(features, targets, scenes, fit):
    predicted = np.zeros_like(targets)
    held_out = scenes == scenes.max()
    model = fit(features[~held_out], targets[~held_out])
    predicted[held_out] = model.predict(features[held_out])
    return predicted


WRONG = {
    "psnr": {
        "pooled": (lambda e, n: -10 * torch.log10(_mse(e, n, None)), "whole batch"),
        "pooled, repeated": (
            lambda e, n: (-10 * torch.log10(_mse(e, n, None))).repeat(len(e)),
            "whole batch",
        ),
        "mean of scores": (lambda e, n: -10 * torch.log10(_mse(e, n)).mean(), "one score per"),
        "range 255": (lambda e, n: 20 * torch.log10(255 / _mse(e, n).sqrt()), "48.1 dB too high"),
        "root": (lambda e, n: 10 * torch.log10(1 / _mse(e, n).sqrt()), "half of what"),
        "natural log": (lambda e, n: -10 * torch.log(_mse(e, n)), "natural"),
        "sign": (lambda e, n: 10 * torch.log10(_mse(e, n)), "the sign"),
        "absolute": (
            lambda e, n: -10 * torch.log10((e - n).abs().mean(dim=(1, 2, 3))),
            "squares it",
        ),
        "per channel": (
            lambda e, n: (-10 * torch.log10(_mse(e, n, (2, 3)))).mean(dim=1),
            "three PSNRs",
        ),
    },
    "gamma_for_mean": {
        "of the mean": (
            lambda image, target: np.log(target) / np.log(image.mean().item()),
            "mean of a power",
        ),
        "inverse": (lambda image, target: 1 / _bisect(image, target), "1 / gamma"),
        "gain": (lambda image, target: target / image.mean().item(), "is a gain"),
        "few steps": (lambda image, target: _bisect(image, target, steps=6), "finer steps"),
        "brightens only": (lambda image, target: _bisect(image, target, high=1.0), "above 1"),
        "wrong way": (lambda image, target: _bisect(image, target, upwards=False), "wrong way"),
        "negative": (lambda image, target: -_bisect(image, target), "positive"),
    },
    "equalise": {
        "counts": (lambda v: (_cdf(v) * v.numel()).long()[v.long()], "number of pixels"),
        "first bin": (lambda v: _cdf(v)[v.long()], "darkest level"),
        "end not 1": (
            lambda v: (_cdf(v) - _cdf(v)[v.min().long()])[v.long()],
            "no longer reaches 1",
        ),
        "histogram": (
            lambda v: (torch.bincount(v.flatten().long()) / v.numel())[v.long()],
            "histogram itself",
        ),
        "stretch": (lambda v: (v - v.min()) / (v.max() - v.min()), "linear stretch"),
        "curve": (
            lambda v: (_cdf(v) - _cdf(v)[v.min().long()]) / (1 - _cdf(v)[v.min().long()]),
            "return the curve",
        ),
    },
    "pinball": {
        "swapped": (
            lambda p, a, q: torch.maximum(q * (p - a), (q - 1) * (p - a)).mean(),
            "swapped",
        ),
        "absolute": (lambda p, a, q: (p - a).abs().mean(), "treats both sides alike"),
        "half absolute": (lambda p, a, q: 0.5 * (p - a).abs().mean(), "quantile 0.5 only"),
        "sum": (
            lambda p, a, q: torch.maximum(q * (a - p), (q - 1) * (a - p)).sum(),
            "number",
        ),
        "no mean": (
            lambda p, a, q: torch.maximum(q * (a - p), (q - 1) * (a - p)),
            "one loss per value",
        ),
        "one side": (lambda p, a, q: (q * (a - p).clamp(min=0)).mean(), "cost nothing"),
        "signed": (lambda p, a, q: (q * (a - p)).mean(), "fall below 0"),
        "squared": (
            lambda p, a, q: (torch.where(a > p, q, 1 - q) * (a - p).square()).mean(),
            "square the error",
        ),
    },
    "honest_predictions": {
        "in-sample": (_in_sample, "that is the leak"),
        "random folds": (_random_folds, "other darkenings"),
        "trained on the fold": (_trained_on_the_fold, "that is the leak"),
        "one other scene": (_trained_on_one_other_scene, "less than half"),
        "fold order": (_in_fold_order, "another order"),
        "last fold only": (_last_fold_only, "never predicted"),
    },
}
