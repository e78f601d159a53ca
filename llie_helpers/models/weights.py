"""Save and load weights as safetensors files, which cannot run code when they are loaded."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path

SHIPPED = Path(__file__).resolve().parent.parent / "weights"


def save(
    state: Mapping[str, torch.Tensor],
    path: str | os.PathLike,
    name: str,
    options: Mapping[str, Any],
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write weights, and the name and options of their network.

    Equal weights give equal bytes, so that files can be compared by hash.

    Args:
        state: a network's ``state_dict``.
        path: the .safetensors file to write.
        name: the network's name.
        options: options that `create_model` takes.
        dtype: type of floating-point values; float16 halves the file, `read` converts it back.

    Raises:
        CourseError: the disk is full or the folder cannot be written.
    """
    tensors = {
        key: (v.to(dtype) if v.is_floating_point() else v).detach().cpu().contiguous()
        for key, v in state.items()
    }
    # A single entry, because safetensors writes entries in random order.
    network = json.dumps({"model": name, "options": options}, sort_keys=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(to_bytes(tensors, {"network": network}))


def read(path: str | os.PathLike) -> tuple[dict[str, torch.Tensor], str, dict[str, Any]]:
    """Return ``(state, name, options)`` as saved; float16 weights become float32.

    Raises:
        CourseError: the file is damaged, or was not written by `save`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CourseError(f"{path} is not a readable safetensors file ({error}).") from error
    try:
        network = json.loads(metadata["network"])
        name, options = network["model"], network["options"]
    except (LookupError, ValueError, TypeError) as error:
        raise CourseError(
            f"{path} does not say which network it belongs to; use save_weights."
        ) from error
    state = {key: v.float() if v.dtype == torch.float16 else v for key, v in state.items()}
    return state, name, options


def find(name: str, weights: str | os.PathLike) -> Path:
    """Return the file of ``weights``: a .safetensors path, or shipped weights ("lol_v1").

    Raises:
        CourseError: there is no such file.
    """
    path = Path(weights)
    if path.suffix == ".safetensors":
        if not os.path.isfile(path):
            raise CourseError(f"There is no weights file {path}; train the network to create one.")
        return path
    file = SHIPPED / f"{name}_{weights}.safetensors"
    if not os.path.isfile(file):
        raise CourseError(
            f"No weights called {str(weights)!r} are shipped for {name} "
            f"(shipped: {', '.join(shipped(name)) or 'none'}); "
            f"train it with `python -m llie_helpers train --model {name}` "
            "or give the path of a .safetensors file."
        )
    return file


def shipped(name: str) -> list[str]:
    """Return the names of the weights that are shipped for a network, such as ["lol_v1"]."""
    files = SHIPPED.glob(f"{name}_*.safetensors")
    return sorted(file.stem.removeprefix(f"{name}_") for file in files)


def mapper_path(weights: Path) -> Path:
    """Return the file of the `HistogramMapper` whose outputs a network was trained on."""
    return weights.with_suffix(".mapper.json")
