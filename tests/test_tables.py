"""Tables are HTML in a notebook and aligned text elsewhere."""

import re

import pytest
from PIL import ImageColor

from llie_helpers.plotting.figures import CHANNELS, COLOURS
from llie_helpers.tables import Table

# Text and ground of JupyterLab and of the book: rows are striped.
PAGES = [
    ("#212121", "#ffffff"),
    ("#212121", "#f5f5f5"),
    ("#ffffff", "#111111"),
    ("#ffffff", "#212121"),
    ("#222832", "#ffffff"),
    ("#ced6dd", "#14181e"),
]


def luminance(colour):
    """The relative luminance of WCAG 2."""
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 3294.6 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_is_aligned_and_has_no_trailing_spaces():
    assert str(Table(["name", "value"], [["a", "1"], ["longer", ""]])) == (
        "name    value\na       1\nlonger"
    )


def test_html_escapes_what_it_shows():
    page = Table(["a<b"], [["<i>"]])._repr_html_()
    assert page == (
        '<div style="overflow-x:auto" tabindex="0" data-lm-suppress-shortcuts="true">'
        "<table><thead><tr><th>a&lt;b</th></tr></thead>"
        "<tbody><tr><td>&lt;i&gt;</td></tr></tbody></table></div>"
    )


def test_backticks_become_code_and_a_wide_table_scrolls_by_itself():
    page = Table(["a"], [["run `pip`"]], note="by `b`")._repr_html_()
    assert "<td>run <code>pip</code></td>" in page
    assert page.endswith("</div><p>by <code>b</code></p>")
    assert page.startswith('<div style="overflow-x:auto" tabindex="0"')


def test_a_table_without_rows_is_its_header():
    assert repr(Table(["name", "value"], [])) == "name  value"


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("colour", sorted({*COLOURS, *CHANNELS.values()}))
def test_a_tinted_row_is_readable_on_light_and_dark_pages(colour, page):
    row = re.search("<tr style=([^>]*)>", Table(["a"], [["b"]], {0: colour})._repr_html_())[1]
    (shown,) = re.findall("color:(#[0-9A-Fa-f]{8})", row)  # the text has none of its own
    *tint, alpha = ImageColor.getrgb(shown)
    text, ground = map(ImageColor.getrgb, page)
    mixed = [g + (t - g) * alpha / 255 for t, g in zip(tint, ground, strict=True)]
    dark, light = sorted(map(luminance, (text, mixed)))
    assert (light + 0.05) / (dark + 0.05) >= 4.5
