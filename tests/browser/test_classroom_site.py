"""The site in the classroom's archive, opened from the disk of a computer without a network."""

import zipfile

import gate
import pytest

from tools import pack


@pytest.fixture
def unpacked_site(site, tmp_path, monkeypatch):
    """Folder of the site in the classroom's archive, unpacked in an empty folder."""
    monkeypatch.setattr(pack, "OUT", tmp_path / "pack")
    monkeypatch.setattr(pack, "SITE", site)
    with zipfile.ZipFile(pack.archive(pack.make_classroom([]))) as file:
        file.extractall(tmp_path / "unpacked")
    [folder] = (tmp_path / "unpacked").iterdir()
    return folder / "site"


def test_the_archives_site_works_from_the_disk_without_a_network(page, unpacked_site):
    page.context.set_offline(True)
    page.goto((unpacked_site / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    first = page.url
    page.locator('article a[href*="../notebooks/"]').first.click()
    page.wait_for_url("**/unpacked/*/site/notebooks/*.html*")
    assert page.evaluate("navigator.onLine") is False
    assert page.locator(".book-figure").count() > 0  # that each is drawn, the gate asks
    chapter = page.url.partition("#")[0]
    context = page.context
    page.close()
    for place in (first, chapter):
        assert gate.problems(context, place, "") == []
