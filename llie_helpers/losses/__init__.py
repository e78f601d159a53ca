"""Loss terms and their weighted sum.

A term is a function ``(enhanced, normal) -> scalar`` on images (N, C, H, W) in [0, 1]. It runs in
float32 also in mixed-precision training, because variances and Fourier transforms are inaccurate
in half precision; only the network of the perceptual loss runs in that of training.
"""

from llie_helpers.losses.gan import gan_discriminator_loss, gan_generator_loss
from llie_helpers.losses.perceptual import Perceptual, random_vgg
from llie_helpers.losses.pixel import fft_amplitude, gt_mean, l1, mse
from llie_helpers.losses.places import coarse, colour
from llie_helpers.losses.structural import ssim_loss
from llie_helpers.losses.weighted import LOSSES, WeightedLoss

__all__ = [
    "LOSSES",
    "Perceptual",
    "WeightedLoss",
    "coarse",
    "colour",
    "fft_amplitude",
    "gan_discriminator_loss",
    "gan_generator_loss",
    "gt_mean",
    "l1",
    "mse",
    "random_vgg",
    "ssim_loss",
]
