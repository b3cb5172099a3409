"""Render the guided zoom of the fractal-boundary explorable in float64 and store it as JavaScript.

Run `python -m tools.fractal_boundary_levels` from the root; it takes about a minute on two cores.
Networks are trained, measured, zoomed into and coloured by the definitions of the chapter; only
their random numbers are those of the browser. Each level trains SIZE x SIZE networks, one for each
pair of learning rates in a window. The next window is a quarter as wide; of all its possible
places, it goes where most of the boundary is.
"""

import base64
import json
import math
import zlib

import jax
import numpy as np

import tutorlib as tl
from tools.chapters import ROOT
from tools.definitions import definitions

CHAPTER = definitions("fractal-boundary")

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
    n = CHAPTER.WIDTH
    return (
        normals(seed, 1, n, n),
        normals(seed, 2, n),
        normals(seed, 3, points, n),
        normals(seed, 4, points),
    )


# ---- the guided zoom, by the chapter's renderer and rule ----------------------------------------


def render(window, size, *, activation, points, steps, seed):
    """The measure on a size x size grid of pixel centres; row 0 is the smallest rate of layer 1.

    window: (x, y, span), the centre and the width in log10 of the learning rates.
    """
    condition = CHAPTER.Condition(activation, points)
    with tl.float64():
        return CHAPTER.render(
            window, size, condition=condition, steps=steps, drawn=problem(seed, points)
        )


def densest(window, V, factor):
    """The chapter's rule; the centre has no more digits than the window needs."""
    x, y, span = CHAPTER.densest(window, V, factor)
    digits = math.ceil(math.log10(START[2] / span)) + 4
    return round(x, digits), round(y, digits), span


def main():
    window, windows, pictures = START, [], []
    for level in range(COUNT):
        V = render(window, SIZE, **SETTINGS)
        print(f"level {level}: {window}, edges {CHAPTER.edges(V).mean():.3f}", flush=True)
        windows.append(window)
        pictures.append(CHAPTER.tones(V, TONES))
        window = densest(window, V, FACTOR)
    pixels = base64.b64encode(zlib.compress(np.stack(pictures[-STORED:]).tobytes(), 9)).decode()
    content = {"settings": SETTINGS, "size": SIZE, "stored": STORED, "windows": windows}
    content["pixels"] = pixels
    TARGET.write_text(f"{HEADER}const LEVELS = {json.dumps(content)};\n\n", encoding="utf-8")


if __name__ == "__main__":
    main()
