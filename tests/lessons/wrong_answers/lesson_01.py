"""Wrong answers that the checks of lesson 01 must reject, each with words of the message."""

import numpy as np
import torch

from llie_helpers.data.augment import flip_rotate
from llie_helpers.data.synthesis import to_linear, to_srgb


def light_with_the_threshold_of_the_way_back(srgb):
    curve = ((srgb + 0.055) / 1.055) ** 2.4
    return torch.where(srgb <= 0.0031308, srgb / 12.92, curve)


def light_with_swapped_parts(srgb):
    curve = ((srgb + 0.055) / 1.055) ** 2.4
    return torch.where(srgb > 0.04045, srgb / 12.92, curve)


def exposed(scale):
    """An answer that scales the light by ``scale(stops)``."""
    return lambda srgb, stops: to_srgb((to_linear(srgb) * scale(stops)).clamp(max=1.0))


def constant_noise(linear, full_well):
    return linear + torch.randn(linear.shape) * full_well**-0.5


def gaussian_of_the_right_variance(linear, full_well):
    return linear + torch.randn(linear.shape) * (linear / full_well).sqrt()


def multiplied_noise(linear, full_well):
    return linear * (1 + torch.randn(linear.shape) * full_well**-0.5)


def clipped_noise(linear, full_well):
    return (linear + torch.randn(linear.shape) * 0.2).clamp(0, 1)


def augmented(k_low=8, same_k=True, same_gain=True, clip=True, lowest=0.8):
    """An answer with the chosen mistakes."""

    def answer(low, normal):
        k, gain = int(torch.randint(k_low, ())), lowest + (1.25 - lowest) * torch.rand(())
        other_k = k if same_k else int(torch.randint(k_low, ()))
        other_gain = gain if same_gain else 0.8 + 0.45 * torch.rand(())
        top = 1 if clip else None
        return (
            (flip_rotate(low, k) * gain).clamp(0, top),
            (flip_rotate(normal, other_k) * other_gain).clamp(0, top),
        )

    return answer


def augments_the_input_alone(low, normal):
    return augmented()(low, normal)[0], normal


def augments_in_place(low, normal):
    return augmented()(low.mul_(0.9), normal.mul_(0.9))


def split_by_pair(scenes, fraction, seed):
    order = np.random.default_rng(seed).permutation(len(scenes))
    count = round(fraction * len(scenes))
    return order[count:], order[:count]


def split_returning_scenes(scenes, fraction, seed):
    drawn = np.random.default_rng(seed).permutation(np.unique(scenes))
    count = round(fraction * len(drawn))
    return drawn[count:], drawn[:count]


def split_holding_out(choose):
    """An answer that holds out the scenes ``choose(scenes, count, seed)``."""

    def answer(scenes, fraction, seed):
        unique = np.unique(scenes)
        held_out = choose(unique, round(fraction * len(unique)), seed)
        in_val = np.isin(scenes, held_out)
        return np.flatnonzero(~in_val), np.flatnonzero(in_val)

    return answer


def split_swapped(scenes, fraction, seed):
    train, val = split_holding_out(drawn_scenes)(scenes, fraction, seed)
    return val, train


def drawn_scenes(scenes, count, seed):
    return np.random.default_rng(seed).permutation(scenes)[:count]


def split_holding_out_one_scene(scenes, fraction, seed):
    return split_holding_out(lambda s, count, seed: drawn_scenes(s, 1, seed))(scenes, 1, seed)


def split_one_pair_per_scene(scenes, fraction, seed):
    _, first = np.unique(scenes, return_index=True)
    drawn = np.random.default_rng(seed).permutation(first)
    count = round(fraction * len(drawn))
    return drawn[count:], drawn[:count]


WRONG = {
    "light": {
        "a plain power": (lambda srgb: srgb**2.2, "straight line"),
        "the way back": (to_srgb, "the way back"),
        "no straight part": (lambda srgb: ((srgb + 0.055) / 1.055) ** 2.4, "s / 12.92"),
        "the wrong threshold": (light_with_the_threshold_of_the_way_back, "0.04045"),
        "parts swapped": (light_with_swapped_parts, "swapped"),
    },
    "expose": {
        "scales sRGB": (lambda srgb, stops: (srgb * 2.0**stops).clamp(max=1.0), "sRGB values"),
        "times stops": (exposed(lambda stops: stops), "number of stops"),
        "times twice the stops": (exposed(lambda stops: 2 * stops), "exponent"),
        "wrong sign": (exposed(lambda stops: 2.0**-stops), "sign"),
        "stays linear": (lambda srgb, stops: (to_linear(srgb) * 2.0**stops).clamp(0, 1), "linear"),
        "not clipped": (lambda srgb, stops: to_srgb(to_linear(srgb) * 2.0**stops), "white"),
    },
    "photons": {
        "constant variance": (constant_noise, "black is noisy"),
        "multiplied noise": (multiplied_noise, "variance"),
        "not divided": (lambda x, full_well: torch.poisson(x * full_well), "divide by full_well"),
        "not multiplied": (lambda x, full_well: torch.poisson(x) / full_well, "multiply"),
        "Gaussian": (gaussian_of_the_right_variance, "half a photon"),
        "clipped": (clipped_noise, "mean brightness"),
        "no noise": (lambda x, full_well: x.clone(), "no noise"),
    },
    "augment": {
        "two symmetries": (augmented(same_k=False), "draw k once"),
        "two gains": (augmented(same_gain=False), "draw the gain once"),
        "low alone": (augments_the_input_alone, "turned differently"),
        "seven symmetries": (augmented(k_low=7), "only 7"),
        "not clipped": (augmented(clip=False), "clip"),
        "gains too wide": (augmented(lowest=0.5), "range"),
        "in place": (augments_in_place, "in place"),
    },
    "split": {
        "by pair": (split_by_pair, "among the scenes"),
        "scene numbers": (split_returning_scenes, "scene numbers"),
        "last scenes": (split_holding_out(lambda s, count, seed: s[-count:]), "every seed"),
        "one scene": (
            split_holding_out(lambda s, count, seed: drawn_scenes(s, 1, seed)),
            "means 2",
        ),
        "swapped": (split_swapped, "swapped"),
        "one pair per scene": (split_one_pair_per_scene, "neither part"),
    },
}
