"""What the switch above a folded solution says: the word a student looks for."""

from docutils import nodes
from sphinx.application import Sphinx

PROMPTS = {"prompt_show": "Show the solution", "prompt_hide": "Hide the solution"}


def name_switches(app: Sphinx, doctree: nodes.document) -> None:
    """Rename the switches of the code cells tagged `solution`."""
    for cell in doctree.findall(nodes.container):
        if "tag_solution" in cell["classes"]:
            cell.attributes.update(PROMPTS)
