"""`{chapter-figure} slug name`: a chapter's stored figure on a prose page, without a copy of it."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from .chapters import chapter_of
from .figure import figure_node


class ChapterFigure(SphinxDirective):
    """Embed the figure `name` of chapter `slug`, with its data table.

    The figure's question, if it has one, stays in the chapter, whose prose prepares it.
    """

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        slug, name = self.arguments
        figure, table = chapter_of(self.env, slug).figure(name)
        return [figure_node(figure, table=table)]
