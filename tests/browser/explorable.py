"""What browser tests ask of a page with one explorable."""

from tools.browser import FRAME

INSIDE = "document.querySelector('.explorable-body > *')?.shadowRoot"


def until(page, condition, arg=None):
    """Wait for a JavaScript condition on `root`, where the explorable draws, and `arg`."""
    page.wait_for_function(
        f"(arg) => {{ const root = {INSIDE}; return root && ({condition}) }}", arg=arg
    )


def back_to_top(page):
    """Scroll to the top and stay there: a wheel or a finger keeps a page moving for a while."""
    page.evaluate(
        f"async () => {{ {FRAME}"
        + """
      for (let still = 0; still < 20; still = scrollY === 0 ? still + 1 : 0) {
        scrollTo(0, 0);
        await frame();
      }
    }"""
    )


def wait_for_address(page, *parts):
    """Wait until the page's address contains each of the texts."""
    for part in parts:
        page.wait_for_function("(part) => location.hash.includes(part)", arg=part)


NAME = "node => (node.ariaLabel || (node.labels?.[0] ?? node).textContent).trim()"
FOCUSED = """() => {
  const outer = document.activeElement, inner = outer.shadowRoot?.activeElement ?? outer;
  return [inner.id, inner.name, inner.className, inner.textContent].filter(Boolean);
}"""


def reached_by_keys(page):
    """What the Tab key reaches: ids, names, classes and texts.

    Asserts on the way that every control and picture has a name and that one element is live.
    """
    nameless = [
        control.evaluate("node => node.outerHTML")
        for control in page.locator(".frame :is(input, button, [role=img])").all()
        if not control.evaluate(NAME)
    ]
    assert not nameless
    live = ".frame :is(output, [role=status], [role=alert], [aria-live])"
    assert page.locator(live).count() == 1
    reached = set()
    for _ in range(page.locator(".frame :is(input, button)").count() + 10):
        page.keyboard.press("Tab")
        reached |= set(page.evaluate(FOCUSED))
    return reached


LOAD_CORE = """async () => {
  const text = document.querySelector("[data-explorable]").textContent;
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  window.core = (await import(url)).core;
  const plain = (v) => ArrayBuffer.isView(v) || Array.isArray(v) ? Array.from(v, plain)
    : v && typeof v === "object"
    ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)])) : v;
  window.plain = plain;
}"""
