"""Maps of trainability: this chapter's renderer against the loop of the paper's public notebook.

That notebook calls a vmapped training step once for each step from Python, keeps all losses, and
puts 50,000 pixels into one batch. Here it is in our own words. Both compute the same pixels in the
same precision; the times leave compilation out. Reports ratios, and the share of what the machine's
own rates of matrix products and of tanh would allow, measured in the same run.

    make bench
"""

import functools
import os
import time

os.environ["TUTORLIB_PROGRESS"] = "off"

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import tutorlib as tl
from tools.benchmark import publish
from tools.definitions import definitions

BATCH = 50_000


def loop_map(chapter, condition, x, y, steps, dtype="float64", seed=0):
    """The measure at points x, y (log10 of the axes), by a Python loop over steps."""
    W0, w1, data, labels = (jnp.asarray(a, dtype) for a in chapter.problem(seed, condition.points))
    x, y = (jnp.asarray(10.0 ** np.asarray(a), dtype) for a in (x, y))

    def step(key, params, across, up):
        rates = across, up
        if condition.offset:
            params, rates = (params[0] + across, params[1]), (up, up)

        def error(params, data, labels):
            return chapter.loss(params, data, labels, condition.activation)

        value, gradient = jax.value_and_grad(error)(params, data, labels)
        if condition.batch:
            pick = jax.random.randint(key, (condition.batch,), 0, len(data))
            gradient = jax.grad(error)(params, data[pick], labels[pick])
        return tuple(p - r * g for p, r, g in zip(params, rates, gradient, strict=True)), value

    advance = jax.jit(jax.vmap(step, in_axes=(None, 0, 0, 0)), donate_argnums=1)
    measure = jax.jit(chapter.measure)
    found = []
    for first in range(0, len(x), BATCH):
        part = slice(first, first + BATCH)
        count = len(x[part])
        params = tuple(jnp.tile(p, (count,) + (1,) * p.ndim) for p in (W0, w1))
        losses = []
        for key in jax.random.split(jax.random.key(42), steps):
            params, value = advance(key, params, x[part], y[part])
            losses.append(value)
        found.append(np.asarray(measure(jnp.stack(losses))))
    return np.concatenate(found)


def best_seconds(functions, rounds=3):
    """The shortest time of each function, in seconds, after a first call that compiles.

    They run in turn, so that a busy moment of the machine meets all of them.
    """
    times = []
    for _ in range(1 + rounds):
        times.append([])
        for function in functions:
            started = time.perf_counter()
            function()
            times[-1].append(time.perf_counter() - started)
    return np.min(times[1:], axis=0)


def machine(dtype):
    """What all devices compute in a second: (flops of matrix products, evaluations of tanh)."""
    count = len(jax.devices())
    spread = NamedSharding(Mesh(np.array(jax.devices()), ("devices",)), PartitionSpec("devices"))
    a = jax.device_put(jnp.ones((count, 2048, 2048), dtype), spread)
    z = jax.device_put(jnp.tile(jnp.linspace(-3, 3, 1 << 20, dtype=dtype), (count, 1)), spread)
    each = functools.partial(
        jax.shard_map, mesh=spread.mesh, in_specs=spread.spec, out_specs=spread.spec
    )
    product = jax.jit(each(lambda a: a @ a))
    tanh = jax.jit(each(lambda z: jax.lax.fori_loop(0, 16, lambda _, z: 1.5 * jnp.tanh(z), z)))
    flop_seconds, tanh_seconds = best_seconds(
        [lambda: product(a).block_until_ready(), lambda: tanh(z).block_until_ready()]
    )
    return 2 * count * 2048**3 / flop_seconds, 16 * z.size / tanh_seconds


def compare(chapter, points, size, steps, loop_steps, dtype):
    """One row: the times of both, their ratio, agreement of signs, share of the roofline."""
    condition, n = chapter.Condition(points=points), chapter.WIDTH
    grid = chapter.pixels(chapter.WHOLE, size)
    x, y = (a.ravel() for a in np.meshgrid(grid["x"], grid["y"]))
    ours = functools.partial(
        chapter.render, chapter.WHOLE, size, condition=condition, steps=steps, dtype=dtype
    )
    loop = functools.partial(loop_map, chapter, condition, x, y, loop_steps, dtype)
    taken, all_steps, looped = best_seconds([ours, lambda: ours(stop=False), loop], rounds=2)
    # Every step of the loop costs the same, so some are enough to time it.
    looped *= steps / loop_steps
    agree = ((ours(steps=loop_steps).ravel() < 0) == (loop() < 0)).mean()
    # A product forwards and one backwards, each 2 points n^2 flops, and points n tanh; with one
    # point only the tanh count.
    flops, tanhs = machine(dtype)
    product = 4 * points * n**2 / flops if points > n else 0
    bound = size**2 * steps * (product + points * n / tanhs)
    return [
        points, f"{size}²", steps, dtype, f"{looped:.1f} s", f"{taken:.2f} s",
        f"{looped / taken:.1f}", f"{100 * agree:.2f} %", f"{100 * bound / all_steps:.0f} %",
    ]  # fmt: skip


def main():
    tl.setup()
    jax.config.update("jax_enable_x64", True)
    chapter = definitions("fractal-boundary")
    table = [
        ["data points", "pixels", "steps", "type", "published loop", "this chapter", "faster by"]
        + ["equal signs", "of the roofline"]
    ]
    for points, size, steps, loop_steps in [(272, 32, 500, 50), (1, 256, 500, 100)]:
        for dtype in ("float64", "float32"):
            table.append(compare(chapter, points, size, steps, loop_steps, dtype))
    publish(
        __file__,
        "The boundary of training: maps against the published loop",
        [table],
        notes=[
            "The loop calls a compiled step from Python for each step and stores all losses, as "
            "the public notebook does, in our words; it is timed over 50 and 100 of the 500 steps, "
            "which all cost the same. Equal signs: after these 50 and 100 steps. The 1,024 pixels "
            "with 272 points fit into one of its batches of 50,000.",
            "Roofline: the time that the matrix products and the evaluations of tanh would take at "
            "the rates that the machine reached for a large product and a long array, measured "
            "between the runs, over the time that the sweep takes when it gives up no run.",
            "What limits the rest: with 272 points the products are 16 numbers deep, which is too "
            "little to keep the arithmetic units busy, and the derivative reads the activations "
            "once more; with one point a step has 16 tanh and about as much other arithmetic, "
            "which the roofline leaves out.",
        ],
    )


if __name__ == "__main__":
    main()
