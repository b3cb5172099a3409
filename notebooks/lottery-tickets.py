# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   papers_in_motion:
#     claim: A trained network holds a small subnetwork that, restarted from its own initial weights,
#       learns as well as the whole and sooner than the same subnetwork with new random weights.
#     download: none; MNIST (11 MB) at the paper preset
#     paper:
#       authors: Jonathan Frankle, Michael Carbin
#       bibkey: frankle2019lottery
#       title: 'The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks'
#       url: https://arxiv.org/abs/1803.03635
#       year: 2019
#     prerequisites: gradient descent, a network with two hidden layers, a little JAX
# ---

# %% [markdown]
# # Title

# %% tags=["setup"]
# Installs tutorlib where it is missing, and nothing else: Colab keeps its own jax.
try:
    import tutorlib as tl
except ImportError:
    import subprocess
    import sys

    source = "tutorlib @ git+https://github.com/papers-in-motion/papers-in-motion"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", source], check=True)
    import tutorlib as tl
tl.setup()

# %% tags=["definition"]
import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax

# %% tags=["definition", "recipe"]
RATES = (0.2, 0.2, 0.1)  # share of the survivors that a round removes; half as much in the last layer


def initial_params(key, widths):
    """Glorot-normal weights and zero biases: a list of {"weight": (inputs, outputs), "bias": (outputs,)}."""
    start = jax.nn.initializers.glorot_normal()
    shapes = list(zip(widths, widths[1:]))
    return [
        {"weight": start(key, shape), "bias": jnp.zeros(shape[1])}
        for key, shape in zip(jax.random.split(key, len(shapes)), shapes)
    ]


def logits(params, mask, x):
    """A ReLU network in which only the weights that `mask` keeps exist. x: (examples, inputs) -> (examples, classes).

    mask: one boolean array per layer, of the shape of its weights. Biases are never pruned.
    """
    for layer, keep in zip(params[:-1], mask[:-1]):
        x = jax.nn.relu(x @ (layer["weight"] * keep) + layer["bias"])
    return x @ (params[-1]["weight"] * mask[-1]) + params[-1]["bias"]


def loss_and_accuracy(params, mask, images, labels):
    """Mean cross-entropy in nats, and the share of images that get their label."""
    scores = logits(params, mask, images)
    losses = optax.softmax_cross_entropy_with_integer_labels(scores, labels)
    return losses.mean(), (scores.argmax(axis=-1) == labels).mean()


# %% tags=["definition", "recipe"]
def train(params, mask, order, data, learning_rate, record_every):
    """Train one masked network with Adam. A pure function: jit and vmap it as needed.

    order: (iterations, batch size), which training images each step sees. This is all of SGD's noise.
    data: {"train" | "validation" | "test": (images, labels)}.
    Returns (params, curves): validation loss and test accuracy after every `record_every` iterations.
    """
    optimizer = optax.adam(learning_rate)
    images, labels = data["train"]

    def step(carry, batch):
        params, state = carry
        grads = jax.grad(lambda p: loss_and_accuracy(p, mask, images[batch], labels[batch])[0])(params)
        updates, state = optimizer.update(grads, state)
        return (optax.apply_updates(params, updates), state), None

    def stretch(carry, batches):
        carry, _ = jax.lax.scan(step, carry, batches)
        validation_loss, _ = loss_and_accuracy(carry[0], mask, *data["validation"])
        _, test_accuracy = loss_and_accuracy(carry[0], mask, *data["test"])
        return carry, {"validation_loss": validation_loss, "test_accuracy": test_accuracy}

    stretches = order.reshape(-1, record_every, order.shape[-1])
    (params, _), curves = jax.lax.scan(stretch, (params, optimizer.init(params)), stretches)
    return params, curves


# %% tags=["definition", "recipe"]
def prune(weight, keep, rate):
    """The mask after removing the share `rate` of the surviving weights, those nearest to zero.

    weight, keep: NumPy arrays of one shape, numbers and booleans. A removed weight never returns.
    Of equal magnitudes the earlier one goes, so the number removed is exact: round(rate * survivors).
    """
    check_prunable(weight, keep, rate)
    survivors = np.flatnonzero(keep)
    nearest_first = np.argsort(np.abs(weight).ravel()[survivors], kind="stable")
    removed = survivors[nearest_first[: round(rate * survivors.size)]]
    if removed.size == survivors.size:
        raise ValueError(f"rate {rate} would leave none of the layer's {survivors.size} weights")
    after = np.array(keep)
    after.flat[removed] = False
    return after


def check_prunable(weight, keep, rate):
    """Refuse what would prune something else than was meant."""
    if not 0 < rate < 1:
        raise ValueError(f"rate is {rate}; it must lie between 0 and 1, neither included")
    if keep.dtype != bool:
        raise TypeError(f"keep holds {keep.dtype}; a mask holds booleans")
    if keep.shape != weight.shape:
        raise ValueError(f"keep has shape {keep.shape} and weight {weight.shape}; they must be equal")
    if not keep.any():
        raise ValueError("keep is False everywhere; a layer with no weights left cannot be pruned")
    if not np.isfinite(weight[keep]).all():
        raise ValueError("weight holds NaN or infinite values; the training that made it diverged")


def prune_network(params, mask, rates=RATES):
    """One round of magnitude pruning, layer by layer."""
    weights = [np.asarray(layer["weight"]) for layer in params]
    return [prune(weight, keep, rate) for weight, keep, rate in zip(weights, mask, rates, strict=True)]


def random_mask_like(mask, rng):
    """A mask with as many survivors in each layer, at random places. rng: a NumPy generator."""
    return [rng.permuted(keep.ravel()).reshape(keep.shape) for keep in mask]


def early_stop(validation_loss, record_every):
    """Iteration of the lowest validation loss, the first if there are several. Over the last axis."""
    return record_every * (np.argmin(validation_loss, axis=-1) + 1)


def weights_left(mask):
    """P_m, the share of the weights that a mask keeps."""
    return sum(keep.sum() for keep in mask) / sum(keep.size for keep in mask)


# %% tags=["definition", "recipe"]
def shuffled_batches(rng, examples, batch_size, iterations):
    """The order of the training images, (iterations, batch size): each epoch draws each image at most once."""
    batches = examples // batch_size
    epochs = -(-iterations // batches)
    orders = np.tile(np.arange(examples, dtype=np.int32), (epochs, 1))
    orders = rng.permuted(orders, axis=1)[:, : batches * batch_size]
    return orders.reshape(-1, batch_size)[:iterations]


# %% tags=["definition", "recipe"]
def mnist_data():
    """MNIST as LeNet sees it: {"train" | "validation" | "test": (pixels, labels)}, 55,000 / 5,000 / 10,000 images.

    Pixels have mean 0 and standard deviation 1 over the training images.
    """
    mnist = tl.mnist()
    pixels = {part: ((x.reshape(len(x), -1) / 255 - 0.1307) / 0.3081).astype(np.float32) for part, (x, _) in mnist.items()}
    labels = {part: y.astype(np.int32) for part, (_, y) in mnist.items()}
    return {
        "train": (pixels["train"][:55000], labels["train"][:55000]),
        "validation": (pixels["train"][55000:], labels["train"][55000:]),
        "test": (pixels["test"], labels["test"]),
    }
