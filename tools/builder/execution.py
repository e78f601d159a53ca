"""Run a notebook so that its outputs are the same on every machine."""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from llie_helpers.errors import CourseError

from . import claims
from .source import neutral_metadata

WIDGET = "application/vnd.jupyter.widget-view+json"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
NOWHERE = "http://127.0.0.1:9"  # the discard port, where nothing listens


@contextlib.contextmanager
def quick_environment() -> Iterator[dict[str, str]]:
    """Yield environment variables for a run on embedded data without network access.

    Data and runs folders are empty, so that no data set, ledger or checkpoint of this machine
    affects the outputs.
    """
    with tempfile.TemporaryDirectory(prefix="llie-") as folder:
        for name in ("data", "runs"):
            Path(folder, name).mkdir()
        proxies = {
            "HTTP_PROXY": NOWHERE,
            "HTTPS_PROXY": NOWHERE,
            "NO_PROXY": "localhost,127.0.0.1",
        }
        yield {
            "LLIE_PROFILE": "quick",
            "LLIE_DATA": f"{folder}/data",
            "LLIE_RUNS": f"{folder}/runs",
            "IPYTHONDIR": f"{folder}/ipython",
            "TQDM_DISABLE": "1",
            **proxies,
            **{name.lower(): value for name, value in proxies.items()},
        }


def execute(notebook: NotebookNode, folder: Path, environment: Mapping[str, str]) -> None:
    """Run every cell of ``notebook`` in a fresh kernel, in ``folder``, and store the outputs.

    Raises:
        CourseError: a cell raised an error, or a widget's callback did, or a claim of the text
            does not hold.
    """

    async def check_claims(cell: NotebookNode, execute_reply: dict, **_: object) -> None:
        if execute_reply["content"]["status"] != "ok":
            return
        for claim, text in claims.after(notebook.cells, cell):
            asked = client.kc.execute(claims.probe(claim), silent=True, stop_on_error=False)
            reply = {}
            while reply.get("parent_header", {}).get("msg_id") != asked:
                reply = await client.kc.get_shell_msg(timeout=client.timeout)
            if wrong := claims.told(reply["content"], text):
                raise CourseError(f"After cell [{cell.execution_count}], {wrong}")

    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
        on_cell_executed=check_claims,
    )
    try:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name != "MPLBACKEND" and not name.startswith("LLIE_")
        }
        client.execute(env={**inherited, **environment})
    except CellExecutionError as error:
        raise CourseError(f"A cell failed: {COLOUR.sub('', str(error))}") from error
    for state in client.widget_state.values():
        for output in state.get("outputs", ()):
            if output["output_type"] == "error":
                raise CourseError(f"A widget failed: {output['ename']}: {output['evalue']}")
    # This also drops the widgets' state, which is useless without the kernel.
    notebook.metadata = neutral_metadata()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _without_widget(output)]


def _without_widget(output: NotebookNode) -> bool:
    """Drop a widget's live view; return whether the output has anything else to show."""
    data = output.get("data", {})
    return data.pop(WIDGET, None) is None or "text/html" in data
