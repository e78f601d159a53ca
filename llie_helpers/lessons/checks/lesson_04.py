"""Checks of lesson 04: the U-Net's cost and field, its decoder, self-ensemble, feature loss."""

import copy

import torch
import torch.nn.functional as F

from llie_helpers.lessons.checks.compare import compare, difference
from llie_helpers.lessons.checks.exercise import Check


def transposed_solution(channels_in, channels_out, kernel, height, width):
    """Parameters and multiply-adds of a transposed convolution; the size is its input's."""
    weights = channels_in * channels_out * kernel**2
    return weights + channels_out, weights * height * width


def transposed_test(student):
    def cost(i, o, k, h, w, places=None, bias=None):
        weights = i * o * k**2
        return weights + (o if bias is None else bias), weights * (places or h * w)

    mistakes = {
        "you count a kernel for every output pixel. Here each input pixel sets off one "
        "kernel; the outputs in between get their share of it.": (
            lambda *a: cost(*a, places=4 * a[3] * a[4])
        ),
        "the image that you are given is the layer's input already; it need not be "
        "halved.": lambda *a: cost(*a, places=a[3] * a[4] // 4),
        "the bias is missing: one more parameter per output channel.": lambda *a: cost(*a, bias=0),
        "the bias belongs to the output channels, not to the input channels.": (
            lambda *a: cost(*a, bias=a[0])
        ),
        "the kernel is a square: kernel * kernel weights for each pair of channels.": (
            lambda i, o, k, h, w: (i * o * k + o, i * o * k * h * w)
        ),
        "the two results are swapped; return the parameters first.": lambda *a: cost(*a)[::-1],
    }
    for layer in ((5, 7, 3, 20, 30), (4, 6, 2, 16, 8)):
        if found := compare(student, transposed_solution, *layer, mistakes=mistakes):
            return found
    return None


transposed = Check(
    "What a transposed convolution costs",
    minutes=5,
    difficulty=2,
    reference=transposed_solution,
    test=transposed_test,
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


def _sees(layers, index, forward=False, pool_end=1, up="half", margin=(1, 1), swap=False):
    first = last = index
    for layer in layers if forward else reversed(layers):
        if swap and layer != "conv":
            layer = "up" if layer == "pool" else "pool"
        if layer == "conv":
            first, last = first - margin[0], last + margin[1]
        elif layer == "pool":
            first, last = 2 * first, 2 * last + pool_end
        elif up == "half":
            first, last = first // 2, last // 2
        elif up == "outwards":
            first, last = first // 2, -(-last // 2)
    return first, last


def sees_test(student):
    def wrong(**options):
        return lambda *given: _sees(*given, **options)

    mistakes = {
        "the layers are walked through from the image on; start at the output, with the last "
        "layer.": wrong(forward=True),
        "a pooled pixel covers two pixels: 2 * last and the one after it.": wrong(pool_end=0),
        "pooling and upsampling are swapped: going backwards, pooling doubles the range and "
        "upsampling halves it.": wrong(swap=True),
        "upsampling is left out: going backwards, two pixels become one again.": wrong(up="none"),
        "an upsampled pixel is a copy of exactly one pixel, so round down at both ends.": wrong(
            up="outwards"
        ),
        "a 3x3 convolution sees one pixel on each side, in both directions.": wrong(margin=(0, 1)),
        "a 3x3 convolution sees one pixel more on each side, not two or three.": wrong(
            margin=(2, 2)
        ),
        "you return a width; return the first and the last pixel.": (
            lambda *given: _sees(*given)[1] - _sees(*given)[0] + 1
        ),
    }
    cases = [
        (["conv"], 7),
        (["pool"], 5),
        (["up"], 5),
        (["conv", "pool", "conv", "up"], 12),
        (["conv", "pool", "conv", "up"], 13),
        (["conv", "pool", "conv", "pool", "conv", "up", "up", "conv"], 30),
        (["conv", "pool", "conv", "pool", "conv", "up", "up", "conv"], 33),
    ]
    # All cases at once: on a single one, two mistakes may give the same pixels.
    got, expected = ([f(list(a), b) for a, b in cases] for f in (student, sees_solution))
    if all(difference(one, right) is None for one, right in zip(got, expected, strict=True)):
        return None
    for sentence, mistaken in mistakes.items():
        theirs = [mistaken(*case) for case in cases]
        if difference(got, theirs) is None:
            return sentence
    for case, one, right in zip(cases, got, expected, strict=True):
        if difference(one, right):
            return f"for {case[0]} and pixel {case[1]} the answer is {right}, yours is {one}."
    return None


sees = Check(
    "What one output pixel sees",
    minutes=8,
    difficulty=3,
    reference=sees_solution,
    test=sees_test,
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
    """The right side of a U-Net: enlarge, put the skip beside, decode, level by level."""
    for skip, up, decoder in zip(reversed(skips), ups, decoders, strict=True):
        x = decoder(torch.cat([skip, up(x)], dim=1))
    return x


class _Decoder:
    """Stands in for two convolutions: mixes any number of channels, and halves it."""

    def __call__(self, x):
        weights = torch.linspace(0.5, 1.5, x.shape[1]).view(1, -1, 1, 1)
        mixed = torch.tanh(x * weights)
        return mixed[:, : x.shape[1] // 2] - 0.5 * mixed[:, x.shape[1] // 2 :]


def _enlarge(x):
    """Stands in for a transposed convolution: twice the size, half the channels."""
    return F.interpolate(x[:, ::2] + 0.3 * x[:, 1::2], scale_factor=2)


def decode_test(student):
    def wrong(join=None, decoder=True):
        def answer(x, skips, ups, decoders):
            for skip, up, decode_level in zip(reversed(skips), ups, decoders, strict=True):
                both = join(skip, up(x))
                x = decode_level(both) if decoder else both[:, : both.shape[1] // 2]
            return x

        return answer

    mistakes = {
        "the skip connection comes first in the concatenation, the enlarged features "
        "second.": wrong(lambda skip, x: torch.cat([x, skip], dim=1)),
        "the skip connections are not used: what crosses is the encoder's features, not a copy of "
        "the decoder's.": wrong(lambda skip, x: torch.cat([x, x], dim=1)),
        "skip and features are added; concatenate them along the channels.": wrong(
            lambda skip, x: torch.cat([skip + x, skip + x], dim=1)
        ),
        "the decoders are not used.": wrong(
            lambda skip, x: torch.cat([skip, x], dim=1), decoder=False
        ),
    }
    skips = [torch.randn(2, 4, 24, 16), torch.randn(2, 8, 12, 8), torch.randn(2, 16, 6, 4)]
    x = torch.randn(2, 32, 3, 2)
    given = (x, skips, [_enlarge] * 3, [_Decoder() for _ in range(3)])
    try:
        student(*copy.deepcopy(given))
    except RuntimeError as error:
        if "must match" in str(error):
            return (
                "features of different sizes meet. `skips` begins with the largest, and the "
                "decoder begins with the smallest; and enlarge before you join."
            )
        raise
    return compare(student, decode_solution, *given, mistakes=mistakes)


decode = Check(
    "The way up",
    minutes=8,
    difficulty=3,
    reference=decode_solution,
    test=decode_test,
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


def _ensemble(model, image, count=8, back=-1, order="right", divide=8, undo=True):
    total = 0
    for k in range(count):
        turned = torch.rot90(image, k % 4, dims=(-2, -1))
        turned = turned.flip(-1) if k >= 4 else turned
        output = model(turned[None])[0]
        if undo:
            if order == "right" and k >= 4:
                output = output.flip(-1)
            output = torch.rot90(output, back * (k % 4), dims=(-2, -1))
            if order == "wrong" and k >= 4:
                output = output.flip(-1)
        total = total + output
    return total / divide


def _directed(images):
    """A model with a direction: every pixel looks a knight's move away, and to its right."""
    right = F.pad(images[..., 1:], (0, 1))
    knight = F.pad(images[..., 2:, 1:], (0, 1, 0, 2))
    return 0.5 * images + 0.4 * right - 0.3 * knight


def ensemble_test(student):
    def wrong(**options):
        return lambda *given: _ensemble(*given, **options)

    mistakes = {
        "the outputs are not turned back before they are averaged.": wrong(undo=False),
        "you turn the outputs the same way again; turn them back, by the opposite angle.": wrong(
            back=1
        ),
        "undo the last change first: the flip came after the turn, so it is undone before "
        "it.": wrong(order="wrong"),
        "only the four turns are used; flip them as well, that makes eight.": wrong(
            count=4, divide=4
        ),
        "eight outputs are added up, so divide by eight.": wrong(divide=1),
        "you average the inputs; average the outputs, each turned back.": (
            lambda model, image: model(_ensemble(lambda x: x, image)[None])[0]
        ),
        "this is the plain output; every symmetry has to go through the model.": (
            lambda model, image: model(image[None])[0]
        ),
    }
    if found := compare(student, ensemble_solution, _directed, torch.rand(3, 8, 8),
                        mistakes=mistakes):  # fmt: skip
        return found
    return compare(student, ensemble_solution, _directed, torch.rand(3, 6, 9))


ensemble = Check(
    "Eight looks at one photograph",
    minutes=10,
    difficulty=3,
    reference=ensemble_solution,
    test=ensemble_test,
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


def feature_loss_test(student):
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, kernel_size=3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)
    ).requires_grad_(False)
    enhanced, normal = torch.rand(2, 3, 8, 12), torch.rand(2, 3, 8, 12)

    def loss(prepare, prepare_target=None, join=F.mse_loss):
        return lambda network, mean, std, enhanced, normal: join(
            network(prepare(enhanced, mean, std)),
            network((prepare_target or prepare)(normal, mean, std)),
        )

    def right(image, mean, std):
        return (image - mean) / std

    def as_it_is(image, mean, std):
        return image

    mistakes = {
        "the images are not normalised; the network was trained on (image - mean) / std.": loss(
            as_it_is
        ),
        "only one of the two images is normalised.": loss(right, as_it_is),
        "only one of the two images is normalised: the other needs it too.": loss(as_it_is, right),
        "the mean is subtracted first, and then all is divided by std.": loss(
            lambda image, mean, std: image / std - mean
        ),
        "divide by std; you multiply by it.": loss(lambda image, mean, std: (image - mean) * std),
        "the differences are squared, as in MSE; yours are absolute.": loss(right, join=F.l1_loss),
        "take the mean over all features, not their sum.": loss(
            right, join=lambda a, b: F.mse_loss(a, b, reduction="sum")
        ),
        "this is the error of pixels; compare what the network makes of both images.": (
            lambda network, mean, std, enhanced, normal: F.mse_loss(enhanced, normal)
        ),
        "the network must see both images; you give it their difference.": (
            lambda network, mean, std, enhanced, normal: (
                network((enhanced - normal) / std).square().mean()
            )
        ),
    }
    given = (network, mean, std, enhanced, normal)
    if found := compare(student, feature_loss_solution, *given, mistakes=mistakes):
        return found
    enhanced, normal = enhanced.requires_grad_(), normal.requires_grad_()
    result = student(network, mean, std, enhanced, normal)
    if not result.requires_grad:
        return "no gradient comes back to `enhanced`, so nothing can be learned from this loss."
    result.backward()
    if enhanced.grad is None:
        return "no gradient comes back to `enhanced`: only the target may be a constant."
    if normal.grad is not None:
        return (
            "a gradient flows to the target. It is a constant, and keeping its path costs memory: "
            "compute its features under `torch.no_grad()`."
        )
    return None


feature_loss = Check(
    "A loss on features",
    minutes=8,
    difficulty=3,
    reference=feature_loss_solution,
    test=feature_loss_test,
    hints=[
        "Both images go the same way: normalise, then through the network. Which of the two needs "
        "gradients?",
        "`(image - mean) / std` for both. The target's features belong into a block "
        "`with torch.no_grad():`, those of `enhanced` do not.",
        "`return F.mse_loss(network((enhanced - mean) / std), wanted)`, where `wanted` is "
        "`network((normal - mean) / std)`.",
    ],
)
