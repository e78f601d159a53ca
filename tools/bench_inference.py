"""How long every method takes for one image, and how much memory, side by side in one run."""

import math
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from llie_helpers.errors import CourseError
from llie_helpers.inference.export import STEP, export_onnx
from llie_helpers.methods.classical import CLASSICAL
from llie_helpers.models import create_model, list_models
from llie_helpers.models.cost import count_parameters, gmacs

FLOOR = "clahe"  # the method without a network that all others are set beside


@dataclass(frozen=True)
class InferenceCost:
    """What one method costs for one image.

    Attributes:
        milliseconds: median over the repetitions, on the CPU.
        megabytes: peak resident memory of a process that does nothing else; CLAHE's row shows
            what Python and torch take without a network.
        onnx: milliseconds and megabytes of the same network in onnxruntime, for the smallest
            multiples of 64 that hold the image; None where ONNX lacks an operation.
    """

    method: str
    parameters: int
    gmacs: float
    milliseconds: float
    megabytes: float
    onnx: tuple[float, float] | None = None

    def __str__(self) -> str:
        onnx = "".join(f"{number:9.0f}" for number in self.onnx) if self.onnx else f"{'-':>9}" * 2
        return (
            f"{self.method:26}{self.parameters:12,}{self.gmacs:9.2f}"
            f"{self.milliseconds:9.0f}{self.megabytes:9.0f}{onnx}"
        )


def bench_inference(width: int = 600, height: int = 400, repeats: int = 7) -> list[InferenceCost]:
    """Measure every network of the course and CLAHE on one image, float32, on this CPU.

    Each runs in processes of its own, so that memory is its own; weights are random.

    Raises:
        CourseError: a size below 16 pixels, or no repetition.
    """
    if min(width, height) < 16 or repeats < 1:
        raise CourseError(f"A bench of {repeats} runs on {width}x{height} pixels is not possible; "
                          "use 16x16 or more, and one run or more.")  # fmt: skip
    costs = [alone(measure, FLOOR, width, height, repeats)]
    for name in list_models():
        cost = alone(measure, name, width, height, repeats)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.onnx"
            exported = alone(export, name, file)
            onnx = alone(measure_onnx, file, width, height, repeats) if exported else None
        costs.append(replace(cost, onnx=onnx))
    return sorted(costs, key=lambda cost: cost.milliseconds)


def alone(function: Callable, *arguments):
    """The result of ``function(*arguments)`` in a fresh process, whose memory is its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as process:
        return process.submit(function, *arguments).result()


def measure(name: str, width: int, height: int, repeats: int) -> InferenceCost:
    """Cost of one method in PyTorch; in a fresh process, or the memory is not its own."""
    image = torch.rand(1, 3, height, width)
    network = create_model(name).eval() if name not in CLASSICAL else None
    method: Callable = network or CLASSICAL[name]
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
    """Write network ``name`` as ONNX; False if that is not possible."""
    try:
        export_onnx(create_model(name).eval(), file)
    except CourseError:
        return False
    return True


def measure_onnx(file: Path, width: int, height: int, repeats: int) -> tuple[float, float]:
    """Milliseconds and peak megabytes of an exported network, in a process without PyTorch's."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    height, width = (-(-side // STEP) * STEP for side in (height, width))
    low = {"low": torch.rand(1, 3, height, width).numpy()}
    return median_milliseconds(lambda: session.run(None, low), repeats), peak_megabytes()


def median_milliseconds(call: Callable, repeats: int) -> float:
    """Median time of ``call()``, after one that prepares and is not counted.

    It is repeated no further once ten seconds have passed.
    """
    call()
    seconds: list[float] = []
    while len(seconds) < repeats and sum(seconds) < 10:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds)


def peak_megabytes() -> float:
    """The most resident memory that this process has had; NaN on Windows, which does not say."""
    try:
        import resource
    except ImportError:
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
