"""axe-core finds nothing to complain about on any page, in both themes, on a phone and a laptop."""

from pathlib import Path

import axe_playwright_python
import gate
import pytest

from tools.browser import ANSWER_QUESTIONS, SITE, pages

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RUN = """async ({part, rules}) => {
  const options = {resultTypes: ['violations']};
  if (rules) options.runOnly = {type: 'rule', values: rules};
  const context = {include: [[part]], exclude: [['mjx-container > *']]};
  const {violations} = await axe.run(context, options);
  return violations.flatMap(({id, impact, nodes}) =>
    nodes.map(node => `${id} (${impact}): ${node.html.slice(0, 200)}`));
}"""
# Axe takes minutes for a chapter with ten thousand coloured words of code and as many cells of
# data. Three of a kind, and three rows of a table, show the same faults as all of them; and lines
# of a plot, which are not text, show none.
THIN = """() => {
  const seen = {};
  for (const word of document.querySelectorAll('pre span')) {
    seen[word.className] = (seen[word.className] ?? 0) + 1;
    if (seen[word.className] > 3) word.replaceWith(...word.childNodes);
  }
  const plenty = 'tbody tr:nth-child(n + 4), .js-plotly-plot .plot, .js-plotly-plot path';
  document.querySelectorAll(plenty).forEach(element => element.remove());
}"""
COLOURS = ["color-contrast", "link-in-text-block"]
# All rules in both themes and at both widths. What only a laptop shows has all of them in dark; in
# light it can break no rule but those about colours.
LOOKS = [("light", 390, None), ("dark", 1280, None), ("light", 1280, COLOURS)]


def violations(context, url, rules=None):
    """What axe finds on the page at `url` once everything on it is drawn."""
    return gate.unless_stalled(lambda: _violations(context, url, rules))


def _violations(context, url, rules):
    page = context.new_page()
    page.goto(url)
    page.evaluate(AXE)
    question = ".book-figure-question:not([hidden])"
    found = []
    if page.locator(question).count():
        found += page.evaluate(RUN, {"part": question, "rules": rules})
    page.evaluate(ANSWER_QUESTIONS)
    found += [f"not drawn: {html}" for html in gate.settle(page)]
    page.evaluate("scrollTo(0, 0)")
    page.evaluate(THIN)
    found += page.evaluate(RUN, {"part": "html", "rules": rules})
    page.close()
    return found


@pytest.mark.parametrize("theme, width, rules", LOOKS)
@pytest.mark.parametrize("name", pages(SITE))
def test_axe(browser, address, name, theme, width, rules):
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=theme)
    found = violations(context, address + name, rules)
    context.close()
    assert not found, "\n".join(found)


SABOTAGE = {
    '<img src="../_static/favicon.svg">': "image-alt",
    '<p style="color:#ccc;background:#fff">too pale</p>': "color-contrast",
    "<button></button>": "button-name",
    '<div role="list"><p>no item</p></div>': "aria-required-children",
}


@pytest.mark.parametrize("html", SABOTAGE)
def test_axe_sees(browser, address, site, html):
    """On a copy of a page with one fault, that fault is named."""
    name = "book/teaching.html"
    text = (site / name).read_text(encoding="utf-8")
    broken = text.replace("</article>", f"{html}</article>", 1)
    context = browser.new_context(viewport={"width": 1280, "height": 844})
    context.route(f"**/{name}", lambda route: route.fulfill(body=broken))
    found = violations(context, address + name)
    context.close()
    assert any(SABOTAGE[html] in violation for violation in found), found
