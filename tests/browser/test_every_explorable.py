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


def test_posters_show_the_present_modules():
    stale = posters.out_of_date()
    assert not stale, f"The pictures of {', '.join(stale)} are out of date; run: make posters"
    for slug in explorables.slugs():
        for kind in ("poster", "thumbnail"):
            for theme in ("light", "dark"):
                picture = posters.FOLDER / f"{slug}-{kind}-{theme}.webp"
                assert picture.stat().st_size > 1000
