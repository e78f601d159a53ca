"""Checks of lesson 07: amplitude and phase, frequencies, an amplitude layer, shared scenes."""

import numpy as np
import torch

from llie_helpers.lessons.checks.compare import compare, difference
from llie_helpers.lessons.checks.exercise import Check


def swap_solution(light, structure):
    """The amplitude of one image with the phase of the other."""
    amplitude = torch.fft.rfft2(light).abs()
    phase = torch.fft.rfft2(structure).angle()
    return torch.fft.irfft2(torch.polar(amplitude, phase), s=light.shape[-2:])


def swap_test(student):
    def transform(image):
        return torch.fft.rfft2(image)

    def back(spectrum, size):
        return torch.fft.irfft2(spectrum, s=size)

    mistakes = {
        "amplitude and phase are exchanged: the amplitude comes from `light`.": (
            lambda light, structure: swap_solution(structure, light)
        ),
        "the amplitude is not squared; that would be the power.": lambda light, structure: back(
            torch.polar(transform(light).abs() ** 2, transform(structure).angle()),
            light.shape[-2:],
        ),
        "the amplitude is the absolute value of the spectrum, not its real part.": (
            lambda light, structure: back(
                transform(light).real * torch.exp(1j * transform(structure).angle()),
                light.shape[-2:],
            )
        ),
        "both spectra are multiplied; use the amplitude of one and only the phase of the "
        "other.": lambda light, structure: back(
            transform(light) * transform(structure), light.shape[-2:]
        ),
        "you return `light` itself: its own phase is used.": lambda light, structure: light,
        "you return `structure` itself: its own amplitude is used.": (
            lambda light, structure: structure
        ),
    }
    light, structure = torch.rand(2, 3, 8, 12)
    if found := compare(student, swap_solution, light, structure, mistakes=mistakes):
        return found
    light, structure = torch.rand(2, 3, 9, 11)
    got = student(light.clone(), structure.clone())
    if isinstance(got, torch.Tensor) and got.shape == (3, 9, 10):
        return (
            "an image of odd width comes back a column short: rfft2 keeps half of the columns "
            "and cannot know the width, so give irfft2 the size, `s=light.shape[-2:]`."
        )
    return difference(got, swap_solution(light, structure))


swap = Check(
    "Exchange the light",
    minutes=8,
    difficulty=2,
    reference=swap_solution,
    test=swap_test,
    hints=[
        "Transform both images. A complex number has a length and an angle: which do you take from "
        "which image?",
        "`.abs()` is the amplitude and `.angle()` the phase; `torch.polar(amplitude, phase)` puts "
        "them together. `irfft2` needs to be told the size.",
        "`torch.fft.irfft2(torch.polar(amplitude, phase), s=light.shape[-2:])`.",
    ],
)


def radius_solution(height, width):
    """Frequency of each entry of rfft2, in cycles per pixel: (height, width // 2 + 1)."""
    down = torch.fft.fftfreq(height)[:, None]
    across = torch.fft.rfftfreq(width)[None, :]
    return (down**2 + across**2).sqrt()


def radius_test(student):
    def grid(down, across):
        return (down[:, None] ** 2 + across[None, :] ** 2).sqrt()

    full, half = torch.fft.fftfreq, torch.fft.rfftfreq
    mistakes = {
        "rfft2 stores the rows of negative frequencies in the lower half; counting up from 0 makes "
        "them the highest of all.": lambda h, w: grid(torch.arange(h) / h, half(w)),
        "the frequencies are in cycles per image; divide rows by the height and columns by the "
        "width.": lambda h, w: grid(full(h) * h, half(w) * w),
        "rows and columns have different lengths, and each is divided by its own; you use one for "
        "both.": lambda h, w: grid(full(h), half(w) * w / h),
        "take the square root of the sum of squares.": lambda h, w: grid(full(h), half(w)) ** 2,
        "distances in a plane add up by Pythagoras, not directly.": (
            lambda h, w: full(h)[:, None].abs() + half(w)[None, :]
        ),
        "the zero frequency stands in the corner; you have moved it to the middle.": (
            lambda h, w: grid(torch.fft.fftshift(full(h)), half(w))
        ),
        "these are frequencies in radians; leave out the factor of 2 pi.": (
            lambda h, w: 2 * torch.pi * grid(full(h), half(w))
        ),
    }
    for size in ((8, 12), (9, 7)):
        if found := compare(student, radius_solution, *size, mistakes=mistakes):
            if "shape" in found:
                return f"{found} rfft2 keeps all rows, and width // 2 + 1 columns."
            return found
    return None


radius = Check(
    "Where is which frequency?",
    minutes=8,
    difficulty=3,
    reference=radius_solution,
    test=radius_test,
    hints=[
        "Each entry belongs to a wave with so many cycles per pixel downwards and so many across. "
        "Its frequency is the length of that arrow.",
        "`torch.fft.fftfreq(height)` gives the rows' frequencies in the order of rfft2, "
        "`torch.fft.rfftfreq(width)` the columns'.",
        "`down = torch.fft.fftfreq(height)[:, None]`, `across = torch.fft.rfftfreq(width)[None, "
        ":]`, then the root of the sum of their squares.",
    ],
)


def amplify_solution(features, gate):
    """Change the amplitude by a gate that sees it; leave the phase alone."""
    spectrum = torch.fft.rfft2(features, norm="ortho")
    spectrum = spectrum * (1 + gate(spectrum.abs().log1p()))
    return torch.fft.irfft2(spectrum, s=features.shape[-2:], norm="ortho")


def _gate(amplitude):
    return 0.3 * torch.sin(3 * amplitude.flip(1)) - 0.2 * amplitude


def amplify_test(student):
    def answer(see=lambda spectrum: spectrum.abs().log1p(), use=lambda s, g: s * (1 + g),
               norm="ortho", back="ortho"):  # fmt: skip
        def wrong(features, gate):
            spectrum = torch.fft.rfft2(features, norm=norm)
            changed = use(spectrum, gate(see(spectrum)))
            return torch.fft.irfft2(changed, s=features.shape[-2:], norm=back)

        return wrong

    mistakes = {
        'without norm="ortho" the amplitude grows with the size of the image, and the gate sees '
        "another number for each size.": answer(norm="backward", back="backward"),
        'norm="ortho" must be given both ways, or the result is scaled.': answer(back="backward"),
        "the gate sees log(1 + amplitude), not the amplitude itself.": answer(
            see=lambda spectrum: spectrum.abs()
        ),
        "the gate sees the amplitude's logarithm, of which there is none at 0; use log1p.": answer(
            see=lambda spectrum: spectrum.abs().log()
        ),
        "the gate's output is a change: multiply by 1 + gate.": answer(use=lambda s, g: s * g),
        "multiply the spectrum; you add to it, which changes the phase as well.": answer(
            use=lambda s, g: s + g
        ),
        "the gate sees the real part only; it is to see the amplitude, `.abs()`.": answer(
            see=lambda spectrum: spectrum.real.abs().log1p()
        ),
        "the gate is not used.": answer(use=lambda s, g: s),
    }
    if found := compare(student, amplify_solution, torch.rand(2, 4, 8, 12), _gate,
                        mistakes=mistakes):  # fmt: skip
        return found
    features = torch.rand(1, 4, 8, 9)
    got = student(features.clone(), _gate)
    if isinstance(got, torch.Tensor) and got.shape[-1] != 9:
        return "give irfft2 the size, `s=features.shape[-2:]`, for the sake of odd widths."
    return difference(got, amplify_solution(features, _gate))


amplify = Check(
    "A layer that knows no size",
    minutes=10,
    difficulty=3,
    reference=amplify_solution,
    test=amplify_test,
    hints=[
        "There, change, and back. What is changed is the length of each complex number and not its "
        "angle: which arithmetic does that?",
        "A product with a real number changes only the length. The gate is given "
        "`spectrum.abs().log1p()`, and the factor is 1 plus its answer.",
        '`spectrum = torch.fft.rfft2(features, norm="ortho")`, multiply, then '
        '`torch.fft.irfft2(spectrum, s=features.shape[-2:], norm="ortho")`.',
    ],
)


def expose_solution(image, logs):
    """Gain and exponent of each channel, given as logarithms -> an image in [0, 1]."""
    gain, exponent = logs.exp()[..., None, None].chunk(2, dim=1)
    return (gain * (image + 1e-3) ** exponent).clamp(0, 1)


def expose_test(student):
    def answer(logs=lambda x: x.exp(), order=(0, 1), offset=1e-3, gain_inside=False, clip=True):
        def wrong(image, numbers):
            parts = logs(numbers)[..., None, None].chunk(2, dim=1)
            gain, exponent = (parts[i] for i in order)
            base = (image + offset).clamp(min=1e-6)
            made = (gain * base) ** exponent if gain_inside else gain * base**exponent
            return made.clamp(0, 1) if clip else made

        return wrong

    mistakes = {
        "the first three numbers are the gains, the last three the exponents.": answer(
            order=(1, 0)
        ),
        "the numbers are logarithms: take exp of both.": answer(logs=lambda x: x),
        "the exponent acts on the image alone; the gain comes after it.": answer(gain_inside=True),
        "the small offset of 0.001 is missing; without it the slope at black is infinite.": answer(
            offset=0.0
        ),
        "clip the result to [0, 1].": answer(clip=False),
        "each channel has a gain and an exponent of its own.": lambda image, numbers: answer()(
            image, numbers.view(-1, 2, 3).mean(-1, keepdim=True).expand(-1, 2, 3).reshape(-1, 6)
        ),
    }
    images = torch.rand(2, 3, 5, 6) * 0.5
    logs = torch.tensor([[0.9, 0.2, 0.4, -0.3, -0.5, 0.2], [1.5, 0.3, -0.2, -0.6, 0.1, -0.9]])
    return compare(student, expose_solution, images, logs, mistakes=mistakes)


expose = Check(
    "Six numbers for a whole photograph",
    minutes=6,
    difficulty=2,
    reference=expose_solution,
    test=expose_test,
    hints=[
        "Six numbers for each image, `(N, 6)`. To meet an image of `(N, 3, H, W)` they have to "
        "become two tensors of `(N, 3, 1, 1)`.",
        "`logs.exp()[..., None, None]` has the shape `(N, 6, 1, 1)`, and `.chunk(2, dim=1)` cuts "
        "it into gains and exponents.",
        "`(gain * (image + 1e-3) ** exponent).clamp(0, 1)`.",
    ],
)


def shared_solution(ours, theirs, threshold):
    """Pairs (i, j) of rows that show the same scene: normalised correlation above threshold."""

    def normalised(rows):
        centred = rows - rows.mean(axis=1, keepdims=True)
        return centred / np.linalg.norm(centred, axis=1, keepdims=True)

    correlation = normalised(ours) @ normalised(theirs).T
    return [(int(i), int(j)) for i, j in zip(*np.nonzero(correlation > threshold), strict=True)]


def _shared(ours, theirs, threshold, centre=True, norm=True, best=False, swap=False, below=False):
    def prepare(rows):
        rows = rows - rows.mean(axis=1, keepdims=True) if centre else rows
        return rows / np.linalg.norm(rows, axis=1, keepdims=True) if norm else rows

    correlation = prepare(ours) @ prepare(theirs).T
    if best:
        found = [(i, int(row.argmax())) for i, row in enumerate(correlation)
                 if row.max() > threshold]  # fmt: skip
    else:
        hits = correlation < threshold if below else correlation > threshold
        found = [(int(i), int(j)) for i, j in zip(*np.nonzero(hits), strict=True)]
    return [(j, i) for i, j in found] if swap else found


def shared_test(student):
    rng = np.random.default_rng(3)
    scenes = rng.random((7, 60))

    def seen(scene, gain, offset):
        return gain * scenes[scene] + offset + 0.01 * rng.random(60)

    # Rows 1 and 4 of ours are one scene; a different exposure must not hide it.
    ours = np.stack([seen(0, 1, 0), seen(1, 0.3, 0), seen(2, 1, 0.5), seen(3, 0.6, 0.2),
                     seen(1, 0.8, 0.1)])  # fmt: skip
    theirs = np.stack([seen(4, 1, 0), seen(1, 1, 0), seen(5, 0.9, 2.0), seen(3, 0.2, 0.9),
                       seen(6, 0.4, 3.0), seen(1, 0.1, 0.7)])  # fmt: skip
    expected = shared_solution(ours, theirs, 0.95)
    got = student(ours.copy(), theirs.copy(), 0.95)
    if not isinstance(got, list | tuple | set):
        return f"return a list of pairs (i, j), not a {type(got).__name__}."
    try:
        got = sorted((int(i), int(j)) for i, j in got)
    except (TypeError, ValueError):
        return "return a list of pairs (i, j) of row numbers."
    if got == sorted(expected):
        return None
    mistakes = {
        "subtract each row's own mean first; otherwise any two bright images correlate.": {
            "centre": False
        },
        "divide each row by its length; without that, contrast counts as similarity.": {
            "norm": False
        },
        "subtract each row's mean, and divide each row by its length.": {
            "centre": False,
            "norm": False,
        },
        "one image of ours can have several partners; do not stop at the best.": {"best": True},
        "the pairs are the wrong way round: first ours, then theirs.": {"swap": True},
        "the pairs that belong together correlate *above* the threshold.": {"below": True},
    }
    for sentence, options in mistakes.items():
        if got == sorted(_shared(ours, theirs, 0.95, **options)):
            return sentence
    missing, extra = set(expected) - set(got), set(got) - set(expected)
    return f"{len(missing)} pairs are missing and {len(extra)} are not the same scene."


shared = Check(
    "Have they met before?",
    minutes=8,
    difficulty=3,
    reference=shared_solution,
    test=shared_test,
    hints=[
        "The same scene at another exposure is about `gain * scene + offset`. What must you do to "
        "a row so that neither gain nor offset is left?",
        "Subtract each row's mean, then divide it by its length (`np.linalg.norm`). The product of "
        "two such rows is their correlation, at most 1.",
        "`correlation = a @ b.T` has all of them at once; `np.nonzero(correlation > threshold)` "
        "gives the rows and columns where it is high.",
    ],
)
