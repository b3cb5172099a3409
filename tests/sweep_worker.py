"""A sweep in a process of its own, for tests/test_sweeps.py: python sweep_worker.py '{"...": ...}'.

The argument is JSON: devices, store, out, slow (seconds per tile), join ([address, processes, id])
and size of the square map. The run is a small chaotic iteration, so that any difference shows.
"""

import json
import resource
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

import tutorlib as tl
from tutorlib import sweeps

STEPS = 200


def logistic(point, key, start):
    """Iterate x -> a x (1 - x) + noise; it leaves the finite range for large a."""
    noise = 1e-3 * jax.random.normal(key, (), start.dtype)

    def step(carry, _):
        x, total = carry
        x = point["a"] * x * (1 - x) + noise
        return x, total + jnp.where(abs(x) < 1e100, x / (1 + x * x), 0)

    (x, total), t = tl.iterate(
        step, (start + point["b"], 0 * start), STEPS, lost=lambda carry: ~(abs(carry[0]) < 1e100)
    )
    return {"total": total, "steps": t}


def small_sweep(size=40, store=None, **changes):
    """The sweep of the tests: a map of size x size runs in tiles of 64."""
    axes = {"b": np.linspace(0, 0.5, size), "a": np.linspace(3, 6, size)}
    settings = {"shared": (np.float64(0.3),), "dtype": "float64", "chunk": 8, "tile": 64}
    return tl.sweep(logistic, **({"axes": axes} | settings | {"store": store} | changes))


def main(devices=1, store=None, out=None, slow=0, join=None, size=40):
    jax.config.update("jax_num_cpu_devices", devices)
    jax.config.update("jax_enable_x64", True)
    if join:
        jax.distributed.initialize(*join)
    if slow:
        save = sweeps.Store.save
        sweeps.Store.save = lambda *args: (time.sleep(slow), save(*args))
    results = small_sweep(size, store)
    if out:
        np.savez(out, peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, **results)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
