"""Maps of trainability: this chapter's renderer against the loop of the paper's public notebook.

That notebook calls a vmapped training step once for each step from Python, keeps all losses, and
puts 50,000 pixels into one batch. Here it is in our own words. Both take all steps of the same
pixels in the same precision; the signs must agree before anything is timed, and the times leave
compilation out. Reports ratios and the share of what the machine's own rates of matrix products
and of tanh would allow, and then takes the sweep apart: without tanh, with fewer launches, with
larger chunks.

    make bench
"""

import functools
import os

os.environ["TUTORLIB_PROGRESS"] = "off"

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import tutorlib as tl
from tools.benchmark import in_turn, publish, spread
from tools.definitions import definitions

ROUNDS = 3
CASES = [(272, 32, 500), (1, 256, 500)]  # data points, pixels a side, steps
LARGER = 8  # times as many pixels in a chunk
BATCH = 50_000


def published_loop(chapter, condition, dtype="float64", seed=0):
    """The loop as a function (x, y, steps) -> measure; it compiles at its first call only."""
    W0, w1, data, labels = (jnp.asarray(a, dtype) for a in chapter.problem(seed, condition.points))

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

    def run(x, y, steps):
        x, y = (jnp.asarray(10.0 ** np.asarray(a), dtype) for a in (x, y))
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

    return run


def loop_map(chapter, condition, x, y, steps, dtype="float64", seed=0):
    """The measure at points x, y (log10 of the axes), by a Python loop over steps."""
    return published_loop(chapter, condition, dtype, seed)(x, y, steps)


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
    seconds, _ = in_turn(
        [lambda: product(a).block_until_ready(), lambda: tanh(z).block_until_ready()], ROUNDS
    )
    flop_seconds, tanh_seconds = seconds.min(axis=0)
    return 2 * count * 2048**3 / flop_seconds, 16 * z.size / tanh_seconds


def compare(chapter, points, size, steps, dtype):
    """One row: the times of both sides, their ratio, agreement of signs, cores kept busy."""
    condition = chapter.Condition(points=points)
    grid = chapter.pixels(chapter.WHOLE, size)
    x, y = (a.ravel() for a in np.meshgrid(grid["x"], grid["y"]))
    ours = functools.partial(
        chapter.render, chapter.WHOLE, size, condition=condition, steps=steps, dtype=dtype
    )
    loop = functools.partial(published_loop(chapter, condition, dtype), x, y, steps)
    agree = ((ours().ravel() < 0) == (loop() < 0)).mean()  # compiles, too
    assert agree >= 0.99, f"only {agree:.2%} of the signs agree: {points} points, {dtype}"
    seconds, busy = in_turn([loop, ours], ROUNDS, warm=False)
    looped, taken = np.median(seconds, axis=0)
    return [
        points, f"{size}²", steps, dtype, f"{looped:.1f} s", f"{taken:.2f} s",
        spread(seconds[:, 0] / seconds[:, 1]), f"{100 * agree:.2f} %",
        " / ".join(f"{cores:.1f}" for cores in np.median(busy, axis=0)),
    ]  # fmt: skip


def take_apart(chapter, points, size, steps, dtype):
    """One row: the sweep that gives up no run, its share of the roofline, and three variations."""
    condition, n = chapter.Condition(points=points), chapter.WIDTH
    grid = {name: 10.0**v for name, v in chapter.pixels(chapter.WHOLE, size).items()}
    shared = tuple(array.astype(dtype) for array in chapter.problem(0, points))

    def swept(condition, chunk, tile):
        function = chapter.pixel(condition, steps, False)
        return functools.partial(
            tl.sweep, function, grid, shared=shared, dtype=dtype, chunk=chunk, tile=tile
        )

    chunk = condition.chunk
    tile = max(4096, chunk)  # as the chapter has it
    identity = chapter.Condition("identity", points=points)
    ways = [(condition, chunk, tile), (identity, chunk, tile)]
    ways += [(condition, chunk, size**2), (condition, LARGER * chunk, size**2)]
    seconds, _ = in_turn([swept(*way) for way in ways], ROUNDS)
    # A product forwards and one backwards, each 2 points n^2 flops, and points n tanh; with one
    # point only the tanh count.
    flops, tanhs = machine(dtype)
    product = 4 * points * n**2 / flops if points > n else 0
    bound = size**2 * steps * (product + points * n / tanhs)
    shares = 100 * seconds[:, 1:] / seconds[:, :1]
    whole = seconds[:, 0]
    return [
        points, dtype, f"{np.median(whole):.2f} s", spread(100 * bound / whole, 0) + " %",
        *(spread(share, 0) + " %" for share in shares.T),
    ]  # fmt: skip


def plural(points):
    return f"{points} data point{'s' if points > 1 else ''}"


def main(cases=CASES):
    tl.setup()
    jax.config.update("jax_enable_x64", True)
    chapter = definitions("fractal-boundary")
    table = [
        ["data points", "pixels", "steps timed", "type", "published loop", "this chapter"]
        + ["faster by", "equal signs", "cores busy"]
    ]
    parts = [
        ["data points", "type", "giving up no run", "of the roofline", "without tanh"]
        + ["in one launch", "in larger chunks"]
    ]
    for case in cases:
        for dtype in ("float64", "float32"):
            table.append(compare(chapter, *case, dtype))
            parts.append(take_apart(chapter, *case, dtype))
    chunks = ", ".join(
        f"{chapter.Condition(points=points).chunk} with {plural(points)}" for points, _, _ in cases
    )
    without = ", ".join(f"{row[4]} in {row[1]} with {plural(row[0])}" for row in parts[1:])
    publish(
        __file__,
        "The boundary of training: maps against the published loop",
        [table, parts],
        notes=[
            "The loop calls a compiled step from Python for each step and stores all losses, as "
            "the public notebook does, in our words; with 272 points all pixels fit into one of "
            f"its batches of {BATCH:,}. Both sides take all the steps, after a first call that "
            f"compiles. Faster by: the median of {ROUNDS} rounds in turn, with the least and the "
            "largest. Equal signs: pixels in the same phase after the last step, compared before "
            "the clock starts. Cores busy: processor time over time, the loop's and the chapter's.",
            "Roofline: the time that the matrix products and the evaluations of tanh would take at "
            "the rates that the machine reached for a large product and a long array, measured "
            "between the runs, over the time that the sweep takes when it gives up no run. With "
            "one data point only the tanh count.",
            "What limits the rest, as far as we measured it: the last three columns are what is "
            "left of the third column's time when one thing changes. Without tanh: with the "
            f"identity as the activation, and so without tanh's derivative: {without}. With one "
            "data point that much is other arithmetic, memory and loops, which its roofline leaves "
            "out. "
            "In one launch: all pixels in one call of the program, in place of at most 4,096 (the "
            "1,024 pixels with 272 points are one launch anyway). In larger chunks: in one launch, "
            f"and a device trains {LARGER} times as many pixels side by side (else {chunks}). A "
            "share near 100 % says that the change makes no difference.",
        ],
        chapter="fractal-boundary",
    )


if __name__ == "__main__":
    main()
