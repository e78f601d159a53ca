"""The book, built once, read as HTML and in a real browser."""

import functools
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
from book import glossary, lessons, links, pages
from bs4 import BeautifulSoup
from builder.source import ROOT
from nbformat import v4
from pybtex.database import parse_file

from llie_helpers.errors import CourseError

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAPERS = parse_file(ROOT / "docs" / "references.bib")
WIDTHS = (390, 900, 1280)


def lesson(text):
    return v4.new_notebook(cells=[v4.new_markdown_cell(text)])


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("a stop, a **stop**", "a stop, a **{term}`stop <stop>`**"),
        ("count **the stops** first", "count **the {term}`stops <stop>`** first"),
        ("## A stop\n`stop` is $stop$; [stop](a.md) a stop", "a {term}`stop <stop>`"),
        ("three *Stops*", "three *{term}`Stops <stop>`*"),
    ],
)
def test_a_term_is_linked_where_it_is_first_emphasised_or_else_used(text, linked):
    notebook = lesson(text)
    page = glossary.link_terms("stop\n  A factor\n  of two. (00)\n", {"00_start": notebook})
    assert notebook.cells[0].source.endswith(linked)
    assert page == "stop\n  A factor\n  of two. ([lesson 00](lessons/00_start.ipynb))\n"


def test_a_term_that_its_lesson_lacks_is_an_error():
    with pytest.raises(CourseError, match="lesson 00 introduces 'stop'"):
        glossary.link_terms("stop\n  Two. (00)\n", {"00_start": lesson("a `stop` is unstoppable")})


@pytest.mark.parametrize("address", [None, "somebody/lights"])
def test_a_lesson_opens_elsewhere_once_it_is_published(address):
    first = lessons.lesson_page(NOTEBOOKS[0], address, PAPERS).cells[0].source
    assert 'href="../notebooks/00_start_here.ipynb"' in first
    opened = re.findall(r'href="https://[^"]*/somebody/lights/blob/main/notebooks/00[^"]*"', first)
    assert len(opened) == (2 if address else 0)


def test_a_paper_that_the_references_lack_is_an_error(tmp_path):
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("badges"),
            v4.new_markdown_cell("# Title\n\nText"),
            v4.new_markdown_cell("## Papers\n\n- A. Nobody. Nothing at all. 2030.\n"),
        ],
        metadata={"language_info": {"name": "python"}},
    )
    nbformat.write(notebook, tmp_path / "00_x.ipynb")
    with pytest.raises(CourseError, match="lacks this paper of a lesson: - A"):
        lessons.lesson_page(tmp_path / "00_x.ipynb", None, PAPERS)


@pytest.mark.parametrize(
    ("address", "licence"),
    [
        (None, "The licence"),
        ("a/b", "The [licence](https://github.com/a/b/blob/main/LICENSE)"),
    ],
)
def test_links_to_the_repository_become_links_in_the_book(address, licence):
    file = ROOT / "data" / "README.md"
    found = {file: "data.md", NOTEBOOKS[1]: "lessons/01_data.ipynb"}
    text = "The [licence](../LICENSE) and [01](../notebooks/01_data.ipynb#a), [x](https://x.org)"
    expected = f"{licence} and [01](lessons/01_data.ipynb#a), [x](https://x.org)"
    assert pages.relink(text, file, found, address) == expected


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#there"><a href="#gone"><img src="c.png">')
    (tmp_path / "b.html").write_text('<p id="there"><a href="a.html"><a href="https://x.org">')
    assert links.broken(tmp_path) == ["a.html: #gone", "a.html: c.png"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as the command builds it: without a warning, and with no broken link inside."""
    folder = tmp_path_factory.mktemp("book")
    command = [sys.executable, str(ROOT / "tools" / "site.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


@functools.cache
def read(path: Path) -> BeautifulSoup:
    text = re.sub(r"base64,[A-Za-z0-9+/=]+", "base64,", path.read_text(encoding="utf-8"))
    return BeautifulSoup(text, "html.parser")


@functools.cache
def links_of(path: Path) -> set[str]:
    return {link["href"] for link in read(path).select("a[href]")}


def tagged(notebook):
    cells = nbformat.read(notebook, as_version=4).cells
    return [cell for cell in cells if "hide-input" in cell.metadata.get("tags", [])]


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_folds_what_only_draws_and_what_gives_answers_away(site, notebook):
    page = read(site / "lessons" / f"{notebook.stem}.html")
    folded = [cell for cell in page.select("details.hide") if not cell.has_attr("open")]
    assert len(folded) == len(tagged(notebook)) + 1  # and the setup
    assert "#@title" not in page.text
    answers = page.select("details.llie-answer")
    assert len(answers) == notebook.read_text().count('class=\\"llie-answer\\"')
    assert not any(answer.has_attr("open") for answer in answers)
    hints = [details for details in page.select("details") if "Hint" in details.summary.text]
    assert len(hints) >= 6
    assert not any(hint.has_attr("open") for hint in hints)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_keeps_its_pictures_with_their_texts_and_formulas(site, notebook):
    page = read(site / "lessons" / f"{notebook.stem}.html")
    pictures = page.select("article img")
    assert len(pictures) == notebook.read_text().count("<img src=")
    assert all(picture.get("alt") for picture in pictures)
    assert len(page.select("article input[type=range]")) >= 1
    assert not re.search(r"\\(?:frac|text|le|log)\b", page.select_one("article").text)


@pytest.mark.slow
def test_no_page_needs_another_site(site):
    loads = {"src": "[src]", "href": "link[rel=stylesheet], link[rel=preload]"}
    needed = {
        (path.name, element[name])
        for path in site.glob("**/*.html")
        if site / "_static" not in path.parents
        for name, selector in loads.items()
        for element in read(path).select(selector)
        if re.match(r"https?:|//", element[name])
    }
    assert needed == set()


@pytest.mark.slow
def test_the_glossary_and_the_lessons_link_to_each_other(site):
    terms = read(site / "glossary.html").select("dl.glossary dt")
    assert len(terms) == len(glossary.ENTRY.findall((ROOT / "docs/glossary.md").read_text())) > 60
    for term in terms:
        back = term.find_next_sibling("dd").select("a")[-1]["href"]
        assert f"../glossary.html#{term['id']}" in links_of(site / back), term.text


@pytest.mark.slow
def test_the_references_are_those_of_the_lessons_with_their_dois(site):
    page = read(site / "references.html")
    assert len(page.select(".citation")) == len(PAPERS.entries)  # only what is cited is listed
    found = {link["href"].lower() for link in page.select("a[href^='https://doi.org']")}
    dois = [e.fields["doi"] for e in PAPERS.entries.values() if "doi" in e.fields]
    assert found == {f"https://doi.org/{doi}".lower() for doi in dois}
    assert len(dois) > 50


@pytest.mark.slow
def test_the_home_page_shows_the_slider_and_leads_to_every_part(site):
    page = read(site / "index.html")
    assert page.select_one(".llie-before img")["alt"]
    leads = {link["href"] for link in page.select("a[href]")}
    assert {f"lessons/{path.stem}.html" for path in NOTEBOOKS} <= leads
    assert {"results.html", "glossary.html", "references.html", "api.html"} <= leads
    assert ("enhancer/" in leads) == (ROOT / "web" / "dist").is_dir()


@pytest.mark.slow
def test_every_card_and_every_public_function_has_its_place(site):
    cards = {path.stem for path in (ROOT / "llie_helpers" / "weights").glob("*.md")}
    assert {path.stem for path in (site / "cards").glob("*.html")} == cards
    assert len(read(site / "results.html").select("article a[href^='cards/']")) >= len(cards)
    shown = {d["id"] for path in (site / "api").glob("*.html") for d in read(path).select("dt[id]")}
    overview = (ROOT / "docs" / "api.md").read_text()
    for room, section in re.findall(r"^## `(\S+)`$(.*?)(?=^## |\Z)", overview, re.M | re.S):
        for name in re.findall(r"^\| `([\w.]+)` \|", section, re.MULTILINE):
            module, _, attribute = f"{room}.{name}".rpartition(".")
            if callable(getattr(import_module(module), attribute)):
                assert f"{room}.{name}" in shown


@pytest.fixture
def visit(browser, site):
    """Open a page of the site, which may load nothing from elsewhere."""
    contexts = []

    def opened(name, **look):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **look)
        contexts.append(context)
        page = context.new_page()
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto((site / name).as_uri())
        assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.slow
@pytest.mark.browser
def test_sliders_move_without_a_kernel(visit):
    page = visit("index.html")
    page.locator(".llie-cut").focus()
    before = page.locator(".llie-before").bounding_box()["width"]
    page.keyboard.press("Home")
    assert page.locator(".llie-before").bounding_box()["width"] < before / 10

    page = visit("lessons/01_data.html")
    figure = page.locator("figure:has([data-frame])").first
    slider, shown = figure.locator("input"), figure.locator("[data-frame]:visible")
    slider.focus()
    frames = []
    for key in ("Home", "ArrowRight"):
        page.keyboard.press(key)
        assert shown.count() == 1
        frames.append(shown.get_attribute("data-frame"))
    assert frames[0] != frames[1]
    assert slider.get_attribute("aria-valuetext") == frames[1]


@pytest.mark.slow
@pytest.mark.browser
def test_no_page_scrolls_sideways(visit, site):
    page = visit("index.html")
    for path in sorted(site.glob("**/*.html")):
        if path.parent.name in ("html", "lessons", "cards", "api"):
            page.goto(path.as_uri())
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, (path.name, width)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "lessons/01_data.html"])
def test_axe_finds_no_serious_barrier(visit, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = visit(name, color_scheme=scheme)
    # Colours fade in when the theme is chosen.
    page.evaluate("Promise.all(document.getAnimations().map((fading) => fading.finished))")
    found = axe.Axe().run(page).response["violations"]
    serious = [
        (rule["id"], [node["html"][:200] for node in rule["nodes"][:3]])
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]
    assert serious == []
