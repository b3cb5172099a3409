"""The gate over every built page, and the proof that the gate can fail."""

import json
import re

import gate
import pytest

from tools.browser import pages


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page(browser, site, address, theme, width):
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=theme, has_touch=width < 600
    )
    names = pages(site)
    assert "book/index.html" in names
    wrong = {name: gate.problems(context, address, name) for name in names}
    context.close()
    assert not any(wrong.values()), json.dumps(
        {name: found for name, found in wrong.items() if found}, indent=2
    )


def without_values(figure: dict) -> dict:
    """The figure with nothing to draw: every value is missing."""
    for trace in figure["data"]:
        for key in ("x", "y", "z"):
            if key in trace:
                trace[key] = [None, None]
    return figure


def in_figures(change):
    """A change that does `change` to the JSON of every figure of the page."""

    def changed(match):
        text = json.dumps(change(json.loads(match[2])))
        return match[1] + text.replace("<", "\\u003c") + match[3]

    pattern = r'(<figure class="book-figure".*?<script type="application/json">)(.*?)(</script>)'
    return lambda text: re.sub(pattern, changed, text, flags=re.DOTALL)


def low_legend(figure: dict) -> dict:
    """The figure with its legend over the titles of its panels."""
    figure["layout"]["legend"] |= {"y": 1, "yanchor": "middle"}
    return figure


def close_panels(figure: dict) -> dict:
    """The figure with its second panel so near to the first that its labels have no room."""
    axes = figure["layout"]["xaxis"], figure["layout"]["xaxis2"]
    axes[1]["domain"][0] = axes[0]["domain"][1] + 0.02
    return figure


def in_article(html: str):
    """A change that adds `html` to the page's article."""
    return lambda text: text.replace("</article>", f"{html}</article>", 1)


def with_script(script: str):
    """A change that adds an inline script to the page's article, and allows it."""
    add = in_article(f"<script>{script}</script>")
    return lambda text: add(text).replace(
        'http-equiv="Content-Security-Policy"', 'name="no-policy"'
    )


def with_formula(tex: str):
    """A change that adds a formula to the page's article."""
    return in_article(f'<span class="math notranslate nohighlight">\\({tex}\\)</span>')


# What is done to the page, and what the gate must say about it.
SABOTAGE = {
    "a loader that is not there": (
        lambda text: text.replace("figures.js", "favicon.svg"),
        "is not drawn",
    ),
    "a figure without data": (in_figures(without_values), "is blank"),
    "a legend over a title": (in_figures(low_legend), "the legend covers"),
    "panels too close": (in_figures(close_panels), "lies over a panel"),
    "a figure without description": (
        lambda text: re.sub(
            r'(<div (?=[^>]*book-figure-plot)[^>]*?)aria-label="[^"]*"', r"\1", text
        ),
        "has no description",
    ),
    "a figure without table": (
        lambda text: text.replace('class="figure-data"', ""),
        "0 data tables",
    ),
    "a dead explorable": (
        in_article('<div class="explorable" data-slug="none"></div>'),
        "explorable none is not ready",
    ),
    "a request to another site": (
        in_article('<img src="https://example.org/pixel.png">'),
        "request to another site",
    ),
    "a missing file": (in_article('<img src="missing.png">'), "404"),
    "an error in the console": (with_script("console.error('x')"), "console: x"),
    "a script that throws": (with_script("throw Error('y')"), "script error: y"),
    "a script that the policy forbids": (in_article("<script>x = 1</script>"), "violates"),
    "a broken formula": (
        with_formula(r"\frac"),
        "formula with an error",
    ),
    "an unknown command": (
        with_formula(r"\nosuchthing"),
        "unknown command",
    ),
    "a formula left as text": (in_article("<p>and $x^2$ too</p>"), "formula left as text"),
    "a page wider than the screen": (in_article('<div style="width:3000px">-</div>'), "px wide"),
    "a page without title": (lambda text: re.sub(r"</?h1\b", "<p", text), "no H1"),
}


NEVER_SETTLES = ("a loader that is not there", "a dead explorable")


@pytest.mark.parametrize("name", SABOTAGE)
def test_gate_reports(browser, site, address, name):
    """On a copy of the landing page with one thing broken, the gate names that thing."""
    change, complaint = SABOTAGE[name]
    original = (site / "book" / "index.html").read_text(encoding="utf-8")
    broken = change(original)
    assert broken != original
    context = browser.new_context(viewport={"width": 1280, "height": 844})
    context.route("**/book/index.html", lambda route: route.fulfill(body=broken))
    patience = 3_000 if name in NEVER_SETTLES else gate.PATIENCE
    found = gate.problems(context, address, "book/index.html", patience)
    context.close()
    assert any(complaint in problem for problem in found), found


def test_a_browser_that_draws_no_frames_is_named(browser, address, monkeypatch):
    """Then it is not the page that is dead, and the page is opened again."""
    monkeypatch.setattr(gate, "SETTLE", gate.SETTLE.replace("missed > 20", "missed > 2"))
    context = browser.new_context()
    context.add_init_script("window.requestAnimationFrame = () => 0")
    looks = []

    def look():
        looks.append(context.new_page())
        looks[-1].goto(address + "notebooks/grokking.html")
        return gate.settle(looks[-1])

    with pytest.raises(gate.Stalled, match="draws no frames of .*grokking.html"):
        gate.unless_stalled(look, tries=2)
    assert len(looks) == 2
    context.close()
