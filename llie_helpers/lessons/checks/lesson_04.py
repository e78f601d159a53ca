"""Exercises of lesson 04: the safest answer, a U-Net, a feature loss; stamps, sizes, ensemble."""

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.lessons.checks.compare import Finding, difference
from llie_helpers.lessons.checks.exercise import Exercise
from llie_helpers.lessons.checks.networks import network as look_at_network
from llie_helpers.lessons.checks.networks import network_with_advice
from llie_helpers.models.plain_unet import PlainUNet, Up


def guess_solution(targets, weights):
    """The image with the least expected squared error, and that error."""
    share = weights.view(-1, 1, 1, 1)
    guess = (share * targets).sum(dim=0)
    error = (share * (guess - targets) ** 2).sum(dim=0).mean()
    return guess, error


guess = Exercise(
    title="The safest answer",
    minutes=6,
    difficulty=3,
    reference=guess_solution,
    inputs=lambda: [(torch.rand(3, 3, 6, 8), torch.tensor([0.6, 0.3, 0.1]))],
    mistakes={
        "the targets are not equally likely: "
        "weight each by its share.": "(share * targets).sum(dim=0) => targets.mean(dim=0)",
        "the targets are not equally likely, and your function ignores `weights`.": (
            "share = weights.view(-1, 1, 1, 1) => share = 1 / len(targets)"
        ),
        "the weights add up to 1 already: add up the weighted targets, "
        "and do not divide by their number.": "(share * targets).sum( => (share * targets).mean(",
        "the most likely target is not the best guess: where it is wrong, "
        "the squared error is large.": "(share * targets).sum(dim=0) => targets[weights.argmax()]",
        "the median is best for the absolute error; the squared error "
        "asks for another average.": "(share * targets).sum(dim=0) => targets.median(dim=0).values",
        "the guess is right, but each squared error has to be weighted by "
        "its share too.": "(share * (guess - targets) ** 2).sum(dim=0) => ((guess - targets) ** 2)",
        "the guess is right, but the error is added up over the pixels; "
        "take their mean.": ".sum(dim=0).mean() => .sum()",
        "the guess is right, but its error is not 0: "
        "it equals none of the targets.": "return guess, error => return guess, 0.0",
        "the guess is right, but the error is that of the mean target's square root; "
        "the mean squared error has no root.": ".mean() => .mean().sqrt()",
    },
    hints=[
        "Take a single pixel and write down the expected squared error of a guess g. For which "
        "g is its derivative 0?",
        "The derivative is the sum of `2 * share * (g - target)`, so the best guess is the "
        "weighted mean of the targets.",
        "`weights.view(-1, 1, 1, 1)` has one number for each image and multiplies all of its "
        "pixels. Sum over the first dimension; for the error, take the mean over the rest.",
    ],
)


def up_observe(answer, options, x, skip):
    """Compare layers and output with the package's; explain channels that do not match."""
    try:
        return look_at_network(answer, options, x, skip)
    except RuntimeError as error:
        if isinstance(error, NotImplementedError):
            raise
        raise Finding(
            f"PyTorch says: {str(error).rstrip('.')}. `enlarge` doubles the size and goes from "
            "channels_in to channels_out; `mix` gets the skip and the enlarged features side by "
            "side (dim=1), which is twice channels_out."
        ) from error


up = Exercise(
    title="One level up",
    minutes=8,
    difficulty=3,
    reference=Up,
    methods=("__init__", "forward"),
    inputs=lambda: [
        ({"channels_in": 8, "channels_out": 4}, torch.randn(2, 8, 3, 5), torch.randn(2, 4, 6, 10)),
        ({"channels_in": 6, "channels_out": 5}, torch.randn(1, 6, 4, 2), torch.randn(1, 5, 8, 4)),
    ],
    observe=up_observe,
    mistakes={
        "the skip comes first in the concatenation, "
        "the enlarged features second.": "[skip, self.enlarge(x)] => [self.enlarge(x), skip]",
        "the skip is not used.": "[skip, self.enlarge(x)] => [0 * skip, self.enlarge(x)]",
        "skip and features are added; concatenate them along the channels, so that `mix` can "
        "treat them differently.": [
            "double_conv(2 * channels_out => double_conv(channels_out",
            "torch.cat([skip, self.enlarge(x)], dim=1) => skip + self.enlarge(x)",
        ],
        "`enlarge` is a transposed convolution, with weights of its own; you repeat pixels.": (
            "nn.ConvTranspose2d(channels_in, channels_out, kernel_size=2, stride=2) => "
            "nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(channels_in, channels_out, 1))"
        ),
        "the stamp of `enlarge` is 2 x 2 pixels, and yours is 3 x 3.": (
            "kernel_size=2, stride=2 => kernel_size=3, stride=2, padding=1, output_padding=1"
        ),
        "one 3x3 convolution is not enough: `mix` is a double_conv.": (
            "double_conv(2 * channels_out, channels_out) => nn.Sequential("
            "nn.Conv2d(2 * channels_out, channels_out, 3, padding=1), nn.ReLU())"
        ),
        "a ReLU follows `enlarge`, which sets its negative values to 0; leave it out.": (
            "self.enlarge(x)] => self.enlarge(x).relu()]"
        ),
        "which is twice channels_out": [
            "double_conv(2 * channels_out => double_conv(channels_in + channels_out"
        ],
    },
    hints=[
        "In `__init__`, call `super().__init__()` first; then make the two layers and keep them as "
        "`self.enlarge` and `self.mix`. How many channels does `mix` get?",
        "`enlarge` returns `channels_out` channels and the skip has as many, so `mix` goes from "
        "`2 * channels_out` to `channels_out`.",
        "`nn.ConvTranspose2d` takes the same arguments as `nn.Conv2d`. In `forward`, "
        "`torch.cat([first, second], dim=1)` puts two tensors together along the channels.",
    ],
)


_observe_network = network_with_advice(
    "Each step up is up(x, skip), smallest level first, and its skip must be twice as large as "
    "x: keep it *before* the pooling, and use the one kept last first. The deepest level has "
    "neither skip nor pooling."
)


def network_observe(answer, options, low):
    """Compare layers and output with the package's; explain levels and skips that are missing."""
    try:
        return _observe_network(answer, options, low)
    except IndexError as error:
        raise Finding(
            f"Python says: {error}. A U-Net may have any number of levels, here "
            f"{len(options['widths'])}: loop over self.encoder and self.up, and keep a skip for "
            "every level but the deepest."
        ) from error


network = Exercise(
    title="The forward pass of a U-Net",
    minutes=10,
    difficulty=4,
    reference=PlainUNet,
    methods=("forward",),
    inputs=lambda: [
        ({"widths": (4, 6, 8)}, torch.rand(1, 3, 16, 24)),
        ({"widths": (3, 4, 5, 6)}, torch.rand(2, 3, 17, 19)),
    ],
    observe=network_observe,
    mistakes={
        "the skips are not used: give each `up` what the encoder kept.": (
            "up(x, skips.pop()) => up(x, torch.zeros_like(skips.pop()))"
        ),
        "the largest of four values goes on, not their mean: use F.max_pool2d.": (
            "max_pool2d => avg_pool2d"
        ),
        "a pooling takes the largest of 2 x 2 pixels, not every second pixel.": (
            "F.max_pool2d(x, kernel_size=2) => x[..., ::2, ::2]"
        ),
        "the sigmoid is missing; without it values leave the range from 0 to 1.": (
            "torch.sigmoid(self.head(x)) => self.head(x)"
        ),
        "clamp is not the sigmoid: outside 0 to 1 it has no gradient, so training would stall.": (
            "torch.sigmoid(self.head(x)) => self.head(x).clamp(0, 1)"
        ),
        "self.head already ends the network; no ReLU belongs between it and the sigmoid.": (
            "self.head(x)) => self.head(x).relu())"
        ),
        "keep it *before* the pooling": [
            "skips.append(x) => skips.append(F.max_pool2d(x, kernel_size=2))"
        ],
        "use the one kept last first": ["skips.pop() => skips.pop(0)"],
        "smallest level first": ["reversed(self.up) => self.up"],
        "Each step up is up(x, skip)": ["up(x, skips.pop()) => up(skips.pop(), x)"],
    },
    hints=[
        "The largest features come from `self.encoder[0](low)`. Before each pooling, append the "
        "features to a list `skips`. Is what the last encoder level returns a skip, too?",
        "The deepest features are no skip. Going up, the first `up` to be called is the last of "
        "`self.up`, and it needs the skip that was appended last: `skips.pop()`.",
        "Down: `skips.append(x)`, then pool, then the next encoder level. Up: loop over "
        "`reversed(self.up)`. At the end the head and the sigmoid.",
    ],
)


def feature_loss_solution(network, mean, std, enhanced, normal):
    """Mean squared difference of features; the target is a constant."""
    with torch.no_grad():
        wanted = network((normal - mean) / std)
    return F.mse_loss(network((enhanced - mean) / std), wanted)


def feature_loss_inputs():
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    network = nn.Sequential(nn.Conv2d(3, 8, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    enhanced, normal = (torch.rand(2, 3, 8, 12).requires_grad_() for _ in range(2))
    return [(network.requires_grad_(False), mean, std, enhanced, normal)]


def feature_loss_observe(answer, *given):
    """Look at the loss and, where it is right, at the paths of its gradient."""
    loss = answer(*given)
    if difference(loss, feature_loss_solution(*given)):
        return loss
    *_, enhanced, normal = given
    if not getattr(loss, "requires_grad", False):
        raise Finding(
            "no gradient comes back to `enhanced`, so nothing can be learned from this loss."
        )
    loss.backward()
    if enhanced.grad is None:
        raise Finding("no gradient comes back to `enhanced`: only the target may be a constant.")
    if normal.grad is not None:
        raise Finding(
            "a gradient flows to the target. It is a constant, and keeping its path costs memory: "
            "compute its features under `torch.no_grad()`."
        )
    return loss


feature_loss = Exercise(
    title="A loss on features",
    minutes=10,
    difficulty=3,
    reference=feature_loss_solution,
    inputs=feature_loss_inputs,
    observe=feature_loss_observe,
    mistakes={
        "the images are not normalised; the network expects (image - mean) / std.": [
            "(normal - mean) / std => normal",
            "(enhanced - mean) / std => enhanced",
        ],
        "only one of the two images is normalised.": "(normal - mean) / std => normal",
        "only one of the two images is normalised: "
        "the other needs it too.": "(enhanced - mean) / std => enhanced",
        "the mean is subtracted first, and then all is divided by std.": [
            "normal - mean) / std => normal / std - mean)",
            "enhanced - mean) / std => enhanced / std - mean)",
        ],
        "divide by std; you multiply by it.": "/ std => * std",
        "the differences are squared, as in MSE; yours are absolute.": "mse_loss => l1_loss",
        "take the mean over all features, "
        "not their sum.": "std), wanted) => std), wanted, reduction='sum')",
        "this is the error of pixels; compare what the network makes of "
        "both images.": lambda network, mean, std, enhanced, normal: F.mse_loss(enhanced, normal),
        "the network must see both images; you give it their difference.": (
            lambda network, mean, std, enhanced, normal: (
                network((enhanced - normal) / std).square().mean()
            )
        ),
        "so nothing can be learned from this loss": torch.no_grad()(feature_loss_solution),
        "only the target may be a constant": [
            "(enhanced - mean) => (enhanced.detach() - mean)",
            "no_grad => enable_grad",
        ],
        "a gradient flows to the target": "torch.no_grad() => torch.enable_grad()",
    },
    right=[
        lambda network, mean, std, enhanced, normal: F.mse_loss(
            network((enhanced - mean) / std), network((normal - mean) / std).detach()
        ),
    ],
    hints=[
        "Both images go the same way: normalise, then through the network. Which of the two needs "
        "gradients?",
        "`(image - mean) / std` for both. The target's features belong in a block "
        "`with torch.no_grad():`, those of `enhanced` do not.",
        "`F.mse_loss(a, b)` is the mean squared difference. `a` is what the network makes of "
        "`enhanced`, outside the block; `b` is what it makes of `normal`, inside.",
    ],
)


def transposed_solution(kernel, stride, index):
    """First and last output pixel that input pixel ``index`` stamps, along one side."""
    first = index * stride
    return first, first + kernel - 1


transposed = Exercise(
    title="Where a stamp lands",
    minutes=5,
    difficulty=2,
    reference=transposed_solution,
    inputs=lambda: [(2, 2, 0), (2, 2, 5), (3, 2, 4), (4, 2, 3), (5, 3, 7)],
    mistakes={
        "neighbouring stamps are `stride` pixels apart, "
        "whatever the size of the stamp.": "index * stride => index * kernel",
        "that is a usual convolution, which moves one pixel for each output; here each input pixel "
        "moves the stamp by `stride` pixels.": "index * stride => index",
        "a stamp of `kernel` pixels that begins at pixel 0 ends at pixel kernel - 1.": (
            "kernel - 1 => kernel"
        ),
        "the stamp is `kernel` pixels wide, not `stride`.": (
            "first + kernel - 1 => first + stride - 1"
        ),
        "you return a width; return the first and the last pixel.": (
            "return first, first + kernel - 1 => return kernel"
        ),
        "here the stamp begins at its pixel and is not centred on it.": (
            "index * stride => index * stride - kernel // 2"
        ),
    },
    hints=[
        "Draw it for a stride of 2 and stamps of 3 pixels: pixel 0 stamps pixels 0, 1 and 2. Where "
        "does the stamp of pixel 1 begin?",
        "It begins `stride` pixels further on, so that of pixel `index` begins at "
        "`index * stride`. How many pixels does it cover?",
    ],
)


def carried_solution(widths, height, width):
    """Numbers that the skips of a U-Net carry, and numbers at its deepest level."""
    numbers = [
        channels * (height // 2**level) * (width // 2**level)
        for level, channels in enumerate(widths)
    ]
    return sum(numbers[:-1]), numbers[-1]


carried = Exercise(
    title="What the skips carry",
    minutes=6,
    difficulty=2,
    reference=carried_solution,
    inputs=lambda: [((5, 7), 4, 6), ((3, 8, 11), 16, 8), ((22, 44, 88, 176), 40, 24)],
    mistakes={
        "each pooling halves both sides, so a level has a quarter of the pixels "
        "of the level above.": "* (width // 2**level) => * width",
        "the skips leave before the pooling: the first level has the full size.": (
            "enumerate(widths) => enumerate(widths, start=1)"
        ),
        "sizes halve again at each level: the third has a quarter of the height, "
        "the fourth an eighth.": "2**level => (level + 1)",
        "the deepest level has no skip: its features go up, not across.": "[:-1] => ",
        "every level above the deepest has a skip; add them all up.": (
            "sum(numbers[:-1]) => numbers[0]"
        ),
        "each pixel has one number for every channel: "
        "multiply by the channels.": "channels * (height => (height",
        "channels alone are not enough: each has a number for every pixel "
        "of its level.": " * (height // 2**level) * (width // 2**level) => ",
        "an image has three channels, but features have as many as the level is wide.": (
            "channels * (height => 3 * (height"
        ),
        "the two results are swapped; return the skips first.": (
            "sum(numbers[:-1]), numbers[-1] => numbers[-1], sum(numbers[:-1])"
        ),
    },
    hints=[
        "Level 0 has the full size, and each further level half the height and half the width. "
        "How many numbers are its features?",
        "Level `i` has `widths[i]` channels of `height // 2**i` times `width // 2**i` pixels. "
        "Which levels have a skip?",
        "All but the last. Make a list with one number for each level, and return the sum of "
        "`numbers[:-1]`, and `numbers[-1]`.",
    ],
)


def ensemble_solution(model, image):
    """Mean of the outputs for all eight symmetries, each turned back."""
    total = 0
    for k in range(8):
        turned = torch.rot90(image, k % 4, dims=(-2, -1))
        if k >= 4:
            turned = turned.flip(-1)
        output = model(turned[None])[0]
        if k >= 4:
            output = output.flip(-1)
        total = total + torch.rot90(output, -(k % 4), dims=(-2, -1))
    return total / 8


def _directed(images):
    """A model with a direction: every pixel looks a knight's move away, and to its right."""
    if images.ndim != 4:
        raise Finding("the model takes a batch (N, 3, H, W): model(turned[None])[0].")
    right = F.pad(images[..., 1:], (0, 1))
    knight = F.pad(images[..., 2:, 1:], (0, 1, 0, 2))
    # Not linear, or the output for a mean would be the mean of the outputs.
    return torch.tanh(images + 0.8 * right - 0.6 * knight)


ensemble = Exercise(
    title="Eight looks at one photograph",
    minutes=10,
    difficulty=3,
    reference=ensemble_solution,
    inputs=lambda: [(_directed, torch.rand(3, 8, 8)), (_directed, torch.rand(3, 6, 9))],
    mistakes={
        "the outputs are not turned back before they are averaged.": [
            "output = output.flip => _ = output.flip",
            "torch.rot90(output, -(k % 4), dims=(-2, -1)) => output",
        ],
        "the turn is undone, but not the flip: flip the output back before you turn "
        "it.": "output = output.flip => _ = output.flip",
        "you turn the outputs the same way again; turn them back, "
        "by the opposite angle.": "-(k % 4) => k % 4",
        "undo the last change first: the flip came after the turn, so it is undone before it.": [
            "output = output.flip(-1) => pass",
            "(k % 4), dims=(-2, -1))\n => (k % 4), dims=(-2, -1)).flip(-1 if k >= 4 else ())\n",
        ],
        "only the four turns are used; flip them as well, that makes eight.": [
            "range(8) => range(4)",
            "/ 8 => / 4",
        ],
        "eight outputs are added up, so divide by eight.": " / 8 => ",
        "you average the inputs; average the outputs, each turned back.": [
            "output = output.flip(-1) => pass",
            "torch.rot90(output, -(k % 4), dims=(-2, -1)) => output",
            "return total / 8 => return model(total[None] / 8)[0]",
            "model(turned[None])[0] => turned",
        ],
        "this is the plain output; "
        "every symmetry has to go through the model.": lambda model, image: model(image[None])[0],
        "the model takes a batch": "turned[None])[0] => turned)",
    },
    hints=[
        "Eight times: change the image, run the model, undo the change on the output. Only then "
        "do the outputs show the same scene and can be averaged.",
        "Undo the last change first. After a turn by `k % 4` and a flip: flip, then turn by "
        "`-(k % 4)`.",
        "The model wants a batch: `output = model(turned[None])[0]`. At the end `total / 8`.",
    ],
)
