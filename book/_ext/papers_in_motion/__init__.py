"""The book's Sphinx extension.

It exists because stock Jupyter Book drops plotly's stored figures, fetches MathJax from a CDN
and knows nothing about measured run times or ledgers. Each module has one purpose; this one only
connects them to Sphinx.
"""

from sphinx.application import Sphinx

from . import (
    assets,
    benchmarks,
    budget,
    cards,
    chapter_figure,
    explorable,
    facts,
    figure,
    figure_link,
    finish,
    folding,
    ledger,
    mime,
    site,
    social,
    theme,
)


def setup(app: Sphinx) -> dict:
    """Register the mime renderers, directives and event handlers with Sphinx."""
    mime.register(figure.FigureMime, figure.QuestionMime, explorable.ExplorableMime)
    app.add_directive("chapter-cards", cards.ChapterCards)
    app.add_directive("explorable", explorable.Explorable)
    app.add_directive("explorable-cards", cards.ExplorableCards)
    app.add_directive("chapter-figure", chapter_figure.ChapterFigure)
    app.add_directive("page-budget", budget.PageBudget)
    app.add_directive("benchmarks", benchmarks.Benchmarks)
    app.add_directive("ledger", ledger.LedgerPage)
    app.add_transform(figure_link.FigureLinks)
    app.connect("config-inited", site.read_address)
    app.connect("doctree-read", facts.insert_facts)
    app.connect("doctree-read", explorable.embed_modules)
    app.connect("doctree-read", folding.name_switches)
    app.connect("doctree-resolved", theme.remove_thebe_nodes, priority=900)
    app.connect("html-page-context", assets.add_page_scripts)
    app.connect("html-page-context", social.add_card)
    app.connect("html-page-context", theme.remove_unwanted_scripts, priority=900)
    app.connect("build-finished", assets.copy_vendored)
    app.connect("build-finished", theme.ask_nothing_at_load)
    app.connect("build-finished", site.write_site_files)
    app.connect("build-finished", finish.finish_pages, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
