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
#     claim: Replace the last linear layer over binned numbers by one that outputs the
#       Fourier coefficients of a density, and neighbouring bins learn from each other.
#       It needs fewer parameters and suffers less from over-training; whether it fits
#       better depends on the data and on how long one trains.
#     download: none
#     paper:
#       authors: Nate Gillman, Daksh Aggarwal, Michael Freeman, Saurabh Singh, Chen
#         Sun
#       bibkey: gillman2024fourier
#       title: 'Fourier Head: Helping Large Language Models Learn Complex Probability
#         Distributions'
#       url: https://arxiv.org/abs/2410.22269
#       year: 2024
#     prerequisites: softmax and cross-entropy, complex numbers, a little Flax
# ---

# %% [markdown]
# # The Fourier head: a network that knows bin 17 is next to bin 18
#
# **The claim.** Replace the last linear layer over binned numbers by one that outputs the Fourier coefficients of a density, and neighbouring bins learn from each other. It needs fewer parameters and suffers less from over-training; whether it fits better, and by how much, depends on the data and on how long one trains.
#
# Gillman, Aggarwal, Freeman, Singh and Sun, [*Fourier Head: Helping Large Language Models Learn Complex Probability Distributions*](https://arxiv.org/abs/2410.22269), ICLR 2025.
#
# You need: softmax and cross-entropy, complex numbers, a little Flax. No download. The whole notebook is made for two minutes on a two-core laptop; its last cell says how long it took.
# [Open in Colab](https://colab.research.google.com/github/papers-in-motion/papers-in-motion/blob/main/notebooks/fourier-head.ipynb).

# %% tags=["setup", "hide-input"]
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

# %% tags=["definition", "recipe", "hide-input"]
import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.scipy.special import betainc
from jax.scipy.stats import norm


# %% [markdown]
# One dataclass holds every size that matters. To run another preset, set the variable `TUTORLIB_PRESET` before the notebook starts, or write `config = Config(...)` with sizes of your own below it. (`paper` has the paper's length of training and frequencies. Its raw inputs and initial weights are in the committed run of experiment 2 only.)

# %% tags=["config", "definition", "hide-input"]
@dataclass(frozen=True)
class Config:
    epochs: int = 56  # passes over the training set of the toy problems
    examples: int = 4000  # training examples: 80 % of the paper's 5,000
    test_examples: int = 1000
    records: int = 28  # measurements during training
    seeds: int = 5  # each seed draws its own data and its own initial weights
    frequencies: tuple = (2, 4, 8, 12, 16)
    copies: tuple = (2, 4, 8, 16)  # smaller training sets: from a half to a sixteenth of `examples`
    widths: tuple = (1, 5, 10, 50)  # blocks of bins that get scrambled
    orders: tuple = (4, 8, 16)  # frequencies of the heads that meet scrambled bins
    fit_steps: int = 1500
    weeks: tuple = (260, 1560)  # how much of the CO2 record to learn from: 5 and 30 years
    forecast_steps: int = 680


config = tl.preset(
    smoke=Config(
        epochs=2, examples=512, test_examples=64, seeds=2, frequencies=(2, 4, 8, 12, 16), copies=(4, 8), records=2,
        widths=(1, 10, 50), fit_steps=30, weeks=(130, 260), forecast_steps=8,
    ),
    laptop=Config(),
    paper=Config(epochs=500, records=50, frequencies=tuple(range(2, 21, 2))),
)  # fmt: skip
ledger = tl.Ledger("fourier-head")
BLUE, ORANGE, GREEN, TRUTH = (tl.COLORS[c] for c in ("blue", "orange", "green", "truth"))


def log_axis(update, steps=(1, 2, 5), **place):
    """Make an axis logarithmic, with its numbers written out: log_axis(fig.update_yaxes)."""
    ticks = [step * 10.0**power for power in range(-6, 5) for step in steps]
    update(type="log", tickvals=ticks, ticktext=[np.format_float_positional(t, trim="-") for t in ticks], **place)


# %% [markdown]
# ## What you will see
#
# Why does a language model have bins at all? Because it speaks in tokens. To forecast a series, Chronos cuts the range of its values into some four thousand bins, and each bin is a token; a Decision Transformer picks one of eighteen joystick actions in the same way. The last layer is then a softmax made for words, where token 17 and token 18 need have nothing in common. Bins 17 and 18 do.
#
# Somebody hands you a few hundred numbers between −1 and 1, sorted into 64 bins, and asks how likely each bin is. The usual answer is a softmax with one free logit per bin. It can fit anything; fitted by maximum likelihood it is the histogram. The Fourier head fits the coefficients of a smooth density instead. This is the whole of it, and the next section derives each line:

# %% tags=["definition", "recipe", "hide-input"]
REAL, COMPLEX = ("float16", "bfloat16", "float32", "float64"), ("complex64", "complex128")


def check_counts(**counts):
    """Refuse what is not a positive integer: check_counts(bins=bins)."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name} is {value!r}; it must be a positive integer")


def check_sizes(*, bins, frequencies, **others):
    """Refuse sizes that are not positive integers, and frequencies that so few bins cannot tell apart."""
    check_counts(bins=bins, frequencies=frequencies, **others)
    if frequencies >= bins / 2:
        raise ValueError(f"frequencies is {frequencies}; {bins} bins can only tell apart fewer than {bins / 2:g}")


def check_finite(**arrays):
    """Refuse NaN and infinite values: check_finite(x=x)."""
    for name, array in arrays.items():
        # Inside jit there are no values to look at yet; tl.train then stops at the first loss that is not finite.
        if not isinstance(array, jax.core.Tracer) and not bool(jnp.isfinite(array).all()):
            raise ValueError(f"{name} holds NaN or infinite values; no density can be made from them")


def check_array(allowed=REAL, **arrays):
    """Refuse lists, types that are not `allowed`, and values that are not finite: check_array(x=x)."""
    for name, array in arrays.items():
        if not hasattr(array, "dtype"):
            raise ValueError(f"{name} is {array!r:.60}; it must be an array of one of the types {', '.join(allowed)}")
        if str(array.dtype) not in allowed:
            raise ValueError(f"{name} has dtype {array.dtype}; allowed are {', '.join(allowed)}")
    check_finite(**arrays)


def check_width(x, features):
    """Refuse inputs of a layer that are not a finite array of shape (..., features)."""
    check_array(x=x)
    if x.ndim < 1 or x.shape[-1] != features:
        raise ValueError(f"x has shape {x.shape}; the last axis must be features = {features}")


def check_orders(most, **orders):
    """Refuse frequencies that are not integers from 0 to `most`. Returns which are right, for use inside jit."""
    for name, value in orders.items():
        number = hasattr(value, "dtype") or isinstance(value, (int, float))
        whole = number and jnp.issubdtype(jnp.result_type(value), jnp.integer)
        right = whole and (jnp.asarray(value) >= 0) & (jnp.asarray(value) <= most)
        if not whole or not isinstance(right, jax.core.Tracer) and not bool(right.all()):
            raise ValueError(f"{name} is {value!r}; allowed are the integers from 0 to {most}")
    return right


def check_target(target):
    """Refuse what is not a pmf of shape (bins,). Returns whether it is one, for use inside jit."""
    check_array(target=target)
    if target.ndim != 1:
        raise ValueError(f"target has shape {target.shape}; it must be (bins,). Use jax.vmap for several")
    least, total = jnp.min(target), jnp.sum(target, dtype=jnp.promote_types(target.dtype, jnp.float32))
    right = (least >= 0) & (jnp.abs(total - 1) < 1e-3)
    if not isinstance(right, jax.core.Tracer) and not bool(right):
        raise ValueError(f"target has the smallest entry {least:g} and the sum {total:g}; a pmf has no entry below 0 and the sum 1")
    return right


def usable(a):
    """Coefficients as complex numbers whose largest part is 1, shape (..., N + 1) -> the same: the density stays what it is.

    Refuses what belongs to no density: NaN, infinite values, and zeros alone. Inside jit these give NaN.
    """
    check_array(REAL + COMPLEX, a=a)
    if a.ndim < 1 or a.shape[-1] < 1:
        raise ValueError(f"a has shape {a.shape}; it must be (..., N + 1)")
    a = a + 0j
    largest = jax.lax.stop_gradient(jnp.maximum(jnp.abs(a.real), jnp.abs(a.imag)).max(-1, keepdims=True))
    tiny = jnp.finfo(largest.dtype).tiny
    if not isinstance(largest, jax.core.Tracer) and not bool((largest >= tiny).all()):
        raise ValueError(f"a is zero in all its coefficients, or below {tiny:.1g}; no density can be made from them")
    shrink = jax.lax.rsqrt(largest)  # in two steps, since 1 / largest can underflow
    return a * shrink * shrink


# %% tags=["definition", "recipe"]
FLOOR = 1e-5  # keeps log finite where a probability is zero, as in the authors' code


def bin_centres(bins):
    """Centres of `bins` equal bins on [-1, 1], shape (bins,)."""
    check_counts(bins=bins)
    return (2 * jnp.arange(bins) - bins + 1) / bins


def fourier_pmf(a, bins):
    """Probabilities of the bins, shape (..., bins), from complex coefficients a_0 .. a_N, (..., N + 1)."""
    a = usable(a)
    check_sizes(bins=bins, frequencies=a.shape[-1] - 1)
    waves = jnp.exp(-1j * jnp.pi * jnp.arange(a.shape[-1])[:, None] * bin_centres(bins))
    power = jnp.abs(a @ waves) ** 2
    return power / power.sum(-1, keepdims=True)


# %% [markdown]
# (The functions in the folded cell above are not part of the idea: they refuse what would give a wrong density without a word: sizes that are not positive integers, too many frequencies for the bins, numbers that are not finite, targets that are no probabilities.) And this fits it to counts: gradient descent on the cross-entropy, started from small random coefficients. (`frequencies_used` switches frequencies off, so that one compiled program serves them all.)

# %% tags=["definition"]
def fit_fourier(target, frequencies_used, key, *, frequencies, steps):
    """Fit coefficients to a target pmf by Adam on the cross-entropy.

    target: pmf or relative frequencies, shape (bins,). frequencies_used: scalar <= frequencies.
    Returns the fitted pmf, shape (bins,). Raises ValueError for sizes and targets that have no density.
    """
    check_target(target)
    check_sizes(bins=len(target), frequencies=frequencies, steps=steps)
    check_orders(frequencies, frequencies_used=frequencies_used)
    if jnp.ndim(frequencies_used):
        raise ValueError(f"frequencies_used has shape {jnp.shape(frequencies_used)}; it must be one number. Use jax.vmap for several")
    return descend(target, frequencies_used, key, frequencies, steps)


@functools.partial(jax.jit, static_argnames=("frequencies", "steps"))
def descend(target, frequencies_used, key, frequencies, steps):
    """The compiled part of `fit_fourier`."""
    bins = target.shape[-1]
    right = check_target(target) & check_orders(frequencies, frequencies_used=frequencies_used)
    on = jnp.tile(jnp.arange(frequencies + 1) <= frequencies_used, 2)
    start = jnp.concatenate([jnp.ones(1), 0.3 * jax.random.normal(key, (2 * frequencies + 1,))])
    optimizer = optax.adam(optax.cosine_decay_schedule(0.1, steps))

    def pmf(outputs):
        real, imaginary = jnp.split(outputs * on, 2)
        return fourier_pmf(real + 1j * imaginary, bins)

    def loss(outputs):
        return -jnp.sum(target * jnp.log(pmf(outputs) + FLOOR))

    def step(carry, _):
        outputs, state = carry
        updates, state = optimizer.update(jax.grad(loss)(outputs), state)
        return (optax.apply_updates(outputs, updates), state), None

    (outputs, _), _ = jax.lax.scan(step, (start, optimizer.init(start)), length=steps)
    return jnp.where(right, pmf(outputs), jnp.nan)


# %% tags=["definition", "recipe"]
def kl_divergence(p, q):
    """KL(p || q) in nats over the last axis; q gets 1e-10 added, as in the authors' evaluation."""
    terms = p * jnp.log(jnp.where(p > 0, p, 1) / (q + 1e-10))
    return jnp.sum(jnp.where(p > 0, terms, 0 * (p + q)), axis=-1)  # NaN in p or q is no zero


# %% [markdown]
# The numbers come from two bumps. **Before you look,** decide which of the two answers you expect to be closer to the truth, with 100 samples and with 10,000. (Distance is the Kullback–Leibler divergence KL, in nats: the expected extra log-loss from believing the answer. The histogram gets half a count more in every bin, since an empty bin would make its KL infinite. The dotted lines in the right panel are explained below it.)

# %% tags=["hide-input"]
def two_bumps(bins):
    edges = jnp.linspace(-1, 1, bins + 1)
    cdf = 0.6 * norm.cdf(edges, -0.35, 0.15) + 0.4 * norm.cdf(edges, 0.4, 0.1)
    return jnp.diff(cdf) / (cdf[-1] - cdf[0])


hook_bins, hook_sizes = 64, [25, 50, 100, 250, 500, 1000, 2500, 10000]
hook_truth = two_bumps(hook_bins)
draw, chances = np.random.default_rng(0), np.asarray(hook_truth, dtype=float)
hook_counts = jnp.stack([draw.multinomial(n, chances / chances.sum(), config.seeds) for n in hook_sizes])
hook_keys = jax.random.split(jax.random.key(0), (len(hook_sizes), config.seeds))
hook_fourier = jax.vmap(jax.vmap(
    lambda counts, key: fit_fourier(counts / counts.sum(), 8, key, frequencies=8, steps=config.fit_steps)
))(hook_counts, hook_keys)  # fmt: skip
hook_histogram = (hook_counts + 0.5) / (hook_counts + 0.5).sum(-1, keepdims=True)
hook_kl = {
    "histogram + ½": np.asarray(kl_divergence(hook_truth, hook_histogram)),
    "Fourier head, N = 8": np.asarray(kl_divergence(hook_truth, hook_fourier)),
}
hook_free = {"histogram + ½": hook_bins - 1, "Fourier head, N = 8": 2 * 8}  # numbers that each answer fits

fig = tl.panels(
    ["What each one believes (first seed)", f"Distance from the truth ({config.seeds} seeds)"],
    x_titles=["value", "number of samples"], y_titles=["probability of the bin", "KL(truth ‖ answer)"],
)  # fmt: skip
centres = np.asarray(bin_centres(hook_bins))
for values, label, color in [
    (hook_histogram[2, 0], "histogram + ½", ORANGE),
    (hook_fourier[2, 0], "Fourier head, N = 8", BLUE),
    (hook_truth, "truth", TRUTH),
]:
    line = {"color": color, "width": 2, "dash": "dot" if label == "truth" else "solid"}
    fig.add_scatter(x=centres, y=values, name=label, legendgroup=label, line=line, row=1, col=1)
everything = np.concatenate([kl.ravel() for kl in hook_kl.values()])
fig.add_scatter(
    x=[100, 100], y=[everything.min(), everything.max()], mode="lines", line={"color": TRUTH, "dash": "dash"},
    name="shown on the left", showlegend=False, hoverinfo="skip", row=1, col=2,
)  # fmt: skip
for (label, kl), color in zip(hook_kl.items(), [ORANGE, BLUE]):
    tl.add_band(fig, hook_sizes, kl.T, name=label, color=color, row=1, col=2)
    fig.data[-1].showlegend = False
for (label, free), color in zip(hook_free.items(), [ORANGE, BLUE]):
    many = [250, 10000]  # where the rule may hold
    fig.add_scatter(x=many, y=[free / (2 * n) for n in many], mode="lines", name=f"{free} numbers / (2 × samples)",
                    line={"color": color, "dash": "dot", "width": 1.5}, row=1, col=2)  # fmt: skip
fig.update_xaxes(type="log", tickvals=hook_sizes, ticktext=[f"{n:,}" for n in hook_sizes], range=[1.3, 4.4], row=1, col=2)
log_axis(fig.update_yaxes, row=1, col=2)
tl.scrub(
    fig, hook_sizes,
    [{0: {"y": hook_histogram[i, 0]}, 1: {"y": hook_fourier[i, 0]}, 3: {"x": [n, n]}} for i, n in enumerate(hook_sizes)],
    prefix="samples: ", start=2,
)  # fmt: skip
tl.show(
    fig, name="hook",
    predict={
        "question": "Which answer is closer to the truth with 100 samples, and which with 10,000?",
        "options": [
            "the histogram, both times",
            "the histogram with 100, the Fourier head with 10,000",
            "the Fourier head with 100, the histogram with 10,000",
            "the Fourier head, both times",
        ],
        # Two bits, for 100 and for 10,000 samples: is the Fourier head closer?
        "answer": (hook_kl["Fourier head, N = 8"].mean(1) < hook_kl["histogram + ½"].mean(1))[[2, -1]] @ [2, 1],
    },
    alt="Left: a two-bump truth, the jagged histogram that a softmax over bins learns from a few samples, and the "
    "smooth Fourier fit, with a slider over the number of samples. Right: KL divergence from the truth against the "
    "number of samples, on logarithmic axes, as bands over seeds. Both fall; the Fourier head is lower on average at every "
    "sample size. Two dotted lines, the number of fitted numbers over twice the samples, meet the bands where samples are many.",
)  # fmt: skip

# %% tags=["nbval-check-output", "hide-cell"]
at_100 = hook_sizes.index(100)
ledger.record("hook_ratio", hook_kl["histogram + ½"][at_100] / hook_kl["Fourier head, N = 8"][at_100], low=2, high=5, digits=1)
ledger.record("hook_ratio_10000", hook_kl["histogram + ½"][-1] / hook_kl["Fourier head, N = 8"][-1], low=2, high=6.5, digits=1)
# KL times twice the number of samples: how many fitted numbers it is worth.
ledger.record("hook_worth_histogram", hook_kl["histogram + ½"][-1] * 2 * hook_sizes[-1], low=43, high=83, digits=0)
ledger.record("hook_worth_fourier", hook_kl["Fourier head, N = 8"][-1] * 2 * hook_sizes[-1], low=8, high=26, digits=0)

# %% tags=["hide-input"]
ledger.say(
    "At 100 samples the histogram is {hook_ratio} times further from the truth than the Fourier head (mean over seeds); at 10,000 both are close and the factor is {hook_ratio_10000}. "
    "Why does a factor remain? Maximum likelihood with $d$ free numbers and $n$ samples ends, on average, about $d/2n$ nats from a truth that it can express, once $n$ is large. "
    "The histogram has $m-1=63$ free numbers. The head has $2N=16$: $2(N+1)$, less a scale and a common phase that change nothing. At 10,000 samples, $2n$ times the KL is {hook_worth_histogram:pm} and {hook_worth_fourier:pm}. (The head's is a little flattered by chance: eight waves cannot express this truth exactly, and what they miss is part of its sum.)\n\n"
    "So the histogram is not wrong on average. It is noisy, because each bin has to learn alone. Any smoothing would help here, a kernel density estimate too. What the head adds is smoothing inside a "
    "network, adapted to each input by gradient descent."
)


# %% [markdown]
# See it in the figure: [with 25 samples](#figure-hook=25) at least 39 of the 64 bins are empty; [with 10,000](#figure-hook=10000) the bins under the bumps have counted hundreds.

# %% [markdown]
# ## The idea, step by step
#
# ### Why a softmax over bins does not know what a neighbour is
#
# A linear layer gives bin $j$ the logit $w_j \cdot h$. Renumber the bins in any order, renumber the rows of the weight matrix the same way, and every loss and every gradient is what it was. So the layer itself cannot favour neighbours. What it learns about them must come from the data.
#
# One gradient step makes this visible. Both heads start at the uniform distribution and see a single example in bin 32 of 64. (The step sizes differ, so compare shapes, not heights.) **Predict:** which bins become more likely?

# %%
def after_one_step(log_pmf, start, target_bin, step_size):
    """Change of the pmf when one gradient step is taken on one example."""
    loss = lambda outputs: -jax.nn.log_softmax(log_pmf(outputs))[target_bin]
    after = start - step_size * jax.grad(loss)(start)
    return jax.nn.softmax(log_pmf(after)) - jax.nn.softmax(log_pmf(start))


free_logits = after_one_step(lambda outputs: outputs, jnp.zeros(64), 32, 0.5)
flat_start = jnp.zeros(2 * 9).at[0].set(1.0)  # a_0 = 1 and nothing else: exactly uniform
fourier_step = after_one_step(lambda a: jnp.log(fourier_pmf(a[:9] + 1j * a[9:], 64)), flat_start, 32, 0.05)

# %% tags=["hide-input"]
fig = tl.panels(["Softmax over bins", "Fourier head, N = 8"], x_titles=["bin"] * 2, y_titles=["change of probability"] * 2)
for column, (change, color) in enumerate([(free_logits, ORANGE), (fourier_step, BLUE)], start=1):
    fig.add_bar(x=np.arange(64), y=change, marker_color=color, name=fig.layout.annotations[column - 1].text, row=1, col=column)
fig.update_layout(showlegend=False)
tl.show(
    fig,
    alt="Change of each bin's probability after one gradient step on one example in bin 32. Softmax over bins: bin 32 "
    "alone rises, all 63 others fall by the same amount. Fourier head: a bump of bins around 32 rises together.",
)


# %% [markdown]
# The softmax raises bin 32 and lowers all others alike: bin 33 is treated like bin 3. The Fourier head raises a whole neighbourhood, as wide as its highest frequency allows, with faint ripples further out.
#
# ### A density from Fourier coefficients
#
# Write a density on $[-1,1]$ as a truncated Fourier series,
#
# $$p(z)=\tfrac12+\mathrm{Re}\sum_{k=1}^{N}\gamma_k\,e^{ik\pi z}.$$
#
# It is smooth, it integrates to one because every wave with $k\ge1$ integrates to zero, and $N$ says how fine its detail can be. One thing is missing: nothing stops it from being negative. Take the coefficients of a true density, a bump of width $\sigma=1/10$, and cut the series off.

# %% tags=["definition"]
def truncated_bump(z, sigma, frequencies):
    """Fourier series of a Gaussian bump at 0 (wrapped to [-1, 1]), cut after `frequencies` terms."""
    k = jnp.arange(1, frequencies + 1)
    return 0.5 + jnp.exp(-((jnp.pi * k * sigma) ** 2) / 2) @ jnp.cos(jnp.pi * k[:, None] * z)


# %% tags=["hide-input"]
cut_orders, cut_grid = [1, 2, 3, 4, 5, 6, 8, 10, 12], np.linspace(-1, 1, 401)


def squared_bump(n):
    """The same bump, made as the next step does it: cut the series of its square root, then square."""
    ell = np.arange(n + 1)
    amplitudes = np.exp(-((np.pi * (ell - n / 2) * 0.1) ** 2))
    return np.abs(amplitudes @ np.exp(-1j * np.pi * ell[:, None] * cut_grid)) ** 2 / (2 * np.sum(amplitudes**2))


k = np.arange(1, cut_orders[-1] + 1)[:, None]  # NumPy: in JAX each N would be a program to compile
terms = np.exp(-((np.pi * k * 0.1) ** 2) / 2) * np.cos(np.pi * k * cut_grid)  # those of truncated_bump
cut_series = [0.5 + terms[:n].sum(axis=0) for n in cut_orders]
squares = [squared_bump(n) for n in cut_orders]
fig = tl.panels(["A bump of width 1/10 from waves up to N"], x_titles=["z"], y_titles=["p(z)"])
fig.add_scatter(x=cut_grid, y=np.minimum(cut_series[3], 0), name="below zero", fill="tozeroy", mode="lines", line={"color": ORANGE, "width": 0})
fig.add_scatter(x=cut_grid, y=cut_series[3], name="series, cut after N", line={"color": ORANGE, "width": 2.5})
fig.add_scatter(x=cut_grid, y=squares[3], name="squared modulus, N", line={"color": BLUE, "width": 2.5})
fig.add_scatter(x=cut_grid, y=np.exp(-((cut_grid / 0.1) ** 2) / 2) / (0.1 * np.sqrt(2 * np.pi)), name="the bump", line={"color": TRUTH, "dash": "dot", "width": 2})
fig.update_yaxes(range=[-0.7, 4.2])
tl.scrub(
    fig, cut_orders,
    [{0: {"y": np.minimum(series, 0)}, 1: {"y": series}, 2: {"y": square}} for series, square in zip(cut_series, squares)],
    prefix="N = ", start=3,
)  # fmt: skip
tl.show(
    fig, name="truncation",
    alt="A narrow bump at 0 and two series with the same highest frequency, slider over N from 1 to 12. The cut series of the bump dips below zero "
    "on both sides, visibly for small N; the squared modulus never does, and is lower and wider than the bump until N is large.",
)  # fmt: skip

# %% tags=["nbval-check-output", "hide-cell"]
grid = jnp.linspace(-1, 1, 2001)
ledger.record("truncation_min_4", truncated_bump(grid, 0.1, 4).min(), low=-0.34, high=-0.32, digits=3)
ledger.record("truncation_min_8", truncated_bump(grid, 0.1, 8).min(), low=-0.02, high=-0.016, digits=3)

# %% tags=["hide-input"]
ledger.say(
    "Cut after 4 terms the series falls to {truncation_min_4}; after 8 terms, to {truncation_min_8}. A truncated density "
    "need not be a density. The blue curve has the same waves and stays above zero, by the next step."
)


# %% [markdown]
# ### Autocorrelation makes it non-negative
#
# The paper does not let the network choose $\gamma_k$. The network chooses complex numbers $a_0,\dots,a_N$, and $c$ is their autocorrelation,
#
# $$c_k=\sum_{\ell=0}^{N-k}a_\ell\,\overline{a_{\ell+k}},$$
#
# and $\gamma_k=c_k/c_0$. Why does that help? Multiply out a squared modulus:
#
# $$\Big|\sum_{\ell}a_\ell\,e^{-i\ell\pi z}\Big|^2=\sum_{\ell,\ell'}a_\ell\overline{a_{\ell'}}\,e^{i(\ell'-\ell)\pi z}=c_0+2\,\mathrm{Re}\sum_{k=1}^{N}c_k\,e^{ik\pi z}.$$
#
# The terms with $\ell'-\ell=k$ are exactly $c_k$. So the series is a squared modulus divided by $2c_0$,
#
# $$p(z)=\frac{\big|\sum_\ell a_\ell e^{-i\ell\pi z}\big|^2}{2\sum_\ell|a_\ell|^2}\;\ge 0 ,$$
#
# and nothing is lost: by a theorem of Fejér and Riesz every non-negative series of degree $N$ can be written so. Both forms, in code:

# %% tags=["definition", "recipe"]
def autocorrelation(a):
    """c_k = sum_l a_l conj(a_{l+k}) for k = 0..N. a: complex, shape (..., N + 1); same shape out.

    Gillman et al. 2024, Algorithm 1.
    """
    terms = a.shape[-1]
    return jnp.stack([jnp.sum(a[..., : terms - k] * a[..., k:].conj(), axis=-1) for k in range(terms)], axis=-1)


# %% tags=["definition"]
def check_points(z):
    """Refuse places that are not finite real numbers in an array of shape (points,)."""
    check_array(z=z)
    if z.ndim != 1:
        raise ValueError(f"z has shape {z.shape}; it must be (points,)")


def density_from_autocorrelation(a, z):
    """The paper's form: p(z) = 1/2 + Re sum_k c_k / c_0 exp(i k pi z). z: shape (points,)."""
    check_points(z)
    c = autocorrelation(usable(a))
    k = jnp.arange(1, a.shape[-1])
    return 0.5 + ((c[..., 1:] / c[..., :1].real) @ jnp.exp(1j * jnp.pi * k[:, None] * z)).real


def density(a, z):
    """The closed form: a squared modulus over twice the energy; integrates to 1 over [-1, 1]."""
    check_points(z)
    a = usable(a)
    waves = jnp.exp(-1j * jnp.pi * jnp.arange(a.shape[-1])[:, None] * z)
    return jnp.abs(a @ waves) ** 2 / (2 * jnp.sum(jnp.abs(a) ** 2, axis=-1, keepdims=True))


# %% [markdown]
# The smallest case by hand: $N=1$, $a_0=a_1=1$ gives $c_0=2$, $c_1=1$ and $p(z)=\frac12(1+\cos\pi z)$, one hill in the middle. A taller hill at any place $z_0$ needs no training either: give all $a_\ell$ the same modulus and let their phases meet at $z_0$, $a_\ell=e^{i\ell\pi z_0}$. Move the slider and watch what more frequencies buy.

# %% tags=["hide-input"]
hill_frequencies = [1, 2, 3, 4, 6, 8, 12, 16, 20, 24]
hill_grid = np.linspace(-1, 1, 401)
used = jnp.arange(25) <= jnp.array(hill_frequencies)[:, None]
hills = np.asarray(density(jnp.where(used, jnp.exp(1j * jnp.pi * jnp.arange(25) * 0.3), 0), hill_grid))
fig = tl.panels(["A hill at 0.3, built by hand"], x_titles=["z"], y_titles=["p(z)"])
fig.add_scatter(x=hill_grid, y=hills[0], name="p(z)", line={"color": BLUE, "width": 2.5})
fig.update_yaxes(range=[0, 13])
tl.scrub(fig, hill_frequencies, [{0: {"y": hill}} for hill in hills], prefix="frequencies N = ", start=5)
tl.show(
    fig,
    alt="A non-negative density with a single main peak at 0.3 built from equal coefficients with phases that meet there. "
    "The slider raises the number of frequencies from 1 to 24; the peak grows to height (N + 1) / 2 and narrows, with small side lobes.",
)  # fmt: skip

# %% [markdown]
# Now the checks that the paper's first version leaves to the reader: both forms agree, the density is never negative, and it integrates to one. A thousand random coefficient vectors:

# %% tags=["nbval-check-output", "hide-cell"]
key_re, key_im = jax.random.split(jax.random.key(1))
a_random = jax.random.normal(key_re, (1000, 13)) + 1j * jax.random.normal(key_im, (1000, 13))
cells = 2 * (jnp.arange(500) + 0.5) / 500 - 1  # the rectangle rule is exact for so few waves
p_closed, p_auto = jax.jit(density)(a_random, cells), jax.jit(density_from_autocorrelation)(a_random, cells)
ledger.record("forms_differ", jnp.abs(p_closed - p_auto).max(), low=0, high=1e-5, digits=7)
ledger.record("density_min", p_auto.min(), low=-1e-5, high=0.01, digits=7)
ledger.record("integral_error", jnp.abs(p_closed.mean(-1) * 2 - 1).max(), low=0, high=1e-5, digits=7)


# %% [markdown]
# ### Normalise, take logarithms, and it is a layer
#
# A classifier needs a probability per bin. Evaluate $p$ at the bin centres $b_j$ and divide by the sum; the denominators cancel, so only $|\sum_\ell a_\ell e^{-i\ell\pi b_j}|^2$ is left. That is `fourier_pmf`. Return the logarithm of the result plus `FLOOR`, and the usual cross-entropy works unchanged: a softmax turns it back into the probabilities, with a little of the uniform distribution mixed in.
#
# One fact for free. As long as $N<m$ the sum over the bins is exactly $m\sum_\ell|a_\ell|^2$ (the waves are orthogonal), and by Cauchy and Schwarz no single term exceeds $(N+1)\sum_\ell|a_\ell|^2$. So **no bin can get more than $(N+1)/m$**. A head with few frequencies cannot be certain.
#
# The checks are stricter: they ask for $N<m/2$. At $m$ bin centres the waves $k$ and $m-k$ cannot be told apart, so above $m/2$ a frequency adds no new wave on the bins. It only frees the density to go anywhere between the centres, where no data hold it. The paper gives this advice too; its own Atari head, 14 frequencies for 18 actions, does not follow it. The price is that under $N<m/2$ no bin can get much more than one half, whatever $N$.
#
# With real and imaginary parts side by side, the sum over $\ell$ is one product with a fixed real matrix of cosines and sines. The version for training does that, and refuses or survives extreme inputs:

# %% tags=["definition", "recipe"]
def fourier_log_pmf(outputs, bins):
    """Log-probabilities of the bins from the outputs of a linear layer.

    outputs: shape (..., 2 (N + 1)): real parts, then imaginary parts, of a_0 .. a_N.
    Returns log(y + FLOOR), shape (..., bins). Half-precision inputs are computed in float32.
    """
    check_outputs(outputs, bins)
    if outputs.dtype in (jnp.float16, jnp.bfloat16):
        outputs = in_single(outputs)
    # The density does not depend on the scale of a, so scaling first costs nothing and nothing overflows.
    # Two factors, because 1 / largest itself can underflow. Outputs far below 1e-18 fade into the uniform
    # density: their gradient, which grows like 1 / scale, would overflow.
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(outputs), axis=-1, keepdims=True))
    shrink = jax.lax.rsqrt(jnp.maximum(largest, 1e-18))
    outputs = outputs * shrink * shrink
    angles = jnp.pi * jnp.arange(outputs.shape[-1] // 2)[:, None] * bin_centres(bins)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    waves = jnp.block([[cos, -sin], [sin, cos]])  # multiplies a by exp(-i pi l b): one real matrix
    real, imaginary = jnp.split(outputs @ waves.astype(outputs.dtype), 2, axis=-1)
    power = real**2 + imaginary**2 + 1e-12  # all zero: uniform, not 0/0
    return jnp.log(power / power.sum(-1, keepdims=True) + FLOOR)


@jax.custom_vjp
def in_single(outputs):
    """Half-precision numbers in float32. A gradient too large for their own type comes back as its largest number, not as infinity."""
    return outputs.astype(jnp.float32)


def limited(like, gradient):
    limits = jnp.finfo(like.dtype)
    return (jnp.clip(gradient, limits.min, limits.max).astype(like.dtype),)


in_single.defvjp(lambda outputs: (in_single(outputs), outputs[..., :0]), limited)


def check_outputs(outputs, bins):
    """Refuse what would give a silently wrong density."""
    check_array(outputs=outputs)
    if outputs.ndim < 1 or outputs.shape[-1] % 2 or outputs.shape[-1] < 4:
        raise ValueError(f"outputs has shape {outputs.shape}; the last axis must be 2 (N + 1) with N >= 1")
    check_sizes(bins=bins, frequencies=outputs.shape[-1] // 2 - 1)


# %% [markdown]
# As a Flax module. The layer starts the way PyTorch starts its linear layers, since that is what the authors used. The argument `limit` switches off the higher frequencies: with it, heads of different $N$ train side by side in one compiled program.

# %% tags=["definition", "recipe"]
def linear_layer(features, outputs, *, rngs):
    """A linear layer whose weights and biases start uniform in +-1 / sqrt(features), PyTorch's default."""
    start = lambda key, shape, dtype=jnp.float32, **_: jax.random.uniform(key, shape, dtype, -1, 1) / features**0.5
    return nnx.Linear(features, outputs, kernel_init=start, bias_init=start, rngs=rngs)


class FourierHead(nnx.Module):
    """Drop-in for the last linear layer of a classifier over ordered bins.

    features: width of the input. bins: number of classes m. frequencies: N, fewer than m / 2.
    Maps (..., features) to log-probabilities, (..., bins). Gillman et al. 2024, Algorithm 1.
    """

    def __init__(self, features, bins, frequencies, *, rngs):
        check_sizes(bins=bins, frequencies=frequencies, features=features)
        self.features, self.bins = features, bins
        self.linear = linear_layer(features, 2 * (frequencies + 1), rngs=rngs)

    def __call__(self, x, limit=None):
        return fourier_log_pmf(self.outputs(x, limit), self.bins)

    def outputs(self, x, limit=None):
        """Real parts, then imaginary parts, of a_0 .. a_N.

        limit: highest frequency to use, integers from 0 to N, one for all or shape (...).
        """
        check_width(x, self.features)
        outputs = self.linear(x)
        check_finite(outputs=outputs)
        if limit is None:
            return outputs
        frequencies = outputs.shape[-1] // 2 - 1
        right = check_orders(frequencies, limit=limit)
        if jnp.shape(limit) not in ((), x.shape[:-1]):
            raise ValueError(f"limit has shape {jnp.shape(limit)}; allowed are () and {x.shape[:-1]}")
        on = jnp.tile(jnp.arange(frequencies + 1), 2) <= jnp.asarray(limit)[..., None]
        return jnp.where(right[..., None], jnp.where(on, outputs, 0), jnp.nan)

    def penalty(self, x, limit=None):
        """The regulariser of the authors' code: 4 pi^2 times the mean over the batch of sum_k k^2 |c_k|^2.

        The paper's text (section 2.4) has 2 pi^2 / m in front, with m the number of bins.
        """
        real, imaginary = jnp.split(self.outputs(x, limit), 2, axis=-1)
        c = autocorrelation(real + 1j * imaginary)
        k = jnp.arange(c.shape[-1])
        penalty = 4 * jnp.pi**2 * jnp.mean(jnp.sum(k**2 * jnp.abs(c) ** 2, axis=-1))
        check_finite(penalty=penalty)
        return penalty


# %% tags=["nbval-check-output", "hide-cell"]
def count_parameters(make):
    """Parameters of the module that `make()` would make; eval_shape makes only its shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(nnx.eval_shape(make), nnx.Param)))


ab_random = jnp.concatenate([a_random.real, a_random.imag], -1)
robust = jnp.exp(fourier_log_pmf(ab_random, 50))
ledger.record("versions_differ", jnp.abs(robust - FLOOR - fourier_pmf(a_random, 50)).max(), low=0, high=1e-5, digits=7)
ledger.record("pmf_sum_error", jnp.abs(robust.sum(-1) - (1 + 50 * FLOOR)).max(), low=0, high=1e-5, digits=7)
ledger.record("largest_probability", robust.max(), low=0.12, high=0.2, digits=3)
ledger.record("parameters_fourier", count_parameters(lambda: FourierHead(32, 50, 12, rngs=nnx.Rngs(0))), low=858, high=858, digits=0)
ledger.record("parameters_linear", count_parameters(lambda: linear_layer(32, 50, rngs=nnx.Rngs(0))), low=1650, high=1650, digits=0)

# %% tags=["hide-input"]
ledger.say(
    "On 32 features and 50 bins the head with 12 frequencies has {parameters_fourier} parameters, the linear layer "
    "{parameters_linear}: $2(N+1)(n+1)$ against $m(n+1)$. With more bins the gap grows, since $N$ need not grow with $m$. "
    "Over 1,000 random inputs the largest probability it gives is {largest_probability}; the bound $(N+1)/m$ is 13/50."
)

# %% [markdown]
# ### A detail of the paper that does not do what it is for
#
# The paper divides the layer's initial weights by a large number, 1,000 say, so that training starts near the uniform density. Does it? $p$ depends only on the ratios $c_k/c_0$. **Predict** before you run: what does dividing all of $a$ by 1,000 do to $p$? What would start near uniform?

# %% tags=["nbval-check-output", "hide-cell"]
outputs = linear_layer(32, 26, rngs=nnx.Rngs(0))(jax.random.normal(jax.random.key(2), (1000, 32)))
initial = jax.nn.softmax(fourier_log_pmf(outputs, 50))
divided = jax.nn.softmax(fourier_log_pmf(outputs / 1000, 50))
shrink = jnp.where(jnp.arange(26) % 13 == 0, 1.0, 1e-3)  # keep a_0, divide only a_1 .. a_N
uniform = jnp.full(50, 1 / 50)
ledger.record("divided_changes", jnp.abs(initial - divided).max(), low=0, high=1e-5, digits=7)
ledger.record("initial_kl", kl_divergence(uniform, divided).mean(), low=0.4, high=0.7, digits=2)
ledger.record("shrunk_kl", kl_divergence(uniform, jax.nn.softmax(fourier_log_pmf(outputs * shrink, 50))).mean(), low=0, high=1e-3, digits=5)

# %% tags=["hide-input"]
ledger.say(
    "Dividing everything changes no probability by more than {divided_changes}: rounding. The distance to uniform "
    "stays {initial_kl} nats. Dividing only $a_1,\\dots,a_N$ brings it to {shrunk_kl}. What the division does change is the size of "
    "Adam's steps relative to the weights, and so the effective learning rate of the head."
)

# %% [markdown]
# ## Play with it
#
# Draw a density with the pointer, a finger or the arrow keys, and both heads learn it from samples while you watch. Things to try: 50 samples, then 5,000; a density with mass at one edge; and the button that shuffles the bins.

# %%
tl.explorable("fourier-head");


# %% [markdown]
# ## Experiment 1: what can N frequencies say?
#
# First without any learning from samples: give the head the exact target and see how close it can get. Four targets on 128 bins: two bumps, one narrow bump, a square wave, and a density that rises to a peak at the right edge. **Predict:** which needs the fewest frequencies? What goes wrong at the edges?

# %% tags=["hide-input"]
def fit_targets(bins):
    z = bin_centres(bins)
    shapes = {
        "two bumps": two_bumps(bins),
        "narrow bump": norm.pdf(z, 0.1, 0.05),
        "square wave": jnp.where(jnp.abs(z) < 0.5, 1.0, 0.05),
        "mass at one edge": jnp.exp((z - 1) / 0.3),
    }
    return {name: shape / shape.sum() for name, shape in shapes.items()}


targets = fit_targets(128)
fit_orders = jnp.arange(1, 25)
target_stack = jnp.stack(list(targets.values()))
fit = functools.partial(fit_fourier, frequencies=24, steps=config.fit_steps)
fit_keys = jax.random.split(jax.random.key(3), config.seeds)
over_keys = jax.vmap(fit, in_axes=(None, None, 0))
over_orders = jax.vmap(over_keys, in_axes=(None, 0, None))
fitted = jax.vmap(over_orders, in_axes=(0, None, None))(target_stack, fit_orders, fit_keys)
fit_kl = np.asarray(kl_divergence(target_stack[:, None, None], fitted))  # (targets, orders, starts)

# %% tags=["hide-input"]
fig = tl.panels(
    ["two bumps", "narrow bump", "square wave", "mass at one edge"],
    x_titles=["value"] * 4, y_titles=["probability", "", "", ""], height=340,
)  # fmt: skip
best_start = fit_kl.argmin(-1)
z128 = np.asarray(bin_centres(128))
best_fit = np.asarray(fitted)[np.arange(4)[:, None], np.arange(24)[None], best_start]  # (targets, orders, bins)
for i, name in enumerate(targets):
    fig.add_scatter(x=z128, y=target_stack[i], name="target", legendgroup="target", showlegend=i == 0,
                    line={"color": TRUTH, "dash": "dot", "width": 2}, row=1, col=i + 1)  # fmt: skip
    fig.add_scatter(x=z128, y=best_fit[i, 0], name="Fourier fit", legendgroup="fit", showlegend=i == 0,
                    line={"color": BLUE, "width": 2}, row=1, col=i + 1)  # fmt: skip
tl.scrub(
    fig, list(range(1, 25)),
    [{2 * i + 1: {"y": best_fit[i, order]} for i in range(4)} for order in range(24)],
    prefix="frequencies N = ", start=7,
)  # fmt: skip
tl.show(
    fig, name="targets",
    alt="Four target densities with the Fourier head's best fit, and a slider over the number of frequencies from 1 to 24. "
    "Smooth bumps are matched with few frequencies; the square wave keeps ripples; the density with all its mass at the right "
    "edge leaks some mass to the left edge, because the series is periodic.",
)  # fmt: skip

# %% tags=["hide-input"]
fig = tl.panels([f"Fits from {config.seeds} random starts, and their mean"], x_titles=["frequencies N"], y_titles=["KL(target ‖ fit)"])
for i, (name, color) in enumerate(zip(targets, [BLUE, GREEN, ORANGE, tl.COLORS["purple"]])):
    tl.add_band(fig, fit_orders, fit_kl[i].T, name=name, color=color)
log_axis(fig.update_yaxes, steps=(1,))
tl.show(
    fig,
    alt="KL divergence of fits from several random starts, and their mean, against the number of frequencies, logarithmic axis, for four targets. It falls fast for "
    "the bumps, until the two bumps' curve lies flat, and slowly for the square wave and for the density whose mass sits at one edge.",
)

# %% tags=["nbval-check-output", "hide-cell"]
order_8 = int(np.flatnonzero(fit_orders == 8)[0])
best_kl = fit_kl.min(-1)  # (targets, orders), over the starts
ledger.record("edge_leak_8", best_fit[3, order_8, :6].sum(), low=0.03, high=0.06, digits=3)
for name, kl, (low, high) in zip(targets, best_kl[:3], [(6, 6), (15, 17), (20, 24)]):
    too_few = np.minimum.accumulate(kl) >= 0.01
    ledger.record(f"enough_for_{name.replace(' ', '_')}", 1 + too_few.sum(), low=low, high=high, digits=0)
ledger.record("edge_kl_24", best_kl[3, -1], low=0.02, high=0.035)
ledger.record("plateau_kl", best_kl[0, -1], low=0.00003, high=0.0003, digits=5)
ledger.record("edge_truth_leak", target_stack[3, :6].sum(), low=0.0004, high=0.0005, digits=4)

# %% tags=["hide-input"]
ledger.say(
    "To come within a hundredth of a nat, {enough_for_two_bumps} frequencies are enough for the two bumps, {enough_for_narrow_bump} for the narrow one and {enough_for_square_wave} for the square wave. "
    "For the mass at one edge 24 are not: {edge_kl_24} nats remain. (The two bumps' curve ends flat, at {plateau_kl}. That is `FLOOR`: the loss adds it to every probability, so it hardly sees what happens in bins with less, and the KL does.)"
    + "\n\nThe series repeats every 2 units, so the last bin and the first are neighbours. The sloped target has {edge_truth_leak} of its mass in the "
    "first six bins; the head with 8 frequencies puts {edge_leak_8} there. For angles and hours of the day this is what one wants. For an open "
    "interval it is an error that only more frequencies reduce. Exercise 9 asks for a head without it."
)

# %% [markdown]
# ## Experiment 2: the paper's toy problem
#
# Now a network must learn a *conditional* density. An example is a triple $(x,y,z)$; the network sees $x$ and $y$, sorted into 50 bins, and must say how likely each of the 50 bins of $z$ is. Three ways to draw $z$ (paper, section 4):
#
# | data set | inputs | target |
# | --- | --- | --- |
# | Gaussian | $y$ close to $x$ | one bump at $y$ |
# | GMM-2 | $x$, $y$ independent | two equal bumps, at $x$ and at $y$ |
# | Beta | $y$ close to $x$ | $\pm$ a Beta variable with parameters $100\lvert x\rvert$, $100\lvert y\rvert$ |
#
# Since we made the data, we know the true probability of every bin and can measure the KL divergence to the truth instead of a noisy test loss. A part of it no head can avoid: the network sees only the *bins* of $x$ and $y$. We estimate what the best predictor from those bins would score, and draw it as a floor.

# %% tags=["definition", "recipe", "hide-input"]
BINS = 50


def bin_masses(cdf):
    """Probability of each bin from the cdf at the bin edges; what lies outside counts to the end bins."""
    return jnp.diff(cdf.at[..., 0].set(0).at[..., -1].set(1), axis=-1)


def gaussian(key, x, y):
    edges = jnp.linspace(-1, 1, BINS + 1)
    return y + 0.1 * jax.random.normal(key, y.shape), bin_masses(norm.cdf(edges, y[:, None], 0.1))


def gmm2(key, x, y):
    key_side, key_noise = jax.random.split(key)
    z = jnp.where(jax.random.bernoulli(key_side, shape=x.shape), x, y) + 0.1 * jax.random.normal(key_noise, x.shape)
    edges = jnp.linspace(-1, 1, BINS + 1)
    return z, bin_masses((norm.cdf(edges, x[:, None], 0.1) + norm.cdf(edges, y[:, None], 0.1)) / 2)


def beta(key, x, y):
    key_sign, key_size = jax.random.split(key)
    a, b = 100 * jnp.abs(x), 100 * jnp.abs(y)
    z = jax.random.beta(key_size, a, b) * jax.random.rademacher(key_sign, x.shape)
    edges = jnp.linspace(-1, 1, BINS + 1)
    return z, bin_masses((1 + jnp.sign(edges) * betainc(a[:, None], b[:, None], jnp.abs(edges))) / 2)


TASKS = {"Gaussian": gaussian, "GMM-2": gmm2, "Beta": beta}


def to_bin(value):
    """Index of the bin of a value in [-1, 1]; values outside go to the end bins."""
    check_finite(value=value)
    return jnp.clip(jnp.floor((value + 1) / 2 * BINS), 0, BINS - 1).astype(jnp.int32)


@functools.partial(jax.jit, static_argnames=("task", "examples"))
def draw_examples(task, key, examples):
    """Examples of one task: (x and y, shape (examples, 2); bin of z, (examples,); true pmf, (examples, 50))."""
    key_x, key_y, key_z = jax.random.split(key, 3)
    x = jax.random.uniform(key_x, (examples,), minval=-0.8, maxval=0.8)
    if task == "GMM-2":
        y = jax.random.uniform(key_y, (examples,), minval=-0.8, maxval=0.8)
    else:
        y = x + 0.1 * jax.random.normal(key_y, (examples,))
    z, pmf = TASKS[task](key_z, x, y)
    return jnp.stack([x, y], axis=-1), to_bin(z), pmf


def encode(values, raw=False):
    """What the network is fed: the bin of each value, as its centre or, as in the authors' code, its index."""
    return to_bin(values).astype(jnp.float32) if raw else bin_centres(BINS)[to_bin(values)]


# %% tags=["hide-input"]
tasks = list(TASKS)
label_of = {task: task.replace("-", "").lower() for task in tasks}
example_inputs = {"Gaussian": [(-0.5, -0.4), (0.4, 0.3)], "GMM-2": [(-0.5, 0.3), (0.5, 0.6)], "Beta": [(0.1, 0.15), (0.6, 0.7)]}
fig = tl.panels(tasks, x_titles=["z"] * 3, y_titles=["true probability of the bin", "", ""], height=320)
for column, (task, inputs) in enumerate(example_inputs.items(), start=1):
    # In jit, what is not returned, here the samples, is not compiled either.
    truths = jax.jit(lambda pairs, task=task: TASKS[task](jax.random.key(0), *pairs.T)[1])(jnp.array(inputs))
    for (first, second), masses, color in zip(inputs, np.asarray(truths), [BLUE, GREEN]):
        fig.add_scatter(x=np.asarray(bin_centres(BINS)), y=masses, name=f"{task}: x = {first}, y = {second}",
                        line={"color": color, "width": 2, "shape": "hvh"}, row=1, col=column)  # fmt: skip
tl.show(
    fig,
    alt="The true probabilities of 50 bins for two inputs of each data set. Gaussian: one bump, at y. GMM-2: two equal bumps, at x and at y, "
    "which merge where x and y are close. Beta: two mirrored bumps on both sides of zero, broad for the small input and narrow for the large one.",
)  # fmt: skip


# %% [markdown]
# The network is the paper's: two hidden layers of 64 and 32 units, and a head. We compare three heads. *Linear* is the softmax over bins. *Fourier* is ours. The third is the paper's specialist, a mixture of two Gaussians whose means depend on the input and whose widths do not. That is exactly right for the first two data sets. On Beta the true widths vary with the input, which it cannot follow.

# %% tags=["definition", "recipe"]
class MixtureHead(nnx.Module):
    """Log-probabilities of the bins under two Gaussians of equal weight, (..., features) -> (..., bins).

    The layer gives the means, through tanh; each component's width is one learned number for all inputs,
    through softplus, and starts at the width of a bin. This is the paper's baseline, as in the authors' code:
    FLOOR is added to the density, so that an example far from both bumps pulls on nothing. A mixture density
    network (Bishop 1994) would make the widths depend on the input, too.
    """

    def __init__(self, features, bins, *, rngs):
        check_counts(features=features, bins=bins)
        self.features, self.bins = features, bins
        self.linear = linear_layer(features, 2, rngs=rngs)
        self.width = nnx.Param(jnp.full(2, jnp.log(jnp.expm1(2 / bins))))  # before the softplus

    def __call__(self, x):
        check_width(x, self.features)
        means = jnp.tanh(self.linear(x))[..., None, :]  # (..., 1, 2)
        # Narrower than an eighth of a bin, a bump between two centres would vanish from all bins.
        widths = jnp.maximum(jax.nn.softplus(self.width[...]), 0.25 / self.bins)
        check_finite(means=means, widths=widths)
        density = norm.pdf(bin_centres(self.bins)[:, None], means, widths).mean(axis=-1)
        return jax.nn.log_softmax(jnp.log(density + FLOOR))


MAX_FREQUENCIES = max(config.frequencies)  # heads with fewer switch the rest off
HEADS = {
    "linear": linear_layer,
    "mixture": MixtureHead,
    "fourier": functools.partial(FourierHead, frequencies=MAX_FREQUENCIES),
}


class ToyNetwork(nnx.Module):
    """The paper's network, 2 -> 64 -> 32 -> head. limit: highest frequency a Fourier head may use."""

    def __init__(self, head, *, rngs):
        self.first, self.second = linear_layer(2, 64, rngs=rngs), linear_layer(64, 32, rngs=rngs)
        self.head = HEADS[head](32, BINS, rngs=rngs)

    def features(self, x):
        return nnx.relu(self.second(nnx.relu(self.first(x))))

    def __call__(self, x, limit):
        features = self.features(x)
        return self.head(features, limit) if isinstance(self.head, FourierHead) else self.head(features)


# %% [markdown]
# Two yardsticks. The KL divergence says how far the answer is from the truth. *Smoothness* (defined in section 3 of the paper) says how much an answer changes when it is blurred by Gaussians of growing width $\sigma$:
#
# $$s(y)=\sum_{\sigma=1}^{100}\frac{6}{\pi^2\sigma^2}\,\lVert y-g_\sigma*y\rVert_2 .$$
#
# The uniform distribution scores 0 and rough ones score more. Note the direction: *larger is rougher*. A blur multiplies each discrete Fourier mode by a number, so the norm needs no convolution.

# %% tags=["definition", "recipe", "hide-input"]
def blur_removes(bins):
    """What blurring takes from each discrete Fourier mode: |1 - g_sigma|^2, shape (100, bins // 2 + 1)."""
    offsets = np.arange(1 - bins, bins)
    rows = []
    for sigma in range(1, 101):
        weights = np.exp(-(offsets**2) / (2 * sigma**2))
        kernel = np.bincount(offsets % bins, weights / weights.sum(), minlength=bins)  # wrapped around
        rows.append(np.abs(1 - np.fft.rfft(kernel)) ** 2)
    return jnp.asarray(rows, jnp.float32)


def smoothness(pmf):
    """Smoothness of pmfs, shape (..., bins) -> (...). Zero is uniform, larger is rougher."""
    bins = pmf.shape[-1]
    modes = jnp.arange(bins // 2 + 1)
    twice = jnp.where((modes == 0) | (2 * modes == bins), 1, 2)  # the other half of the spectrum
    energy = twice * jnp.abs(jnp.fft.rfft(pmf, axis=-1)) ** 2 / bins  # Parseval
    norms = jnp.sqrt(energy @ blur_removes(bins).T)
    return norms @ (6 / (jnp.pi * jnp.arange(1, 101)) ** 2)


# %% [markdown]
# Training is the paper's too: Adam with step size `0.001` on batches of 32. A `Case` is one condition of the experiment; `train_toy` trains one head on many cases and all seeds side by side, in one compiled loop (`tl.train`), and measures on fresh test inputs.

# %% tags=["definition", "recipe", "hide-input"]
@dataclass(frozen=True)
class Case:
    """One condition of the toy problem."""

    task: str = "GMM-2"
    frequencies: int = 12  # for the Fourier head; other heads ignore it
    copies: int = 1  # the training set is one such part of the usual one, repeated so often
    raw: bool = False  # feed bin indices instead of bin centres
    scramble: int = 1  # width of the blocks in which the bins of z are permuted


@functools.partial(jax.jit, static_argnames="width")
def scramble(key, width):
    """A permutation of the 50 bins that moves nothing out of its block of `width` bins."""
    check_counts(width=width)
    if BINS % width:
        raise ValueError(f"width is {width}; it must divide {BINS}")
    blocks = jnp.arange(BINS).reshape(-1, width)
    keys = jax.random.split(key, len(blocks))
    return jax.vmap(jax.random.permutation)(keys, blocks).reshape(-1)


ADAM = optax.adam(1e-3)
PROBES = jnp.array([[-0.5, 0.3], [-0.1, 0.1], [0.6, 0.62]])  # three inputs (x, y) to look at


@functools.cache  # the same function objects each time, so that nothing compiles twice
def toy_problem(head, gamma=0.0):
    """For one head: (function from a key to parameters, loss, metrics)."""
    # Only the structure: eval_shape computes no weights.
    graph, _ = nnx.split(nnx.eval_shape(lambda: ToyNetwork(head, rngs=nnx.Rngs(0))), nnx.Param)

    def start(key):
        return nnx.state(ToyNetwork(head, rngs=nnx.Rngs(key)), nnx.Param)

    def loss(params, batch):
        inputs, labels, limit = batch
        network = nnx.merge(graph, params)
        value = optax.softmax_cross_entropy_with_integer_labels(network(inputs, limit), labels).mean()
        return value + gamma * network.head.penalty(network.features(inputs), limit) if gamma else value

    def metrics(params, test):
        inputs, truth, probes, limit = test
        network = nnx.merge(graph, params)
        pmf = jax.nn.softmax(network(inputs, limit))
        return {
            "kl": kl_divergence(truth, pmf).mean(),
            # The Fourier head has FLOOR mixed in. Here every head gets the same.
            "kl_floored": kl_divergence(truth, (pmf + FLOOR) / (1 + BINS * FLOOR)).mean(),
            "smoothness": smoothness(pmf).mean(),
            "pmf": jax.nn.softmax(network(probes, limit)),
        }

    return jax.vmap(start), loss, metrics


@functools.lru_cache(maxsize=32)  # cases that differ elsewhere share their examples
def drawn(task, seed, examples):
    """What `draw_examples` gives for a seed, as NumPy arrays, and the key for the seed's scramble."""
    key_data, key_order = jax.random.split(jax.random.key(seed))
    return *map(np.asarray, draw_examples(task, key_data, examples)), key_order


def toy_run(case, seed, examples, test_examples):
    """Data of one run: (training set, test set), as `toy_problem`'s loss and metrics take them.

    NumPy arrays: each small operation in JAX is a program to compile, and here are many.
    """
    values, labels, truth, key_order = drawn(case.task, seed, examples + test_examples)
    inputs, probes = (np.asarray(encode(x, case.raw)) for x in (values, PROBES))
    order = np.asarray(scramble(key_order, case.scramble))
    part = examples // case.copies
    repeat = lambda x: np.concatenate([x[:part]] * case.copies)
    limit = np.int32(case.frequencies)
    train = (repeat(inputs), repeat(order[labels]), np.full(examples, limit))
    test = (inputs[examples:], truth[examples:][:, np.argsort(order)], probes, limit)
    return train, test


@functools.partial(jax.jit, static_argnums=0)
def training_keys(seeds):
    """Two keys for each of so many seeds, shape (2, seeds): for the initial weights and for the order of the examples."""
    keys = jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(seed), 1))(jnp.arange(seeds))
    return jax.vmap(jax.random.split, out_axes=1)(keys)


def train_toy(head, cases, config, *, epochs=None, gamma=0.0, divide=1, records=8):
    """Train one head on all cases and seeds, side by side, and measure `records` times on the way.

    divide: the head's initial weights by this number; the authors take 100 for the Fourier head.
    Returns {case: {measurement: array with axes (records, seeds, ...)}}; "epoch" has only the first.
    """
    epochs = config.epochs if epochs is None else epochs
    start, loss, metrics = toy_problem(head, gamma)
    runs = [(case, seed) for case in cases for seed in range(config.seeds)]
    data = [toy_run(case, seed, config.examples, config.test_examples) for case, seed in runs]
    train, test = jax.tree.map(lambda *leaves: np.stack(leaves), *data)
    # A seed's initial weights are the same in every case.
    key_start, key_shuffle = training_keys(config.seeds)
    of_seed = np.array([seed for _, seed in runs])
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[of_seed], start(key_start))
    params["head"] = jax.tree.map(lambda leaf: leaf / np.float32(divide), params["head"])
    _, history = tl.train(
        loss, params, train, optimizer=ADAM, keys=key_shuffle[of_seed], epochs=epochs, batch_size=32,
        metrics=metrics, test=test, record_every=max(1, epochs // records),
    )  # fmt: skip
    epoch = history.pop("epoch")
    of_case = lambda i: slice(i * config.seeds, (i + 1) * config.seeds)
    return {
        case: {"epoch": epoch} | {name: values[:, of_case(i)] for name, values in history.items()}
        for i, case in enumerate(cases)
    }


# %% [markdown]
# **What differs from the paper, all in one place.** In every run here: the truth is the exact mass of each bin, not the density at its centre; a seed fixes data, initial weights and batches, and there are five (theirs fix the data, and there are four); the mixture's widths cannot fall below an eighth of a bin. In the short runs of this notebook also: the Fourier head's initial weights are PyTorch's own, while the authors' toy script divides them by 100; the network is fed bin centres between −1 and 1 instead of bin indices 0 to 49, and trains for 56 epochs instead of 500. A case with fewer examples repeats them, so that every epoch has the same number of steps.

# %% tags=["definition", "hide-input"]
def input_floor(values, truth):
    """KL of the best predictor that sees only the bins of x and y: the mean truth of each pair of bins.

    values: x and y, shape (examples, 2). truth: pmfs of z, shape (examples, BINS). Many examples are needed:
    the means are taken from the same draws, so the floor comes out a little too low.
    """
    x, y = to_bin(values).T
    total = jax.ops.segment_sum(truth, BINS * x + y, BINS**2)
    best = total / jnp.maximum(total.sum(-1, keepdims=True), 1)
    return float(kl_divergence(truth, best[BINS * x + y]).mean())


# %% [markdown]
# ### The paper's protocol
#
# **Predict** how the KL divergence to the truth changes as $N$ grows from 2 to 20. (In what follows ± is the standard deviation over seeds and a band runs from the lowest seed to the highest. A seed fixes the data for all heads, so ratios are taken seed by seed.)
#
# The paper feeds raw bin indices and trains for 500 epochs. That takes longer than a notebook should, so a committed script (`tools/fourier_head_paper.py`) ran this chapter's own definitions with the paper's settings once; the next cells read its result file. The published column is aggregated from the metric files in the authors' repository; it agrees with Table 1 of the paper's first version where that table has the same entry. Their seeds do not fix the initial weights, so only distributions can be compared.

# %% tags=["cited"]
# KL, mean and standard deviation over 4 seeds, from the metric files in the authors' repository (Gillman et al. 2024).
PUBLISHED_KL = {
    "Gaussian": {"linear": (0.170, 0.052), "fourier": (0.116, 0.043), "mixture": (0.026, 0.011)},
    "GMM-2": {"linear": (0.238, 0.032), "fourier": (0.146, 0.033), "mixture": (0.030, 0.006)},
    "Beta": {"linear": (0.234, 0.032), "fourier": (0.191, 0.016), "mixture": (0.407, 0.012)},
}
# Smoothness of the same heads; here the spread is over the 4,000 densities of the test set.
PUBLISHED_SMOOTHNESS = {
    "Gaussian": {"linear": (0.116, 0.050), "fourier": (0.057, 0.011), "mixture": (0.068, 0.012)},
    "GMM-2": {"linear": (0.068, 0.022), "fourier": (0.038, 0.007), "mixture": (0.043, 0.009)},
    "Beta": {"linear": (0.127, 0.044), "fourier": (0.076, 0.021), "mixture": (0.061, 0.003)},
}
# KL at N = 2, 4, .., 20 without the regulariser, means only.
PUBLISHED_SWEEP = {
    "Gaussian": [0.563, 0.197, 0.095, 0.100, 0.098, 0.116, 0.087, 0.133, 0.087, 0.112],
    "GMM-2": [0.385, 0.174, 0.129, 0.141, 0.161, 0.146, 0.210, 0.205, 0.196, 0.169],
    "Beta": [0.847, 0.548, 0.383, 0.282, 0.225, 0.191, 0.172, 0.159, 0.167, 0.169],
}

# %% tags=["hide-input"]
from IPython.display import Markdown, display

full = tl.load_result("fourier-head-paper")
paper_orders = list(range(2, 21, 2))


def paper_run(task, head, frequencies=12, raw=True, gamma=0.0, divide=100, measure="kl"):
    """KL, or "smoothness", of the committed run of the paper's protocol, shape (records, seeds). Smoothness has only the last record."""
    wanted = (task, head, raw, gamma, *((frequencies, divide) if head == "fourier" else (0, 1)))
    keys = ("task", "head", "raw", "gamma", "frequencies", "divide")
    return np.array(next(row[measure] for row in full["results"] if tuple(row[key] for key in keys) == wanted))


paper_epochs = full["results"][0]["epoch"]
made = full["provenance"]
display(Markdown(
    f"Our column: `{made['script']}` on {made['device']}, {made['seconds'] / 60:.0f} minutes, jax {made['versions']['jax']}; {made['setting']}."
))  # fmt: skip

# %% tags=["nbval-check-output", "hide-cell"]
# The file holds a finished measurement: a range here is as wide as the rounding in the text.
HERE = {
    "Gaussian": {"linear": (0.152, 0.154), "mixture": (0.032, 0.034), "fourier": (0.082, 0.084)},
    "GMM-2": {"linear": (0.246, 0.248), "mixture": (0.044, 0.046), "fourier": (0.141, 0.143)},
    "Beta": {"linear": (0.228, 0.230), "mixture": (0.432, 0.434), "fourier": (0.197, 0.199)},
}
SMOOTH_HERE = {
    "Gaussian": {"linear": (0.116, 0.118), "mixture": (0.066, 0.068), "fourier": (0.055, 0.057)},
    "GMM-2": {"linear": (0.079, 0.081), "mixture": (0.045, 0.047), "fourier": (0.038, 0.040)},
    "Beta": {"linear": (0.128, 0.130), "mixture": (0.059, 0.061), "fourier": (0.076, 0.078)},
}
UNDIVIDED = {"Gaussian": (0.067, 0.069), "GMM-2": (0.125, 0.127), "Beta": (0.168, 0.170)}
distances = {}
for task, published in PUBLISHED_KL.items():
    label = label_of[task]
    for head, (mean, sd) in published.items():
        ours, (low, high) = paper_run(task, head)[-1], HERE[task][head]
        distances[task, head] = (ours.mean() - mean) / sd
        ledger.record(f"paper_{label}_{head}", ours, low=low, high=high)
        ledger.record(f"distance_{label}_{head}", distances[task, head], low=(low - mean) / sd, high=(high - mean) / sd, digits=1)
        low, high = SMOOTH_HERE[task][head]
        ledger.record(f"smooth_{label}_{head}", paper_run(task, head, measure="smoothness")[-1], low=low, high=high)
    undivided = paper_run(task, "fourier", divide=1)[-1]
    ledger.record(f"undivided_{label}", undivided, low=UNDIVIDED[task][0], high=UNDIVIDED[task][1])
sweep_rise = paper_run("GMM-2", "fourier", 20)[-1] / paper_run("GMM-2", "fourier", 6)[-1]
ledger.record("sweep_rise", sweep_rise, low=1.35, high=1.37, digits=2)

# %% tags=["hide-input"]
rows = ["| data | head | KL, paper | KL, here | difference in published sd | smoothness, paper (± over its 4,000 densities) | smoothness, here (± over seeds) |", "| --- " * 7 + "|"]
for task, published in PUBLISHED_KL.items():
    label = label_of[task]
    for head, (mean, sd) in published.items():
        smooth = "{:.3f}\u00a0±\u00a0{:.3f}".format(*PUBLISHED_SMOOTHNESS[task][head])
        ours = f"{{paper_{label}_{head}:pm}} | {{distance_{label}_{head}}} | {smooth} | {{smooth_{label}_{head}:pm}}"
        rows.append(f"| {task} | {head} | {mean:.3f}\u00a0±\u00a0{sd:.3f} | {ours} |")
    rows.append(f"| {task} | fourier, weights not divided | | {{undivided_{label}:pm}} | | | |")
ledger.say("\n".join(rows))

# %% tags=["hide-input"]
fig = tl.panels(tasks, x_titles=["frequencies N"] * 3, y_titles=["KL(truth ‖ head)", "", ""])
for column, task in enumerate(tasks, start=1):
    runs = np.stack([paper_run(task, "fourier", n)[-1] for n in paper_orders], axis=1)
    tl.add_band(fig, paper_orders, runs, name="here", color=BLUE, row=1, col=column)
    fig.data[-1].showlegend = column == 1
    fig.add_scatter(x=paper_orders, y=PUBLISHED_SWEEP[task], mode="lines+markers", name="paper", legendgroup="paper",
                    showlegend=column == 1, line={"color": TRUTH, "dash": "dot", "width": 2}, row=1, col=column)  # fmt: skip
log_axis(fig.update_yaxes)
tl.show(
    fig, name="protocol",
    alt="KL divergence against the number of frequencies under the paper's full protocol, our five seeds as a band and the published means "
    "as a dotted line, for three data sets. Both fall steeply up to about 6 frequencies; on GMM-2 both rise again beyond, on the others they level off. Ours lies mostly at or below the published line.",
)  # fmt: skip

# %% tags=["nbval-check-output", "hide-cell"]
ledger.record("protocol_furthest", max(abs(d) for d in distances.values()), low=2.44, high=2.54, digits=1)
ledger.record("protocol_fourier_lower", sum(distances[task, "fourier"] < 0 for task in tasks), low=2, high=2, digits=0)
ledger.record("protocol_within_2sd", sum(abs(d) <= 2 for d in distances.values()), low=7, high=7, digits=0)
regularised = [paper_run(task, "fourier", gamma=1e-6)[-1] / paper_run(task, "fourier")[-1] for task in tasks]
division = [paper_run(task, "fourier")[-1] / paper_run(task, "fourier", divide=1)[-1] for task in tasks]
ledger.record("division_changes_kl", np.mean(division, axis=0), low=1.19, high=1.21, digits=2)
ledger.record("regulariser_changes_kl", np.mean(regularised, axis=0), low=1.04, high=1.06, digits=2)

# %% tags=["hide-input"]
ledger.say(
    "{protocol_within_2sd} of the nine means lie within two published standard deviations; the furthest is {protocol_furthest} away, that of the mixture head on GMM-2. "
    "Two standard deviations of single runs is a lenient test for a mean of five; {protocol_fourier_lower} of the three Fourier means are lower than the published ones.\n\n"
    "Is there a best number of frequencies? On GMM-2 there is, in both curves: our KL divergence is {sweep_rise:pm} times higher at $N=20$ than at $N=6$. The head then has the freedom to follow single examples.\n\n"
    "The division by 100, which changed nothing at the start, is no idle detail: it multiplies the KL divergence at $N=12$ by {division_changes_kl:pm} (mean over the data sets). Adam's steps do not shrink with the weights, so a divided head starts with steps that are large beside them. "
    "It is not divided in the short runs below.\n\n"
    "The regulariser of the authors' code, at their strength of one millionth, multiplies the KL divergence at $N=12$ by {regulariser_changes_kl:pm} on average over the data sets: it does not help here, and the seeds disagree about whether it hurts."
)

# %% [markdown]
# ### How much of the advantage is over-training?
#
# 500 epochs are many for 4,000 examples. The committed run measured on the way, with the paper's raw inputs and with inputs rescaled to lie between −1 and 1. **Predict:** does rescaling help the linear head or the Fourier head more? If both heads are stopped at their best epoch, what remains of the difference on each data set?

# %% tags=["hide-input"]
fig = tl.panels(tasks, x_titles=["epoch"] * 3, y_titles=["KL(truth ‖ head)", "", ""])
for column, task in enumerate(tasks, start=1):
    for head, color in [("linear", ORANGE), ("fourier", BLUE)]:
        for inputs, dash in [("raw", "solid"), ("rescaled", "dot")]:
            runs, name = paper_run(task, head, raw=inputs == "raw")[1:].T, f"{head} head, {inputs} inputs"
            for run in runs:
                fig.add_scatter(x=paper_epochs[1:], y=run, mode="lines", opacity=0.3, meta="run", legendgroup=name, showlegend=False,
                                hoverinfo="skip", line={"color": color, "width": 0.7, "dash": dash}, row=1, col=column)  # fmt: skip
            fig.add_scatter(x=paper_epochs[1:], y=runs.mean(axis=0), mode="lines", name=name, legendgroup=name, showlegend=column == 1,
                            line={"color": color, "width": 2.5, "dash": dash}, row=1, col=column)  # fmt: skip
log_axis(fig.update_yaxes)
tl.show(
    fig, name="overtraining",
    alt="KL divergence against epochs up to 500 for the linear head (orange) and the Fourier head with 12 frequencies (blue), raw inputs as solid lines and rescaled ones as dotted lines, three data "
    "sets, the mean over five seeds bold and each seed thin. With rescaled inputs the linear head is best early and then rises, while the Fourier head changes little after its first hundred epochs.",
)  # fmt: skip

# %% tags=["nbval-check-output", "hide-cell"]
# Fourier over linear at the last epoch and at each head's best epoch: raw inputs, then rescaled ones.
RATIOS = {
    "Gaussian": {"last": ((0.53, 0.55), (0.62, 0.64)), "best": ((0.99, 1.01), (0.86, 0.88))},
    "GMM-2": {"last": ((0.57, 0.59), (0.51, 0.53)), "best": ((0.58, 0.60), (0.50, 0.52))},
    "Beta": {"last": ((0.87, 0.89), (0.99, 1.01)), "best": ((1.17, 1.19), (1.42, 1.44))},
}
for task, expected in RATIOS.items():
    for i, (inputs, is_raw) in enumerate({"raw": True, "rescaled": False}.items()):
        linear, fourier = (paper_run(task, head, raw=is_raw) for head in ("linear", "fourier"))
        ratios = {"last": fourier[-1] / linear[-1], "best": fourier.min(axis=0) / linear.min(axis=0)}
        for name, ratio in ratios.items():
            low, high = expected[name][i]
            ledger.record(f"{name}_{inputs}_{label_of[task]}", ratio, low=low, high=high, digits=2)


def standings(kind):
    """For example "ahead on GMM-2, level on Beta": level means a ratio within two standard errors of one."""
    groups = {"ahead": [], "level": [], "behind": []}
    for task in tasks:
        ratio = ledger.records[f"{kind}_{label_of[task]}"]
        error = 2 * ratio["sd"] / len(ratio["values"]) ** 0.5
        groups["ahead" if ratio["mean"] + error < 1 else "behind" if ratio["mean"] - error > 1 else "level"].append(task)
    return ", ".join(f"{where} on {' and '.join(names)}" for where, names in groups.items() if names)


# %% tags=["nbval-check-output", "hide-cell"]
at_50 = paper_epochs.index(50)
RAW_PENALTIES = {"linear": ((1.6, 1.8), (1.6, 1.8)), "fourier": ((1.5, 1.7), (4.0, 4.2))}  # at the end, and early
for head, ranges in RAW_PENALTIES.items():
    for when, i, (low, high) in [("last", -1, ranges[0]), ("early", at_50, ranges[1])]:
        penalty = np.mean([paper_run(task, head)[i] / paper_run(task, head, raw=False)[i] for task in tasks], axis=0)
        ledger.record(f"raw_penalty_{when}_{head}", penalty, low=low, high=high, digits=1)

# %% tags=["hide-input"]
ratio_table = [
    "| KL of Fourier-12 / KL of linear | raw, last epoch | raw, best epochs | rescaled, last epoch | rescaled, best epochs |",
    "| --- | --- | --- | --- | --- |",
]
for task in tasks:
    label = label_of[task]
    names = [f"{when}_{inputs}_{label}" for inputs in ("raw", "rescaled") for when in ("last", "best")]
    ratio_table.append(f"| {task} | " + " | ".join("{" + name + ":pm}" for name in names) + " |")
won = sum(ledger.records[f"last_raw_{label_of[task]}"]["mean"] < 1 for task in tasks)
ledger.say(
    "\n".join(ratio_table) + "\n\nBelow one, the Fourier head is better; the paper's comparison is the first column. "
    f"**In one sentence: {['no win', 'one win', 'two wins', 'three wins'][won]} of three as published (raw inputs, last epoch); on rescaled inputs, with both heads stopped at their best epochs, the Fourier head is {standings('best_rescaled')}.** "
    f"(Level means: within two standard errors. With raw inputs and best epochs it is {standings('best_raw')}.)\n\n"
    "So the paper's table compares, in part, how the two heads *over-train*. That the Fourier head over-trains less is an "
    "advantage in itself: nobody knows the best epoch in advance. "
    f"(We measured every {paper_epochs[1]} epochs, so a best epoch in between is missed.)\n\n"
    "Raw inputs multiply the KL divergence by {raw_penalty_early_linear:pm} for the linear head and by {raw_penalty_early_fourier:pm} for the Fourier head after 50 epochs, and by {raw_penalty_last_linear:pm} and {raw_penalty_last_fourier:pm} "
    "after 500 (mean over the three data sets). A factor of this size, from a rescaling, is a reminder to look at the inputs before the architecture. From here on, inputs are rescaled."
)

# %% [markdown]
# ### Our short training
#
# Now the notebook trains: rescaled inputs, 56 epochs, five seeds, all in a minute. **Predict,** from the figure above at epoch 50: on how many of the three data sets is the Fourier head ahead? And as $N$ grows from 2 to 16, where does its smoothness lie against that of the *true* distributions?

# %%
plain = [Case(task) for task in tasks]
sweep = [Case(task, n) for task in tasks for n in config.frequencies]
small = [Case(copies=copies) for copies in config.copies]
# The smaller training sets of experiment 3 and the shuffled bins of experiment 4 train along, in the same compiled program.
toy = {
    head: train_toy(head, cases, config, records=config.records)
    for head, cases in [("linear", [*plain, *small, Case(scramble=BINS)]), ("mixture", plain), ("fourier", [*sweep, *small])]
}

floor, true_smoothness = {}, {}
for task in tasks:
    draws = [draw_examples(task, jax.random.key(100 + i), config.examples + config.test_examples) for i in range(5)]
    floor[task] = input_floor(jnp.concatenate([values for values, _, _ in draws]), jnp.concatenate([truth for _, _, truth in draws]))
    true_smoothness[task] = float(smoothness(draws[0][2]).mean())


def final(head, metric, task, frequencies=12):
    """Last measured value per seed, shape (seeds,)."""
    return toy[head][Case(task, frequencies)][metric][-1]


# %% tags=["hide-input"]
def sweep_figure(metric, title):
    fig = tl.panels(tasks, x_titles=["frequencies N"] * 3, y_titles=[title, "", ""])
    for column, task in enumerate(tasks, start=1):
        runs = np.stack([final("fourier", metric, task, n) for n in config.frequencies], axis=1)
        tl.add_band(fig, config.frequencies, runs, name="Fourier head", color=BLUE, row=1, col=column)
        fig.data[-1].showlegend = column == 1
        ends = [config.frequencies[0], config.frequencies[-1]]
        for head, color in [("linear", ORANGE), ("mixture", GREEN)]:
            values = final(head, metric, task)
            tl.add_band(fig, ends, np.stack([values, values], axis=1), name=f"{head} head", color=color, row=1, col=column)
            fig.data[-1].update(showlegend=column == 1, mode="lines")
        level, label = (true_smoothness, "truth") if metric == "smoothness" else (floor, "best from binned inputs")
        fig.add_scatter(x=ends, y=[level[task]] * 2, mode="lines", name=label, legendgroup=label,
                        showlegend=column == 1, line={"color": TRUTH, "dash": "dot", "width": 2}, row=1, col=column)  # fmt: skip
    return fig


fig = sweep_figure("kl", "KL(truth ‖ head)")
log_axis(fig.update_yaxes)
tl.show(
    fig, name="kl-sweep",
    alt="KL divergence against the number of frequencies for the Gaussian, GMM-2 and Beta data, bands over five seeds. The Fourier "
    "head's curve falls steeply up to about 8 frequencies, then levels off. Horizontal bands mark the linear head, which is above it on GMM-2 "
    "and below it on Gaussian and Beta at this length of training, and the mixture head, lowest on the first two data sets and highest on Beta.",
)  # fmt: skip

# %% tags=["hide-input"]
fig = sweep_figure("smoothness", "smoothness (larger is rougher)")
tl.show(
    fig,
    alt="Smoothness against the number of frequencies for three data sets. The Fourier head gets rougher with every frequency and "
    "approaches the dotted line of the true distributions from below. The linear head lies above that line on Gaussian and GMM-2, and about on it on Beta.",
)

# %% tags=["nbval-check-output", "hide-cell"]
for task, ratio_range, mixture_range, floor_range in [
    ("Gaussian", (1.05, 1.5), (0.15, 0.95), (0.0055, 0.0075)),
    ("GMM-2", (0.4, 0.58), (0.12, 0.5), (0.0045, 0.0058)),
    ("Beta", (1.1, 1.68), (1.7, 2.6), (0.046, 0.057)),
]:
    label = label_of[task]
    kl, floored = ({head: final(head, name, task) for head in toy} for name in ("kl", "kl_floored"))
    ledger.record(f"kl_ratio_{label}", kl["fourier"] / kl["linear"], low=ratio_range[0], high=ratio_range[1], digits=2)
    ledger.record(f"floored_ratio_{label}", floored["fourier"] / floored["linear"], low=ratio_range[0], high=ratio_range[1], digits=2)
    ledger.record(f"mixture_over_fourier_{label}", kl["mixture"] / kl["fourier"], low=mixture_range[0], high=mixture_range[1], digits=2)
    ledger.record(f"floor_{label}", floor[task], low=floor_range[0], high=floor_range[1])
for n, low, high in [(2, 0.0148, 0.0156), (4, 0.0255, 0.028), (8, 0.034, 0.0403), (16, 0.042, 0.048)]:
    ledger.record(f"smooth_{n}", final("fourier", "smoothness", "GMM-2", n), low=low, high=high)
ledger.record("smooth_linear", final("linear", "smoothness", "GMM-2"), low=0.059, high=0.07)
ledger.record("smooth_truth", true_smoothness["GMM-2"], low=0.046, high=0.049)
kl_gmm2 = {n: final("fourier", "kl", "GMM-2", n) for n in config.frequencies}
ledger.record("kl_2_over_8", kl_gmm2[2] / kl_gmm2[8], low=3, high=5.4, digits=1)
ledger.record("kl_16_over_8", kl_gmm2[16] / kl_gmm2[8], low=1.0, high=1.5, digits=2)
ledger.record("kl_16_over_8_beta", final("fourier", "kl", "Beta", 16) / final("fourier", "kl", "Beta", 8), low=0.48, high=0.62, digits=2)

# %% tags=["hide-input"]
ledger.say(
    "**After 56 epochs: one win in three.** On GMM-2 the KL divergence of the Fourier head with 12 frequencies is {kl_ratio_gmm2:pm} times that of the linear head. On Gaussian the ratio is "
    "{kl_ratio_gaussian:pm} and on Beta {kl_ratio_beta:pm}: after this short training the Fourier head has no advantage there. The linear head is quicker there, as the figure above shows, and has not yet begun to over-train. "
    "(The Fourier head has `FLOOR` mixed in, which could save it from costly near-zeros. It is not that: with the same floor for the linear head the ratios are {floored_ratio_gmm2}, {floored_ratio_gaussian} and {floored_ratio_beta}. "
    "The floor from binned inputs is {floor_gmm2}, {floor_gaussian} and {floor_beta} nats.)\n\n"
    "**Frequencies.** With 2 frequencies the KL on GMM-2 is {kl_2_over_8} times that at 8: the bumps do not fit. With 16 it is {kl_16_over_8:pm} times that at 8, although 16 frequencies can express "
    "everything 8 can. The rise towards few frequencies is lack of expression; the one towards many is within the spread here, and may be noise that more frequencies let in. On Beta, whose bumps are narrow, 16 is still better than 8.\n\n"
    "**Smoother is not better.** Smoothness on GMM-2 grows with $N$ from {smooth_2} to {smooth_16}. The truth has {smooth_truth}. So the heads with few frequencies are *too* smooth, and the linear "
    "head ({smooth_linear}) is too rough. Judge a smoothness by the truth's, not by zero.\n\n"
    "**The honest baseline.** The mixture head's KL is {mixture_over_fourier_gaussian} and {mixture_over_fourier_gmm2} times the Fourier head's on Gaussian and GMM-2, where it knows the family, "
    "and {mixture_over_fourier_beta} times on Beta, where its widths cannot follow the input. A mixture whose widths depend on the input could represent Beta well; we did not train one. "
    "If you know the family, use it. The Fourier head is for when you do not."
)

# %% [markdown]
# What do these numbers look like? Scrub through training on GMM-2: [before it begins](#figure-training=0), [after a few epochs](#figure-training=4), [at the end](#figure-training=56). Which head's answer gets more jagged on the way? The three inputs have their bumps far apart, close together and nearly on top of each other; the last panel follows the KL divergence.

# %% tags=["hide-input"]
fig = tl.panels(
    ["x = −0.5, y = 0.3", "x = −0.1, y = 0.1", "x = 0.6, y = 0.62", "KL on the test set"],
    x_titles=["z"] * 3 + ["epoch"], y_titles=["probability", "", "", ""], height=340,
)  # fmt: skip
z50 = np.asarray(bin_centres(BINS))
probe_truth = np.asarray(gmm2(jax.random.key(0), PROBES[:, 0], PROBES[:, 1])[1])
looks = {"linear head": ("linear", ORANGE), "Fourier head, N = 12": ("fourier", BLUE)}
shown = {head: toy[head][Case("GMM-2")] for head in ("linear", "fourier")}
for panel in range(3):
    first = panel == 0
    fig.add_scatter(x=z50, y=probe_truth[panel], name="truth", legendgroup="truth", showlegend=first,
                    line={"color": TRUTH, "dash": "dot", "width": 2}, row=1, col=panel + 1)  # fmt: skip
    for label, (head, color) in looks.items():
        fig.add_scatter(x=z50, y=shown[head]["pmf"][-1, 0, panel], name=label, legendgroup=label, showlegend=first,
                        line={"color": color, "width": 2}, row=1, col=panel + 1)  # fmt: skip
fig.update_yaxes(range=[0, 0.2], row=1, col=1)
fig.update_yaxes(range=[0, 0.2], row=1, col=2)
fig.update_yaxes(range=[0, 0.3], row=1, col=3)
epochs_seen = shown["linear"]["epoch"]
frames = [i for i in (0, 1, 2, 4, 7, 14, 28) if i < len(epochs_seen)]  # fewer than were measured: the page has to carry them
for label, (head, color) in looks.items():
    tl.add_band(fig, epochs_seen, shown[head]["kl"].T, name=label, color=color, row=1, col=4)
    fig.data[-1].showlegend = False
marker = len(fig.data)
fig.add_scatter(x=[epochs_seen[-1]] * 2, y=[0.02, 5], mode="lines", line={"color": TRUTH, "dash": "dot"}, name="shown here",
                showlegend=False, hoverinfo="skip", row=1, col=4)  # fmt: skip
log_axis(fig.update_yaxes, steps=(1,), row=1, col=4)
tl.scrub(
    fig, epochs_seen[frames].tolist(),
    [
        {3 * panel + 1 + i: {"y": shown[head]["pmf"][t, 0, panel]} for panel in range(3) for i, (head, _) in enumerate(looks.values())}
        | {marker: {"x": [epoch] * 2}}
        for t, epoch in zip(frames, epochs_seen[frames].tolist())
    ],
    prefix="epoch ", start=len(frames) - 1,
)  # fmt: skip
tl.show(
    fig, name="training",
    alt="Learned probabilities over 50 bins for three inputs of GMM-2, with a slider over training epochs: the linear head's answer is "
    "jagged, the Fourier head's smooth and close to the dotted truth. A fourth panel shows the KL divergence of both heads falling with "
    "the epochs, as bands over seeds, and marks the epoch shown.",
)  # fmt: skip

# %% [markdown]
# ## Experiment 3: how much data does it save?
#
# The hook suggested that the advantage is one of *noise*, which data cure. **Predict:** if we go from 1,000 examples to 4,000, what happens to the difference between the two heads? Every run takes the same number of steps, so the small sets are seen more often.

# %%
# The best KL along each run, measured every 250 steps: somebody who knows the truth stops in time.
by_size = {
    config.examples // copies: {head: toy[head][Case(copies=copies)]["kl"].min(axis=0) for head in ("linear", "fourier")}
    for copies in (1, *config.copies)
}

# %% tags=["hide-input"]
sizes = sorted(by_size)
fig = tl.panels(["KL on GMM-2"], x_titles=["training examples"], y_titles=["KL(truth ‖ head)"])
for label, (head, color) in looks.items():
    tl.add_band(fig, sizes, np.stack([by_size[size][head] for size in sizes], axis=1), name=label, color=color)
fig.update_xaxes(type="log", tickvals=sizes, ticktext=[f"{size:,}" for size in sizes])
log_axis(fig.update_yaxes)
tl.show(
    fig, name="examples",
    predict={
        "question": f"From {config.examples // 4:,} training examples to {config.examples:,}: "
        "what happens to the difference between the two heads, in nats?",
        "options": ["it shrinks by a fifth or more", "it changes by less than a fifth", "it grows by a fifth or more"],
        "answer": np.digitize(
            np.divide(*[(by_size[size]["linear"] - by_size[size]["fourier"]).mean() for size in (sizes[-1], config.examples // 4)]),
            [0.8, 1.2],
        ),
    },
    alt="KL divergence against the number of training examples, 250 to 4,000, on logarithmic axes, both heads, bands over seeds. Both fall with more examples; the "
    "linear head is higher than the Fourier head at every size.",
)  # fmt: skip

# %% tags=["nbval-check-output", "hide-cell"]
gap = {size: by_size[size]["linear"] - by_size[size]["fourier"] for size in sizes}
ledger.record("gap_quarter", gap[config.examples // 4], low=0.16, high=0.4)
ledger.record("gap_all", gap[config.examples], low=0.08, high=0.13)
ledger.record("gap_quarter_over_all", gap[config.examples // 4] / gap[config.examples], low=1.8, high=2.99, digits=1)
ledger.record("smallest_ratio", by_size[sizes[0]]["linear"] / by_size[sizes[0]]["fourier"], low=1.5, high=3, digits=1)
# With how many examples is the Fourier head as good as the linear head with all? On logarithmic axes, each seed.
largest_first = np.log(sizes[::-1])
as_good = [
    np.exp(np.interp(np.log(linear), np.log(fourier), largest_first))
    for linear, fourier in zip(by_size[sizes[-1]]["linear"], np.stack([by_size[size]["fourier"] for size in sizes[::-1]], axis=1))
]
ledger.record("examples_saved", sizes[-1] / np.array(as_good), low=3, high=5.3, digits=1)

# %% tags=["hide-input"]
ledger.say(
    "The difference is {gap_quarter:pm} nats at 1,000 examples and {gap_all:pm} at 4,000, {gap_quarter_over_all:pm} times less (seed by seed). We report the best KL along each run, as if somebody who knows the truth had stopped "
    f"training in time. Even so the linear head is {{smallest_ratio:pm}} times further away with {sizes[0]} examples. To be as good as the linear head with all 4,000 examples, the Fourier head needs {{examples_saved:pm}} times fewer. "
    "(At 4,000 examples the linear head is still improving when training ends, the Fourier head hardly, so part of that gap is speed.)"
)


# %% [markdown]
# ## Experiment 4: take the order away
#
# If the head wins because neighbours are alike, it must lose when they are not. Apply one fixed random permutation to the bins of $z$: the task is the same, every bin has kept its probability, only the names have changed. **Predict** what happens to each head.
#
# ### A frontier question: how much order does it need?
#
# The paper's first version, which we read, has neither this control nor the question that follows. Scramble the bins only *locally*: cut the 50 bins into blocks of width $w$ and permute inside each block. At $w=1$ nothing changes, at $w=50$ all order is gone. When does the advantage end?
#
# The shortest wave of a head with $N$ frequencies is $m/N$ bins long. Scrambling inside half a wave should hurt little, since the head cannot see such detail; scrambling over more should hurt a lot. (Look for the weak point in this reasoning before you read the result.) **The criterion, stated first:** call $w^*$ the width at which the Fourier head's KL crosses that of the linear head (interpolating between the widths tried, on logarithmic axes). Our hypothesis says (a) $w^*$ lies within a factor 2 of half a wave, $m/(2N)$, for each $N$ of 4, 8 and 16, and (b) $w^*$ falls as $N$ grows. If a run does not cross between the widths tried, both parts are undecided. All runs stop half-way, after 28 epochs. (The hypothesis is older than any run; it failed first at $N$ of 6, 12 and 24, and we changed to 4, 8 and 16, here and in ledger row H4, to save time.)

# %% tags=["definition", "hide-input"]
def crossing(widths, ratios):
    """Width at which the KL ratio first passes 1 from below, per seed; NaN where it does not between the widths tried.

    widths: rising, shape (widths,). ratios: shape (seeds, widths). Interpolates on logarithmic axes.
    """
    logs, places = np.log(ratios), np.log(np.asarray(widths, dtype=float))
    found = np.full(len(logs), np.nan)
    for seed, row in enumerate(logs):
        above = np.flatnonzero(row > 0)
        if above.size and above[0] > 0:
            i = above[0]
            found[seed] = np.interp(0, row[i - 1 : i + 1], places[i - 1 : i + 1])
    return np.exp(found)


# %%
orders, half_way = config.orders, config.epochs // 2


def half_way_kl(head, case):
    """KL of a run of experiment 2 at half of its length, shape (seeds,)."""
    run = toy[head][case]
    return run["kl"][np.flatnonzero(run["epoch"] == half_way)[0]]


# Width 1 is no scrambling: experiment 2 has those runs, and the linear head's, which cannot notice a permutation (checked at width 50).
scrambled_cases = [Case(frequencies=n, scramble=width) for n in orders for width in config.widths[1:]]
scrambled_cases.append(Case(frequencies=12, scramble=BINS))  # the head of experiment 2, for the ledger
scrambled = train_toy("fourier", scrambled_cases, config, epochs=half_way, records=max(1, config.records // 2))
fourier_kl = {Case(frequencies=n): half_way_kl("fourier", Case(frequencies=n)) for n in orders}
fourier_kl |= {case: run["kl"][-1] for case, run in scrambled.items()}
linear_reference = half_way_kl("linear", Case())
shuffle_ratio = {  # (seeds, widths)
    n: np.stack([fourier_kl[Case(frequencies=n, scramble=w)] / linear_reference for w in config.widths], axis=1)
    for n in orders
}
w_star = {n: crossing(config.widths, shuffle_ratio[n]) for n in orders}

# %% tags=["hide-input"]
fig = tl.panels(
    ["Where the advantage ends", "The crossing, in half waves"],
    x_titles=["width of scrambled blocks w", "frequencies N"], y_titles=["KL ratio, Fourier / linear", "w* / (m / 2N)"],
)  # fmt: skip
top = max(ratio.max() for ratio in shuffle_ratio.values()) * 1.1
fig.add_scatter(x=[1, BINS, BINS, 1], y=[1, 1, top, top], mode="lines", fill="toself", fillcolor="rgba(213,94,0,0.12)", line={"width": 0},
                name="Fourier head behind", row=1, col=1)  # fmt: skip
for n, color in zip(orders, [GREEN, BLUE, tl.COLORS["purple"]]):
    tl.add_band(fig, config.widths, shuffle_ratio[n], name=f"N = {n}", color=color, row=1, col=1)
fig.update_xaxes(type="log", tickvals=config.widths, row=1, col=1)
log_axis(fig.update_yaxes, row=1, col=1)
fig.add_scatter(x=[3.5, 18, 18, 3.5], y=[0.5, 0.5, 2, 2], mode="lines", fill="toself", fillcolor="rgba(118,118,118,0.18)", line={"width": 0},
                name="hypothesis (a)", row=1, col=2)  # fmt: skip
for n, color in zip(orders, [GREEN, BLUE, tl.COLORS["purple"]]):
    shown_at = np.where(np.isnan(w_star[n]), BINS, w_star[n]) * 2 * n / BINS
    fig.add_scatter(x=[n] * len(shown_at), y=shown_at, mode="markers", name=f"N = {n}, each seed", showlegend=False, row=1, col=2,
                    marker={"color": color, "size": 8, "symbol": np.where(np.isnan(w_star[n]), "x-open", "circle").tolist()})  # fmt: skip
fig.update_xaxes(type="log", tickvals=list(orders), row=1, col=2)
log_axis(fig.update_yaxes, row=1, col=2)
tl.show(
    fig, name="scramble",
    alt="Left: ratio of the Fourier head's KL to the linear head's against the width of the blocks in which the bins are scrambled, for 4, 8 and 16 "
    "frequencies, with the region above 1 shaded. The ratio starts below 1 and climbs above it as blocks get wider. Right: the width at which it passes 1, in units of half a wave, "
    "for each seed, with the band from one half to 2 that the hypothesis allows.",
)  # fmt: skip

# %% tags=["nbval-check-output", "hide-cell"]
few, middle, many = orders
ledger.record("shuffled_ratio_middle", shuffle_ratio[middle][:, -1], low=2.05, high=2.9, digits=1)
ledger.record("shuffled_ratio_12", fourier_kl[Case(frequencies=12, scramble=BINS)] / linear_reference, low=1.8, high=2.5, digits=1)
ledger.record("shuffled_ratio_many", shuffle_ratio[many][:, -1], low=1.55, high=2.05, digits=1)
ledger.record("linear_shuffled_ratio", half_way_kl("linear", Case(scramble=BINS)) / linear_reference, low=0.85, high=1.15, digits=2)
ledger.record("uncrossed", sum(np.isnan(w_star[n]).sum() for n in orders), low=0, high=0, digits=0)
for name, n, (low, high) in zip(("few", "middle", "many"), orders, [(4.6, 6.2), (6.3, 8.7), (8.8, 12.7)]):
    crossed = w_star[n][~np.isnan(w_star[n])] if not np.isnan(w_star[n]).all() else np.array([0.0])
    ledger.record(f"w_star_{name}", crossed, low=low, high=high, digits=1)
    ledger.record(f"half_waves_{name}", crossed * 2 * n / BINS, low=low * 2 * n / BINS, high=high * 2 * n / BINS, digits=1)
decided = ledger.records["uncrossed"]["mean"] == 0
frontier_a = decided and all(0.5 <= ledger.records[f"half_waves_{name}"]["mean"] <= 2 for name in ("few", "middle", "many"))
frontier_b = decided and ledger.records["w_star_few"]["mean"] > ledger.records["w_star_middle"]["mean"] > ledger.records["w_star_many"]["mean"]
outcome = {name: "undecided" if not decided else "holds" if part else "fails" for name, part in [("a", frontier_a), ("b", frontier_b)]}
print(f"(a) within a factor 2 of half a wave at every N: {outcome['a']}; (b) falls as N grows: {outcome['b']}")

# %% tags=["hide-input"]
ledger.say(
    "With all order gone the Fourier head's KL is {shuffled_ratio_middle:pm} times the linear head's at $N=8$ and {shuffled_ratio_many:pm} times at $N=16$; the linear head has not noticed "
    "({linear_shuffled_ratio:pm} times its own unshuffled value). So the advantage needs the order of the bins. Part of the reversal is capacity: a shuffled truth has detail in every frequency, and 8 frequencies cannot express it. "
    "With 16 more of it can be expressed, and less is lost.\n\n"
    "The crossing lies at $w^*$ = {w_star_few:pm} bins for $N=4$, {w_star_middle:pm} for $N=8$ and {w_star_many:pm} for $N=16$; in units of half a wave, {half_waves_few}, {half_waves_middle} and {half_waves_many} "
    "(runs that never cross: {uncrossed}). "
    f"Part (a) of the hypothesis: {outcome['a']}. Part (b): {outcome['b']}. "
    + ("A possible reason for the failure of (b): the hypothesis looked at what the head can *see*, not at what it can *express*. With more frequencies a scrambled truth can be fitted, so such heads may bear more disorder, not less."
       if outcome["b"] == "fails" else "")
)

# %% [markdown]
# ## Experiment 5: a real series
#
# Toy problems are built to have a smooth truth. Charles Keeling measured the carbon dioxide in the air over Mauna Loa; the record used here is weekly, from 1958 to 2001: a rising trend, a yearly swing as northern forests breathe, and weather. (Keeling and Whorf 2004; public domain, read from the `statsmodels` package. The weeks without a measurement are interpolated.)
#
# The task: from 26 weeks, predict the next. We subtract the mean of the preceding 52 weeks, which removes the trend using only the past, and sort what is left, between −5 and 6 parts per million, into 64 bins. A tiny decoder-only transformer reads the bins and a head predicts the next one. The last 416 weeks (eight years) are for testing.
#
# Two training sets: the five years before the test, and the thirty years before it. **The criterion, stated first:** the paper's claim carries over if the Fourier head's test loss is lower than the linear head's in at least four of five seeds, at the *best* epoch of each run (so that over-training cannot decide it). **Predict** for both sizes. A caution on what this can show: the seeds differ in initial weights and batches, not in data. It is one series and one split, and the best epoch is chosen on the test weeks, for both heads. Sizes and training length were adjusted while this page was written; the criterion and $N=16$ were not.

# %% tags=["definition", "hide-input"]
CONTEXT, WIDTH, LEVELS, LOWEST, HIGHEST = 26, 16, 64, -5.0, 6.0


class Block(nnx.Module):
    """One pre-norm transformer block with a single causal attention head (Vaswani et al. 2017)."""

    def __init__(self, width, *, rngs):
        self.norm1, self.norm2 = nnx.LayerNorm(width, rngs=rngs), nnx.LayerNorm(width, rngs=rngs)
        self.qkv, self.out = linear_layer(width, 3 * width, rngs=rngs), linear_layer(width, width, rngs=rngs)
        self.up, self.down = linear_layer(width, 4 * width, rngs=rngs), linear_layer(4 * width, width, rngs=rngs)

    def __call__(self, x):
        query, key, value = jnp.split(self.qkv(self.norm1(x)), 3, axis=-1)
        scores = query @ key.swapaxes(-1, -2) / jnp.sqrt(query.shape[-1])
        past = jnp.tril(jnp.ones(scores.shape[-2:], dtype=bool))
        x = x + self.out(jax.nn.softmax(jnp.where(past, scores, -jnp.inf)) @ value)
        return x + self.down(nnx.gelu(self.up(self.norm2(x))))


FORECAST_HEADS = {"linear": linear_layer, "fourier": functools.partial(FourierHead, frequencies=16)}


class Forecaster(nnx.Module):
    """Reads bins (..., CONTEXT) and gives log-probabilities of each next bin, (..., CONTEXT, LEVELS)."""

    def __init__(self, head, *, rngs):
        self.embed = linear_layer(1, WIDTH, rngs=rngs)
        self.position = nnx.Param(0.02 * jax.random.normal(rngs.params(), (CONTEXT, WIDTH)))
        self.block, self.norm = Block(WIDTH, rngs=rngs), nnx.LayerNorm(WIDTH, rngs=rngs)
        self.head = FORECAST_HEADS[head](WIDTH, LEVELS, rngs=rngs)

    def __call__(self, levels):
        x = self.embed(bin_centres(LEVELS)[levels][..., None]) + self.position[...]
        return self.head(self.norm(self.block(x)))


# %% tags=["hide-input"]
from statsmodels.datasets import co2

weekly = co2.load_pandas().data["co2"].interpolate()
anomaly = (weekly - weekly.rolling(52).mean().shift(1)).dropna()
scaled = (anomaly.to_numpy() - LOWEST) / (HIGHEST - LOWEST)
if not (0 <= scaled.min() and scaled.max() < 1):
    raise ValueError("the series leaves the range LOWEST to HIGHEST; widen it")
levels = np.floor(scaled * LEVELS).astype(np.int32)
TEST_WEEKS = 416
windows = levels[np.arange(len(levels) - CONTEXT)[:, None] + np.arange(CONTEXT + 1)]  # (all windows, 27)
test_windows = windows[-TEST_WEEKS:]


FORECAST_ADAM = optax.adam(3e-3)


def forecast(head):
    """Train one head on both records with all seeds: {weeks: measurements, axes (records, seeds, ...)}."""
    graph, _ = nnx.split(nnx.eval_shape(lambda: Forecaster(head, rngs=nnx.Rngs(0))), nnx.Param)

    def start(key):
        return nnx.state(Forecaster(head, rngs=nnx.Rngs(key)), nnx.Param)

    def loss(params, window):
        logits = nnx.merge(graph, params)(window[:, :-1])
        return optax.softmax_cross_entropy_with_integer_labels(logits, window[:, 1:]).mean()

    def metrics(params, window):
        log_pmf = jax.nn.log_softmax(nnx.merge(graph, params)(window[:, :-1])[:, -1])
        weekly = -jnp.take_along_axis(log_pmf, window[:, -1:], axis=-1)[:, 0]
        return {"loss": weekly.mean(), "weekly": weekly, "pmf": jnp.exp(log_pmf[:52])}

    longest = max(config.weeks)
    repeated = lambda weeks: np.concatenate([windows[-TEST_WEEKS - weeks : -TEST_WEEKS]] * (longest // weeks))
    runs = [repeated(weeks) for weeks in config.weeks for _ in range(config.seeds)]
    keys = jax.random.split(jax.random.key(11), config.seeds)
    of_seed = np.tile(np.arange(config.seeds), len(config.weeks))
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[of_seed], jax.vmap(start)(keys))
    epochs = max(1, config.forecast_steps // (longest // 16))
    _, history = tl.train(
        loss, params, np.stack(runs), optimizer=FORECAST_ADAM, keys=keys[of_seed], epochs=epochs, batch_size=16,
        metrics=metrics, test=np.broadcast_to(test_windows, (len(runs), *test_windows.shape)),
    )  # fmt: skip
    steps = history.pop("epoch") * (longest // 16)
    of_record = lambda i: slice(i * config.seeds, (i + 1) * config.seeds)
    return {
        weeks: {"step": steps} | {name: values[:, of_record(i)] for name, values in history.items()}
        for i, weeks in enumerate(config.weeks)
    }


forecasts = {head: forecast(head) for head in FORECAST_HEADS}


# %% [markdown]
# Two baselines that a forecaster must face: the histogram of the training set, which ignores the past, and a linear autoregression on the same 26 weeks with Gaussian noise, fitted by least squares.

# %% tags=["definition", "hide-input"]
def autoregression_loss(train, test):
    """Test loss in nats of a least-squares autoregression with Gaussian noise, on the bins.

    train, test: windows of bin indices, shape (windows, context + 1); the last one of each is predicted.
    """
    value = lambda windows: np.asarray(bin_centres(LEVELS)[windows], dtype=float)
    design = lambda windows: np.column_stack([value(windows)[:, :-1], np.ones(len(windows))])
    weights, *_ = np.linalg.lstsq(design(train), value(train)[:, -1], rcond=None)
    # As many numbers were fitted as a window has entries: a weight for each past week, and the mean.
    spread = np.std(value(train)[:, -1] - design(train) @ weights, ddof=train.shape[1])
    edges = jnp.linspace(-1, 1, LEVELS + 1)
    masses = bin_masses(norm.cdf(edges, (design(test) @ weights)[:, None], spread))
    return float(-jnp.log(jnp.take_along_axis(masses, jnp.asarray(test)[:, -1:], axis=-1)).mean())


def histogram_loss(train, test):
    """Test loss in nats of the training set's histogram plus half a count, which ignores the past. Windows as above."""
    counts = jnp.bincount(jnp.asarray(train)[:, -1], length=LEVELS) + 0.5
    return float(-jnp.log(counts / counts.sum())[jnp.asarray(test)[:, -1]].mean())


# %%
baselines = {}
for weeks in config.weeks:
    train_windows = windows[-TEST_WEEKS - weeks : -TEST_WEEKS]
    baselines[weeks] = {
        "autoregression": autoregression_loss(train_windows, test_windows), "histogram": histogram_loss(train_windows, test_windows),
    }  # fmt: skip

# %% tags=["hide-input"]
names = [f"{weeks // 52} years of training data" for weeks in config.weeks]
fig = tl.panels(names, x_titles=["training steps"] * 2, y_titles=["test loss (nats per week)", ""])
for column, weeks in enumerate(config.weeks, start=1):
    for head, label, color in [("linear", "linear head", ORANGE), ("fourier", "Fourier head, N = 16", BLUE)]:
        history = forecasts[head][weeks]
        tl.add_band(fig, history["step"][1:], history["loss"][1:].T, name=label, color=color, row=1, col=column)
        fig.data[-1].showlegend = column == 1
    ends = forecasts["linear"][weeks]["step"][[1, -1]]
    fig.add_scatter(x=ends, y=[baselines[weeks]["autoregression"]] * 2, mode="lines", name="autoregression", legendgroup="ar",
                    showlegend=column == 1, line={"color": TRUTH, "dash": "dot", "width": 2}, row=1, col=column)  # fmt: skip
tl.show(
    fig, name="co2",
    alt="Test loss against training steps on the CO2 record, for five and for thirty years of training data, bands over seeds, with the "
    "autoregression as a dotted line. On five years the linear head's loss turns upwards while the Fourier head's stays low.",
)  # fmt: skip

# %% tags=["nbval-check-output", "hide-cell"]
EXPECTED = {
    "short": {"linear": (2.64, 2.77), "fourier": (2.42, 2.49), "gain": (0.16, 0.34), "wins": (4, 5), "autoregression": (2.37, 2.4), "overtrained": (0.2, 0.53)},
    "long": {"linear": (2.38, 2.46), "fourier": (2.37, 2.44), "gain": (0.001, 0.043), "wins": (4, 5), "autoregression": (2.34, 2.36), "overtrained": (0, 0.025)},
}



def gain_by_week(weeks):
    """By how much the Fourier head's loss is lower in each test week, mean over seeds, each at its best epoch, (test weeks,)."""
    at_best = {}
    for head in FORECAST_HEADS:
        found = forecasts[head][weeks]
        at_best[head] = found["weekly"][found["loss"].argmin(axis=0), np.arange(config.seeds)].mean(axis=0)
    return at_best["linear"] - at_best["fourier"]


wins, clear = {}, {}
for weeks, label in zip(config.weeks, ("short", "long")):
    halves = gain_by_week(weeks).reshape(-1, 26).mean(axis=1)  # neighbouring weeks are alike, half years less so
    error = halves.std(ddof=1) / len(halves) ** 0.5
    clear[label] = halves.mean() > 2 * error
    low, high = {"short": (0.025, 0.08), "long": (0.02, 0.08)}[label]
    ledger.record(f"co2_{label}_error", error, low=low, high=high)
    best = {head: forecasts[head][weeks]["loss"].min(axis=0) for head in FORECAST_HEADS}
    wins[label] = int((best["fourier"] < best["linear"]).sum())
    measured = best | {
        "gain": best["linear"] - best["fourier"],
        "wins": wins[label],
        "autoregression": baselines[weeks]["autoregression"],
        "overtrained": forecasts["linear"][weeks]["loss"][-1] - best["linear"],
    }
    for name, (low, high) in EXPECTED[label].items():
        digits = {"wins": 0, "overtrained": 2}.get(name, 3)
        ledger.record(f"co2_{label}_{name}", measured[name], low=low, high=high, digits=digits)
ledger.record("co2_histogram", baselines[config.weeks[-1]]["histogram"], low=3.88, high=3.93)

# %% tags=["hide-input"]
verdicts = ["carries over" if wins[label] >= 4 else "does not carry over" for label in ("short", "long")]
ledger.say(
    "On five years the best test loss is {co2_short_linear:pm} nats for the linear head and {co2_short_fourier:pm} for the Fourier head, which is lower in {co2_short_wins} of five seeds; by the last epoch the linear head has "
    "lost {co2_short_overtrained} nats to over-training. On thirty years it is {co2_long_linear:pm} against {co2_long_fourier:pm}, and the Fourier head is lower in {co2_long_wins} of five seeds.\n\n"
    + (f"By our criterion the claim {verdicts[0]} to the short record and {verdicts[1]} to the long one. "
       "But all seeds share the same test weeks, and the criterion forgot those. On the long record the difference is {co2_long_gain:pm} nats, with a standard error over half years of the test of {co2_long_error}: "
       + ("more than two standard errors. " if clear["long"] else "other weeks might have reversed it. ")
       + "On the short one it is {co2_short_gain:pm}, with a standard error of {co2_short_error}: as in experiment 3, the head stands in for data about which bins are alike.\n\n")
    +     "A plain autoregression scores {co2_short_autoregression} and {co2_long_autoregression}, "
    + ("better than both heads. On a series as regular as this one, knowing the family (linear, Gaussian) beats a small transformer with either head."
       if all(baselines[w]["autoregression"] < forecasts[h][w]["loss"].min(axis=0).mean() for w in config.weeks for h in FORECAST_HEADS)
       else "for comparison.")
)

# %% tags=["hide-input"]
fig = tl.panels(["Linear head", "Fourier head, N = 16"], x_titles=["ppm above the mean of the last 52 weeks"] * 2, y_titles=["probability", ""])
ppm = LOWEST + (np.asarray(bin_centres(LEVELS)) + 1) / 2 * (HIGHEST - LOWEST)
short = config.weeks[0]
for column, (head, color) in enumerate([("linear", ORANGE), ("fourier", BLUE)], start=1):
    fig.add_bar(x=ppm, y=forecasts[head][short]["pmf"][-1, 0, 0], marker_color=color, name="forecast", showlegend=False, row=1, col=column)
    fig.add_scatter(x=[ppm[int(test_windows[0, -1])]] * 2, y=[0, 0.45], mode="lines", name="what happened", showlegend=column == 1,
                    legendgroup="truth", line={"color": TRUTH, "dash": "dot", "width": 2}, row=1, col=column)  # fmt: skip
fig.update_yaxes(range=[0, 0.5])
tl.scrub(
    fig, list(range(1, 53)),
    [
        {2 * i: {"y": forecasts[head][short]["pmf"][-1, 0, week]} for i, head in enumerate(FORECAST_HEADS)}
        | {2 * i + 1: {"x": [ppm[int(test_windows[week, -1])]] * 2} for i in range(2)}
        for week in range(52)
    ],
    prefix="week of the first test year: ",
)  # fmt: skip
tl.show(
    fig, name="co2-forecasts",
    alt="Forecast distributions for each of the first 52 test weeks after training on five years, slider over weeks, with the value that was "
    "measured. The linear head's bars are ragged with gaps; the Fourier head's form a smoother hill, with lower side hills in some weeks.",
)  # fmt: skip

# %% [markdown]
# ## The ledger
#
# Every claim we tested, the paper's number, ours, and the verdict. Where does each test come from? H1, H2, H5's direction and H7 are the paper's statements. The thresholds of H3 on the three data sets, of H4 to H6 and of H8 were set from an earlier pilot with other code, before the runs on this page. The criteria of "frontier" and of the two CO2 rows were written before their runs, and settings around them changed afterwards, as told there. But the test of "H3 protocol", and the threshold of "H3 stopped", were written when the results of the first committed run were known; they are checks of the text, not predictions.

# %% tags=["hide-input", "nbval-check-output"]
R = {name: record["mean"] for name, record in ledger.records.items()}
ledger.claim(
    "H1", statement="The head's output is a probability density", paper="by construction", ran="1,000 random coefficient vectors, N = 12",
    here="minimum {density_min}, integral off by at most {integral_error}, bins off by {pmf_sum_error}",
    reproduced=R["density_min"] >= -1e-5 and R["integral_error"] < 1e-5 and R["pmf_sum_error"] < 1e-5,
)
ledger.claim(
    "H2", statement="Autocorrelation makes the series a squared modulus", paper="Algorithm 1 (no proof in the first version)", ran="both forms on the same vectors",
    here="largest difference {forms_differ}", reproduced=R["forms_differ"] < 1e-5,
)
for task, label, quotient in [("GMM-2", "gmm2", "0.146 / 0.238 = 0.61"), ("Gaussian", "gaussian", "0.116 / 0.170 = 0.68"), ("Beta", "beta", "0.191 / 0.234 = 0.82")]:
    ledger.claim(
        f"H3 {task}", statement=f"Lower KL than a linear head when bins are ordered: {task}", paper=f"{quotient} (our quotient of its means)",
        ran="N = 12; ratio at most 0.75", here=f"ratio {{kl_ratio_{label}:pm}}",
        reproduced=R[f"kl_ratio_{label}"] <= 0.75, weaker=R[f"kl_ratio_{label}"] < 1,
        deviation=f"inputs rescaled, {config.epochs} epochs instead of 500" + ("; the threshold, made for GMM-2, is below the paper's own quotient" if label == "beta" else ""),
    )
ledger.claim(
    "H3 protocol", statement="The same with the paper's inputs and length of training", paper="our quotients of its means: 0.61, 0.68 and 0.82",
    ran="raw inputs, 500 epochs, last epoch: ratio below 1 on all three data sets",
    here="GMM-2 {last_raw_gmm2:pm}, Gaussian {last_raw_gaussian:pm}, Beta {last_raw_beta:pm}",
    reproduced=all(R[f"last_raw_{label}"] < 1 for label in ("gmm2", "gaussian", "beta")), deviation="committed run of 5 seeds; test written when the first run was known",
)
for task, label in label_of.items():
    ledger.claim(
        f"H3 stopped, {task}", statement=f"The advantage survives stopping both heads at their best epoch: {task}", paper="not tested", ran="500 epochs, ratio at most 0.75",
        here=f"ratio {{best_rescaled_{label}:pm}}", reproduced=R[f"best_rescaled_{label}"] <= 0.75, weaker=R[f"best_rescaled_{label}"] < 1,
        deviation="our question; committed run of 5 seeds, inputs rescaled; threshold written when the first run was known",
    )
ledger.claim(
    "H4", statement="The advantage comes from the order of the bins", paper="argued; not tested in the version we read", ran="bins shuffled, N = 8, ratio at least 2",
    here="ratio {shuffled_ratio_middle:pm}; {shuffled_ratio_12:pm} at N = 12 and {shuffled_ratio_many:pm} at N = 16", reproduced=R["shuffled_ratio_middle"] >= 2, weaker=R["shuffled_ratio_middle"] > 1, deviation=f"our control; {half_way} epochs; N = 12 was tried first",
)
ledger.claim(
    "H5", statement="More frequencies: more expressive, less smooth", paper="KL 0.385 at N = 2, 0.141 at N = 8; smoothness 0.016 to 0.043 on GMM-2",
    ran="smoothness rises at N = 2, 4, 8, 16 and KL(2) is at least 3 KL(8)",
    here="smoothness {smooth_2}, {smooth_4}, {smooth_8}, {smooth_16}; KL(2) / KL(8) = {kl_2_over_8:pm}",
    reproduced=R["smooth_2"] < R["smooth_4"] < R["smooth_8"] < R["smooth_16"] and R["kl_2_over_8"] >= 3,
    weaker=R["smooth_2"] < R["smooth_16"] and R["kl_2_over_8"] > 1, deviation=f"inputs rescaled, {config.epochs} epochs",
)
ledger.claim(
    "H6", statement="More data closes the gap", paper="not measured on the toy data", ran="gap in KL at 1,000 examples at least 3 times the gap at 4,000",
    here="{gap_quarter:pm} and {gap_all:pm}: {gap_quarter_over_all:pm} times", reproduced=R["gap_quarter_over_all"] >= 3, weaker=R["gap_quarter_over_all"] > 1,
    deviation="our experiment; best KL along each run",
)
ledger.claim(
    "H7", statement="Fewer parameters than the linear head", paper="2(N + 1)(n + 1) against m(n + 1)", ran="counted, N = 12, n = 32, m = 50",
    here="{parameters_fourier} against {parameters_linear}", reproduced=R["parameters_fourier"] == 858 and R["parameters_linear"] == 1650,
)
ledger.claim(
    "H8", statement="The paper's toy protocol lands on the paper's numbers", paper="nine means of its metric files: three data sets, three heads",
    ran="raw inputs, 500 epochs, 5 seeds: all nine within 2 published standard deviations", here="{protocol_within_2sd} of 9; the furthest is {protocol_furthest} away",
    reproduced=R["protocol_within_2sd"] == 9,
    deviation="committed run; exact bin masses as the truth; two earlier runs, with another mixture head and with undivided weights, had been seen",
)
ledger.claim(
    "frontier", statement="The advantage ends where bins are scrambled over half a wave, and earlier with more frequencies", paper="our hypothesis", ran="N = 4, 8, 16; crossing within a factor 2 of half a wave, falling with N",
    here="half waves: {half_waves_few:pm}, {half_waves_middle:pm}, {half_waves_many:pm}" + ("" if decided else "; undecided: {uncrossed} runs do not cross"),
    reproduced=frontier_a and frontier_b, weaker=frontier_a or frontier_b, deviation=f"our experiment; {half_way} epochs",
)
for weeks, label in zip(config.weeks, ("short", "long")):
    ledger.claim(
        f"CO2, {label} record", statement="Lower loss than a linear head on a real series", paper="tested on other data (not the toy)", ran="best epoch; lower in at least 4 of 5 seeds, and by more than two standard errors over the test's half years",
        here=f"lower in {{co2_{label}_wins}}, by {{co2_{label}_gain:pm}} nats, standard error {{co2_{label}_error}}",
        reproduced=R[f"co2_{label}_wins"] >= 4 and bool(clear[label]), weaker=R[f"co2_{label}_wins"] >= 3,
        deviation="one series, one split; that the standard error must pass was added after the run; sizes and training length adjusted while the page was written; best epoch chosen on the test weeks",
    )
ledger.table()


# %% [markdown]
# ## Exercises
#
# Nine exercises, from a ten-minute warm-up to an open question. ★ needs this page only, ★★ some thought, ★★★ an idea of your own.
#
# Each has a stub, a check, three hints and a solution. Open this page as a notebook, with the buttons at its top, and run its first two code cells, the setup and the imports: no check needs more. Then fill in the stub and run the check; its message says what is right, or what went wrong and what to try next. Until then it says "not attempted yet". Your functions receive NumPy arrays (write `jnp.asarray(a)` first where you need `.at[...]`), and may return NumPy or JAX arrays.

# %% [markdown]
# ### 1. The coefficients ★ (10 minutes)
#
# The head turns the outputs $a_0,\dots,a_N$ of its linear layer into the coefficients of the density by autocorrelation,
#
# $$c_k=\sum_{\ell=0}^{N-k}a_\ell\,\overline{a_{\ell+k}},\qquad k=0,\dots,N .$$
#
# Write `my_autocorrelation(a)` for an array `a` of $N+1$ complex numbers. It returns the $N+1$ numbers $c_k$, $c_0$ first. Do it without looking at the function in the section *Autocorrelation makes it non-negative*. The second factor is the conjugated one; `np.correlate` conjugates the other.

# %% tags=["stub"]
def my_autocorrelation(a):
    """a: (N+1,) complex -> c: (N+1,) complex."""
    raise NotImplementedError


# %% tags=["check"]
tl.check("fourier-head/1", my_autocorrelation)


# %% [markdown]
# <details><summary>Hint 1: start small</summary>
#
# Work out $N=1$ on paper. $c_0$ has two terms, $c_1$ has one. Why is $c_0$ always real and positive?
#
# </details>
#
# <details><summary>Hint 2: which entries meet</summary>
#
# For lag $k$, the entries $a_0,\dots,a_{N-k}$ meet the entries $a_k,\dots,a_N$. As slices of the array, the first is everything but the last $k$ entries, the second everything but the first $k$.
#
# </details>
#
# <details><summary>Hint 3: almost there</summary>
#
# Multiply the two slices of hint 2 entry by entry, with the second one conjugated, and sum. Do it for each $k$ in `range(n)` with $n=N+1$, and stack the results. Mind the slice for $k=0$: `a[:-0]` is empty, `a[:n-0]` is not.
#
# </details>

# %% tags=["solution", "hide-cell"]
def autocorrelation_solution(a):
    """a: (N+1,) complex -> c: (N+1,) complex."""
    n = len(a)
    return np.array([np.sum(a[: n - k] * np.conj(a[k:])) for k in range(n)])


tl.check("fourier-head/1", autocorrelation_solution)

# %% [markdown]
# ### 2. Break the positivity ★★ (10 minutes)
#
# Coefficients that come from an autocorrelation give a density that is never negative. Others need not. Set $c_0=1$, so that
#
# $$p(z)=\tfrac12+\mathrm{Re}\sum_{k=1}^{N}c_k\,e^{ik\pi z},$$
#
# and find $c_1,\dots,c_N$ (any $N$ up to 64), each of modulus at most $1/2$, for which $p(z)<-0.01$ at some $z$. The bound makes it a question: $\tfrac12+\mathrm{Re}\,c_k e^{ik\pi z}\ge0$ for each wave alone. The check evaluates your density.

# %% tags=["stub"]
negative_coefficients = ...  # c_1, ..., c_N

# %% tags=["check"]
tl.check("fourier-head/2", negative_coefficients)

# %% [markdown]
# <details><summary>Hint 1: troughs</summary>
#
# Where is the wave $\mathrm{Re}\,c_k e^{ik\pi z}$ lowest, and how low is it there? How many waves do you need to go below $-\tfrac12$ in total?
#
# </details>
#
# <details><summary>Hint 2: make them meet</summary>
#
# The phase of $c_k$ moves the troughs of wave $k$. At $z=0$ every wave has the value $\mathrm{Re}\,c_k$.
#
# </details>
#
# <details><summary>Hint 3: almost there</summary>
#
# Two frequencies are enough. Choose both coefficients real and negative, with sum below $-0.51$.
#
# </details>

# %% tags=["solution", "hide-cell"]
negative_coefficients_solution = jnp.array([-0.5, -0.5])  # p(0) = 1/2 - 1/2 - 1/2

tl.check("fourier-head/2", negative_coefficients_solution)


# %% [markdown]
# ### 3. Smoothness ★★ (20 minutes)
#
# The paper scores how rough a pmf $y$ over $m$ bins is by comparing it with smoothed copies of itself,
#
# $$s(y)=\sum_{\sigma=1}^{100}\frac{6}{\pi^2\sigma^2}\,\lVert y-g_\sigma*y\rVert_2 .$$
#
# Here $g_\sigma$ is the Gaussian $e^{-t^2/2\sigma^2}$ at the integer offsets $t=-(m-1),\dots,m-1$, divided by its sum, and the convolution is circular: offsets beyond an end continue at the other. Write `my_smoothness(y)`. What must the uniform pmf score?

# %% tags=["stub"]
def my_smoothness(y):
    """y: pmf (m,) -> s(y), a number."""
    raise NotImplementedError


# %% tags=["check"]
tl.check("fourier-head/3", my_smoothness)


# %% [markdown]
# <details><summary>Hint 1: one scale first</summary>
#
# Fix $\sigma=1$ and $y=(1,0,\dots,0)$. Then $g_\sigma*y$ is the Gaussian itself, wrapped around the circle. Plot it.
#
# </details>
#
# <details><summary>Hint 2: wrapping</summary>
#
# Bin $j$ of the smoothed pmf is $\sum_t g_\sigma(t)\,y_{(j-t)\bmod m}$. An array of indices of shape $(m, 2m-1)$ holds all of $(j-t)\bmod m$ at once.
#
# </details>
#
# <details><summary>Hint 3: almost there</summary>
#
# Let `t` hold the offsets and let the index array of hint 2 pick from `y`: the result has one row for each bin. Its matrix product with the normalised Gaussian is the smoothed pmf. Loop over $\sigma$, or give the Gaussians a second axis, one column for each $\sigma$.
#
# </details>

# %% tags=["solution", "hide-cell"]
def smoothness_solution(y):
    """y: pmf (m,) -> s(y), a number."""
    m = len(y)
    t = np.arange(-(m - 1), m)
    sigma = np.arange(1, 101)
    g = np.exp(-(t[:, None] ** 2) / (2 * sigma**2))
    smoothed = y[(np.arange(m)[:, None] - t) % m] @ (g / g.sum(axis=0))
    roughness = np.linalg.norm(y[:, None] - smoothed, axis=0)
    return np.sum(6 / (np.pi * sigma) ** 2 * roughness)


tl.check("fourier-head/3", smoothness_solution)

# %% [markdown]
# ### 4. Who gains from more frequencies? ★ (10 minutes)
#
# Four targets over 50 bins on $[-1,1]$:
#
# | name | density, up to a factor |
# | --- | --- |
# | `narrow bump` | one Gaussian of standard deviation `0.05` at $z=0$ |
# | `two bumps` | two equal Gaussians of standard deviation `0.08`, at $-0.4$ and $0.3$ |
# | `box` | constant on $\lvert z\rvert<\tfrac12$, zero outside |
# | `comb` | $1+0.95\cos(20\pi z)$ |
#
# For each, take the lowest KL divergence that a Fourier head can reach at $N=4$, and subtract the lowest at $N=16$. The divergence compares the probabilities of the 50 bins. For which target does it fall most by this difference? **Write down your order before you compute anything.** The check fits the heads, which takes a moment the first time, and compares all six pairs.

# %% tags=["stub"]
predicted_order = ...  # the four names as a list, largest fall first

# %% tags=["check"]
tl.check("fourier-head/4", predicted_order)

# %% [markdown]
# <details><summary>Hint 1: two questions for each target</summary>
#
# How bad is $N=4$? And how much of that is left at $N=16$? A large fall needs a bad start *and* a good end.
#
# </details>
#
# <details><summary>Hint 2: where the spectrum lies</summary>
#
# The Fourier coefficients of a Gaussian of standard deviation $w$ are proportional to $e^{-(k\pi w)^2/2}$. At which $k$ do they get small for $w=0.05$ and for $w=0.08$? Those of a box fall slowly, like $1/k$, but the first few carry most of it.
#
# </details>
#
# <details><summary>Hint 3: almost there</summary>
#
# The comb has exactly one frequency, $k=20$. Can any head with $N=16$ see it? That settles one end of the order; the narrower the bump, the worse the start settles the other.
#
# </details>

# %% tags=["solution", "hide-cell"]
predicted_order_solution = ["narrow bump", "two bumps", "box", "comb"]

tl.check("fourier-head/4", predicted_order_solution)

# %% [markdown]
# ### 5. Ten times the weights ★★ (15 minutes)
#
# The paper divides the head's initial weights by a large number so that $p$ starts near uniform (section *A detail of the paper that does not do what it is for*). Test the idea in the other direction: multiply *all* weights and biases of the linear layer by 10, then take one step of training. Predict three numbers.
#
# - `p_change`: the largest change of any $p(z)$ at initialisation.
# - `adam_ratio`: the relative size $\lVert\Delta W\rVert/\lVert W\rVert$ of the first step of Adam with the scaled weights, divided by the same with the original weights.
# - `sgd_ratio`: the same for plain gradient descent.
#
# The check measures all three on a small head.

# %% tags=["stub"]
scaled_head = {"p_change": ..., "adam_ratio": ..., "sgd_ratio": ...}

# %% tags=["check"]
tl.check("fourier-head/5", scaled_head)

# %% [markdown]
# <details><summary>Hint 1: follow the factor</summary>
#
# Every $a_\ell$ is multiplied by 10. By how much is $c_k$? And $c_k/c_0$?
#
# </details>
#
# <details><summary>Hint 2: the slope</summary>
#
# The loss does not change when $W$ becomes $10\,W$: $L(10\,W)=L(W)$. Differentiate both sides with respect to $W$.
#
# </details>
#
# <details><summary>Hint 3: almost there</summary>
#
# The first step of Adam is the gradient divided by its own size, entry by entry, times the learning rate: its length does not depend on the gradient's size. Gradient descent's does, and hint 2 says that the gradient shrinks tenfold. In both cases $\lVert W\rVert$ in the denominator grows tenfold.
#
# </details>

# %% tags=["solution", "hide-cell"]
scaled_head_solution = {"p_change": 0, "adam_ratio": 1 / 10, "sgd_ratio": 1 / 100}

tl.check("fourier-head/5", scaled_head_solution)


# %% [markdown]
# ### 6. Shuffle the bins ★ (10 minutes)
#
# A softmax over bins does not know which bins are neighbours; a Fourier head does. The control experiment relabels the bins by one fixed permutation. Write it, and its inverse.
#
# `my_shuffle(y, order)` takes pmfs `y` of shape `(..., m)` and a permutation `order` of $0,\dots,m-1$, and puts bin `order[j]` of `y` in bin `j`. `my_unshuffle` undoes it.

# %% tags=["stub"]
def my_shuffle(y, order):
    """y: (..., m), order: (m,) integers -> (..., m)."""
    raise NotImplementedError


def my_unshuffle(y, order):
    """The inverse of my_shuffle for the same order."""
    raise NotImplementedError


# %% tags=["check"]
tl.check("fourier-head/6", my_shuffle, inverse=my_unshuffle)


# %% [markdown]
# <details><summary>Hint 1: three bins</summary>
#
# With `order = [2, 0, 1]`, $(y_0,y_1,y_2)$ becomes $(y_2,y_0,y_1)$. Does applying the same order again bring it back?
#
# </details>
#
# <details><summary>Hint 2: any number of axes</summary>
#
# An array of integers is a valid index. An ellipsis in front of it leaves all axes but the last alone.
#
# </details>
#
# <details><summary>Hint 3: almost there</summary>
#
# To undo it you need, for each bin, the place to which it went: a second permutation, which you index with in the same way. The place of the value $j$ in `order` is where `order` would have to be read to be in sorted order, and NumPy has a function for that.
#
# </details>

# %% tags=["solution", "hide-cell"]
def shuffle_solution(y, order):
    """y: (..., m), order: (m,) integers -> (..., m)."""
    return y[..., order]


def unshuffle_solution(y, order):
    """The inverse of shuffle_solution for the same order."""
    return y[..., np.argsort(order)]


tl.check("fourier-head/6", shuffle_solution, inverse=unshuffle_solution)


# %% [markdown]
# ### 7. Find three bugs ★★ (15 minutes)
#
# This head runs without an error, and its pmfs are wrong for three reasons. It should return, for each row of `a`, the values $\big|\sum_\ell a_\ell e^{-i\pi\ell b_j}\big|^2$ at the bin centres, normalised over the bins $j$.

# %%
def head_with_bugs(a, m):
    """a: (batch, N+1) complex -> pmf (batch, m)."""
    b = jnp.linspace(-1, 1, m)
    frequencies = jnp.arange(a.shape[1])
    amplitude = a @ jnp.exp(-1j * jnp.pi * jnp.outer(frequencies, b))
    power = jnp.real(amplitude**2)
    return power / power.sum(axis=0)


# %% [markdown]
# Copy it into `my_head` and mend it. The check says how many bugs are left.

# %% tags=["stub"]
def my_head(a, m):
    """a: (batch, N+1) complex -> pmf (batch, m)."""
    raise NotImplementedError


# %% tags=["check"]
tl.check("fourier-head/7", my_head)


# %% [markdown]
# <details><summary>Hint 1: look at the output</summary>
#
# Feed it three rows of random complex numbers and print the smallest entry, the sums over each axis, and the positions `b`. Each shows one bug.
#
# </details>
#
# <details><summary>Hint 2: name them</summary>
#
# One is about squaring a complex number, one about which axis holds the bins, and one about where the bins are: on a circle, $z=-1$ and $z=1$ are the same point.
#
# </details>
#
# <details><summary>Hint 3: almost there</summary>
#
# $\lvert f\rvert^2=f\,\overline f$, not $f^2$. Each row must sum to one; keep the summed axis so that the division broadcasts. And $m$ bins of width $2/m$ have their centres at $b_j=(-m+1+2j)/m$.
#
# </details>

# %% tags=["solution", "hide-cell"]
def head_solution(a, m):
    """a: (batch, N+1) complex -> pmf (batch, m)."""
    b = (-m + 1 + 2 * jnp.arange(m)) / m
    frequencies = jnp.arange(a.shape[1])
    amplitude = a @ jnp.exp(-1j * jnp.pi * jnp.outer(frequencies, b))
    power = jnp.abs(amplitude) ** 2
    return power / power.sum(axis=1, keepdims=True)


tl.check("fourier-head/7", head_solution)


# %% [markdown]
# ### 8. Choose N without peeking ★★ (20 minutes)
#
# In practice the true density is unknown, and $N$ must be chosen from the loss on held-out data. Differences between neighbouring $N$ are often smaller than the noise between seeds, so a common rule prefers the simpler model: **the smallest $N$ whose mean validation loss is at most one standard error above the lowest mean.** The standard error is that of the lowest mean: the standard deviation over its seeds, divided by the square root of their number.
#
# Write `my_choice(val_nll, frequencies)`. `val_nll[i, s]` is the validation loss at `frequencies[i]` with seed `s`, and the frequencies increase.

# %% tags=["stub"]
def my_choice(val_nll, frequencies):
    """val_nll: (n_N, n_seeds), frequencies: (n_N,) increasing -> one of the frequencies."""
    raise NotImplementedError


# %% tags=["check"]
tl.check("fourier-head/8", my_choice)


# %% [markdown]
# <details><summary>Hint 1: draw it</summary>
#
# Plot the mean over seeds against $N$, and a horizontal line one standard error above its lowest point. Which points lie below the line?
#
# </details>
#
# <details><summary>Hint 2: the pieces</summary>
#
# You need the mean of each row, the row where it is lowest, and the standard deviation of *that* row (`ddof=1` for a small sample; the check accepts either).
#
# </details>
#
# <details><summary>Hint 3: almost there</summary>
#
# Compare the row means with the line: an array of booleans, one for each $N$. `argmax` of a boolean array is the position of its first `True`. Return the frequency at that position, not the position.
#
# </details>

# %% tags=["solution", "hide-cell"]
def choice_solution(val_nll, frequencies):
    """val_nll: (n_N, n_seeds), frequencies: (n_N,) increasing -> one of the frequencies."""
    means = val_nll.mean(axis=1)
    best = np.argmin(means)
    standard_error = val_nll[best].std(ddof=1) / np.sqrt(val_nll.shape[1])
    return frequencies[np.argmax(means <= means[best] + standard_error)]


tl.check("fourier-head/8", choice_solution)


# %% [markdown]
# ### 9. Open the circle ★★★ (40 minutes)
#
# The series has period 2, so the head takes $z=-1$ and $z=1$ for neighbours: if the first bin is the most probable, the last one is forced to be likely too. That suits angles, and is wrong for a quantity with two separate ends.
#
# Write `my_open_head(a, m)`: from $N+1$ complex coefficients, a pmf over the $m$ bins of $[-1,1]$ in which mass at one end does not leak to the other. It must stay non-negative and sum to 1, neighbouring bins must still be alike, both end bins must be reachable, and a small change of `a` must not make the pmf jump. There is more than one way, and the check looks only at the pmfs.

# %% tags=["stub"]
def my_open_head(a, m):
    """a: (N+1,) complex -> pmf (m,) on an interval whose ends are not neighbours."""
    raise NotImplementedError


# %% tags=["check"]
tl.check("fourier-head/9", my_open_head)


# %% [markdown]
# <details><summary>Hint 1: a longer circle</summary>
#
# Lay $[-1,1]$ on a circle that is longer than the interval. What should stand on the rest of the circle, and how far apart are the two ends then?
#
# </details>
#
# <details><summary>Hint 2: a mirror</summary>
#
# Put a mirror image of the interval on the other half. A function on that circle which equals its own mirror image has no jump at either end, and never connects one end to the other. Which series is even, term by term?
#
# </details>
#
# <details><summary>Hint 3: almost there</summary>
#
# Send $z$ to the angle $\theta=\pi(z+1)/2$, from $0$ to $\pi$. The squared modulus of $\sum_\ell a_\ell e^{i\ell\theta}$ is non-negative but not even; add its value at $-\theta$, and normalise over the bins.
#
# </details>

# %% tags=["solution", "hide-cell"]
def open_head_solution(a, m):
    """a: (N+1,) complex -> pmf (m,) on an interval whose ends are not neighbours."""
    b = (-m + 1 + 2 * jnp.arange(m)) / m
    theta = jnp.pi * (b + 1) / 2
    waves = jnp.exp(1j * jnp.outer(jnp.arange(len(a)), theta))
    power = jnp.abs(a @ waves) ** 2 + jnp.abs(a @ waves.conj()) ** 2
    return power / power.sum()


tl.check("fourier-head/9", open_head_solution)

# %% [markdown]
# ## Limits and critiques
#
# **The theorem is about something else.** The paper's scaling theorem says: if the target's coefficients fall like $k^{-t}$ with $t\ge2$, the smoothness of the series cut after $N$ terms approaches its limit like $N^{-(2t-1)}$. Its proof takes for granted that cut series stay non-negative. For a strictly positive density they do once $N$ is large enough; at the small $N$ used in practice they need not, as the bump above showed. And the trained head is not a cut series: it is the non-negative density that minimises a cross-entropy on a sample. The growth of roughness with $N$ that we measured is an observation about the head, not a consequence of that theorem.
#
# **It cannot be certain.** No bin gets more than $(N+1)/m$. With 12 frequencies on 50 bins that is about a quarter, and with $N<m/2$ it is never much above one half. For a target that is known exactly a softmax is better.
#
# **Periodic by construction.** Bins 0 and $m-1$ are neighbours. That is right for angles and wrong for open intervals with mass at an end (experiment 1, exercise 9). **Bounded by construction**: the range must be chosen in advance.
#
# **The regulariser can be dodged.** The paper adds a multiple of $\sum_k k^2|c_k|^2$ with coefficients that are not normalised. Since $p$ does not depend on the scale of $a$, a network can lower the penalty by shrinking all of $a$ and leave $p$ alone. In our committed run it does not help (experiment 2).
#
# **Large studies are not repeated here.** The paper also replaces the action head of a Decision Transformer (Chen et al. 2021) and the value head of Chronos (Ansari et al. 2024), and reports gains. We read its first version in detail, and the caution that follows is about that one; the final version has four Atari games, with a gain in returns of up to 377 %, and 20 forecasting benchmarks, with one of a few per cent. In the first version the linear baseline on the game Seaquest is quoted from another paper, the head with 8 frequencies lies within one standard deviation of it, and the game's actions are two circles and two points, not one interval. On Chronos one of the two forecast scores is worse than the linear head's except at the largest $N$, where it ties. Experiment 5 is a small substitute: the Fourier head clearly beats the linear one on the short record and not clearly on the long one, and a linear autoregression beats both.
#
# **What it is not.** It is not a Fourier feature map of the *inputs*, and not a spectral layer. Only the last layer changes.
#
# ## Further reading
#
# - Gillman et al. 2024, [the paper](https://arxiv.org/abs/2410.22269). Its appendix has the proof and the toy set-up.
# - Bishop 1994, [*Mixture Density Networks*](https://publications.aston.ac.uk/id/eprint/373/): the specialist of experiment 2.
# - Ansari et al. 2024, [*Chronos*](https://arxiv.org/abs/2403.07815): forecasting as language modelling over bins.
# - Chen et al. 2021, [*Decision Transformer*](https://arxiv.org/abs/2106.01345).
# - Vaswani et al. 2017, [*Attention Is All You Need*](https://arxiv.org/abs/1706.03762).
# - Keeling and Whorf 2004, *Atmospheric CO2 concentrations derived from flask air samples at sites in the SIO network*, Carbon Dioxide Information Analysis Center.

# %%
ledger.run_time()
