"""The one-layer transformer of Nanda et al. (2023) on modular addition.

Their setting (p = 113, width 128, 30 % of the table) needs an accelerator; by default this runs a
smaller one on a CPU (p = 53, width 64, 40 %). It uses the chapter's own definitions, and its result
file is committed:

    python -m tools.grokking_paper            # the smaller setting
    python -m tools.grokking_paper --full     # the setting of Nanda et al.

A stopped run continues where it was: each finished seed is kept in `_build/grokking-paper/`.
"""

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass

os.environ["TUTORLIB_PRESET"] = "paper"

import jax
import numpy as np

from tools.chapters import ROOT
from tools.definitions import definitions, fingerprint
from tutorlib.runtime import device, versions

TARGET = ROOT / "src" / "tutorlib" / "results" / "grokking-paper.json"
PARTS = ROOT / "_build" / "grokking-paper"


@dataclass(frozen=True)
class Setting:
    """Sizes of one run; the defaults are the smaller setting."""

    p: int = 53
    width: int = 64
    fraction: float = 0.4
    steps: int = 14_000
    every: int = 250
    alpha: float = 1.0
    seeds: int = 3


FULL = Setting(p=113, width=128, fraction=0.3, steps=50_000, every=500)


def train(chapter, setting, seed):
    """Curves of one training: a dictionary of lists, and the last spectrum of the embedding."""
    p = setting.p
    order = np.random.default_rng(seed).permutation(p * p)
    known = order[: round(setting.fraction * p * p)]
    new = order[len(known) :]
    params = chapter.transformer_init(jax.random.key(seed), p, setting.width)
    state, curves = None, []
    for step in range(0, setting.steps + 1, setting.every):
        found = {k: np.asarray(v) for k, v in chapter.look_inside(params, setting.alpha).items()}
        row = {"step": step}
        for part, rows in (("train", known), ("test", new)):
            for name in ("loss", "accuracy", "restricted loss"):
                row[f"{part} {name}"] = round(float(found[name][rows].mean()), 5)
        curves.append(row)
        if not np.isfinite(row["train loss"]):
            raise FloatingPointError(f"the loss of seed {seed} is not finite at step {step}")
        params, state = chapter.advance_transformer(
            params, state, known, setting.alpha, setting.every
        )
    spectrum = found["spectrum"].astype(float).round(5).tolist()
    return {name: [row[name] for row in curves] for name in curves[0]} | {"spectrum": spectrum}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="the setting of Nanda et al.")
    setting = FULL if parser.parse_args(arguments).full else Setting()
    made_by = fingerprint("grokking")
    chapter = definitions("grokking")
    runs = []
    for seed in range(setting.seeds):
        path = PARTS / f"{made_by}-p{setting.p}-{seed}.json"
        if not path.exists():
            started = time.monotonic()
            run = train(chapter, setting, seed)
            run["seconds"] = time.monotonic() - started
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(run), encoding="utf-8")
            part.replace(path)
        runs.append(json.loads(path.read_text(encoding="utf-8")))
        print(f"seed {seed}: {runs[-1]['seconds']:.0f} s", flush=True)
    provenance = {
        "script": "tools/grokking_paper.py",
        "preset": "paper",
        "definitions": made_by,
        "device": device(),
        "versions": versions(),
        "seconds": round(sum(run.pop("seconds") for run in runs)),
        "setting": asdict(setting),
    }
    content = json.dumps({"provenance": provenance, "results": runs}) + "\n"
    TARGET.write_text(content, encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
