"""The same computation for many runs, shared out over all devices as one compiled program.

`tutorlib.train` is a training loop. Some chapters write their own loop, because it is the idea, or
part of it; `map_runs` runs such a loop for every seed and setting without further thought.
"""

from functools import lru_cache
from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from tutorlib.stores import Store, digest
from tutorlib.training import Progress


def map_runs(function, runs, *shared, label="runs", store=None):
    """Call `function(*run, *shared)` for every run and return the results as a list.

    function: a pure function of pytrees of arrays; traced once. Pass the same object again to
        reuse the compiled program.
    runs: list of tuples of pytrees. Corresponding arrays have the same shape in all runs.
    shared: pytrees of arrays that are the same for all runs.
    label: what the progress line counts.
    store: folder for finished runs, made where it is missing, with one folder inside for each
        different call. The same call, made again after the program was stopped, reads what was
        finished and computes the rest; one with any other number or code starts anew.

    On a CPU each device takes one run at a time: a small network then stays in the cache, and
    several at once are no faster. An accelerator takes all runs at once.
    Results are pytrees of NumPy arrays. Raises ValueError without runs, for unequal shapes, for
    numbers that do not fit the type in which JAX computes, and for a damaged file in the store;
    OSError when the store cannot be written.
    """
    runs = [jax.tree.map(_fitting, tuple(run)) for run in runs]
    if not runs:
        raise ValueError("runs is empty; give at least one run")
    shapes = {str(jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype.name), run)) for run in runs}
    if len(shapes) > 1:
        raise ValueError(f"runs differ in structure or shape; found {sorted(shapes)[:2]}")
    kept = {} if store is None else _Kept(store, function, runs, shared)
    devices = len(jax.devices())
    at_once = devices if jax.default_backend() == "cpu" else -(-len(runs) // devices) * devices
    program = _program(function, len(runs[0]), len(shared))
    missing = [number for number in range(len(runs)) if number not in kept]
    with Progress(len(missing), label) as progress:
        for first in range(0, len(missing), at_once):
            chunk = missing[first : first + at_once]
            filled = chunk + chunk[-1:] * (at_once - len(chunk))  # every device needs a run
            together = jax.tree.map(lambda *leaves: np.stack(leaves), *(runs[n] for n in filled))
            found = jax.tree.map(np.asarray, program(*together, *shared))
            for i, number in enumerate(chunk):
                kept[number] = jax.tree.map(lambda leaf, i=i: leaf[i], found)
            progress.update(first + len(chunk))
    return [kept[number] for number in range(len(runs))]


class _Kept:
    """Results of runs by their number, in a store that belongs to this call alone."""

    def __init__(self, folder, function, runs, shared):
        program = jax.jit(function).lower(*runs[0], *shared).as_text()
        settings = {
            "program": digest(program.encode()),
            "shared": digest(*jax.tree.leaves(shared)),
            "runs": digest(*jax.tree.leaves(runs)),
            "jax": jax.__version__,
        }
        self.store = Store(Path(folder) / digest(str(settings).encode()), settings)
        self.structure = jax.tree.structure(jax.eval_shape(function, *runs[0], *shared))

    def __contains__(self, number):
        return number in self.store

    def __setitem__(self, number, result):
        leaves = jax.tree.leaves(result)
        self.store.save(number, {f"{i}": leaf for i, leaf in enumerate(leaves)})

    def __getitem__(self, number):
        content = self.store.load(number)
        leaves = [content[f"{i}"] for i in range(len(content))]
        return jax.tree.unflatten(self.structure, leaves)


def _fitting(leaf):
    """The leaf as an array of the type that JAX will make of it."""
    array = np.asarray(leaf)
    with np.errstate(over="ignore"):  # what overflows is refused below
        cast = array.astype(jax.dtypes.canonicalize_dtype(array.dtype))
    lost = np.isfinite(array) & ~np.isfinite(cast) if array.dtype.kind == "f" else array != cast
    if np.any(lost):
        raise ValueError(f"runs holds {array[lost].flat[0]}, which does not fit {cast.dtype}")
    return cast


@lru_cache(maxsize=32)
def _program(function, parts, shared):
    """The compiled function over a leading axis of runs, which is divided over the devices."""
    mesh = Mesh(np.array(jax.devices()), ("runs",))
    over_runs = jax.vmap(function, in_axes=(0,) * parts + (None,) * shared)
    specs = (PartitionSpec("runs"),) * parts + (PartitionSpec(),) * shared
    spread = jax.shard_map(
        over_runs, mesh=mesh, in_specs=specs, out_specs=PartitionSpec("runs"), check_vma=False
    )
    return jax.jit(spread)
