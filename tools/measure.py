"""Run a lesson, and keep what it measures for those who lack the data set or the time.

    LLIE_DATA=FOLDER python tools/measure.py 02_histograms    # on LOL v1
    python tools/measure.py 03_mse_cnn 1 2 3                  # in the quick profile, with each seed

The lesson assigns it to a dict ``measured``, which `lessons.measured` reads from the package, with
seeds a dict for each of them. The cells below it are not run.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from builder.source import notebook, repository, sources

from llie_helpers import lessons
from llie_helpers.errors import CourseError, unknown_name
from llie_helpers.files import atomic_path
from llie_helpers.lessons.measured import FOLDER


def run(name: str, profile: str, seed: int = 0) -> dict[str, Any]:
    """Run the code of lesson ``name`` until it has measured; return its variables."""
    with tempfile.TemporaryDirectory() as runs:
        os.environ.update(LLIE_PROFILE=profile, LLIE_RUNS=runs)
        found = {"lessons": lessons, "lesson": lessons.begin(name, seed)}
        for cell in notebook(sources()[name], repository()).cells:
            setup = "%pip" in cell.source
            if cell.cell_type == "code" and not setup and "measured" not in found:
                exec(cell.source, found)
    return found


def measure(name: str, seeds: Sequence[int] = ()) -> None:
    """Write what lesson ``name`` measures: on LOL v1, or in the quick profile with each seed."""
    if name not in sources():
        raise unknown_name("lesson", name, sources())
    if seeds:
        measured = {str(seed): run(name, "quick", seed)["measured"] for seed in seeds}
    else:
        found = run(name, "full")
        measured = found["measured"]
        if found["test"].title != "lol_v1/test":
            raise CourseError(f"The lesson ran on {found['test'].title}; set LLIE_DATA to LOL v1.")
    with atomic_path(FOLDER / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        measure(sys.argv[1], [int(seed) for seed in sys.argv[2:]])
    except CourseError as error:
        sys.exit(f"error: {error}")
