"""What holds for every explorable, whatever it shows."""

import pytest

from tools import posters
from tools.explorable_page import write_page
from tutorlib import explorables


@pytest.mark.parametrize("slug", explorables.slugs())
def test_the_page_runs_the_text_that_is_shipped(page, slug, tmp_path):
    page.goto(write_page(slug, tmp_path).as_uri())
    page.wait_for_selector(".explorable[data-ready]")
    text = page.evaluate("document.querySelector('[data-explorable]').textContent")
    assert text == explorables.source(slug)


@pytest.mark.parametrize("slug", explorables.slugs())
def test_an_address_that_asks_for_too_much_is_told(page, slug, tmp_path):
    start = write_page(slug, tmp_path).as_uri()
    page.goto(f"{start}#{slug}.seed=-1&{slug}.nonsense=3&other.seed=-1")
    page.wait_for_selector(".explorable[data-ready]")
    said = page.locator(".explorable-said")
    assert said.inner_text().startswith(
        f"The address asks for {slug}.seed = -1 and {slug}.nonsense = 3, which cannot be set"
    )
    assert page.get_by_label("seed", exact=False).first.input_value().isdigit()
    page.evaluate(f"location.hash = '{slug}.seed=7'")
    page.wait_for_function("!document.querySelector('.explorable-said').textContent")


def test_posters_show_the_present_modules():
    stale = posters.out_of_date()
    assert not stale, f"The pictures of {', '.join(stale)} are out of date; run: make posters"
    for slug in explorables.slugs():
        for kind in ("poster", "thumbnail"):
            for theme in ("light", "dark"):
                picture = posters.FOLDER / f"{slug}-{kind}-{theme}.webp"
                assert picture.stat().st_size > 1000
