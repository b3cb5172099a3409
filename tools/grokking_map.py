"""The map of when grokking happens, for the explorable `grokking`.

The explorable trains one network in the reader's browser; its map needs over a thousand trainings,
so they are run once, here, with the chapter's own definitions, and the file is committed:

    python -m tools.grokking_map

The examples are those of the explorable for the same seed. All networks that learn from the same
examples are trained side by side.
"""

import json
import math
import time

import jax
import numpy as np

import tutorlib as tl
from tools.chapters import ROOT
from tools.definitions import definitions

TARGET = ROOT / "src" / "tutorlib" / "explorables" / "_grokking-map.js"
DIMENSIONS = 20
STEPS = 10_000
ALPHAS = (0.125, 0.25, 0.5, 1, 2, 4, 8)
EPSILONS = (0.05, 0.1, 0.2, 0.5)
EXAMPLES = (30, 40, 50, 60, 80, 100, 140, 200)
SEEDS = (1, 2, 3, 4, 5)


def uniforms(seed, stream):
    """The explorables' generator (mulberry32): uniform numbers in [0, 1)."""
    mask = 0xFFFFFFFF
    state = (seed * 0x9E3779B1 + stream * 0x85EBCA6B) & mask
    while True:
        state = (state + 0x6D2B79F5) & mask
        t = ((state ^ (state >> 15)) * (state | 1)) & mask
        t ^= (t + ((t ^ (t >> 7)) * (t | 61))) & mask
        yield (t ^ (t >> 14)) / 2**32


def draw_examples(count, seed):
    """Inputs (count, D) from N(0, I / D); labels (count,): (beta . x)^2 / 2, beta = sqrt(D) e_1."""
    random = uniforms(seed, 1)
    normals = [
        math.sqrt(-2 * math.log(1 - next(random))) * math.cos(2 * math.pi * next(random))
        for _ in range(count * DIMENSIONS)
    ]
    x = np.array(normals).reshape(count, DIMENSIONS) / math.sqrt(DIMENSIONS)
    return x, DIMENSIONS * x[:, 0] ** 2 / 2


def falling_times(chapter, x, y, alphas, epsilons):
    """First steps with a fallen training and test loss, (networks, 2); 0: not within STEPS.

    x: (P, D); y: (P,), of `draw_examples`; alphas, epsilons: (networks,). The networks are
    infinitely wide and start with w = 0 and M = I. In float64, as in a browser.
    """
    with tl.float64():
        beta = np.sqrt(DIMENSIONS) * np.eye(DIMENSIONS)[0]
        start = np.zeros(DIMENSIONS), np.eye(DIMENSIONS)
        states = [np.broadcast_to(leaf, (len(alphas), *leaf.shape)) for leaf in start]
        steps = STEPS + 1
        train, terms, *_ = chapter.train_settings(
            x, y, beta, alphas, epsilons, start, tuple(states), steps, steps
        )
    losses = np.asarray(train), np.asarray(terms).sum(-1)
    found = np.stack([chapter.fall_time(curves) for curves in losses], axis=-1)
    return np.where(np.isinf(found), 0, found).astype(int)


def main():
    started = time.monotonic()
    chapter = definitions("grokking")
    alphas, epsilons = (grid.ravel() for grid in np.meshgrid(ALPHAS, EPSILONS))
    # Axes: epsilon, examples, alpha, seed, loss (training, test).
    times = np.zeros((len(EPSILONS), len(EXAMPLES), len(ALPHAS), len(SEEDS), 2), int)
    for row, count in enumerate(EXAMPLES):
        for place, seed in enumerate(SEEDS):
            found = falling_times(chapter, *draw_examples(count, seed), alphas, epsilons)
            times[:, row, :, place] = found.reshape(len(EPSILONS), len(ALPHAS), 2)
        print(f"{count} examples: {time.monotonic() - started:.0f} s", flush=True)
    rows = [json.dumps(row, separators=(",", ":")) for part in times.tolist() for row in part]
    grids = [rows[i : i + len(EXAMPLES)] for i in range(0, len(rows), len(EXAMPLES))]
    lines = [
        "// When the losses of the grokking explorable's networks fall: written by",
        f"// tools/grokking_map.py (jax {jax.__version__}), not by hand. times: for each epsilon,",
        "// number of examples, alpha and seed the first steps at which training and test loss are",
        f"// below {chapter.FALLEN:.0%} of their start; 0: not within {STEPS} steps.".replace(
            "%", " %"
        ),
        "const GROKKING_MAP = {",
        *(
            f"  {name}: {json.dumps(values)},"
            for name, values in (
                ("alphas", ALPHAS),
                ("epsilons", EPSILONS),
                ("examples", EXAMPLES),
                ("seeds", SEEDS),
                ("steps", STEPS),
            )
        ),
        "  times: [",
        *("    [\n" + ",\n".join(f"      {row}" for row in grid) + "\n    ]," for grid in grids),
        "  ],",
        "};",
        "",
    ]
    TARGET.write_text("\n".join(lines), encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
