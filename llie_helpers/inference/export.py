"""Networks as ONNX files, for phones, browsers and programs without PyTorch."""

import contextlib
import inspect
import io
import logging
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.models.dual_branch import DualBranch, ExposureEstimator

STEP = 64  # height and width of an image must be multiples of this
TOLERANCE = 1e-3


def export_onnx(network: nn.Module, target: str | os.PathLike) -> float:
    """Write ``network`` as ONNX and compare it with PyTorch on two sizes.

    The file maps ``low`` to ``enhanced``, both float32 ``(1, 3, H, W)`` in [0, 1], where H and
    W are multiples of 64 up to 12,800; whoever uses it mirrors an image at its border to such
    a size.

    Args:
        network: from `models.create_model`, in eval mode.

    Returns:
        The largest absolute difference between both.

    Raises:
        CourseError: the packages for it are missing, the network holds an operation that ONNX
            lacks, or the two differ by more than 0.001; nothing is written then.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401 - what torch.onnx needs
    except ImportError as error:
        raise CourseError(
            "ONNX needs two more packages: run `pip install onnxruntime onnxscript`."
        ) from error
    with atomic_path(target) as temporary:
        try:
            estimated = isinstance(network, DualBranch)
            program(OpenSize(network) if estimated else network).save(temporary)
        except torch.onnx.OnnxExporterError as error:
            raise CourseError(
                f"{network.name} cannot be exported: it holds an operation that ONNX lacks."
            ) from error
        session = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])
        difference = max(compared(network, session, *size) for size in ((1, 1), (5, 7)))
        if difference > TOLERANCE:
            raise CourseError(
                f"{Path(target).name} was not written: its results differ from PyTorch's by "
                f"{difference:.2g}, more than {TOLERANCE}."
            )
    return difference


class OpenSize(nn.Module):
    """`DualBranch` with its thumbnail made by two matrix products.

    ONNX's pooling has a fixed kernel, so it cannot make 64x64 of images of any size.
    """

    def __init__(self, network: DualBranch):
        super().__init__()
        self.network = network

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        down, across = (shares(side) for side in low.shape[-2:])
        thumbnail = down @ low @ across.T
        return self.network(low, self.network.prepare(thumbnail))


def shares(length: int, side: int = ExposureEstimator.SIDE) -> torch.Tensor:
    """``(side, length)``: which pixels each pixel of a thumbnail is the mean of."""
    i, pixel = torch.arange(side)[:, None], torch.arange(length)
    first, end = i * length // side, ((i + 1) * length + side - 1) // side
    inside = ((pixel >= first) & (pixel < end)).float()
    return inside / inside.sum(dim=1, keepdim=True)


@torch.no_grad()
def program(network: nn.Module) -> "torch.onnx.ONNXProgram":
    """The network traced with sizes left open."""
    low = torch.rand(1, 3, 2 * STEP, 3 * STEP)
    argument = next(iter(inspect.signature(network.forward).parameters))
    rows, columns = (torch.export.Dim(name, max=200) for name in ("rows", "columns"))
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return torch.onnx.export(
                network,
                (low,),
                dynamo=True,
                dynamic_shapes={argument: {2: STEP * rows, 3: STEP * columns}},
                input_names=["low"],
                output_names=["enhanced"],
            )
    finally:
        logging.getLogger("torch.onnx").setLevel(level)


@torch.no_grad()
def compared(network: nn.Module, session, rows: int, columns: int) -> float:
    """The largest difference between both on a random dark image."""
    low = 0.3 * torch.rand(1, 3, STEP * rows, STEP * columns)
    (enhanced,) = session.run(None, {"low": low.numpy()})
    return float(np.abs(enhanced - network(low).numpy()).max())
