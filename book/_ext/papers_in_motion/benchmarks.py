"""`{benchmarks}`: what the benchmarks measured, as `make bench` stored it."""

import hashlib
import json
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from .budget import row

STORED = Path("benchmarks/results")
STALE = "The script has changed since. These numbers are its earlier version's, without the notes."


class Benchmarks(SphinxDirective):
    """One section for each stored result: its tables, its notes, and how it was measured."""

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        folder = root / STORED
        self.env.note_dependency(str(folder))
        sections = []
        for path in sorted(folder.glob("*.json")):
            content = json.loads(path.read_text(encoding="utf-8"))
            script = root / content["provenance"]["script"]
            for file in (path, script):
                self.env.note_dependency(str(file))
            sections.append(section(path.stem, content, stale(content, script)))
        return sections or [nodes.paragraph("", "No benchmark has been stored yet.")]


def stale(content: dict, script: Path) -> bool:
    """Whether another text of the script made this result; its notes may then be false."""
    if not script.is_file():
        return False
    text = script.read_text(encoding="utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return content["provenance"].get("script_text") != digest


def section(name: str, content: dict, changed: bool = False) -> nodes.section:
    """One benchmark's result. changed: by another text of the script than that of now."""
    found = nodes.section(
        "", nodes.title("", content["title"]), ids=[f"bench-{nodes.make_id(name)}"]
    )
    found += [table(rows) for rows in content["tables"]]
    notes = [STALE] if changed else content["notes"]
    found += [nodes.paragraph("", note) for note in notes]
    found += nodes.paragraph("", measured(content["provenance"]), classes=["claim-detail"])
    return found


def measured(made: dict) -> str:
    """When, by what and on what a result was measured, in a sentence."""
    commit = f" at commit {made['commit']}" if made.get("commit") else ""
    threads = ", ".join(f"{name} {count}" for name, count in made.get("threads", {}).items())
    threads = f"; threads: {threads}" if threads else ""
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return (
        f"Measured on {made['date']} by {made['script']}{commit} on {made['machine']} "
        f"({made['device']}){threads}; {versions}."
    )


def table(rows: list[list[str]]) -> nodes.container:
    """A table of texts, the headings first."""
    head, *body = rows
    group = nodes.tgroup("", cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    group += nodes.thead("", row(*head))
    group += nodes.tbody("", *(row(*texts) for texts in body))
    return nodes.container("", nodes.table("", group), classes=["budget-table"])
