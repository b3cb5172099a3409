"""The paper's toy protocol for one head: this chapter's compiled loop against eager PyTorch.

What a reader would otherwise use is the same network, with the head of the paper's Algorithm 1,
trained by an ordinary PyTorch loop. Both train on the same GMM-2 data: 500 epochs of 125 batches,
62,500 steps of Adam. PyTorch is timed over a few epochs and scaled, since every epoch costs the
same; the JAX time is that of the whole call, compilation included. Prints ratios; they are what
counts, since both times are taken on the same machine in one run.

    make bench

PyTorch is not among the locked packages (its Linux build brings gigabytes of CUDA): install it
into the environment, or put it on PYTHONPATH, before you run this.
"""

import os
import sys
import time
from dataclasses import replace

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

BINS, FREQUENCIES, EPOCHS, BATCH, EXAMPLES = 50, 12, 500, 32, 4000
TORCH_EPOCHS = 4


class Autocorrelation(torch.nn.Module):
    """The head as Algorithm 1 states it: autocorrelation, series at the bin centres, log."""

    def __init__(self, features):
        super().__init__()
        self.linear = torch.nn.Linear(features, 2 * (FREQUENCIES + 1))
        centres = (2 * torch.arange(BINS) - BINS + 1) / BINS
        orders = torch.arange(1, FREQUENCIES + 1)
        self.waves = torch.exp(1j * torch.pi * orders[:, None] * centres)

    def forward(self, x):
        real, imaginary = self.linear(x).chunk(2, dim=-1)
        a = torch.complex(real, imaginary)
        terms = FREQUENCIES + 1
        c = torch.stack(
            [(a[:, : terms - k] * a[:, k:].conj()).sum(-1) for k in range(terms)], dim=-1
        )
        density = 0.5 + ((c[:, 1:] / c[:, :1].real) @ self.waves).real
        return torch.log(density / density.sum(-1, keepdim=True) + 1e-5)


class ClosedForm(torch.nn.Module):
    """The head as this chapter writes it: one real matrix product, then squares."""

    def __init__(self, features):
        super().__init__()
        self.linear = torch.nn.Linear(features, 2 * (FREQUENCIES + 1))
        centres = (2 * torch.arange(BINS) - BINS + 1) / BINS
        angles = torch.pi * torch.arange(FREQUENCIES + 1)[:, None] * centres
        cos, sin = angles.cos(), angles.sin()
        self.waves = torch.cat([torch.cat([cos, -sin], 1), torch.cat([sin, cos], 1)], 0)

    def forward(self, x):
        real, imaginary = (self.linear(x) @ self.waves).chunk(2, dim=-1)
        power = real**2 + imaginary**2
        return torch.log(power / power.sum(-1, keepdim=True) + 1e-5)


def torch_seconds(head, inputs, labels):
    """Seconds for the whole protocol in eager PyTorch, scaled from a few epochs after a warm-up."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(2, 64), torch.nn.ReLU(), torch.nn.Linear(64, 32), torch.nn.ReLU(), head(32)
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    data = torch.utils.data.TensorDataset(torch.tensor(inputs), torch.tensor(labels).long())
    loader = torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True)

    def epoch():
        for x, y in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x), y).backward()
            optimizer.step()

    epoch()
    started = time.perf_counter()
    for _ in range(TORCH_EPOCHS):
        epoch()
    return (time.perf_counter() - started) / TORCH_EPOCHS * EPOCHS


def main():
    tl.setup()
    chapter = definitions("fourier-head")
    values, labels, _ = chapter.draw_examples("GMM-2", jax.random.key(0), EXAMPLES)
    inputs = chapter.encode(values)
    heads = {"linear": lambda n: torch.nn.Linear(n, BINS), "fourier": Autocorrelation}
    torch_times = {
        name: torch_seconds(head, np.asarray(inputs), np.asarray(labels))
        for name, head in (heads | {"fourier, closed form": ClosedForm}).items()
    }
    table = [["head", "PyTorch", "JAX, one run", "ratio", "JAX, 8 seeds", "ratio per run"]]
    for name, torch_time in torch_times.items():
        head = "linear" if name == "linear" else "fourier"
        jax_times = []
        for seeds in (1, 8):
            started = time.perf_counter()
            config = replace(chapter.config, seeds=seeds, examples=EXAMPLES, epochs=EPOCHS)
            chapter.train_toy(head, [chapter.Case(frequencies=FREQUENCIES)], config, records=1)
            jax_times.append(time.perf_counter() - started)
        one, eight = jax_times
        table.append(
            [name, f"{torch_time:.0f} s", f"{one:.1f} s", f"{torch_time / one:.0f}"]
            + [f"{eight:.1f} s", f"{torch_time / (eight / 8):.0f}"]
        )
    publish(
        __file__,
        "The Fourier head: the toy protocol against eager PyTorch",
        [table],
        notes=[
            f"PyTorch is timed over {TORCH_EPOCHS} of {EPOCHS} epochs; the times of JAX include "
            "compilation."
        ],
        also={"torch": torch.__version__},
    )


if __name__ == "__main__":
    main()
