"""nbgrader takes the solutions out of every lesson, and grades what comes back.

The right answers to lesson 00 run as a whole. Of what else is handed in, autograding runs the
imports, the answers and the checks, which are all that the points depend on; pytest runs the whole
notebooks elsewhere.
"""

import functools
import os
import re
import sys
from pathlib import Path

import build
import nbformat
import pytest
from builder.solutions import BEGIN, MARKED, exercises
from builder.source import find_check, sources
from nbformat import v4
from test_notebooks import imports_of

from llie_helpers.lessons.checks.exercise import Exercise

pytest.importorskip("nbgrader", reason="nbgrader is not installed")
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

LESSONS = sources()
ASSIGNMENT = "lessons"
STUDENTS = ("right", "wrong")
pytestmark = pytest.mark.slow


def mistaken(code: str, exercise: Exercise) -> str:
    """A solved cell with the first mistake of the exercise that is an edit of its text."""
    solution = "".join(match[0] for match in MARKED.finditer(code))
    for mistake in exercise.mistakes.values():
        edits = () if callable(mistake) else (mistake,) if isinstance(mistake, str) else mistake
        pairs = [edit.split(" => ") for edit in edits]
        if pairs and all(old in solution for old, _ in pairs):
            return MARKED.sub(functools.partial(_edited, pairs=pairs), code)
    return MARKED.sub(r'\1raise ValueError("no idea")', code)


def _edited(match: re.Match, pairs: list[list[str]]) -> str:
    text = match[0]
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def submission(student: str, name: str, solved, released):
    """What a student hands in: the released notebook, with their answers in it.

    The second one makes a mistake in each exercise of the first half, and leaves the rest alone.
    """
    solutions = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in solved.cells
        if BEGIN in cell.source
    }
    whole = student == "right" and name.startswith("00")
    for cell in released.cells:
        key = cell.metadata.get("nbgrader", {}).get("grade_id")
        if key is None and cell.cell_type == "code" and not whole:
            cell.source = imports_of(v4.new_notebook(cells=[cell]))
        if key in solutions:
            code = solutions[key]
            if student == "right":
                cell.source = code
            elif list(solutions).index(key) < len(solutions) // 2:
                cell.source = mistaken(code, find_check(name, key))
    return released


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course in nbgrader: released, with two students' work handed in and graded."""
    with pytest.MonkeyPatch.context() as patch:
        # nbgrader calls a program that was installed with it.
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        yield graded(tmp_path_factory.mktemp("course"))


def graded(root):
    source = root / "source" / ASSIGNMENT
    settings = Config()
    settings.CourseDirectory.root = str(root)
    settings.Execute.timeout = 300
    nbgrader = NbGraderAPI(config=settings)
    build.main(["--instructor", str(source)])
    solved = {name: nbformat.read(source / f"{name}.ipynb", as_version=4) for name in LESSONS}
    _succeed(nbgrader.generate_assignment(ASSIGNMENT))
    for student in STUDENTS:
        folder = root / "submitted" / student / ASSIGNMENT
        folder.mkdir(parents=True)
        for name in LESSONS:
            released = nbformat.read(root / "release" / ASSIGNMENT / f"{name}.ipynb", as_version=4)
            handed_in = submission(student, name, solved[name], released)
            nbformat.write(handed_in, folder / f"{name}.ipynb")
        _succeed(nbgrader.autograde(ASSIGNMENT, student))
    return root


def _succeed(result):
    assert result["success"], result["log"]


@pytest.mark.parametrize("name", LESSONS)
def test_the_release_holds_no_answer(course, name):
    released = nbformat.read(course / "release" / ASSIGNMENT / f"{name}.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in released.cells)
    assert not re.search("<summary>(Hint|Solution)|### (BEGIN|END) SOLUTION", text)
    for key in exercises(nbformat.read(course / "source" / ASSIGNMENT / f"{name}.ipynb", 4).cells):
        check = find_check(name, key)
        assert not any(hint in text for hint in check.hints)
        (answer,) = (
            c.source
            for c in released.cells
            if c.metadata.get("nbgrader", {}).get("grade_id") == key
        )
        assert "raise NotImplementedError()" in answer
        assert check.code not in answer


@pytest.mark.parametrize("name", LESSONS)
@pytest.mark.parametrize("student", STUDENTS)
def test_the_right_answers_alone_earn_points(course, student, name):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grades = book.find_submission_notebook(name, ASSIGNMENT, student).grades
        points = {grade.name: (grade.auto_score, grade.max_score) for grade in grades}
    assert points
    for key, (given, most) in points.items():
        assert most == find_check(name, key.removesuffix("-check")).difficulty
        assert given == (most if student == "right" else 0), key


@pytest.mark.parametrize("name", LESSONS)
def test_a_student_reads_why_there_are_none(course, name):
    file = course / "autograded" / "wrong" / ASSIGNMENT / f"{name}.ipynb"
    cells = nbformat.read(file, as_version=4).cells
    checks = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert len(checks) >= 3
    for number, cell in enumerate(checks):
        verdict = "wrong: " if number < len(checks) // 2 else "not attempted"
        assert verdict in "".join(output.get("text", "") for output in cell.outputs)
