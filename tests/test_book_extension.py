"""The book's Sphinx extension: what it writes into pages, and what it refuses."""

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.errors import ConfigError, SphinxError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

from papers_in_motion import (  # noqa: E402
    benchmarks,
    chapters,
    explorable,
    facts,
    finish,
    policy,
    site,
    social,
    theme,
)
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


PREDICT = {"question": "Where do they <cross>?", "options": ["at 0", "at 1"], "answer": 0}


def asking(**changes):
    """A figure with a question; `changes` replace parts of it."""
    figure = a_figure()
    return a_figure(meta=figure["layout"]["meta"] | {"predict": PREDICT | changes})


def test_a_question_waits_hidden_until_a_script_covers_the_figure():
    found = Elements(figure_html(asking(), ask=True))
    question, said = (
        next(attrs for attrs in found.with_tag("div") if attrs.get("class") == name)
        for name in ("book-figure-question", "book-figure-said")
    )
    assert "hidden" in question and "hidden" in said
    assert question["data-answer"] == "at 0"
    values = [attrs["value"] for attrs in found.with_tag("button") if "value" in attrs]
    assert values == ["at 0", "at 1", ""]
    assert not found.with_tag("cross")
    ids = [attrs.get("id") for _, attrs in found.tags]
    assert question["aria-labelledby"] in ids


def test_a_question_belongs_to_the_chapter():
    """A prose page that shows a chapter's figure shows it uncovered."""
    assert "book-figure-question" not in figure_html(asking())


def build_page(folder, markdown, figures):
    """A page of `markdown` and stored figures, built as strictly as the book: (process, HTML)."""
    question = {"text/markdown": "**Before", "application/vnd.papers-in-motion.question+json": {}}
    shown = [data for figure in figures for data in (question, {chapters.FIGURE_MIME: figure})]
    outputs = [{"output_type": "display_data", "metadata": {}, "data": data} for data in shown]
    code = {"cell_type": "code", "source": "1", "execution_count": 1, "outputs": outputs}
    text = {"cell_type": "markdown", "source": f"# Page\n\n{markdown}"}
    cells = [cell | {"metadata": {}} for cell in (text, code)]
    metadata = {"language_info": {"name": "python"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    (folder / "index.ipynb").write_text(json.dumps(notebook))
    settings = {
        "extensions": "myst_nb,papers_in_motion",
        "nb_execution_mode": "off",
        "html_theme": "basic",
    }
    options = [f"-D{name}={value}" for name, value in settings.items()]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-n", "-C", *options, folder, folder / "built"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "book" / "_ext")},
    )
    page = folder / "built" / "index.html"
    return done, page.read_text(encoding="utf-8") if page.is_file() else ""


def with_slider(*labels, name="curves"):
    meta = {"alt": "Two curves that cross once, at zero", "name": name, "predict": PREDICT}
    steps = [{"label": label, "method": "animate", "args": [[label]]} for label in labels]
    return a_figure(meta=meta, sliders=[{"steps": steps}])


def test_a_link_names_a_figure_and_a_position_of_its_slider(tmp_path):
    links = "[with *two*](#figure-curves=2), [N = 8](<#figure-curves=N = 8>)"
    done, html = build_page(tmp_path, links, [with_slider("2", "N = 8")])
    assert done.returncode == 0, done.stderr
    found = Elements(html)
    acting = [attrs for attrs in found.with_tag("a") if attrs.get("class") == "figure-link"]
    assert [attrs["href"] for attrs in acting] == ["#figure-curves"] * 2
    assert [attrs["data-position"] for attrs in acting] == ["2", "N = 8"]
    assert any(attrs.get("id") == "figure-curves" for attrs in found.with_tag("figure"))
    assert ">with <em>two</em></a>" in html
    assert "**Before" not in html and "<strong>Before" not in html


@pytest.mark.parametrize(
    ("link", "message"),
    [
        (
            "[with 3](#figure-curves=3)",
            "index: the link [with 3](#figure-curves=3) names no position of the slider of figure "
            "'curves'; allowed: 2, 4.",
        ),
        (
            "[with 2](#figure-hook=2)",
            "index: the link [with 2](#figure-hook=2) names no figure of this page; its figures "
            "are: curves, still.",
        ),
        ("[x](#figure-still=2)", "of figure 'still'; allowed: none, since it has no slider."),
    ],
)
def test_a_link_that_would_do_nothing_stops_the_build(tmp_path, link, message):
    still = a_figure(meta={"alt": "Two curves that cross once, at zero", "name": "still"})
    done, html = build_page(tmp_path, link, [with_slider("2", "4"), still])
    assert done.returncode != 0 and not html
    assert message in done.stderr


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
    found = Elements(explorable.place_html("fourier-head", {"text": HOSTILE}, HOSTILE, up="../"))
    assert json.loads("".join(found.scripts)) == {"text": HOSTILE}
    pictures = [attrs["src"] for attrs in found.with_tag("img")]
    assert len(pictures) == 2 and all(src.startswith("../_static/posters/") for src in pictures)


def test_a_brief_explorable_stands_in_with_its_main_picture():
    for brief, kind in ((False, "poster"), (True, "thumbnail")):
        found = Elements(explorable.place_html("fourier-head", {}, "text", "", brief=brief))
        assert all(f"-{kind}-" in attrs["src"] for attrs in found.with_tag("img"))
        (place,) = (attrs for attrs in found.with_tag("div") if "data-slug" in attrs)
        assert ("data-brief" in place) == brief


def test_an_unknown_explorable_stops_the_build():
    with pytest.raises(ChapterError, match="'demo' has no module; there are .*fourier-head"):
        explorable.check_known("demo")


def test_an_explorable_without_poster_stops_the_build(monkeypatch, tmp_path):
    (tmp_path / "posters.json").write_text("{}")
    monkeypatch.setattr(explorable, "POSTERS", tmp_path)
    explorable.poster_size.cache_clear()
    with pytest.raises(ChapterError, match="has no poster; make it with: make posters"):
        explorable.poster_html("fourier-head", up="")
    explorable.poster_size.cache_clear()


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
    exercises = "\n\n## Exercises\n\n" + "word " * 1000
    assert a_chapter("# T\n\n" + "word " * 400 + exercises).reading_minutes == 2


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


def test_policy_allows_the_inline_scripts_of_the_page_and_no_other():
    html = '<script>let a = "<";</script><script type="application/json">{}</script>'
    text = policy.policy(BeautifulSoup(html, "html.parser"))
    scripts = dict(part.split(" ", 1) for part in text.split("; "))["script-src"]
    # openssl dgst -sha256 -binary | openssl base64
    assert scripts == "'self' blob: 'sha256-1EUomfq/Az4ZLcWS60BzogzOSGmW7XaoHgUAKtnwrN0='"


def test_an_unknown_inline_handler_stops_the_build():
    page = BeautifulSoup('<button onclick="steal()">x</button>', "html.parser")
    with pytest.raises(SphinxError, match=r"demo.html has the inline handler 'steal\(\)'"):
        finish.move_handlers(page, "demo.html")


def a_site(tmp_path, base=""):
    """An app with two pages, as the hooks for the finished site see it."""
    titles = {"book/index": "Welcome", "notebooks/demo": "A <title>"}
    return SimpleNamespace(
        outdir=tmp_path,
        srcdir=tmp_path,
        builder=SimpleNamespace(format="html", get_target_uri=lambda name: f"{name}.html"),
        config=SimpleNamespace(
            html_theme="sphinx_book_theme",
            html_baseurl=base,
            root_doc="book/index",
            html_title="Book",
        ),
        env=SimpleNamespace(
            found_docs=set(titles), titles={k: nodes.title("", v) for k, v in titles.items()}
        ),
    )


@pytest.mark.parametrize("base", ["", "https://example.org/", "https://example.org/book/"])
def test_site_files(tmp_path, base):
    site.write_site_files(a_site(tmp_path, base), None)
    missing = Elements((tmp_path / "404.html").read_text(encoding="utf-8"))
    root = base.removeprefix("https://example.org") or "/"
    targets = [a["href"] for tag in ("a", "link") for a in missing.with_tag(tag)]
    assert f"{root}notebooks/demo.html" in targets
    assert all(target.startswith(root) for target in targets)
    assert (tmp_path / "sitemap.xml").exists() == bool(base)
    if base:
        text = (tmp_path / "sitemap.xml").read_text(encoding="utf-8")
        assert f"<loc>{base}book/index.html</loc>" in text
        assert f"<loc>{base}notebooks/demo.html</loc>" in text


@pytest.mark.parametrize("base", ["", "https://example.org", "https://example.org/book/"])
def test_each_page_names_its_canonical_address(tmp_path, base):
    """In the book's own theme, with a prose page and a chapter; without an address, none."""
    source, built = tmp_path / "source", tmp_path / "built"
    for name in ("book", "notebooks"):
        (source / name).mkdir(parents=True)
    settings = {
        "extensions": ["myst_nb", "papers_in_motion"],
        "nb_execution_mode": "off",
        "root_doc": "book/index",
        "html_theme": "sphinx_book_theme",
        "html_theme_options": CONFIG.html_theme_options,
    }
    conf = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
    (source / "conf.py").write_text(conf)
    toctree = "# Start\n\n```{toctree}\n../notebooks/demo\n```\n"
    (source / "book" / "index.md").write_text(toctree)
    text = {"cell_type": "markdown", "metadata": {}, "source": "# Demo\n\nText."}
    metadata = a_chapter().metadata | {"language_info": {"name": "python"}}
    notebook = {"cells": [text], "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    (source / "notebooks" / "demo.ipynb").write_text(json.dumps(notebook))
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-n", source, built],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "book" / "_ext"), "SITE_URL": base},
    )
    assert done.returncode == 0, done.stderr
    for name in ("book/index.html", "notebooks/demo.html", "search.html"):
        links = Elements((built / name).read_text(encoding="utf-8")).with_tag("link")
        canonical = [link["href"] for link in links if link.get("rel") == "canonical"]
        assert canonical == ([f"{base.rstrip('/')}/{name}"] if base else []), name


@pytest.mark.parametrize("base", ["", "https://example.org/book/"])
def test_social_card(tmp_path, base):
    notebook = {"cells": [], "metadata": {"papers_in_motion": ABOUT | {"claim": 'It "works".'}}}
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "demo.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    context = {"metatags": ""}
    social.add_card(a_site(tmp_path, base), "notebooks/demo", "", context, nodes.document("", ""))
    tags = {
        tag.get("property", tag.get("name")): tag["content"]
        for tag in Elements(context["metatags"]).with_tag("meta")
    }
    assert tags["og:title"] == "A <title>"
    assert tags["description"] == tags["og:description"] == 'It "works".'
    picture = {"og:image": f"{base}_static/social-card.png"} if base else {}
    assert {name: tags[name] for name in ("og:image",) if name in tags} == picture


def test_the_picture_of_the_card_has_the_promised_size():
    head = (ROOT / "book" / "_static" / "social-card.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert [int.from_bytes(head[i : i + 4], "big") for i in (16, 20)] == [1200, 630]


def test_the_address_of_the_site(monkeypatch):
    config = SimpleNamespace(html_baseurl="")
    monkeypatch.delenv("SITE_URL", raising=False)
    site.read_address(None, config)
    assert config.html_baseurl == ""
    monkeypatch.setenv("SITE_URL", "https://example.org/book")
    site.read_address(None, config)
    assert config.html_baseurl == "https://example.org/book/"
    monkeypatch.setenv("SITE_URL", "example.org")
    with pytest.raises(ConfigError, match="full address"):
        site.read_address(None, config)


# --- benchmarks ----------------------------------------------------------------------------------

MEASURED = {
    "title": "Two ways",
    "tables": [[["way", "seconds"], ["one", "3.0"], ["two", "1.5"]]],
    "notes": ["Both compute the same."],
    "provenance": {
        "script": "benchmarks/two_ways.py",
        "date": "2026-01-02",
        "machine": "A processor, 2 cores",
        "device": "2 x cpu",
        "versions": {"jax": "0.10.2"},
    },
}


def test_the_performance_page_shows_what_is_stored(tmp_path):
    folder = tmp_path / "benchmarks" / "results"
    env = SimpleNamespace(srcdir=str(tmp_path), note_dependency=lambda path: None)
    directive = SimpleNamespace(env=env)
    assert "No benchmark" in benchmarks.Benchmarks.run(directive)[0].astext()
    folder.mkdir(parents=True)
    (folder / "two_ways.json").write_text(json.dumps(MEASURED))
    (section,) = benchmarks.Benchmarks.run(directive)
    cells = [entry.astext() for entry in section.findall(nodes.entry)]
    assert cells == ["way", "seconds", "one", "3.0", "two", "1.5"]
    assert section["ids"] == ["bench-two-ways"]
    for said in ("Two ways", "Both compute the same.", "2026-01-02", "A processor, 2 cores", "jax"):
        assert said in section.astext()
