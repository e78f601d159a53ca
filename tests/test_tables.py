"""Tables are HTML in a notebook and aligned text elsewhere."""

from llie_helpers.tables import Table


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
