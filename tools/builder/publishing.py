"""Change the course's address without running the notebooks again."""

import re
from pathlib import Path

import nbformat

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path

from . import inspection
from .source import ROOT, built_path, notebook, repository, sources
from .wording import site

# Files with the address, besides the notebooks.
FILES = ("pyproject.toml", "README.md", "CONTRIBUTING.md")
# What README says until then.
UNPUBLISHED = re.compile(r"^Not published yet:.*?\n\n", re.MULTILINE | re.DOTALL)


def publish_as(address: str, root: Path = ROOT) -> list[str]:
    """Replace the configured address everywhere; return the changed files.

    README no longer says that the course is not published.

    Raises:
        CourseError: the address is not OWNER/REPO, or a notebook is out of date.
    """
    if not re.fullmatch(r"[\w-]+/[\w.-]+", address):
        raise CourseError(f"{address!r} is not an address on GitHub; expected OWNER/REPO.")
    old = repository(root)
    rebuilt = {}
    for source in sources(root).values():
        path = built_path(source)
        if not path.exists():
            continue
        committed = nbformat.read(path, as_version=4)
        if wrong := inspection.drift(committed, notebook(source, old)):
            raise CourseError(f"{path.name} is out of date: {wrong}; build it before publishing.")
        renewed = notebook(source, address)
        for cell, was in zip(renewed.cells, committed.cells, strict=True):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = was.outputs, was.execution_count
        rebuilt[path] = renewed
    changed = []
    for file in FILES:
        path = root / file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if old in text:
            with atomic_path(path) as temporary:
                text = UNPUBLISHED.sub("", text).replace(old, address)
                text = text.replace(site(old), site(address))
                temporary.write_text(text, encoding="utf-8")
            changed.append(file)
    for path, renewed in rebuilt.items():
        with atomic_path(path) as temporary:
            nbformat.write(renewed, temporary)
        changed.append(str(path.relative_to(root)))
    return changed
