"""Exercises of lesson 07: the published network, light by luminance, frequencies."""

import torch
from torch import nn

from llie_helpers.lessons.checks.compare import Finding, difference
from llie_helpers.lessons.checks.exercise import Exercise
from llie_helpers.lessons.checks.networks import network_with_advice
from llie_helpers.models.bilateral_grid import cubic_bspline
from llie_helpers.models.fft_dual_branch import norm
from llie_helpers.models.network import Network


def swap_solution(light, structure):
    """The amplitude of one image with the phase of the other."""
    amplitude = torch.fft.rfft2(light).abs()
    phase = torch.fft.rfft2(structure).angle()
    return torch.fft.irfft2(torch.polar(amplitude, phase), s=light.shape[-2:])


def swap_observe(student, light, structure):
    image, right = student(light, structure), swap_solution(light, structure)
    # The result need not be clipped, but may be.
    return image if difference(image, right.clamp(0, 1)) else right


swap = Exercise(
    title="Exchange the light",
    minutes=8,
    difficulty=2,
    reference=swap_solution,
    inputs=lambda: [tuple(torch.rand(2, 3, *size)) for size in ((8, 12), (9, 11))],
    observe=swap_observe,
    mistakes={
        "amplitude and phase are exchanged: the "
        "amplitude comes from `light`.": lambda light, structure: swap_solution(structure, light),
        "the amplitude is not squared; that would be the power.": "abs() => abs() ** 2",
        "the amplitude is the absolute value of the spectrum, not its real part.": [
            ".abs() => .real",
            "torch.polar(amplitude, phase) => amplitude * torch.exp(1j * phase)",
        ],
        "amplitude times angle is only a real number; torch.polar(amplitude, phase) has this "
        "length and this angle.": "torch.polar(amplitude, phase) => amplitude * phase",
        "both spectra are multiplied; use the amplitude of one and only the phase of the other.": [
            ".abs() => ",
            ".angle() => ",
            "torch.polar(amplitude, phase) => amplitude * phase",
        ],
        "you return `light` itself: its own phase is used.": lambda light, structure: light,
        "you return `structure` itself: its own amplitude is used.": lambda light, structure: (
            structure
        ),
        "an image of odd width comes back a column short: rfft2 keeps half of the columns and "
        "cannot know the width, so give irfft2 the size, "
        "`s=light.shape[-2:]`.": ", s=light.shape[-2:] => ",
    },
    right=[lambda light, structure: swap_solution(light, structure).clamp(0, 1)],
    hints=[
        "Transform both images. A complex number has a length and an angle: which do you take from "
        "which image?",
        "`.abs()` is the amplitude and `.angle()` the phase; `torch.polar(amplitude, phase)` puts "
        "them together. `irfft2` needs to be told the size.",
        "The way back is `torch.fft.irfft2(spectrum, s=light.shape[-2:])`, with the spectrum that "
        "`torch.polar` has made.",
    ],
)


class FrequencyBranch(nn.Module):
    """Multiply the spectrum of images (N, 3, size, size) by a learned mask."""

    def __init__(self, size=224):
        super().__init__()
        self.mask = nn.Parameter(torch.full((1, 3, size, size // 2 + 1), 0.01))

    def forward(self, low):
        spectrum = torch.fft.rfft2(low)
        return torch.fft.irfft2(spectrum * self.mask, s=low.shape[-2:])


_COLUMNS = (
    "rfft2 gives all rows and size // 2 + 1 columns, and the mask has the same shape, for any "
    "`size`: use rfft2, not fft2."
)
_NOT_TRAINED = "self.mask is not a parameter, so it is never trained: make it an nn.Parameter."


def frequency_observe(answer, options, low):
    """Look at the network, and at the mask that it starts with."""
    looked = network_with_advice(_COLUMNS)(answer, options, low)
    mask = getattr(answer(**options), "mask", None)
    if isinstance(mask, torch.Tensor) and not mask.requires_grad:
        raise Finding(_NOT_TRAINED)
    return *looked, mask


frequency = Exercise(
    title="A branch on frequencies",
    minutes=8,
    difficulty=3,
    reference=FrequencyBranch,
    methods=("__init__", "forward"),
    inputs=lambda: [
        ({"size": 12}, torch.rand(2, 3, 12, 12)),
        ({"size": 9}, torch.rand(1, 3, 9, 9)),
    ],
    observe=frequency_observe,
    mistakes={
        _NOT_TRAINED: [  # but it is saved, so that trained weights fit
            "self.mask = nn.Parameter( => self.register_buffer('mask', "
        ],
        _COLUMNS: "size // 2 + 1 => size",
        "all values of the mask start at 0.01.": "0.01) => 1.0)",
        "the phases are lost: multiply the spectrum itself, which is complex, "
        "not its absolute value.": "spectrum * self.mask => spectrum.abs() * self.mask",
        "the mask multiplies; you add it.": "spectrum * self.mask => spectrum + self.mask",
        "this mask weighs pixels: multiply the spectrum, between rfft2 and irfft2.": (
            "return torch.fft.irfft2(spectrum * self.mask, s=low.shape[-2:]) => "
            "return low * torch.fft.irfft2(self.mask + 0j, s=low.shape[-2:])"
        ),
        "an image of odd width comes back a column short: irfft2 cannot know the width; "
        "give it the size, `s=low.shape[-2:]`.": ", s=low.shape[-2:] => ",
        "the mask is not used.": "spectrum * self.mask => spectrum",
    },
    hints=[
        "In `__init__`, call `super().__init__()` first. A tensor is trained only if it is an "
        "`nn.Parameter`. In `forward`: there, times the mask, and back.",
        "`torch.full(shape, 0.01)` has the values. `torch.fft.rfft2` transforms the last two "
        "dimensions of a whole batch, and the mask is broadcast over its first.",
        "`torch.fft.irfft2(product, s=low.shape[-2:])` is the way back. The product of a complex "
        "and a real number keeps the phase.",
    ],
)


class TwoBranches(Network):
    """Map dark images (N, 3, size, size) in [0, 1] to enhanced ones."""

    def __init__(self, size=224):
        super().__init__()
        self.full_size = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), *norm(32))
        self.half_size = nn.Sequential(
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            *norm(64),
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),
        )
        self.head = nn.Conv2d(32, 3, 3, padding=1)
        self.frequency = FrequencyBranch(size)
        self.fusion = nn.Conv2d(6, 3, 1)

    def spatial(self, low):
        features = self.full_size(low)
        return self.head(features + self.half_size(features))

    def forward(self, low):
        branches = torch.cat([self.spatial(low), self.frequency(low)], dim=1)
        enhanced = low + torch.tanh(self.fusion(branches))
        return enhanced if self.training else enhanced.clamp(0, 1)


_SIX_CHANNELS = (
    "Three channels of each branch, put together by torch.cat along dimension 1, are the six "
    "channels of self.fusion."
)


def network_observe(answer, options, low):
    """Look at the network in evaluation mode, and at its output in training mode."""
    looked = network_with_advice(_SIX_CHANNELS)(answer, options, low)
    torch.manual_seed(0)
    with torch.no_grad():
        return *looked, answer(**options).train()(low)


network = Exercise(
    title="Both branches together",
    minutes=4,
    difficulty=2,
    reference=TwoBranches,
    methods=("forward",),
    inputs=lambda: [
        ({"size": 12}, torch.rand(2, 3, 12, 12)),
        ({"size": 8}, torch.rand(1, 3, 8, 8)),
    ],
    observe=network_observe,
    mistakes={
        "the branch on pixels comes first, then that on frequencies.": (
            "[self.spatial(low), self.frequency(low)] => [self.frequency(low), self.spatial(low)]"
        ),
        "the image is not added: the network learns a change.": "low + torch.tanh => torch.tanh",
        "there is no tanh after the fusion.": "torch.tanh(self.fusion(branches)) => "
        "self.fusion(branches)",
        "the tanh is around the fusion alone, not around the sum with the image.": (
            "low + torch.tanh(self.fusion(branches)) => torch.tanh(low + self.fusion(branches))"
        ),
        "use tanh, which can darken too; "
        "a sigmoid is never below 0.": "torch.tanh => torch.sigmoid",
        "outside training the result is clamped to [0, 1].": (
            "enhanced if self.training else enhanced.clamp(0, 1) => enhanced"
        ),
        "in training the result is not clamped: outside [0, 1] a clamp has no gradient.": (
            "enhanced if self.training else enhanced.clamp(0, 1) => enhanced.clamp(0, 1)"
        ),
        "it is the other way round: clamp when the network does not train.": (
            "enhanced if self.training else enhanced.clamp(0, 1) => "
            "enhanced.clamp(0, 1) if self.training else enhanced"
        ),
        "clamp the sum with the image, not the change alone.": [
            "low + torch.tanh => torch.tanh",
            "enhanced if self.training else enhanced.clamp(0, 1) => "
            "low + (enhanced if self.training else enhanced.clamp(0, 1))",
        ],
        _SIX_CHANNELS: (
            "torch.cat([self.spatial(low), self.frequency(low)], dim=1) => "
            "self.spatial(low) + self.frequency(low)"
        ),
    },
    hints=[
        "Both branches see `low` and return three channels each. Which layer has six inputs?",
        "`torch.cat([self.spatial(low), self.frequency(low)], dim=1)` has six channels.",
        "Fusion, `torch.tanh`, plus `low`. Then the result as it is in training, and "
        "`.clamp(0, 1)` otherwise.",
    ],
)


def loss_weights_solution(stage, epoch):
    """The weight of each term of the loss in an epoch, counted from 1."""
    ssim = 0.01 if stage == 1 and epoch <= 50 else 0.2
    return {"l1": 1.0, "perceptual": 0.05, "fft_amplitude": 0.05, "ssim": ssim}


def loss_weights_observe(answer, stage, epoch):
    return answer(stage, epoch)


loss_weights = Exercise(
    title="A loss in two stages",
    minutes=3,
    difficulty=1,
    reference=loss_weights_solution,
    inputs=lambda: [(1, 1), (1, 50), (1, 51), (1, 200), (2, 1), (2, 50), (2, 51)],
    observe=loss_weights_observe,
    mistakes={
        "the 50th epoch is still one of the first 50.": "epoch <= 50 => epoch < 50",
        "the weight rises with the 51st epoch, "
        "as epochs count from 1.": "epoch <= 50 => epoch <= 51",
        "in stage 2 the weight of ssim is 0.2 from the start.": "stage == 1 and  => ",
        "in stage 1 the weight of ssim changes after 50 epochs.": " and epoch <= 50 => ",
        "the two weights of ssim are exchanged.": "0.01 if stage == 1 and epoch <= 50 else 0.2 => "
        "0.2 if stage == 1 and epoch <= 50 else 0.01",
        "return the weights of all four terms.": (
            'return {"l1": 1.0, "perceptual": 0.05, "fft_amplitude": 0.05, "ssim": ssim} => '
            'return {"ssim": ssim}'
        ),
    },
    hints=[
        "Only one of the four weights ever changes. In which epochs of which stage is it small?",
        "It is small where the stage is 1 *and* the epoch at most 50.",
    ],
)


def radius_solution(height, width):
    """Frequency of each entry of rfft2, in cycles per pixel: (height, width // 2 + 1)."""
    down = torch.fft.fftfreq(height)[:, None]
    across = torch.fft.rfftfreq(width)[None, :]
    return (down**2 + across**2).sqrt()


radius = Exercise(
    title="Which entry is which frequency?",
    minutes=8,
    difficulty=3,
    reference=radius_solution,
    inputs=lambda: [(8, 12), (9, 7)],
    mistakes={
        "rfft2 stores the rows of negative frequencies in the lower half; counting up from 0 makes "
        "them the highest of all.": "torch.fft.fftfreq(height) => (torch.arange(height) / height)",
        "the frequencies are in cycles per image; divide rows by the height and columns by the "
        "width.": [
            "fftfreq(height) => fftfreq(height, 1 / height)",
            "rfftfreq(width) => rfftfreq(width, 1 / width)",
        ],
        "rows and columns have different lengths, and each is divided by its own; "
        "you use one for both.": "rfftfreq(width) => rfftfreq(width, height / width)",
        "take the square root of the sum of squares.": ".sqrt() => ",
        "distances in a plane add up by Pythagoras, "
        "not directly.": "(down**2 + across**2).sqrt() => down.abs() + across",
        "the zero frequency is in the corner; you have moved it to the middle.": (
            "torch.fft.fftfreq(height) => torch.fft.fftshift(torch.fft.fftfreq(height))"
        ),
        "you have all columns; rfft2 keeps all rows, "
        "and width // 2 + 1 columns.": ".rfftfreq => .fftfreq",
    },
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
    """Change amplitudes by a gate that sees them; leave phases and the mean alone."""
    spectrum = torch.fft.rfft2(features, norm="ortho")
    factor = 1 + gate(spectrum.abs().log1p())
    factor[..., 0, 0] = 1  # the zero frequency
    return torch.fft.irfft2(spectrum * factor, s=features.shape[-2:], norm="ortho")


def _gate(amplitude):
    return 0.3 * torch.sin(3 * amplitude.flip(1)) - 0.2 * amplitude


amplify = Exercise(
    title="A layer for every size",
    minutes=10,
    difficulty=3,
    reference=amplify_solution,
    inputs=lambda: [(torch.rand(2, 4, 8, 12), _gate), (torch.rand(1, 4, 8, 9), _gate)],
    mistakes={
        'without norm="ortho" the amplitude grows with the size of the image, '
        "and the gate sees another number for each size.": ', norm="ortho" => ',
        'norm="ortho" must be given both ways, or the result is scaled.': ':], norm="ortho" => :]',
        "the gate sees log(1 + amplitude), not the amplitude itself.": ".log1p() => ",
        "the gate sees the amplitude's logarithm, of which there is none at 0; "
        "use log1p.": "log1p => log",
        "the gate sees the real part only; it is to see the amplitude, "
        "`.abs()`.": ".abs() => .real.abs()",
        "the gate's output is a change: multiply by 1 + gate.": "1 + gate => gate",
        "multiply the spectrum; you add to it, which changes the phase as well.": [
            "1 + gate(spectrum => gate(spectrum",
            "0, 0] = 1 => 0, 0] = 0",
            "spectrum * factor => spectrum + factor",
        ],
        "the mean changes: the zero frequency, in the corner [..., 0, 0], is multiplied by 1.": (
            "factor[..., 0, 0] = 1 => pass"
        ),
        "the zero frequency is multiplied by 1, not by 0: that takes the mean away.": (
            "0, 0] = 1 => 0, 0] = 0"
        ),
        "give irfft2 the size, `s=features.shape[-2:]`, "
        "for the sake of odd widths.": "s=features.shape[-2:],  => ",
    },
    hints=[
        "There, change, and back. What is changed is the length of each complex number and not its "
        "angle: which arithmetic does that?",
        "A product with a real number changes only the length. The gate is given "
        "`spectrum.abs().log1p()`, and the factor is 1 plus its answer. Set the factor of the zero "
        "frequency, `[..., 0, 0]`, to 1.",
        '`spectrum = torch.fft.rfft2(features, norm="ortho")` is the way there. The way back has '
        "the same `norm`, and `s=features.shape[-2:]`.",
    ],
)


def look_up_solution(maps, level):
    """Log gains of all pixels: a mean of each pixel's levels, weighted by splines."""
    knots = torch.arange(maps.shape[1])[:, None, None]
    weights = cubic_bspline((level - knots).abs())
    weights = weights / weights.sum(dim=0)
    return (maps * weights).sum(dim=1)


def look_up_inputs():
    generator = torch.Generator().manual_seed(7)

    def drawn(levels, height, width):
        maps = torch.rand(3, levels, height, width, generator=generator)
        level = (levels - 1) * torch.rand(height, width, generator=generator)
        level[0, 0], level[0, 1] = 0, levels - 1  # black and white, where knots are missing
        return maps, level

    return [drawn(5, 4, 6), drawn(3, 3, 3)]


look_up = Exercise(
    title="A gain for each luminance",
    minutes=8,
    difficulty=3,
    reference=look_up_solution,
    inputs=look_up_inputs,
    mistakes={
        "a distance has no sign: take the absolute value of level minus knot.": ".abs() => ",
        "near black and near white some of the splines are missing, and the weights add up to less "
        "than 1: divide them by their sum.": "weights / weights.sum(dim=0) => weights",
        "the weights of each pixel add up to 1 over the levels; you divide by the sum over all "
        "pixels.": "weights.sum(dim=0) => weights.sum()",
        "these weights are those of linear interpolation, max(1 - distance, 0); use "
        "cubic_bspline.": (
            "cubic_bspline((level - knots).abs()) => (1 - (level - knots).abs()).clamp_min(0)"
        ),
        "you take the nearest level alone.": (
            "cubic_bspline((level - knots).abs()) => ((level - knots).abs() < 0.5).float()"
        ),
        "the levels are numbered from 0.": (
            "torch.arange(maps.shape[1]) => torch.arange(1, maps.shape[1] + 1)"
        ),
        "the sum of the weighted maps is the mean already, as the weights add up to 1; you divide "
        "by the number of levels once more.": ").sum(dim=1) => ).mean(dim=1)",
        "these are log gains, and stay so: the lesson takes exp afterwards.": (
            "return (maps * weights).sum(dim=1) => return (maps * weights).sum(dim=1).exp()"
        ),
        "the mean is one of log gains; you average the gains.": (
            "return (maps * weights).sum(dim=1) => return (maps.exp() * weights).sum(dim=1).log()"
        ),
    },
    right=[
        # Level by level.
        lambda maps, level: (
            sum(maps[:, k] * cubic_bspline((level - k).abs()) for k in range(maps.shape[1]))
            / sum(cubic_bspline((level - k).abs()) for k in range(maps.shape[1]))
        ),
    ],
    hints=[
        "Each level has a map of log gains, and each pixel a weight for each level. How far is a "
        "pixel's level from level 0, from level 1, and so on? That is a tensor `(K, H, W)`.",
        "`torch.arange(maps.shape[1])[:, None, None]` are the numbers of the levels, `(K, 1, 1)`. "
        "`cubic_bspline` turns distances into weights. Divide them by their sum over the levels.",
        "`maps * weights` is `(3, K, H, W)`; sum over the levels, dimension 1.",
    ],
)
