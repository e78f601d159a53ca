"""Weights as safetensors: a file that holds numbers and runs no code when it is loaded."""

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import nn

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path

SHIPPED = Path(__file__).resolve().parent.parent / "weights"


def save(
    model: nn.Module,
    path: str | os.PathLike,
    name: str,
    options: dict,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write the weights of ``model``, and the name and options that build it.

    Args:
        dtype: of floating-point values; float16 halves the file, and `read` widens it again.

    Raises:
        CourseError: the disk is full or the folder cannot be written.
    """
    state = {
        key: (v.to(dtype) if v.is_floating_point() else v).detach().cpu().contiguous()
        for key, v in model.state_dict().items()
    }
    metadata = {"model": name, "options": json.dumps(options)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(to_bytes(state, metadata))


def find(name: str, weights: str | os.PathLike) -> Path:
    """The file of ``weights``: a path to a .safetensors file, or a shipped name ("lol_v1").

    Raises:
        CourseError: there is no such file.
    """
    path = Path(weights)
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise CourseError(f"There is no weights file {path}; train the model to make one.")
        return path
    file = SHIPPED / f"{name}_{weights}.safetensors"
    if not file.is_file():
        raise CourseError(
            f"No weights called {str(weights)!r} are shipped for {name} "
            f"(shipped: {', '.join(shipped(name)) or 'none'}); "
            f"train it with `python -m llie_helpers train --model {name}` "
            "or give the path of a .safetensors file."
        )
    return file


def shipped(name: str) -> list[str]:
    """Names of the weights that the package holds for network ``name``, such as ["lol_v1"]."""
    files = SHIPPED.glob(f"{name}_*.safetensors")
    return sorted(file.stem.removeprefix(f"{name}_") for file in files)


def mapper_path(weights: Path) -> Path:
    """Where the `HistogramMapper` lies that weights trained on mapped images need."""
    return weights.with_suffix(".mapper.json")


def read(path: str | os.PathLike) -> tuple[dict[str, torch.Tensor], str, dict]:
    """Return ``(state, name, options)`` as saved; float16 weights come as float32.

    Raises:
        CourseError: the file is damaged, or was not written by `save`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CourseError(f"{path} is no readable safetensors file ({error}).") from error
    if "model" not in metadata:
        raise CourseError(f"{path} does not say which model it belongs to; use weights.save.")
    state = {key: v.float() if v.dtype == torch.float16 else v for key, v in state.items()}
    return state, metadata["model"], json.loads(metadata["options"])
