"""`{ledger}`: every claim of every chapter, what was measured, and how it was run.

The page is made from the metadata that `make execute` writes, so it cannot say anything that the
committed notebooks do not.
"""

from collections import Counter

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from .chapters import VERDICTS, Chapter, chapters_in_toc
from .facts import measured_time

COLUMNS = {"Claim": 8, "Statement": 38, "Paper": 20, "Here": 20, "Verdict": 14}


class LedgerPage(SphinxDirective):
    """Totals, then one section per chapter: claims and the run that measured them."""

    def run(self) -> list[nodes.Node]:
        chapters = chapters_in_toc(self.env)
        verdicts = Counter(claim["verdict"] for chapter in chapters for claim in chapter.claims)
        return [totals(verdicts, len(chapters)), *(self.section(chapter) for chapter in chapters)]

    def section(self, chapter: Chapter) -> nodes.section:
        """One chapter's claims and run."""
        link = nodes.reference("", chapter.title, refuri=f"../{chapter.docname}.html")
        section = nodes.section("", nodes.title("", "", link), ids=[f"ledger-{chapter.slug}"])
        section += self.claims_table(chapter)
        section += self.run_facts(chapter)
        return section

    def claims_table(self, chapter: Chapter) -> nodes.container:
        """The claims, with the inline Markdown and formulas that the chapter wrote."""
        head = nodes.row("", *(nodes.entry("", nodes.paragraph("", name)) for name in COLUMNS))
        body = nodes.tbody("", *(self.claim_row(claim) for claim in chapter.claims))
        group = nodes.tgroup("", cols=len(COLUMNS))
        group += [nodes.colspec(colwidth=width) for width in COLUMNS.values()]
        group += [nodes.thead("", head), body]
        return nodes.container("", nodes.table("", group), classes=["ledger-table"])

    def claim_row(self, claim: dict) -> nodes.row:
        """One claim; what was run, and how it differs from the paper, stand under it."""
        statement = [self.paragraph(claim["statement"])]
        for label, key in (("Run here", "ran"), ("Deviation", "deviation")):
            if claim.get(key, "none") != "none":
                statement.append(self.paragraph(f"{label}: {claim[key]}", "claim-detail"))
        verdict = claim["verdict"]
        badge = nodes.inline("", verdict, classes=["verdict", f"verdict-{nodes.make_id(verdict)}"])
        return nodes.row(
            "",
            nodes.entry("", nodes.paragraph("", claim["id"])),
            nodes.entry("", *statement),
            nodes.entry("", self.paragraph(claim["paper"])),
            nodes.entry("", self.paragraph(claim["here"])),
            nodes.entry("", nodes.paragraph("", "", badge)),
        )

    def paragraph(self, text: str, *classes: str) -> nodes.paragraph:
        """A paragraph from inline Markdown."""
        inline, messages = self.state.inline_text(str(text), self.lineno)
        return nodes.paragraph("", "", *inline, *messages, classes=list(classes))

    def run_facts(self, chapter: Chapter) -> nodes.definition_list:
        """When and with what the numbers above were measured."""
        versions = chapter.measured("versions")
        stamp = chapter.measured("stamp")
        facts = {
            "Measured run time": f"{measured_time(chapter)}, preset {chapter.measured('preset')}",
            "Device": chapter.measured("device"),
            "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
            "Stamp": ", ".join(f"{name} {digest[:8]}" for name, digest in stamp.items()),
        }
        items = [
            nodes.definition_list_item(
                "", nodes.term("", name), nodes.definition("", nodes.paragraph("", str(value)))
            )
            for name, value in facts.items()
        ]
        return nodes.definition_list("", *items, classes=["run-facts"])


def totals(verdicts: Counter, chapters: int) -> nodes.paragraph:
    """The counts of all verdicts, in words."""
    count = sum(verdicts.values())
    text = (
        f"{count} claim{'s' if count != 1 else ''} in {chapters} "
        f"chapter{'s' if chapters != 1 else ''}: "
    )
    parts: list[nodes.Node] = [nodes.Text(text)]
    for position, verdict in enumerate(VERDICTS):
        classes = ["verdict", f"verdict-{nodes.make_id(verdict)}"]
        parts.append(nodes.inline("", f"{verdicts[verdict]} {verdict}", classes=classes))
        parts.append(nodes.Text(" " if position < len(VERDICTS) - 1 else ""))
    return nodes.paragraph("", "", *parts, classes=["ledger-totals"])
