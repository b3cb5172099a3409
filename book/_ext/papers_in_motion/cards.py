"""`{chapter-cards}` and `{explorable-cards}`: what the landing page shows of the whole book.

Both are read from the notebooks and modules themselves, so that nothing is listed twice.
"""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from tutorlib import explorables

from .chapters import FOLDER, Chapter, ChapterError, chapters_in_toc, pages_in_toc
from .explorable import poster_html
from .facts import measured_time
from .html import escape

OWN_PAGES = "book/explorables"


class ChapterCards(SphinxDirective):
    """A card per chapter: title, claim, reading and run time, verdicts."""

    def run(self) -> list[nodes.Node]:
        up = "../" * self.env.docname.count("/")
        cards = "".join(card_html(chapter, up) for chapter in chapters_in_toc(self.env))
        return [nodes.raw("", f'<ul class="chapter-cards">{cards}</ul>', format="html")]


def card_html(chapter: Chapter, up: str) -> str:
    """One card; `up` leads from the page to the site's root."""
    reproduced = sum(claim["verdict"] == "reproduced" for claim in chapter.claims)
    return (
        f'<li><a href="{up}{chapter.docname}.html"><span class="card-title">'
        f"{escape(chapter.title)}</span>"
        f'<span class="card-claim">{escape(chapter.fact("claim"))}</span>'
        f'<span class="card-facts">{chapter.reading_minutes} min to read · runs in '
        f"{escape(measured_time(chapter))} · {reproduced} of {len(chapter.claims)} claims "
        "reproduced</span></a></li>"
    )


class ExplorableCards(SphinxDirective):
    """A picture of each explorable, which leads to the page where it runs."""

    def run(self) -> list[nodes.Node]:
        up = "../" * self.env.docname.count("/")
        pages = pages_in_toc(self.env)
        cards = "".join(explorable_card(slug, pages, up) for slug in explorables.slugs())
        return [nodes.raw("", f'<ul class="explorable-cards">{cards}</ul>', format="html")]


def explorable_card(slug: str, pages: list[str], up: str) -> str:
    """One card; the explorable runs in its chapter, or on a page of its own until there is one."""
    homes = [page for page in (f"{FOLDER}/{slug}", f"{OWN_PAGES}/{slug}") if page in pages]
    if not homes:
        raise ChapterError(
            f"The explorable {slug!r} is on no page: add {FOLDER}/{slug} or {OWN_PAGES}/{slug} to "
            "_toc.yml."
        )
    title = explorables.manifest(slug)["title"]
    return (
        f'<li><a href="{up}{homes[0]}.html#explorable-{slug}">'
        f"{poster_html(slug, up, 'thumbnail')}<span>{escape(title)}</span></a></li>"
    )
