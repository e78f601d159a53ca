"""Exercises of lesson 07: amplitude and phase, frequencies, an amplitude layer, shared scenes."""

import numpy as np
import torch
from torch.fft import fftfreq, fftshift, irfft2, rfft2, rfftfreq

from llie_helpers.lessons.checks.compare import Finding, difference
from llie_helpers.lessons.checks.exercise import Exercise, combinations


def swap_solution(light, structure):
    """The amplitude of one image with the phase of the other."""
    amplitude = torch.fft.rfft2(light).abs()
    phase = torch.fft.rfft2(structure).angle()
    return torch.fft.irfft2(torch.polar(amplitude, phase), s=light.shape[-2:])


def swap_observe(student, light, structure):
    image, right = student(light, structure), swap_solution(light, structure)
    # The result need not be clipped, but may be.
    return image if difference(image, right.clamp(0, 1)) else right


def _swapped(spectrum):
    """Return an answer that gives ``spectrum(rfft2(light), rfft2(structure))`` back."""
    return lambda light, structure: irfft2(
        spectrum(rfft2(light), rfft2(structure)), s=light.shape[-2:]
    )


swap = Exercise(
    title="Exchange the light",
    minutes=8,
    difficulty=2,
    reference=swap_solution,
    inputs=lambda: [tuple(torch.rand(2, 3, *size)) for size in ((8, 12), (9, 11))],
    observe=swap_observe,
    mistakes={
        "amplitude and phase are exchanged: the amplitude comes from `light`.": (
            lambda light, structure: swap_solution(structure, light)
        ),
        "the amplitude is not squared; that would be the power.": (
            _swapped(lambda a, b: torch.polar(a.abs() ** 2, b.angle()))
        ),
        "the amplitude is the absolute value of the spectrum, not its real part.": (
            _swapped(lambda a, b: a.real * torch.exp(1j * b.angle()))
        ),
        "both spectra are multiplied; use the amplitude of one and only the phase of the other.": (
            _swapped(lambda a, b: a * b)
        ),
        "you return `light` itself: its own phase is used.": lambda light, structure: light,
        "you return `structure` itself: its own amplitude is used.": (
            lambda light, structure: structure
        ),
        "an image of odd width comes back a column short: rfft2 keeps half of the columns and "
        "cannot know the width, so give irfft2 the size, `s=light.shape[-2:]`.": (
            lambda light, structure: irfft2(
                torch.polar(rfft2(light).abs(), rfft2(structure).angle())
            )
        ),
        "the result is complex; its imaginary part is nothing but rounding: take `.real`.": (
            lambda light, structure: torch.fft.ifft2(
                torch.polar(torch.fft.fft2(light).abs(), torch.fft.fft2(structure).angle())
            )
        ),
    },
    right=[
        lambda light, structure: swap_solution(light, structure).clamp(0, 1),
        lambda light, structure: (
            np.fft.ifft2(
                np.abs(np.fft.fft2(light)) * np.exp(1j * np.angle(np.fft.fft2(structure)))
            ).real
        ),
        _swapped(lambda a, b: b * a.abs() / b.abs()),
    ],
    hints=[
        "Transform both images. A complex number has a length and an angle: which do you take from "
        "which image?",
        "`.abs()` is the amplitude and `.angle()` the phase; `torch.polar(amplitude, phase)` puts "
        "them together. `irfft2` needs to be told the size.",
        "The way back is `torch.fft.irfft2(spectrum, s=light.shape[-2:])`, with the spectrum that "
        "`torch.polar` has made.",
    ],
)


def radius_solution(height, width):
    """Frequency of each entry of rfft2, in cycles per pixel: (height, width // 2 + 1)."""
    down = torch.fft.fftfreq(height)[:, None]
    across = torch.fft.rfftfreq(width)[None, :]
    return (down**2 + across**2).sqrt()


def _grid(down, across):
    return (down[:, None] ** 2 + across[None, :] ** 2).sqrt()


radius = Exercise(
    title="Which entry is which frequency?",
    minutes=8,
    difficulty=3,
    reference=radius_solution,
    inputs=lambda: [(8, 12), (9, 7)],
    mistakes={
        "rfft2 stores the rows of negative frequencies in the lower half; counting up from 0 makes "
        "them the highest of all.": lambda h, w: _grid(torch.arange(h) / h, rfftfreq(w)),
        "the frequencies are in cycles per image; divide rows by the height and columns by the "
        "width.": lambda h, w: _grid(fftfreq(h) * h, rfftfreq(w) * w),
        "rows and columns have different lengths, and each is divided by its own; you use one for "
        "both.": lambda h, w: _grid(fftfreq(h), rfftfreq(w) * w / h),
        "take the square root of the sum of squares.": lambda h, w: radius_solution(h, w) ** 2,
        "distances in a plane add up by Pythagoras, not directly.": (
            lambda h, w: fftfreq(h)[:, None].abs() + rfftfreq(w)
        ),
        "the zero frequency is in the corner; you have moved it to the middle.": (
            lambda h, w: _grid(fftshift(fftfreq(h)), rfftfreq(w))
        ),
        "these are frequencies in radians; leave out the factor of 2 pi.": (
            lambda h, w: 2 * torch.pi * radius_solution(h, w)
        ),
        "you have all columns; rfft2 keeps all rows, and width // 2 + 1 columns.": (
            lambda h, w: _grid(fftfreq(h), fftfreq(w))
        ),
        "you have half of the rows; rfft2 keeps all rows, and width // 2 + 1 columns.": (
            lambda h, w: _grid(rfftfreq(h), fftfreq(w))
        ),
    },
    right=[
        lambda h, w: np.hypot(np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)),
        lambda h, w: (fftfreq(h)[:, None] + 1j * rfftfreq(w)).abs(),
    ],
    hints=[
        "Each entry belongs to a wave with so many cycles per pixel downwards and so many across. "
        "Its frequency is the length of that arrow.",
        "`torch.fft.fftfreq(height)` gives the rows' frequencies in the order of rfft2, "
        "`torch.fft.rfftfreq(width)` the columns'.",
        "With `[:, None]` the first become a column, with `[None, :]` the second a row, and the "
        "sum of a column and a row is a table. Its entries are to be the lengths of the arrows.",
    ],
)


def amplify_solution(features, gate):
    """Change the amplitude by a gate that sees it; leave the phase alone."""
    spectrum = torch.fft.rfft2(features, norm="ortho")
    spectrum = spectrum * (1 + gate(spectrum.abs().log1p()))
    return torch.fft.irfft2(spectrum, s=features.shape[-2:], norm="ortho")


def _gate(amplitude):
    return 0.3 * torch.sin(3 * amplitude.flip(1)) - 0.2 * amplitude


def _amplify(features, gate, see=lambda spectrum: spectrum.abs().log1p(),
             use=lambda spectrum, change: spectrum * (1 + change), norms=("ortho", "ortho"),
             sized=True):  # fmt: skip
    spectrum = rfft2(features, norm=norms[0])
    size = features.shape[-2:] if sized else None
    return irfft2(use(spectrum, gate(see(spectrum))), s=size, norm=norms[1])


amplify = Exercise(
    title="A layer for every size",
    minutes=10,
    difficulty=3,
    reference=amplify_solution,
    inputs=lambda: [(torch.rand(2, 4, 8, 12), _gate), (torch.rand(1, 4, 8, 9), _gate)],
    mistakes=combinations(
        _amplify,
        {
            'without norm="ortho" the amplitude grows with the size of the image, and the gate '
            "sees another number for each size.": {"norms": ("backward", "backward")},
            'norm="ortho" must be given both ways, or the result is scaled.': {
                "norms": ("ortho", "backward")
            },
            'norm="ortho" is missing on the way there.': {"norms": ("backward", "ortho")},
            "the gate sees log(1 + amplitude), not the amplitude itself.": {"see": torch.abs},
            "the gate sees the amplitude's logarithm, of which there is none at 0; use log1p.": {
                "see": lambda spectrum: spectrum.abs().log()
            },
            "the gate sees the real part only; it must see the amplitude, `.abs()`.": {
                "see": lambda spectrum: spectrum.real.abs().log1p()
            },
            "the gate's output is a change: multiply by 1 + gate.": {"use": torch.mul},
            "multiply the spectrum; you add to it, which changes the phase as well.": {
                "use": torch.add
            },
            "the gate is not used.": {"use": lambda spectrum, change: spectrum},
            "give irfft2 the size, `s=features.shape[-2:]`, because the width may be odd.": {
                "sized": False
            },
        },
        most=1,
    ),
    right=[
        _amplify,
        lambda features, gate: _amplify(features.double(), gate),
        lambda features, gate: _amplify(
            features,
            gate,
            see=lambda spectrum: torch.log(1 + spectrum.abs()),
            use=lambda spectrum, change: torch.polar(
                spectrum.abs() * (1 + change), spectrum.angle()
            ),
        ),
    ],
    hints=[
        "There, change, and back. What is changed is the length of each complex number and not its "
        "angle: which arithmetic does that?",
        "A product with a real number changes only the length. The gate is given "
        "`spectrum.abs().log1p()`, and the factor is 1 plus its answer.",
        '`spectrum = torch.fft.rfft2(features, norm="ortho")` is the way there. The way back has '
        "the same `norm`, and `s=features.shape[-2:]`.",
    ],
)


def expose_solution(image, logs):
    """Gain and exponent of each channel, given as logarithms -> an image in [0, 1]."""
    gain, exponent = logs.exp()[..., None, None].chunk(2, dim=1)
    return (gain * (image + 1e-3) ** exponent).clamp(0, 1)


def expose_inputs():
    logs = torch.tensor([[0.9, 0.2, 0.4, -0.3, -0.5, 0.2], [1.5, 0.3, -0.2, -0.6, 0.1, -0.9]])
    return [(torch.rand(2, 3, 5, 6) * 0.5, logs)]


def _expose(image, logs, numbers=torch.exp, split=lambda six: six.chunk(2, dim=1), clip=True,
            curve=lambda image, gain, exponent: gain * (image + 1e-3) ** exponent):  # fmt: skip
    gain, exponent = split(numbers(logs)[..., None, None])
    made = curve(image, gain, exponent)
    return made.clamp(0, 1) if clip else made


expose = Exercise(
    title="Six numbers for a whole photograph",
    minutes=6,
    difficulty=2,
    reference=expose_solution,
    inputs=expose_inputs,
    mistakes=combinations(
        _expose,
        {
            "the first three numbers are the gains, the last three the exponents.": {
                "split": lambda six: six.chunk(2, dim=1)[::-1]
            },
            "gains and exponents do not take turns: first come three gains.": {
                "split": lambda six: (six[:, ::2], six[:, 1::2])
            },
            "each channel has a gain and an exponent of its own.": {
                "numbers": lambda logs: logs.view(2, 2, 3).mean(2).repeat_interleave(3, 1).exp()
            },
            "the numbers are logarithms: take exp of both.": {"numbers": lambda logs: logs},
            "the exponents are logarithms as well: take exp of both.": {
                "numbers": lambda logs: torch.cat([logs[:, :3].exp(), logs[:, 3:]], dim=1)
            },
            "the gains are logarithms as well: take exp of both.": {
                "numbers": lambda logs: torch.cat([logs[:, :3], logs[:, 3:].exp()], dim=1)
            },
            "these are natural logarithms: take exp, not a power of 2.": {"numbers": torch.exp2},
            "the logarithms are natural ones, not to base 10.": {"numbers": lambda x: 10**x},
            "each image has six numbers of its own; you use the first image's for all.": {
                "numbers": lambda logs: logs[:1].exp()
            },
            "the exponent acts on the image alone; the gain comes after it.": {
                "curve": lambda image, gain, exponent: (gain * (image + 1e-3)) ** exponent
            },
            "the small offset of 0.001 is missing; without it the slope at black is infinite.": {
                "curve": lambda image, gain, exponent: gain * image**exponent
            },
            "the offset of 0.001 belongs to the image, before the power; at the end it leaves the "
            "slope at black infinite.": {
                "curve": lambda image, gain, exponent: gain * image**exponent + 1e-3
            },
            "the offset of 0.001 comes before the power, not between power and gain.": {
                "curve": lambda image, gain, exponent: gain * (image**exponent + 1e-3)
            },
            "clip the result to [0, 1].": {"clip": False},
        },
        most=1,
    ),
    right=[
        _expose,
        lambda image, logs: np.clip(_expose(image.double(), logs, clip=False).numpy(), 0, 1),
        # The power and the product become a product and a sum of logarithms.
        lambda image, logs: torch.exp(
            logs[:, :3, None, None] + logs[:, 3:, None, None].exp() * (image + 1e-3).log()
        ).clamp(0, 1),
    ],
    hints=[
        "Six numbers for each image, `(N, 6)`. To meet an image of `(N, 3, H, W)` they have to "
        "become two tensors of `(N, 3, 1, 1)`.",
        "`logs.exp()[..., None, None]` has the shape `(N, 6, 1, 1)`, and `.chunk(2, dim=1)` cuts "
        "it into gains and exponents.",
        "With `gain` and `exponent` the formula can be typed as it is in the text, for all pixels "
        "at once: offset, power, gain. `.clamp(0, 1)` clips.",
    ],
)


def shared_solution(ours, theirs, threshold):
    """Pairs (i, j) of rows that show the same scene: normalised correlation above threshold."""

    def normalised(rows):
        centred = rows - rows.mean(axis=1, keepdims=True)
        return centred / np.linalg.norm(centred, axis=1, keepdims=True)

    correlation = normalised(ours) @ normalised(theirs).T
    return [(int(i), int(j)) for i, j in zip(*np.nonzero(correlation > threshold), strict=True)]


def shared_inputs():
    rng = np.random.default_rng(3)
    scenes = rng.random((7, 60))

    def seen(*views):
        return np.stack(
            [gain * scenes[scene] + offset + 0.01 * rng.random(60) for scene, gain, offset in views]
        )

    # Rows 1 and 4 of ours are one scene; a different exposure must not hide it. The last row of
    # theirs is the negative of a scene.
    ours = seen((0, 1, 0), (1, 0.3, 0), (2, 1, 0.5), (3, 0.6, 0.2), (1, 0.8, 0.1))
    theirs = seen((4, 1, 0), (1, 1, 0), (5, 0.9, 2.0), (3, 0.2, 0.9), (6, 0.4, 3.0), (1, 0.1, 0.7),
                  (2, -1, 1.5))  # fmt: skip
    return [(ours, theirs, 0.95)]


def shared_observe(student, ours, theirs, threshold):
    got = student(ours, theirs, threshold)
    got = got.tolist() if isinstance(got, np.ndarray | torch.Tensor) else got
    if not isinstance(got, list | tuple | set):
        raise Finding(f"return a list of pairs (i, j); yours is of type {type(got).__name__}.")
    try:
        pairs = sorted((int(i), int(j)) for i, j in got)
    except (TypeError, ValueError):
        raise Finding("return a list of pairs (i, j) of row numbers.") from None
    expected = set(shared_solution(ours, theirs, threshold))
    missing, extra = expected - set(pairs), set(pairs) - expected
    return f"{len(missing)} pairs missing, {len(extra)} that are not the same scene", pairs


def _shared(ours, theirs, threshold, centre=lambda rows: rows.mean(axis=1, keepdims=True),
            size=lambda rows: np.linalg.norm(rows, axis=1, keepdims=True),
            hits=lambda correlation, threshold: correlation > threshold,
            order=(0, 1)):  # fmt: skip
    def prepare(rows):
        rows = rows - centre(rows)
        return rows / size(rows)

    found = np.argwhere(hits(prepare(ours) @ prepare(theirs).T, threshold))
    return found[:, order]


def _best(correlation, threshold):
    return (correlation > threshold) & (correlation == correlation.max(axis=1, keepdims=True))


shared = Exercise(
    title="Have they met before?",
    minutes=8,
    difficulty=3,
    reference=shared_solution,
    inputs=shared_inputs,
    observe=shared_observe,
    mistakes=combinations(
        _shared,
        {
            "subtract each row's own mean first; otherwise any two bright images correlate.": {
                "centre": lambda rows: 0
            },
            "subtract each row's own mean, not the mean of all rows.": {"centre": np.mean},
            "divide each row by its length; without that, contrast counts as similarity.": {
                "size": lambda rows: 1
            },
            "subtract each row's mean, and divide each row by its length.": {
                "centre": lambda rows: 0,
                "size": lambda rows: 1,
            },
            "divided by the standard deviation, a row has the root of its number of pixels for its "
            "length; take the mean of the products, not their sum.": {
                "size": lambda rows: rows.std(axis=1, keepdims=True)
            },
            "one image of ours can have several partners; do not stop at the best.": {
                "hits": _best
            },
            "the pairs are the wrong way round: first ours, then theirs.": {"order": (1, 0)},
            "the pairs that belong together correlate *above* the threshold.": {
                "hits": lambda correlation, threshold: correlation < threshold
            },
            "a negative is not the same scene: leave the sign of the correlation as it is.": {
                "hits": lambda correlation, threshold: np.abs(correlation) > threshold
            },
        },
        most=1,
    ),
    right=[
        _shared,
        lambda ours, theirs, threshold: set(
            map(tuple, np.argwhere(np.corrcoef(ours, theirs)[:5, 5:] > threshold))
        ),
        lambda ours, theirs, threshold: [
            (i, j)
            for j, other in enumerate(theirs)
            for i, mine in enumerate(ours)
            if np.corrcoef(mine, other)[0, 1] > threshold
        ],
    ],
    hints=[
        "The same scene at another exposure is about `gain * scene + offset`. What must you do to "
        "a row so that neither gain nor offset is left?",
        "Subtract each row's mean, then divide it by its length (`np.linalg.norm`). The product of "
        "two such rows is their correlation, at most 1.",
        "`correlation = a @ b.T` has all of them at once; `np.nonzero(correlation > threshold)` "
        "gives the rows and columns where it is high.",
    ],
)
