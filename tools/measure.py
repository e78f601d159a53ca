"""Run a lesson on LOL v1, and keep what it measures for those who have no LOL v1.

    LLIE_DATA=FOLDER python tools/measure.py 02_histograms
    LLIE_DATA=FOLDER python tools/measure.py 05_residual --quick

The lesson assigns it to a dict ``measured``, which `lessons.measured` reads from the package. The
cells below it are not run. With --quick, networks are as small and trainings as short as in the
quick profile.
"""

import json
import os
import sys
import tempfile

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


def measure(name: str, profile: str = "full") -> None:
    """Run the code of lesson ``name`` on LOL v1 and write its measurements."""
    if name not in sources():
        raise unknown_name("lesson", name, sources())
    with tempfile.TemporaryDirectory() as runs:
        os.environ.update(LLIE_PROFILE=profile, LLIE_RUNS=runs)
        found = {"lessons": lessons, "lesson": OnLol(**vars(lessons.begin(name)))}
        for cell in notebook(sources()[name], repository()).cells:
            setup = "%pip" in cell.source
            if cell.cell_type == "code" and not setup and "measured" not in found:
                exec(cell.source, found)
    if found["test"].title != f"{LOL}/test":
        raise CourseError(f"The lesson ran on {found['test'].title}; set LLIE_DATA to LOL v1.")
    with atomic_path(FOLDER / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(found["measured"], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        measure(sys.argv[1], "quick" if "--quick" in sys.argv else "full")
    except CourseError as error:
        sys.exit(f"error: {error}")
