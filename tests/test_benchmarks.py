"""Benchmarks: what they store, whether it is theirs, and the memory of a map (no times)."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.sweep_cost import memory_of_a_map
from tools import benchmark
from tools.chapters import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))

from papers_in_motion import benchmarks as page  # noqa: E402

STORED = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
NOTE = "Both compute the same."


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A small repository with one benchmark, which has been run: (its script, its result)."""
    monkeypatch.setattr(benchmark, "ROOT", tmp_path)
    monkeypatch.setattr(benchmark, "RESULTS", tmp_path / "benchmarks" / "results")
    (tmp_path / "benchmarks").mkdir()
    script = tmp_path / "benchmarks" / "two_ways.py"
    script.write_text("STEPS = 50\n")
    monkeypatch.setattr(sys, "argv", [str(script), "--students", "3"])
    table = [["way", "seconds"], ["one", 3.0]]
    benchmark.publish(
        script, "Two ways", [table], notes=[NOTE], also={"torch": "2"}, threads={"PyTorch": 2},
        chapter="fractal-boundary",
    )  # fmt: skip
    return script, tmp_path / "benchmarks" / "results" / "two_ways.json"


def shown(root):
    """The text of the performance page of a small repository."""
    env = SimpleNamespace(srcdir=str(root), note_dependency=lambda path: None)
    return "\n".join(part.astext() for part in page.Benchmarks.run(SimpleNamespace(env=env)))


def test_a_result_is_printed_and_stored_with_its_provenance(stored, capsys):
    _, result = stored
    content = json.loads(result.read_text())
    assert content["tables"] == [[["way", "seconds"], ["one", "3.0"]]]
    made = content["provenance"]
    assert made["script"] == "benchmarks/two_ways.py" and made["versions"]["torch"] == "2"
    assert made["command"] == "benchmarks/two_ways.py --students 3"
    assert "cores" in made["machine"] and {"jax", "python"} <= set(made["versions"])
    assert made["threads"] == {"JAX": benchmark.cores(), "PyTorch": 2}
    assert made["commit"] is None  # tmp_path is no repository


def test_tables_are_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "ROOT", tmp_path)
    monkeypatch.setattr(benchmark, "RESULTS", tmp_path / "results")
    (tmp_path / "two_ways.py").write_text("")
    benchmark.publish(tmp_path / "two_ways.py", "Two ways", [[["way"], ["one"]]], notes=[NOTE])
    out = capsys.readouterr().out
    assert "| one |" in out and NOTE in out


@pytest.mark.parametrize("table", [[["way"]], [["way", "seconds"], ["one"]]])
def test_a_table_without_rows_or_with_holes_is_refused(table):
    with pytest.raises(ValueError, match="headings and rows of equal length"):
        benchmark.publish(__file__, "Two ways", [table])


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_result_was_made_by_the_script_as_it_is(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    made = content["provenance"]
    assert made["script"] == f"benchmarks/{path.stem}.py"
    assert all(len({len(row) for row in table}) == 1 for table in content["tables"])
    again = f"PYTHONPATH=. .venv/bin/python {made.get('command', made['script'])}"
    assert "script" not in benchmark.changed(path), (
        f"{path.name} was made by another text of {made['script']}; run make bench, or: {again}"
    )


def test_a_changed_script_makes_its_result_stale_and_hides_its_notes(stored):
    script, result = stored
    assert benchmark.changed(result) == []
    assert NOTE in shown(script.parent.parent)
    script.write_text("STEPS = 500\n")
    assert benchmark.changed(result) == ["script"]
    page_text = shown(script.parent.parent)
    assert NOTE not in page_text and page.STALE in page_text and "3.0" in page_text


def test_a_result_without_a_fingerprint_is_stale(stored):
    _, result = stored
    content = json.loads(result.read_text())
    del content["provenance"]["script_text"]
    result.write_text(json.dumps(content))
    assert benchmark.changed(result) == ["script"]


def test_changed_definitions_are_told_but_do_not_make_a_result_stale(stored, monkeypatch):
    _, result = stored
    monkeypatch.setattr(benchmark, "definitions_of", lambda slug: "other")
    assert benchmark.changed(result) == ["definitions"]


def test_the_page_says_how_it_was_measured(stored):
    script, _ = stored
    text = shown(script.parent.parent)
    assert f"threads: JAX {benchmark.cores()}, PyTorch 2" in text
    assert "at commit abc with changes" in page.measured(
        {"date": "", "script": "", "machine": "", "device": "", "versions": {}}
        | {"commit": "abc with changes"}
    )


def test_functions_run_in_turn_after_a_first_call():
    calls = []
    seconds, busy = benchmark.in_turn([lambda: calls.append(1), lambda: calls.append(2)], 2)
    assert calls == [1, 2] * 3 and seconds.shape == busy.shape == (2, 2)
    benchmark.in_turn([lambda: calls.append(3)], 1, warm=False)
    assert calls.count(3) == 1


def test_a_spread_has_median_least_and_largest():
    assert benchmark.spread(np.array([9.84, 10.31, 12.0])) == "10.3 (9.8 to 12.0)"


def test_the_head_in_pytorch_equals_the_chapters():
    """And the comparison notices a rival that computes something else."""
    pytest.importorskip("torch", reason="PyTorch is not among the locked packages")
    from benchmarks import fourier_head_vs_pytorch as rival

    chapter = rival.definitions("fourier-head")
    inputs, labels = rival.examples(chapter, 32)
    for name in rival.HEADS:
        rival.check_equal(chapter, name, inputs, labels)
    planted = rival.ClosedForm.forward
    try:
        rival.ClosedForm.forward = lambda self, x: 1.01 * planted(self, x)
        with pytest.raises(AssertionError, match="log-probabilities differ"):
            rival.check_equal(chapter, "fourier, closed form", inputs, labels)
    finally:
        rival.ClosedForm.forward = planted


def test_memory_grows_with_the_image_only():
    """A map with 64 times as many pixels needs no more than its image and two copies of it.

    Stored losses, at 20 steps, would need twenty images.
    """
    small, large = memory_of_a_map(128), memory_of_a_map(1024)
    image = 8 * (1024**2 - 128**2)
    assert large - small < 3 * image + 40e6 < 20 * image
