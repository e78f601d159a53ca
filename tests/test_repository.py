"""What holds for the repository as a whole."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from builder.source import ROOT, sources
from packaging.requirements import Requirement

from llie_helpers import __version__

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TEST_COMMAND = "pip install -r requirements.txt && pytest"
LARGEST_FILE = 2_000_000
LARGEST_TOTAL = 40_000_000
# An extra that need not be installed to develop.
NOT_PINNED = {"torchvision"}
LOCAL_PATH = re.compile(r"(?<![\w.:/}])/(?:home|root|work|Users)/\w+")


def tracked_files() -> list[Path]:
    """All files under version control, or all files of an unpacked archive."""
    if not (ROOT / ".git").exists():
        return [path for path in ROOT.rglob("*") if path.is_file()]
    command = ["git", "-C", ROOT, "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).exists()]


def requirement_lines() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pins() -> dict[str, str]:
    exact = [Requirement(line) for line in requirement_lines()[:-1]]
    return {need.name: str(need.specifier).removeprefix("==") for need in exact}


def floors() -> list[Requirement]:
    extras = SETTINGS["optional-dependencies"].values()
    return [
        *map(Requirement, SETTINGS["dependencies"]),
        *(Requirement(n) for e in extras for n in e),
    ]


def test_the_package_knows_its_release():
    assert SETTINGS["version"] == __version__


def test_no_file_is_large():
    assert [f.name for f in tracked_files() if f.stat().st_size > LARGEST_FILE] == []


def test_the_whole_is_small():
    assert sum(path.stat().st_size for path in tracked_files()) < LARGEST_TOTAL


def test_no_file_names_a_path_of_one_machine():
    found = {}
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        # Base64 images spell everything sooner or later.
        text = re.sub(r"[A-Za-z0-9+/=]{200,}", "", text)
        if path.name != Path(__file__).name and (match := LOCAL_PATH.search(text)):
            found[str(path.relative_to(ROOT))] = match[0]
    assert found == {}


@pytest.mark.parametrize("line", requirement_lines()[:-1])
def test_requirements_are_exact(line):
    assert re.fullmatch(r"[\w.-]+==[\w.]+(; platform_system [!=]= \"Darwin\")?", line)


def test_xgboost_is_the_same_everywhere():
    assert pins()["xgboost"] == pins()["xgboost-cpu"]


def test_the_last_requirement_is_the_course_itself():
    assert requirement_lines()[-1] == "-e ."


@pytest.mark.parametrize("need", floors(), ids=lambda need: need.name)
def test_the_pin_satisfies_the_floor(need):
    if need.name in NOT_PINNED:
        assert need.name not in pins()
    else:
        assert need.specifier.contains(pins()[need.name])


@pytest.mark.parametrize("file", ["README.md", ".ci/run"])
def test_the_test_command_is_the_same_everywhere(file):
    assert TEST_COMMAND in (ROOT / file).read_text(encoding="utf-8")


def test_each_notebook_has_a_source():
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == set(sources())


def test_ci_is_executable():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


@pytest.mark.parametrize("attribute", ["diff", "merge"])
def test_git_compares_notebooks_cell_by_cell(attribute):
    command = ["git", "-C", ROOT, "check-attr", attribute, "notebooks/00_start_here.ipynb"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip().endswith(f"{attribute}: jupyternotebook")


def test_no_message_names_a_package_that_anybody_could_register():
    # The course is not on PyPI: only its address or its folder may be given to pip.
    bare = re.compile(r"install [\"']?llie_helpers\b(?!\[[^]]*\] @ )")
    places = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "data").glob("*.md")]
    places += [*(ROOT / "llie_helpers").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]
    places += (ROOT / "notebooks").rglob("*.py")
    # A command may be broken at the end of a line.
    texts = {path: re.sub(r"\s+(?:#\s+)?", " ", path.read_text("utf-8")) for path in places}
    assert [path.name for path, text in texts.items() if bare.search(text)] == []


def test_what_students_download_is_ignored():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/data/*", "!/data/README.md", "/runs/"} <= set(ignored)
