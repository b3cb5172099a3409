"""What every page of the built book must satisfy in a browser.

A Sphinx build cannot see a blank figure or a formula left as source text, so each page is opened,
scrolled through, and asked.
"""

from pathlib import Path

from playwright.sync_api import BrowserContext

from tools.browser import ANSWER_QUESTIONS, FRAME

PATIENCE = 60_000  # ms; generous, because it only ends the wait for something that is dead

# Brings everything that is drawn when it comes near, formulas in folded hints included, near; and
# again what is still not drawn, because a busy browser may not notice what passes quickly. Gives
# what was not drawn in time, and nothing when the browser has stopped to draw frames.
SETTLE = (
    f"""async patience => {{ {FRAME}"""
    + """
  const end = performance.now() + patience;
  const drawn = element => element.matches('.math') ? element.querySelector('mjx-container')
    : element.dataset.ready || element.dataset.failed;
  for (const details of document.querySelectorAll('details')) details.open = true;
  const drawnLate = '.book-figure, .explorable, .math';
  const noticedLate = 'pre, .pst-scrollable-table-container';
  let missed = 0;
  let late = [...document.querySelectorAll(`${drawnLate}, ${noticedLate}`)];
  while (late.length && performance.now() < end) {
    for (const element of late) {
      if (drawn(element)) continue;
      element.scrollIntoView();
      for (let i = 0; i < 2; i++) missed = await frame() ? 0 : missed + 1;
      if (missed > 20) return null;
    }
    late = late.filter(element => element.matches(drawnLate) && !drawn(element));
  }
  return late.map(element => element.outerHTML.slice(0, 200));
}"""
)

COMPLAINTS = (Path(__file__).parent / "complaints.js").read_text(encoding="utf-8")


class Stalled(Exception):
    """The browser draws no more frames of a page.

    It happens to one page in hundreds, a different one each time. A page cannot do that to itself
    without blocking its script too, and then nothing answers.
    """


def settle(page, patience=PATIENCE):
    """Scroll through a page until everything on it is drawn; lists what is not.

    patience: milliseconds after which what is not drawn counts as dead. Raises Stalled.
    """
    left = page.evaluate(SETTLE, patience)
    if left is None:
        raise Stalled(f"the browser draws no frames of {page.url}")
    return left


def unless_stalled(look, tries=3):
    """What `look` returns; it is called again when the browser stalled under it."""
    for _ in range(tries - 1):
        try:
            return look()
        except Stalled as stall:
            print(stall)
    return look()


def problems(
    context: BrowserContext, address: str, name: str, patience: int = PATIENCE
) -> list[str]:
    """Open page `name` of the site at `address` and list everything that is wrong with it.

    patience: milliseconds after which what is not drawn counts as dead.
    """
    return unless_stalled(lambda: _problems(context, address, name, patience))


def _problems(context, address, name, patience):
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
    settle(page, patience)  # what is not drawn then is named below
    found += page.evaluate(COMPLAINTS)
    page.close()
    return found
