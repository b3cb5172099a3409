"""What a map costs: time against the number of pixels and of steps, memory against the image.

One data point, width 16, float64, the whole window. For the times no run is given up early, so
that each pixel costs the same. Peak memory is that of a process of its own for each size.

    make bench
"""

import functools
import os
import subprocess
import sys

os.environ["TUTORLIB_PROGRESS"] = "off"

import jax

import tutorlib as tl
from tools.benchmark import in_turn, peak_memory, publish
from tools.chapters import ROOT
from tools.definitions import definitions

MEGABYTE = 1e6


def memory_of_a_map(size, steps=20):
    """Most memory that a process held which rendered size x size pixels, in bytes."""
    command = [sys.executable, "-m", "benchmarks.sweep_cost", str(size), str(steps)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"rendering {size} x {size} pixels failed:\n{done.stderr}")
    return int(done.stdout.splitlines()[-1])


def render_and_report(size, steps):
    """Render a map in this process and print its peak memory, in bytes."""
    tl.setup()
    jax.config.update("jax_enable_x64", True)
    chapter = definitions("fractal-boundary")
    V = chapter.render(chapter.WHOLE, size, steps=steps)
    assert V.shape == (size, size)
    print(peak_memory())


def main():
    tl.setup()
    jax.config.update("jax_enable_x64", True)
    chapter = definitions("fractal-boundary")
    cases = [(128, 500), (256, 500), (512, 500), (256, 125), (256, 250), (256, 1000)]
    runs = [
        functools.partial(chapter.render, chapter.WHOLE, size, steps=steps, stop=False)
        for size, steps in cases
    ]
    times = [["pixels", "steps", "seconds", "ns for a step of a pixel"]]
    best = in_turn(runs, rounds=2)[0].min(axis=0)
    for (size, steps), taken in zip(cases, best, strict=True):
        times.append([f"{size}²", steps, f"{taken:.2f}", f"{1e9 * taken / size**2 / steps:.0f}"])
    memory = [["pixels", "image, MB", "peak memory, MB"]]
    for size in (256, 1024, 4096):
        peak = memory_of_a_map(size)
        memory.append([f"{size}²", f"{8 * size**2 / MEGABYTE:.0f}", f"{peak / MEGABYTE:.0f}"])
    publish(
        __file__,
        "The sweep engine: cost of a map",
        [times, memory],
        notes=[
            "Time grows in proportion to pixels and to steps if the last column of the first table "
            "is constant. Memory: what grows is the image itself, and a copy while it is put "
            "together; 20 steps, the measure in float64.",
        ],
        chapter="fractal-boundary",
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        render_and_report(int(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
