"""Every stored chapter keeps the contract that readers, the book and the other tests rely on."""

import pytest

from tools import chapters
from tools.check import CHECKS


@pytest.mark.parametrize("name", CHECKS)
def test_contract(chapter, name):
    faults = CHECKS[name](chapter)
    assert not faults, "\n".join(f"{chapter}: {fault}" for fault in faults)


def test_every_notebook_is_in_the_table_of_contents():
    assert {chapter.slug for chapter in chapters.discover()} == set(chapters.slugs())
