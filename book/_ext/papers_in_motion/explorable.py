"""Explorables on the static page.

The notebook stores an explorable's name and state; its ES module is written into the page once,
so that `explorable-host.js` can start it without a kernel, also from a file:// address.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from .chapters import ChapterError, require
from .html import escape, script_json

MIME = "application/vnd.papers-in-motion.explorable+json"
MODULES = Path("src/tutorlib/explorables")


class explorable(nodes.raw):  # noqa: N801 (docutils names nodes in lower case)
    """The place of one explorable; `slug` names its module."""


class ExplorableMime:
    """MyST-NB renderer of stored explorables."""

    mime_priority_overrides = [("*", MIME, 1)]

    @staticmethod
    def handle_mime(renderer, data, inline: bool) -> list[nodes.Element] | None:
        """Nodes for an explorable; None for anything else."""
        if inline or data.mime_type != MIME:
            return None
        slug = require(data.content, "slug", "A stored explorable")
        fallback = require(data.content, "fallback", f"The stored explorable {slug!r}")
        text = (
            f'<div class="explorable" data-slug="{escape(slug)}">'
            f'<script type="application/json">{script_json(data.content.get("state", {}))}</script>'
            f'<p class="explorable-fallback">{escape(fallback)}</p></div>'
        )
        return [explorable("", text, format="html", slug=slug)]


def module_html(slug: str, source: str) -> str:
    """The module's source in a script element; ChapterError when HTML would cut it short."""
    found = re.search(r"</script|<!--", source, re.IGNORECASE)
    if found:
        raise ChapterError(
            f"{slug}.js contains {found[0]!r}, which would end its script element; "
            "write it in two pieces."
        )
    return f'<script type="text/plain" data-explorable="{escape(slug)}">{source}</script>'


def embed_modules(app: Sphinx, doctree: nodes.document) -> None:
    """Put the source of each module that a page uses at the page's end, once."""
    places = list(doctree.findall(explorable))
    for slug in sorted({place["slug"] for place in places}):
        path = Path(app.srcdir) / MODULES / f"{slug}.js"
        if not path.is_file():
            raise ChapterError(f"The explorable {slug!r} has no module {MODULES / path.name}.")
        app.env.note_dependency(str(path))
        source = module_html(slug, path.read_text(encoding="utf-8"))
        doctree.append(nodes.raw("", source, format="html"))
    for place in places:  # plain raw nodes from here on: every builder knows those
        place.replace_self(nodes.raw("", place.astext(), format="html"))
