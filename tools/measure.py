"""Run a lesson, and keep what it measures for those who lack the data set or the time.

    LLIE_DATA=FOLDER python tools/measure.py 02_histograms            # on LOL v1
    LLIE_DATA=FOLDER python tools/measure.py 05_residual --quick      # the same, trained shortly
    python tools/measure.py 03_mse_cnn --seeds 1 2 3                  # in the quick profile

The lesson assigns it to a dict ``measured``, which `lessons.measured` reads from the package, with
seeds a dict for each of them. The cells below it are not run.
"""

import argparse
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
from llie_helpers.lessons.lesson import Lesson, T
from llie_helpers.lessons.measured import FOLDER

LOL = "lol_v1"


class OnLol(Lesson):
    """A lesson that runs on LOL v1 in the quick profile, too."""

    def choose(self, *, quick: T, full: T) -> T:
        """Return ``full`` if it is the name of the data set, else what the profile says."""
        return full if full == LOL else super().choose(quick=quick, full=full)


def measure(name: str, *, quick: bool = False, seeds: Sequence[int] = ()) -> None:
    """Write what lesson ``name`` measures.

    Args:
        name: its file name without ".py".
        quick: networks as small and trainings as short as in the quick profile, though on LOL v1.
        seeds: measure with each of them, in the quick profile, in place of LOL v1.

    Raises:
        CourseError: there is no such lesson, or LOL v1 is not in ``$LLIE_DATA``.
    """
    if name not in sources():
        raise unknown_name("lesson", name, sources())
    if seeds:
        measured = {str(seed): run(name, "quick", seed)["measured"] for seed in seeds}
    else:
        found = run(name, "quick" if quick else "full", kind=OnLol)
        measured = found["measured"]
        if found["test"].title != f"{LOL}/test":
            raise CourseError(f"The lesson ran on {found['test'].title}; set LLIE_DATA to LOL v1.")
    with atomic_path(FOLDER / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


def run(name: str, profile: str, seed: int = 0, kind: type[Lesson] = Lesson) -> dict[str, Any]:
    """Run the code of lesson ``name`` until it has measured; return its variables."""
    with tempfile.TemporaryDirectory() as runs:
        os.environ.update(LLIE_PROFILE=profile, LLIE_RUNS=runs)
        found = {"lessons": lessons, "lesson": kind(**vars(lessons.begin(name, seed)))}
        for cell in notebook(sources()[name], repository()).cells:
            setup = "%pip" in cell.source
            if cell.cell_type == "code" and not setup and "measured" not in found:
                exec(cell.source, found)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lesson", help="its file name without .py")
    parser.add_argument("--quick", action="store_true", help="short trainings, though on LOL v1")
    parser.add_argument("--seeds", type=int, nargs="+", default=(), help="in place of LOL v1")
    arguments = parser.parse_args()
    try:
        measure(arguments.lesson, quick=arguments.quick, seeds=arguments.seeds)
    except CourseError as error:
        sys.exit(f"error: {error}")
