"""State how long a student needs for a lesson: reading, and the minutes of its exercises.

The part under the heading "Going deeper" counts by itself; "Recap" belongs to the core path, and
the list of papers to neither. The code of folded cells is not read.
"""

import re
from collections.abc import Callable, Sequence

from nbformat import NotebookNode

from llie_helpers.lessons.checks.exercise import Exercise

WORDS, LINES = 200, 10  # read in a minute, of text and of code
PARTS = {"going deeper": "going deeper", "recap": "core path", "papers": ""}
HEADING = re.compile(r"^## +(?:\d+\. +)?(.+)$")
POSED = re.compile(r"^\{\{ *exercise +(\w+) *\}\}$")
WORD = re.compile(r"\w[\w'-]*")


def table(cells: Sequence[NotebookNode], find: Callable[[str], Exercise]) -> str:
    """Return a table in markdown, from cells whose directives are not yet expanded."""
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
                posed.setdefault(part, []).append(find(exercise[1]).minutes)
            else:
                reading[part] = reading.get(part, 0) + len(WORD.findall(line)) / WORDS
    rows = ["| for you | reading | exercises | together |", "| --- | --- | --- | --- |"]
    for part, minutes in reading.items():
        if part:
            each = posed.get(part, [])
            exercises = f"{len(each)} in {sum(each)} minutes" if each else "none"
            whole = round(minutes) + sum(each)
            rows.append(f"| {part} | {minutes:.0f} minutes | {exercises} | {whole} minutes |")
    return "\n".join(rows)
