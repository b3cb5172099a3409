"""Benchmarks: what they store, and the memory that a map takes (times are not tested)."""

import json

import pytest

from benchmarks.sweep_cost import peak_memory
from tools import benchmark
from tools.chapters import ROOT

STORED = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


def test_a_result_is_printed_and_stored_with_its_provenance(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "ROOT", tmp_path)
    monkeypatch.setattr(benchmark, "RESULTS", tmp_path / "results")
    table = [["way", "seconds"], ["one", 3.0]]
    benchmark.publish(tmp_path / "two_ways.py", "Two ways", [table], also={"torch": "2"})
    assert "| one | 3.0 |" in capsys.readouterr().out
    content = json.loads((tmp_path / "results" / "two_ways.json").read_text())
    assert content["tables"] == [[["way", "seconds"], ["one", "3.0"]]]
    made = content["provenance"]
    assert made["script"] == "two_ways.py" and made["versions"]["torch"] == "2"
    assert "cores" in made["machine"] and {"jax", "python"} <= set(made["versions"])


@pytest.mark.parametrize("table", [[["way"]], [["way", "seconds"], ["one"]]])
def test_a_table_without_rows_or_with_holes_is_refused(table):
    with pytest.raises(ValueError, match="headings and rows of equal length"):
        benchmark.publish(__file__, "Two ways", [table])


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_result_names_a_script_that_exists(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["provenance"]["script"] == f"benchmarks/{path.stem}.py"
    assert (ROOT / content["provenance"]["script"]).is_file()
    assert all(len({len(row) for row in table}) == 1 for table in content["tables"])


def test_memory_grows_with_the_image_only():
    """A map with 64 times as many pixels needs no more than its image and two copies of it.

    Stored losses, at 20 steps, would need twenty images.
    """
    small, large = peak_memory(128), peak_memory(1024)
    image = 8 * (1024**2 - 128**2)
    assert large - small < 3 * image + 40e6 < 20 * image
