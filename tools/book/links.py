"""Check the links between the pages of a site."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag


class _Page(HTMLParser):
    """The ids of a page, and what it refers to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids, self.references = set(), set()
        # Embedded pictures are most of a lesson's bytes.
        text = re.sub(r"data:[\w/+-]+;base64,[A-Za-z0-9+/=]+", "data:", path.read_text("utf-8"))
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("id", "name"):
                self.ids.add(value)
            elif name in ("href", "src") and value and not re.match(r"\w+:|//", value):
                self.references.add(value)


def broken(site: Path) -> list[str]:
    """Return "page: reference" for each reference inside the ``site`` that leads nowhere."""
    site = site.resolve()
    # The themes' own files are templates.
    paths = [path for path in sorted(site.rglob("*.html")) if site / "_static" not in path.parents]
    pages = {path: _Page(path) for path in paths}
    found = []
    for path, page in pages.items():
        for reference in sorted(page.references):
            address, anchor = urldefrag(unquote(reference))
            target = (path.parent / address.partition("?")[0]).resolve() if address else path
            if target.is_dir():
                target /= "index.html"
            missing = anchor and target in pages and anchor not in pages[target].ids
            if missing or not target.is_file():
                found.append(f"{path.relative_to(site)}: {reference}")
    return found
