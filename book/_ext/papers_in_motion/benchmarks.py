"""`{benchmarks}`: what the benchmarks measured, as `make bench` stored it."""

import json
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from .budget import row

STORED = Path("benchmarks/results")


class Benchmarks(SphinxDirective):
    """One section for each stored result: its tables, its notes, and how it was measured."""

    def run(self) -> list[nodes.Node]:
        folder = Path(self.env.srcdir) / STORED
        self.env.note_dependency(str(folder))
        sections = []
        for path in sorted(folder.glob("*.json")):
            self.env.note_dependency(str(path))
            sections.append(section(path.stem, json.loads(path.read_text(encoding="utf-8"))))
        return sections or [nodes.paragraph("", "No benchmark has been stored yet.")]


def section(name: str, content: dict) -> nodes.section:
    """One benchmark's result."""
    found = nodes.section(
        "", nodes.title("", content["title"]), ids=[f"bench-{nodes.make_id(name)}"]
    )
    found += [table(rows) for rows in content["tables"]]
    found += [nodes.paragraph("", note) for note in content["notes"]]
    made = content["provenance"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    found += nodes.paragraph(
        "",
        f"Measured on {made['date']} by {made['script']} on {made['machine']} ({made['device']}); "
        f"{versions}.",
        classes=["claim-detail"],
    )
    return found


def table(rows: list[list[str]]) -> nodes.container:
    """A table of texts, the headings first."""
    head, *body = rows
    group = nodes.tgroup("", cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    group += nodes.thead("", row(*head))
    group += nodes.tbody("", *(row(*texts) for texts in body))
    return nodes.container("", nodes.table("", group), classes=["budget-table"])
