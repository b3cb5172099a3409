"""Measure what each page of the built book costs a reader, and compare with the limits.

    python -m tools.page_budget            # print the table; fail above a limit
    python -m tools.page_budget --write    # also store what the status page shows

A page's first view is everything that the browser asks for before the reader scrolls, each file
counted as a web server would send it, compressed. Blocking time is the web's Total Blocking Time:
what the tasks of the page's load, from its first contentful paint on, take beyond 50 ms each, on a
processor four times slower than the reference of `yardstick`. It is computed from the processor
time of each task, which, unlike the clock, does not count what other programs do meanwhile, scaled
by the speed of the machine that measures. Being a time all the same, it is the best of three, or of
more where three are above the limit, and another machine will measure another one.
Layout shift is the web's own measure: the largest sum over a burst of shifts, while the page is
loaded and read to its end.
"""

import argparse
import gzip
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import Browser, BrowserContext

from tools import browser as browsers
from tools import yardstick
from tools.chapters import ROOT

STORED = ROOT / "book" / "page-weights.json"
SCREEN = {"width": 1280, "height": 900}
SLOWDOWN = 4  # of the processor that is judged, beside the reference of `yardstick`
LONG_TASK = 50  # ms
LOADS = 3
MORE_LOADS = 6  # of a page above the limit, whose loads another program may have disturbed
PATIENCE = 60_000  # ms; only ends the wait for what is dead

# Column -> (limit, unit).
LIMITS = {
    "third_party": (0, "requests"),
    "first_view": (1200, "kB"),
    "figure": (150, "kB"),
    "blocking": (300, "ms"),
    "shift": (0.05, ""),
}
TITLES = {
    "requests": "requests",
    "third_party": "third party",
    "first_view": "first view",
    "figure": "largest figure",
    "blocking": "blocking",
    "shift": "layout shift",
}
TRACED = ["__metadata", "toplevel", "loading", "disabled-by-default-devtools.timeline"]

# A burst ends after a second of rest, or after five seconds.
OBSERVE = """
  window.bursts = [];
  new PerformanceObserver(list => list.getEntries().forEach(({startTime, value}) => {
    const burst = bursts.at(-1);
    if (burst && startTime - burst.last < 1000 && startTime - burst.first < 5000) {
      burst.sum += value;
      burst.last = startTime;
    } else bursts.push({first: startTime, last: startTime, sum: value});
  })).observe({type: 'layout-shift', buffered: true});
"""
SHIFT = "() => Math.max(0, ...bursts.map(burst => burst.sum))"
# What every machine measures alike; the others are stored as they were on one.
STABLE = ("requests", "first_view", "figure")
# Down the page in steps, as a reader would and not at a leap, waiting for what is drawn on the way.
READ = (
    f"""async patience => {{ {browsers.FRAME}"""
    + """
  const frames = async n => { while (n--) await frame(); };
  const drawing = () => [...document.querySelectorAll('.book-figure, .explorable')].some(place => {
    const {top, bottom} = place.getBoundingClientRect();
    return top < innerHeight && bottom > 0 && !place.dataset.ready && !place.dataset.failed;
  });
  for (let before = -1; scrollY !== before;) {
    before = scrollY;
    scrollBy({top: innerHeight / 2, behavior: 'instant'});
    await new Promise(done => setTimeout(done, 200)); // nobody reads faster
    for (const end = performance.now() + patience; drawing() && performance.now() < end;) {
      await frames(1);
    }
  }
  await frames(10);
}"""
)
FIGURES = "() => [...document.querySelectorAll('.book-figure > script')].map(s => s.text)"


@dataclass(frozen=True)
class Cost:
    """What one page costs; kB are thousands of compressed bytes."""

    page: str
    requests: int
    third_party: int
    first_view: int
    figure: int
    blocking: int
    shift: float

    def excesses(self) -> list[str]:
        """The limits that this page exceeds, in words."""
        return [
            f"{self.page}: {TITLES[name]} is {getattr(self, name)} {unit}, allowed are {limit}."
            for name, (limit, unit) in LIMITS.items()
            if getattr(self, name) > limit
        ]


def compressed(body: bytes) -> int:
    """Bytes that a web server would send: compressed, unless that makes the file larger."""
    return min(len(body), len(gzip.compress(body, mtime=0)))


def kilobytes(count: int) -> int:
    return round(count / 1000)


def weigh(context: BrowserContext, address: str, name: str) -> dict:
    """Requests, weights and layout shift of page `name` of the site at `address`."""
    responses, foreign = [], set()

    def on_request(request):
        if request.url.startswith(("http:", "https:")) and not request.url.startswith(address):
            foreign.add(request.url)

    def on_response(response):
        if response.url.startswith(address):
            responses.append(response)

    page = context.new_page()
    page.on("request", on_request)
    page.on("response", on_response)
    page.set_default_timeout(PATIENCE)
    page.add_init_script(OBSERVE)
    page.goto(address + name, wait_until="networkidle")
    first_view = {response.url: compressed(response.body()) for response in responses}
    figures = [compressed(text.encode()) for text in page.evaluate(FIGURES)]
    page.evaluate(browsers.ANSWER_QUESTIONS)
    page.evaluate(READ, PATIENCE)
    shift = page.evaluate(SHIFT)
    page.close()
    return {
        "requests": len(first_view),
        "third_party": len(foreign),
        "first_view": kilobytes(sum(first_view.values())),
        "figure": kilobytes(max(figures, default=0)),
        "shift": round(shift, 3),
    }


def blocking(browser: Browser, url: str) -> int:
    """Milliseconds for which one load of a page blocks a slow processor."""
    context = browser.new_context(viewport=SCREEN)
    page = context.new_page()
    browser.start_tracing(page=page, categories=TRACED)
    page.goto(url, wait_until="networkidle", timeout=PATIENCE)
    page.evaluate("() => new Promise(done => requestIdleCallback(done))")
    events = json.loads(browser.stop_tracing())["traceEvents"]
    context.close()
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    painted = max(event["ts"] for event in events if event["name"] == "firstContentfulPaint")
    blocked = dict.fromkeys(main, 0.0)
    slowdown = SLOWDOWN * yardstick.of_the_processor()
    for event in events:
        thread = event["pid"], event["tid"]
        if event["name"] == "RunTask" and thread in main and event["ts"] > painted:
            duration = event.get("tdur", 0)  # a task cut by the end of the trace has none
            blocked[thread] += max(0, slowdown * duration / 1000 - LONG_TASK)
    return round(max(blocked.values()))


def least_blocking(browser: Browser, url: str) -> int:
    """The best of three loads, in milliseconds, and of more while that is above the limit."""
    limit, _ = LIMITS["blocking"]
    best = min(blocking(browser, url) for _ in range(LOADS))
    for _ in range(MORE_LOADS):
        if best <= limit:
            break
        best = min(best, blocking(browser, url))
    return best


def measure(browser: Browser, address: str, names: list[str]) -> Iterator[Cost]:
    """The costs of the pages `names` of the site at `address`."""
    for name in names:
        context = browser.new_context(viewport=SCREEN)
        weights = weigh(context, address, name)
        context.close()
        blocked = least_blocking(browser, address + name)
        yield Cost(page=name, blocking=blocked, **weights)


def table(costs: list[Cost]) -> str:
    """The costs as text, with the limits in the last line."""
    limits = {name: f"<= {limit} {unit}".strip() for name, (limit, unit) in LIMITS.items()}
    rows = [
        ["page", *TITLES.values()],
        *([cost.page, *(str(getattr(cost, name)) for name in TITLES)] for cost in costs),
        ["limit", *(limits.get(name, "") for name in TITLES)],
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        )
        for row in rows
    )


def stored_form(costs: list[Cost]) -> dict:
    """What the status page shows: the limits, and what each page costs."""
    return {
        "limits": {name: limit for name, (limit, _) in LIMITS.items()},
        "pages": {cost.page: {name: getattr(cost, name) for name in TITLES} for cost in costs},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--write", action="store_true", help=f"store the weights in {STORED.name}")
    arguments = parser.parse_args()
    try:
        site = browsers.built_site()
        with browsers.served(site) as address, browsers.launched() as browser:
            costs = list(measure(browser, address, browsers.pages(site)))
    except browsers.NotFound as missing:
        sys.exit(str(missing))
    print(table(costs))
    if arguments.write:
        STORED.write_text(json.dumps(stored_form(costs), indent=2) + "\n", encoding="utf-8")
    sys.exit("\n".join(excess for cost in costs for excess in cost.excesses()) or 0)


if __name__ == "__main__":
    main()
