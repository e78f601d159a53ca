"""Find the problems of a built notebook."""

import json
import re

from nbformat import NotebookNode

LARGEST_FILE = 2_000_000
LARGEST_OUTPUT = 700_000
LOCAL_PATH = re.compile(r"/(?:home|work|tmp|root|Users|var/folders)/|[A-Z]:\\\\Users")
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,}")


def problems(notebook: NotebookNode) -> list[str]:
    """Return the reasons why ``notebook`` must not be published, if any."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    found = []
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        found.append(f"cells were not executed from top to bottom in one go (counts {counts})")
    if not outputs:
        found.append("it ran nothing: no cell has an output")
    if "widgets" in notebook.metadata:
        found.append("it stores the state of widgets")
    for cell in code:
        for output in cell.outputs:
            wrong = _output_problem(output)
            if wrong:
                found.append(f"cell [{cell.execution_count}] {wrong}")
    size = len(json.dumps(notebook))
    if size > LARGEST_FILE:
        found.append(f"it has {size:,} bytes; at most {LARGEST_FILE:,} are allowed")
    return found


def _output_problem(output: NotebookNode) -> str:
    text = json.dumps({key: value for key, value in output.items() if key != "data"})
    text += json.dumps(
        {kind: data for kind, data in output.get("data", {}).items() if kind.startswith("text/")}
    )
    if output.output_type == "error":
        return f"stores an error: {output.ename}: {output.evalue}"
    if output.get("name") == "stderr":
        return f"writes to standard error: {output.text[:200]}"
    if path := LOCAL_PATH.search(_without_images(text)):
        return f"shows a path of the machine that built it: ...{path[0]}..."
    if address := ADDRESS.search(text):
        return f"shows a memory address, which changes with each run:{address[0]}"
    size = len(json.dumps(output))
    if size > LARGEST_OUTPUT:
        return f"stores an output of {size:,} bytes; at most {LARGEST_OUTPUT:,} are allowed"
    return ""


def _without_images(text: str) -> str:
    """Remove base64 images, which may contain a path by chance."""
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)


def drift(committed: NotebookNode, regenerated: NotebookNode) -> str:
    """Return how a notebook differs from its source, or an empty string."""
    old, new = committed.cells, regenerated.cells
    for number, (was, becomes) in enumerate(zip(old, new, strict=False)):
        for part in ("cell_type", "source", "metadata", "id"):
            if was[part] != becomes[part]:
                start = becomes.source[:200]
                return f"the {part} of cell {number} differs from its source:\n{start}"
    if len(old) != len(new):
        return f"it has {len(old)} cells and its source {len(new)}"
    if committed.metadata != regenerated.metadata:
        return "its metadata were changed"
    return ""
