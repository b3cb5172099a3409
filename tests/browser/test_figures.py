"""Figures do in the browser what they promise: they come last, follow the page, and obey keys."""

import sys
from pathlib import Path
from unittest import mock

import gate
import pytest

import tutorlib as tl

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_ext"))

from papers_in_motion.chapters import FIGURE_MIME  # noqa: E402
from papers_in_motion.figure import figure_html  # noqa: E402
from papers_in_motion.figure_link import opening_tag  # noqa: E402

from tools.browser import ANSWER_QUESTIONS, pages

READY = ".book-figure[data-ready]"
WITH_SLIDER = ".book-figure:has(input[data-slider])"
# The values a figure shows at this moment, as one string.
VALUES = """figure => JSON.stringify(figure.querySelector('.js-plotly-plot')._fullData
  .map(trace => Array.from(trace.z ?? trace.y, row => Array.from([row].flat()))))"""
FIRST_WITH_PANELS = """() => [...document.querySelectorAll('.book-figure')].findIndex(figure => {
  const {layout} = JSON.parse(figure.querySelector('script').textContent);
  return layout.xaxis2 && layout.meta.phone;
})"""
PANEL_TOPS = """figure => Object.values(figure.querySelector('.js-plotly-plot')._fullLayout._plots)
  .map(panel => panel.yaxis._offset)"""
INK = "() => document.querySelector('.js-plotly-plot .xtick text').style.fill"


def open_figure(page, address, site, selector=".book-figure"):
    """Open the first page that has a figure matching `selector`; return the drawn figure."""
    for name in pages(site):
        page.goto(address + name)
        if page.locator(selector).count():
            figure = page.locator(selector).first
            figure.scroll_into_view_if_needed()
            page.locator(READY).first.wait_for()
            return figure
    raise AssertionError(f"no page has a figure matching {selector}")


def test_text_comes_before_plotly(browser, site, address):
    """Plotly is not even asked for before a figure comes near."""
    text = (site / "book" / "index.html").read_text(encoding="utf-8")
    figure = '<figure class="book-figure"'
    pushed_down = text.replace(figure, f'<div style="height:4000px"></div>{figure}', 1)
    context = browser.new_context(viewport={"width": 1280, "height": 844})
    context.route("**/book/index.html", lambda route: route.fulfill(body=pushed_down))
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address + "book/index.html", wait_until="networkidle")
    assert not any("plotly" in url for url in asked)
    page.locator(".book-figure").first.scroll_into_view_if_needed()
    page.locator(READY).first.wait_for()
    assert sum("plotly" in url for url in asked) == 1
    context.close()


def test_slider_obeys_the_keyboard(page, site, address):
    figure = open_figure(page, address, site, WITH_SLIDER)
    slider = figure.locator("input[data-slider]").first
    shown, drawn = figure.locator("output").first.inner_text(), figure.evaluate(VALUES)
    key = "ArrowLeft" if slider.input_value() == slider.get_attribute("max") else "ArrowRight"
    slider.press(key)
    assert figure.locator("output").first.inner_text() != shown
    assert slider.get_attribute("aria-valuetext") == figure.locator("output").first.inner_text()
    page.wait_for_function(
        f"([figure, before]) => ({VALUES})(figure) !== before", arg=[figure.element_handle(), drawn]
    )


def test_theme_reaches_drawn_figures_and_keeps_the_slider(page, site, address):
    figure = open_figure(page, address, site, WITH_SLIDER)
    slider = figure.locator("input[data-slider]").first
    at_start = figure.evaluate(VALUES)
    slider.press("End")
    page.wait_for_function(
        f"([figure, before]) => ({VALUES})(figure) !== before",
        arg=[figure.element_handle(), at_start],
    )
    drawn = figure.evaluate(VALUES)
    ink = page.evaluate(INK)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_function(f"before => ({INK})() !== before", arg=ink)
    page.wait_for_function(
        f"([figure, before]) => ({VALUES})(figure) === before", arg=[figure.element_handle(), drawn]
    )
    assert slider.input_value() == slider.get_attribute("max")


SHOWN_HUES = """figure => figure.querySelector('.js-plotly-plot')._fullData
  .filter(trace => trace.line && trace.mode === 'lines').map(trace => trace.line.color)"""
TOKENS = """names => names.map(name => {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(`--data-${name}`).trim();
  return `rgba(${[1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16)).join(',')},1)`;
})"""


def test_hues_of_the_data_are_the_tokens_of_the_page(page, site, address):
    figure = open_figure(page, address, site)
    light = figure.evaluate(SHOWN_HUES)
    assert set(page.evaluate(TOKENS, ["blue", "orange", "truth"])) <= set(light)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_function(
        f"([figure, before]) => String(({SHOWN_HUES})(figure)) !== before",
        arg=[figure.element_handle(), ",".join(light)],
    )
    dark = figure.evaluate(SHOWN_HUES)
    in_dark = set(page.evaluate(TOKENS, ["blue", "orange", "truth"]))
    assert in_dark <= set(dark) and not in_dark & set(light)
    # Every hue that a chapter can use has its token.
    names = [name for name in tl.COLORS]
    assert len(set(page.evaluate(TOKENS, names))) == len(names)


def test_panels_stack_on_a_phone(browser, site, address):
    """Panels that stand side by side on a laptop stand below each other on a phone."""
    chapter = sorted((site / "notebooks").glob("*.html"))[0]
    heights = {}
    for width in (390, 1280):
        context = browser.new_context(viewport={"width": width, "height": 844})
        page = context.new_page()
        page.goto(address + chapter.relative_to(site).as_posix())
        page.evaluate(ANSWER_QUESTIONS)
        position = page.evaluate(FIRST_WITH_PANELS)
        assert position >= 0, f"{chapter.name} has no figure with panels"
        figure = page.locator(".book-figure").nth(position)
        figure.scroll_into_view_if_needed()
        page.wait_for_function("figure => figure.dataset.ready", arg=figure.element_handle())
        heights[width] = figure.evaluate(PANEL_TOPS)
        context.close()
    assert len(set(heights[1280])) == 1
    assert len(set(heights[390])) == len(heights[390]) > 1


def test_book_works_from_a_file(page, site):
    """Without any server: figures, formulas and explorables of a chapter."""
    chapter = next(iter(sorted((site / "notebooks").glob("*.html"))))
    assert gate.problems(page.context, "file://", chapter.as_posix()) == []


# --- questions, and words that move a figure ----------------------------------------------------

LABELS = ["25", "50", "1e+3"]
LINKS = ["#figure-steps=25", "#figure-steps=50", "#figure-steps=1e%2B3"]
QUESTION = {"question": "Which is higher?", "options": ["the left", "the right"], "answer": 1}
SAID = "Which is higher? You said: “the left”; the measurement says: “the right”."
STATUS = ".book-figure-status"
SHORT = {"has_touch": True, "viewport": {"width": 390, "height": 844}}
WIDE = {"viewport": {"width": 1280, "height": 900}}


def stored(name, **show):
    """A figure with a slider as a chapter stores it, and its data table."""
    fig = tl.panels(["left", "right"], x_titles=["x"] * 2, y_titles=["y"] * 2)
    for column in (1, 2):
        fig.add_scatter(x=[0, 1], y=[0, column], row=1, col=column)
    moves = [{0: {"y": [i, 1]}, 1: {"y": [i, 2]}} for i in range(len(LABELS))]
    tl.scrub(fig, LABELS, moves, prefix="steps: ", start=1)
    with mock.patch("IPython.display.display") as display:
        tl.show(fig, alt="Two lines, the right one twice as steep as the left.", name=name, **show)
    *_, figure, table = (call.args[0] for call in display.call_args_list)
    return figure[FIGURE_MIME], table["text/html"]


def links(name):
    return ", ".join(f"{opening_tag(name, label)}with {label} steps</a>" for label in LABELS)


@pytest.fixture
def reading(browser, address):
    """Open a page with words that move two figures, one with a question: reading(fragment, ...)."""
    figures = stored("steps"), stored("guess", predict=QUESTION)
    far = '<div style="height:3000px"></div>'
    body = "".join(
        f"<p>Look at it {links(name)}.</p>{far}{figure_html(figure, ask=True)}{table}{far}"
        for name, (figure, table) in zip(("steps", "guess"), figures, strict=True)
    )
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Reading</title>'
        '<link rel="stylesheet" href="_static/book.css">'
        '<script defer src="_static/js/figures.js"></script>'
        f'<body><main class="bd-article"><h1>Reading</h1>{body}</main></body></html>'
    )
    contexts = []

    def open_page(fragment="", script=None, **options):
        context = browser.new_context(**{"reduced_motion": "reduce"} | WIDE | options)
        contexts.append(context)
        context.route(
            "**/reading.html", lambda route: route.fulfill(body=text, content_type="text/html")
        )
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.set_default_timeout(gate.PATIENCE)
        page.wrong = []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.goto(f"{address}reading.html{fragment}")
        if options.get("java_script_enabled", True):
            dark = options.get("color_scheme") == "dark"
            page.evaluate(
                f"document.documentElement.dataset.theme = '{'dark' if dark else 'light'}'"
            )
        return page

    yield open_page
    for context in contexts:
        assert not any(page.wrong for page in context.pages)
        context.close()


def act(locator, how):
    """Use a control with the mouse, a finger, or a key."""
    {"mouse": locator.click, "touch": locator.tap}.get(how, lambda: locator.press(how))()


def await_position(page, name, label):
    """Until the figure is drawn and its linked views show the position."""
    page.wait_for_function(
        """([name, label, value]) => {
          const figure = document.getElementById(`figure-${name}`);
          const traces = figure.querySelector('.js-plotly-plot')?._fullData;
          return figure.dataset.ready && figure.querySelector('output').textContent === label
            && traces.every(trace => trace.y[0] === value);
        }""",
        arg=[name, label, LABELS.index(label)],
    )


def is_seen(figure):
    return figure.evaluate(
        "e => e.getBoundingClientRect().bottom > 0 && e.getBoundingClientRect().top < innerHeight"
    )


@pytest.mark.parametrize(
    ("how", "options"),
    [
        ("mouse", WIDE),
        ("touch", SHORT | {"color_scheme": "dark"}),
        ("Enter", WIDE | {"color_scheme": "dark", "reduced_motion": "no-preference"}),
        ("Space", SHORT),
    ],
)
def test_words_move_a_figure(reading, how, options):
    page = reading(**options)
    figure, words = page.locator("#figure-steps"), page.locator("a.figure-link")
    assert not is_seen(figure)
    assert page.get_by_role("button", name="with 25 steps").count() == 2
    act(words.nth(2), how)
    await_position(page, "steps", "1e+3")
    page.wait_for_function("() => scrollY > 500")
    assert page.url.endswith(LINKS[2])
    assert page.locator(STATUS).inner_text() == "The figure shows steps 1e+3."
    slider = figure.locator("input[data-slider]")
    assert slider.input_value() == "2"
    assert slider.get_attribute("aria-valuetext") == "1e+3"


def test_words_leave_the_page_where_it_is_if_the_figure_is_seen(reading):
    page = reading()
    page.evaluate("""() => {
      document.querySelector('#figure-steps').before(document.querySelector('p'));
      document.querySelector('h1').nextElementSibling.scrollIntoView();
      document.querySelector('p').scrollIntoView();
    }""")
    before = page.evaluate("scrollY")
    page.locator("a.figure-link").first.click()
    await_position(page, "steps", "25")
    assert page.evaluate("scrollY") == before > 0


def test_back_and_forward_move_the_figure(reading):
    page = reading()
    for position in (0, 2):
        page.locator("a.figure-link").nth(position).press("Enter")
        await_position(page, "steps", LABELS[position])
    page.go_back()
    await_position(page, "steps", "25")
    page.go_back()
    await_position(page, "steps", "50")
    assert "#" not in page.url
    page.go_forward()
    await_position(page, "steps", "25")


@pytest.mark.parametrize("label", LABELS)
def test_an_address_opens_a_figure_at_a_position(reading, label):
    page = reading(LINKS[LABELS.index(label)])
    await_position(page, "steps", label)
    assert is_seen(page.locator("#figure-steps"))
    page.reload()
    await_position(page, "steps", label)


@pytest.mark.parametrize(
    "fragment", ["#figure-steps=99", "#figure-none=25", "#figure-steps=%E0%A4"]
)
def test_an_address_that_names_nothing_does_no_harm(reading, fragment):
    page = reading(fragment)
    page.locator("a.figure-link").first.click()
    await_position(page, "steps", "25")


@pytest.mark.parametrize(
    ("how", "options"),
    [
        ("mouse", WIDE | {"color_scheme": "dark"}),
        ("touch", SHORT),
        ("Enter", SHORT | {"color_scheme": "dark"}),
        ("Space", WIDE),
    ],
)
def test_a_guess_uncovers_the_figure_and_stays(reading, how, options):
    page = reading(**options)
    asked = []
    page.on("request", lambda request: asked.append((request.method, request.url)))
    figure, said = page.locator("#figure-guess"), page.locator(".book-figure-said p").last
    question = figure.get_by_role("group", name="Which is higher?")
    figure.scroll_into_view_if_needed()
    question.wait_for()
    # Nothing gives the answer away, to eyes or to a screen reader; the data say that they would.
    assert figure.get_by_role("img").count() == figure.get_by_role("slider").count() == 0
    assert not figure.locator(".book-figure-plot").is_visible()
    assert not figure.get_attribute("data-ready")
    summary = page.locator("details.figure-data summary").last
    spoils = "e => getComputedStyle(e, '::after').content.includes('gives the answer away')"
    assert summary.is_visible() and summary.evaluate(spoils)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    act(question.get_by_role("button", name="the left"), how)
    await_position(page, "guess", "50")
    assert said.inner_text() == SAID
    assert said.evaluate("e => e === document.activeElement")
    assert not question.is_visible() and figure.locator(".book-figure-plot").is_visible()
    assert not summary.evaluate(spoils)
    assert all(method == "GET" and "_static" in url for method, url in asked)

    page.reload()
    await_position(page, "guess", "50")
    assert said.inner_text() == SAID

    act(figure.get_by_role("button", name="Ask me again"), how)
    question.wait_for()
    assert question.get_by_role("button").first.evaluate("e => e === document.activeElement")
    assert not figure.locator(".book-figure-plot").is_visible()
    page.reload()
    question.wait_for()


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ("the right", "You said: “the right”, and so does the measurement."),
        ("Just show me", "You looked without a guess; the measurement says: “the right”."),
    ],
)
def test_what_is_said_without_storage(reading, choice, sentence):
    """A browser that forbids storage forgets the answer, and does nothing worse."""
    page = reading(
        script="Object.defineProperty(window, 'localStorage', {get() { throw Error('no'); }})"
    )
    page.get_by_role("button", name=choice).click()
    await_position(page, "guess", "50")
    assert page.locator(".book-figure-said p").inner_text().endswith(sentence)
    page.get_by_role("button", name="Ask me again").click()
    page.get_by_role("group", name="Which is higher?").wait_for()


def test_words_wait_for_the_guess(reading):
    page = reading()
    page.locator("a.figure-link").nth(3).click()
    first = page.get_by_role("button", name="the left")
    assert first.evaluate("e => e === document.activeElement")
    assert page.locator(STATUS).inner_text() == "The figure is drawn after you answer."
    assert not page.locator("#figure-guess").get_attribute("data-ready")
    first.press("Enter")
    await_position(page, "guess", "25")


def test_without_scripts_words_lead_to_the_description(reading):
    page = reading(java_script_enabled=False)
    figure = page.locator("#figure-guess")
    assert figure.locator(".book-figure-waiting").is_visible()
    assert not figure.locator(".book-figure-question").is_visible()
    assert not page.get_by_role("button").count()
    page.locator("a.figure-link").nth(3).click()
    assert page.url.endswith("#figure-guess")
    assert is_seen(figure)


def test_paper_shows_words_and_figures_without_controls(reading):
    page = reading()
    page.emulate_media(media="print")
    assert not page.locator(".book-figure-question").is_visible()
    assert page.locator("#figure-guess .book-figure-waiting").is_visible()
    link = page.locator("a.figure-link").first
    assert link.evaluate("e => getComputedStyle(e).textDecorationLine") == "none"
