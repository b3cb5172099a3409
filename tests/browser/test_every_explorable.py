"""What holds for every explorable, whatever it shows."""

from urllib.parse import urljoin

import pytest
from explorable import until

from tools import posters
from tools.browser import pages
from tools.explorable_page import HOST, write_page
from tutorlib import explorables


@pytest.mark.parametrize("slug", explorables.slugs())
def test_the_page_runs_the_text_that_is_shipped(page, slug, tmp_path):
    page.goto(write_page(slug, tmp_path).as_uri())
    page.wait_for_selector(".explorable[data-ready]")
    text = page.evaluate("document.querySelector('[data-explorable]').textContent")
    assert text == explorables.source(slug)


MODULES = """(html) => {
  const page = new DOMParser().parseFromString(html, "text/html");
  const all = (selector) => [...page.querySelectorAll(selector)];
  return {
    places: all(".explorable[data-slug]").map(node => node.dataset.slug),
    modules: all("script[data-explorable]")
      .map(node => [node.dataset.explorable, node.textContent]),
  };
}"""


def test_every_page_of_the_book_carries_the_text_that_is_shipped(page, site):
    """As a browser parses it; tests/test_explorables.py compares the same text with the wheel."""
    carried = set()
    for name in pages(site):
        # Bytes, so that Python changes no line ends.
        found = page.evaluate(MODULES, (site / name).read_bytes().decode())
        slugs = [slug for slug, _ in found["modules"]]
        assert sorted(slugs) == sorted(set(found["places"])), name
        for slug, text in found["modules"]:
            same = text == explorables.source(slug)
            assert same, f"{name} carries another {slug} than tutorlib; run: make book"
        carried |= set(slugs)
    assert carried == set(explorables.slugs())


# The model that a module gets in Jupyter. As anywidget's it hands out functions that need no
# `this`, tells listeners (model, value) when a value has changed, and sends on save_changes only
# what was set here. fromKernel stands for a message from Python.
MOUNT = """async () => {
  const text = document.querySelector("script[data-explorable]").textContent;
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const { default: widget, manifest } = await import(url);
  const state = Object.fromEntries(
    Object.entries(manifest.state).map(([key, rule]) => [key, structuredClone(rule.default)]));
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const listeners = [], unsaved = new Set();
  const assign = (key, value) => {
    if (same(state[key], value)) return false;
    state[key] = value;
    listeners.filter(({ event }) => event === `change:${key}`)
      .forEach(({ callback }) => callback(model, value));
    return true;
  };
  const model = {
    get: (key) => state[key],
    set: (key, value) => { if (assign(key, value)) unsaved.add(key); },
    save_changes: () => {
      window.sent.push(Object.fromEntries([...unsaved].map((key) => [key, state[key]])));
      unsaved.clear();
    },
    on: (event, callback) => { listeners.push({ event, callback }); },
    off: (event, callback) => {
      const at = listeners.findIndex((one) => one.event === event && one.callback === callback);
      if (at >= 0) listeners.splice(at, 1);
    },
  };
  const el = document.createElement("div");
  el.className = "explorable-body";
  document.querySelector(".explorable").replaceChildren(el);
  Object.assign(window, { sent: [], model, fromKernel: assign, listening: () => listeners.length });
  window.unmount = await widget.render({ model, el });
}"""


@pytest.fixture
def mounted(browser, tmp_path):
    """mounted(slug): a page where only the module runs, with the model that Jupyter gives it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    complaints = []

    def mount(slug):
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: line.type == "error" and complaints.append(line.text))
        # Without the book's host, which would mount it too.
        html = write_page(slug, tmp_path).read_text(encoding="utf-8")
        page.set_content(html.replace(HOST.read_text(encoding="utf-8"), ""))
        page.evaluate(MOUNT)
        return page

    yield mount
    context.close()
    assert not complaints


@pytest.mark.parametrize("slug", explorables.slugs())
def test_the_picture_follows_python(mounted, slug):
    page = mounted(slug)
    rule = explorables.manifest(slug)["state"]["seed"]
    until(page, "root.querySelector('#seed').value === String(arg)", rule["default"])
    for seed in (4321, rule["minimum"], rule["maximum"]):
        page.evaluate("seed => fromKernel('seed', seed)", seed)
        until(page, "root.querySelector('#seed').value === String(arg)", seed)
    # What Python says is not said back to it.
    page.wait_for_timeout(400)
    assert not [values for values in page.evaluate("sent") if "seed" in values]


@pytest.mark.parametrize("slug", explorables.slugs())
def test_python_hears_of_a_click(mounted, slug):
    page = mounted(slug)
    page.evaluate("fromKernel('seed', 4321)")
    page.get_by_role("button", name="New seed").click()
    assert page.evaluate("model.get('seed')") == 4322
    page.wait_for_function("sent.some(values => values.seed === 4322)")
    until(page, "root.querySelector('#seed').value === '4322'")


@pytest.mark.parametrize("slug", explorables.slugs())
def test_a_closed_view_lets_go_of_the_model(mounted, slug):
    """Jupyter closes the view of a cell that runs again, while the model may live on."""
    page = mounted(slug)
    assert page.evaluate("listening()") >= len(explorables.manifest(slug)["state"])
    page.evaluate("unmount()")
    assert page.evaluate("listening()") == 0


def test_without_scripts_a_poster_and_a_text_stand_in(browser, site, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    shown = set()
    for name in pages(site):
        if not name.startswith("notebooks/"):
            continue
        page.goto(address + name)
        for place in page.locator(".explorable[data-slug]").all():
            slug = place.get_attribute("data-slug")
            (poster,) = (one for one in place.locator("img").all() if one.is_visible())
            assert f"{slug}-poster-" in poster.get_attribute("src")
            poster.scroll_into_view_if_needed()
            size = poster.bounding_box()
            assert min(size["width"], size["height"]) > 200, f"{name}: {slug}'s poster is {size}"
            reply = page.request.get(urljoin(page.url, poster.get_attribute("src")))
            assert reply.ok and reply.headers["content-type"] == "image/webp"
            # The text beside the poster describes it, so its alt is empty: nobody hears it twice.
            assert poster.get_attribute("alt") == ""
            text = place.locator("p")
            assert text.is_visible()
            assert text.inner_text() == explorables.manifest(slug)["fallback"]
            shown.add(slug)
    context.close()
    assert shown == set(explorables.slugs())


@pytest.mark.parametrize("slug", explorables.slugs())
def test_an_address_that_asks_for_too_much_is_told(page, slug, tmp_path):
    start = write_page(slug, tmp_path).as_uri()
    page.goto(f"{start}#{slug}.seed=-1&{slug}.nonsense=3&other.seed=-1")
    page.wait_for_selector(".explorable[data-ready]")
    said = page.locator(".explorable-said")
    assert said.inner_text().startswith(
        f"The address asks for {slug}.seed = -1 and {slug}.nonsense = 3, which cannot be set"
    )
    assert page.get_by_label("seed", exact=False).first.input_value().isdigit()
    page.evaluate(f"location.hash = '{slug}.seed=7'")
    page.wait_for_function("!document.querySelector('.explorable-said').textContent")


def test_posters_show_the_present_modules():
    stale = posters.out_of_date()
    assert not stale, f"The pictures of {', '.join(stale)} are out of date; run: make posters"
    for slug in explorables.slugs():
        for kind in ("poster", "thumbnail"):
            for theme in ("light", "dark"):
                picture = posters.FOLDER / f"{slug}-{kind}-{theme}.webp"
                assert picture.stat().st_size > 1000
