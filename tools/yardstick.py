"""How fast this machine is, beside the one for which readers are promised a run time.

A chapter must run in two minutes on two cores, but cores differ by a factor of two and more, and a
shared machine differs from itself. So each execution is followed, in the same kernel and on the
same devices, by a fixed piece of work of the kind that chapters do: tracing and compiling, a sweep
over many tiny maps in float64, and the training of a few small networks.
"""

import functools
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

import tutorlib as tl
from tools.chapters import ROOT

# What a round of the work takes on the machine whose times stand in benchmarks/results, whose two
# cores were free. Measure it again when they are.
REFERENCE_SECONDS, REFERENCE_PROCESSOR_SECONDS = 1.4, 2.0


def _orbit(at, key):
    """Some hundred steps of a bounded map of 16 numbers."""
    start = jnp.linspace(0.1, 1, 16, dtype=at["rate"].dtype)

    def step(z, _):
        hidden = jnp.tanh(z)
        return z - at["rate"] * (hidden.mean() - 0.5) * (1 - hidden**2), None

    return {"end": lax.scan(step, start, length=200)[0].sum()}


def _error(params, batch):
    inputs, labels = batch
    hidden = jax.nn.relu(inputs @ params["first"])
    return jnp.mean((hidden @ params["second"] - labels) ** 2)


def _work():
    jax.clear_caches()  # so that each round compiles
    rates = {"rate": np.linspace(0.1, 10, 2**16)}
    with tl.float64():
        tl.sweep(_orbit, rates, dtype="float64")
    runs, rng = 8, np.random.default_rng(0)

    def draw(*shape):
        return rng.standard_normal((runs, *shape), np.float32) / 8

    tl.train(
        _error, {"first": draw(32, 64), "second": draw(64, 8)}, (draw(2048, 32), draw(2048, 8)),
        optimizer=optax.adam(1e-3), keys=jax.random.split(jax.random.key(0), runs), epochs=40,
        batch_size=32, metrics=lambda params, test: {}, test=np.zeros(runs),
    )  # fmt: skip


def speed(rounds=4, processor=False):
    """Speed of this machine relative to the reference: 1 is as fast, 0.5 takes twice as long.

    processor: by the time of the processors, which other programs hardly change, and not of the
    clock.
    """
    now = time.process_time if processor else time.perf_counter
    taken = []
    for _ in range(rounds):
        started = now()
        _work()
        taken.append(now() - started)
    return (REFERENCE_PROCESSOR_SECONDS if processor else REFERENCE_SECONDS) / min(taken)


@functools.cache
def of_the_processor():
    """`speed` by the time of the processors, measured in a process of its own."""
    found = subprocess.run(
        [sys.executable, "-m", "tools.yardstick"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return float(found.stdout.splitlines()[-1])


if __name__ == "__main__":
    tl.setup()
    print(round(speed(processor=True), 2))
