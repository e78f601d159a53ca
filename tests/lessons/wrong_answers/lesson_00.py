"""Wrong answers that the checks of lesson 00 must reject, each with words of the message."""

import numpy as np
import torch

REC_709 = torch.tensor([0.2126, 0.7152, 0.0722])


def brightens_in_place(image, gamma):
    return image.pow_(gamma)


def tensor(stored):
    return torch.from_numpy(stored)


def viewed(stored):
    height, width, channels = stored.shape
    return tensor(stored).view(channels, height, width).float() / 255


def luma_in_place(image):
    image *= REC_709.view(3, 1, 1)
    return image.sum(0)


def wraps_round(first, second):
    return np.abs(first - second).mean() / 255


def floats_too_late(first, second):
    return np.abs((first - second).astype(np.float32)).mean() / 255


def as_int8(first, second):
    return np.abs(first.astype("int8") - second.astype("int8")).mean() / 255


def difference_of_the_means(first, second):
    return abs(first.mean() - second.mean()) / 255


WRONG = {
    "gamma": {
        "inverse exponent": (lambda image, gamma: image ** (1 / gamma), "1 / gamma"),
        "a gain, not a curve": (lambda image, gamma: image * gamma, "multiply by gamma"),
        "swapped": (lambda image, gamma: gamma**image, "swapped"),
        "in place": (brightens_in_place, "in place"),
    },
    "to_tensor": {
        "not divided": (lambda s: tensor(s).permute(2, 0, 1).float(), "divide by 255"),
        "divided by 256": (lambda s: tensor(s).permute(2, 0, 1) / 256, "255/256"),
        "blue first": (lambda s: tensor(s[..., ::-1].copy()).permute(2, 0, 1) / 255, "BGR"),
        "transposed": (lambda s: tensor(s).permute(2, 1, 0) / 255, "height and width"),
        "view": (viewed, "permute moves the axes"),
        "whole numbers": (lambda s: (tensor(s) // 255).permute(2, 0, 1).float(), "floats first"),
        "stretched": (lambda s: tensor(s).permute(2, 0, 1) / s.max(), "largest value"),
        "channels last": (lambda s: tensor(s).float() / 255, "shape"),
        "double": (lambda s: tensor(s / 255).permute(2, 0, 1), "float64"),
        "still an array": (lambda s: (s / 255).transpose(2, 0, 1), "expected a tensor"),
    },
    "luma": {
        "plain mean": (lambda image: image.mean(0), "plain mean"),
        "blue first": (
            lambda image: (image * REC_709.flip(0).view(3, 1, 1)).sum(0),
            "red comes first",
        ),
        "Rec. 601": (
            lambda image: (image * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(0),
            "Rec. 601",
        ),
        "mean of the weighted": (lambda i: (i * REC_709.view(3, 1, 1)).mean(0), "divided by three"),
        "weights along the width": (lambda image: (image * REC_709).sum(0), "width"),
        "summed over the width": (
            lambda image: (image * REC_709.view(3, 1, 1)).sum(-1),
            "channels are axis 0",
        ),
        "one number": (lambda image: (image * REC_709.view(3, 1, 1)).sum(0).mean(), "shape"),
        "keeps the axis": (lambda i: (i * REC_709.view(3, 1, 1)).sum(0, keepdim=True), "shape"),
        "in place": (luma_in_place, "in place"),
    },
    "distance": {
        "wraps round": (wraps_round, "wraps round"),
        "floats too late": (floats_too_late, "before you subtract"),
        "int8": (as_int8, "int8"),
        "difference of the means": (difference_of_the_means, "cancel out"),
        "signed": (lambda a, b: (a.astype(float) - b).mean() / 255, "cancel out"),
        "not divided": (lambda a, b: np.abs(a.astype(float) - b).mean(), "divide by 255"),
        "squared": (lambda a, b: ((a / 255 - b / 255) ** 2).mean(), "squared"),
    },
}
