"""A served copy of the built book and one browser, shared by all browser tests."""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line in the log for each."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def site():
    """Folder of the built book."""
    if not (SITE / "book" / "index.html").is_file():
        pytest.fail("The book is not built: run 'make book', then the tests.", pytrace=False)
    return SITE


@pytest.fixture(scope="session")
def address(site):
    """Address of the built book on a server of its own, e.g. http://127.0.0.1:40123/."""
    handler = functools.partial(QuietHandler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def find_browser() -> str | None:
    """Path of an installed Chromium or Chrome; the environment variable CHROME_PATH comes first."""
    named = os.environ.get("CHROME_PATH")
    return named or next((path for path in map(shutil.which, BROWSERS) if path), None)


@pytest.fixture(scope="session")
def browser():
    """One headless browser. Without one: a skip, but a failure where the tests must run."""
    path = find_browser()
    if path is None:
        message = f"No browser found (looked for CHROME_PATH, {', '.join(BROWSERS)})."
        if os.environ.get("CI") or os.environ.get("PIM_REQUIRE_BROWSER") == "1":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A fresh page on a laptop-sized screen."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()
