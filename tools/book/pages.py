"""Turn Markdown files of the repository into pages of the book."""

import inspect
import os
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path, PurePosixPath

from builder.source import ROOT

from llie_helpers.models import cards

_LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_LABEL_AND_LINK = re.compile(rf"\[([^\]]*){_LINK.pattern}")


def relink(text: str, file: Path, pages: Mapping[Path, str], address: str | None) -> str:
    """Point the links of a repository's file to pages of the book, or to GitHub.

    Args:
        text: Markdown.
        file: where it comes from.
        pages: the page of each file that is in the book.
        address: OWNER/REPO on GitHub; without one, a link to another file becomes plain text.
    """
    here = PurePosixPath(pages[file]).parent

    def moved(match: re.Match) -> str:
        label, target, anchor = match[1], (file.parent / match[2]).resolve(), match[3] or ""
        if target in pages:
            return f"[{label}]({os.path.relpath(pages[target], here)}{anchor})"
        if not target.exists():
            return match[0]
        if not address:
            return label
        return f"[{label}](https://github.com/{address}/blob/main/{target.relative_to(ROOT)})"

    return _LABEL_AND_LINK.sub(moved, text)


def card_page(path: Path) -> str:
    """Return a model card with the scores of its front matter as a table."""
    card, text = cards.read(path)
    title, rest = text.lstrip().split("\n", 1)
    rows = "\n".join(
        f"| {split} | {s['psnr']:.2f} | {s['ssim']:.3f} | {s['psnr_gt_mean']:.2f} |"
        for split, s in card.scores.items()
    )
    return (
        f"{title}\n\n| images | PSNR (dB) | SSIM | GT-mean PSNR (dB) |\n"
        f"| --- | --- | --- | --- |\n{rows}\n{rest}"
    )


def results_page(readme: str) -> str:
    """Return the README's section on results, and the list of model cards."""
    results = re.search(r"^## Results\n(.*?)^## ", readme, re.DOTALL | re.MULTILINE)
    listed = "## Model cards\n\n```{toctree}\n:glob:\n\ncards/*\n```\n"
    return f"# Results\n\n{results[1]}\n{listed}"


def api_pages(overview: str) -> dict[str, str]:
    """Split docs/api.md into a page for each room, with the docstrings of its public names."""
    intro, *sections = re.split(r"^## `([\w.]+)`\n", overview, flags=re.MULTILINE)
    pages = {"api.md": f"{intro}\n```{{toctree}}\n\n"}
    for room, text in zip(sections[::2], sections[1::2], strict=True):
        names = re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE)
        documented = "\n".join(filter(None, (_documented(room, name) for name in names)))
        pages["api.md"] += f"api/{room}\n"
        pages[f"api/{room}.md"] = f"# {room}\n{text}\n```{{eval-rst}}\n{documented}\n```\n"
    pages["api.md"] += "```\n"
    return pages


def _documented(room: str, name: str) -> str:
    """Return the directive that shows a function's or a class's docstring."""
    module, _, attribute = f"{room}.{name}".rpartition(".")
    value = getattr(import_module(module), attribute)
    if inspect.isclass(value):
        return f".. autoclass:: {module}.{attribute}\n   :members:\n"
    return f".. autofunction:: {module}.{attribute}\n" if callable(value) else ""
