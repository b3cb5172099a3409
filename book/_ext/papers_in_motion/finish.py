"""What is done to every finished page, after Sphinx and the theme have had their say.

Some faults of the theme show only in the HTML it writes: handlers that a Content-Security-Policy
does not run, names that screen readers cannot use, a script of half a megabyte for a few icons.
They are mended here, in one pass over the files.
"""

from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.errors import SphinxError

from .policy import add_policy

# The actions that site.js knows.
CLICKS = ("window.print()", "toggleFullScreen()")
# Before anything is painted, and not, as the theme does, when its scripts have been loaded.
AUTO_THEME = """
    if (document.documentElement.dataset.theme === "auto") {
      document.documentElement.dataset.theme =
        matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    }
"""


def finish_pages(app: Sphinx, exception: Exception | None) -> None:
    """Mend each page that this build has written; finished pages carry a policy."""
    if exception is not None or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).rglob("*.html")):
        if "_static" in path.relative_to(app.outdir).parts:
            continue  # templates that the theme leaves there
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        if page.find("meta", {"http-equiv": "Content-Security-Policy"}) is None:
            path.write_text(str(finish(page, path.name)), encoding="utf-8")


def finish(page: BeautifulSoup, name: str) -> BeautifulSoup:
    """Mend one page, in place."""
    drop_icon_script(page)
    choose_theme_early(page)
    move_handlers(page, name)
    name_controls(page)
    mend_landmarks(page)
    mend_bibliography(page)
    mend_tables(page)
    add_policy(page)
    return page


def drop_icon_script(page: BeautifulSoup) -> None:
    """Remove the theme's icon script; icons.css draws the icons."""
    for script in page.find_all("script", src=lambda src: src and "fontawesome.js" in src):
        script.decompose()
    for icon in page.select("i[class*=fa-], span[class*=fa-]"):
        icon["aria-hidden"] = "true"


def choose_theme_early(page: BeautifulSoup) -> None:
    """Resolve the automatic theme where the theme's first script sets it."""
    for script in page.find_all("script", {"data-cfasync": True}):
        script.string = script.string + AUTO_THEME


def move_handlers(page: BeautifulSoup, name: str) -> None:
    """Turn inline handlers into data that site.js acts on."""
    for element in page.find_all(onclick=True):
        action = element["onclick"]
        if action not in CLICKS:
            raise SphinxError(f"{name} has the inline handler {action!r}; site.js has no such one.")
        del element["onclick"]
        element["data-click"] = action


def name_controls(page: BeautifulSoup) -> None:
    """Give controls the name that they show, and one where they show none."""
    for button in page.select("button.search-button-field"):
        button["aria-label"] = button.get_text(" ", strip=True).removesuffix(" Ctrl + K")
    for control in page.select("a.btn[title], button.btn[title]"):
        if not control.get_text(strip=True) and not control.get("aria-label"):
            control["aria-label"] = control["title"]


def mend_landmarks(page: BeautifulSoup) -> None:
    """Put what stands outside all landmarks inside one."""
    for selector, role, label in (
        ("#pst-skip-link", "navigation", "Skip"),
        (".bd-sidebar-primary", "complementary", "Book"),
        (".bd-sidebar-secondary", "complementary", "Page"),
    ):
        for element in page.select(selector):
            element["role"], element["aria-label"] = role, label


def mend_bibliography(page: BeautifulSoup) -> None:
    """Drop roles of the bibliography that are deprecated or not allowed where they stand."""
    for element in page.select("[role=doc-biblioentry], [role=list].citation-list"):
        del element["role"]


def mend_tables(page: BeautifulSoup) -> None:
    """Make a corner that heads nothing a plain cell."""
    for cell in page.select("thead th"):
        if not cell.get_text(strip=True) and cell.find("img") is None:
            cell.name = "td"
            cell.attrs = {}
