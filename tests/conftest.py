"""Fixtures shared by the tests: the chapters of the book, and a small book to damage."""

import shutil

import pytest

from tools import execute
from tools.chapters import ROOT, Chapter


def pytest_terminal_summary(terminalreporter):
    """Print what tests recorded for the reader, such as the budget of the pages."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for title, text in report.user_properties:
            terminalreporter.section(title)
            terminalreporter.write_line(text)


def pytest_generate_tests(metafunc):
    """A test with an argument `chapter` runs once per chapter of the book."""
    if "chapter" in metafunc.fixturenames:
        from tools.chapters import discover

        metafunc.parametrize("chapter", discover(), ids=str)


def make_book(root):
    """A book in `root` with one chapter, not executed yet; returns the chapter."""
    shutil.copytree(
        ROOT / "src" / "tutorlib",
        root / "src" / "tutorlib",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (root / "requirements").mkdir()
    shutil.copy(ROOT / "requirements" / "lock.txt", root / "requirements")
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters:\n- file: notebooks/mini\n"
    )
    (root / "notebooks").mkdir()
    shutil.copy(ROOT / "tests" / "mini" / "mini.py", root / "notebooks")
    return Chapter("mini", root)


@pytest.fixture(scope="session")
def _executed(tmp_path_factory):
    chapter = make_book(tmp_path_factory.mktemp("executed"))
    execute.execute(chapter)
    return chapter


@pytest.fixture
def mini(_executed, tmp_path):
    """The chapter of a small executed book, a copy that the test may damage."""
    shutil.copytree(_executed.root, tmp_path / "book")
    return Chapter("mini", tmp_path / "book")
