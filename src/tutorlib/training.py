"""Training many small models at once, as one compiled program.

Every chapter trains several seeds (and often several data sets) of one model. Written as a Python
loop over steps that is slow and hides the spread between seeds; here the loop over steps is a
`lax.scan`, the loop over runs a `vmap` shared out over all devices, and the host only wakes up to
store metrics and to show how long it will still take.
"""

import os
import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

RUNS, ALL = PartitionSpec("runs"), PartitionSpec()


def train(
    loss, params, data, *, optimizer, keys, epochs, batch_size, metrics, test, record_every=1
):  # fmt: skip
    """Train one model per run with shuffled mini-batches; all runs advance together.

    The runs are divided evenly over all JAX devices: `tutorlib.setup` makes one of every CPU core.

    loss: (params, batch) -> scalar, for one run.
    params: pytree of arrays with a leading axis of runs.
    data: pytree of arrays, shape (runs, examples, ...).
    optimizer: an optax gradient transformation.
    keys: typed random keys, shape (runs,), for the shuffling.
    epochs: passes over the data. The last, incomplete batch of each epoch is dropped.
    metrics: (params, test) -> dictionary of arrays, for one run; evaluated before training and
        after every `record_every` epochs.
    test: pytree of arrays with a leading axis of runs, handed to `metrics`.

    Returns (params, history). `history` holds what `metrics` returns as NumPy arrays with leading
    axes (records, runs), and `epoch`, shape (records,).

    Pass the same `loss`, `optimizer` and `metrics` objects again to reuse the compiled program.
    Raises ValueError for bad sizes, and FloatingPointError when a run's loss is no longer finite.
    """
    runs, examples = _sizes(params, data, test, keys)
    for name, value in {"epochs": epochs, "record_every": record_every}.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is {value!r}; it must be an integer of at least 1")
    if not isinstance(batch_size, int) or not 1 <= batch_size <= examples:
        raise ValueError(f"batch_size is {batch_size!r}; allowed are the integers 1 to {examples}")
    if epochs % record_every:
        raise ValueError(
            f"epochs is {epochs}; it must be a multiple of record_every={record_every}"
        )

    devices = jax.devices()[:runs]
    mesh = Mesh(np.array(devices), ("runs",))
    spread = NamedSharding(mesh, RUNS)

    def fill(count):
        """Positions 0 .. count - 1, the last one repeated until every device has as many."""
        return np.minimum(np.arange(-(-count // mesh.size) * mesh.size), count - 1)

    # Runs with equal keys see the same order of examples. It is drawn once: sorting is slow.
    _, first, which = np.unique(
        jax.random.key_data(keys), axis=0, return_index=True, return_inverse=True
    )
    keys = jax.device_put(keys[first[fill(len(first))]], spread)
    which = which.reshape(-1)[fill(runs)]
    params, data, test = jax.tree.map(
        lambda leaf: jax.device_put(leaf[fill(runs)], spread), (params, data, test)
    )
    # Placed like what `_advance` returns; otherwise its second call would compile again.
    state = jax.jit(jax.vmap(optimizer.init), out_shardings=spread)(params)
    history = [_measure(mesh, metrics, params, test)]
    records = epochs // record_every
    with Progress(records, f"training {runs} runs") as progress:
        for i in range(records):
            first_epoch = jnp.asarray(i * record_every)
            order = _shuffle(mesh, (examples, batch_size, record_every), keys, first_epoch)
            order = jax.device_put(np.asarray(order)[which], spread)
            params, state, mean_loss = _advance(mesh, (loss, optimizer), params, state, data, order)
            bad = np.flatnonzero(~np.isfinite(np.asarray(mean_loss)[:runs])).tolist()
            if bad:
                raise FloatingPointError(
                    f"the loss of runs {bad} is no longer finite after epoch "
                    f"{(i + 1) * record_every}; "
                    "look for NaN in the data, or lower the learning rate"
                )
            history.append(_measure(mesh, metrics, params, test))
            progress.update(i + 1)
    history = jax.tree.map(lambda *leaves: np.stack(leaves)[:, :runs], *history)
    history["epoch"] = np.arange(records + 1) * record_every
    # Back on one device, so that the chapter can combine them with anything.
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[:runs], params)
    return jax.device_put(params, jax.devices()[0]), history


def _sizes(params, data, test, keys):
    leaves = jax.tree.leaves(data)
    if not leaves or any(leaf.ndim < 2 for leaf in leaves):
        raise ValueError("data must hold arrays of shape (runs, examples, ...)")
    shapes = {leaf.shape[:2] for leaf in leaves}
    if len(shapes) != 1:
        raise ValueError(f"data has leading shapes {sorted(shapes)}; all must be the same")
    runs, examples = shapes.pop()
    if keys.shape != (runs,):
        raise ValueError(f"keys has shape {keys.shape}; it must be ({runs},), one key a run")
    for name, tree in {"params": params, "test": test}.items():
        wrong = [leaf.shape for leaf in jax.tree.leaves(tree) if leaf.shape[:1] != (runs,)]
        if wrong:
            raise ValueError(
                f"{name} has arrays of shape {wrong}; each needs a leading axis of {runs}"
            )
    return runs, examples


@partial(jax.jit, static_argnums=(0, 1))
def _shuffle(mesh, sizes, keys, first_epoch):
    """Which examples make each batch, shape (runs, epochs, batches, batch size).

    sizes: the static part, (examples, batch size, epochs). A program of its own, because the
    random numbers take longest to compile and do not depend on the model.
    """
    examples, batch_size, epochs = sizes
    batches = examples // batch_size

    def one_epoch(key, epoch):
        order = jax.random.permutation(jax.random.fold_in(key, epoch), examples)
        return order[: batches * batch_size].reshape(batches, batch_size)

    def one_run(key, first_epoch):
        return jax.lax.map(partial(one_epoch, key), first_epoch + jnp.arange(epochs))

    runs = jax.vmap(one_run, in_axes=(0, None))
    return jax.shard_map(runs, mesh=mesh, in_specs=(RUNS, ALL), out_specs=RUNS)(keys, first_epoch)


@partial(jax.jit, static_argnums=(0, 1))
def _advance(mesh, recipe, params, state, data, order):
    """Run some epochs of every run; returns (params, state, mean loss).

    recipe: the static part, (loss, optimizer). order: from `_shuffle`.
    """
    loss, optimizer = recipe

    def step(carry, batch):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params, batch)
        updates, state = optimizer.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), value

    def one_run(params, state, data, order):
        def epoch(carry, order):
            carry, losses = jax.lax.scan(step, carry, jax.tree.map(lambda x: x[order], data))
            return carry, losses.mean()

        (params, state), losses = jax.lax.scan(epoch, (params, state), order)
        return params, state, losses.mean()  # not finite if one of them was not

    runs = jax.shard_map(jax.vmap(one_run), mesh=mesh, in_specs=RUNS, out_specs=RUNS)
    return runs(params, state, data, order)


@partial(jax.jit, static_argnums=(0, 1))
def _measure(mesh, metrics, params, test):
    return jax.shard_map(jax.vmap(metrics), mesh=mesh, in_specs=RUNS, out_specs=RUNS)(params, test)


class Progress:
    """A line that says how far a loop is and how long it will still take, in a `with` block.

    It appears only where someone watches: in a live notebook or a terminal. The variable
    TUTORLIB_PROGRESS=off silences it. When the block ends, in whatever way, the line is removed,
    so a saved notebook holds no trace of it. (In a notebook that clears the cell's earlier output
    too: train first, print afterwards.)
    """

    def __init__(self, total, label):
        self.total, self.label, self.started = total, label, time.monotonic()
        self.mode = _audience()
        self.shown = 0.0
        self.handle = None

    def update(self, done):
        """Say that `done` of the loop's parts are finished."""
        now = time.monotonic()
        # Faster than the eye follows is only work for the front end.
        if self.mode == "off" or now - self.shown < 0.2:
            return
        self.shown = now
        elapsed = now - self.started
        left = elapsed / done * (self.total - done)
        text = f"{self.label}: {done}/{self.total}, {elapsed:.0f} s so far, about {left:.0f} s left"
        if self.mode == "terminal":
            print(f"\r{text}  ", end="", file=sys.stderr, flush=True)
            return
        from IPython.display import display

        if self.handle is None:
            self.handle = display({"text/plain": text}, raw=True, display_id=True)
        else:
            self.handle.update({"text/plain": text}, raw=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.mode == "terminal" and self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        elif self.handle is not None:
            from IPython.display import clear_output

            clear_output()


def _audience():
    """Who is watching: "notebook", "terminal" or "off"."""
    if os.environ.get("TUTORLIB_PROGRESS") == "off":
        return "off"
    if "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
        if shell is not None and hasattr(shell, "kernel"):
            return "notebook"
    return "terminal" if sys.stderr.isatty() else "off"
