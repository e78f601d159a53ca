"""The one interface of everything that enhances, with or without learning."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from llie_helpers.errors import CourseError
from llie_helpers.images import WHOLE, Place


class Method:
    """Map dark images to bright ones; a part of a photograph may depend on the whole of it.

    ``method(image)`` enhances a whole image. For tiles, crops and video frames, look at the whole
    once and then work on its parts::

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
        """Where images must be."""
        return torch.device("cpu")

    @property
    def parameter_count(self) -> int:
        """How many learned values it has."""
        return 0

    def prepare(self, whole: Tensor) -> Any:
        """Return what the method needs to know of whole photographs ``(N, 3, H, W)``.

        None if nothing. Tensors of floats, and tuples of them, are smoothed over the frames of a
        video (`blend`).
        """
        return None

    def enhance(self, part: Tensor, context: Any, place: Place) -> Tensor:
        """Enhance the part at ``place`` in the whole that ``context`` was prepared from."""
        raise NotImplementedError

    def illuminate(self, part: Tensor, context: Any, place: Place = WHOLE) -> Tensor:
        """Set the exposure of ``part`` and leave its noise, each pixel by its value alone.

        Raises:
            CourseError: the method has no such step.
        """
        raise CourseError(
            f"{self.name} cannot correct the exposure alone; leave out --fast, or use dual_branch."
        )

    @torch.no_grad()
    def __call__(self, part: Tensor, context: Any = None, place: Place = WHOLE) -> Tensor:
        """Enhance ``part``; without a context it is a whole of its own."""
        if part.dim() == 3:
            return self(part[None], context, place)[0]
        return self.enhance(part, self.prepare(part) if context is None else context, place)


class Pointwise(Method):
    """A method whose ``function`` maps images to images and needs nothing of the whole."""

    def __init__(self, function: Callable[[Tensor], Tensor], name: str = "function") -> None:
        self.function, self.name = function, name

    def enhance(self, part: Tensor, context: Any, place: Place) -> Tensor:
        return self.function(part)


def blend(old: Any, new: Any, share: float) -> Any:
    """Return a context between two: ``old`` at a ``share`` of 0, ``new`` at 1.

    What is neither a tensor of floats nor a tuple of such is ``new``.
    """
    if isinstance(new, tuple):
        return tuple(blend(*both, share) for both in zip(old, new, strict=True))
    if isinstance(new, Tensor) and new.is_floating_point():
        return torch.lerp(old, new, share)
    return new
