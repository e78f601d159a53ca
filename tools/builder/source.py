"""Turn a percent-format source into the cells of a notebook.

A source is plain Python with ``# %%`` and ``# %% [markdown]`` cells (jupytext). Directives are
expanded, solutions are inserted for the instructor, and exercises get nbgrader's metadata.
"""

import functools
import hashlib
import importlib
import inspect
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jupytext
from nbformat import NotebookNode, v4

from llie_helpers.errors import CourseError, unknown_name
from llie_helpers.lessons import recorded
from llie_helpers.lessons.checks.exercise import Exercise

from . import claims, minutes, wording
from .solutions import exercises, with_solution, without_solution

ROOT = Path(__file__).resolve().parents[2]

DIRECTIVE = re.compile(r"^\{\{ *(\w+)(?: +(\w+))? *\}\}$", re.MULTILINE)
# A class or function of the package, to be shown as it is.
SHOWN = re.compile(r"^### SOURCE ([\w.]+)$", re.MULTILINE)
# A note to ruff, which says nothing to a student. What it adds for a reader, after " - ", stays.
FOR_RUFF = re.compile(r"  # noqa: \w+(?: - (?P<told>.*))?$", re.MULTILINE)
# Extras of the package, as pip takes them, that this lesson needs on Colab.
SETUP = re.compile(r"\{\{setup(?: +([\w,]+))?\}\}")


def repository(root: Path = ROOT) -> str:
    """Return the configured address of the course, as OWNER/REPO."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return settings["tool"]["course"]["repository"]


def sources(root: Path = ROOT) -> dict[str, Path]:
    """Return the source of each lesson by name, in the order of the course."""
    found = sorted((root / "notebooks" / "source").glob("[0-9][0-9]_*.py"))
    return {path.stem: path for path in found}


def built_path(source: Path) -> Path:
    """Return the path of a source's notebook, one folder up."""
    return source.parent.parent / f"{source.stem}.ipynb"


def notebook(
    source: Path, address: str, solutions: bool = False, answers: bool = True
) -> NotebookNode:
    """Return the unexecuted notebook of one lesson.

    Args:
        source: the percent-format file.
        address: OWNER/REPO on GitHub, for the badges and the install line.
        solutions: keep the solutions, for the instructor's copy.
        answers: have hints and solutions to unfold below each exercise.

    Raises:
        CourseError: a directive, an exercise or a solution mark is invalid.
    """
    name = source.stem
    cells = unexpanded(source, address)
    _expand_directives(cells, name, answers)
    cells = [cell for cell in cells if cell.source]
    _mark_for_nbgrader(cells, name)
    if not solutions:
        for cell in cells:
            cell.source = without_solution(cell.source)
    _give_ids(cells)
    return v4.new_notebook(cells=cells, metadata=neutral_metadata())


def unexpanded(source: Path, address: str) -> list[NotebookNode]:
    """Return the cells of one lesson with the directives of its exercises as they are.

    A cell ``# %% recorded="unet_1"`` is left out as long as that training is not recorded.
    """
    name = source.stem
    cells = [v4.new_markdown_cell(wording.badges(name, address))]
    for cell in jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent").cells:
        if (training := cell.metadata.get("recorded")) and recorded(training) is None:
            continue
        if setup := SETUP.fullmatch(cell.source.strip()):
            cells.append(v4.new_markdown_cell(wording.setup_note(name, address)))
            cells.append(v4.new_code_cell(wording.setup_code(name, address, setup[1] or "")))
        elif cell.cell_type == "markdown":
            text, claimed = claims.split(cell.source.replace("{{page}}", wording.page(address)))
            metadata = {"claims": claimed} if claimed else {}
            cells.append(v4.new_markdown_cell(text, metadata=metadata))
        else:
            cells.append(_code_cell(cell.source, cell.metadata))
    return cells


def find_check(name: str, exercise: str) -> Exercise:
    """Return the exercise ``exercise`` of lesson ``name``."""
    module = importlib.import_module(f"llie_helpers.lessons.checks.lesson_{name[:2]}")
    known = {key: value for key, value in vars(module).items() if isinstance(value, Exercise)}
    if exercise not in known:
        raise unknown_name(f"exercise in {module.__name__}", exercise, known)
    return known[exercise]


def neutral_metadata() -> dict:
    """Return metadata without versions, so that a rebuild elsewhere changes nothing."""
    return {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def _code_cell(code: str, metadata: Mapping[str, Any]) -> NotebookNode:
    """Return a code cell; tagged ``hide-input``, it is folded under its title.

    JupyterLab folds it by ``source_hidden``, and Colab by its form view.
    """
    tags = metadata.get("tags", [])
    kept: dict[str, Any] = {"tags": tags} if tags else {}
    if "hide-input" in tags:
        if not metadata.get("title"):
            raise CourseError(f"A hidden cell needs a title, `# %% Title tags=[...]`:\n{code}")
        code = f'#@title {metadata["title"]} {{display-mode: "form"}}\n{code}'
        kept |= {"cellView": "form", "jupyter": {"source_hidden": True}}
    code = FOR_RUFF.sub(lambda note: f"  # {note['told']}" if note["told"] else "", code)
    return v4.new_code_cell(SHOWN.sub(_source_of, code), metadata=kept)


def _source_of(match: re.Match) -> str:
    module, _, name = match[1].rpartition(".")
    try:
        return inspect.getsource(getattr(importlib.import_module(module), name)).rstrip()
    except (ImportError, ValueError, AttributeError, TypeError) as error:
        raise CourseError(
            f"{match[0]} names no class or function of a module ({error}); write, for instance, "
            "### SOURCE llie_helpers.models.unet.UNet."
        ) from error


def _expand_directives(cells: list[NotebookNode], name: str, answers: bool) -> None:
    order: list[str] = []
    needed = minutes.table(cells, functools.partial(find_check, name))

    def expand(match: re.Match) -> str:
        directive, exercise = match[1], match[2]
        if match[0] == "{{minutes}}":
            return needed
        if directive not in ("exercise", "answers") or exercise is None:
            raise CourseError(
                f"{name}: {match[0]} is not a directive; expected {{{{exercise NAME}}}}, "
                "{{answers NAME}}, {{claim EXPRESSION}}, {{minutes}} or {{page}}, or {{setup}} "
                "alone in a markdown cell."
            )
        check = find_check(name, exercise)
        if directive == "answers":
            return wording.answers(check) if answers else ""
        order.append(exercise)
        return wording.exercise(len(order), check)

    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = DIRECTIVE.sub(expand, cell.source)
        else:
            cell.source = with_solution(cell.source, functools.partial(find_check, name))


def _mark_for_nbgrader(cells: list[NotebookNode], name: str) -> None:
    """Mark solution cells as editable, and check cells as locked and graded (nbgrader schema 3)."""
    for exercise, (solution, check) in exercises(cells).items():
        common = {"schema_version": 3, "task": False}
        solution.metadata["nbgrader"] = common | {
            "grade": False,
            "grade_id": exercise,
            "locked": False,
            "solution": True,
        }
        check.metadata["nbgrader"] = common | {
            "grade": True,
            "grade_id": f"{exercise}-check",
            "locked": True,
            "points": find_check(name, exercise).difficulty,
            "solution": False,
        }


def _give_ids(cells: list[NotebookNode]) -> None:
    """Derive cell ids from the content, so that editing a cell changes no other id."""
    seen = Counter()
    for cell in cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        cell.id = f"{digest}-{seen[digest]}" if seen[digest] else digest
        seen[digest] += 1
