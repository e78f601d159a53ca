"""Methods by name: ``create_method("clahe")``, ``create_method("dual_branch", "lol_v1")``."""

import os
from typing import Any

import torch

from llie_helpers.errors import CourseError, check_options, unknown_name
from llie_helpers.methods import classical
from llie_helpers.methods.histogram import HistogramMapper
from llie_helpers.methods.method import Method
from llie_helpers.methods.network import NetworkMethod
from llie_helpers.models import MODELS, create_model
from llie_helpers.models.weights import find, mapper_path, shipped

DEFAULT_WEIGHTS = ("photographs", "lol_v1")  # the first of these that is shipped


def list_methods() -> list[str]:
    """Return the names that `create_method` knows, classical methods first."""
    return [*classical.METHODS, *sorted(MODELS)]


def create_method(
    name: str,
    weights: str | os.PathLike | None = None,
    device: str | torch.device = "cpu",
    **options: Any,
) -> Method:
    """Build the method called ``name``.

    Args:
        name: one of `list_methods`.
        weights: for a network, shipped weights (default "photographs", or else "lol_v1") or a
            .safetensors file. A histogram mapper beside the file is applied to the input.
        device: the device of a network; classical methods run on the CPU.
        options: parameters of the method, such as ``gamma=0.3``.

    Raises:
        CourseError: the name or an option is unknown, an option has a wrong type or value, or
            weights are missing, or given for a classical method.
    """
    if name in MODELS:
        file = find(name, weights or default_weights(name))
        network = create_model(name, file, **options).requires_grad_(False).to(device)
        path = mapper_path(file)
        mapper = HistogramMapper.load(path) if os.path.isfile(path) else None
        return NetworkMethod(network, mapper)
    if name not in classical.METHODS:
        raise unknown_name("method", name, list_methods())
    if weights is not None:
        raise CourseError(f"{name} is a classical method: it is not trained and takes no weights.")
    check_options(name, classical.METHODS[name], options)
    return classical.METHODS[name](**options)


def default_weights(name: str) -> str:
    """Return the weights that a network has unless told otherwise."""
    return next((w for w in DEFAULT_WEIGHTS if w in shipped(name)), DEFAULT_WEIGHTS[-1])
