"""The setup cell as Colab runs it, without Colab and without a network."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata

import pytest
from builder import wording
from builder.source import ROOT, repository

from llie_helpers import __version__

# Runs a cell as a notebook would, with a stand-in for the module that marks Colab.
RUNNER = """
import sys, types
from IPython.core.interactiveshell import InteractiveShell
if {colab}:
    sys.modules["google"] = types.ModuleType("google")
    sys.modules["google.colab"] = types.ModuleType("google.colab")
result = InteractiveShell.instance().run_cell({cell!r})
result.raise_error()
import llie_helpers
print("imported from", llie_helpers.__file__)
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """An environment like a fresh Colab runtime: all that we need, but not the course.

    It sees the packages of this environment and has none of its own. pip may install into
    it but can neither fetch anything nor change what it sees.
    """
    folder = tmp_path_factory.mktemp("runtime")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    own = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (own / "parent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder, own


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A git repository of the package as it is in this working tree."""
    folder = tmp_path_factory.mktemp("clone")
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, folder)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "llie_helpers", folder / "llie_helpers", ignore=ignored)
    git = ["git", "-C", folder, "-c", "user.name=test", "-c", "user.email=test@example.org"]
    commands = (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "copy"])
    for command in (*commands, ["tag", f"v{__version__}"]):
        subprocess.run([*git, *command], check=True)
    return folder


def run_setup(runtime, clone, colab, **variables):
    folder, _ = runtime
    address = f"https://github.com/{repository()}"
    cell = wording.setup_code("00_start_here", repository())
    assert address in cell
    code = RUNNER.format(colab=colab, cell=cell.replace(address, f"file://{clone}"))
    # Either would add packages from outside, the course among them.
    hidden = ("VIRTUAL_ENV", "PYTHONPATH")
    outside = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        [folder / "bin" / "python", "-c", code],
        env=outside
        | variables
        | {
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": "",
            # pip reads this switch the other way round: "false" turns isolation off.
            "PIP_NO_BUILD_ISOLATION": "false",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_at_home_the_setup_cell_installs_nothing(runtime, clone):
    ran = run_setup(runtime, clone, colab=False)
    assert ran.stderr.splitlines()[-1] == f"AssertionError: {wording.MISSING}"
    assert installed(runtime) == set()


@pytest.mark.slow
def test_kaggle_without_internet_is_told_what_to_do(runtime, clone):
    ran = run_setup(runtime, clone / "out of reach", False, KAGGLE_KERNEL_RUN_TYPE="Interactive")
    assert ran.stderr.splitlines()[-1] == f"AssertionError: {wording.MISSING}"
    assert installed(runtime) == set()


@pytest.mark.slow
def test_a_package_that_is_there_is_not_installed_again(runtime, clone):
    # As where it was installed from an attached data set of wheels.
    ran = run_setup(
        runtime, clone, False, KAGGLE_KERNEL_RUN_TYPE="Interactive", PYTHONPATH=str(clone)
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"imported from {clone}" in ran.stdout
    assert installed(runtime) == set()


@pytest.mark.slow
def test_on_colab_the_setup_cell_installs_the_course_and_nothing_else(runtime, clone):
    ran = run_setup(runtime, clone, colab=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "00_start_here: quick profile" in ran.stdout
    assert f"imported from {runtime[1]}" in ran.stdout
    # torch, NumPy, ipywidgets and all else stay as they were, to the version.
    assert installed(runtime) == {"llie_helpers"}
    # Recipes and weights come along, not only code.
    assert files_of(runtime[1] / "llie_helpers") == files_of(ROOT / "llie_helpers")


def files_of(folder):
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if path.suffix != ".pyc"}


def installed(runtime):
    found = metadata.distributions(path=[str(runtime[1])])
    return {re.sub(r"[-.]", "_", found.metadata["Name"].lower()) for found in found}
