"""All tests run in the quick profile, on embedded data and without a network.

This file is at the root, not in tests/, because the kernels that nbval starts for the
notebooks inherit the environment that it sets.
"""

import contextlib
import os
import tempfile
from pathlib import Path

import matplotlib
import pytest
from builder import claims
from builder.execution import quick_environment
from nbval.plugin import IPyNbCell

# Each takes about a gigabyte.
WORKERS = 2


def pytest_xdist_auto_num_workers(config):
    """Run the tests in two processes, those of a single file in this one."""
    folders = [arg for arg in config.args if Path(arg.partition("::")[0]).is_dir()]
    return WORKERS if folders or len(config.args) > 1 else 0  # none for --help and --markers


def pytest_configure(config):
    """Set the environment of all tests."""
    if config.getoption("numprocesses", None):
        # Most tests need one core. What computes in threads takes the share of its process.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, os.cpu_count() // WORKERS)))
    stack = contextlib.ExitStack()
    config.add_cleanup(stack.close)
    os.environ.pop("LLIE_CACHE", None)
    os.environ.update(stack.enter_context(quick_environment()))
    # The tests' own figures open no windows; a kernel chooses its inline backend itself.
    os.environ.pop("MPLBACKEND", None)
    matplotlib.use("agg")


def pytest_collection_modifyitems(items):
    """Mark the cells of notebooks as slow, and begin with the files that take longest.

    Otherwise one process would be left with a long file when the other has no more to do.
    """
    long = {"notebook": set(), "browser": set(), "slow": set()}
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.slow)
            long["notebook"].add(item.path)
        for marker in ("browser", "slow"):
            if item.get_closest_marker(marker):
                long[marker].add(item.path)
    items.sort(key=lambda item: [item.path not in files for files in long.values()])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Let each notebook begin without the results of others, as the builder does."""
    if isinstance(item, IPyNbCell) and item.parent.kernel is None:
        os.environ["LLIE_RUNS"] = tempfile.mkdtemp(dir=Path(os.environ["IPYTHONDIR"]).parent)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Check the claims of the text below a notebook's cell, in the kernel that ran it."""
    result = yield
    if isinstance(item, IPyNbCell):
        client = item.parent.kernel.kc
        for claim, text in claims.after(item.parent.nb.cells, item.cell):
            asked = client.execute(claims.probe(claim), silent=True, stop_on_error=False)
            while (reply := client.get_shell_msg())["parent_header"].get("msg_id") != asked:
                pass
            if wrong := claims.told(reply["content"], text):
                item.raise_cell_error(wrong)
    return result
