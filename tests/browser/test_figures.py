"""Figures do in the browser what they promise: they come last, follow the page, and obey keys."""

import gate

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
    for name in gate.pages(site):
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


def test_panels_stack_on_a_phone(browser, site, address):
    """Panels that stand side by side on a laptop stand below each other on a phone."""
    chapter = sorted((site / "notebooks").glob("*.html"))[0]
    heights = {}
    for width in (390, 1280):
        context = browser.new_context(viewport={"width": width, "height": 844})
        page = context.new_page()
        page.goto(address + chapter.relative_to(site).as_posix())
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
