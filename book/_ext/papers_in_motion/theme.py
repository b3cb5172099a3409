"""Repairs of the stock theme: things it adds to every page that are broken or unused here."""

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import SphinxError

# sphinx-thebe is always loaded by Jupyter Book and defines one constant twice, which is a script
# error on every page. The widget state would repeat each explorable's source; explorable-host.js
# reads the page's own copy.
UNWANTED = ("thebe", "widget-state+json")

# The theme asks every block of code for its size at load, which lays out the whole page at once.
# site.js asks when a block comes on the screen; the theme is left with nothing to look for.
SCRIPT = Path("_static/scripts/pydata-sphinx-theme.js")
INSTEAD = '["scrollable-element"]'
ASKED = (
    '["pre",".nboutput > .output_area",".cell_output > .output",'
    '".jp-RenderedHTMLCommon",".pst-scrollable-table-container"]'
)


def remove_thebe_nodes(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Remove the configuration that sphinx-thebe appends to each page."""
    for node in list(doctree.findall(nodes.raw)):
        text = node.astext()
        if "x-thebe-config" in text or text.startswith("<script>kernelName"):
            node.parent.remove(node)


def remove_unwanted_scripts(app: Sphinx, pagename: str, templatename: str, context, doctree):
    """Drop the scripts and styles named in UNWANTED."""
    for kind in ("script_files", "css_files"):
        # In place: Sphinx keeps its own reference to these lists.
        context[kind][:] = [file for file in context[kind] if not is_unwanted(file)]


def is_unwanted(file) -> bool:
    """Whether a script or style (a Sphinx asset or a plain address) should not be on a page."""
    described = f"{getattr(file, 'filename', file)} {getattr(file, 'attributes', '')}".lower()
    return any(name in described for name in UNWANTED)


def is_the_site(app: Sphinx) -> bool:
    """Whether the book itself is built, not a page for a test in another theme."""
    return app.builder.format == "html" and app.config.html_theme == "sphinx_book_theme"


def ask_nothing_at_load(app: Sphinx, exception: Exception | None) -> None:
    """Take the list of scrollable elements out of the theme's script."""
    if exception is not None or not is_the_site(app):
        return
    path = Path(app.outdir) / SCRIPT
    text = path.read_text(encoding="utf-8")
    if ASKED in text:
        path.write_text(text.replace(ASKED, INSTEAD), encoding="utf-8")
    elif INSTEAD not in text:  # a second build finds the script as the first one left it
        raise SphinxError(f"{SCRIPT.name} has changed: it does not hold {ASKED}; see theme.py.")
