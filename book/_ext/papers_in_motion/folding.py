"""What the switch above a folded cell says, where its tag says more than that it is code."""

from docutils import nodes
from sphinx.application import Sphinx

NAMES = {"tag_setup": "the setup cell", "tag_solution": "the solution"}


def name_switches(app: Sphinx, doctree: nodes.document) -> None:
    """Fold the setup cell, which a reader of the page does not need, and name the switches."""
    for cell in doctree.findall(nodes.container):
        for tag in NAMES.keys() & set(cell["classes"]):
            cell["prompt_show"], cell["prompt_hide"] = f"Show {NAMES[tag]}", f"Hide {NAMES[tag]}"
            cell["hide_mode"] = cell.get("hide_mode", "input")
