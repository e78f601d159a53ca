"""Which room may import which: arrows run one way, as CONTRIBUTING.md draws them."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from builder.source import ROOT

PACKAGE = ROOT / "llie_helpers"
# A room imports from itself and from the lines above its own, never from its neighbours.
LAYERS = [
    {"errors", "paths", "tables", "timing"},
    {"files", "devices", "codecs", "console"},
    {"images"},
    {"data"},
    {"models", "losses", "metrics"},
    {"methods"},
    {"training", "inference", "plotting"},
    {"lessons", "cli"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
ENTRANCES = {"__init__", "__main__"}  # import lazily from every room


def imported(path: Path) -> Iterator[str]:
    """The full name of every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if room_of(path) not in ENTRANCES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_those_above_it(path):
    room = room_of(path)
    names = {name.split(".")[1] for name in imported(path) if name.startswith("llie_helpers.")}
    rooms = {name for name in names if name in LEVEL} - {room}
    assert {other for other in rooms if LEVEL[other] >= LEVEL[room]} == set()


def test_every_room_has_its_layer():
    assert {room_of(path) for path in FILES} == set(LEVEL)


def test_no_import_runs_in_a_circle():
    module = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in FILES
    }
    graph = {}
    for name, path in module.items():
        found = {other for other in imported(path) if other in module} - {name}
        # `from package import module` needs the module, not what the package gathers.
        graph[name] = {n for n in found if not any(m.startswith(f"{n}.") for m in found)}
    graphlib.TopologicalSorter(graph).prepare()


def test_the_package_imports_no_tool():
    tools = {path.stem for path in (ROOT / "tools").iterdir()}
    found = {n.split(".")[0] for path in PACKAGE.rglob("*.py") for n in imported(path)}
    assert found & tools == set()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks" / "source").glob("*.py")), ids=lambda path: path.stem
)
def test_lessons_import_no_tool(path):
    tools = {path.stem for path in (ROOT / "tools").iterdir()}
    assert {name.split(".")[0] for name in imported(path)} & tools == set()
