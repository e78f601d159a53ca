"""Wrong answers to lesson 05: exercise -> label -> (answer, words of its verdict)."""

import numpy as np
import torch


def _no_inner_relu(x, short, long, refine):
    y = torch.relu(short(x) + long[1](long[0](x)))
    return torch.relu(y + refine[1](refine[0](y)))


def _relu_after_each(x, short, long, refine):
    y = torch.relu(short(x) + torch.relu(long[1](torch.relu(long[0](x)))))
    return torch.relu(y + torch.relu(refine[1](torch.relu(refine[0](y)))))


def _no_last_relu(x, short, long, refine):
    y = torch.relu(short(x) + long[1](torch.relu(long[0](x))))
    return y + refine[1](torch.relu(refine[0](y)))


def _shortcut_from_x(x, short, long, refine):
    y = torch.relu(short(x) + long[1](torch.relu(long[0](x))))
    return torch.relu(x + refine[1](torch.relu(refine[0](y))))


def _no_shortcut(x, short, long, refine):
    y = torch.relu(short(x) + long[1](torch.relu(long[0](x))))
    return torch.relu(refine[1](torch.relu(refine[0](y))))


def _no_short_path(x, short, long, refine):
    y = torch.relu(long[1](torch.relu(long[0](x))))
    return torch.relu(y + refine[1](torch.relu(refine[0](y))))


def _by_row(low, normal, scenes, val_low, val_normal, folds, fit):
    fold = np.arange(len(low)) % folds
    predicted = np.empty_like(normal)
    for k in range(folds):
        held_out = fold == k
        model = fit(low[~held_out], normal[~held_out])
        predicted[held_out] = model.predict(low[held_out])
    return predicted, fit(low, normal).predict(val_low)


def _in_sample(low, normal, scenes, val_low, val_normal, folds, fit):
    model = fit(low, normal)
    return model.predict(low), model.predict(val_low)


def _by_scene(low, normal, scenes, folds, fit, more=None):
    fold = np.unique(scenes, return_inverse=True)[1] % folds
    predicted = np.empty_like(normal)
    for k in range(folds):
        held_out = fold == k
        known, answers = low[~held_out], normal[~held_out]
        if more is not None:
            known, answers = np.concatenate([known, more[0]]), np.concatenate([answers, more[1]])
        model = fit(known, answers)
        predicted[held_out] = model.predict(low[held_out])
    return predicted, model


def _with_validation(low, normal, scenes, val_low, val_normal, folds, fit):
    predicted, model = _by_scene(low, normal, scenes, folds, fit, (val_low, val_normal))
    return predicted, model.predict(val_low)


def _last_fold(low, normal, scenes, val_low, val_normal, folds, fit):
    predicted, model = _by_scene(low, normal, scenes, folds, fit)
    return predicted, model.predict(val_low)


def _one_per_scene(low, normal, scenes, val_low, val_normal, folds, fit):
    predicted, _ = _by_scene(low, normal, scenes, len(np.unique(scenes)), fit)
    return predicted, fit(low, normal).predict(val_low)


def _out_of_order(low, normal, scenes, val_low, val_normal, folds, fit):
    fold = np.unique(scenes, return_inverse=True)[1] % folds
    parts = []
    for k in range(folds):
        parts.append(fit(low[fold != k], normal[fold != k]).predict(low[fold == k]))
    return np.concatenate(parts), fit(low, normal).predict(val_low)


def _adam(weight, gradient, mean, square, step, rate):
    mean = 0.9 * mean + 0.1 * gradient
    square = 0.999 * square + 0.001 * gradient**2
    move = mean / (1 - 0.9**step) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
    return weight - rate * move, mean, square


def _l2(weight, gradient, mean, square, step, rate, decay):
    return _adam(weight, gradient + decay * weight, mean, square, step, rate)


def _adam_alone(weight, gradient, mean, square, step, rate, decay):
    return _adam(weight, gradient, mean, square, step, rate)


def _no_rate(weight, gradient, mean, square, step, rate, decay):
    moved, mean, square = _adam(weight, gradient, mean, square, step, rate)
    return moved - decay * weight, mean, square


def _grows(weight, gradient, mean, square, step, rate, decay):
    moved, mean, square = _adam(weight, gradient, mean, square, step, rate)
    return moved + rate * decay * weight, mean, square


def _biased(weight, gradient, mean, square, step, rate, decay):
    mean = 0.9 * mean + 0.1 * gradient
    square = 0.999 * square + 0.001 * gradient**2
    return weight - rate * mean / (square.sqrt() + 1e-8) - rate * decay * weight, mean, square


def _uses_anything(gradient, scale, good, wait):
    if good + 1 == wait:
        return gradient.float() / scale, scale * 2, 0
    return gradient.float() / scale, scale, good + 1


def _half(gradient, scale, good, wait):
    if not torch.isfinite(gradient).all():
        return None, scale / 2, 0
    unscaled = (gradient / scale).float()
    return (unscaled, scale * 2, 0) if good + 1 == wait else (unscaled, scale, good + 1)


def _stays_half(gradient, scale, good, wait):
    if not torch.isfinite(gradient).all():
        return None, scale / 2, 0
    unscaled = gradient / scale
    return (unscaled, scale * 2, 0) if good + 1 == wait else (unscaled, scale, good + 1)


def _keeps_counting(gradient, scale, good, wait):
    if not torch.isfinite(gradient).all():
        return None, scale / 2, good
    unscaled = gradient.float() / scale
    return (unscaled, scale * 2, 0) if good + 1 == wait else (unscaled, scale, good + 1)


def _late(gradient, scale, good, wait):
    if not torch.isfinite(gradient).all():
        return None, scale / 2, 0
    unscaled = gradient.float() / scale
    return (unscaled, scale * 2, 0) if good == wait else (unscaled, scale, good + 1)


def _new_scale(gradient, scale, good, wait):
    if not torch.isfinite(gradient).all():
        return None, scale / 2, 0
    if good + 1 == wait:
        scale, good = scale * 2, -1
    return gradient.float() / scale, scale, good + 1


def _nan_only(gradient, scale, good, wait):
    if torch.isnan(gradient).any():
        return None, scale / 2, 0
    unscaled = gradient.float() / scale
    return (unscaled, scale * 2, 0) if good + 1 == wait else (unscaled, scale, good + 1)


WRONG = {
    "two_path": {
        "no inner ReLU": (_no_inner_relu, "one linear map"),
        "ReLU before the sum": (_relu_after_each, "ReLU too many"),
        "no last ReLU": (_no_last_relu, "last ReLU is missing"),
        "shortcut from x": (_shortcut_from_x, "starts at y"),
        "no shortcut": (_no_shortcut, "no shortcut"),
        "no 1x1 path": (_no_short_path, "1x1 path is missing"),
    },
    "inputs": {
        "folds of rows": (_by_row, "not by row"),
        "in sample": (_in_sample, "that very row"),
        "validation in the fit": (_with_validation, "validation rows"),
        "last fold for validation": (_last_fold, "wastes data"),
        "a fold for each scene": (_one_per_scene, "must share"),
        "out of order": (_out_of_order, "order of the rows"),
    },
    "decay": {
        "L2 penalty": (_l2, "L2 penalty"),
        "plain Adam": (_adam_alone, "plain Adam"),
        "without the rate": (_no_rate, "learning rate"),
        "wrong sign": (_grows, "wrong sign"),
        "biased means": (_biased, "start at 0"),
    },
    "scaler": {
        "uses anything": (_uses_anything, "must not be used"),
        "divides in half precision": (_half, "divide in float16"),
        "stays half": (_stays_half, "still float16"),
        "keeps counting": (_keeps_counting, "after an overflow, the count"),
        "late": (_late, "one step late"),
        "new scale": (_new_scale, "new scale"),
        "NaN only": (_nan_only, "only NaN"),
    },
}
