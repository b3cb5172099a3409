"""`{chapter-cards}` and `{explorable-cards}`: what the landing page shows of the whole book.

Both are read from the notebooks and modules themselves, so that nothing is listed twice.
"""

from collections import Counter

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from tutorlib import explorables
from tutorlib.ledger import VERDICTS

from .chapters import FOLDER, Chapter, ChapterError, chapters_in_toc, pages_in_toc
from .explorable import poster_html
from .facts import measured_time
from .html import escape


class ChapterCards(SphinxDirective):
    """A card per chapter: title, claim, reading and run time, verdicts."""

    def run(self) -> list[nodes.Node]:
        up = "../" * self.env.docname.count("/")
        cards = "".join(card_html(chapter, up) for chapter in chapters_in_toc(self.env))
        return [nodes.raw("", f'<ul class="chapter-cards">{cards}</ul>', format="html")]


def card_html(chapter: Chapter, up: str) -> str:
    """One card; `up` leads from the page to the site's root."""
    counts = Counter(claim["verdict"] for claim in chapter.claims)
    claims = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    return (
        f'<li><a href="{up}{chapter.docname}.html"><span class="card-title">'
        f"{escape(chapter.title)}</span>"
        f'<span class="card-claim">{escape(chapter.fact("claim"))}</span>'
        f'<span class="card-facts">{chapter.reading_minutes} min to read · runs in '
        f"{escape(measured_time(chapter))} · claims: {claims}</span></a></li>"
    )


class ExplorableCards(SphinxDirective):
    """A picture of each explorable, which leads to the page where it runs."""

    def run(self) -> list[nodes.Node]:
        up = "../" * self.env.docname.count("/")
        pages = pages_in_toc(self.env)
        cards = "".join(explorable_card(slug, pages, up) for slug in explorables.slugs())
        return [nodes.raw("", f'<ul class="explorable-cards">{cards}</ul>', format="html")]


def explorable_card(slug: str, pages: list[str], up: str) -> str:
    """One card, which leads to the chapter of that name, where the explorable runs."""
    home = f"{FOLDER}/{slug}"
    if home not in pages:
        raise ChapterError(f"The explorable {slug!r} is on no page: add {home} to _toc.yml.")
    title = explorables.manifest(slug)["title"]
    return (
        f'<li><a href="{up}{home}.html#explorable-{slug}">'
        f"{poster_html(slug, up, 'thumbnail')}<span>{escape(title)}</span></a></li>"
    )
