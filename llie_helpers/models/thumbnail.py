"""A thumbnail of an image of any size, also inside an ONNX file."""

import torch
import torch.nn.functional as F


def thumbnail(image: torch.Tensor, side: int) -> torch.Tensor:
    """Return means over areas of ``image`` ``(N, C, H, W)``, as ``(N, C, side, side)``.

    ONNX's pooling has a fixed kernel, so an exported network does the same by two matrix products.
    """
    if not torch.compiler.is_compiling():
        return F.adaptive_avg_pool2d(image, side)
    down, across = (_shares(length, side) for length in image.shape[-2:])
    return down @ image @ across.T


def _shares(length: int, side: int) -> torch.Tensor:
    """Return ``(side, length)``: which pixels each pixel of a thumbnail is the mean of."""
    i, pixel = torch.arange(side)[:, None], torch.arange(length)
    first, end = i * length // side, ((i + 1) * length + side - 1) // side
    inside = ((pixel >= first) & (pixel < end)).float()
    return inside / inside.sum(dim=1, keepdim=True)
