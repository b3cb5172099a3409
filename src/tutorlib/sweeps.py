"""Sweeps: the same small training at every point of a grid of hyperparameters.

A map of 256 x 256 pixels is 65,536 trainings. They differ in a few numbers only, so they run side
by side as one compiled program; what decides the speed is how they are cut up. A *chunk* is what
one device trains together, and is small enough that its weights and activations stay in the
processor's cache. A *tile* is what is finished, and stored, together: a sweep that was killed goes
on with the tiles that are missing. Neither the number of devices nor that of processes changes
what a run computes.
"""

import hashlib
import json
import math
import os
import zipfile
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from tutorlib.training import Progress

DTYPES = ("float32", "float64")


def sweep(
    function, axes, *, shared=(), seed=0, dtype="float32", chunk=256, tile=16384, store=None,
    label="sweep",
):  # fmt: skip
    """Evaluate a function at every point of a grid, on all devices of all processes.

    function: (hyperparameters, key, *shared) -> dictionary of arrays, for one run. Hyperparameters
        are a dictionary of scalars of type `dtype`; the key differs from run to run and depends on
        `seed` and the run's position in the grid only. Pass the same object again, with grids and
        arrays of the same shapes, to reuse the compiled program.
    axes: {name: values, shape (length,)}; the first axis varies slowest.
    shared: arrays (or pytrees of arrays) that all runs read, such as the data.
    dtype: "float32" or "float64" of the hyperparameters and of all real results.
    chunk: runs that a device trains together. As a rule of thumb, what they touch in one step
        should fit the cache: about a megabyte for each core.
    tile: runs that are finished and stored together.
    store: folder for finished tiles, made where it is missing. A sweep that starts again, with
        equal settings, computes only the tiles that are not there. Several processes may work on
        one folder: they share the tiles out if `jax.distributed` connects them, and otherwise each
        takes missing tiles in an order of its own.

    Returns a dictionary of NumPy arrays, shape (length of each axis ..., shape of the result ...).
    Raises ValueError for a bad grid, bad sizes and a store of other settings, TypeError when a
    result has another type than asked for, and OSError when the store cannot be written; finished
    tiles are kept then.
    """
    _check_dtype(dtype)
    axes, shape, count = _grid(axes, dtype)
    _positive_integers(chunk=chunk, tile=tile)
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed!r}; it must be an integer from 0 to {2**32 - 1}")
    if store is None and jax.process_count() > 1:
        raise ValueError(
            f"store is None with {jax.process_count()} processes; give a folder that all can reach"
        )
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
        results = _run(mesh, function, points, filled.astype(np.uint32), seed, shared)
        return {k: np.asarray(v).reshape(-1, *v.shape[2:])[: len(runs)] for k, v in results.items()}

    total = math.ceil(count / tile)
    if store is None:
        tiles, missing = {}, list(range(total))
        save, load = tiles.__setitem__, tiles.__getitem__
    else:
        program = jax.jit(function).lower(one, jax.random.key(0), *shared).as_text()
        kept = Store(store, _settings(axes, program, shared, seed, dtype, chunk, tile))
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
    """Apply `step` a number of times; runs that are lost stop and cost no more.

    step: (carry, t) -> carry, with t = 0, 1, ...
    lost: carry -> boolean that, once true, stays true and leaves nothing to compute: a run whose
        weights are no longer finite, say. It is asked after every `block` steps; a chunk ends when
        all its runs are lost.

    Returns (carry, t): the carry after t steps, with t = steps unless the run was lost.
    """
    _positive_integers(steps=steps, block=block)

    def advance(carry, first, count):
        return jax.lax.scan(lambda c, t: (step(c, t), None), carry, first + jnp.arange(count))[0]

    def body(state):
        carry, t = state
        return advance(carry, t, block), t + block

    rest = steps % block
    start = advance(carry, 0, rest) if rest else carry
    return jax.lax.while_loop(lambda s: (s[1] < steps) & ~lost(s[0]), body, (start, rest))


class Store:
    """Finished tiles of a sweep: a folder with `settings.json` and one `.npz` file for each tile.

    A file gets its name only when it is complete and on the disk, so that whoever reads the folder,
    at any moment, sees whole tiles.

    folder: made where it is missing. settings: what the tiles follow from, as plain JSON.
    Raises ValueError when the folder holds tiles of other settings, naming the difference, and
    OSError when it cannot be made or written.
    """

    def __init__(self, folder, settings):
        self.folder = Path(folder)
        path = self.folder / "settings.json"
        settings = json.loads(json.dumps(settings))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                self._write(path, lambda file: file.write(json.dumps(settings, indent=1).encode()))
        except OSError as error:
            raise type(error)(
                error.errno, f"store is {str(folder)!r}, which cannot be written: {error.strerror}"
            ) from None
        try:
            found = dict(json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError):
            raise ValueError(
                f"store is {str(folder)!r}, whose settings.json is damaged: it is not known what "
                "its tiles are. Use another folder, or delete this one"
            ) from None
        different = [
            f"{name} was {found.get(name)!r} and is now {settings.get(name)!r}"
            for name in sorted(set(found) | set(settings))
            if found.get(name) != settings.get(name)
        ]
        if different:
            raise ValueError(
                f"store is {str(folder)!r}, which holds tiles of other settings: "
                f"{'; '.join(different)}. Use another folder, or delete this one"
            )

    def path(self, number):
        """The file of a tile."""
        return self.folder / f"tile-{number:06d}.npz"

    def __contains__(self, number):
        return self.path(number).exists()

    def save(self, number, results):
        """Write a tile in one step: on the disk first, its name last."""
        names = {f"result {name}": result for name, result in results.items()}  # "file" is taken
        try:
            self._write(self.path(number), lambda file: np.savez(file, **names))
        except OSError as error:
            finished = len(list(self.folder.glob("tile-*.npz")))
            raise type(error)(
                error.errno,
                f"store is {str(self.folder)!r}, which cannot take tile {number}: "
                f"{error.strerror}. Its {finished} finished tiles are whole; the same sweep, "
                "started again, goes on with them",
            ) from None

    def load(self, number):
        """The results of a tile; ValueError when its file is damaged."""
        try:
            with np.load(self.path(number)) as content:
                return {name.removeprefix("result "): content[name] for name in content}
        except (EOFError, ValueError, zipfile.BadZipFile):
            raise ValueError(
                f"{self.path(number)} is damaged; delete it, and the same sweep computes it again"
            ) from None

    def _write(self, path, write):
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with open(part, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


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


def _positive_integers(**values):
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name} is {value!r}; it must be an integer of at least 1")


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


def _settings(axes, program, shared, seed, dtype, chunk, tile):
    """What the numbers in a tile follow from.

    The program's text stands for the function: it changes with any change of its code or constants.
    """
    shared = b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(shared))
    ends = {name: [float(v[0]), float(v[-1]), len(v)] for name, v in axes.items()}
    grid = b"".join(values.tobytes() for values in axes.values())
    return {
        "axes": ends, "grid": _hash(grid), "program": _hash(program.encode()),
        "shared": _hash(shared), "seed": int(seed), "dtype": dtype, "chunk": int(chunk),
        "tile": int(tile),
        "jax": jax.__version__,
    }  # fmt: skip


def _hash(content):
    return hashlib.sha256(content).hexdigest()[:16]


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
