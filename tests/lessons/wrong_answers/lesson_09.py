"""Wrong answers to lesson 09: exercise -> label -> (answer, words of its verdict)."""

import math

import numpy as np
import torch

LEVELS = np.arange(256) / 255


def _angle(overlap, shift=0.5):
    return (torch.arange(overlap) + shift) / overlap * torch.pi / 2


def _followed(values, times, settle, share, start=None):
    followed = [values[0] if start is None else start]
    for i in range(1, len(values)):
        s = share(times[i] - times[i - 1], settle)
        followed.append(followed[-1] + s * (values[i] - followed[-1]))
    return followed


def _tiles(length, tile, starts):
    return [(start, min(start + tile, length)) for start in starts]


WRONG = {
    "cover": {
        "no overlap": (lambda n, t, o: _tiles(n, t, range(0, max(n - o, 1), t)), "do not overlap"),
        "beyond the end": (
            lambda n, t, o: [(s, s + t) for s in range(0, max(n - o, 1), t - o)],
            "beyond the image",
        ),
        "one too many": (lambda n, t, o: _tiles(n, t, range(0, n, t - o)), "adds nothing"),
        "one too few": (
            lambda n, t, o: _tiles(n, t, range(0, max(n - o, 1), t - o))[:-1],
            "not covered",
        ),
        "starts only": (lambda n, t, o: list(range(0, n, t - o)), "pairs (start, stop)"),
    },
    "fade": {
        "exchanged": (
            lambda n: (_angle(n).cos() ** 2, _angle(n).sin() ** 2),
            "wrong way round",
        ),
        "from zero": (
            lambda n: (_angle(n, 0).sin() ** 2, _angle(n, 0).cos() ** 2),
            "half pixel",
        ),
        "not squared": (lambda n: (_angle(n).sin(), _angle(n).cos()), "their squares do"),
        "straight": (
            lambda n: ((torch.arange(n) + 0.5) / n, 1 - (torch.arange(n) + 0.5) / n),
            "kink",
        ),
        "the same twice": (lambda n: (_angle(n).sin() ** 2,) * 2, "comes while the other goes"),
    },
    "table": {
        "wraps": (
            lambda g, y: np.rint(g * LEVELS**y * 255).astype(np.int64).astype(np.uint8),
            "wrap around",
        ),
        "cut off": (
            lambda g, y: (np.clip(g * LEVELS**y, 0, 1) * 255).astype(np.uint8),
            "nearest level",
        ),
        "256": (
            lambda g, y: np.rint(np.clip(g * (np.arange(256) / 256) ** y, 0, 1) * 255).astype(
                np.uint8
            ),
            "divide by 255",
        ),
        "gain inside": (
            lambda g, y: np.rint(np.clip((g * LEVELS) ** y, 0, 1) * 255).astype(np.uint8),
            "after the power",
        ),
        "floats": (lambda g, y: np.clip(g * LEVELS**y, 0, 1), "return bytes"),
    },
    "steady": {
        "one share": (
            lambda v, t, s: _followed(v, t, s, lambda dt, s: 1 - math.exp(-0.04 / s)),
            "twice the frame rate",
        ),
        "kept": (
            lambda v, t, s: _followed(v, t, s, lambda dt, s: math.exp(-dt / s)),
            "what is *kept*",
        ),
        "linear": (lambda v, t, s: _followed(v, t, s, lambda dt, s: dt / s), "above 1"),
        "from zero": (
            lambda v, t, s: _followed(v, t, s, lambda dt, s: 1 - math.exp(-dt / s), 0.0),
            "begin in the dark",
        ),
        "as they are": (lambda v, t, s: list(v), "not smoothed"),
    },
}
