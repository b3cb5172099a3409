"""The one-layer transformer of Nanda et al. (2023) on modular addition.

Too long for a notebook, so it runs once, with the chapter's own definitions, and its two result
files are committed:

    python -m tools.grokking_paper reduced
    python -m tools.grokking_paper full

`full` has the sizes of Nanda et al. (p = 113, width 128, 30 % of the table), with fewer steps and
seeds; `reduced` (p = 53, width 64, 40 %) is where a seed is cheap enough for a comparison. A
stopped run continues where it was: every so many steps the weights are stored in
`_build/grokking-paper/`. When all runs have ended, the key frequencies of the last weights are
taken, and all stored weights are looked at with them.
"""

import argparse
import json
import os
import pickle
import time
from dataclasses import asdict, dataclass

os.environ["TUTORLIB_PRESET"] = "paper"

import jax
import numpy as np

from tools.chapters import ROOT
from tools.definitions import definitions, fingerprint
from tutorlib.runtime import device, versions

RESULTS = ROOT / "src" / "tutorlib" / "results"
PARTS = ROOT / "_build" / "grokking-paper"
TAG = "transformer"
TRAINED_BY = fingerprint(
    "grokking", f"{TAG}-training"
)  # the looks inside may change, the weights stay
EVERY = 200  # steps between stored weights


@dataclass(frozen=True)
class Run:
    """One training. fraction: part of the table to learn from; alpha: scale of the logits."""

    p: int
    width: int
    fraction: float
    seed: int
    alpha: float
    steps: int

    @property
    def folder(self):
        return PARTS / TRAINED_BY / f"p{self.p}-{self.alpha:g}-{self.seed}"

    def split(self):
        """Rows of the table for training, and the others."""
        order = np.random.default_rng(self.seed).permutation(self.p**2)
        known = round(self.fraction * self.p**2)
        return order[:known], order[known:]


@dataclass(frozen=True)
class Setting:
    """One result file, the sizes in words, and its runs."""

    target: str
    words: str
    runs: list[Run]


SETTINGS = {
    "reduced": Setting(
        "grokking-paper.json",
        "p = 53, width 64, 40 % of the table",
        [Run(53, 64, 0.4, seed, 1.0, 18_000) for seed in range(3)]
        + [Run(53, 64, 0.4, seed, 0.15, 12_000) for seed in range(3)],
    ),
    "full": Setting(
        "grokking-full.json",
        "p = 113, width 128, 30 % of the table",
        [Run(113, 128, 0.3, seed, 1.0, 10_000) for seed in range(3)],
    ),
}
OPTIMIZER = "AdamW 1e-3, second decay 0.98, weight decay 1, full batch, float32"


def train(chapter, run):
    """Store weights, optimizer state and seconds spent at steps 0, EVERY, .., run.steps."""
    run.folder.mkdir(parents=True, exist_ok=True)
    known, _ = run.split()
    params = chapter.transformer_init(jax.random.key(run.seed), run.p, run.width)
    state, spent = None, 0.0
    for step in range(0, run.steps + 1, EVERY):
        path = run.folder / f"{step}.pickle"
        if path.exists():
            params, state, spent = pickle.loads(path.read_bytes())
            continue
        if step:
            started = time.monotonic()
            params, state = chapter.advance_transformer(params, state, known, run.alpha, EVERY)
            params, state = jax.tree.map(np.asarray, (params, state))
            if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)):
                raise FloatingPointError(f"{run} diverged before step {step}")
            spent += time.monotonic() - started
        part = path.with_suffix(".part")
        part.write_bytes(pickle.dumps((params, state, spent)))
        part.replace(path)
        print(f"{run}: step {step}, {spent:.0f} s", flush=True)


def analyse(chapter, run):
    """Curves of one training seen with its last key frequencies, and the seconds it took."""
    steps = range(0, run.steps + 1, EVERY)
    stored = [pickle.loads((run.folder / f"{step}.pickle").read_bytes()) for step in steps]
    spectrum = np.asarray(chapter.embedding_spectrum(stored[-1][0]), float)
    keys = chapter.key_frequencies(spectrum)
    parts = dict(zip(("train", "test"), run.split(), strict=True))
    curves = {}
    for step, (params, _, _) in zip(steps, stored, strict=True):
        found = chapter.look_inside(params, keys, run.alpha)
        squares = sum(float(np.sum(np.square(leaf))) for leaf in jax.tree.leaves(params))
        row = {"step": step, "norm": squares**0.5}
        for name, values in found.items():
            values = np.asarray(values, float)
            row |= {f"{part} {name}": float(values[rows].mean()) for part, rows in parts.items()}
        for name, value in row.items():
            curves.setdefault(name, []).append(float(f"{value:.4g}"))
    found = {"key frequencies": keys.tolist(), "spectrum": spectrum.round(5).tolist()}
    return asdict(run) | found | {"curves": curves}, stored[-1][2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("setting", choices=SETTINGS)
    setting = SETTINGS[parser.parse_args().setting]
    chapter = definitions("grokking")
    for run in setting.runs:
        train(chapter, run)
    results, seconds = zip(*(analyse(chapter, run) for run in setting.runs), strict=True)
    provenance = {
        "script": "tools/grokking_paper.py",
        "preset": "paper",
        "definitions": fingerprint("grokking", TAG),
        "tag": TAG,
        "device": device(),
        "versions": versions(),
        "seconds": round(sum(seconds)),
        "setting": f"{setting.words}, {OPTIMIZER}",
    }
    text = json.dumps({"provenance": provenance, "results": results})
    target = RESULTS / setting.target
    target.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
