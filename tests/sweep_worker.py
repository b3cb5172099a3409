"""A sweep in a process of its own, for tests/test_sweeps.py: python sweep_worker.py '{"...": ...}'.

The argument is JSON: devices, out (file for the results), slow (seconds per tile), join ([address,
processes, id]), die ([what, write]: see there), and what `small_sweep` takes. The last line of the
output is JSON too: the peak memory in bytes, the numbers of the tiles in the order in which they
were saved, and, for each tile, the size of the mesh and the number of parts of its results.
The run is a small chaotic iteration, so that any difference shows.
"""

import functools
import io
import json
import os
import signal
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import tutorlib as tl
from tools.benchmark import peak_memory
from tutorlib import sweeps
from tutorlib.stores import Store

STEPS = 200


@functools.cache
def logistic(steps):
    """Iterate x -> a x (1 - x) + noise; it leaves the finite range for large a."""

    def run(point, key, start):
        noise = 1e-3 * jax.random.normal(key, (), start.dtype)

        def step(carry, _):
            x, total = carry
            x = point["a"] * x * (1 - x) + noise
            return x, total + jnp.where(abs(x) < 1e100, x / (1 + x * x), 0)

        (x, total), t = tl.iterate(
            step, (start + point["b"], 0 * start), steps, lost=lambda c: ~(abs(c[0]) < 1e100)
        )
        return {"total": total, "steps": t}

    return run


def small_sweep(size=40, store=None, steps=STEPS, **changes):
    """The sweep of the tests: a map of size x size runs in tiles of 64."""
    axes = {"b": np.linspace(0, 0.5, size), "a": np.linspace(3, 6, size)}
    settings = {"shared": (np.float64(0.3),), "dtype": "float64", "chunk": 8, "tile": 64}
    return tl.sweep(logistic(steps), axes, store=store, **settings | changes)


def watch(slow):
    """Wrap the engine so that it tells what it does; returns what it has told so far."""
    run, save = sweeps._run, Store.save
    seen = {"saved": [], "mesh": [], "parts": []}

    def watched_run(mesh, *arguments):
        results = run(mesh, *arguments)
        seen["mesh"].append(mesh.size)
        for result in results.values():
            seen["parts"].append(len(result) // result.sharding.shard_shape(result.shape)[0])
        return results

    def watched_save(self, number, results):
        time.sleep(slow)
        save(self, number, results)
        seen["saved"].append(number)

    sweeps._run, Store.save = watched_run, watched_save
    return seen


def keep_in_step(store, processes, process):
    """Make connected processes save their tiles together, as on machines of exactly one speed.

    Returns a function to call at the end, so that the others wait no more.
    """
    save, ticks = Store.save, [Path(f"{store}.ticks-{i}") for i in range(processes)]

    def tick(count=1):
        with open(ticks[process], "a") as file:
            file.write("." * count)

    def count(file):
        return file.stat().st_size if file.exists() else 0

    def save_in_step(self, number, results):
        save(self, number, results)
        tick()
        while min(map(count, ticks)) < count(ticks[process]):
            time.sleep(0.005)

    Store.save = save_in_step
    return lambda: tick(10**6)


def die_inside_a_write(what, write):
    """Kill this process at once, with SIGKILL, inside a write of its store.

    what: "half" when half of the bytes are on the disk, "fsync" when all are written but perhaps
        not on the disk, "replace" when the file only lacks its name.
    write: its number; 0 is the settings, the rest are tiles.
    """
    savez, original, writes = np.savez, Store._write, []

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def half(file, **arrays):
        whole = io.BytesIO()
        savez(whole, **arrays)
        file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
        file.flush()
        os.fsync(file.fileno())
        die()

    def deadly_write(self, *arguments):
        if len(writes) == write:
            if what == "half":
                np.savez = half
            else:
                setattr(os, what, die)
        writes.append(what)
        original(self, *arguments)

    Store._write = deadly_write


def main(devices=1, out=None, slow=0, join=None, die=None, **sweep):
    jax.config.update("jax_num_cpu_devices", devices)
    jax.config.update("jax_enable_x64", True)
    seen = watch(slow)
    if die:
        die_inside_a_write(*die)
    if join:
        jax.distributed.initialize(*join)
        end = keep_in_step(sweep["store"], *join[1:])
    results = small_sweep(**sweep)
    peak = peak_memory()
    if out:
        np.savez(out, **results)
    if join:
        end()
    print(json.dumps({"peak": peak} | seen))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
