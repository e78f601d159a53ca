"""The solution of an exercise: found in its cell, cut out, and compared with a reference."""

import ast
import re

from nbformat import NotebookNode

from llie_helpers.errors import CourseError

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
SOLUTION = re.compile(rf"^([ \t]*){BEGIN}\n.*?^[ \t]*{END}[ \t]*$", re.DOTALL | re.MULTILINE)
CHECK_CALL = re.compile(r"^check\.(\w+)\(", re.MULTILINE)


def without_solution(code: str, name: str = "") -> str:
    """``code`` with its marked solutions replaced by what a student starts from.

    Inside a function that is ``raise NotImplementedError``. Outside of one, where an
    answer is a value, ``answer = 0.5`` becomes ``answer = ...``, so that Run-all goes on.
    """
    code = SOLUTION.sub(_stub, code)
    if BEGIN in code or END in code:
        raise CourseError(f"{name}: a {BEGIN!r} or {END!r} stands without its partner.")
    return code


def _stub(match: re.Match) -> str:
    if match[1]:
        return f"{match[1]}raise NotImplementedError"
    lines = match[0].splitlines()[1:-1]
    assigned = [node for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.Assign)]
    if not assigned:
        raise CourseError(f"A solution outside of a function must assign a value:\n{match[0]}")
    return "\n".join(f"{' = '.join(map(ast.unparse, node.targets))} = ..." for node in assigned)


def exercises(cells: list[NotebookNode]) -> dict[str, tuple[NotebookNode, NotebookNode]]:
    """The solution cell and the check cell of each exercise, by the exercise's name."""
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


def same_code(one: str, other: str) -> bool:
    """Whether two definitions do the same by their syntax trees.

    The function's own name, annotations, docstrings and comments may differ.
    """
    return _essence(one) == _essence(other)


def _essence(code: str) -> str:
    tree = ast.parse(code)
    definitions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    own_name = definitions[-1].name
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
            node.name = "_" if node.name == own_name else node.name
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.Name) and node.id == own_name:
            node.id = "_"
    return "\n".join(ast.unparse(node) for node in definitions)
