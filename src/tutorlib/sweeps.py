"""Sweeps: the same small training at every point of a grid of hyperparameters.

A map of 256 x 256 pixels is 65,536 trainings. They differ in a few numbers only, so they run side
by side as one compiled program; what decides the speed is how they are cut up. A *chunk* is what
one device trains together, and is small enough that its weights and activations stay in the
processor's cache. A *tile* is what is finished, and stored, together: a sweep that was killed goes
on with the tiles that are missing. Neither the number of devices nor that of processes changes
what a run computes.
"""

import json
import math
import operator
import os
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from tutorlib.stores import DIGESTS, Store, digest
from tutorlib.training import Progress

DTYPES = ("float32", "float64")


def sweep(
    function, axes, *, shared=(), seed=0, dtype="float32", chunk=256, tile=16384, store=None,
    settings=None, label="sweep",
):  # fmt: skip
    """Evaluate a function at every point of a grid, on all devices of all processes.

    function: (hyperparameters, key, *shared) -> dictionary of arrays, for one run. Hyperparameters
        are a dictionary of scalars of type `dtype`; the key differs from run to run and depends on
        `seed` and the run's position in the grid only. Pass the same object again, with grids and
        arrays of the same shapes, to reuse the compiled program.
    axes: {name: values, shape (length,)}; the first axis varies slowest.
    seed: of the runs' keys, from 0 to 2**32 - 1.
    shared: arrays (or pytrees of arrays) that all runs read, such as the data.
    dtype: "float32" or "float64" of the hyperparameters and of all real results.
    chunk: runs that a device trains together. As a rule of thumb, what they touch in one step
        should fit the cache: about a megabyte for each core.
    tile: runs that are finished and stored together.
    store: folder for finished tiles, made where it is missing. A sweep that starts again, with
        equal settings, computes only the tiles that are not there. Several processes may work on
        one folder: they share the tiles out if `jax.distributed` connects them, and otherwise each
        takes missing tiles in an order of its own.
    settings: {name: JSON value} of what the function and the shared arrays were made from, such as
        {"steps": 500, "activation": "tanh", "seed": 0}. Nothing is computed from them; the store
        keeps them, and so can say which of them differs.

    Returns a dictionary of NumPy arrays, shape (length of each axis ..., shape of the result ...).
    Raises ValueError for a bad grid, bad sizes, settings that are not JSON or have a name that the
    store uses itself, and a store of other settings; TypeError when a result has another type than
    asked for; and OSError when the store cannot be written; finished tiles are kept then.
    """
    _check_dtype(dtype)
    axes, shape, count = _grid(axes, dtype)
    chunk, tile = _integer("chunk", chunk, 1), _integer("tile", tile, 1)
    seed = _integer("seed", seed, 0, 2**32 - 1)
    if store is None and jax.process_count() > 1:
        raise ValueError(
            f"store is None with {jax.process_count()} processes; give a folder that all can reach"
        )
    settings = _settings(settings, axes, seed, dtype, chunk, tile)
    devices = jax.local_devices()
    tile = min(tile, math.ceil(count / chunk) * chunk)
    mesh = Mesh(np.array(devices[: max(1, tile // chunk)]), ("chunks",))
    one = {name: jax.ShapeDtypeStruct((), dtype) for name in axes}
    _check_results(jax.eval_shape(function, one, jax.random.key(0), *shared), dtype)

    def compute(number):
        """The results of one tile, each of shape (runs of the tile, ...)."""
        runs = np.arange(number * tile, min((number + 1) * tile, count))
        rows = math.ceil(tile / chunk / mesh.size) * mesh.size
        filled = np.resize(runs, rows * chunk).reshape(rows, chunk)
        places = np.unravel_index(filled, shape)
        points = {name: axes[name][place] for name, place in zip(axes, places, strict=True)}
        results = _run(mesh, function, points, filled.astype(np.uint32), np.uint32(seed), shared)
        return {k: np.asarray(v).reshape(-1, *v.shape[2:])[: len(runs)] for k, v in results.items()}

    total = math.ceil(count / tile)
    if store is None:
        tiles, missing = {}, list(range(total))
        save, load = tiles.__setitem__, tiles.pop
    else:
        program = jax.jit(function).lower(one, jax.random.key(0), *shared).as_text()
        digests = {
            "grid": digest(*axes.values()), "program": digest(program.encode()),
            "shared": digest(*jax.tree.leaves(shared)),
        }  # fmt: skip
        kept = Store(store, settings | digests)
        save, load = kept.save, kept.load
        missing = [number for number in _order(total) if number not in kept]
    with Progress(len(missing), f"{label}: {count} runs") as progress:
        for done, number in enumerate(missing, start=1):
            # Another process may have finished it in the meantime.
            if store is None or number not in kept:
                save(number, compute(number))
            progress.update(done)
    return _assemble((load(number) for number in range(total)), shape, count)


def iterate(step, carry, steps, *, lost, block=20):
    """Apply `step` a number of times; runs that are lost stop, and a chunk of lost runs ends.

    step: (carry, t) -> carry, with t = 0, 1, ...
    lost: carry -> boolean that, once true, stays true and leaves nothing to compute: a run whose
        weights are no longer finite, say. It is asked after every `block` steps. The runs of a
        chunk compute together, so that a lost one costs as long as one of the others lives: put
        neighbours, which mostly share their fate, into one chunk.

    Returns (carry, t): the carry after t steps, with t = steps unless the run was lost.
    Raises ValueError when steps or block is not an integer of at least 1.
    """
    steps, block = _integer("steps", steps, 1), _integer("block", block, 1)

    def advance(carry, first, count):
        return jax.lax.scan(lambda c, t: (step(c, t), None), carry, first + jnp.arange(count))[0]

    def body(state):
        carry, t = state
        return advance(carry, t, block), t + block

    rest = steps % block
    start = advance(carry, 0, rest) if rest else carry
    return jax.lax.while_loop(lambda s: (s[1] < steps) & ~lost(s[0]), body, (start, rest))


def _grid(axes, dtype):
    """The axes as arrays of type `dtype`, their lengths, and the number of points."""
    if not axes:
        raise ValueError("axes is empty; give at least one, as {name: values}")
    axes = {name: np.asarray(values) for name, values in axes.items()}
    for name, values in axes.items():
        if values.ndim != 1 or not values.size or values.dtype.kind not in "fiu":
            raise ValueError(
                f"axes[{name!r}] has shape {values.shape} and type {values.dtype}; "
                "it must be a list of numbers"
            )
        with np.errstate(over="ignore"):  # what overflows is refused below
            axes[name] = values.astype(dtype)
        if not np.isfinite(axes[name]).all():
            raise ValueError(f"axes[{name!r}] holds values that are not finite numbers in {dtype}")
    shape = tuple(len(values) for values in axes.values())
    if math.prod(shape) >= 2**32:
        raise ValueError(f"axes has {math.prod(shape)} points; at most {2**32 - 1} are allowed")
    return axes, shape, math.prod(shape)


def _integer(name, value, least, most=math.inf):
    """The value as Python's integer: NumPy's overflow. ValueError for all else, bool included."""
    integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not integer or not least <= value <= most:
        allowed = f"of at least {least}" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{name} is {value!r}; it must be an integer {allowed}")
    return int(value)


def _check_dtype(dtype):
    if dtype not in DTYPES:
        raise ValueError(f"dtype is {dtype!r}; allowed are {', '.join(DTYPES)}")
    if dtype == "float64" and not jax.config.jax_enable_x64:
        raise ValueError(
            "dtype is 'float64' while jax computes in float32; first call "
            "jax.config.update('jax_enable_x64', True)"
        )


def _check_results(results, dtype):
    if not isinstance(results, dict) or not results:
        raise TypeError(f"function returned {results!r}; it must return a dictionary of arrays")
    for name, result in results.items():
        if jnp.issubdtype(result.dtype, jnp.floating) and result.dtype != dtype:
            raise TypeError(
                f"result {name!r} has type {result.dtype}, while dtype is {dtype!r}; "
                "look for a constant or an array in `shared` of the other type"
            )


def _settings(named, axes, seed, dtype, chunk, tile):
    """What the numbers in a tile follow from, apart from what only a digest can stand for."""
    ends = {f"axis {name}": f"{len(v)} values from {v[0]} to {v[-1]}" for name, v in axes.items()}
    own = {
        "axes": [str(name) for name in axes], **ends, "seed of the keys": seed, "dtype": dtype,
        "chunk": chunk, "tile": tile, "jax": jax.__version__,
    }  # fmt: skip
    named = {} if named is None else named
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named):
        raise ValueError(f"settings is {named!r}; it must be a dictionary {{name: JSON value}}")
    taken = [*own, *DIGESTS]
    for name, value in named.items():
        if name in taken:
            raise ValueError(
                f"settings has the name {name!r}, which the store uses itself; "
                f"any other name is allowed than {', '.join(taken)}"
            )
        try:
            own[name] = json.loads(json.dumps(value, allow_nan=False, default=operator.index))
        except (TypeError, ValueError):
            raise ValueError(
                f"settings[{name!r}] is {value!r}; it must be a JSON value: None, a boolean, a "
                "finite number, a string, or lists and dictionaries of these"
            ) from None
    return own


def _order(total):
    """The order in which this process takes the tiles of a store.

    First its share, then all others: when a process dies, the rest finish its work. Shuffled, so
    that processes that know nothing of each other seldom start the same tile.
    """
    process, processes = jax.process_index(), jax.process_count()
    numbers = np.random.default_rng([os.getpid(), process]).permutation(total)
    return sorted(numbers.tolist(), key=lambda number: number % processes != process)


@partial(jax.jit, static_argnums=(0, 1))
def _run(mesh, function, points, runs, seed, shared):
    """Results of a tile, shape (chunks, runs of a chunk, ...); devices take equal parts."""

    def one_device(points, runs, shared):
        def one_run(point, run):
            return function(point, jax.random.fold_in(jax.random.key(seed), run), *shared)

        return jax.lax.map(lambda chunk: jax.vmap(one_run)(*chunk), (points, runs))

    spread, same = PartitionSpec("chunks"), PartitionSpec()
    return jax.shard_map(
        one_device, mesh=mesh, in_specs=(spread, spread, same), out_specs=spread, check_vma=False
    )(points, runs, shared)


def _assemble(tiles, shape, count):
    """Whole arrays from the tiles in order; at no time are there two copies of them."""
    whole, first = {}, 0
    for tile in tiles:
        for name, part in tile.items():
            if first == 0:
                whole[name] = np.empty((count, *part.shape[1:]), part.dtype)
            whole[name][first : first + len(part)] = part
        first += len(part)
    return {name: array.reshape(*shape, *array.shape[1:]) for name, array in whole.items()}
