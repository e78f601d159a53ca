"""Check what the text of a lesson claims about its results.

A line ``{{claim EXPRESSION}}`` in a markdown cell is taken out of the text and kept in the cell's
metadata. The builder and nbval evaluate it in the kernel, after the code cells before it.
"""

import ast
import inspect
import re
import reprlib
from collections.abc import Iterator
from typing import Any

from nbformat import NotebookNode

from llie_helpers.errors import CourseError

LINE = re.compile(r"^\{\{ *claim +(.+?) *\}\}$\n?", re.MULTILINE)


def split(text: str) -> tuple[str, list[str]]:
    """Return a markdown text without its claims, and the claims.

    Raises:
        CourseError: a claim is not an expression, or there is no text beside it.
    """
    claims = LINE.findall(text)
    without = re.sub(r"\n{3,}", "\n\n", LINE.sub("", text)).strip()
    for claim in claims:
        try:
            ast.parse(claim, mode="eval")
        except SyntaxError as error:
            raise CourseError(f"The claim {claim} is not an expression: {error}.") from error
        if not without:
            raise CourseError(f"The claim {claim} is alone; put it below the sentence it is about.")
    return without, claims


def after(cells: list[NotebookNode], cell: NotebookNode) -> Iterator[tuple[str, str]]:
    """Yield each claim of the text between ``cell`` and the next code cell, and that text."""
    index = next(i for i, other in enumerate(cells) if other is cell)
    for text in cells[index + 1 :]:
        if text.cell_type == "code":
            return
        for claim in text.metadata.get("claims", ()):
            yield claim, text.source


def probe(claim: str) -> str:
    """Return code that raises an error in the notebook's kernel if ``claim`` does not hold there.

    It leaves no names behind.
    """
    code = f"{inspect.getsource(hold)}\nhold({claim!r}, notebook)"
    imports = "import ast, reprlib\nfrom typing import Any\n"
    return f"exec({imports + code!r}, {{'notebook': globals()}})"


def hold(claim: str, notebook: dict[str, Any]) -> None:
    """Raise an AssertionError with the values in ``claim`` unless it holds in ``notebook``."""
    why = "is false"
    try:
        if eval(claim, notebook):
            return
    except Exception as error:
        why = f"raised {type(error).__name__}: {error}"
    values = {}
    for node in ast.walk(ast.parse(claim.strip(), mode="eval")):
        operands = [node.left, *node.comparators] if isinstance(node, ast.Compare) else [node]
        for part in operands:
            if isinstance(node, ast.Compare | ast.Name) and not isinstance(part, ast.Constant):
                try:
                    value = eval(ast.unparse(part), notebook)
                except Exception:  # a name of a comprehension, or what made the claim fail
                    continue
                if not callable(value) and type(value).__name__ != "module":
                    values[ast.unparse(part)] = reprlib.repr(value)
    told = "".join(f"\n    {name} = {value}" for name, value in values.items())
    raise AssertionError(f"the claim {claim} {why}{told}")


def told(reply: dict[str, Any], text: str) -> str:
    """Return what is wrong, from the kernel's reply to a `probe`, or an empty string."""
    if reply["status"] == "ok":
        return ""
    return f"{reply['evalue']}\n  in the text:\n{text}"
