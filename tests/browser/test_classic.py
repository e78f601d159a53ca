"""Every widget in classic Notebook, under the IPython and ipywidgets that Colab has."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

LONGEST = 300_000  # milliseconds
COLAB = Path(__file__).parents[2] / ".ci" / "colab.txt"
# Classic Notebook, its side of the widgets, and what IPython 7 and ipywidgets 7 need.
CLASSIC = (
    "nbclassic==1.3.3", "notebook-shim==0.2.4", "widgetsnbextension==3.6.10", "pickleshare==0.7.5",
    "backcall==0.2.0", "ipython-genutils==0.2.0",
)  # fmt: skip
OUTPUT = ".output"
# Each slider: which of the elements that take keys.
SLIDERS = {
    "before and after": (".llie-cut", 0),
    "frames": ("figure.llie-slider input", 0),
    "gain": (".ui-slider-handle", 0),
    "steps": (".ui-slider-handle", 1),
    "exposure": (".ui-slider-handle", 2),
    "strength": (".ui-slider-handle", 3),
    "workshop": (".llie-cut", 1),
}
# What the output of a slider shows: its pictures, and how much of them. The slider is looked for
# each time, because a picture that changes takes the line across it along.
SHOWN = f"""([name, index]) => {{
    const slider = document.querySelectorAll(name)[index];
    return slider && JSON.stringify(
        [...slider.closest('{OUTPUT}').querySelectorAll('img')].map(
            (i) => [i.checkVisibility() && i.src, i.parentElement.style.width])) }}"""
pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def classic(tmp_path_factory):
    """A folder with classic Notebook and Colab's versions, to be put before the environment."""
    folder = tmp_path_factory.mktemp("classic")
    pins = [line for line in COLAB.read_text().split() if line.startswith(("ipython=", "ipywid"))]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    proxies = {name: "" for name in os.environ if name.lower() in ("http_proxy", "https_proxy")}
    found = subprocess.run([*command, folder, *pins, *CLASSIC], env=os.environ | proxies)
    if found.returncode:
        pytest.skip("the packages cannot be installed")
    return folder


@pytest.fixture(scope="module")
def notebook(classic, folder, serve, browser, tmp_path_factory):
    """The notebook of all widgets in classic Notebook, after Run All."""
    places = {
        "PYTHONPATH": str(classic),
        "JUPYTER_PATH": str(classic / "share" / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(classic / "etc" / "jupyter"),
    }
    home = tmp_path_factory.mktemp("home")
    with (
        serve(["nbclassic"], folder, home, places) as address,
        browser.new_context(viewport={"width": 1280, "height": 900}) as context,
    ):
        page = context.new_page()
        beside_notebook_7 = "nbclassic/" if importlib.util.find_spec("notebook") else ""
        # Views that arrive before it has looked for earlier widgets are not shown.
        with page.expect_console_message(lambda it: "jupyter.widget.control" in it.text):
            page.goto(f"{address}{beside_notebook_7}notebooks/widgets.ipynb")
        page.wait_for_function("window.Jupyter?.notebook?.kernel?.is_connected()")
        page.evaluate("Jupyter.notebook.execute_all_cells()")
        idle = "Jupyter.notebook.get_cells().every((c) => !c.element.hasClass('running'))"
        page.wait_for_function(f"!Jupyter.notebook.kernel_busy && {idle}", timeout=LONGEST)
        yield page


def test_all_cells_run_and_show_what_they_should(notebook):
    assert notebook.locator(f"{OUTPUT} .output_error").all_inner_texts() == []
    pictures = f"[...document.querySelectorAll('{OUTPUT} img')]"
    notebook.wait_for_function(f"{pictures}.every((i) => i.complete && i.naturalWidth)")
    assert notebook.locator(".llie-asleep:visible").count() == 0


@pytest.mark.parametrize("name", SLIDERS)
def test_a_slider_obeys_the_keys(notebook, name):
    selector, index = SLIDERS[name]
    slider = notebook.locator(selector).nth(index)
    slider.press("Home")
    for key in ("End", "Home", "ArrowRight"):  # and not left at 0, where others change nothing
        before = notebook.evaluate(SHOWN, SLIDERS[name])
        slider.press(key)
        changed = f"([slider, before]) => ![before, undefined].includes(({SHOWN})(slider))"
        notebook.wait_for_function(changed, arg=[SLIDERS[name], before])
