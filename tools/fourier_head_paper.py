"""The toy experiments of the Fourier head at the paper's own setting.

Raw bin indices as inputs, 500 epochs, N = 2, 4, .., 20, 5 seeds (Gillman et al. 2024, section 4
and appendix C); for N = 12 also the regulariser, and all heads with rescaled inputs. Too long for a
notebook, so it runs once, with the chapter's own definitions, and its result file is committed:

    python -m tools.fourier_head_paper

A stopped run continues where it was: each finished part is kept in `_build/fourier-head-paper/`,
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

TARGET = ROOT / "src" / "tutorlib" / "results" / "fourier-head-paper.json"
PARTS = ROOT / "_build" / "fourier-head-paper"


def store(path, content):
    """Write JSON in one step, so that a killed run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content) + "\n", encoding="utf-8")
    part.replace(path)


def run(chapter, config, head, raw, gamma):
    """Train one head on all tasks (and frequencies) with all seeds; one row per case."""
    if head != "fourier":
        frequencies = (0,)
    else:
        frequencies = config.frequencies if raw and not gamma else (12,)
    cases = [chapter.Case(task, n, raw=raw) for task in chapter.TASKS for n in frequencies]
    started = time.monotonic()
    found = chapter.train_toy(head, cases, config, gamma=gamma, records=10)
    seconds = time.monotonic() - started
    rows = []
    for case in cases:
        row = {"task": case.task, "head": head, "frequencies": case.frequencies, "raw": raw}
        row |= {"gamma": gamma, "epoch": found[case]["epoch"].tolist()}
        for key in ("kl", "smoothness"):  # (records, seeds)
            row[key] = found[case][key].astype(float).round(4).tolist()
        rows.append(row)
    return {"seconds": seconds, "rows": rows}


def main():
    tl.setup()
    made_by = fingerprint("fourier-head")
    chapter = definitions("fourier-head")
    config = chapter.config
    plan = [(head, raw, 0.0) for raw in (True, False) for head in chapter.HEADS]
    plan.append(("fourier", True, 1e-6))
    parts = []
    for number, (head, raw, gamma) in enumerate(plan, start=1):
        inputs = "raw" if raw else "rescaled"
        path = PARTS / made_by / f"{head}-{inputs}-{gamma:g}.json"
        if not path.exists():
            store(path, run(chapter, config, head, raw, gamma))
        parts.append(json.loads(path.read_text(encoding="utf-8")))
        print(f"{number}/{len(plan)} {path.stem}: {parts[-1]['seconds']:.0f} s", flush=True)
    provenance = {
        "script": "tools/fourier_head_paper.py",
        "preset": "paper",
        "definitions": made_by,
        "device": device(),
        "versions": versions(),
        "seconds": round(sum(part["seconds"] for part in parts)),
        "setting": "500 epochs, batch 32, Adam 1e-3, 4,000 examples, seeds 0 to 4",
    }
    store(TARGET, {"provenance": provenance, "results": [row for p in parts for row in p["rows"]]})
    print(f"wrote {TARGET.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
