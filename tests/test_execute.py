"""`make execute` takes the newest source, stores all or nothing, and never runs for a typo."""

import shutil
import signal
import subprocess
import sys

import pytest

from tools import chapters, execute, stamp
from tools.chapters import ROOT
from tools.run import CellFailed

PROSE = "Five seeds flip a fair coin."


def quiet(line):
    """No progress in test output."""


def edit_text(chapter, old, new):
    text = chapter.text.read_text()
    assert old in text
    chapter.text.write_text(text.replace(old, new))


def edit_notebook(chapter, old, new):
    notebook = chapter.read_notebook()
    assert any(old in cell.source for cell in notebook.cells)
    for cell in notebook.cells:
        cell.source = cell.source.replace(old, new)
    chapters._replace(chapter.notebook, chapters.nbformat.writes(notebook) + "\n")


def sources(chapter):
    return chapters.to_text(chapter.read_text()), chapters.to_text(chapter.read_notebook())


def outputs(chapter):
    return [cell.outputs for cell in chapters.code_cells(chapter.read_notebook())]


@pytest.fixture
def never_run(monkeypatch):
    def run(*args, **kwargs):
        raise AssertionError("the chapter was executed")

    monkeypatch.setattr(execute, "run", run)


def test_unchanged_chapter_is_left_alone(mini, never_run):
    before = mini.notebook.read_bytes(), mini.text.read_bytes()
    assert not execute.execute(mini, say=quiet)
    assert (mini.notebook.read_bytes(), mini.text.read_bytes()) == before


@pytest.mark.parametrize("edit", [edit_text, edit_notebook])
def test_changed_prose_is_taken_over_without_running(mini, never_run, edit):
    before = outputs(mini)
    edit(mini, PROSE, "Five seeds flip a coin.")
    assert not execute.execute(mini, say=quiet)
    text, notebook = sources(mini)
    assert text == notebook and "flip a coin." in text
    assert outputs(mini) == before


@pytest.mark.parametrize("edit", [edit_text, edit_notebook])
def test_changed_code_is_taken_over_and_run(mini, edit):
    edit(mini, "laptop=1000", "laptop=2000")
    assert execute.execute(mini, say=quiet)
    text, notebook = sources(mini)
    assert text == notebook and "laptop=2000" in text
    run = stored_run(mini)
    now = {"outputs": stamp.outputs(mini.read_notebook(), run)}
    assert run["stamp"] == stamp.stamp(mini, mini.read_text()) | now


def test_both_files_changed_differently_is_refused(mini, never_run):
    edit_text(mini, PROSE, "Five seeds flip a coin.")
    edit_notebook(mini, PROSE, "Five seeds.")
    before = mini.notebook.read_bytes(), mini.text.read_bytes()
    with pytest.raises(execute.Refused, match=r"notebooks/mini\.py and notebooks/mini\.ipynb"):
        execute.execute(mini, say=quiet)
    assert (mini.notebook.read_bytes(), mini.text.read_bytes()) == before


def test_both_files_changed_alike_is_fine(mini, never_run):
    edit_text(mini, PROSE, "Five seeds.")
    edit_notebook(mini, PROSE, "Five seeds.")
    assert not execute.execute(mini, say=quiet)


@pytest.mark.parametrize("missing", ["text", "notebook"])
def test_a_missing_file_is_made_from_the_other(mini, missing):
    getattr(mini, missing).unlink()
    execute.execute(mini, say=quiet)
    text, notebook = sources(mini)
    assert text == notebook


def test_cleared_outputs_are_computed_again(mini):
    notebook = mini.read_notebook()
    for cell in chapters.code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    mini.notebook.write_text(chapters.nbformat.writes(notebook))
    assert execute.execute(mini, say=quiet)


def test_outputs_that_somebody_changed_are_computed_again(mini):
    text = mini.notebook.read_text()
    mini.notebook.write_text(text.replace("All 5 seeds", "All 9 seeds"))
    assert execute.execute(mini, say=quiet)
    assert mini.notebook.read_text().count("All 5 seeds") == text.count("All 5 seeds")


def test_unknown_chapter_is_named(mini):
    with pytest.raises(execute.Refused, match="no chapter 'other'; chapters are: mini"):
        execute.execute(chapters.Chapter("other", mini.root), say=quiet)


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ("1 / 0", CellFailed, "ZeroDivisionError"),
        ("import sys; print('careful', file=sys.stderr)", execute.Refused, "stderr: careful"),
        ("import os; print(os.getcwd())", execute.Refused, "local path"),
    ],
)
def test_a_bad_run_stores_nothing(mini, code, error, message):
    edit_text(mini, "ledger.table()", f"ledger.table()\n{code}")
    before = mini.notebook.read_bytes(), mini.text.read_bytes()
    with pytest.raises(error, match=message):
        execute.execute(mini, say=quiet)
    assert (mini.notebook.read_bytes(), mini.text.read_bytes()) == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_killed_run_leaves_nothing_half_written(mini, name):
    shutil.copytree(
        ROOT / "tools", mini.root / "tools", ignore=shutil.ignore_patterns("__pycache__")
    )
    edit_text(mini, "ledger.table()", "ledger.table()\nimport time; time.sleep(600)")
    before = mini.notebook.read_bytes(), mini.text.read_bytes()
    # A test run started in the background has Ctrl-C switched off, and hands that on.
    listening = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('tools.execute', run_name='__main__')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", listening, "--chapter", "mini"],
        cwd=mini.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            for line in process.stdout:
                if "[  8/8]" in line:
                    break
            process.send_signal(getattr(signal, name))
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode != 0
    assert (mini.notebook.read_bytes(), mini.text.read_bytes()) == before
    assert sorted(p.name for p in mini.notebook.parent.iterdir()) == ["mini.ipynb", "mini.py"]


def test_another_chapters_files_do_not_make_a_chapter_stale(mini):
    (mini.root / "notebooks" / "mini-golf.py").write_text("# %% [markdown]\n# # Golf\n")
    package = mini.root / "src" / "tutorlib"
    before = stamp.library(mini)
    strangers = ["results/mini-golf.json", "exercises/mini_golf.py", "explorables/mini-golf.js"]
    for name in [*strangers, "explorables/yet-to-come.js"]:
        (package / name).parent.mkdir(exist_ok=True)
        (package / name).write_text("\n")
        assert stamp.library(mini) == before
    for name in ["results/mini-paper.json", "exercises/mini.py", "exercises/__init__.py"]:
        (package / name).write_text("\n")
        assert stamp.library(mini) != before
        before = stamp.library(mini)


def stored_run(chapter):
    return chapter.read_notebook().metadata["papers_in_motion_run"]


@pytest.mark.parametrize("text", ["", "# %% [markdown]\n# # Only a title\n"])
def test_a_text_that_was_cut_short_is_refused(mini, text):
    before = mini.notebook.read_bytes()
    mini.text.write_text(text, encoding="utf-8")
    with pytest.raises(execute.Refused, match="holds no code cell; was it cut short"):
        execute.execute(mini)
    assert mini.notebook.read_bytes() == before
