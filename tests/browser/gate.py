"""What every page of the built book must satisfy in a browser.

A Sphinx build cannot see a blank figure or a formula left as source text, so each page is opened,
scrolled through, and asked.
"""

from pathlib import Path

from playwright.sync_api import BrowserContext, TimeoutError

from tools.browser import ANSWER_QUESTIONS, FRAME

PATIENCE = 60_000  # ms; generous, because it only ends the wait for something that is dead

# Brings everything that is drawn when it comes near, formulas in folded hints included, near once.
SCROLL = (
    f"""async () => {{ {FRAME}"""
    + """
  for (const details of document.querySelectorAll('details')) details.open = true;
  const late = '.book-figure, .explorable, .math, pre, .pst-scrollable-table-container';
  for (const element of document.querySelectorAll(late)) {
    if (element.querySelector('mjx-container')) continue;
    element.scrollIntoView();
    for (let i = 0; i < 2; i++) await frame();
  }
}"""
)

SETTLED = """() => {
  const done = e => e.dataset.ready || e.dataset.failed;
  const formulas = document.querySelectorAll('.math').length;
  return [...document.querySelectorAll('.book-figure, .explorable')].every(done)
    && document.querySelectorAll('mjx-container').length >= formulas;
}"""

COMPLAINTS = (Path(__file__).parent / "complaints.js").read_text(encoding="utf-8")


def problems(
    context: BrowserContext, address: str, name: str, patience: int = PATIENCE
) -> list[str]:
    """Open page `name` of the site at `address` and list everything that is wrong with it.

    patience: milliseconds after which what is not drawn counts as dead.
    """
    page = context.new_page()
    found = []

    def on_request(request):
        if request.url.startswith(("http:", "https:")) and not request.url.startswith(address):
            found.append(f"request to another site: {request.url}")

    def on_response(response):
        if response.status >= 400:
            found.append(f"{response.status} for {response.url}")

    page.on("request", on_request)
    page.on("response", on_response)
    page.on("requestfailed", lambda request: found.append(f"request failed: {request.url}"))
    page.on("pageerror", lambda error: found.append(f"script error: {error}"))
    page.on(
        "console",
        lambda message: message.type == "error" and found.append(f"console: {message.text}"),
    )
    page.goto(address + name, wait_until="load")
    page.evaluate(ANSWER_QUESTIONS)
    page.evaluate(SCROLL)
    try:
        page.wait_for_function(SETTLED, timeout=patience)
    except TimeoutError:
        pass  # what is not settled is named below
    found += page.evaluate(COMPLAINTS)
    page.close()
    return found
