"""Link each term of the glossary where its lesson first uses it, and back.

An entry of the glossary ends with the number of that lesson: ``(03)``.
"""

import re
from collections.abc import Mapping

from nbformat import NotebookNode

from llie_helpers.errors import CourseError

ENTRY = re.compile(r"^(\w.*)\n((?:  .*\n)*  .*)\((\d\d)\)$", re.MULTILINE)
# Where no term is linked: code, formulas, links, HTML and headings.
_APART = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|!?\[[^\]]*\]\([^)]*\)|<[^>]+>|^\#.*?$",
    re.DOTALL | re.MULTILINE,
)


def link_terms(page: str, lessons: Mapping[str, NotebookNode]) -> str:
    """Link the terms in the ``lessons``, and return the glossary's page with links to these.

    Raises:
        CourseError: a lesson does not have a term that is said to come from it.
    """
    by_number = {name[:2]: name for name in lessons}

    def entry(match: re.Match) -> str:
        term, definition, number = match.groups()
        name = by_number[number]
        if not _link_first(term, lessons[name]):
            raise CourseError(
                f"The glossary says that lesson {number} introduces {term!r}, and the lesson's "
                "text does not have it; correct the number in docs/glossary.md or the lesson."
            )
        return f"{term}\n{definition}([lesson {number}](lessons/{name}.ipynb))"

    return ENTRY.sub(entry, page)


def _link_first(term: str, lesson: NotebookNode) -> bool:
    """Link the first time that the term is emphasised, or else occurs; return whether it does."""
    words = r"\s+".join(map(re.escape, term.split()))
    emphasised = rf"(?<=\*)(?P<the>the )?(?P<term>{words}s?)(?=\*)"
    used = rf"\b(?P<the>)(?P<term>{words}s?)\b"
    for pattern in (emphasised, used):
        for cell in lesson.cells:
            if cell.cell_type != "markdown":
                continue
            apart = [match.span() for match in _APART.finditer(cell.source)]
            for match in re.finditer(pattern, cell.source, re.IGNORECASE):
                start, end = match.span()
                if not any(first < end and start < last for first, last in apart):
                    link = match.expand(rf"\g<the>{{term}}`\g<term> <{term}>`")
                    cell.source = cell.source[:start] + link + cell.source[end:]
                    return True
    return False
