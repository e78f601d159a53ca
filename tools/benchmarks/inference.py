"""Measure time and memory of every network for one image."""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import alone
from llie_helpers.errors import CourseError
from llie_helpers.images import SMALLEST
from llie_helpers.inference.export import export_onnx
from llie_helpers.methods.classical import clahe
from llie_helpers.models import create_model
from llie_helpers.models.cost import count_parameters, gmacs
from llie_helpers.tables import Table
from llie_helpers.timing import median_milliseconds, peak_megabytes

REFERENCE = "clahe"  # the classical method that networks are compared with


@dataclass(frozen=True)
class InferenceCost:
    """The cost of one method for one image.

    Attributes:
        milliseconds: median over the repetitions, on the CPU.
        megabytes: peak resident memory of its process; for CLAHE, that of Python and torch.
        onnx: milliseconds and megabytes in onnxruntime; None if ONNX lacks an operation.
    """

    method: str
    parameters: int
    gmacs: float
    milliseconds: float
    megabytes: float
    onnx: tuple[float, float] | None = None


def bench_inference(
    names: Sequence[str], width: int, height: int, repeats: int
) -> list[InferenceCost]:
    """Measure networks with random weights, and CLAHE, on one image, float32, on the CPU.

    Each runs in a process of its own.

    Raises:
        CourseError: a side is below 16 pixels, or ``repeats`` below 1.
    """
    if min(width, height) < SMALLEST or repeats < 1:
        raise CourseError(
            f"{repeats} repetitions on {width}x{height} pixels are not possible; use at least "
            f"one, and {SMALLEST}x{SMALLEST} pixels or more."
        )
    costs = [alone(measure, REFERENCE, width, height, repeats)]
    for name in names:
        cost = alone(measure, name, width, height, repeats)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.onnx"
            exported = alone(export, name, file)
            onnx = alone(measure_onnx, file, width, height, repeats) if exported else None
        costs.append(replace(cost, onnx=onnx))
    return sorted(costs, key=lambda cost: cost.milliseconds)


def cost_table(costs: Sequence[InferenceCost]) -> Table:
    """Return one row per method."""
    header = ["method", "parameters", "GMACs", "ms", "MB", "ms in onnxruntime", "MB in onnxruntime"]
    rows = []
    for cost in costs:
        measured = (cost.milliseconds, cost.megabytes, *(cost.onnx or (math.nan, math.nan)))
        numbers = ["-" if math.isnan(number) else f"{number:.0f}" for number in measured]
        rows.append([cost.method, f"{cost.parameters:,}", f"{cost.gmacs:.2f}", *numbers])
    return Table(header, rows)


def measure(name: str, width: int, height: int, repeats: int) -> InferenceCost:
    """Measure one method in PyTorch, in this process."""
    image = torch.rand(1, 3, height, width)
    network = None if name == REFERENCE else create_model(name).eval()
    method: Callable = network or clahe
    with torch.inference_mode():
        milliseconds = median_milliseconds(lambda: method(image), repeats)
    return InferenceCost(
        name,
        count_parameters(network) if network else 0,
        gmacs(network, height, width) if network else 0.0,
        milliseconds,
        peak_megabytes(),
    )


def export(name: str, file: Path) -> bool:
    """Write network ``name`` as ONNX; return whether that is possible."""
    try:
        export_onnx(create_model(name).eval(), file)
    except CourseError:
        return False
    return True


def measure_onnx(file: Path, width: int, height: int, repeats: int) -> tuple[float, float]:
    """Return milliseconds and peak megabytes of an exported network."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    low = torch.rand(1, 3, height, width).numpy()
    fed = {"low": low, "exposure": np.array(0, "f4"), "strength": np.array(1, "f4")}
    return median_milliseconds(lambda: session.run(None, fed), repeats), peak_megabytes()
