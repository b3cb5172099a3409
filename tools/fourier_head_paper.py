"""The toy experiments of the Fourier head at the paper's own setting.

Raw bin indices as inputs, 500 epochs, N = 2, 4, .., 20, 5 seeds (Gillman et al. 2024, section 4
and appendix C), the Fourier head's initial weights divided by 100 as in the authors' code; for
N = 12 also the regulariser, weights that are not divided, and all heads with rescaled inputs. Too
long for a notebook, so it runs once, with the chapter's own definitions, and its result file is
committed:

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
from tools.definitions import definitions, fingerprint, provenance

TAG = "recipe"  # on the chapter's definition cells that this script uses
TARGET = ROOT / "src" / "tutorlib" / "results" / "fourier-head-paper.json"
PARTS = ROOT / "_build" / "fourier-head-paper"
DIVIDE = 100  # what the authors' code divides the Fourier head's initial weights by


def store(path, content):
    """Write JSON in one step, so that a killed run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content) + "\n", encoding="utf-8")
    part.replace(path)


def run(chapter, config, head, frequencies, raw=True, gamma=0.0, divide=1, records=1):
    """Train one head on all tasks (and frequencies) with all seeds; one row per case."""
    cases = [chapter.Case(task, n, raw=raw) for task in chapter.TASKS for n in frequencies]
    started = time.monotonic()
    found = chapter.train_toy(head, cases, config, gamma=gamma, divide=divide, records=records)
    seconds = time.monotonic() - started
    rows = []
    for case in cases:
        row = {"task": case.task, "head": head, "frequencies": case.frequencies, "raw": raw}
        row |= {"gamma": gamma, "divide": divide, "epoch": found[case]["epoch"].tolist()}
        row["kl"] = found[case]["kl"].astype(float).round(4).tolist()  # (records, seeds)
        # Only at the end: (1, seeds).
        row["smoothness"] = found[case]["smoothness"][-1:].astype(float).round(4).tolist()
        rows.append(row)
    return {"seconds": seconds, "rows": rows}


def main():
    tl.setup()
    made = provenance(
        __file__, preset="paper", tag=TAG, config="config",
        definitions=fingerprint("fourier-head", TAG),
        setting="500 epochs, batch 32, Adam 1e-3, 4,000 examples, seeds 0 to 4",
    )  # fmt: skip
    chapter = definitions("fourier-head")
    config = chapter.config
    # Along training for N = 12 and the other heads; at the end alone for the sweep over N.
    plan, fourier = {}, {"head": "fourier", "frequencies": (12,), "divide": DIVIDE}
    for inputs, raw in (("raw", True), ("rescaled", False)):
        along = {"raw": raw, "records": config.records}
        for head in ("linear", "mixture"):
            plan[f"{head}-{inputs}"] = along | {"head": head, "frequencies": (0,)}
        plan[f"fourier-{inputs}"] = along | fourier
        plan[f"fourier-{inputs}-undivided"] = along | fourier | {"divide": 1}
    plan["fourier-regularised"] = fourier | {"gamma": 1e-6}
    others = tuple(n for n in config.frequencies if n != 12)
    plan["fourier-sweep"] = fourier | {"frequencies": others}
    parts = []
    for number, (name, settings) in enumerate(plan.items(), start=1):
        path = PARTS / made["definitions"] / f"{name}.json"
        if not path.exists():
            store(path, run(chapter, config, **settings))
        parts.append(json.loads(path.read_text(encoding="utf-8")))
        print(f"{number}/{len(plan)} {name}: {parts[-1]['seconds']:.0f} s", flush=True)
    made["seconds"] = round(sum(part["seconds"] for part in parts))
    store(TARGET, {"provenance": made, "results": [row for p in parts for row in p["rows"]]})
    print(f"wrote {TARGET.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
