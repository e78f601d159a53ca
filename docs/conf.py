"""Settings of Sphinx for the book, which `python tools/site.py` builds."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

project = "Out of the Dark"
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.bibtex"]

nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"

# What matplotlib writes into every figure class.
autodoc_default_options = {"exclude-members": "set"}
# A single backtick in a docstring marks a name.
default_role = "code"
napoleon_use_ivar = True
maximum_signature_line_length = 80

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["static"]
html_favicon = "static/icon.svg"
html_context = {"default_mode": "auto"}  # light or dark, as the browser asks
html_css_files = ["book.css"]
html_copy_source = False
html_use_index = False
html_math_renderer = "mathml"
html_theme_options = {
    "use_download_button": False,
    "home_page_in_toc": True,
    "navbar_persistent": [],
    "max_navbar_depth": 1,
    "show_toc_level": 2,
}


def _inline_math(translator: nodes.NodeVisitor, node: nodes.math) -> None:
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _math_block(translator: nodes.NodeVisitor, node: nodes.math_block) -> None:
    # A long formula scrolls, and what scrolls has to be reached by keyboard.
    formula = tex2mathml(node.astext(), as_block=True)
    translator.body.append(f'<div class="formula" tabindex="0">{formula}</div>')
    raise nodes.SkipNode


def _says_nothing(_app: Sphinx, _what: str, _name: str, member: object, *_: object) -> bool | None:
    """Skip the fields of named tuples, which the class describes."""
    return str(getattr(member, "__doc__", "")).startswith("Alias for field") or None


def setup(app: Sphinx) -> None:
    """Render formulas as MathML, which browsers draw without a script or a font."""
    app.connect("autodoc-skip-member", _says_nothing)
    app.add_html_math_renderer("mathml", (_inline_math, None), (_math_block, None))
