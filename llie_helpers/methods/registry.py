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
from llie_helpers.models.weights import find, mapper_path

DEFAULT_WEIGHTS = "lol_v1"


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
        weights: for a network: shipped weights (default "lol_v1") or a .safetensors file. If there
            is a mapper beside them, the network was trained behind it and is used behind it.
        device: where a network runs.
        options: parameters of the method, such as ``gamma=0.3``.

    Raises:
        CourseError: unknown name or option, an option's value that is out of range, or weights that
            are missing, or given for a method that has none.
    """
    if name in MODELS:
        file = find(name, weights or DEFAULT_WEIGHTS)
        network = create_model(name, file, **options).requires_grad_(False).to(device)
        mapper = mapper_path(file)
        return NetworkMethod(network, HistogramMapper.load(mapper) if mapper.is_file() else None)
    if name not in classical.METHODS:
        raise unknown_name("method", name, list_methods())
    if weights is not None:
        raise CourseError(f"{name} is a classical method: it learns nothing and takes no weights.")
    check_options(name, classical.METHODS[name], options)
    return classical.METHODS[name](**options)
