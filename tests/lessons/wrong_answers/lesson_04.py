"""Wrong answers to lesson 04: exercise -> label -> (answer, words of its verdict)."""

import torch
import torch.nn.functional as F


def _per_output(channels_in, channels_out, kernel, height, width):
    weights = channels_in * channels_out * kernel**2
    return weights + channels_out, weights * (2 * height) * (2 * width)


def _no_bias(channels_in, channels_out, kernel, height, width):
    weights = channels_in * channels_out * kernel**2
    return weights, weights * height * width


def _input_bias(channels_in, channels_out, kernel, height, width):
    weights = channels_in * channels_out * kernel**2
    return weights + channels_in, weights * height * width


def _line_kernel(channels_in, channels_out, kernel, height, width):
    weights = channels_in * channels_out * kernel
    return weights + channels_out, weights * height * width


def _walk(layers, index, conv, pool, up):
    first = last = index
    for layer in layers:
        first, last = {"conv": conv, "pool": pool, "up": up}[layer](first, last)
    return first, last


def _conv(first, last):
    return first - 1, last + 1


def _pool(first, last):
    return 2 * first, 2 * last + 1


def _up(first, last):
    return first // 2, last // 2


def _from_the_image(layers, index):
    return _walk(layers, index, _conv, _pool, _up)


def _one_of_two(layers, index):
    return _walk(layers[::-1], index, _conv, lambda a, b: (2 * a, 2 * b), _up)


def _swapped(layers, index):
    return _walk(layers[::-1], index, _conv, _up, _pool)


def _up_ignored(layers, index):
    return _walk(layers[::-1], index, _conv, _pool, lambda a, b: (a, b))


def _rounded_up(layers, index):
    return _walk(layers[::-1], index, _conv, _pool, lambda a, b: (a // 2, (b + 1) // 2))


def _largest_first(x, skips, ups, decoders):
    for skip, up, decoder in zip(skips, ups, decoders, strict=True):
        x = decoder(torch.cat([skip, up(x)], dim=1))
    return x


def _enlarged_first(x, skips, ups, decoders):
    for skip, up, decoder in zip(reversed(skips), ups, decoders, strict=True):
        x = decoder(torch.cat([up(x), skip], dim=1))
    return x


def _without_skips(x, skips, ups, decoders):
    for up, decoder in zip(ups, decoders, strict=True):
        x = decoder(torch.cat([up(x), up(x)], dim=1))
    return x


def _without_decoders(x, skips, ups, decoders):
    for skip, up in zip(reversed(skips), ups, strict=True):
        x = torch.cat([skip, up(x)], dim=1)[:, : skip.shape[1]]
    return x


def _turned(image, k):
    turned = torch.rot90(image, k % 4, dims=(-2, -1))
    return turned.flip(-1) if k >= 4 else turned


def _not_undone(model, image):
    return sum(model(_turned(image, k)[None])[0] for k in range(8)) / 8


def _turned_again(model, image):
    total = 0
    for k in range(8):
        output = model(_turned(image, k)[None])[0]
        output = output.flip(-1) if k >= 4 else output
        total = total + torch.rot90(output, k % 4, dims=(-2, -1))
    return total / 8


def _turned_before_flipped(model, image):
    total = 0
    for k in range(8):
        output = torch.rot90(model(_turned(image, k)[None])[0], -(k % 4), dims=(-2, -1))
        total = total + (output.flip(-1) if k >= 4 else output)
    return total / 8


def _four_turns(model, image):
    total = 0
    for k in range(4):
        output = model(torch.rot90(image, k, dims=(-2, -1))[None])[0]
        total = total + torch.rot90(output, -k, dims=(-2, -1))
    return total / 4


def _summed(model, image):
    total = 0
    for k in range(8):
        output = model(_turned(image, k)[None])[0]
        output = output.flip(-1) if k >= 4 else output
        total = total + torch.rot90(output, -(k % 4), dims=(-2, -1))
    return total


def _not_normalised(network, mean, std, enhanced, normal):
    with torch.no_grad():
        wanted = network(normal)
    return F.mse_loss(network(enhanced), wanted)


def _multiplied(network, mean, std, enhanced, normal):
    with torch.no_grad():
        wanted = network((normal - mean) * std)
    return F.mse_loss(network((enhanced - mean) * std), wanted)


def _target_learns(network, mean, std, enhanced, normal):
    return F.mse_loss(network((enhanced - mean) / std), network((normal - mean) / std))


def _nothing_learns(network, mean, std, enhanced, normal):
    with torch.no_grad():
        return F.mse_loss(network((enhanced - mean) / std), network((normal - mean) / std))


def _absolute(network, mean, std, enhanced, normal):
    with torch.no_grad():
        wanted = network((normal - mean) / std)
    return F.l1_loss(network((enhanced - mean) / std), wanted)


WRONG = {
    "transposed": {
        "a kernel for each output": (_per_output, "every output pixel"),
        "no bias": (_no_bias, "bias is missing"),
        "bias per input channel": (_input_bias, "not to the input channels"),
        "kernel not squared": (_line_kernel, "kernel is a square"),
    },
    "sees": {
        "from the image on": (_from_the_image, "start at the output"),
        "one pixel of two": (_one_of_two, "covers two pixels"),
        "pool and up swapped": (_swapped, "are swapped"),
        "upsampling ignored": (_up_ignored, "upsampling is left out"),
        "rounded up": (_rounded_up, "round down"),
    },
    "decode": {
        "largest first": (_largest_first, "begins with the smallest"),
        "enlarged features first": (_enlarged_first, "comes first"),
        "without skips": (_without_skips, "not used"),
        "without decoders": (_without_decoders, "decoders are not used"),
    },
    "ensemble": {
        "not undone": (_not_undone, "not turned back"),
        "turned again": (_turned_again, "opposite angle"),
        "undone in the wrong order": (_turned_before_flipped, "undo the last change first"),
        "four turns": (_four_turns, "only the four turns"),
        "summed": (_summed, "divide by eight"),
    },
    "feature_loss": {
        "not normalised": (_not_normalised, "not normalised"),
        "multiplied by std": (_multiplied, "divide by std"),
        "target with gradients": (_target_learns, "flows to the target"),
        "nothing learns": (_nothing_learns, "no gradient"),
        "absolute differences": (_absolute, "absolute"),
    },
}
