"""The public names: they are fast to import, listed in docs/api.md, and its examples run."""

import doctest
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import llie_helpers

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
SECTIONS = re.findall(
    r"^## `([\w.]+)`$(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE
)


@pytest.mark.slow
def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = doctest.testfile(str(PAGE), module_relative=False)
    assert results.failed == 0
    assert results.attempted > 30


@pytest.mark.parametrize(("room", "text"), SECTIONS, ids=[room for room, _ in SECTIONS])
def test_the_page_lists_the_names_of_each_room(room, text):
    listed = re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE)
    for name in listed:
        module, _, attribute = f"{room}.{name}".rpartition(".")
        assert hasattr(import_module(module), attribute), name
    if room != "llie_helpers":
        assert set(getattr(import_module(room), "__all__", ())) <= set(listed)


def test_the_five_functions_are_those_of_the_rooms():
    from llie_helpers.inference import enhance

    assert llie_helpers.enhance is enhance
    assert set(llie_helpers.__all__) <= set(dir(llie_helpers))
    for name in llie_helpers.__all__:
        assert callable(getattr(llie_helpers, name))
    with pytest.raises(AttributeError, match="enhanse"):
        llie_helpers.enhanse  # noqa: B018


def test_the_package_is_imported_in_a_tenth_of_a_second():
    # Time of the processor, not of a clock on the wall: other programs may be running.
    code = """
import sys, time
start = time.process_time()
import llie_helpers
print(time.process_time() - start, "torch" in sys.modules, "numpy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, torch, numpy = done.stdout.split()
    assert float(seconds) < 0.1
    assert (torch, numpy) == ("False", "False")
