"""A network as a method: in evaluation mode, on its device, behind its histogram mapper."""

from typing import Any

import torch
from torch import Tensor

from llie_helpers.images import WHOLE, Place, quantise
from llie_helpers.methods.histogram import HistogramMapper
from llie_helpers.methods.method import Method
from llie_helpers.models.cost import count_parameters
from llie_helpers.models.network import Network

BAND = 256  # rows that are mapped at a time, because mapping takes doubles


class NetworkMethod(Method):
    """A network, shown images as they are or as a `HistogramMapper` maps them first.

    Args:
        network: switched to evaluation mode.
        mapper: the one that the network was trained behind, if any.
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
        if type(self.network).prepare is Network.prepare:  # which needs nothing of the whole
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
        # Rounded, because the network was trained on images of 8 bits.
        return image if self.mapper is None else quantise(self.mapper(image, curves))
