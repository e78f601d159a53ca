"""Augmentation that changes both images of a pair alike."""

import torch

# Gains are drawn from this range, uniformly on a logarithmic scale; it clips few highlights.
DARKEST, BRIGHTEST = 0.8, 1.25


def flip_rotate(image: torch.Tensor, k: int) -> torch.Tensor:
    """Apply one of the eight symmetries of the square.

    Rotate ``image`` ``(..., H, W)`` by ``k % 4`` quarter turns, then flip it left to right if
    ``k >= 4``. Odd ``k`` swaps height and width.
    """
    turned = torch.rot90(image, k % 4, dims=(-2, -1))
    return turned.flip(-1) if k >= 4 else turned


def brightness(image: torch.Tensor, gain: float) -> torch.Tensor:
    """Return ``gain * image``, clipped to [0, 1]."""
    return (image * gain).clamp(0.0, 1.0)


def lerp_log(low: torch.Tensor, normal: torch.Tensor, share: float) -> torch.Tensor:
    """Interpolate on a logarithmic scale: ``low ** (1 - share) * normal ** share``."""
    return low ** (1 - share) * normal**share


def augment_pair(
    low: torch.Tensor, normal: torch.Tensor, generator: torch.Generator | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Flip, rotate and change the brightness of both images by the same random draw.

    Both are ``(..., H, W)`` in [0, 1]. The symmetry is one of eight and the gain is between
    0.8 and 1.25.
    """
    k = int(torch.randint(8, (), generator=generator))
    exponent = float(torch.rand((), generator=generator))
    gain = DARKEST * (BRIGHTEST / DARKEST) ** exponent
    return brightness(flip_rotate(low, k), gain), brightness(flip_rotate(normal, k), gain)
