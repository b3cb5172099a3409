"""Maps of trainability: this chapter's renderer against the loop of the paper's public notebook.

That notebook calls a vmapped training step once for each step from Python, keeps all losses, and
puts 50,000 pixels into one batch. Here it is in our own words. Both compute the same pixels in the
same precision; the times leave compilation out. Prints ratios, and the share of what the machine's
own rates of matrix products and of tanh would allow, both measured in the same run.

    make bench
"""

import functools
import os
import time

os.environ["TUTORLIB_PROGRESS"] = "off"

import jax
import jax.numpy as jnp
import numpy as np

import tutorlib as tl
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


def seconds(function, repeats=1):
    """Seconds of a call, after a first one that compiles."""
    function()
    started = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - started) / repeats


def rates(dtype):
    """What this machine computes in a second: (flops of matrix products, evaluations of tanh)."""
    a = jnp.ones((2048, 2048), dtype)
    product = jax.jit(lambda a: a @ a)
    z = jnp.linspace(-3, 3, 1 << 20, dtype=dtype)
    tanh = jax.jit(lambda z: jax.lax.fori_loop(0, 16, lambda _, z: 1.5 * jnp.tanh(z), z))
    flops = 2 * len(a) ** 3 / seconds(lambda: product(a).block_until_ready(), 3)
    return flops, 16 * z.size / seconds(lambda: tanh(z).block_until_ready(), 3)


def main():
    tl.setup()
    jax.config.update("jax_enable_x64", True)
    chapter = definitions("fractal-boundary")
    n = chapter.WIDTH
    print(
        "| points | pixels | steps | type | loop | ours | ratio | signs agree | of the roofline |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    cases = [(272, 64, 500, 50), (1, 256, 500, 500), (1, 128, 500, 500), (1, 128, 1000, 1000)]
    for points, size, steps, loop_steps in cases:
        condition = chapter.Condition(points=points)
        grid = chapter.pixels(chapter.WHOLE, size)
        x, y = (a.ravel() for a in np.meshgrid(grid["x"], grid["y"]))
        for dtype in ("float64", "float32"):
            flops, tanhs = rates(dtype)
            settings = {"condition": condition, "steps": steps, "dtype": dtype}
            ours = seconds(functools.partial(chapter.render, chapter.WHOLE, size, **settings))
            looped = functools.partial(loop_map, chapter, condition, x, y, loop_steps, dtype)
            # Every step of the loop costs the same, so some are enough to time it.
            loop = seconds(looped) * steps / loop_steps
            short = chapter.render(chapter.WHOLE, size, **settings | {"steps": loop_steps}).ravel()
            agree = ((short < 0) == (looped() < 0)).mean()
            # A product forwards and one backwards, each 2 points n^2 flops, and points n tanh; with
            # one point only the tanh count. Runs that stop early are not taken off.
            product = 4 * points * n**2 / flops if points > n else 0
            bound = size**2 * steps * (product + points * n / tanhs)
            print(
                f"| {points} | {size}² | {steps} | {dtype} | {loop:.1f} s | {ours:.2f} s "
                f"| {loop / ours:.1f} | {100 * agree:.2f} % | {100 * bound / ours:.0f} % |",
                flush=True,
            )


if __name__ == "__main__":
    main()
