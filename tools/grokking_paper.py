"""The one-layer transformer of Nanda et al. (2023) on modular addition.

Too long for a notebook, so it runs once, with the chapter's own definitions, and its two result
files are committed:

    python -m tools.grokking_paper reduced
    python -m tools.grokking_paper full

`full` is what the chapter's preset `paper` trains: the sizes of Nanda et al. (p = 113, width 128,
30 % of the table), with fewer steps and seeds. `reduced` (p = 53, width 64, 40 %) is where a seed
is cheap enough for a comparison. A stopped run continues where it was: finished parts are kept in
`_build/grokking-paper/`. Runs that the result file has from the same definitions are not computed
again. The seconds in the provenance are those of the processes that finished a run.
"""

import argparse
import json
import os
import time
from dataclasses import asdict

os.environ["TUTORLIB_PRESET"] = "paper"

from tools.chapters import ROOT
from tools.definitions import definitions, fingerprint, provenance

RESULTS = ROOT / "src" / "tutorlib" / "results"
PARTS = ROOT / "_build" / "grokking-paper"
TAG = "transformer"
SEEDS = range(5)
OPTIMIZER = "AdamW 1e-3, second decay 0.98, weight decay 1, full batch, float32"


def settings(chapter):
    """By name: the result file, the sizes in words, those trained, and where they come from."""
    reduced = [chapter.Transformer(53, 64, 0.4, steps=18_000, alpha=1.0),
               chapter.Transformer(53, 64, 0.4, steps=12_000, alpha=0.15)]  # fmt: skip
    return {
        "reduced": ("grokking-paper.json", "p = 53, width 64, 40 % of the table", reduced, {}),
        "full": (
            "grokking-full.json",
            "p = 113, width 128, 30 % of the table",
            [chapter.config.transformer],
            {"config": "config.transformer"},
        ),
    }


def committed(target, definitions):
    """The file's seconds, and its runs; none if other definitions made them."""
    if not target.exists():
        return 0, []
    content = json.loads(target.read_text(encoding="utf-8"))
    if content["provenance"]["definitions"] != definitions:
        return 0, []
    return content["provenance"]["seconds"], content["results"]


def rounded(result):
    """A run as it is stored: four digits of each number are plenty."""
    curves = {k: [float(f"{v:.4g}") for v in values] for k, values in result["curves"].items()}
    return result | {"spectrum": [round(v, 5) for v in result["spectrum"]], "curves": curves}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("setting", choices=["reduced", "full"])
    chapter = definitions("grokking")
    name, words, sizes, config = settings(chapter)[parser.parse_args().setting]
    target, made_by = RESULTS / name, fingerprint("grokking", TAG)
    made = provenance(__file__, definitions=made_by, tag=TAG, preset="paper", **config)
    spent, have = committed(target, made_by)
    started, results = time.monotonic(), []
    for size in sizes:
        of_size = {run["seed"]: run for run in have if asdict(size).items() <= run.items()}
        missing = [seed for seed in SEEDS if seed not in of_size]
        if missing:
            found = chapter.transformer_results(size, missing, store=PARTS)
            of_size |= {run["seed"]: rounded(run) for run in found}
        results += [of_size[seed] for seed in SEEDS]
    made["seconds"] = round(spent + time.monotonic() - started)
    made["setting"] = f"{words}, {OPTIMIZER}"
    part = target.with_suffix(".part")
    part.write_text(json.dumps({"provenance": made, "results": results}) + "\n", "utf-8")
    part.replace(target)
    print(f"wrote {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
