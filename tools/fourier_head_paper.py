"""The toy experiments of the Fourier head at the paper's own setting.

Raw bin indices as inputs, 500 epochs, N = 2, 4, .., 20, both values of the regulariser, 4 seeds
(Gillman et al. 2024, section 4 and appendix C). Too long for a notebook, so it runs once, with
the chapter's own definitions, and its result file is committed:

    python -m tools.fourier_head_paper

A stopped run continues where it was: each finished head is kept in `_build/fourier-head-paper/`,
in a folder named after the definitions that made it.
"""

import json
import os
import time

os.environ["TUTORLIB_PRESET"] = "paper"

import tutorlib as tl
from tools.chapters import ROOT
from tools.definitions import definitions, fingerprint
from tutorlib.runtime import device, versions

SEEDS = 4
TASKS = ["Gaussian", "GMM-2", "Beta"]
TARGET = ROOT / "src" / "tutorlib" / "results" / "fourier-head-paper.json"
PARTS = ROOT / "_build" / "fourier-head-paper"


def store(path, content):
    """Write JSON in one step, so that a killed run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def run(chapter, head, gamma):
    """Train one head on all tasks and seeds; one row per task."""
    started = time.monotonic()
    history = chapter.train_toy(head, TASKS, chapter.config, seeds=SEEDS, raw=True, gamma=gamma)
    seconds = time.monotonic() - started
    rows = []
    for i, task in enumerate(TASKS):
        values = {key: history[key][-1, i, :, 0].round(5).tolist() for key in ("kl", "smoothness")}
        rows.append({"head": head, "gamma": gamma, "task": task} | values)
    return {"seconds": seconds, "rows": rows}


def main():
    tl.setup()
    made_by = fingerprint("fourier-head")
    chapter = definitions("fourier-head")
    plan = [("linear", 0.0), ("mixture", 0.0)]
    plan += [(f"fourier-{n}", gamma) for gamma in (0.0, 1e-6) for n in chapter.config.frequencies]
    parts = []
    for number, (head, gamma) in enumerate(plan, start=1):
        path = PARTS / made_by / f"{head}-{gamma:g}.json"
        if not path.exists():
            store(path, run(chapter, head, gamma))
        parts.append(json.loads(path.read_text(encoding="utf-8")))
        print(
            f"{number}/{len(plan)} {head} gamma {gamma:g}: {parts[-1]['seconds']:.0f} s", flush=True
        )
    provenance = {
        "script": "tools/fourier_head_paper.py",
        "preset": "paper",
        "definitions": made_by,
        "device": device(),
        "versions": versions(),
        "seconds": round(sum(part["seconds"] for part in parts)),
        "setting": "raw bin indices, 500 epochs, batch 32, Adam 1e-3, 4,000 examples, seeds 0 to 3",
    }
    store(TARGET, {"provenance": provenance, "results": [row for p in parts for row in p["rows"]]})
    print(f"wrote {TARGET.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
