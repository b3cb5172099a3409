"""The paper's six conditions at its width and number of steps, in float64, for the chapter.

Four of them train on 272 points, which takes minutes a picture on a laptop, so this runs once, with
the chapter's own definitions, and its result file is committed:

    python -m tools.fractal_boundary_paper

For each condition: the whole map of the paper's seed, its signs compared with those of the
published loop, in our words, the share that converges for five seeds, and a zoom into the densest
part. Runs that bounce about multiply their rounding. How much of a picture rounding decides is
measured by training it again after the hidden units have changed places; a zoom ends where that
turns more than a twentieth of the pixels.

A stopped run continues where it was: what is finished is kept in `_build/fractal-boundary/`.
"""

import base64
import json
import time
import zlib

import jax
import numpy as np

import tutorlib as tl
from benchmarks.fractal_boundary_vs_loop import loop_map
from tools.chapters import ROOT
from tools.definitions import definitions, fingerprint, provenance

TARGET = ROOT / "src" / "tutorlib" / "results" / "fractal-boundary-paper.json"
PARTS = ROOT / "_build" / "fractal-boundary"
RESOLUTION, STEPS, SEED = 96, 500, 0
SEEDS, SEEDS_RESOLUTION = 5, 32
LEVELS, FACTOR, ZOOM_RESOLUTION = 13, 8, 64
SLOW_LEVELS = 5  # of the two conditions that train slowest
ROUNDING = 0.05  # share of pixels that rounding may decide in the last window of a zoom


def packed(array):
    """An array of int8 as text."""
    return base64.b64encode(zlib.compress(array.astype(np.int8).tobytes(), 9)).decode()


def percent(share):
    return round(100 * float(share), 3)


class Part:
    """The finished parts of one condition: a folder, and the seconds that they took."""

    def __init__(self, chapter, name):
        self.chapter, self.condition = chapter, chapter.CONDITIONS[name]
        self.folder = PARTS / name.replace(",", "").replace(" ", "-")
        self.settings = {"condition": self.condition, "steps": STEPS}

    def timed(self, name, compute):
        """What `compute` returns; the first run's time is kept, later ones only read stores."""
        started = time.monotonic()
        found = compute()
        took = self.folder / f"{name}.seconds"
        if not took.exists():
            took.write_text(f"{time.monotonic() - started:.1f}")
        return found

    def seconds(self):
        return sum(float(took.read_text()) for took in self.folder.glob("*.seconds"))

    def train(self, name, grid, **settings):
        """The chapter's map on a grid {"y": log10, "x": log10}, from its store if it is there."""
        rates = {axis: 10.0**values for axis, values in grid.items()}
        return self.timed(
            name,
            lambda: self.chapter.train_grid(
                rates, store=self.folder / name, **self.settings, **settings
            ),
        )

    def relabelled(self):
        """Weights and data of the seed with the hidden units in another order."""
        W0, w1, x, y = self.chapter.problem(SEED, self.condition.points)
        order = np.random.default_rng(0).permutation(len(w1))
        return W0[:, order], w1[order], x, y

    def loop(self, grid):
        """The published loop's map, which is kept as one file."""
        path = self.folder / "loop.npy"
        if not path.exists():
            x, y = (a.ravel() for a in np.meshgrid(grid["x"], grid["y"]))
            V = loop_map(self.chapter, self.condition, x, y, STEPS, seed=SEED)
            unfinished = path.with_suffix(".part")
            with unfinished.open("wb") as file:
                np.save(file, V.reshape(len(grid["y"]), len(grid["x"])))
            unfinished.replace(path)
        return np.load(path)


def whole_map(part):
    """The map of the paper's seed, how far it is the published loop's, and other networks.

    Signs are compared for every pixel, in %: with the loop, and with our own run of relabelled
    units.
    """
    chapter = part.chapter
    grid = chapter.pixels(chapter.WHOLE, RESOLUTION)
    V = part.train("map", grid, seed=SEED)
    last = part.train("map", grid, seed=SEED, result="last")
    relabelled = part.train("relabelled", grid, drawn=part.relabelled())
    loop = part.timed("loop", lambda: part.loop(grid))
    few = chapter.pixels(chapter.WHOLE, SEEDS_RESOLUTION)
    shares = [
        percent((part.train(f"seed-{seed}", few, seed=seed) < 0).mean()) for seed in range(SEEDS)
    ]
    return {
        "edges": round(float(chapter.edges(V).mean()), 5),
        "tones": packed(chapter.tones(V)),
        "last": packed(np.round(10 * np.log10(np.clip(last, 1e-6, 1e6)))),  # tenths of a decade
        "signs of the loop": percent(((V < 0) == (loop < 0)).mean()),
        "signs of relabelled units": percent(((V < 0) == (relabelled < 0)).mean()),
        "converged by seed": shares,
    }


def densest_zoom(part):
    """A zoom into the densest part, as deep as rounding lets it."""
    chapter, window, levels = part.chapter, part.chapter.WHOLE, []
    slow = part.condition.batch or part.condition.offset
    for level in range(SLOW_LEVELS if slow else LEVELS):
        grid = chapter.pixels(window, ZOOM_RESOLUTION)
        V = part.train(f"zoom-{level}", grid, seed=SEED)
        fewer = {axis: values[::2] for axis, values in grid.items()}
        again = part.train(f"zoom-{level}-relabelled", fewer, drawn=part.relabelled())
        turned = ((again < 0) != (V[::2, ::2] < 0)).mean()
        levels.append(
            {"window": window, "tones": packed(chapter.tones(V)), "rounding": percent(turned)}
        )
        print(f"  width {window[2]:.1e}: rounding turns {percent(turned)} %", flush=True)
        if turned > ROUNDING:
            break
        window = chapter.densest(window, V, FACTOR)
    return levels


def main():
    tl.setup()
    jax.config.update("jax_enable_x64", True)
    made = provenance(
        __file__, definitions=fingerprint("fractal-boundary"), preset="none: sizes of the script",
        setting=f"{RESOLUTION} pixels a side, {STEPS} steps, seed {SEED}",
    )  # fmt: skip
    chapter = definitions("fractal-boundary")
    # Those that take long come last, so that a look at the first results comes early.
    order = sorted(chapter.CONDITIONS, key=lambda name: bool(chapter.CONDITIONS[name].batch))
    results, seconds = {}, 0.0
    for name in order:
        part = Part(chapter, name)
        part.folder.mkdir(parents=True, exist_ok=True)
        print(name, flush=True)
        results[name] = whole_map(part)
        print(f"  {results[name]['signs of the loop']} % of the loop's signs", flush=True)
        results[name]["zoom"] = densest_zoom(part)
        seconds += part.seconds()
    made["seconds"] = round(seconds)
    content = {
        "resolution": RESOLUTION, "steps": STEPS, "zoom resolution": ZOOM_RESOLUTION,
        "conditions": {name: results[name] for name in chapter.CONDITIONS},
    }  # fmt: skip
    text = json.dumps({"provenance": made, "results": content})
    TARGET.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
