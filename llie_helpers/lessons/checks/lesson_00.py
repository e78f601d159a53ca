"""Exercises of lesson 00: the tour."""

import numpy as np
import torch

from llie_helpers.lessons.checks.compare import expect_type
from llie_helpers.lessons.checks.exercise import Exercise


def gamma_solution(image, gamma):
    """The gamma curve, which the lesson walks through as an example."""
    return image**gamma


gamma = Exercise(
    title="The gamma curve",
    minutes=2,
    difficulty=1,
    reference=gamma_solution,
    inputs=lambda: [(torch.rand(3, 5, 7), value) for value in (0.3, 0.5, 2.2)],
    mistakes={
        "the exponent is 1 / gamma, so a gamma below 1 darkens; it must brighten.": (
            lambda image, gamma: image ** (1 / gamma)
        ),
        "you multiply by gamma; a curve raises to a power: black and white stay where they are.": (
            lambda image, gamma: image * gamma
        ),
        "base and exponent are swapped; each value is raised to the power gamma.": (
            lambda image, gamma: gamma**image
        ),
    },
    right=[
        lambda image, gamma: torch.pow(image, gamma),
        lambda image, gamma: torch.exp(gamma * image.log()),
        lambda image, gamma: image.clone().pow_(gamma),
    ],
    hints=[
        "Which operation leaves 0 and 1 where they are and lifts what lies between?",
        "Raise every value to the power gamma: `image ** gamma` works on whole tensors.",
    ],
)


def to_tensor_solution(stored):
    """A stored image, uint8 (H, W, 3), as the course's float tensor (3, H, W) in [0, 1]."""
    return torch.from_numpy(stored).permute(2, 0, 1).float() / 255


def to_tensor_inputs():
    generator = np.random.default_rng(0)
    # In a square image, swapped axes show in the values and not in the shape. Without white,
    # the largest value of an image is not 255.
    sizes = ((6, 6, 240), (4, 7, 256))
    return [(generator.integers(0, top, (h, w, 3), dtype=np.uint8),) for h, w, top in sizes]


def to_tensor_observe(student, stored):
    image = student(stored)
    expect_type(image, torch.empty(0))
    return image


def _tensor(stored):
    return torch.from_numpy(stored)


def _chw(stored):
    height, width, channels = stored.shape
    return channels, height, width


to_tensor = Exercise(
    title="From a file to a tensor",
    minutes=4,
    difficulty=1,
    reference=to_tensor_solution,
    inputs=to_tensor_inputs,
    observe=to_tensor_observe,
    mistakes={
        "the values still run from 0 to 255; divide by 255.": (
            lambda stored: _tensor(stored).permute(2, 0, 1).float()
        ),
        "white becomes 255/256; the largest value is 255, so divide by 255.": (
            lambda stored: _tensor(stored).permute(2, 0, 1).float() / 256
        ),
        "the channels are in reverse order (BGR); keep red first.": (
            lambda stored: _tensor(stored).permute(2, 0, 1).flip(0).float() / 255
        ),
        "the image is mirrored along its diagonal: permute(2, 1, 0) swaps height and width.": (
            lambda stored: _tensor(stored).permute(2, 1, 0).float() / 255
        ),
        "view and reshape cut the numbers into new rows and tear the pixels apart; permute "
        "moves the axes.": lambda stored: _tensor(stored).reshape(_chw(stored)).float() / 255,
        "you divide whole numbers by whole numbers; turn them into floats first.": (
            lambda stored: (_tensor(stored) // 255).permute(2, 0, 1).float()
        ),
        "you divide by the largest value of this image; a dark image would come out bright.": (
            lambda stored: _tensor(stored).permute(2, 0, 1).float() / int(stored.max())
        ),
    },
    hints=[
        "Two things change: the order of the axes, and the range of the values.",
        "`torch.from_numpy(stored)` gives a tensor of the same shape, and `.permute(...)` names "
        "the old axes in their new order.",
        "The channels are axis 2, so `.permute(2, 0, 1)`; then `.float() / 255`.",
    ],
)


def luma_solution(image):
    """The grey value of each pixel, with the weights of ITU-R BT.709."""
    red, green, blue = image
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


REC_709 = torch.tensor([0.2126, 0.7152, 0.0722])


def _weighted(image, *weights):
    return torch.einsum("chw,c->hw", image, torch.tensor(weights))


luma = Exercise(
    title="How bright is a pixel?",
    minutes=4,
    difficulty=2,
    reference=luma_solution,
    # In an image of three by three, weights along the wrong axis raise no error.
    inputs=lambda: [(torch.rand(3, height, width),) for height, width in ((3, 3), (5, 8))],
    mistakes={
        "that is the plain mean of the three channels; the eye does not see them alike.": (
            lambda image: image.mean(0)
        ),
        "the weights are in the order blue, green, red; here red comes first.": (
            lambda image: _weighted(image, 0.0722, 0.7152, 0.2126)
        ),
        "those are the weights of Rec. 601, made for the television of 1982; take Rec. 709's.": (
            lambda image: _weighted(image, 0.299, 0.587, 0.114)
        ),
        "the weighted sum is divided by three once more; the weights already add up to 1.": (
            lambda image: luma_solution(image) / 3
        ),
        "the weights run along the width of the image; give them the shape (3, 1, 1).": (
            lambda image: (image * REC_709).sum(0)
        ),
        "you sum over the width; the channels are axis 0.": (
            lambda image: (image * REC_709.view(3, 1, 1)).sum(2)
        ),
    },
    right=[
        lambda image: (image * REC_709.view(3, 1, 1)).sum(0),
        lambda image: torch.tensordot(REC_709, image, dims=1),
        lambda image: _weighted(image, *REC_709),
    ],
    hints=[
        "Multiply each channel by its weight and add the three up; one number per pixel remains.",
        "`red, green, blue = image` takes a (3, H, W) tensor apart along its first axis.",
        "Begin with `0.2126 * red` and add the other two.",
    ],
)


def distance_solution(first, second):
    """Mean absolute difference of two stored images, uint8 (H, W, 3), with white at 1."""
    return float(np.abs(first.astype(float) - second.astype(float)).mean() / 255)


def distance_inputs():
    generator = np.random.default_rng(0)
    return [tuple(generator.integers(0, 256, (2, 6, 9, 3), dtype=np.uint8)) for _ in range(3)]


distance = Exercise(
    title="A bug that raises no error",
    minutes=5,
    difficulty=2,
    reference=distance_solution,
    inputs=distance_inputs,
    mistakes={
        "uint8 has no negative numbers, so 10 - 12 wraps round to 254; make floats before you "
        "subtract.": lambda first, second: np.abs(first - second).mean() / 255,
        "int8 holds -128 to 127 only, so bright values become negative; use floats.": (
            lambda first, second: (
                np.abs(first.astype(np.int8) - second.astype(np.int8)).mean() / 255
            )
        ),
        "too bright and too dark cancel out; take the absolute value before the mean.": (
            lambda first, second: abs(first.mean() - second.mean()) / 255
        ),
        "the sign is left in, so too bright and too dark cancel out.": (
            lambda first, second: (first.astype(float) - second).mean() / 255
        ),
        "white is still 255; divide by 255.": (
            lambda first, second: np.abs(first.astype(float) - second).mean()
        ),
        "this is the squared difference; the task asks for the absolute one.": (
            lambda first, second: np.square((first.astype(float) - second) / 255).mean()
        ),
    },
    right=[
        lambda first, second: np.abs(first / 255 - second / 255).mean(),
        lambda first, second: np.abs(first.astype(int) - second.astype(int)).mean() / 255,
        lambda first, second: (
            (torch.from_numpy(first).float() - torch.from_numpy(second)).abs().mean() / 255
        ),
    ],
    hints=[
        "Look at the type of `first - second`, and at its value where `second` is brighter.",
        "An 8-bit number without a sign cannot hold -2. What does NumPy put there?",
        "Turn both images into floats with `.astype(float)` before you subtract.",
    ],
)
