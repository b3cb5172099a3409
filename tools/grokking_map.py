"""The map of when grokking happens, for the explorable `grokking`.

The explorable trains one network in the reader's browser; its map needs over a thousand trainings,
so they are run once, here, and the file is committed:

    python -m tools.grokking_map

The trainings are those of the explorable (same model, same examples for the same seed, written a
second time in numpy, so that each checks the other). All networks that learn from the same examples
are trained side by side.
"""

import json
import math
import time

import numpy as np

from tools.chapters import ROOT

TARGET = ROOT / "src" / "tutorlib" / "explorables" / "_grokking-map.js"
DIMENSIONS = 20
STEPS = 10_000
FALLEN = 0.2  # a loss has fallen when it is below this part of its first value
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


def falling_times(x, y, alpha, epsilon):
    """First steps with a fallen training and test loss, (networks, 2); 0: not within STEPS.

    x: (P, D); y: (P,); alpha, epsilon: (networks,). Each network is infinitely wide: its weights'
    mean w and second moments M are trained exactly, from w = 0 and M = I.
    """
    count, d = x.shape
    quadratic = (x[:, :, None] * x[:, None, :]).reshape(count, d * d)
    eye = np.eye(d)
    target = np.zeros((d, d))
    target[0, 0] = d
    start_train, start_test = np.mean(y**2), 0.75
    times = np.zeros((len(alpha), 2), int)
    live = np.arange(len(alpha))  # networks whose two losses have not both fallen
    w, M = np.zeros((len(alpha), d)), np.tile(eye, (len(alpha), 1, 1))
    for step in range(STEPS + 1):
        a, e = alpha[live, None], epsilon[live, None]
        moved = (a * e)[:, :, None] * (M - eye)
        error = moved - target
        test = np.trace(error, axis1=1, axis2=2) ** 2 / (4 * d**2)
        test += (error**2).sum((1, 2)) / (2 * d**2) + ((a * w) ** 2).sum(1) / d
        residual = moved.reshape(-1, d * d) @ quadratic.T / 2 + a * w @ x.T - y
        train = (residual**2).mean(1)
        for column, fallen in enumerate((train < FALLEN * start_train, test < FALLEN * start_test)):
            new = live[fallen & (times[live, column] == 0)]
            times[new, column] = step
        stay = ~times[live].all(1)
        if not stay.all():
            live, w, M, residual, a, e = (part[stay] for part in (live, w, M, residual, a, e))
        if not len(live):
            break
        c = 2 * np.minimum(4, a / e) / (a * count)
        g = c * (residual @ x)
        A = eye - ((c * e) * (residual @ quadratic)).reshape(-1, d, d)
        Aw = (A @ w[:, :, None])[:, :, 0]
        cross = Aw[:, :, None] * g[:, None, :]
        M = A @ M @ A - cross - cross.transpose(0, 2, 1) + g[:, :, None] * g[:, None, :]
        w = Aw - g
    return times


def main():
    started = time.monotonic()
    alpha, epsilon = (grid.ravel() for grid in np.meshgrid(ALPHAS, EPSILONS))
    # Axes: epsilon, examples, alpha, seed, loss (training, test).
    times = np.zeros((len(EPSILONS), len(EXAMPLES), len(ALPHAS), len(SEEDS), 2), int)
    for row, count in enumerate(EXAMPLES):
        for place, seed in enumerate(SEEDS):
            found = falling_times(*draw_examples(count, seed), alpha, epsilon)
            times[:, row, :, place] = found.reshape(len(EPSILONS), len(ALPHAS), 2)
        print(f"{count} examples: {time.monotonic() - started:.0f} s", flush=True)
    rows = [json.dumps(row, separators=(",", ":")) for part in times.tolist() for row in part]
    grids = [rows[i : i + len(EXAMPLES)] for i in range(0, len(rows), len(EXAMPLES))]
    lines = [
        "// When the losses of the grokking explorable's networks fall: written by",
        f"// tools/grokking_map.py (numpy {np.__version__}), not by hand. times: for each epsilon,",
        "// number of examples, alpha and seed the first steps at which training and test loss are",
        f"// below {FALLEN:.0%} of their start; 0: not within {STEPS} steps.".replace("%", " %"),
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
