"""Links in the prose that move a figure's slider: `[with 25 samples](#figure-hook=25)`.

They are ordinary links, so that a notebook reads well everywhere. In the book each becomes a link
to the figure that figures.js turns into a control; without scripts it still leads to the figure.
"""

import re

from docutils import nodes
from sphinx.transforms import SphinxTransform

from .chapters import ChapterError
from .html import escape

TARGET = re.compile(r"#figure-([^=]+)=(.*)")


def opening_tag(name: str, label: str) -> str:
    """The start of a link to the figure `name`, for figures.js with the slider's label."""
    return f'<a class="figure-link" href="#figure-{escape(name)}" data-position="{escape(label)}">'


class FigureLinks(SphinxTransform):
    """Give every such link its figure and position; stop the build when there are none."""

    default_priority = 870  # MyST looks for headings of these names at 879, and would warn.

    def apply(self) -> None:
        figures = {
            node["figure"]: node["labels"]
            for node in self.document.findall(nodes.raw)
            if node.get("figure")
        }
        for link in list(self.document.findall(nodes.reference)):
            target = TARGET.fullmatch(link.get("refuri", ""))
            if target:
                name, label = target.groups()
                self._check(link, name, label, figures)
                start, end = (
                    nodes.raw("", tag, format="html") for tag in (opening_tag(name, label), "</a>")
                )
                link.replace_self([start, *link.children, end])

    def _check(self, link: nodes.reference, name: str, label: str, figures: dict) -> None:
        where = f"{self.env.docname}: the link [{link.astext()}]({link['refuri']})"
        if name not in figures:
            named = ", ".join(figures) or "none"
            raise ChapterError(f"{where} names no figure of this page; its figures are: {named}.")
        if label not in figures[name]:
            allowed = ", ".join(figures[name]) or "none, since it has no slider"
            raise ChapterError(
                f"{where} names no position of the slider of figure {name!r}; allowed: {allowed}."
            )
