"""How long a call takes, and how much memory a process has used."""

import math
import statistics
import sys
import time
from collections.abc import Callable

ENOUGH = 10.0  # seconds, after which a measurement is repeated no further


def median_milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Return the median time of ``call()`` after one call that warms up and is not counted."""
    call()
    seconds: list[float] = []
    while len(seconds) < repeats and sum(seconds) < ENOUGH:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds)


def peak_megabytes() -> float:
    """Return the most resident memory that this process has had; NaN on Windows, which hides it."""
    try:
        import resource
    except ImportError:
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
