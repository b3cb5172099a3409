"""Training steps a second on LeNet-300-100: this chapter's compiled loop against eager PyTorch.

What a reader would otherwise use is the same network with masked linear layers and an ordinary
PyTorch loop. Both train with Adam on batches of 60 images of MNIST's size, in the same order and
from the same weights, half of them masked; after a few steps the weights must agree. The data are
random unless MNIST is at hand: a step costs the same. The second table says what several seeds at
once cost against the same seeds one after the other. Prints ratios; they are what counts, since
all times are taken on the same machine in one run.

    make bench

PyTorch is not among the locked packages (its Linux build brings gigabytes of CUDA): install it
into the environment, or put it on PYTHONPATH, before you run this.
"""

import os
import sys
import time

os.environ["TUTORLIB_PROGRESS"] = "off"

import jax
import numpy as np

import tutorlib as tl
from tools.benchmark import publish
from tools.definitions import definitions

try:
    import torch
except ImportError:
    sys.exit("This benchmark needs PyTorch: .venv/bin/python -m pip install torch")

WIDTHS, BATCH, STEPS, LEARNING_RATE = (784, 300, 100, 10), 60, 2000, 1.2e-3
SEEDS, CHECKED_STEPS = 4, 20


class MaskedLinear(torch.nn.Linear):
    """A linear layer whose weights are multiplied by a mask in the forward pass."""

    def __init__(self, weight, keep):
        super().__init__(*weight.shape)
        with torch.no_grad():
            self.weight.copy_(torch.tensor(weight.T))
            self.bias.zero_()
        self.register_buffer("keep", torch.tensor(keep.T, dtype=torch.float32))

    def forward(self, x):
        return torch.nn.functional.linear(x, self.weight * self.keep, self.bias)


def torch_train(params, mask, order, images, labels):
    """The trained first layer, (inputs, outputs), and the seconds that the steps took."""
    layers = [MaskedLinear(p["weight"], keep) for p, keep in zip(params, mask, strict=True)]
    network = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    images, labels = torch.tensor(images), torch.tensor(labels).long()
    order = torch.tensor(order).long()
    started = time.perf_counter()
    for batch in order:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images[batch]), labels[batch]).backward()
        optimizer.step()
    seconds = time.perf_counter() - started
    return layers[0].weight.detach().numpy().T, seconds


def images_and_labels():
    """55,000 images of MNIST's size, from MNIST if it is at hand."""
    try:
        return definitions("lottery-tickets").mnist_data()["train"], "MNIST"
    except OSError:
        rng = np.random.default_rng(0)
        images = rng.normal(size=(55_000, 784)).astype(np.float32)
        return (images, rng.integers(10, size=55_000).astype(np.int32)), "random images"


def main():
    tl.setup()
    chapter = definitions("lottery-tickets")
    (images, labels), source = images_and_labels()
    few = (images[:100], labels[:100])  # measured once, after the last step
    data = jax.device_put({"train": (images, labels), "validation": few, "test": few})
    draw = jax.jit(chapter.initial_params, static_argnums=1)
    starts = [jax.tree.map(np.asarray, draw(jax.random.key(i), WIDTHS)) for i in range(SEEDS)]
    rng = np.random.default_rng(1)
    mask = [rng.random(layer["weight"].shape) < 0.5 for layer in starts[0]]
    orders = [
        chapter.shuffled_batches(np.random.default_rng(i), len(labels), BATCH, STEPS)
        for i in range(SEEDS)
    ]
    train = jax.jit(chapter.train, static_argnames="record_every")

    def jax_train(start, order):
        started = time.perf_counter()
        params, _ = train(start, mask, order, data, LEARNING_RATE, record_every=len(order))
        return np.asarray(params[0]["weight"]), time.perf_counter() - started

    short = orders[0][:CHECKED_STEPS]
    ours, _ = jax_train(starts[0], short)
    theirs, _ = torch_train(starts[0], mask, short, images, labels)
    np.testing.assert_allclose(ours * mask[0], theirs * mask[0], atol=2e-3)

    _, with_compilation = jax_train(starts[0], orders[0])
    _, compiled = jax_train(starts[0], orders[0])
    _, eager = torch_train(starts[0], mask, orders[0], images, labels)
    one = [["way", "steps a second", "ratio"]]
    for name, seconds in {
        "PyTorch, eager": eager, "JAX, with compilation": with_compilation, "JAX": compiled
    }.items():  # fmt: skip
        one.append([name, f"{STEPS / seconds:.0f}", f"{eager / seconds:.1f}"])

    one_after_the_other = sum(jax_train(*run)[1] for run in zip(starts, orders, strict=True))
    runs = [(start, mask, order) for start, order in zip(starts, orders, strict=True)]
    at_once = lambda *run: chapter.train(*run, LEARNING_RATE, STEPS)[0][0]["weight"]  # noqa: E731
    for _ in range(2):  # the first call compiles
        started = time.perf_counter()
        tl.map_runs(at_once, runs, data)
        together = time.perf_counter() - started
    several = [[f"{SEEDS} seeds", "seconds", "ratio"]]
    for name, seconds in {
        "one after the other": one_after_the_other, "over all cores": together
    }.items():  # fmt: skip
        several.append([name, f"{seconds:.1f}", f"{one_after_the_other / seconds:.1f}"])
    publish(
        __file__,
        "Lottery tickets: training under a mask against eager PyTorch",
        [one, several],
        notes=[f"{STEPS} steps on {source}; PyTorch has {torch.get_num_threads()} threads."],
        also={"torch": torch.__version__},
    )


if __name__ == "__main__":
    main()
