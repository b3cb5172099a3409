"""A served copy of the built book and one browser, shared by all browser tests."""

import os

import pytest
from explorable import LOAD_CORE

from tools import browser as browsers
from tools.explorable_page import write_page


@pytest.fixture(scope="session")
def site():
    """Folder of the built book."""
    try:
        return browsers.built_site()
    except browsers.NotFound as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="session")
def address(site):
    """Address of the built book on a server of its own, e.g. http://127.0.0.1:40123/."""
    with browsers.served(site) as address:
        yield address


def pytest_runtest_setup(item):
    """Without a browser: a skip before any fixture, but a failure where the tests must run.

    All are skipped from this one line, so that pytest's summary has one line for them.
    """
    if "browser" not in item.fixturenames:
        return
    try:
        browsers.find_browser()
    except browsers.NotFound as missing:
        if os.environ.get("CI") or os.environ.get("PIM_REQUIRE_BROWSER") == "1":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def browser():
    """One headless browser."""
    with browsers.launched() as browser:
        yield browser


@pytest.fixture
def page(browser):
    """A fresh page on a laptop-sized screen."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def page_file(request, tmp_path_factory):
    """A page with the explorable that the test module names in SLUG."""
    return write_page(request.module.SLUG, tmp_path_factory.mktemp("page"))


@pytest.fixture
def visit(browser, page_file):
    """visit(hash, **context options) opens that page; at the end no console error may be left.

    Motion is reduced unless the test says otherwise: learning then takes no time to watch.
    """
    usual = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
    contexts, complaints = [], []

    def open_page(hash="", script=None, **options):
        context = browser.new_context(**(usual | options))
        contexts.append(context)
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.on(
            "console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else 0
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(page_file.as_uri() + hash)
        page.wait_for_selector(".explorable[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture(scope="module")
def core(browser, page_file):
    """core(expression, x) evaluates JavaScript in which `core` is what the module computes with."""
    page = browser.new_page()
    page.goto(page_file.as_uri())
    page.evaluate(LOAD_CORE)
    yield lambda expression, argument=None: page.evaluate(
        f"(x) => plain((() => {expression})())", argument
    )
    page.close()
