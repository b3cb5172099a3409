"""`{page-budget}`: what each page costs a reader, as the last `make budget` measured it."""

import json
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

STORED = Path("book/page-weights.json")
COLUMNS = {
    "requests": "Requests",
    "first_view": "First view, kB",
    "figure": "Largest figure, kB",
    "third_party": "Third party",
    "blocking": "Blocking, ms",
    "shift": "Layout shift",
}


class PageBudget(SphinxDirective):
    """The stored weights as a table, the limits in its last row."""

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / STORED
        self.env.note_dependency(str(path))
        stored = json.loads(path.read_text(encoding="utf-8"))
        rows = [
            row(page, *(str(weights.get(name, "")) for name in COLUMNS))
            for page, weights in stored["pages"].items()
        ]
        limits = (str(stored["limits"].get(name, "")) for name in COLUMNS)
        group = nodes.tgroup("", cols=len(COLUMNS) + 1)
        group += [nodes.colspec(colwidth=width) for width in (40, *(12 for _ in COLUMNS))]
        group += nodes.thead("", row("Page", *COLUMNS.values()))
        group += nodes.tbody("", *rows, row("Limit", *limits))
        note = nodes.paragraph(
            "",
            "Blocking: the part of long tasks beyond 50 ms while the page loads, on a processor a "
            "quarter as fast as the one that measured. Layout shift: from load to the last figure.",
        )
        return [nodes.container("", nodes.table("", group), classes=["budget-table"]), note]


def row(*texts: str) -> nodes.row:
    """One row of plain cells."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", text)) for text in texts))
