"""Every chapter runs again, from nothing, and finds again what its stored outputs say."""

import json
import subprocess
import sys

import pytest

from tools import run
from tools.chapters import ROOT
from tools.check import remeasured


@pytest.fixture(scope="module")
def nbval(tmp_path_factory):
    """Runs a chapter under nbval, once; gives the process and the ledger that it measured."""
    done = {}

    def start(chapter):
        if chapter.slug not in done:
            ledger = tmp_path_factory.mktemp("nbval") / "ledger.json"
            process = run_nbval(chapter, ledger)
            done[chapter.slug] = process, json.loads(ledger.read_text())
        return done[chapter.slug]

    return start


def run_nbval(chapter, ledger):
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env"]
    command += [f"--nbval-cell-timeout={run.CELL_TIMEOUT}"]
    command += ["--nbval-sanitize-with", str(ROOT / "tests" / "nbval-sanitize.cfg")]
    command += ["-p", "no:cacheprovider", "-q", str(chapter.notebook)]
    return subprocess.run(
        command,
        cwd=chapter.root,
        env=run.environment(chapter.root, "laptop", ledger),
        capture_output=True,
        text=True,
    )


def test_stored_outputs_repeat(chapter, nbval):
    process, _ = nbval(chapter)
    assert process.returncode == 0, process.stdout + process.stderr


def test_measurements_repeat(chapter, nbval):
    _, fresh = nbval(chapter)
    faults = remeasured(stored_ledger(chapter), fresh)
    assert not faults, "\n".join(f"{chapter}: {fault}" for fault in faults)


def test_smoke(chapter):
    fresh = run.run(chapter, chapter.read_notebook(), preset="smoke").ledger
    stored = stored_ledger(chapter)
    assert [c["id"] for c in fresh["claims"]] == [c["id"] for c in stored["claims"]]
    assert set(fresh["records"]) == set(stored["records"])


def stored_ledger(chapter):
    return chapter.read_notebook().metadata["papers_in_motion_run"]["ledger"]
