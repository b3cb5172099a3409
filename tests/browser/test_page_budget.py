"""Every page stays within its budget; the table is printed at the end of the test run."""

import json

import pytest

from tools import page_budget
from tools.browser import pages

TOLERANCE = 0.05
TEXT_PAGE = "book/references.html"


@pytest.fixture(scope="session")
def costs(browser, address, site):
    """The cost of every page."""
    return list(page_budget.measure(browser, address, pages(site)))


def test_every_page_is_within_its_budget(costs, record_property):
    record_property("budget of the pages", page_budget.table(costs))
    assert any(cost.page.startswith("notebooks/") for cost in costs)
    excesses = [excess for cost in costs for excess in cost.excesses()]
    assert not excesses, "\n".join(excesses)


def test_status_page_shows_what_is_measured(costs):
    stored = json.loads(page_budget.STORED.read_text(encoding="utf-8"))
    now = page_budget.stored_form(costs)
    differing = [
        f"{page} {name}: stored {stored['pages'].get(page, {}).get(name)}, measured {weights[name]}"
        for page, weights in now["pages"].items()
        for name in page_budget.STABLE
        if abs(weights[name] - stored["pages"].get(page, {}).get(name, -1))
        > TOLERANCE * weights[name]
    ]
    gone = sorted(set(stored["pages"]) - set(now["pages"]))
    assert not differing and not gone and stored["limits"] == now["limits"], (
        f"{page_budget.STORED.name} is out of date by more than {TOLERANCE:.0%}; run: make budget\n"
        + "\n".join([*differing, *(f"{page} is gone" for page in gone)])
    )


def in_head(html):
    return lambda text: text.replace("</head>", f"{html}</head>", 1)


def without_policy(text):
    """The page free to run the damage that is planted in it."""
    return text.replace('http-equiv="Content-Security-Policy"', 'name="no-policy"')


class Planted:
    """A browser in which one address, that of a chapter, holds a given page."""

    page = "notebooks/planted.html"

    def __init__(self, browser, body):
        self.browser, self.body = browser, body

    def __getattr__(self, name):
        return getattr(self.browser, name)

    def new_context(self, **options):
        context = self.browser.new_context(**options)
        context.route(f"**/{self.page}", lambda route: route.fulfill(body=self.body))
        return context


def numbers(count):
    """So many numbers, as text that hardly compresses."""
    return ",".join(str(pow(3, n, 1_000_000_007)) for n in range(count))


def figure(count):
    """A figure that stores so many numbers."""
    data = f'<script type="application/json">[{numbers(count)}]</script>'
    return f'<figure class="book-figure" data-ready="1">{data}</figure>'


@pytest.mark.parametrize(
    ("loads", "best", "count"),
    [
        ([310, 290, 320], 290, 3),
        ([310, 320, 330, 305, 280, 500], 280, 5),
        ([900, 800, 700, 650, 640, 630, 620, 610, 600, 0], 600, 9),
    ],
)
def test_a_page_above_the_limit_is_loaded_again(monkeypatch, loads, best, count):
    """Until one load is within it, and not for ever."""
    left = iter(loads)
    monkeypatch.setattr(page_budget, "blocking", lambda browser, url: next(left))
    assert page_budget.least_blocking(None, "url") == best
    assert len(loads) - len(list(left)) == count


SABOTAGE = {
    "third party": in_head('<link rel="stylesheet" href="https://example.org/x.css">'),
    "first view": in_head(f"<!--{numbers(300_000)}-->"),
    "largest figure": lambda text: text.replace("</article>", figure(60_000) + "</article>", 1),
    "blocking": in_head(
        "<script>addEventListener('load', () => setTimeout(() => {"
        " for (let i = 0, x = 0; i < 2e8; i++) x += i % 7; }, 200))</script>"
    ),
    "layout shift": in_head(
        "<script>setTimeout(() => document.querySelector('article')"
        ".insertAdjacentHTML('afterbegin', '<div style=\"height:600px\"></div>'), 200)</script>"
    ),
}


@pytest.mark.parametrize("column", SABOTAGE)
def test_the_budget_sees(browser, address, site, column):
    """On a copy of a page that costs too much in one way, that excess is named."""
    body = SABOTAGE[column](without_policy((site / TEXT_PAGE).read_text(encoding="utf-8")))
    planted = Planted(browser, body)
    [cost] = page_budget.measure(planted, address, [planted.page])
    excesses = cost.excesses()
    assert any(f": {column} is" in excess for excess in excesses), excesses
