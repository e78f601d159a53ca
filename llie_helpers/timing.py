"""Measure how long a call takes, and how much memory a process has used."""

import math
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ENOUGH = 10.0  # seconds, after which a measurement is not repeated any more


def median_milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Return the median time of ``call()``, after one warm-up call."""
    call()
    seconds: list[float] = []
    while len(seconds) < repeats and sum(seconds) < ENOUGH:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds)


def peak_megabytes() -> float:
    """Return the peak resident memory of this process; NaN on Windows, which does not tell it."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, whose ru_maxrss starts at that of the process that started this
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024 / 1e6
    try:
        import resource
    except ImportError:
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
