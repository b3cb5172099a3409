"""Render the guided zoom of the fractal-boundary explorable in float64 and store it as JavaScript.

Run `python -m tools.fractal_boundary_levels` from the root; it takes some minutes on two cores.
Each level trains SIZE x SIZE networks, one for each pair of learning rates in a window. The next
window is a quarter as wide; of all its possible places, it goes where most of the boundary is.
"""

import base64
import json
import math
import zlib

import jax
import jax.numpy as jnp
import numpy as np

from tools.chapters import ROOT

TARGET = ROOT / "src/tutorlib/explorables/_fractal-boundary-levels.js"
SETTINGS = {"activation": "tanh", "points": 1, "steps": 500, "seed": 2}
START = (1.5, 1.5, 9.0)  # centre and width in log10 of the learning rates
COUNT = 14
STORED = 8  # the last ones; the browser computes the others
FACTOR = 4
# Seed and size were picked, among about ten pairs, because the zoom is rich: the first levels
# have little to choose from, and with 176 or 192 pixels the same rule ends on a smooth line.
SIZE = 160
TONES = 24  # shades stored for each phase

HEADER = f"""\
// The guided zoom, rendered in float64 by tools/fractal_boundary_levels.py, jax {jax.__version__}.
// windows: centre and width in log10 of the learning rates; each is the part of the one before, a
// quarter as wide, that holds most of the boundary. pixels: the last {STORED} windows, size x size
// signed bytes each: minus for converged, the size is the rank of the measure; zlib, base64.
"""

WIDTH = 16
TAIL = 20  # the last losses decide between converged and diverged
CEILING = 1e6
ACTIVATIONS = {
    "tanh": lambda z: jnp.tanh(math.sqrt(2) * z),
    "relu": lambda z: math.sqrt(2) * jax.nn.relu(z),
    "identity": lambda z: z,
}


# ---- the same random numbers as in the browser: see generator and normal in _kit.js -------------


def generator(seed, stream):
    """Uniform numbers in [0, 1): mulberry32."""
    mask = 0xFFFFFFFF
    state = (seed * 0x9E3779B1 + stream * 0x85EBCA6B) & mask
    while True:
        state = (state + 0x6D2B79F5) & mask
        t = ((state ^ (state >> 15)) * (state | 1)) & mask
        t ^= (t + (t ^ (t >> 7)) * (t | 61)) & mask
        yield ((t ^ (t >> 14)) & mask) / 2**32


def normals(seed, stream, *shape):
    """Standard normal numbers by Box and Muller, in row-major order."""
    u = generator(seed, stream)
    draws = [
        math.sqrt(-2 * math.log(1 - next(u))) * math.cos(2 * math.pi * next(u))
        for _ in range(math.prod(shape))
    ]
    return np.reshape(draws, shape)


def problem(seed, points):
    """Initial weights W0 (n, n) and w1 (n), data x (points, n), and noise labels y (points)."""
    params = normals(seed, 1, WIDTH, WIDTH), normals(seed, 2, WIDTH)
    return params, normals(seed, 3, points, WIDTH), normals(seed, 4, points)


# ---- training ---------------------------------------------------------------------------------


def loss(params, x, y, activation):
    """Mean squared error of a one-hidden-layer network with mean-field output scale."""
    W0, w1 = params
    n = len(w1)
    f = ACTIVATIONS[activation](x @ W0 / math.sqrt(n)) @ w1 / n
    return jnp.mean((f - y) ** 2)


def train_measure(learning_rates, params, x, y, *, activation, steps):
    """Train with one learning rate for each layer and measure how the losses end.

    Returns minus the sum of the losses v (relative to the first) when the mean of the last TAIL is
    below 1, "converged", and plus the sum of 1/v otherwise, "diverged".
    """
    first = loss(params, x, y, activation)

    def step(carry, t):
        params, slow, fast, tail = carry
        value, gradient = jax.value_and_grad(loss)(params, x, y, activation)
        v = jnp.minimum(jnp.where(jnp.isfinite(value), value, CEILING) / first, CEILING)
        params = jax.tree.map(lambda p, rate, g: p - rate * g, params, learning_rates, gradient)
        tail = tail + jnp.where(t >= steps - TAIL, v, 0)
        return (params, slow + v, fast + 1 / v, tail), None

    start = (params, 0.0, 0.0, 0.0)
    (_, slow, fast, tail), _ = jax.lax.scan(step, start, jnp.arange(steps))
    return jnp.where(tail / TAIL < 1, -slow, fast)


def render(window, size, *, activation, points, steps, seed, rows=2):
    """The measure on a size x size grid of pixel centres; row 0 is the smallest rate of layer 1.

    window: (x, y, span), the centre and the width in log10 of the learning rates.
    """
    params, x, y = problem(seed, points)
    along = [centre + window[2] * ((np.arange(size) + 0.5) / size - 0.5) for centre in window[:2]]

    def row(rate1):
        def pixel(rate0):
            rates = (rate0, rate1)
            return train_measure(rates, params, x, y, activation=activation, steps=steps)

        return jax.vmap(pixel)(10.0 ** along[0])

    with jax.enable_x64(True):
        return np.asarray(jax.jit(lambda r: jax.lax.map(row, r, batch_size=rows))(10.0 ** along[1]))


# ---- the guided zoom ----------------------------------------------------------------------------


def edges(V):
    """Where the boundary is: 2 x 2 cells in which both signs occur."""
    corners = np.stack([V[:-1, :-1], V[:-1, 1:], V[1:, :-1], V[1:, 1:]]) < 0
    return corners.any(0) & ~corners.all(0)


def densest(window, V, factor):
    """The window, `factor` times narrower, inside `window` with the largest share of edges."""
    size = len(V)
    side = size // factor
    total = np.pad(np.cumsum(np.cumsum(edges(V), 0), 1), ((1, 0), (1, 0)))
    count = (
        total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    )
    row, column = np.unravel_index(count.argmax(), count.shape)
    x, y, span = window
    digits = math.ceil(math.log10(START[2] * FACTOR / span)) + 4
    x, y = (
        round(float(centre + span * ((first + side / 2) / size - 0.5)), digits)
        for centre, first in ((x, column), (y, row))
    )
    return x, y, span / FACTOR


def tones(V):
    """The speed of each pixel as a rank among its phase: 1 to TONES, negative for converged."""
    result = np.zeros(V.shape, np.int8)
    for phase, sign in ((V < 0, -1), (V >= 0, 1)):
        size = np.abs(V[phase])
        rank = np.searchsorted(np.sort(size), size) / max(1, len(size))
        result[phase] = sign * (1 + np.floor(TONES * rank))
    return result


def main():
    window, windows, pictures = START, [], []
    for level in range(COUNT):
        V = render(window, SIZE, **SETTINGS)
        print(f"level {level}: {window}, edges {edges(V).mean():.3f}", flush=True)
        windows.append(window)
        pictures.append(tones(V))
        window = densest(window, V, FACTOR)
    pixels = base64.b64encode(zlib.compress(np.stack(pictures[-STORED:]).tobytes(), 9)).decode()
    content = {"settings": SETTINGS, "size": SIZE, "stored": STORED, "windows": windows}
    content["pixels"] = pixels
    TARGET.write_text(f"{HEADER}const LEVELS = {json.dumps(content)};\n\n", encoding="utf-8")


if __name__ == "__main__":
    main()
