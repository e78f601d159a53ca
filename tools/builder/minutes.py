"""State how long a student needs for a lesson: reading, and the minutes of its exercises.

The part under the heading "Going deeper" counts by itself; "Recap" belongs to the core path, and
the list of papers to neither. The code of folded cells is not read.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from nbformat import NotebookNode

from llie_helpers.lessons.checks.exercise import Exercise

WORDS, LINES = 200, 10  # read in a minute, of text and of code
PARTS = {"going deeper": "going deeper", "recap": "core path", "papers": ""}
HEADING = re.compile(r"^## +(?:\d+\. +)?(.+)$")
POSED = re.compile(r"^\{\{ *exercise +(\w+) *\}\}$")
WORD = re.compile(r"\w[\w'-]*")


class Part(NamedTuple):
    """A part of a lesson: minutes of reading, and its exercises."""

    reading: float
    exercises: list[Exercise]

    @property
    def solving(self) -> int:
        """Return the minutes of all exercises."""
        return sum(exercise.minutes for exercise in self.exercises)

    @property
    def together(self) -> int:
        """Return the minutes of reading and exercises."""
        return round(self.reading) + self.solving


def parts(cells: Sequence[NotebookNode], find: Callable[[str], Exercise]) -> dict[str, Part]:
    """Return the parts of a lesson by name, from cells whose directives are not yet expanded."""
    reading, posed = {"core path": 0.0}, {}
    part = "core path"
    for cell in cells:
        if cell.cell_type == "code":
            folded = "hide-input" in cell.metadata.get("tags", ())
            lines = 0 if folded else sum(bool(line.strip()) for line in cell.source.splitlines())
            reading[part] = reading.get(part, 0) + lines / LINES
            continue
        for line in cell.source.splitlines():
            if heading := HEADING.match(line):
                part = PARTS.get(heading[1].strip().lower(), part)
            if exercise := POSED.match(line):
                posed.setdefault(part, []).append(find(exercise[1]))
            elif not line.startswith("{{"):
                reading[part] = reading.get(part, 0) + len(WORD.findall(line)) / WORDS
    return {part: Part(minutes, posed.get(part, [])) for part, minutes in reading.items() if part}


def table(cells: Sequence[NotebookNode], find: Callable[[str], Exercise]) -> str:
    """Return a table in markdown, from cells whose directives are not yet expanded."""
    # One column for each part, because the table has to fit a phone.
    columns = [["minutes for you", "---", "reading", "exercises", "together"]]
    for name, part in parts(cells, find).items():
        reading, solving = f"{part.reading:.0f}", f"{part.solving} for {len(part.exercises)}"
        posed = solving if part.exercises else "none"
        columns.append([name, "---", reading, posed, str(part.together)])
    return "\n".join(f"| {' | '.join(row)} |" for row in zip(*columns, strict=True))
