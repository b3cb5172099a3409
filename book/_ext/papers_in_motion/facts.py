"""The facts bar under a chapter's title: what it costs to read and to run, and where to do so."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from .chapters import FOLDER, Chapter, chapter_of
from .html import escape


def insert_facts(app: Sphinx, doctree: nodes.document) -> None:
    """Put the bar after the first title of a chapter's page; other pages are left alone."""
    folder, _, slug = app.env.docname.partition("/")
    if folder != FOLDER:
        return
    title = next(iter(doctree.findall(nodes.title)))
    bar = nodes.raw("", facts_html(chapter_of(app.env, slug), app.config), format="html")
    title.parent.insert(title.parent.index(title) + 1, bar)


def facts_html(chapter: Chapter, config: Config) -> str:
    """The bar; all its numbers come from the notebook's metadata."""
    facts = {
        "Reading": f"{chapter.reading_minutes} min",
        "Running": measured_time(chapter),
        "Preset": chapter.measured("preset"),
        "Download": chapter.fact("download"),
        "You need": chapter.fact("prerequisites"),
    }
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts.items()
    )
    notebook = f"{chapter.slug}.ipynb"
    return (
        '<aside class="facts" aria-label="About this chapter">'
        f'<p class="facts-paper"><a href="{escape(chapter.fact("paper", "url"))}">'
        f"{escape(chapter.fact('paper', 'title'))}</a>"
        f" <span>{escape(authors(chapter.fact('paper', 'authors')))},"
        f" {escape(chapter.fact('paper', 'year'))}</span>"
        f"</p><dl>{items}</dl>"
        '<p class="facts-actions">'
        f'<a href="{escape(colab_url(chapter, config))}">Run it in Colab</a>'
        f'<a href="../_sources/{FOLDER}/{notebook}" download="{notebook}">Download the notebook</a>'
        "</p></aside>"
    )


def authors(names: str | list[str]) -> str:
    """Author names as one string."""
    return names if isinstance(names, str) else ", ".join(names)


def measured_time(chapter: Chapter) -> str:
    """E.g. '94 s on 2 cores'."""
    cores = chapter.measured("cores")
    return f"{chapter.measured('seconds'):.0f} s on {cores} core{'s' if cores != 1 else ''}"


def colab_url(chapter: Chapter, config: Config) -> str:
    """Where Colab opens the committed notebook."""
    theme = config.html_theme_options
    repository = theme["repository_url"].removeprefix("https://")
    service = theme["launch_buttons"]["colab_url"]
    branch = theme["repository_branch"]
    owner_and_name = repository.removeprefix("github.com/")
    return f"{service}/github/{owner_and_name}/blob/{branch}/{chapter.docname}.ipynb"
