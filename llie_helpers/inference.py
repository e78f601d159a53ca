"""Use any method of the course on an image, classical or learned, by its name."""

import inspect
import os
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from .classical import CLASSICAL
from .data.synthesis import expose, to_linear, to_srgb
from .errors import CourseError, unknown_name
from .histogram import HistogramMapper
from .metrics import round8
from .models import MODELS, create_model
from .models.weights import find, mapper_beside
from .photos import read_photo
from .tiles import in_tiles

SHIPPED_WEIGHTS = "lol_v1"


def enhancer(
    name: str,
    weights: str | os.PathLike | None = None,
    device: str | torch.device = "cpu",
    **options,
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the method called ``name`` as a callable on images ``(N, 3, H, W)`` in [0, 1].

    Args:
        name: a key of `classical.CLASSICAL` or one of `models.list_models`.
        weights: for a network: shipped weights (default "lol_v1") or a .safetensors file. If a
            mapper lies beside them, the network was trained on mapped images and gets such.
        device: where a network runs; images must be there too.
        options: parameters of the method, such as ``gamma=0.3``.

    Returns:
        A classical function, or a network in eval mode that records no gradients.

    Raises:
        CourseError: unknown name or option, weights that are missing, or given for a method
            that has none.
    """
    if name in MODELS:
        file = find(name, weights or SHIPPED_WEIGHTS)
        network = create_model(name, file, **options)
        if (mapper := mapper_beside(file)).is_file():
            network = Mapped(network, HistogramMapper.load(mapper))
        return network.eval().requires_grad_(False).to(device)
    if name not in CLASSICAL:
        raise unknown_name("method", name, [*CLASSICAL, *MODELS])
    if weights is not None:
        raise CourseError(f"{name} is a classical method: it learns nothing and takes no weights.")
    known = list(inspect.signature(CLASSICAL[name]).parameters)[1:]
    for option in options:
        if option not in known:
            raise unknown_name(f"option of {name}", option, known)
    return partial(CLASSICAL[name], **options)


class Mapped(nn.Module):
    """A network that is shown images with the tones that a `HistogramMapper` predicts."""

    def __init__(self, network: nn.Module, mapper: HistogramMapper):
        super().__init__()
        self.network, self.mapper = network, mapper

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        # Rounded, because it was trained on images of 8 bits.
        return self.network(round8(self.mapper(low)))


def enhance(
    image: torch.Tensor | np.ndarray | str | os.PathLike,
    model: str | Callable[[torch.Tensor], torch.Tensor] = "dual_branch",
    weights: str | os.PathLike | None = None,
    *,
    exposure: float = 0.0,
    strength: float = 1.0,
    **options,
) -> torch.Tensor:
    """Enhance one photograph of any size, tile by tile.

    Args:
        image: ``(3, H, W)`` in [0, 1], ``(H, W, 3)`` RGB of uint8 or uint16, or a file's path.
        model: a method's name, or what `enhancer` returned for it.
        weights, options: as `enhancer` takes them, with a name.
        exposure: stops of light more (or less) than the method chose.
        strength: 1 for the result, 0 for the image as it was, between them for a mixture.

    Returns:
        ``(3, H, W)``, clamped to [0, 1].

    Raises:
        CourseError: the file cannot be read, a strength outside [0, 1], or as `enhancer`.
    """
    if not 0 <= strength <= 1:
        raise CourseError(f"The strength is {strength}; it must lie between 0 and 1.")
    if isinstance(image, str | os.PathLike):
        image = read_photo(image).pixels
    method = enhancer(model, weights, **options) if isinstance(model, str) else model

    return in_tiles(method, image, partial(adjust, exposure=exposure, strength=strength))


def adjust(
    enhanced: torch.Tensor, low: torch.Tensor, exposure: float, strength: float
) -> torch.Tensor:
    """What the photographer wants of ``enhanced``; see `enhance`."""
    if exposure:
        enhanced = to_srgb(expose(to_linear(enhanced), exposure)).clamp(0, 1)
    return torch.lerp(low, enhanced, strength)
