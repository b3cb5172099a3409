"""How fast this machine is, beside the one for which readers are promised a run time.

A chapter must run in two minutes on two cores, but cores differ by a factor of two and more, and a
shared machine differs from itself. So each execution is followed, in the same kernel and on the
same devices, by a fixed piece of work of the kind that chapters do.
"""

import functools
import subprocess
import sys
import time

import jax.numpy as jnp
import numpy as np
from jax import lax

import tutorlib as tl
from tools.chapters import ROOT

# What the work below takes on the machine of benchmarks/results/sweep_cost.json: its time on
# another machine, times the ratio of the two machines' times for the map of 256 x 256 pixels. That
# machine was busy, so this is good to a fifth or so; measure it again when the table is.
REFERENCE_SECONDS = 0.26


def _work(at, key):
    """Some hundred steps of a bounded map of 16 numbers, as small trainings are."""
    start = jnp.linspace(0.1, 1, 16, dtype=at["rate"].dtype)

    def step(z, _):
        hidden = jnp.tanh(z)
        return z - at["rate"] * (hidden.mean() - 0.5) * (1 - hidden**2), None

    return {"end": lax.scan(step, start, length=200)[0].sum()}


def speed(rounds=5):
    """Speed of this machine relative to the reference: 1 is as fast, 0.5 takes twice as long."""
    rates = {"rate": np.linspace(0.1, 10, 2**16)}
    taken = []
    with tl.float64():
        for _ in range(1 + rounds):  # the first compiles
            started = time.perf_counter()
            tl.sweep(_work, rates, dtype="float64")
            taken.append(time.perf_counter() - started)
    return REFERENCE_SECONDS / min(taken[1:])


@functools.cache
def of_this_machine():
    """`speed`, measured in a process of its own, on all cores."""
    found = subprocess.run(
        [sys.executable, "-m", "tools.yardstick"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return float(found.stdout.splitlines()[-1])


if __name__ == "__main__":
    tl.setup()
    print(round(speed(), 2))
