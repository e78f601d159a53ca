"""Build the book: the lessons as built, the reference, the results and the glossary, as a site.

    python tools/site.py          writes build/book/html
    python tools/site.py DIR      writes DIR/html

Nothing is executed again and nothing is downloaded. A warning of Sphinx and a broken link between
the pages are errors.
"""

import argparse
import re
import shutil
import sys
from functools import partial
from pathlib import Path

import nbformat
from book import glossary, lessons, links, pages
from builder.source import ROOT, built_path, repository
from builder.source import sources as lesson_sources
from builder.wording import is_placeholder
from pybtex.database import parse_file
from sphinx.cmd.build import build_main

from llie_helpers.errors import CourseError
from llie_helpers.models.weights import SHIPPED

DOCS = ROOT / "docs"
ENHANCER = ROOT / "web" / "dist"  # as vite builds it
HERO = 'class="llie-before"'


def book_pages() -> dict[Path, str]:
    """Return the page of each file that is in the book."""
    lesson_files = map(built_path, lesson_sources().values())
    return {
        **{path: path.name for path in DOCS.glob("*.md")},
        **{path: f"lessons/{path.name}" for path in lesson_files},
        **{path: f"cards/{path.name}" for path in SHIPPED.glob("*.md")},
        ROOT / "README.md": "results.md",
        ROOT / "CONTRIBUTING.md": "contributing.md",
        ROOT / "data" / "README.md": "data.md",
    }


def write_sources(folder: Path, address: str | None) -> None:
    """Write what Sphinx reads."""
    found = book_pages()
    papers = parse_file(DOCS / "references.bib")
    notebooks, texts = {}, {}
    for path, page in found.items():
        relink = partial(pages.relink, file=path, pages=found, address=address)
        if path.suffix == ".ipynb":
            notebooks[path.stem] = lessons.lesson_page(path, address, papers, relink)
        else:
            text = pages.card_page(path) if path.parent == SHIPPED else path.read_text("utf-8")
            texts[page] = relink(text)
    texts["results.md"] = pages.results_page(texts["results.md"])
    texts["glossary.md"] = glossary.link_terms(texts["glossary.md"], notebooks)
    texts["index.md"] = home(texts["index.md"], notebooks["00_start_here"])
    texts |= pages.api_pages(texts["api.md"])
    texts |= {f"lessons/{name}.ipynb": nbformat.writes(book) for name, book in notebooks.items()}
    shutil.copytree(DOCS, folder)
    for page, text in texts.items():
        (folder / page).parent.mkdir(exist_ok=True)
        (folder / page).write_text(text, encoding="utf-8")


def home(text: str, first_lesson: nbformat.NotebookNode) -> str:
    """Return the home page with the first lesson's slider, and the enhancer if it is built."""
    hero = next(
        output.data["text/html"]
        for cell in first_lesson.cells
        for output in cell.get("outputs", [])
        if HERO in output.get("data", {}).get("text/html", "")
    )
    if not ENHANCER.is_dir():
        text = re.sub('<a href="enhancer/">.*\n', "", text)
    return text.replace("<!-- hero -->", hero)


def build(target: Path) -> None:
    """Build the site in ``target/html``.

    Raises:
        CourseError: Sphinx has warnings, or a link between two pages is broken.
    """
    source, site, trees = (target / name for name in ("source", "html", "doctrees"))
    for folder in (source, site, trees):
        shutil.rmtree(folder, ignore_errors=True)
    address = repository()
    published = None if is_placeholder(address) else address
    write_sources(source, published)
    options = ["-W", "--keep-going", "-q", "-d", str(trees)]
    if build_main([*options, str(source), str(site)]):
        raise CourseError("Sphinx reports the faults above; correct them in the files they name.")
    others = shutil.ignore_patterns("[!0-9]*")
    shutil.copytree(ROOT / "notebooks", site / "notebooks", ignore=others)
    if ENHANCER.is_dir():
        shutil.copytree(ENHANCER, site / "enhancer")
    if broken := links.broken(site):
        raise CourseError("These links lead nowhere: " + "; ".join(broken))
    print(f"{site / 'index.html'} written.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", nargs="?", type=Path, default=ROOT / "build" / "book")
    try:
        build(parser.parse_args().target)
    except CourseError as error:
        sys.exit(f"error: {error}")
