"""Tables, shown as HTML in a notebook and as aligned text elsewhere."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TINT = "40"  # a quarter, as the last two digits of a colour


def as_html(text: str) -> str:
    """Return text as HTML, in which what is between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


@dataclass(frozen=True)
class Table:
    """Rows of text under a header.

    Args:
        header: one title per column.
        rows: one text per column, for each row.
        colours: number of a row -> "#rrggbb", with which it is tinted in a notebook. The text keeps
            the colour that the page gives it, so it is readable on light and on dark pages.
        note: sentences below the table.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    colours: Mapping[int, str] = field(default_factory=dict)
    note: str = ""

    def __str__(self) -> str:
        lines = [self.header, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = [
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        return "\n".join([*shown, self.note] if self.note else shown)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        def row(texts: Sequence[str], tag: str, colour: str = "") -> str:
            cells = "".join(f"<{tag}>{as_html(text)}</{tag}>" for text in texts)
            style = f' style="background-color:{colour}{TINT}"' if colour else ""
            return f"<tr{style}>{cells}</tr>"

        body = "".join(
            row(texts, "td", self.colours.get(number, "")) for number, texts in enumerate(self.rows)
        )
        table = f"<table><thead>{row(self.header, 'th')}</thead><tbody>{body}</tbody></table>"
        note = f"<p>{as_html(self.note)}</p>" if self.note else ""
        # A wide table scrolls by itself, by keys too.
        keys = 'tabindex="0" data-lm-suppress-shortcuts="true"'
        return f'<div style="overflow-x:auto" {keys}>{table}</div>{note}'
