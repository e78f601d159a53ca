"""Any image size for networks that halve the resolution several times."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..errors import CourseError

SMALLEST = 16


def padded(
    network: Callable[[torch.Tensor], torch.Tensor], image: torch.Tensor, multiple: int
) -> torch.Tensor:
    """Run ``network`` on ``image`` mirrored at its right and lower edge to a ``multiple``.

    Args:
        network: maps ``(N, 3, H, W)`` to ``(N, 3, H, W)`` where ``multiple`` divides H and W.
        image: ``(N, 3, H, W)`` of any height and width from 16 pixels up.

    Returns:
        The output for the image alone, ``(N, 3, H, W)``.

    Raises:
        CourseError: the tensor is no batch of RGB images, or smaller than 16 pixels.
    """
    if image.dim() != 4 or image.shape[1] != 3:
        raise CourseError(
            f"A network takes a batch of RGB images (N, 3, H, W), but got {tuple(image.shape)}; "
            "use image[None] to make a batch of one image."
        )
    height, width = image.shape[-2:]
    if min(height, width) < SMALLEST:
        raise CourseError(
            f"An image of {width}x{height} pixels is too small for this network; "
            f"it needs at least {SMALLEST}x{SMALLEST}."
        )
    bottom, right = -height % multiple, -width % multiple
    if bottom or right:
        image = F.pad(image, (0, right, 0, bottom), mode="reflect")
    return network(image)[..., :height, :width]
