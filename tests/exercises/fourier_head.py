"""Answers to the Fourier head's exercises, as data: what must pass, and what must fail and how.

RIGHT[exercise] is a list of correct answers in different styles. WRONG[exercise] is a list of
(answer, fragment): the message for that answer must contain the fragment. MUTATING[exercise] is a
correct function that also changes its input. The two functions of exercise 6 are a pair.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

CHAPTER = "fourier-head"


def bins(m):
    return (-m + 1 + 2 * np.arange(m)) / m


# --- 1: autocorrelation(a) -----------------------------------------------------------------------


def acf_loops(a):
    c = [0j] * len(a)
    for k in range(len(a)):
        for x in range(len(a) - k):
            c[k] += a[x] * a[x + k].conjugate()
    return c


def acf_correlate(a):
    return np.correlate(a, a, "full")[len(a) - 1 :].conj()


@jax.jit
def acf_jax(a):
    n = a.shape[0]
    return jnp.stack([jnp.vdot(a[k:], a[: n - k]) for k in range(n)])


def acf_matrix(a):
    n = len(a)
    padded = np.concatenate([a, np.zeros(n)])
    return padded[np.add.outer(np.arange(n), np.arange(n))].conj() @ a


def acf_single_precision(a):
    return acf_correlate(a).astype(np.complex64)


def acf_missing_last(a):
    n = len(a)
    return [sum(a[x] * a[x + k].conj() for x in range(n - k - 1)) for k in range(n)]


def acf_only_length_six(a):
    c = np.zeros(len(a), complex)
    c[: min(6, len(a))] = acf_correlate(a)[:6]
    return c


def acf_mutating(a):
    c = acf_correlate(a)
    a /= 2
    return c


# --- 3: smoothness(y) ----------------------------------------------------------------------------


def smooth_gather(y):
    m = len(y)
    t = np.arange(-(m - 1), m)
    sigma = np.arange(1, 101)
    g = np.exp(-(t[:, None] ** 2) / (2 * sigma**2))
    smoothed = y[(np.arange(m)[:, None] - t) % m] @ (g / g.sum(axis=0))
    return np.sum(6 / (np.pi * sigma) ** 2 * np.linalg.norm(y[:, None] - smoothed, axis=0))


def smooth_fft(y):
    y = jnp.asarray(y)
    m = len(y)
    t = jnp.arange(-(m - 1), m)
    g = jnp.exp(-(t**2) / (2 * jnp.arange(1.0, 101.0)[:, None] ** 2))
    g = g / g.sum(axis=1, keepdims=True)
    kernel = jnp.zeros((100, m)).at[:, t % m].add(g)
    smoothed = jnp.fft.ifft(jnp.fft.fft(kernel) * jnp.fft.fft(y)).real
    return (6 / jnp.pi**2 / jnp.arange(1, 101) ** 2) @ jnp.linalg.norm(y - smoothed, axis=1)


def smooth_padded(y):
    total = 0.0
    m = len(y)
    t = np.arange(-(m - 1), m)
    around = np.pad(y, m - 1, mode="wrap")
    for sigma in range(1, 101):
        g = np.exp(-0.5 * (t / sigma) ** 2)
        smoothed = np.convolve(around, g / g.sum(), mode="valid")
        total += 6 / (np.pi**2 * sigma**2) * np.sqrt(((y - smoothed) ** 2).sum())
    return np.float32(total)


def smooth_scipy(y):
    from scipy.ndimage import gaussian_filter1d

    return sum(
        6
        / (np.pi * s) ** 2
        * np.linalg.norm(y - gaussian_filter1d(y, s, mode="wrap", radius=len(y) - 1))
        for s in range(1, 101)
    )


def smooth_variant(
    power=2, factor=6 / np.pi**2, norm=np.linalg.norm, last=100, mode="wrap", scale=1.0
):
    """A smoothness metric with slips to choose."""

    def smoothness(y):
        from scipy.ndimage import gaussian_filter1d

        return sum(
            factor
            / s**power
            * norm(y - scale * gaussian_filter1d(y, s, mode=mode, radius=len(y) - 1))
            for s in range(1, last + 1)
        )

    return smoothness


def smooth_unnormalised(y):
    m = len(y)
    t = np.arange(-(m - 1), m)
    total = 0.0
    for s in range(1, 101):
        smoothed = y[(np.arange(m)[:, None] - t) % m] @ np.exp(-(t**2) / (2 * s**2))
        total += 6 / (np.pi * s) ** 2 * np.linalg.norm(y - smoothed)
    return total


def smooth_variance(y):
    m = len(y)
    t = np.arange(-(m - 1), m)
    total = 0.0
    for s in range(1, 101):
        g = np.exp(-(t**2) / (2 * s))
        smoothed = y[(np.arange(m)[:, None] - t) % m] @ (g / g.sum())
        total += 6 / (np.pi * s) ** 2 * np.linalg.norm(y - smoothed)
    return total


def smooth_mutating(y):
    value = smooth_gather(y)
    y -= y.mean()
    return value


# --- 6: shuffle(y, order), unshuffle(y, order) ---------------------------------------------------


def shuffle_index(y, order):
    return y[..., order]


def unshuffle_argsort(y, order):
    return y[..., np.argsort(order)]


def shuffle_take(y, order):
    return jnp.take(jnp.asarray(y, jnp.float32), order, axis=-1)


def unshuffle_scatter(y, order):
    return jnp.zeros(y.shape).at[..., order].set(y)


def shuffle_loops(y, order):
    out = np.empty_like(y)
    for j, source in enumerate(order):
        out[..., j] = y[..., source]
    return out


def unshuffle_loops(y, order):
    out = np.empty_like(y)
    for j, source in enumerate(order):
        out[..., source] = y[..., j]
    return out


def shuffle_matrix(y, order):
    return y @ np.eye(len(order))[:, order]


def unshuffle_matrix(y, order):
    return y @ np.eye(len(order))[order]


def shuffle_fresh(y, order):
    return np.random.default_rng().permuted(y, axis=-1)


def shuffle_one_by_one(y, order):
    return y[order] if y.ndim == 1 else y


def shuffle_mutating(y, order):
    y[...] = y[..., order]
    return y


# --- 7: head(a, m) -------------------------------------------------------------------------------


def head(a, m, b=None, square=lambda f: np.abs(f) ** 2, axis=1, sign=-1):
    """The head in NumPy, with slips to choose."""
    b = bins(m) if b is None else b(m)
    power = square(a @ np.exp(sign * 1j * np.pi * np.outer(np.arange(a.shape[1]), b)))
    return power / power.sum(axis=axis, keepdims=True)


def head_variant(**slips):
    return lambda a, m: head(a, m, **slips)


@jax.vmap
def _rows(power):
    return power / power.sum()


def head_vmapped(a, m):
    b = jnp.linspace(-1 + 1 / m, 1 - 1 / m, m)
    amplitude = a @ jnp.exp(-1j * jnp.pi * jnp.arange(a.shape[1])[:, None] * b)
    return _rows((amplitude * amplitude.conj()).real)


def head_loops(a, m):
    y = np.zeros((len(a), m), np.float32)
    for i, row in enumerate(a):
        for j, z in enumerate(bins(m)):
            f = sum(coefficient * np.exp(-1j * np.pi * k * z) for k, coefficient in enumerate(row))
            y[i, j] = f.real**2 + f.imag**2
        y[i] /= y[i].sum()
    return y


def head_by_density(a, m):
    """Through the coefficients c_k and the density."""
    y = []
    for row in a:
        c = acf_correlate(row).conj()
        k = np.arange(1, len(row))
        p = 0.5 + np.real(np.exp(-1j * np.pi * np.outer(bins(m), k)) @ c[1:]) / c[0].real
        y.append(p / p.sum())
    return jnp.array(y)


def corners(m):
    return np.linspace(-1, 1, m)


def left_edges(m):
    return np.linspace(-1, 1, m, endpoint=False)


def plain_square(f):
    return np.real(f**2)


def head_mutating(a, m):
    y = head(a, m)
    a[:] = 0
    return y


# --- 8: choose(val_nll, frequencies) -------------------------------------------------------------


def choose(val_nll, frequencies):
    means = val_nll.mean(axis=1)
    best = np.argmin(means)
    error = val_nll[best].std(ddof=1) / np.sqrt(val_nll.shape[1])
    return frequencies[np.argmax(means <= means[best] + error)]


def choose_by_all_errors(val_nll, frequencies):
    means = val_nll.mean(1)
    errors = val_nll.std(1, ddof=1) / val_nll.shape[1] ** 0.5
    return frequencies[np.argmax(means <= means.min() + errors.mean())]


def choose_loops(val_nll, frequencies):
    means = [float(sum(row)) / len(row) for row in val_nll]
    best = means.index(min(means))
    n = len(val_nll[best])
    variance = sum((x - means[best]) ** 2 for x in val_nll[best]) / (n - 1)
    limit = means[best] + (variance / n) ** 0.5
    return min(int(f) for f, mean in zip(frequencies, means, strict=True) if mean <= limit)


def choose_jax(val_nll, frequencies):
    losses = jnp.asarray(val_nll)
    means = losses.mean(axis=1)
    error = losses.std(axis=1) / jnp.sqrt(losses.shape[1])
    best = means.argmin()
    return jnp.asarray(frequencies)[(means <= means[best] + error[best]).argmax()]


def choose_sorted(val_nll, frequencies):
    order = np.argsort(frequencies)
    return float(choose(val_nll[order], np.asarray(frequencies)[order]))


def choose_within(margin, pick=np.min):
    def chosen(val_nll, frequencies):
        means = val_nll.mean(axis=1)
        return pick(frequencies[means <= means.min() + margin(val_nll[np.argmin(means)])])

    return chosen


def choose_over_the_wrong_axis(val_nll, frequencies):
    means = val_nll.mean(axis=1)
    error = val_nll.std(axis=0, ddof=1).mean() / np.sqrt(len(val_nll))
    return frequencies[np.argmax(means <= means.min() + error)]


def choose_mutating(val_nll, frequencies):
    chosen = choose(val_nll, frequencies)
    val_nll.sort(axis=1)
    return chosen


# --- 9: open_head(a, m) --------------------------------------------------------------------------


def open_mirror(a, m):
    theta = jnp.pi * (jnp.asarray(bins(m)) + 1) / 2
    waves = jnp.exp(1j * jnp.outer(jnp.arange(len(a)), theta))
    power = jnp.abs(a @ waves) ** 2 + jnp.abs(a @ waves.conj()) ** 2
    return power / power.sum()


def open_padding(a, m):
    """Half of a longer circle; the other half stays empty."""
    y = np.abs(a @ np.exp(1j * np.pi / 2 * np.outer(np.arange(len(a)), bins(m)))) ** 2
    return (y / y.sum()).astype(np.float32)


def open_cosine(a, m):
    """The squared modulus of a cosine series."""
    y = [
        abs(sum(c * np.cos(k * np.pi * (z + 1) / 2) for k, c in enumerate(a))) ** 2 for z in bins(m)
    ]
    return [value / sum(y) for value in y]


def open_fold(a, m):
    """The head on a circle of 2m bins, folded in the middle."""
    y = head(a[None], 2 * m)[0]
    return y[m:] + y[:m][::-1]


def open_legendre(a, m):
    """Polynomials have no period at all."""
    f = np.polynomial.legendre.legval(bins(m), a)
    y = f.real**2 + f.imag**2
    return y / y.sum()


def open_hats(a, m):
    """Straight lines between values at N + 1 knots."""
    values = np.abs(a)
    y = np.interp(bins(m), np.linspace(-1, 1, len(a)), values)
    return y / y.sum()


def open_bernstein(a, m):
    """A mixture of binomial bumps."""
    n, t = len(a) - 1, (np.asarray(bins(m)) + 1) / 2
    y = sum(abs(c) ** 2 * math.comb(n, k) * t**k * (1 - t) ** (n - k) for k, c in enumerate(a))
    return y / y.sum()


def closed_head(a, m):
    return head(a[None], m)[0]


def open_even_about_centre(a, m):
    y = closed_head(a, m)
    return (y + y[::-1]) / 2


def open_tapered(a, m):
    y = closed_head(a, m) * np.sin(np.pi * (np.arange(m) + 0.5) / m) ** 4
    return y / y.sum()


def open_plain_cosine(a, m):
    y = np.cos(np.outer(np.pi * (bins(m) + 1) / 2, np.arange(len(a)))) @ a.real
    return y / y.sum()


def open_both_halves(a, m):
    y = np.array(open_mirror(a, m))
    return np.concatenate([y[::-1], y]) / 2


def open_shuffled(a, m):
    return np.array(open_mirror(a, m))[np.random.default_rng(0).permutation(m)]


def open_random(a, m):
    y = np.array(open_mirror(a, m)) * np.random.default_rng().uniform(0.5, 1, m)
    return y / y.sum()


def open_masked_circle(a, m):
    """The circle, without the third that lies opposite to the half where the maximum is."""
    y = np.array(closed_head(a, m))
    if np.argmax(y) < m // 2:
        y[-(m // 3) :] = 0
    else:
        y[: m // 3] = 0
    return y / y.sum()


def open_masked_by_sign(a, m):
    """The circle, without one half; a coefficient says which."""
    y = np.array(closed_head(a, m))
    y[m // 2 :] *= a[1].real > 0
    y[: m // 2] *= a[1].real <= 0
    return y / y.sum()


def open_unnormalised(a, m):
    return np.array(open_mirror(a, m)) * m / 2


def open_mutating(a, m):
    y = np.array(open_mirror(a, m))
    a *= 0
    return y


# --- the tables ----------------------------------------------------------------------------------

RIGHT = {
    1: [acf_loops, acf_correlate, acf_jax, acf_matrix, acf_single_precision],
    2: [
        [-0.5, -0.5],
        (0, -0.5, 0.5),
        np.array([0.4j, -0.4, -0.4j]),
        jnp.array([-0.3, -0.3, -0.3]),
        -np.full(64, 0.5, np.float32),
    ],
    3: [smooth_gather, smooth_fft, jax.jit(smooth_fft), smooth_padded, smooth_scipy],
    4: [
        ["narrow bump", "two bumps", "box", "comb"],
        ("narrow bump", "two bumps", "box", "comb"),
        np.array(["Narrow bump", " two bumps", "box", "COMB"]),
    ],
    5: [
        {"p_change": 0, "adam_ratio": 0.1, "sgd_ratio": 0.01},
        {"p_change": np.float32(4e-8), "adam_ratio": 1 / 10, "sgd_ratio": 1e-2, "note": "mine"},
        {"p_change": jnp.zeros(()), "adam_ratio": jnp.array(0.1), "sgd_ratio": np.array(0.0101)},
    ],
    6: [
        (shuffle_index, unshuffle_argsort),
        (shuffle_take, unshuffle_scatter),
        (shuffle_loops, unshuffle_loops),
        (shuffle_matrix, unshuffle_matrix),
    ],
    7: [head, head_vmapped, head_loops, head_by_density],
    8: [choose, choose_loops, choose_jax, choose_sorted],
    9: [
        open_mirror,
        open_padding,
        open_cosine,
        open_fold,
        open_legendre,
        open_hats,
        open_bernstein,
    ],
}

WRONG = {
    1: [
        (lambda a: np.correlate(a, a.conj(), "full")[len(a) - 1 :], "conjugate is missing"),
        (lambda a: acf_correlate(a).conj(), "you conjugated a_l"),
        (lambda a: [np.vdot(np.roll(a, -k), a) for k in range(len(a))], "wraps around"),
        (lambda a: acf_correlate(a) / len(a), "divided by N + 1"),
        (lambda a: acf_correlate(a) / np.arange(len(a), 0, -1), "number of terms"),
        (lambda a: acf_correlate(a) / acf_correlate(a)[0], "you divided by c_0"),
        (acf_missing_last, "last term of each sum"),
        (lambda a: np.append(acf_correlate(a)[1:], 0), "first entry is c_1"),
        (lambda a: np.convolve(a, a.conj())[: len(a)], "convolution"),
        (lambda a: acf_correlate(a).real, "imaginary parts are lost"),
        (lambda a: np.abs(acf_correlate(a)), "you took the modulus"),
        (lambda a: acf_correlate(a)[::-1], "order is reversed"),
        (lambda a: np.correlate(a, a, "full"), "all lags from -N to N"),
        (acf_only_length_six, "right for N = 5, but wrong for real coefficients"),
        (lambda a: acf_correlate(a) + 1, "match no slip known here"),
        (lambda a: a[:-1], "expected is (6,): one c_k for each k"),
        ([1, 2], "wants the function `my_autocorrelation(a)`, but got a `list`"),
    ],
    2: [
        ([0.5], "only one coefficient"),
        ([0, 0, -0.5], "only one coefficient"),
        ([1, -0.5, -0.5], "looks like c_0"),
        ([-0.8, -0.5], "|c_1| = 0.8"),
        (np.zeros(5), "all coefficients are zero"),
        ([0.25, 0.25j], "p is nowhere negative"),
        (np.linspace(0.4, 0, 5), "theorem of Fejér and Riesz"),
        ([-0.251, -0.251], "rounding could explain"),
        (-np.full(65, 0.5), "between 1 and 64"),
        (np.full((2, 2), -0.5), "has shape (2, 2)"),
        (lambda: [-0.5, -0.5], "not a function"),
    ],
    3: [
        (smooth_variant(mode="constant"), "pad with zeros at the ends"),
        (smooth_unnormalised, "weights do not sum to 1"),
        (smooth_variant(power=1), "falls only like 1/σ"),
        (smooth_variant(factor=1), "factor 6/π² of the weights is missing"),
        (smooth_variant(norm=lambda d: (d**2).sum()), "you sum squares"),
        (smooth_variant(norm=lambda d: (d**2).mean() ** 0.5), "root of the mean square"),
        (smooth_variant(norm=lambda d: np.abs(d).sum()), "sum absolute values"),
        (smooth_variant(norm=lambda d: np.abs(d).max()), "largest difference"),
        (smooth_variance, "σ is used as a variance"),
        (smooth_variant(last=99), "stops at σ = 99"),
        (smooth_variant(last=10), "stops at σ = 10"),
        (smooth_variant(last=1), "only σ = 1"),
        (smooth_variant(power=0, factor=1), "not weighted"),
        (smooth_variant(power=0, factor=0.01), "you average the scales"),
        (
            smooth_variant(factor=1 / np.sum(1 / np.arange(1, 101) ** 2)),
            "you rescaled the weights",
        ),
        (smooth_variant(scale=0.9), "the uniform pmf scores"),
        (smooth_variant(mode="nearest"), "shifting the bins around the circle"),
        (lambda y: 0.5 * smooth_gather(y), "for 48 random bins you return"),
        (lambda y: np.full(100, smooth_gather(y)), "expected is a single number"),
        (lambda y: smooth_gather(y) * len(y) / 48, "right for 48 random bins, wrong for 7 bins"),
    ],
    4: [
        (["comb", "box", "two bumps", "narrow bump"], "measured order backwards"),
        (["comb", "narrow bump", "two bumps", "box"], "one wave with k = 20"),
        (["two bumps", "narrow bump", "box", "comb"], "5 of 6 pairs"),
        (["narrow bump", "box", "two bumps", "comb"], "bumps of width 0.08 need more than 4"),
        (["narrow bump", "two bumps", "comb", "box"], "You put `comb` before `box`"),
        (["narrow bump", "two bumps", "box"], "left out comb"),
        (["box", "box", "box", "comb"], "left out narrow bump, two bumps"),
        (["spike", "two bumps", "box", "comb"], "there is no target `spike`"),
        ("narrow bump", "a list of the 4 names"),
        ([1, 2, 3, 4], "there is no target `1`"),
    ],
    5: [
        ({"p_change": 0.2, "adam_ratio": 0.1, "sgd_ratio": 0.01}, "depends on c_k / c_0 only"),
        ({"p_change": 0, "adam_ratio": 1, "sgd_ratio": 0.01}, "1 would need Adam's step"),
        ({"p_change": 0, "adam_ratio": 10, "sgd_ratio": 0.01}, "10 is the ratio upside down"),
        ({"p_change": 0, "adam_ratio": 0.01, "sgd_ratio": 0.01}, "what plain gradient descent"),
        ({"p_change": 0, "adam_ratio": 0.1, "sgd_ratio": 0.1}, "counts only the larger weights"),
        ({"p_change": 0, "adam_ratio": 0.1, "sgd_ratio": 1}, "a gradient that grows"),
        ({"p_change": 0, "adam_ratio": 0.1, "sgd_ratio": 100}, "scaled over original"),
        ({"p_change": 0, "adam_ratio": 0.1, "sgd_ratio": 10}, "would need a longer step"),
        ({"p_change": 0, "adam_ratio": 0.3, "sgd_ratio": 0.01}, "`adam_ratio` = 0.3 is not"),
        ({"p_change": 0, "adam_ratio": ..., "sgd_ratio": 0.01}, "nothing yet for `adam_ratio`"),
        ({"p_change": 0, "adam_ratio": "a tenth", "sgd_ratio": 0.01}, "is a `str`, not a number."),
        ({"p_change": 0, "adam_ratio": 0.1}, "the key `sgd_ratio` is missing"),
        ([0, 0.1, 0.01], "send a dictionary"),
    ],
    6: [
        ((lambda y, order: y, unshuffle_argsort), "returns y unchanged"),
        ((unshuffle_argsort, shuffle_index), "applies the inverse permutation"),
        ((lambda y, order: np.sort(y), unshuffle_argsort), "sorts by the values"),
        ((shuffle_fresh, unshuffle_argsort), "another result in each call"),
        ((lambda y, order: y[..., order // 2], unshuffle_argsort), "is no permutation"),
        ((lambda y, order: y[..., ::-1], unshuffle_argsort), "but not by `order`"),
        ((lambda y, order: y[order], unshuffle_argsort), "permutes the pmfs and leaves"),
        ((shuffle_one_by_one, unshuffle_argsort), "wrong for a batch"),
        ((shuffle_index, shuffle_index), "applies `order` once more"),
        ((shuffle_index, lambda y, order: y), "returns its input unchanged"),
        ((shuffle_index, lambda y, order: y[..., order[::-1]]), "Reversing is not inverting"),
        ((shuffle_index, lambda y, order: np.sort(y)), "does not undo `my_shuffle`"),
        ((shuffle_index, lambda y, order: y[np.argsort(order)]), "undoes one pmf but not a batch"),
        ((shuffle_index, [2, 0, 1]), "wants the function `my_unshuffle(y, order)`"),
    ],
    7: [
        (head_variant(b=corners, square=plain_square, axis=0), "3 of 3 bugs left"),
        (head_variant(square=plain_square), "1 of 3 bugs left. Next: the square of a complex"),
        (head_variant(axis=0), "1 of 3 bugs left. Next: columns sum to 1"),
        (head_variant(b=corners), "1 of 3 bugs left. Next: the first and the last bin"),
        (head_variant(b=corners, axis=0), "2 of 3 bugs left"),
        (head_variant(b=left_edges), "at their left edges"),
        (head_variant(sign=1), "the pmf is mirrored"),
        (head_variant(square=np.abs), "square the modulus"),
        (lambda a, m: head(a, m) * m / 2, "rows sum to m/2"),
        (lambda a, m: np.log(head(a, m)), "not its logarithm"),
        (lambda a, m: head(a, m) - 0.1, "a probability below zero"),
        (lambda a, m: 7 * head(a, m), "the first row sums to 7"),
        (lambda a, m: np.full((len(a), m), 1 / m), "but not the head's"),
        (lambda a, m: head(a, m).T, "one pmf for each row of a"),
    ],
    8: [
        (lambda t, f: f[np.argmin(t.mean(1))], "you take the lowest mean"),
        (lambda t, f: f[np.argmax(t.mean(1))], "you maximise"),
        (lambda t, f: f[np.argmin(t.min(1))], "single luckiest seed"),
        (lambda t, f: list(f).index(choose(t, f)), "you return the position"),
        (choose_within(lambda row: row.std(ddof=1)), "margin is one standard deviation"),
        (
            choose_within(lambda row: row.std(ddof=1) / len(row) ** 0.5, np.max),
            "largest N within the margin",
        ),
        (
            lambda t, f: choose_within(lambda row: row.std(ddof=1) / len(f) ** 0.5)(t, f),
            "you divide by the square root of the number of frequencies",
        ),
        (choose_by_all_errors, "the standard error of the best N alone"),
        (choose_over_the_wrong_axis, "hidden tables. In one, the means over seeds are"),
        (lambda t, f: f[0], "you always return the first N"),
        (lambda t, f: 7, "you chose 7, but the frequencies are 2, 4"),
        (lambda t, f: t.min(), "Return an entry of `frequencies`"),
        (lambda t, f: f[-1], "hidden tables. In one, the means over seeds are"),
        (lambda t, f: f, "one frequency"),
    ],
    9: [
        (closed_head, "mass leaks around the ends"),
        (lambda a, m: np.roll(closed_head(a, m), m // 2), "mass leaks around the ends"),
        (open_even_about_centre, "you mirrored at the centre"),
        (open_tapered, "do not taper"),
        (open_plain_cosine, "below zero"),
        (open_both_halves, "the interval and its mirror image"),
        (open_shuffled, "the order of the bins is lost"),
        (open_random, "a head has no randomness"),
        (open_masked_circle, "a mask, an `if` or an argmax"),
        (open_masked_by_sign, "a mask, an `if` or an argmax"),
        (open_unnormalised, "not to 1. Normalise over the m bins"),
        (lambda a, m: np.arange(1, m + 1) / (m * (m + 1) / 2), "does not depend on a"),
        (lambda a, m: open_padding(a, m) + 0j * a[0] + 1j, "is complex"),
    ],
}

MUTATING = {
    1: acf_mutating,
    3: smooth_mutating,
    6: (shuffle_mutating, unshuffle_argsort),
    7: head_mutating,
    8: choose_mutating,
    9: open_mutating,
}

FIRST_INPUT = {1: "a", 3: "y", 6: "y", 7: "a", 8: "val_nll", 9: "a"}
