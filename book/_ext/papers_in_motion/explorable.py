"""Explorables on the static page.

A notebook stores an explorable's name and state, and a prose page names one; its ES module, the
text that tutorlib gives to Jupyter too, is written into the page once, so that
`explorable-host.js` can start it without a kernel, also from a file:// address. Until then, and
without JavaScript, a picture of it and a sentence stand in its place.
"""

import json
import re
from functools import cache
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tutorlib import explorables

from .chapters import ChapterError, require
from .html import escape, script_json

MIME = "application/vnd.papers-in-motion.explorable+json"
POSTERS = Path(__file__).parents[2] / "_static" / "posters"


class explorable(nodes.raw):  # noqa: N801 (docutils names nodes in lower case)
    """The place of one explorable, with its `slug`, `state`, `fallback`, and maybe `brief`."""


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
        state = data.content.get("state", {})
        return [explorable("", format="html", slug=slug, state=state, fallback=fallback)]


class Explorable(SphinxDirective):
    """`{explorable} slug`: an explorable in its default state on a prose page.

    brief: only its picture and the player, without settings and smaller charts.
    """

    required_arguments = 1
    option_spec = {"brief": directives.flag}

    def run(self) -> list[nodes.Node]:
        slug = self.arguments[0]
        check_known(slug)
        about = explorables.manifest(slug)
        state = {name: rule["default"] for name, rule in about["state"].items()}
        what = {"slug": slug, "state": state, "fallback": about["fallback"]}
        return [explorable("", format="html", brief="brief" in self.options, **what)]


def check_known(slug: str) -> None:
    """Raise ChapterError unless tutorlib has a module of that name."""
    if slug not in explorables.slugs():
        known = ", ".join(explorables.slugs())
        raise ChapterError(f"The explorable {slug!r} has no module; there are {known}.")


def place_html(slug: str, state: dict, fallback: str, up: str, brief: bool = False) -> str:
    """The element that the host fills; `up` leads from the page to the site's root."""
    poster = poster_html(slug, up, "thumbnail" if brief else "poster")
    return (
        f'<div class="explorable" id="explorable-{escape(slug)}" data-slug="{escape(slug)}"'
        f"{' data-brief' if brief else ''}>"
        f'<script type="application/json">{script_json(state)}</script>'
        f'<div class="explorable-fallback">{poster}<p>{escape(fallback)}</p></div>'
        "</div>"
    )


def poster_html(slug: str, up: str, kind: str = "poster") -> str:
    """A picture of the explorable for light and one for dark pages; text beside it describes it.

    kind: "poster" (the whole frame) or "thumbnail" (its main picture).
    """
    width, height = poster_size(slug, kind)
    return "".join(
        f'<img class="poster-{theme}" src="{up}_static/posters/{slug}-{kind}-{theme}.webp" alt=""'
        f' width="{width}" height="{height}" loading="lazy">'
        for theme in ("light", "dark")
    )


@cache
def poster_size(slug: str, kind: str) -> tuple[int, int]:
    """Width and height in CSS pixels; ChapterError when the picture was never made."""
    listed = json.loads((POSTERS / "posters.json").read_text(encoding="utf-8"))
    if slug not in listed:
        raise ChapterError(f"The explorable {slug!r} has no poster; make it with: make posters")
    return tuple(listed[slug][kind])


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
        check_known(slug)
        for path in explorables.files(slug):
            app.env.note_dependency(str(path))
        source = module_html(slug, explorables.source(slug))
        doctree.append(nodes.raw("", source, format="html"))
    up = "../" * app.env.docname.count("/")
    for place in places:  # plain raw nodes from here on: every builder knows those
        html = place_html(
            place["slug"], place["state"], place["fallback"], up, place.get("brief", False)
        )
        place.replace_self(nodes.raw("", html, format="html"))
