"""The book's Sphinx extension: what it writes into pages, and what it refuses."""

import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

from papers_in_motion import chapters, explorable, facts, theme  # noqa: E402
from papers_in_motion.chapters import Chapter, ChapterError  # noqa: E402
from papers_in_motion.figure import figure_html  # noqa: E402


class Elements(HTMLParser):
    """All start tags with their attributes, and the text inside script elements."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.scripts, self._inside = [], [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag == "script"

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.scripts.append(data)

    def with_tag(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]


def a_figure(**layout):
    """A stored figure with description and name."""
    meta = {"alt": "Two curves that cross once, at zero", "name": "curves"}
    layout = {"meta": meta} | layout
    return {"data": [{"type": "scatter", "y": [1, 2]}], "layout": layout}


HOSTILE = "</script><img src=x onerror=alert(1)><!-- \u2028 'quoted' \"twice\" &amp;"


def test_no_text_of_a_figure_can_leave_its_place():
    figure = a_figure(title={"text": HOSTILE}, meta={"alt": HOSTILE, "name": HOSTILE})
    found = Elements(figure_html(figure))
    assert not found.with_tag("img")
    assert json.loads("".join(found.scripts)) == figure
    labels = [attrs["aria-label"] for _, attrs in found.tags if "aria-label" in attrs]
    assert labels == [HOSTILE]


@pytest.mark.parametrize("meta", [None, {}, {"alt": " "}, "text"])
def test_a_figure_without_description_stops_the_build(meta):
    with pytest.raises(ChapterError, match="alt"):
        figure_html(a_figure(meta=meta))


def test_a_figure_reserves_its_height_on_both_screens():
    figure = a_figure(height=380, meta={"alt": "Two panels side by side", "phone": {"height": 700}})
    style = Elements(figure_html(figure)).with_tag("figure")[0]["style"]
    assert style == "--height:380px;--height-phone:700px"


def test_sliders_and_buttons_become_native_controls():
    steps = [{"label": str(n), "method": "animate", "args": [[str(n)]]} for n in (2, 4, 8)]
    found = Elements(
        figure_html(
            a_figure(
                sliders=[{"active": 1, "steps": steps, "currentvalue": {"prefix": "N = "}}],
                updatemenus=[{"buttons": [{"label": "Play", "method": "animate", "args": [None]}]}],
            )
        )
    )
    [slider] = found.with_tag("input")
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "2", "1")
    assert slider["aria-valuetext"] == "4"
    assert len(found.with_tag("button")) == 1
    assert len(found.with_tag("label")) == 1


def test_module_source_is_embedded_as_it_is():
    source = "export default { render({ el }) { el.textContent = '<b> & \"'; } }\n"
    found = Elements(explorable.module_html("demo", source))
    assert found.scripts == [source]
    assert found.with_tag("script") == [{"type": "text/plain", "data-explorable": "demo"}]


@pytest.mark.parametrize("part", ["</script>", "</SCRIPT ", "<!--"])
def test_a_module_that_html_would_cut_short_stops_the_build(part):
    with pytest.raises(ChapterError, match=r"demo\.js"):
        explorable.module_html("demo", f"const a = '{part}';")


@pytest.mark.parametrize(
    "content", [{}, {"slug": "demo"}, {"slug": "demo", "fallback": ""}, {"fallback": "text"}]
)
def test_an_explorable_without_name_or_fallback_stops_the_build(content):
    data = SimpleNamespace(mime_type=explorable.MIME, content=content)
    with pytest.raises(ChapterError, match="no '(slug|fallback)'"):
        explorable.ExplorableMime.handle_mime(None, data, inline=False)


def test_explorable_state_cannot_leave_its_script():
    content = {"slug": "demo", "fallback": HOSTILE, "state": {"text": HOSTILE}}
    data = SimpleNamespace(mime_type=explorable.MIME, content=content)
    [node] = explorable.ExplorableMime.handle_mime(None, data, inline=False)
    found = Elements(node.astext())
    assert json.loads("".join(found.scripts)) == {"text": HOSTILE}
    assert not found.with_tag("img")


ABOUT = {
    "claim": "It works.",
    "paper": {"title": "T", "authors": ["A", "B"], "year": 2024, "url": "https://x.org"},
    "prerequisites": "calculus",
    "download": "none",
}
CLAIM = {"id": "H1", "statement": "s", "paper": "p", "here": "h", "verdict": "reproduced"}


def a_chapter(markdown="# A title\n\nText.", **changes) -> Chapter:
    """A complete chapter; `changes` replace parts of its metadata."""
    metadata = {
        "papers_in_motion": ABOUT,
        "papers_in_motion_run": {
            "preset": "laptop",
            "seconds": 93.6,
            "cores": 2,
            "device": "cpu",
            "versions": {"python": "3.11"},
            "stamp": {"cells": "0" * 64},
            "ledger": {"records": {}, "claims": [CLAIM]},
        },
    } | changes
    cells = [{"cell_type": "markdown", "source": markdown}]
    return Chapter("demo", Path("notebooks/demo.ipynb"), cells, metadata)


CONFIG = SimpleNamespace(
    html_theme_options={
        "repository_url": "https://github.com/someone/book",
        "repository_branch": "main",
        "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    }
)


def test_facts_bar_shows_what_was_measured():
    html = facts.facts_html(a_chapter(), CONFIG)
    assert "94 s on 2 cores" in html
    assert "A, B, 2024" in html
    links = [attrs["href"] for attrs in Elements(html).with_tag("a")]
    assert links == [
        "https://x.org",
        "https://colab.research.google.com/github/someone/book/blob/main/notebooks/demo.ipynb",
        "../_sources/notebooks/demo.ipynb",
    ]


@pytest.mark.parametrize(
    ("incomplete", "message"),
    [
        (a_chapter(papers_in_motion={}), "demo.ipynb has no 'papers_in_motion'"),
        (a_chapter(papers_in_motion={"download": "none"}), "has no 'prerequisites'"),
        (
            a_chapter(papers_in_motion=ABOUT | {"paper": {"title": "T", "url": "https://x.org"}}),
            "papers_in_motion.paper has no 'authors'",
        ),
        (a_chapter(papers_in_motion_run={}), "was not executed by 'make execute CHAPTER=demo'"),
        (a_chapter(papers_in_motion_run={"preset": "laptop"}), "has no 'cores'"),
    ],
)
def test_missing_metadata_stops_the_build(incomplete, message):
    with pytest.raises(ChapterError, match=message):
        facts.facts_html(incomplete, CONFIG)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (CLAIM | {"verdict": "confirmed"}, "claim H1 has verdict 'confirmed'; allowed: reproduced"),
        (CLAIM | {"here": ""}, "claim H1 has no 'here'"),
    ],
)
def test_an_incomplete_claim_stops_the_build(claim, message):
    with pytest.raises(ChapterError, match=message):
        _ = a_chapter(papers_in_motion_run={"ledger": {"claims": [claim]}}).claims


def test_title_is_the_first_heading():
    assert a_chapter("some text\n\n# The title \n").title == "The title"
    with pytest.raises(ChapterError, match="no H1"):
        _ = a_chapter("## Only a section").title


def test_reading_time_counts_words():
    assert a_chapter("# T\n\n" + "word " * 2000).reading_minutes == 10
    assert a_chapter("# T").reading_minutes == 1


def test_figures_are_found_by_name():
    chapter = a_chapter()
    table = {"output_type": "display_data", "data": {"text/html": ["<table>", "</table>"]}}
    figure = {"output_type": "display_data", "data": {chapters.FIGURE_MIME: a_figure()}}
    chapter.cells.append({"cell_type": "code", "source": "", "outputs": [figure, table]})
    assert chapter.figure("curves") == (a_figure(), "<table></table>")
    with pytest.raises(ChapterError, match="no figure named 'hook'; it has: curves"):
        chapter.figure("hook")


def test_only_broken_theme_scripts_are_dropped():
    script = SimpleNamespace(filename="_static/figures.js", attributes={})
    assert not theme.is_unwanted(script)
    assert theme.is_unwanted(SimpleNamespace(filename="_static/sphinx-thebe.js", attributes={}))
    body = {"body": 'const THEBE_JS_URL = "https://x"'}
    assert theme.is_unwanted(SimpleNamespace(filename=None, attributes=body))


def test_configuration_hides_nothing():
    """No suppressed warnings, nothing executed at build time, nothing fetched from a CDN."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    sphinx = config["sphinx"]["config"]
    assert "suppress_warnings" not in sphinx
    assert config["execute"]["execute_notebooks"] == "off"
    assert "://" not in sphinx["mathjax_path"]
    assert sphinx["nb_ipywidgets_js"] == {}
