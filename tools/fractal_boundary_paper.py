"""The paper's six conditions at its width and number of steps, in float64, for the chapter.

Four of them train on 272 points, which takes minutes a picture on a laptop, so this runs once, with
the chapter's own definitions, and its result file is committed:

    python -m tools.fractal_boundary_paper

A stopped run continues where it was: finished tiles are kept in `_build/fractal-boundary/`.
"""

import base64
import json
import time
import zlib

import jax
import numpy as np

import tutorlib as tl
from tools.chapters import ROOT
from tools.definitions import definitions, fingerprint
from tutorlib.runtime import device, versions

TARGET = ROOT / "src" / "tutorlib" / "results" / "fractal-boundary-paper.json"
TILES = ROOT / "_build" / "fractal-boundary"
RESOLUTION, STEPS, SEED = 96, 500, 0


def packed(array):
    """An array of int8 as text."""
    return base64.b64encode(zlib.compress(array.astype(np.int8).tobytes(), 9)).decode()


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
    provenance = {
        "script": "tools/fractal_boundary_paper.py",
        "definitions": fingerprint("fractal-boundary"),
        "device": device(),
        "versions": versions(),
        "seconds": round(seconds),
        "setting": f"{RESOLUTION} pixels a side, {STEPS} steps, seed {SEED}",
    }
    content = {"resolution": RESOLUTION, "steps": STEPS, "conditions": results}
    text = json.dumps({"provenance": provenance, "results": content})
    TARGET.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
