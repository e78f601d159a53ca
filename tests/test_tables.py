"""Tables are HTML in a notebook and aligned text elsewhere."""

from llie_helpers.tables import Table


def test_text_is_aligned_and_has_no_trailing_spaces():
    assert str(Table(["name", "value"], [["a", "1"], ["longer", ""]])) == (
        "name    value\na       1\nlonger"
    )


def test_html_escapes_what_it_shows():
    page = Table(["a<b"], [["<i>"]])._repr_html_()
    assert page == (
        "<table><thead><tr><th>a&lt;b</th></tr></thead>"
        "<tbody><tr><td>&lt;i&gt;</td></tr></tbody></table>"
    )


def test_a_table_without_rows_is_its_header():
    assert repr(Table(["name", "value"], [])) == "name  value"
