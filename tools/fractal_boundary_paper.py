"""The paper's six conditions at its width and number of steps, in float64, for the chapter.

Four of them train on 272 points, which takes minutes a picture on a laptop, so this runs once, with
the chapter's own definitions, and its result file is committed:

    python -m tools.fractal_boundary_paper

It also trains a coarser grid of each condition with the published loop, in our words, and compares
signs. Runs that bounce about for 500 steps multiply their rounding, so the loop is compared with
itself as well, after the hidden units have changed places: no other program can agree better.

A stopped run continues where it was: what is finished is kept in `_build/fractal-boundary/`.
"""

import base64
import json
import time
import zlib
from types import SimpleNamespace

import jax
import numpy as np

import tutorlib as tl
from benchmarks.fractal_boundary_vs_loop import loop_map
from tools.chapters import ROOT
from tools.definitions import definitions, fingerprint
from tutorlib.runtime import device, versions

TARGET = ROOT / "src" / "tutorlib" / "results" / "fractal-boundary-paper.json"
TILES = ROOT / "_build" / "fractal-boundary"
RESOLUTION, STEPS, SEED = 96, 500, 0
COMPARED = 32  # pixels a side of the comparison; the loop is slow


def packed(array):
    """An array of int8 as text."""
    return base64.b64encode(zlib.compress(array.astype(np.int8).tobytes(), 9)).decode()


def relabelled(chapter):
    """The chapter with its hidden units in another order, which changes the rounding alone."""

    def problem(seed, points):
        W0, w1, x, y = chapter.problem(seed, points)
        order = np.random.default_rng(0).permutation(chapter.WIDTH)
        return W0[:, order], w1[order], x, y

    return SimpleNamespace(**vars(chapter) | {"problem": problem})


def same_signs(chapter, condition, folder):
    """Pixels in % whose sign is that of the published loop: ours, and the relabelled loop's."""
    grid = chapter.pixels(chapter.WHOLE, COMPARED)
    x, y = (a.ravel() for a in np.meshgrid(grid["x"], grid["y"]))

    def looped(name, chapter):
        path = folder / f"{name}-{COMPARED}.npy"
        if not path.exists():
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                np.save(file, loop_map(chapter, condition, x, y, STEPS, seed=SEED))
            part.replace(path)
        return np.load(path) < 0

    published = looped("loop", chapter)
    ours = chapter.trained_at(x, y, condition=condition, steps=STEPS, seed=SEED) < 0
    again = looped("relabelled", relabelled(chapter))
    return [round(100 * float((other == published).mean()), 3) for other in (ours, again)]


def main():
    tl.setup()
    jax.config.update("jax_enable_x64", True)
    chapter = definitions("fractal-boundary")
    results, seconds = {}, 0.0
    for name, condition in chapter.CONDITIONS.items():
        store = TILES / name.replace(",", "").replace(" ", "-")
        started = time.monotonic()
        V = chapter.render(
            chapter.WHOLE, RESOLUTION, condition=condition, steps=STEPS, seed=SEED, store=store
        )
        results[name] = {
            "converged": round(float((V < 0).mean()), 5),
            "edges": round(float(chapter.edges(V).mean()), 5),
            "tones": packed(chapter.tones(V)),
        }
        # A later run only reads the tiles; what counts is how long they took.
        took = store / "seconds"
        if not took.exists():
            took.write_text(f"{time.monotonic() - started:.0f}")
        seconds += float(took.read_text())
        print(f"{name}: {took.read_text()} s", flush=True)
        ours, again = same_signs(chapter, condition, store)
        results[name] |= {"signs of the loop": ours, "signs of the relabelled loop": again}
        print(f"{name}: {ours} % and {again} % of the loop's signs", flush=True)
    provenance = {
        "script": "tools/fractal_boundary_paper.py",
        "definitions": fingerprint("fractal-boundary"),
        "device": device(),
        "versions": versions(),
        "seconds": round(seconds),
        "setting": f"{RESOLUTION} pixels a side, {STEPS} steps, seed {SEED}",
    }
    content = {
        "resolution": RESOLUTION,
        "steps": STEPS,
        "compared": COMPARED,
        "conditions": results,
    }
    text = json.dumps({"provenance": provenance, "results": content})
    TARGET.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
