"""Shared code of Out of the Dark, a hands-on course on low-light image enhancement.

Inside the package, images are float tensors ``(N, 3, H, W)``, RGB, in [0, 1]. Files, video frames
and OpenCV's BGR arrays are converted when they are read and written.

Importing this package is fast: the functions below, and torch with them, are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llie_helpers.data import load_pairs
    from llie_helpers.inference import enhance
    from llie_helpers.metrics import evaluate
    from llie_helpers.models import create_model
    from llie_helpers.training import fit

__version__ = "0.1.0"
__all__ = ["create_model", "enhance", "evaluate", "fit", "load_pairs"]

_ROOMS = {
    "create_model": "models",
    "enhance": "inference",
    "evaluate": "metrics",
    "fit": "training",
    "load_pairs": "data",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})
