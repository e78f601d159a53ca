"""The interface of all enhancement methods."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from llie_helpers.errors import CourseError
from llie_helpers.images import WHOLE, Place
from llie_helpers.models.network import no_exposure_step


class Method:
    """Base class: enhance images, or parts of a photograph given the whole.

    ``method(image)`` enhances a whole image. For tiles, prepare the whole photograph once and then
    enhance its parts::

        context = method.prepare(whole)
        enhanced = method(part, context, place)

    Images are ``(N, 3, H, W)`` or ``(3, H, W)``, RGB, in [0, 1], on the method's device; the
    output has the same shape and range.

    Attributes:
        name: what `create_method` calls it.
    """

    name: str = "method"

    @property
    def device(self) -> torch.device:
        """Return the device on which images must be."""
        return torch.device("cpu")

    @property
    def parameter_count(self) -> int:
        """Return the number of learned values."""
        return 0

    def prepare(self, whole: Tensor) -> Any:
        """Return what the method needs to know about whole photographs ``(N, 3, H, W)``, or None.

        Float tensors, and tuples of them, are smoothed over the frames of a video (`blend`).
        """
        return None

    def enhance(self, part: Tensor, context: Any, place: Place) -> Tensor:
        """Enhance the part at ``place`` of the photograph that ``context`` was prepared from."""
        raise NotImplementedError

    def illuminate(self, part: Tensor, context: Any, place: Place = WHOLE) -> Tensor:
        """Correct only the exposure of ``part``, the part at ``place``; noise remains.

        Raises:
            CourseError: the method has no such step.
        """
        raise no_exposure_step(self.name)

    @torch.no_grad()
    def __call__(self, part: Tensor, context: Any = None, place: Place = WHOLE) -> Tensor:
        """Enhance ``part``; without a context, it is a whole image."""
        if part.dim() == 3:
            return self(part[None], context, place)[0]
        if not len(part):
            raise CourseError(f"{self.name} got a batch without images; give at least one.")
        return self.enhance(part, self.prepare(part) if context is None else context, place)


class Pointwise(Method):
    """A method that applies ``function`` to images, independently of the whole photograph.

    A PyTorch module is switched to evaluation mode, and gets images on its device.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], name: str = "function") -> None:
        self.function, self.name = function, name
        if isinstance(function, nn.Module):
            function.eval()

    @property
    def device(self) -> torch.device:
        learned = self.function.parameters() if isinstance(self.function, nn.Module) else ()
        return next((parameter.device for parameter in learned), super().device)

    def enhance(self, part: Tensor, context: Any, place: Place) -> Tensor:
        return self.function(part)


def blend(old: Any, new: Any, share: float) -> Any:
    """Interpolate two contexts: ``old`` at a ``share`` of 0, ``new`` at 1.

    Anything but float tensors, and tuples of them, is taken from ``new``.
    """
    if isinstance(new, tuple):
        return tuple(blend(*both, share) for both in zip(old, new, strict=True))
    if isinstance(new, Tensor) and new.is_floating_point():
        return torch.lerp(old, new, share)
    return new
