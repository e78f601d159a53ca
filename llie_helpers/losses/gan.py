"""Losses of adversarial training, as in pix2pix (Isola et al., CVPR 2017).

Both take logits of any shape, such as the map of a PatchGAN. In pix2pix, the generator also has an
L1 loss with weight 100.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def gan_generator_loss(fake_logits: Tensor) -> Tensor:
    """Return ``-mean log D(fake)``: small when the discriminator classifies outputs as real."""
    return _cross_entropy(fake_logits, 1.0)


def gan_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return ``-mean(log D(real) + log(1 - D(fake))) / 2``: small when it separates both.

    Halved as in the paper, so that the discriminator learns more slowly than the generator.
    Pass the logits of a detached output, so that the generator gets no gradient.
    """
    return (_cross_entropy(real_logits, 1.0) + _cross_entropy(fake_logits, 0.0)) / 2


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    logits = logits.float()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
