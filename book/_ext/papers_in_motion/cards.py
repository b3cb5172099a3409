"""`{chapter-cards}`: the chapters on the landing page, read from the notebooks themselves."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from .chapters import Chapter, chapters_in_toc
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
    reproduced = sum(claim["verdict"] == "reproduced" for claim in chapter.claims)
    return (
        f'<li><a href="{up}{chapter.docname}.html"><span class="card-title">'
        f"{escape(chapter.title)}</span>"
        f'<span class="card-claim">{escape(chapter.fact("claim"))}</span>'
        f'<span class="card-facts">{chapter.reading_minutes} min to read · runs in '
        f"{escape(measured_time(chapter))} · {reproduced} of {len(chapter.claims)} claims "
        "reproduced</span></a></li>"
    )
