"""Repairs of the stock theme: things it adds to every page that are broken or unused here."""

from docutils import nodes
from sphinx.application import Sphinx

# sphinx-thebe is always loaded by Jupyter Book and defines one constant twice, which is a script
# error on every page. The widget state would repeat each explorable's source; explorable-host.js
# reads the page's own copy.
UNWANTED = ("thebe", "widget-state+json")


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
