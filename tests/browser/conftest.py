"""JupyterLab in Chromium, for the tests of this folder."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from builder import execution
from builder.source import built_path, sources

LONGEST = 300  # seconds, after which a condition is taken for one that never holds
OUTPUTS = ".jp-Cell-outputArea"
# The news of JupyterLab would be a dialogue in front of the notebook.
SETTINGS = {"apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False}}


def wait_until(condition: Callable[[], Any]) -> Any:
    """Return the first true value of ``condition``."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.1)
    raise TimeoutError(f"{condition} did not hold within {LONGEST} s")


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """A folder with a notebook of every widget, as executed and stored, and the ten lessons."""
    folder = tmp_path_factory.mktemp("notebooks")
    small = jupytext.read(Path(__file__).with_name("widgets.py"), fmt="py:percent")
    small.metadata = execution.neutral_metadata()
    with execution.quick_environment() as environment:
        execution.execute(small, folder, environment)
    for name in ("widgets", "stored"):  # the second is never run, so never trusted
        nbformat.write(small, folder / f"{name}.ipynb")
    for source in sources().values():
        built = built_path(source)
        (folder / built.name).write_bytes(built.read_bytes())
    return folder


@pytest.fixture(scope="session")
def server(folder, tmp_path_factory) -> Iterator[str]:
    """The address of a JupyterLab in ``folder``."""
    home = tmp_path_factory.mktemp("jupyter")
    for name, values in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values))
    places = {
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
    }
    with serving(["jupyterlab", "--expose-app-in-browser"], folder, home, places) as address:
        yield address


@pytest.fixture(scope="session")
def serve() -> Callable:
    """The function `serving`, for tests of other applications."""
    return serving


@contextmanager
def serving(
    application: list[str], folder: Path, home: Path, environment: dict[str, str]
) -> Iterator[str]:
    """Yield the address of a Jupyter application in ``folder``, whose own files are in ``home``."""
    kinds = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    places = {f"JUPYTER_{kind}": str(home / kind.lower()) for kind in kinds}
    command = [sys.executable, "-m", *application, "--no-browser", "--allow-root", "--port=0"]
    command.append("--IdentityProvider.token=")
    with (home / "log.txt").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | places | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield wait_until(lambda: _address(Path(places["JUPYTER_RUNTIME_DIR"])))
    finally:
        process.terminate()
        process.wait()


def _address(runtime: Path) -> str:
    """Return the address of the server that answers, or an empty string."""
    for file in runtime.glob("jpserver-*.json"):
        try:
            address = json.loads(file.read_text())["url"]
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{address}api")
        except (ValueError, urllib.error.URLError):
            return ""
        return address
    return ""


class Notebook:
    """A notebook that is open in JupyterLab, alone; ``page`` is Playwright's."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def run_all(self) -> None:
        """Run all cells, and wait until what they show is on the page."""
        self.attach()
        self.page.evaluate(
            "async () => { await jupyterapp.shell.currentWidget.sessionContext.ready;"
            " await jupyterapp.commands.execute('notebook:run-all-cells') }"
        )
        self.wait("!document.body.textContent.includes('Loading widget')")
        self.settle()

    def attach(self) -> None:
        """Wait until all cells are on the page, which JupyterLab adds when it is idle."""
        self.wait(
            "jupyterapp.shell.currentWidget.content.widgets.every("
            "(cell) => cell.isAttached && !cell.isPlaceholder())"
        )

    def settle(self) -> None:
        """Wait until every picture of the outputs is loaded."""
        self.wait(f"[...document.querySelectorAll('{OUTPUTS} img')].every((i) => i.complete)")

    def wait(self, condition: str) -> None:
        """Wait until an expression in JavaScript is true."""
        self.page.wait_for_function(condition, timeout=LONGEST * 1000)

    def errors(self) -> list[str]:
        """Return the texts of errors in the outputs."""
        shown = (
            f"{OUTPUTS} [data-mime-type='application/vnd.jupyter.error'], {OUTPUTS} .jp-mod-error"
        )
        return self.page.locator(shown).all_inner_texts()

    def broken_images(self) -> int:
        """Return how many pictures of the notebook cannot be shown."""
        images = "[...document.querySelectorAll('.jp-Notebook img[src^=\"data:\"]')]"
        return self.page.evaluate(f"{images}.filter((i) => !i.naturalWidth).length")

    def too_wide(self) -> list[str]:
        """Return the classes and texts of what would scroll sideways.

        Code and formulas may, and so may the texts of badges, which no network brings here.
        """
        parts = ".jp-WindowedPanel-outer, .jp-OutputArea-output, .jp-RenderedMarkdown"
        missing = "[...e.querySelectorAll('img')].some((i) => !i.naturalWidth)"
        wide = (
            "[...e.querySelectorAll('*')].some((part) => !part.closest('pre, code, mjx-container')"
            " && part.getBoundingClientRect().right > e.getBoundingClientRect().right + 1)"
        )
        return self.page.evaluate(
            f"[...document.querySelectorAll('{parts}')].filter((e) => e.scrollWidth > e.clientWidth"
            f" + 1 && {wide} && !({missing})).map((e) => `${{e.className}}: ${{e.textContent}}`)"
        )

    def serious(self) -> list[tuple[str, list[str]]]:
        """Return the rules that the outputs break seriously, as axe-core judges, and where."""
        # ipywidgets gives the handles of its sliders no name.
        parts = {"include": [OUTPUTS], "exclude": [".noUi-handle"]}
        return [
            (rule["id"], [node["html"] for node in rule["nodes"]])
            for rule in Axe().run(self.page, context=parts).response["violations"]
            if rule["impact"] in ("serious", "critical")
        ]

    def place(self) -> list:
        """Return how far the page is scrolled, the active cell, and how many cells are in view."""
        return self.page.evaluate(
            "() => { const content = jupyterapp.shell.currentWidget.content;"
            " const visible = content.widgets.filter((cell) => !cell.isHidden).length;"
            " return [content.outerNode.scrollTop, content.activeCellIndex, visible] }"
        )


@pytest.fixture(scope="module")
def opened(server, browser) -> Callable:
    """Open a notebook of the folder in a page of its own, a context manager."""

    @contextmanager
    def show(name: str, dark: bool = False, **options: Any) -> Iterator[Notebook]:
        with browser.new_context(**options) as context:
            page = context.new_page()
            page.goto(f"{server}doc/tree/{name}.ipynb")
            panel = "jupyterapp.shell.currentWidget"
            page.wait_for_function(f"window.jupyterapp && {panel}?.content?.widgets?.length > 1")
            page.evaluate(f"{panel}.context.ready.then(() => true)")
            if dark:
                page.evaluate(
                    "jupyterapp.commands.execute('apputils:change-theme',"
                    " {theme: 'JupyterLab Dark'})"
                )
                page.locator("[data-jp-theme-name='JupyterLab Dark']").wait_for(state="attached")
            yield Notebook(page)

    return show
