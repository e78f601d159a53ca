"""Use any method of the course on an image, classical or learned, by its name."""

import inspect
import os
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from .classical import CLASSICAL
from .errors import CourseError, unknown_name
from .histogram import HistogramMapper
from .images import load_image
from .metrics import round8
from .models import MODELS, create_model
from .models.weights import find, mapper_beside

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
    image: torch.Tensor | str | os.PathLike,
    model: str = "mse_cnn",
    weights: str | os.PathLike | None = None,
    **options,
) -> torch.Tensor:
    """Enhance one image.

    Args:
        image: ``(3, H, W)`` in [0, 1], or the path of an image file.
        model, weights, options: as `enhancer` takes them.

    Returns:
        ``(3, H, W)``, clamped to [0, 1].

    Raises:
        CourseError: the file cannot be read, or as `enhancer`.
    """
    if not isinstance(image, torch.Tensor):
        image = load_image(image)
    return enhancer(model, weights, **options)(image[None])[0].clamp(0, 1)
