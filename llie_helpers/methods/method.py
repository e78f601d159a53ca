"""The one interface of everything that enhances, with or without learning."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from llie_helpers.images import WHOLE, Place


class Method:
    """Map dark images to bright ones; a part of a photograph may depend on the whole of it.

    ``method(image)`` enhances a whole image. For tiles, crops and film frames, look at the whole
    once and then work on its parts::

        context = method.prepare(whole)
        enhanced = method(part, context, place)

    Images are ``(N, 3, H, W)``, RGB, in [0, 1]; the output has the same shape and range.

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
        """Return what the method needs to know of the whole photograph; None if nothing."""
        return None

    def enhance(self, part: Tensor, context: Any, place: Place) -> Tensor:
        """Enhance the part that lies at ``place`` in the whole that ``context`` was made of."""
        raise NotImplementedError

    @torch.no_grad()
    def __call__(self, part: Tensor, context: Any = None, place: Place = WHOLE) -> Tensor:
        """Enhance ``part``; without a context it is a whole of its own."""
        return self.enhance(part, self.prepare(part) if context is None else context, place)


class Pointwise(Method):
    """A method whose ``function`` maps images to images and needs nothing of the whole."""

    def __init__(self, function: Callable[[Tensor], Tensor], name: str = "function"):
        self.function, self.name = function, name

    def enhance(self, part: Tensor, context: Any, place: Place) -> Tensor:
        return self.function(part)


def as_method(function: "Method | Callable[[Tensor], Tensor]") -> Method:
    """Return a `Method` as it is, a network or any other callable as one."""
    from llie_helpers.methods.network import NetworkMethod
    from llie_helpers.models.network import Network

    if isinstance(function, Method):
        return function
    if isinstance(function, Network):
        return NetworkMethod(function)
    return Pointwise(function, getattr(function, "__name__", "function"))
