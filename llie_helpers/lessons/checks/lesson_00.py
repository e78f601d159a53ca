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
        "the exponent is 1 / gamma, so a gamma below 1 darkens; "
        "it must brighten.": "**gamma => ** (1 / gamma)",
        "you multiply by gamma; a curve raises to a power: "
        "black and white stay where they are.": "**gamma => * gamma",
        "base and exponent are swapped; "
        "each value is raised to the power gamma.": "image**gamma => gamma**image",
    },
    right=[lambda image, gamma: torch.exp(gamma * image.log())],
    hints=[
        "Which operation leaves 0 and 1 where they are and lifts what lies between?",
        "Raise every value to the power gamma: `image ** gamma` works on whole tensors.",
    ],
)


def to_tensor_solution(stored):
    """A stored image, uint8 (H, W, 3), as the course's float tensor (3, H, W) in [0, 1]."""
    return torch.from_numpy(stored).permute(2, 0, 1).float() / 255


to_tensor = Exercise(
    title="From a file to a tensor",
    minutes=6,
    difficulty=1,
    reference=to_tensor_solution,
    # In a square image, swapped axes show in the values and not in the shape. Without white, the
    # largest value of an image is not 255.
    inputs=lambda: [
        (torch.randint(top, (height, width, 3)).byte().numpy(),)
        for height, width, top in ((6, 6, 240), (4, 7, 256))
    ],
    observe=lambda answer, stored: expect_type(answer(stored), torch.empty(0)),
    mistakes={
        "the values still run from 0 to 255; divide by 255.": " / 255 => ",
        "white becomes 255/256; the largest value is 255, so divide by 255.": "255 => 256",
        "the channels are in reverse order (BGR); keep red first.": ".float() => .flip(0).float()",
        "the image is mirrored at its diagonal: permute(2, 1, "
        "0) swaps height and width.": "2, 0, 1 => 2, 1, 0",
        "view and reshape cut the numbers into new rows and tear the pixels apart; "
        "permute moves the axes.": ".permute(2, 0, 1) => .reshape(3, *stored.shape[:2])",
        "you divide whole numbers by whole numbers; turn them into floats first.": [
            ".float() / 255 => .float()",
            "from_numpy(stored) => from_numpy(stored // 255)",
        ],
        "you divide by the largest value of this image; "
        "a dark image would come out bright.": "255 => int(stored.max())",
    },
    hints=[
        "Two things change: the order of the axes, and the range of the values.",
        "`torch.from_numpy(stored)` gives a tensor of the same shape, and `.permute(...)` names "
        "the old axes in their new order.",
        "The channels are axis 2 of the file and axis 0 of the tensor. Which number makes 255 a 1?",
    ],
)


def luma_solution(image):
    """The grey value of each pixel, with the weights of ITU-R BT.709."""
    red, green, blue = image
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


REC_709 = torch.tensor([0.2126, 0.7152, 0.0722])


luma = Exercise(
    title="How bright is a pixel?",
    minutes=5,
    difficulty=2,
    reference=luma_solution,
    # In an image of three by three, weights along the wrong axis raise no error.
    inputs=lambda: [(torch.rand(3, height, width),) for height, width in ((3, 3), (5, 8))],
    mistakes={
        "that is the plain mean of the three channels; "
        "the eye does not see them alike.": lambda image: image.mean(0),
        "the weights are in the order blue, green, red; "
        "here red comes first.": "red, green, blue = => blue, green, red =",
        "those are the weights of Rec. 601, made for the television of 1982; take Rec. 709's.": [
            "0.2126 => 0.299",
            "0.7152 => 0.587",
            "0.0722 => 0.114",
        ],
        "the weighted sum is divided by three once more; "
        "the weights already add up to 1.": lambda image: luma_solution(image) / 3,
        "the weights run along the width of the image; give them the shape (3, 1, "
        "1).": lambda image: (image * REC_709).sum(0),
        "you sum over the width; the channels are axis 0.": lambda image: (
            image * REC_709.view(3, 1, 1)
        ).sum(2),
    },
    right=[lambda image: torch.tensordot(REC_709, image, dims=1)],
    hints=[
        "Which of the three channels gets the largest weight, and which the smallest?",
        "Multiply each channel by its weight and add the three up; one number per pixel remains.",
        "`red, green, blue = image` takes a (3, H, W) tensor apart along its first axis.",
    ],
)


def halves_solution(before, after):
    """One image: the left half of before and the right half of after."""
    middle = before.shape[-1] // 2
    return torch.cat([before[:, :, :middle], after[:, :, middle:]], dim=2)


halves = Exercise(
    title="Your own before and after",
    minutes=5,
    difficulty=2,
    reference=halves_solution,
    inputs=lambda: [tuple(torch.rand(2, 3, height, width)) for height, width in ((6, 6), (4, 7))],
    mistakes={
        "the halves are swapped: the left one comes from before.": [
            "[before[ => [after[",
            " after[ =>  before[",
        ],
        "you cut across the height, top and bottom; the width is axis 2.": [
            "shape[-1] => shape[-2]",
            "before[:, :, :middle] => before[:, :middle]",
            "after[:, :, middle:] => after[:, middle:]",
            "dim=2 => dim=1",
        ],
        "you take half of the height, shape[1]; the width is the last number of the "
        "shape.": "shape[-1] => shape[1]",
        "you take channels from both; a half has all three.": lambda before, after: torch.cat(
            [before[:1], after[1:]]
        ),
        "both halves are left halves; the second one begins in the "
        "middle.": "after[:, :, middle:] => after[:, :, :-middle]",
        "the middle column of an odd width belongs to after.": "// 2 => // 2 + before.shape[2] % 2",
        "you put whole images side by side; take half of each.": [
            "[:, :, :middle] => ",
            "[:, :, middle:] => ",
        ],
        "the halves are on top of each other; join them along the width, axis 2.": "dim=2 => dim=1",
        "you mix the two images everywhere; each pixel comes from one of "
        "them.": lambda before, after: (before + after) / 2,
    },
    right=[
        lambda before, after: torch.where(
            torch.arange(before.shape[-1]) < before.shape[-1] // 2, before, after
        ),
    ],
    hints=[
        "The width is the last axis. How many columns are in the left half?",
        "`before[:, :, :n]` takes the first n columns, and `after[:, :, n:]` all others.",
        "`torch.cat([left, right], dim=...)` joins tensors along an axis. Which axis is the width?",
    ],
)


def distance_solution(first, second):
    """Mean absolute difference of two stored images, uint8 (H, W, 3), with white at 1."""
    return float(np.abs(first.astype(float) - second.astype(float)).mean() / 255)


distance = Exercise(
    title="A bug that raises no error",
    minutes=6,
    difficulty=2,
    reference=distance_solution,
    inputs=lambda: [tuple(torch.randint(256, (2, 6, 9, 3)).byte().numpy()) for _ in range(3)],
    mistakes={
        "uint8 has no negative numbers, so 10 - 12 wraps round to 254; "
        "make floats before you subtract.": ".astype(float) => ",
        "int8 holds -128 to 127 only, so bright values become negative; "
        "take float.": "float) => np.int8)",
        "too bright and too dark cancel out; take the absolute "
        "value before the mean.": lambda first, second: abs(first.mean() - second.mean()) / 255,
        "the sign is left in, so too bright and too dark cancel out.": "np.abs => ",
        "white is still 255; divide by 255.": " / 255 => ",
        "this is the squared difference; the task asks "
        "for the absolute one.": lambda first, second: np.square(first / 255 - second / 255).mean(),
    },
    right=[lambda first, second: np.abs(first.astype(int) - second.astype(int)).mean() / 255],
    hints=[
        "Look at the type of `first - second`, and at its value where `second` is brighter.",
        "An 8-bit number without a sign cannot hold -2. What does NumPy put there?",
        "`.astype(...)` gives a NumPy array another type. Which one holds -255 to 255, and when "
        "must it be there?",
    ],
)
