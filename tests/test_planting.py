"""The checks can fail: each kind of damage, planted in a copy of a small book, turns its own red.

The checks are the ones that guard the real chapters, called in the same way.
"""

import base64
import json
import re

import nbformat
import numpy as np
import pytest
from test_notebooks import run_nbval, stored_ledger

from tools import execute
from tools.check import CHECKS, PLOTLY, remeasured

# The small chapter teaches nothing, so it has no exercises.
STORED = set(CHECKS) - {"exercises"}


def red(chapter):
    """The names of the checks that fail."""
    ledger = chapter.root / "ledger.json"
    process = run_nbval(chapter, ledger)
    failed = {name for name in STORED if CHECKS[name](chapter)}
    if process.returncode:
        failed.add("nbval")
    if remeasured(stored_ledger(chapter), json.loads(ledger.read_text())):
        failed.add("remeasured")
    return failed


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def raising_cell(chapter):
    """The last cell of both files divides by zero; nobody executed it."""
    edit(chapter.text, "ledger.table()", "ledger.table()\n1 / 0")
    edit(chapter.notebook, '"ledger.table()"', '"ledger.table()\\n",\n    "1 / 0"')


def blank_figure(chapter):
    """A new cell draws nothing, past tutorlib's own guard, and was executed as it should be."""
    blank = "go.Figure(go.Scatter(x=[0, 1], y=[float('nan')] * 2)).show()"
    chapter.text.write_text(f"{chapter.text.read_text()}\n# %%\n{blank}\n")
    execute.execute(chapter)


def repeated_record(chapter):
    """Two records of one name were executed; the page shows both, the ledger keeps the last."""
    line = 'ledger.record("share", runs[:, -1], low=0.45, high=0.55)'
    edit(chapter.text, line, f"{line}\n{line}")
    execute.execute(chapter)


def wrong_output(chapter):
    """A number on the page differs from the record behind it."""
    edit(chapter.notebook, "share = 0.5", "share = 0.6")


def wrong_prose(chapter):
    """A number in prose differs from the record that it quotes."""
    edit(chapter.notebook, "All 5 seeds", "All 9 seeds")


def wrong_figure(chapter):
    """A figure's numbers were divided by ten."""
    notebook = chapter.read_notebook()
    (trace,) = (
        figure["data"][0]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if (figure := output.get("data", {}).get(PLOTLY))
    )
    kind = trace["y"]["dtype"]
    small = np.frombuffer(base64.b64decode(trace["y"]["bdata"]), kind) / np.array(10, kind)
    trace["y"]["bdata"] = base64.b64encode(small.tobytes()).decode()
    chapter.notebook.write_text(nbformat.writes(notebook))


def shorter_run(chapter):
    """The run time was mended by hand."""
    notebook = chapter.read_notebook()
    notebook.metadata["papers_in_motion_run"]["seconds"] /= 2
    chapter.notebook.write_text(nbformat.writes(notebook))


def typed_prose(chapter):
    """A measured number is typed into the text that code makes, and was executed."""
    edit(chapter.text, "{seeds} seeds", "{seeds} seeds, near 0.51,")
    execute.execute(chapter)


def typed_claim(chapter):
    """A measured number is typed into a claim, and was executed."""
    edit(chapter.text, 'here="{share:pm}"', 'here="0.51"')
    execute.execute(chapter)


def wrong_table(chapter):
    """A number in the ledger's table differs from the record behind it."""
    edit(chapter.notebook, "| five seeds | 0.5", "| five seeds | 0.6")


def wrong_record(chapter):
    """Page and record agree with each other, but not with what the code measures."""
    notebook = chapter.read_notebook()
    ledger = stored_ledger(chapter)
    record = ledger["records"]["share"]
    shift = 0.54 - record["mean"]
    honest = f"{record['mean']:.3f}\u00a0±"
    record["values"] = [value + shift for value in record["values"]]
    record["mean"] += shift
    notebook.metadata["papers_in_motion_run"]["ledger"] = ledger
    text = nbformat.writes(notebook)
    chapter.notebook.write_text(re.sub(re.escape(honest), "0.540\u00a0±", text))


def changed_library(chapter):
    """tutorlib changed after the chapter was executed."""
    figures = chapter.root / "src" / "tutorlib" / "figures.py"
    figures.write_text(figures.read_text() + "\n# A later thought.\n")


def changed_versions(chapter):
    """The lock moved to another version of a package that others compute with."""
    lock = chapter.root / "requirements" / "lock.txt"
    lock.write_text(re.sub(r"(?m)^ml-dtypes==\S+", "ml-dtypes==99.0", lock.read_text()))


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (raising_cell, {"nbval", "cells_fresh"}),
        (blank_figure, {"figures"}),
        (repeated_record, {"records"}),
        (wrong_output, {"records", "outputs_fresh"}),
        (wrong_prose, {"said", "outputs_fresh"}),
        (wrong_figure, {"outputs_fresh"}),
        (shorter_run, {"outputs_fresh"}),
        (typed_prose, {"typed_numbers"}),
        (typed_claim, {"typed_numbers"}),
        (wrong_table, {"said", "outputs_fresh"}),
        (wrong_record, {"remeasured", "outputs_fresh"}),
        (changed_library, {"library_fresh"}),
        (changed_versions, {"versions_fresh"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_damage_turns_its_own_check_red(mini, plant, expected):
    plant(mini)
    assert red(mini) == expected


def test_undamaged_copy_is_green(mini):
    assert red(mini) == set()
