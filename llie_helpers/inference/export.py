"""Export networks as ONNX files, for phones, browsers and programs without PyTorch."""

import contextlib
import copy
import inspect
import io
import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.methods import Method, NetworkMethod, as_method
from llie_helpers.models.network import Network

STEP = 64  # height and width of an image must be multiples of this
LARGEST = 200 * STEP  # pixels, of height and width
TOLERANCE = 1e-3  # a quarter of an 8-bit step


def export_onnx(
    method: Method | Callable[[torch.Tensor], torch.Tensor], target: str | os.PathLike
) -> float:
    """Write a network as ONNX and compare it with PyTorch on two image sizes.

    The file maps ``low`` to ``enhanced``, both float32 ``(1, 3, H, W)`` in [0, 1], where H and
    W are multiples of 64 up to 12,800; other images have to be padded by reflection.

    Args:
        method: from `create_method`, or a network.
        target: the .onnx file.

    Returns:
        The largest absolute difference from PyTorch.

    Raises:
        CourseError: a package is missing, the method is not a network, has a histogram mapper or
            an operation that ONNX lacks, or the results differ by more than 0.001.
    """
    network = _exportable(as_method(method))
    try:
        import onnxruntime
        import onnxscript  # noqa: F401 - what torch.onnx needs
    except ImportError as error:
        raise CourseError(
            "ONNX needs two more packages: run `pip install onnxruntime onnxscript`."
        ) from error
    with atomic_path(target) as temporary:
        try:
            _traced(network).save(temporary)
        except torch.onnx.OnnxExporterError as error:
            raise CourseError(
                f"{network.name} cannot be exported: it has an operation that ONNX lacks."
            ) from error
        session = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])
        difference = max(_difference(network, session, *size) for size in ((1, 1), (5, 7)))
        if difference > TOLERANCE:
            raise CourseError(
                f"{Path(target).name} was not written: its results differ from PyTorch's by "
                f"{difference:.2g}, more than {TOLERANCE}."
            )
    return difference


def _exportable(method: Method) -> Network:
    """Return a copy of the method's network on the CPU; refuse methods that need more."""
    if not isinstance(method, NetworkMethod):
        raise CourseError(f"{method.name} cannot be exported: it is not a network.")
    if method.mapper is not None:
        raise CourseError(
            f"{method.name} cannot be exported: with these weights it needs a histogram mapper, "
            "which an ONNX file cannot hold yet; use dual_branch."
        )
    return copy.deepcopy(method.network).cpu()


@torch.no_grad()
def _traced(network: Network) -> "torch.onnx.ONNXProgram":
    """Export the network with dynamic height and width."""
    low = torch.rand(1, 3, 2 * STEP, 3 * STEP)
    argument = next(iter(inspect.signature(network.forward).parameters))
    rows, columns = (torch.export.Dim(name, max=LARGEST // STEP) for name in ("rows", "columns"))
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                (low,),
                dynamo=True,
                dynamic_shapes={argument: {2: STEP * rows, 3: STEP * columns}},
                input_names=["low"],
                output_names=["enhanced"],
            )
    finally:
        logger.setLevel(level)
    assert program is not None  # true with dynamo=True
    return program


@torch.no_grad()
def _difference(network: Network, session: Any, rows: int, columns: int) -> float:
    """Return the largest difference from PyTorch on a random dark image."""
    low = 0.3 * torch.rand(1, 3, STEP * rows, STEP * columns)
    (enhanced,) = session.run(None, {"low": low.numpy()})
    return float(np.abs(enhanced - network(low).numpy()).max())
