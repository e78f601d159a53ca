"""Choose the device that networks run on, for lessons, training and the command line."""

import os

import torch

from llie_helpers.errors import CourseError

AUTO = "auto"


def choose_device(name: str = AUTO) -> torch.device:
    """Return the device called ``name``; "auto" is a CUDA GPU if there is one, else the CPU.

    Where ``$LLIE_PROFILE`` is "quick", "auto" is the CPU, so that scores are the same everywhere.
    Apple's GPU ("mps") is taken only when asked for by name, because some operations of the
    course's networks are missing there.

    Args:
        name: "auto", "cpu", "cuda", "cuda:1", "mps", or another name that PyTorch knows.

    Raises:
        CourseError: PyTorch knows no such device, or this computer has none.
    """
    if name == AUTO:
        gpu = torch.cuda.is_available() and os.environ.get("LLIE_PROFILE") != "quick"
        return torch.device("cuda" if gpu else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise CourseError(f"There is no device {name!r}; use auto, cpu, cuda or mps.") from error
    count = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    known = count.get(device.type)
    found = _computes(device) if known is None else (device.index or 0) < known
    if not found:
        raise CourseError(f"This computer has no device {name!r}; use auto or cpu.")
    return device


def _computes(device: torch.device) -> bool:
    """Return whether a value comes back from a device, as it does not from "xpu" or "meta"."""
    try:
        return torch.ones(1, device=device).item() == 1
    except Exception:  # of another type for each kind of device
        return False


def describe(device: torch.device) -> str:
    """Describe a device in words, such as "the CPU" or the name of the GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return {"cpu": "the CPU", "mps": "Apple's GPU"}.get(device.type, str(device))
