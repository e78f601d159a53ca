"""Write the lesson plan and the common mistakes into docs/teachers.md."""

import argparse
import functools
import re

from builder import minutes
from builder.minutes import Part
from builder.source import ROOT, find_check, repository, sources, unexpanded
from marked import between_marks, rewrite

from llie_helpers.lessons.checks.exercise import ALSO

PAGE = ROOT / "docs" / "teachers.md"
WRITTEN = "written by `python tools/teachers.py`"
PLAN = (f"<!-- plan, {WRITTEN} -->", "<!-- end of plan -->")
MISTAKES = (f"<!-- mistakes, {WRITTEN} -->", "<!-- end of mistakes -->")
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def lessons() -> dict[str, tuple[str, dict[str, Part]]]:
    """Return title and parts of each lesson by name."""
    found = {}
    for name, source in sources().items():
        cells = unexpanded(source, repository())
        title = next(m[1] for cell in cells if (m := TITLE.search(cell.source)))
        found[name] = title, minutes.parts(cells, functools.partial(find_check, name))
    return found


def plan() -> str:
    """Return the table of lessons with the minutes of their parts."""
    lines = [
        "| lesson | core path | of which exercises | going deeper | of which exercises |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, (title, parts) in lessons().items():
        cells = [f"[{title}](../notebooks/{name}.ipynb)"]
        for part in (parts["core path"], parts.get("going deeper", Part(0, []))):
            cells += [f"{part.together} min", f"{len(part.exercises)} in {part.solving} min"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def mistakes() -> str:
    """Return the sentences in which the checks name mistakes, by lesson and exercise."""
    lines = []
    for title, parts in lessons().values():
        lines += [f"\n### {title}\n"]
        for exercise in (exercise for part in parts.values() for exercise in part.exercises):
            lines += [f"**{exercise.title}** ({exercise.minutes} min)\n"]
            lines += [f"- {_plain(it)}" for it in exercise.mistakes if ALSO not in it]
            lines += [""]
    return "\n".join(lines)


def _plain(sentence: str) -> str:
    """Return a sentence in markdown, outside of code without marks that have a meaning there."""
    parts = " ".join(sentence.split()).split("`")
    parts[::2] = [re.sub(r"([*_<\[\]\\])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def with_parts(page: str) -> str:
    """Return the page's text with the generated parts as they should be."""
    return between_marks(between_marks(page, PLAN, plan()), MISTAKES, mistakes())


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    rewrite(PAGE, with_parts)
