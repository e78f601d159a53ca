"""Insert, remove and find the solutions of exercises."""

import ast
import re
import textwrap
from collections.abc import Callable

from nbformat import NotebookNode

from llie_helpers.errors import CourseError
from llie_helpers.lessons.checks.exercise import Exercise, code_of

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
MARKED = re.compile(rf"^([ \t]*){BEGIN}\n.*?^[ \t]*{END}[ \t]*$", re.DOTALL | re.MULTILINE)
# In a source: a line of a function, of a method if the answer is a class (``name.method``), or
# after ``name = ...`` if the answer is a value.
DIRECTIVE = re.compile(
    r"^([ \t]*)(?:(\w+) = \.\.\. +)?### SOLUTION (\w+)(?:\.(\w+))?$", re.MULTILINE
)
CHECK_CALL = re.compile(r"^(?:\w+ = )?check\.(\w+)\(", re.MULTILINE)


def with_solution(code: str, find: Callable[[str], Exercise]) -> str:
    """Return ``code`` with each ``### SOLUTION name`` replaced by the solution of that exercise.

    The solution is put between nbgrader's marks.
    """

    def expand(match: re.Match) -> str:
        indent, answer, name, method = match.groups()
        body = code_of(getattr(find(name).reference, method)) if method else find(name).code
        if answer:
            body = re.sub(r"^return ", f"{answer} = ", body, flags=re.MULTILINE)
        return textwrap.indent(f"{BEGIN}\n{body}\n{END}", indent)

    return DIRECTIVE.sub(expand, code)


def without_solution(code: str) -> str:
    """Return ``code`` with its marked solutions replaced by what a student starts from.

    Inside a function, this is ``raise NotImplementedError``. Elsewhere, ``answer = 0.5`` becomes
    ``answer = ...``, so that the notebook still runs.
    """
    return MARKED.sub(_stub, code)


def _stub(match: re.Match) -> str:
    if match[1]:
        return f"{match[1]}raise NotImplementedError"
    lines = match[0].splitlines()[1:-1]
    assigned = [node for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.Assign)]
    return "\n".join(f"{' = '.join(map(ast.unparse, node.targets))} = ..." for node in assigned)


def exercises(cells: list[NotebookNode]) -> dict[str, tuple[NotebookNode, NotebookNode]]:
    """Return the solution cell and the check cell of each exercise, by the exercise's name."""
    found, pending = {}, None
    for cell in cells:
        if cell.cell_type != "code":
            continue
        called = CHECK_CALL.search(cell.source)
        if pending is not None:
            if called is None:
                raise CourseError(
                    "The code cell after an exercise must call check.NAME(...), but the one after "
                    f"this exercise does not:\n{pending.source}"
                )
            found[called[1]] = (pending, cell)
        pending = cell if BEGIN in cell.source else None
    if pending is not None:
        raise CourseError(f"No cell checks this exercise:\n{pending.source}")
    return found
