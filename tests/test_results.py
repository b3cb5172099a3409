"""Committed results: made by the code that stands here now, and read with helpful errors."""

import json
from pathlib import Path

import pytest

import tutorlib as tl
from tools.chapters import ROOT, slugs
from tools.definitions import fingerprint

RESULTS = sorted((ROOT / "src" / "tutorlib" / "results").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_committed_result_follows_from_the_present_definitions(path):
    provenance = json.loads(path.read_text(encoding="utf-8"))["provenance"]
    script = ROOT / provenance["script"]
    assert script.is_file(), f"{path.name} names {provenance['script']}, which does not exist"
    (slug,) = [slug for slug in slugs() if path.stem.startswith(f"{slug}-")]
    assert provenance["definitions"] == fingerprint(slug, provenance.get("tag", "definition")), (
        f"{path.name} was made by other definitions than those of {slug} now; "
        f"run: python -m tools.{Path(provenance['script']).stem}"
    )


def test_a_result_has_provenance_and_numbers():
    result = tl.load_result("fourier-head-paper")
    assert {"script", "preset", "definitions", "device", "versions", "seconds"} <= set(
        result["provenance"]
    )
    rows = [row for row in result["results"] if row["head"] == "linear"]
    assert {row["task"] for row in rows} == {"Gaussian", "GMM-2", "Beta"}
    assert all(len(row["kl"]) == len(row["epoch"]) == 11 for row in rows)
    assert all(len(seeds) == 5 for row in rows for seeds in row["kl"])


def test_an_unknown_result_lists_what_there_is():
    with pytest.raises(ValueError, match="name is 'nope'; .*fourier-head-paper"):
        tl.load_result("nope")
