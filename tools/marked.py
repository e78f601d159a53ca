"""Pages that tools write parts of, each between two marks."""

from collections.abc import Callable
from pathlib import Path

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path

README = Path(__file__).resolve().parent.parent / "README.md"


def rewrite(page: Path, change: Callable[[str], str]) -> None:
    """Replace a page's text by what ``change`` returns for it."""
    text = change(page.read_text(encoding="utf-8"))
    with atomic_path(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


def between_marks(page: str, marks: tuple[str, str], text: str) -> str:
    """Return a page's text with ``text`` between two marks.

    Raises:
        CourseError: one of the two marks is missing.
    """
    first, last = marks
    if first not in page or last not in page:
        raise CourseError(f"The page must contain the lines {first!r} and {last!r}.")
    before, rest = page.split(first, 1)
    return f"{before}{first}\n{text}{last}{rest.split(last, 1)[1]}"
