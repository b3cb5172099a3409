"""The site around the pages: its policy, search, links, icons, and the page for wrong addresses."""

import posixpath
import re
from urllib.parse import unquote, urlsplit

import gate
import pytest
from bs4 import BeautifulSoup

from tools import page_budget
from tools.browser import ROOT, pages


@pytest.fixture(scope="session")
def parsed(site):
    """Every page of the site, the redirect included, parsed: name -> page."""
    return {
        name: BeautifulSoup((site / name).read_text(encoding="utf-8"), "html.parser")
        for name in ["index.html", *pages(site)]
    }


def test_every_page_has_the_policy(parsed):
    for name, page in parsed.items():
        first = page.find(["script", "link", "style"])
        meta = page.find("meta", {"http-equiv": "Content-Security-Policy"})
        assert meta, f"{name} has no policy"
        assert first is None or meta in first.find_all_previous("meta"), f"{name}: policy too late"
        scripts = re.search(r"script-src ([^;]*)", meta["content"])[1]
        assert "unsafe" not in scripts, f"{name} allows {scripts}"
        handlers = [key for tag in page.find_all(True) for key in tag.attrs if key[:2] == "on"]
        assert not handlers, f"{name} has inline handlers, which do not run: {handlers}"


@pytest.mark.parametrize(
    "damage",
    [
        "<script>document.body.dataset.ran = 1</script>",
        '<img src="data:," onerror="document.body.dataset.ran = 1">',
        "<script src=\"data:text/javascript,document.body.dataset.ran='1'\"></script>",
    ],
)
def test_the_policy_stops_foreign_scripts(browser, site, address, damage):
    name = "book/teaching.html"
    text = (site / name).read_text(encoding="utf-8").replace("</article>", f"{damage}</article>", 1)
    context = browser.new_context()
    context.route(f"**/{name}", lambda route: route.fulfill(body=text))
    page = context.new_page()
    page.goto(address + name, wait_until="load")
    page.wait_for_timeout(200)
    ran = page.evaluate("document.body.dataset.ran")
    found = gate.problems(context, address, name)
    context.close()
    assert ran is None
    assert any("Content Security Policy" in problem for problem in found), found


def dead_links(pages_by_name, files):
    """The links inside the site that lead nowhere: 'page: address'."""
    anchors = {
        name: {tag["id"] for tag in page.find_all(id=True)}
        | {tag["name"] for tag in page.find_all("a", attrs={"name": True})}
        for name, page in pages_by_name.items()
    }
    dead = []
    for name, page in pages_by_name.items():
        for tag in page.find_all(["a", "link", "script", "img", "form"]):
            address = tag.get("href") or tag.get("src") or tag.get("action")
            parts = urlsplit(address or "")
            if not address or parts.scheme or parts.netloc:
                continue
            path = unquote(parts.path)
            target = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), path))[1:]
            target = target if path else name
            if target not in files:
                dead.append(f"{name}: {address}")
            elif parts.fragment and unquote(parts.fragment) not in anchors.get(target, ()):
                dead.append(f"{name}: {address}")
    return dead


def test_no_link_inside_the_site_is_dead(parsed, site):
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    dead = dead_links(parsed, files)
    assert not dead, "\n".join(dead)


@pytest.mark.parametrize(
    ("address", "is_dead"),
    [
        ("b.html", False),
        ("../x/b.html#here", False),
        ("/x/b.html", False),
        ("#top", False),
        ("https://example.org/none", False),
        ("c.html", True),
        ("b.html#there", True),
        ("#none", True),
        ("/b.html", True),
    ],
)
def test_dead_links_are_found(address, is_dead):
    site = {
        "x/a.html": f'<p id="top"><a href="{address}">link</a>',
        "x/b.html": '<p id="here">',
    }
    parsed = {name: BeautifulSoup(text, "html.parser") for name, text in site.items()}
    assert bool(dead_links(parsed, set(site))) == is_dead


@pytest.mark.parametrize("start", ["search.html", "book/teaching.html"])
def test_search_needs_no_network(page, site, address, start):
    """From the search page, and from the dialog of another page."""
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: line.type == "error" and problems.append(line.text))
    page.on(
        "request",
        lambda request: request.url.startswith(address) or problems.append(request.url),
    )
    page.goto(address + start)
    if start != "search.html":
        page.keyboard.press("Control+k")
    field = page.locator("form.bd-search input:visible").first
    field.fill("Fourier")
    field.press("Enter")
    page.locator("#search-results li a").first.wait_for()
    links = page.locator("#search-results li a").evaluate_all("links => links.map(a => a.href)")
    assert any("notebooks/fourier-head.html" in link for link in links)
    assert not problems, problems


def test_search_works_from_a_file(page, site):
    page.goto(f"file://{site / 'search.html'}?q=Fourier")
    page.locator("#search-results li a").first.wait_for()


@pytest.mark.parametrize("path", ["nowhere.html", "deep/er/still/nowhere.html"])
def test_a_wrong_address_leads_home(page, site, address, path):
    assert page.goto(address + path).status == 404
    assert page.locator("h1").inner_text() == "This page does not exist"
    links = page.locator("a").evaluate_all("links => links.map(a => a.href)")
    assert address + "book/index.html" in links
    for link in links:
        assert page.request.get(link).ok, link
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background != "rgba(0, 0, 0, 0)", "the page came without its style"


def test_every_icon_is_drawn(parsed):
    """icons.css has a drawing for each icon that the theme names."""
    drawn = set(re.findall(r"\.(fa-[a-z-]+)[^{}]*\{ --icon", _icons()))
    for name, page in parsed.items():
        for icon in page.select("i[class*=fa-], span[class*=fa-]"):
            assert drawn & set(icon["class"]), f"{name}: no drawing for {icon}"


def _icons():
    return (ROOT / "book" / "_static" / "icons.css").read_text(encoding="utf-8")


def test_buttons_say_and_do_what_they_are_for(page, address):
    page.goto(address + "book/teaching.html")
    names = page.locator("button, a.btn").evaluate_all(
        "all => all.map(e => e.getAttribute('aria-label') || e.textContent.trim() || e.title)"
    )
    assert all(names), names
    page.evaluate("window.print = () => document.body.dataset.printed = 'yes'")
    page.evaluate("document.querySelector('[data-click^=\"window.print\"]').click()")
    assert page.evaluate("document.body.dataset.printed") == "yes"


DRAWN = """([height, from]) => {
  const root = document.querySelector(".explorable-body > *")?.shadowRoot;
  const [plot, line] = [".plot", ".plot .line.fourier"].map(part => root?.querySelector(part));
  const frame = root?.querySelector(".frame");
  return line && plot.getBoundingClientRect().bottom <= height && frame.dataset.step > from;
}"""


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_welcome_page_is_alive_on_its_first_screen(browser, address, width, height):
    """Without scrolling or a click something is drawn there, whole, and goes on learning."""
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    problems = []
    page.on("console", lambda line: line.type == "error" and problems.append(line.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.add_init_script(page_budget.OBSERVE)
    page.goto(address + "book/index.html")
    page.wait_for_function(DRAWN, arg=[height, 0])
    step = int(page.locator(".frame").get_attribute("data-step"))
    page.wait_for_function(DRAWN, arg=[height, step])
    assert page.evaluate("scrollY") == 0
    # What is there is the picture; the settings are in the chapter.
    assert page.locator(".plot").is_visible() and page.locator(".run").is_visible()
    for part in page.locator(".frame :is(.controls, .figures, .detail, [name=shape])").all():
        assert not part.is_visible()
    assert page.evaluate(page_budget.SHIFT) < page_budget.LIMITS["shift"][0]
    context.close()
    assert not problems, problems


def test_fonts_for_icons_are_not_loaded(page, address, site):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for name in pages(site):
        page.goto(address + name, wait_until="networkidle")
    assert not [url for url in asked if "fontawesome" in url]
