"""Scripts and fonts that the site serves itself.

Plotly and MathJax are copied out of installed wheels, so their versions are those of the lock
file and no vendored copy can fall behind.
"""

import shutil
from importlib.metadata import files
from pathlib import Path

import plotly
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import SphinxError

MATHJAX_WHEEL = "sphinx-mathjax-offline"
# What formulas.js loads, the fonts, and the TeX packages that are loaded on demand (\boldsymbol,
# \cancel...).
MATHJAX_PARTS = (
    "startup.js",
    "core.js",
    "input/tex.js",
    "input/tex/extensions/",
    "output/chtml.js",
    "output/chtml/fonts/",
    "a11y/assistive-mml.js",
)
# Text that a page's raw HTML contains -> the script that brings it to life.
PAGE_SCRIPTS = {
    'class="book-figure"': "js/figures.js",
    'class="explorable"': "js/explorable-host.js",
}


def add_page_scripts(app: Sphinx, pagename: str, templatename: str, context, doctree) -> None:
    """Load each script only on the pages that use it."""
    if doctree is None:
        return
    raw = [node.astext() for node in doctree.findall(nodes.raw)]
    for marker, script in PAGE_SCRIPTS.items():
        if any(marker in text for text in raw):
            app.add_js_file(script, loading_method="defer")


def copy_vendored(app: Sphinx, exception: Exception | None) -> None:
    """Copy plotly and the needed part of MathJax into the built site."""
    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    shutil.copy2(source, static)
    copied = 0
    for file in files(MATHJAX_WHEEL):
        _, inside, part = file.as_posix().partition("/static/mathjax/")
        if inside and part.startswith(MATHJAX_PARTS):
            target = static / "mathjax" / part
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file.locate(), target)
            copied += 1
    if not copied:
        raise SphinxError(f"{MATHJAX_WHEEL} is installed without MathJax; formulas would be raw.")
