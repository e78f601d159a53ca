"""A network as a method: in evaluation mode, with its histogram mapper if it has one."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from llie_helpers.images import BAND, WHOLE, Place, quantise
from llie_helpers.methods.histogram import HistogramMapper
from llie_helpers.methods.method import Method, Pointwise
from llie_helpers.models.cost import count_parameters
from llie_helpers.models.network import Network


class NetworkMethod(Method):
    """A network, whose input a `HistogramMapper` may map first.

    Args:
        network: is switched to evaluation mode.
        mapper: the mapper of the images that the network was trained on, if any.
    """

    def __init__(self, network: Network, mapper: HistogramMapper | None = None) -> None:
        self.network, self.mapper = network.eval(), mapper
        self.name = network.name

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def parameter_count(self) -> int:
        return count_parameters(self.network)

    def prepare(self, whole: Tensor) -> tuple[Any, Any]:
        if self.mapper is None:
            return None, self.network.prepare(whole)
        curves = self.mapper.prepare(whole)
        if type(self.network).prepare is Network.prepare:  # it needs no context
            return curves, None
        mapped = torch.empty_like(whole)
        for target, band in zip(mapped.split(BAND, dim=2), whole.split(BAND, dim=2), strict=True):
            target.copy_(self._mapped(band, curves))
        return curves, self.network.prepare(mapped)

    def enhance(self, part: Tensor, context: tuple[Any, Any], place: Place) -> Tensor:
        curves, of_network = context
        return self.network(self._mapped(part, curves), of_network, place)

    def illuminate(self, part: Tensor, context: tuple[Any, Any], place: Place = WHOLE) -> Tensor:
        curves, of_network = context
        return self.network.illuminate(self._mapped(part, curves), of_network, place)

    def _mapped(self, image: Tensor, curves: Any) -> Tensor:
        # Quantised, because the network was trained on 8-bit images.
        return image if self.mapper is None else quantise(self.mapper(image, curves))


def as_method(function: Method | Callable[[Tensor], Tensor]) -> Method:
    """Return ``function`` as a `Method`, which it may be already; any PyTorch module will do."""
    if isinstance(function, Method):
        return function
    if isinstance(function, Network):
        return NetworkMethod(function)
    return Pointwise(function, getattr(function, "__name__", "function"))
