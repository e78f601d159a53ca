"""Exercises of lesson 04: the U-Net's cost and field, its decoder, self-ensemble, feature loss."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.lessons.checks.compare import Finding, difference
from llie_helpers.lessons.checks.exercise import Exercise


def transposed_solution(channels_in, channels_out, kernel, height, width):
    """Parameters and multiply-adds of a transposed convolution; the size is its input's."""
    weights = channels_in * channels_out * kernel**2
    return weights + channels_out, weights * height * width


transposed = Exercise(
    title="What a transposed convolution costs",
    minutes=5,
    difficulty=2,
    reference=transposed_solution,
    inputs=lambda: [(5, 7, 3, 20, 30), (4, 6, 2, 16, 8)],
    mistakes={
        "you count a kernel for every output pixel. Here each input pixel sets off one kernel; "
        "the outputs in between get their share of it.": "weights * height => weights * 4 * height",
        "the image that you are given is the layer's input already; "
        "it need not be halved.": "weights * height => weights / 4 * height",
        "the bias is missing: "
        "one more parameter per output channel.": "weights + channels_out => weights",
        "the bias belongs to the output channels, "
        "not to the input channels.": "+ channels_out => + channels_in",
        "the kernel is a square: "
        "kernel * kernel weights for each pair of channels.": "kernel**2 => kernel",
        "the two results are swapped; return the parameters first.": (
            "weights + channels_out, weights * height * width => "
            "weights * height * width, weights + channels_out"
        ),
    },
    hints=[
        "The weights are those of an ordinary convolution. How often is each of them used? Think "
        "of the layer as a stamp: how many times is it pressed down?",
        "Once for each *input* pixel: `height * width` times. The size of the output, and with it "
        "the stride, does not matter.",
        "`weights = channels_in * channels_out * kernel**2`, then "
        "`return weights + channels_out, weights * height * width`.",
    ],
)


def sees_solution(layers, index):
    """First and last input pixel that output pixel ``index`` depends on, along one side."""
    first = last = index
    for layer in reversed(layers):
        if layer == "conv":
            first, last = first - 1, last + 1
        elif layer == "pool":
            first, last = 2 * first, 2 * last + 1
        else:
            first, last = first // 2, last // 2
    return first, last


sees = Exercise(
    title="What one output pixel sees",
    minutes=8,
    difficulty=3,
    reference=sees_solution,
    inputs=lambda: [
        (["conv"], 7),
        (["pool"], 5),
        (["up"], 5),
        (["conv", "pool", "conv", "up"], 12),
        (["conv", "pool", "conv", "up"], 13),
        (["conv", "pool", "conv", "pool", "conv", "up", "up", "conv"], 30),
        (["conv", "pool", "conv", "pool", "conv", "up", "up", "conv"], 33),
        # The first pixel is outside of the image.
        (["conv", "up", "conv"], 0),
    ],
    mistakes={
        "the layers are walked through from the image on; start at the output, "
        "with the last layer.": "reversed(layers) => layers",
        "a pooled pixel covers two pixels: "
        "2 * last and the one after it.": "2 * last + 1 => 2 * last",
        "pooling and upsampling are swapped: going backwards, "
        "pooling doubles the range and upsampling halves it.": '"pool" => "up"',
        "upsampling is left out: going backwards, "
        "two pixels become one again.": "first // 2, last // 2 => first, last",
        "an upsampled pixel is a copy of exactly one pixel, "
        "so round down at both ends.": "last // 2 => (last + 1) // 2",
        "round down below 0 as well: -1 // 2 is -1, "
        "but int(-1 / 2) is 0.": "first // 2, last // 2 => int(first / 2), int(last / 2)",
        "pixels outside of the image are right, since a convolution sees its padding there; "
        "do not stop at 0.": "return first => return max(first, 0)",
        "a 3x3 convolution sees one pixel on each side, in both directions.": "first - 1 => first",
        "a 3x3 convolution sees one pixel more on each side, "
        "not two or three.": "first - 1, last + 1 => first - 2, last + 2",
        "you return a width; "
        "return the first and the last pixel.": "return first, last => return last - first + 1",
    },
    hints=[
        "Walk backwards from the output. Keep a first and a last pixel, and ask at each layer: "
        "which of its inputs do these depend on?",
        "A convolution: one pixel further out at both ends. A pooled pixel `i` comes from `2 * i` "
        "and `2 * i + 1`. An upsampled pixel `i` is a copy of pixel `i // 2`.",
        "Loop over `reversed(layers)`. For a pooling layer: `first, last = 2 * first, "
        "2 * last + 1`.",
    ],
)


def decode_solution(x, skips, ups, decoders):
    """The right side of a U-Net: enlarge, join the skip, decode, level by level."""
    for skip, up, decoder in zip(reversed(skips), ups, decoders, strict=True):
        x = decoder(torch.cat([skip, up(x)], dim=1))
    return x


def _decoder(level, x):
    """Replace two convolutions: mix any number of channels, and halve it."""
    weights = torch.linspace(0.5, 1.5 + level, x.shape[1]).view(1, -1, 1, 1)
    first, second = torch.tanh(x * weights).chunk(2, dim=1)
    return first - 0.5 * second


def _up(level, x):
    """Replace a transposed convolution: twice the size, half the channels."""
    return F.interpolate(x[:, ::2] + 0.1 * (3 + level) * x[:, 1::2], scale_factor=2)


def decode_inputs():
    skips = [torch.randn(2, 4, 24, 16), torch.randn(2, 8, 12, 8), torch.randn(2, 16, 6, 4)]
    ups, decoders = ([partial(layer, level) for level in range(3)] for layer in (_up, _decoder))
    return [(torch.randn(2, 32, 3, 2), skips, ups, decoders)]


def decode_observe(answer, *given):
    try:
        return answer(*given)
    except RuntimeError as error:
        if "must match" not in str(error):
            raise
        raise Finding(
            "features of different sizes meet. `skips` begins with the largest, and the "
            "decoder begins with the smallest; and enlarge before you join."
        ) from error


decode = Exercise(
    title="The way up",
    minutes=8,
    difficulty=3,
    reference=decode_solution,
    inputs=decode_inputs,
    observe=decode_observe,
    mistakes={
        "the skip connection comes first in the concatenation, "
        "the enlarged features second.": "skip, up(x)] => up(x), skip]",
        "the skip connections are not used: what crosses is the encoder's features, "
        "not a copy of the decoder's.": "skip, up(x)] => up(x), up(x)]",
        "skip and features are added; "
        "concatenate them along the channels.": "skip, up(x)] => skip + up(x), skip + up(x)]",
        "the decoders are not used.": "decoder( => (lambda x: x[:, : x.shape[1] // 2])(",
        "the decoders are used in the wrong order: decoders[0] belongs to the smallest level, "
        "as ups[0] does.": "ups, decoders => ups, reversed(decoders)",
        "`ups` and `decoders` begin with the smallest level already; "
        "reverse only `skips`.": "ups, decoders => reversed(ups), reversed(decoders)",
        "features of different sizes meet": "reversed(skips) => skips",
    },
    hints=[
        "The encoder filled `skips` from the largest features to the smallest. In which order does "
        "the decoder need them?",
        "On each level: `up(x)` is as large as the skip. Put both behind one another along the "
        "channels, `dim=1`, and let the level's decoder have them.",
        "`for skip, up, decoder in zip(reversed(skips), ups, decoders, strict=True):` and in it "
        "`x = decoder(torch.cat([skip, up(x)], dim=1))`.",
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
        "Whoever puts on socks and then shoes takes off the shoes first. After a turn by "
        "`k % 4` and a flip: flip, then turn by `-(k % 4)`.",
        "The model wants a batch: `output = model(turned[None])[0]`. At the end `total / 8`.",
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
    minutes=8,
    difficulty=3,
    reference=feature_loss_solution,
    inputs=feature_loss_inputs,
    observe=feature_loss_observe,
    mistakes={
        "the images are not normalised; the network was trained on (image - mean) / std.": [
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
        "`(image - mean) / std` for both. The target's features belong into a block "
        "`with torch.no_grad():`, those of `enhanced` do not.",
        "`return F.mse_loss(network((enhanced - mean) / std), wanted)`, where `wanted` is "
        "`network((normal - mean) / std)`.",
    ],
)
