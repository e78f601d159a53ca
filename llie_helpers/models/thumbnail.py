"""Thumbnails of images of any size, also in an ONNX export."""

import torch
import torch.nn.functional as F


def thumbnail(image: torch.Tensor, side: int) -> torch.Tensor:
    """Average ``image`` ``(N, C, H, W)`` over areas, to ``(N, C, side, side)``.

    ONNX has no adaptive pooling, so an exported network uses two matrix products instead.
    """
    if not torch.compiler.is_compiling():
        return F.adaptive_avg_pool2d(image, side)
    down, across = (_shares(length, side) for length in image.shape[-2:])
    return down @ image @ across.T


def _shares(length: int, side: int) -> torch.Tensor:
    """Return ``(side, length)``: the weight of each pixel in each pixel of the thumbnail."""
    i, pixel = torch.arange(side)[:, None], torch.arange(length)
    first, end = i * length // side, ((i + 1) * length + side - 1) // side
    inside = ((pixel >= first) & (pixel < end)).float()
    return inside / inside.sum(dim=1, keepdim=True)
