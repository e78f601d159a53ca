"""Turn a built notebook into a page of the book."""

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import nbformat
from builder import wording
from nbformat import NotebookNode
from pybtex.database import BibliographyData

from llie_helpers.errors import CourseError

_TITLE = re.compile(r'#@title (.*?) \{display-mode: "form"\}\n')
_PAPERS = re.compile(r"(?<=^## Papers\n\n)(?:[- ].*\n?)+", re.MULTILINE)


def lesson_page(
    notebook: Path,
    address: str | None,
    papers: BibliographyData,
    relink: Callable[[str], str] = str,
) -> NotebookNode:
    """Return the notebook as the book shows it.

    Args:
        notebook: a built notebook. It is not executed again.
        address: OWNER/REPO on GitHub, or None while there is no such repository.
        papers: the references.
        relink: points the links of a text to pages of the book.

    Raises:
        CourseError: a paper of the lesson is not among the references.
    """
    page = nbformat.read(notebook, as_version=4)
    page.metadata.language_info["pygments_lexer"] = "ipython3"
    del page.cells[0]  # the badges, which are pictures from other sites
    title, rest = page.cells[0].source.split("\n", 1)
    page.cells[0].source = f"{title}\n\n{_buttons(notebook.stem, address)}\n{rest}"
    for cell in page.cells:
        if cell.cell_type == "code":
            _fold(cell)
        else:
            cited = _PAPERS.sub(lambda match: _cite(match[0], papers), cell.source)
            cell.source = relink(cited)
    return page


def _buttons(name: str, address: str | None) -> str:
    """Return links that open the lesson elsewhere."""
    links = {"Download the notebook": f"../notebooks/{name}.ipynb"}
    if address:
        colab, kaggle = re.findall(r"\]\((\S+)\)$", wording.badges(name, address), re.MULTILINE)
        links |= {"Open in Colab": colab, "Open in Kaggle": kaggle}
    return (
        '<p class="open-in">'
        + " ".join(f'<a href="{link}">{text}</a>' for text, link in links.items())
        + "</p>"
    )


def _fold(cell: NotebookNode) -> None:
    """Fold a cell that only draws, or the setup, under its title."""
    title = "Setup" if "lessons.begin(" in cell.source else None
    if match := _TITLE.match(cell.source):
        title, cell.source = match[1], cell.source[match.end() :]
    if title:
        cell.metadata.tags = ["hide-input"]
        cell.metadata.mystnb = {"code_prompt_show": title, "code_prompt_hide": title}


def _cite(items: str, papers: BibliographyData) -> str:
    """Add a citation to each item of a list of papers."""

    def with_citation(item: str) -> str:
        found = [
            key
            for key, entry in papers.entries.items()
            if _plain(entry.fields.get("shorttitle", entry.fields["title"])) in _plain(item)
        ]
        if not found:
            raise CourseError(f"docs/references.bib lacks this paper of a lesson: {item.strip()}")
        return f"{item.rstrip()} {{cite}}`{','.join(found)}`\n"

    return "".join(map(with_citation, re.split(r"^(?=- )", items, flags=re.MULTILINE)[1:]))


def _plain(text: str) -> str:
    """Return the letters and digits of a text."""
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", text).lower())
