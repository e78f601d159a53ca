"""How long every method takes for one image, and how much memory, side by side in one run."""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import torch

from .classical import CLASSICAL
from .errors import CourseError
from .models import create_model, list_models
from .models.cost import count_parameters, gmacs

FLOOR = "clahe"  # the method without a network that all others are set beside


@dataclass(frozen=True)
class InferenceCost:
    """What one method costs for one image.

    Attributes:
        milliseconds: median over the repetitions, on the CPU.
        megabytes: peak resident memory of a process that does nothing else; CLAHE's row shows
            what Python and torch take without a network.
    """

    method: str
    parameters: int
    gmacs: float
    milliseconds: float
    megabytes: float

    def __str__(self) -> str:
        return (
            f"{self.method:26}{self.parameters:12,}{self.gmacs:9.2f}"
            f"{self.milliseconds:10.0f}{self.megabytes:9.0f}"
        )


def bench_inference(width: int = 600, height: int = 400, repeats: int = 7) -> list[InferenceCost]:
    """Measure every network of the course and CLAHE on one image, float32, on this CPU.

    Each runs in a process of its own, so that memory is its own; weights are random.

    Raises:
        CourseError: a size below 16 pixels, or no repetition.
    """
    if min(width, height) < 16 or repeats < 1:
        raise CourseError(f"A bench of {repeats} runs on {width}x{height} pixels is not possible; "
                          "use 16x16 or more, and one run or more.")  # fmt: skip
    costs = []
    for name in (FLOOR, *list_models()):
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as process:
            costs.append(process.submit(measure, name, width, height, repeats).result())
    return sorted(costs, key=lambda cost: cost.milliseconds)


def measure(name: str, width: int, height: int, repeats: int) -> InferenceCost:
    """Cost of one method; call it in a fresh process, or the memory is not its own."""
    image = torch.rand(1, 3, height, width)
    network = create_model(name).eval() if name not in CLASSICAL else None
    method: Callable = network or CLASSICAL[name]
    seconds = []
    with torch.inference_mode():
        method(image)  # not timed: the first call prepares
        for _ in range(repeats):
            start = time.perf_counter()
            method(image)
            seconds.append(time.perf_counter() - start)
    return InferenceCost(
        name,
        count_parameters(network) if network else 0,
        gmacs(network, height, width) if network else 0.0,
        1e3 * statistics.median(seconds),
        peak_megabytes(),
    )


def peak_megabytes() -> float:
    """The most resident memory that this process has had."""
    # Not on Windows, where the rest of the course runs all the same.
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
