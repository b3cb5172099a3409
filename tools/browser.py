"""The built book on a server of its own, and a browser to look at it.

The browser tests, the budget of the pages and the picture for social cards share these.
"""

import contextlib
import functools
import http.server
import os
import shutil
import threading

from tools.chapters import ROOT

SITE = ROOT / "_build" / "html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # in a container it is often too small, and pages crash
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# A figure with a question is drawn after an answer.
ANSWER_QUESTIONS = """() => document.querySelectorAll('.book-figure-question:not([hidden])')
  .forEach(question => question.querySelector('button').click())"""

# The next frame; a compositor that is busy elsewhere may never draw one, and no wait is for ever.
FRAME = """const frame = () => Promise.race([
    new Promise(requestAnimationFrame), new Promise(done => setTimeout(done, 500))]);"""


class NotFound(Exception):
    """There is no browser, or no built book."""


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files silently, and the book's own page for what is missing, as web hosts do."""

    def log_message(self, *_):
        pass

    def send_error(self, code, message=None, explain=None):
        page = SITE / "404.html"
        if code != 404 or not page.is_file():
            return super().send_error(code, message, explain)
        body = page.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def built_site():
    """Folder of the built book."""
    if not (SITE / "book" / "index.html").is_file():
        raise NotFound("The book is not built: run 'make book' first.")
    return SITE


def pages(site):
    """Addresses, relative to the site, of all pages but the redirect at the root."""
    found = [path.relative_to(site) for path in site.rglob("*.html")]
    found = [path for path in found if not path.parts[0].startswith("_")]
    return sorted(path.as_posix() for path in found if path.as_posix() != "index.html")


@contextlib.contextmanager
def served(folder):
    """The address under which `folder` is served meanwhile, e.g. http://127.0.0.1:40123/."""
    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def find_browser():
    """Path of an installed Chromium or Chrome; the environment variable CHROME_PATH comes first."""
    named = os.environ.get("CHROME_PATH")
    found = named or next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        raise NotFound(f"No browser found (looked for CHROME_PATH, {', '.join(BROWSERS)}).")
    return found


@contextlib.contextmanager
def launched():
    """One headless browser."""
    from playwright.sync_api import sync_playwright

    path = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()
