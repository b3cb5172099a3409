"""The toy model at the paper's size: three ways to take the same training step, and PyTorch's.

D = 100, P = 550, N = 500 (Kumar et al. 2024, section 5). A reader would write a Python loop that
calls a step compiled by JAX, or an eager PyTorch loop. This chapter compiles the whole loop with
`lax.scan`, and trains the two averages of the weights instead of the weights. All start from the
same weights on the same data; before anything is timed, their training curves must agree to 1e-5.
Prints milliseconds per step and ratios; the ratios are what counts, since all times are taken on
the same machine in one run.

    make bench

PyTorch is not among the locked packages: install it into the environment, or put it on PYTHONPATH,
before you run this. Without it the other rows are printed.
"""

import os
import time

os.environ["TUTORLIB_PROGRESS"] = "off"

import jax
import jax.numpy as jnp
import numpy as np

import tutorlib as tl
from tools.benchmark import publish
from tools.definitions import definitions

try:
    import torch
except ImportError:
    torch = None

D, P, N, ALPHA, EPSILON, STEPS, ROUNDS = 100, 550, 500, 1.0, 0.05, 200, 8


def python_loop(code, weights, x, y):
    """A step compiled by JAX, called from Python."""
    first = code.network(weights, x, EPSILON)
    rate = float(code.learning_rate(ALPHA, EPSILON)) * N / ALPHA**2

    @jax.jit
    def step(weights):
        def loss(weights):
            return jnp.mean((ALPHA * (code.network(weights, x, EPSILON) - first) - y) ** 2)

        value, slope = jax.value_and_grad(loss)(weights)
        return weights - rate * slope, value

    def run():
        at, losses = weights, []
        for _ in range(STEPS):
            at, loss = step(at)
            losses.append(float(loss))  # a reader watches the loss
        return losses

    return run


def torch_loop(code, weights, x, y):
    """The same in eager PyTorch."""
    x, y = (torch.tensor(np.asarray(part)) for part in (x, y))
    rate = float(code.learning_rate(ALPHA, EPSILON)) * N / ALPHA**2

    def output(weights):
        hidden = x @ weights.T
        return (hidden + EPSILON / 2 * hidden**2).mean(1)

    def run():
        at, losses = torch.tensor(np.asarray(weights), requires_grad=True), []
        with torch.no_grad():
            first = output(at)
        for _ in range(STEPS):
            loss = ((ALPHA * (output(at) - first) - y) ** 2).mean()
            (slope,) = torch.autograd.grad(loss, at)
            with torch.no_grad():
                at -= rate * slope
            losses.append(loss.item())
        return losses

    return run


def main():
    tl.setup()
    code = definitions("grokking")
    x, y, beta, _ = (np.asarray(part, np.float32) for part in code.draw_task(D, P, 0))
    weights = jax.random.normal(jax.random.key(0), (N, D))
    start = code.moments(weights)
    runs = {
        "Python loop over a compiled step": python_loop(code, weights, x, y),
        "scanned loop": lambda: code.train_network(weights, x, y, ALPHA, EPSILON, STEPS)[1],
        "recursion for the two averages": lambda: code.train_moments(
            x, y, beta, ALPHA, EPSILON, start, start, STEPS, STEPS
        )[0],
    }
    if torch is not None:
        runs = {"eager PyTorch": torch_loop(code, weights, x, y)} | runs
    curves = {name: np.asarray(run()) for name, run in runs.items()}  # compiles, too
    reference = curves["scanned loop"]
    for name, curve in curves.items():
        worst = np.abs(curve - reference).max()
        assert worst < 1e-5, f"{name} differs from the scanned loop by {worst}"
    times = {name: [] for name in runs}
    for _ in range(ROUNDS):  # in turn, so that a busy moment meets all of them
        for name, run in runs.items():
            started = time.perf_counter()
            np.asarray(run())
            times[name].append((time.perf_counter() - started) / STEPS)
    best = {name: min(values) for name, values in times.items()}
    ours = ("scanned loop", "recursion for the two averages")
    table = [["way", "ms per step"] + [f"{name} is faster by" for name in ("scan", "recursion")]]
    for name, seconds in best.items():
        ratios = [f"{seconds / best[other]:.1f}" for other in ours]
        table.append([name, f"{1000 * seconds:.2f}", *ratios])
    publish(
        __file__,
        "Grokking: the toy model's training step",
        [table],
        notes=[f"D = {D}, P = {P}, N = {N}; the training curves agree to 1e-5."],
        also={"torch": torch.__version__} if torch else None,
    )


if __name__ == "__main__":
    main()
