"""Wrong answers to lesson 07: exercise -> label -> (answer, words of its verdict)."""

import numpy as np
import torch
from torch.fft import fftfreq, irfft2, rfft2, rfftfreq


def _exchanged(light, structure):
    amplitude, phase = rfft2(structure).abs(), rfft2(light).angle()
    return irfft2(torch.polar(amplitude, phase), s=light.shape[-2:])


def _power(light, structure):
    amplitude, phase = rfft2(light).abs() ** 2, rfft2(structure).angle()
    return irfft2(torch.polar(amplitude, phase), s=light.shape[-2:])


def _no_size(light, structure):
    return irfft2(torch.polar(rfft2(light).abs(), rfft2(structure).angle()))


def _product(light, structure):
    return irfft2(rfft2(light) * rfft2(structure), s=light.shape[-2:])


def _counting_up(height, width):
    down, across = torch.arange(height)[:, None] / height, rfftfreq(width)[None]
    return (down**2 + across**2).sqrt()


def _all_columns(height, width):
    return (fftfreq(height)[:, None] ** 2 + fftfreq(width)[None] ** 2).sqrt()


def _per_image(height, width):
    down, across = fftfreq(height)[:, None] * height, rfftfreq(width)[None] * width
    return (down**2 + across**2).sqrt()


def _sum(height, width):
    return fftfreq(height)[:, None].abs() + rfftfreq(width)[None]


def _radians(height, width):
    down, across = fftfreq(height)[:, None], rfftfreq(width)[None]
    return 2 * torch.pi * (down**2 + across**2).sqrt()


def _unscaled(features, gate):
    spectrum = rfft2(features)
    return irfft2(spectrum * (1 + gate(spectrum.abs().log1p())), s=features.shape[-2:])


def _one_way(features, gate):
    spectrum = rfft2(features, norm="ortho")
    return irfft2(spectrum * (1 + gate(spectrum.abs().log1p())), s=features.shape[-2:])


def _raw_amplitude(features, gate):
    spectrum = rfft2(features, norm="ortho")
    return irfft2(spectrum * (1 + gate(spectrum.abs())), s=features.shape[-2:], norm="ortho")


def _no_one(features, gate):
    spectrum = rfft2(features, norm="ortho")
    return irfft2(spectrum * gate(spectrum.abs().log1p()), s=features.shape[-2:], norm="ortho")


def _added(features, gate):
    spectrum = rfft2(features, norm="ortho")
    return irfft2(spectrum + gate(spectrum.abs().log1p()), s=features.shape[-2:], norm="ortho")


def _exponents_first(image, logs):
    exponent, gain = logs.exp()[..., None, None].chunk(2, dim=1)
    return (gain * (image + 1e-3) ** exponent).clamp(0, 1)


def _no_exp(image, logs):
    gain, exponent = logs[..., None, None].chunk(2, dim=1)
    return (gain * (image + 1e-3) ** exponent).clamp(0, 1)


def _gain_inside(image, logs):
    gain, exponent = logs.exp()[..., None, None].chunk(2, dim=1)
    return ((gain * (image + 1e-3)) ** exponent).clamp(0, 1)


def _unclipped(image, logs):
    gain, exponent = logs.exp()[..., None, None].chunk(2, dim=1)
    return gain * (image + 1e-3) ** exponent


def _correlation(ours, theirs, centre=True, norm=True):
    def prepare(rows):
        rows = rows - rows.mean(axis=1, keepdims=True) if centre else rows
        return rows / np.linalg.norm(rows, axis=1, keepdims=True) if norm else rows

    return prepare(ours) @ prepare(theirs).T


def _pairs(hits):
    return list(zip(*np.nonzero(hits), strict=True))


def _not_centred(ours, theirs, threshold):
    return _pairs(_correlation(ours, theirs, centre=False) > threshold)


def _not_normalised(ours, theirs, threshold):
    return _pairs(_correlation(ours, theirs, norm=False) > threshold)


def _best_only(ours, theirs, threshold):
    rows = _correlation(ours, theirs)
    return [(i, int(row.argmax())) for i, row in enumerate(rows) if row.max() > threshold]


def _other_way(ours, theirs, threshold):
    return [(j, i) for i, j in _pairs(_correlation(ours, theirs) > threshold)]


WRONG = {
    "swap": {
        "exchanged": (_exchanged, "are exchanged"),
        "power": (_power, "not squared"),
        "no size": (_no_size, "a column short"),
        "product": (_product, "both spectra"),
    },
    "radius": {
        "counting up": (_counting_up, "negative frequencies"),
        "all columns": (_all_columns, "width // 2 + 1"),
        "cycles per image": (_per_image, "cycles per image"),
        "sum": (_sum, "Pythagoras"),
        "radians": (_radians, "2 pi"),
    },
    "amplify": {
        "not orthonormal": (_unscaled, "grows with the size"),
        "orthonormal one way": (_one_way, "both ways"),
        "raw amplitude": (_raw_amplitude, "log(1 + amplitude)"),
        "no one": (_no_one, "1 + gate"),
        "added": (_added, "you add to it"),
    },
    "expose": {
        "exponents first": (_exponents_first, "first three"),
        "no exp": (_no_exp, "logarithms"),
        "gain inside": (_gain_inside, "the gain comes after it"),
        "not clipped": (_unclipped, "clip"),
    },
    "shared": {
        "not centred": (_not_centred, "own mean"),
        "not normalised": (_not_normalised, "by its length"),
        "best only": (_best_only, "several partners"),
        "other way round": (_other_way, "wrong way round"),
    },
}
