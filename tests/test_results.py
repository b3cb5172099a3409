"""Committed results: made by the code that stands here now, and read with helpful errors."""

import json
from pathlib import Path

import pytest

import tutorlib as tl
from tools.chapters import ROOT, slugs
from tools.definitions import follows_from, provenance

KEYS = {
    "script", "script_text", "definitions", "preset", "commit", "date", "processor", "device",
    "versions", "seconds", "setting",
}  # fmt: skip
RESULTS = sorted((ROOT / "src" / "tutorlib" / "results").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_committed_result_follows_from_its_script_and_the_present_definitions(path):
    made = json.loads(path.read_text(encoding="utf-8"))["provenance"]
    assert (ROOT / made["script"]).is_file(), f"{path.name} names no script: {made['script']}"
    (slug,) = [slug for slug in slugs() if path.stem.startswith(f"{slug}-")]
    stale = [key for key, value in follows_from(slug, made).items() if made.get(key) != value]
    assert not stale, (
        f"{path.name} was made by another {' and another '.join(stale)} than {slug} has now; "
        f"run: python -m tools.{Path(made['script']).stem}"
    )
    assert KEYS <= set(made), f"{path.name} does not say its {sorted(KEYS - set(made))}"


def test_provenance_names_what_a_result_follows_from(monkeypatch):
    script = ROOT / "tools" / "grokking_paper.py"
    monkeypatch.setenv("TUTORLIB_PRESET", "smoke")
    what = {"definitions": "?", "tag": "transformer", "preset": "paper"}
    what |= {"seconds": 1, "setting": "-"}
    made = provenance(script, config="config.transformer", **what)
    assert KEYS <= set(made)
    assert made["script"] == "tools/grokking_paper.py"
    assert made["config_value"].startswith("Transformer(p=113, width=128,")
    other = follows_from("grokking", made | {"preset": "smoke"})
    assert other["config_value"] != made["config_value"]
    assert other["definitions"] == made["definitions"] != "?"
    assert "config_value" not in provenance(script, **what)
    with pytest.raises(ValueError, match=r"more lacks \['definitions', 'preset'\]"):
        provenance(script)


def test_a_result_has_provenance_and_numbers():
    result = tl.load_result("fourier-head-paper")
    assert {"script", "preset", "definitions", "device", "versions", "seconds"} <= set(
        result["provenance"]
    )
    rows = [row for row in result["results"] if row["head"] == "linear"]
    assert {row["task"] for row in rows} == {"Gaussian", "GMM-2", "Beta"}
    assert all(len(row["kl"]) == len(row["epoch"]) == 51 for row in rows)
    assert all(len(seeds) == 5 for row in rows for seeds in row["kl"])


def test_an_unknown_result_lists_what_there_is():
    with pytest.raises(ValueError, match="name is 'nope'; .*fourier-head-paper"):
        tl.load_result("nope")
