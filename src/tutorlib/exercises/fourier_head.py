"""Checkers of the Fourier head's exercises.

Every right value is computed here by another route than the one that the exercise asks for (FFT
for sums, loops for FFT, a fit, a measurement), and so is every wrong value whose mistake we can
name: an answer that equals the result of a known slip gets the message for that slip.

Notation as in the chapter: m bins with centres b_j = (-m + 1 + 2j) / m on [-1, 1], N frequencies,
complex coefficients a of shape (N+1,).
"""

from functools import lru_cache, partial
from itertools import product

import numpy as np

from tutorlib.exercises import (
    NotAttempted,
    Submitted,
    Wrong,
    checker,
    entries,
    numbers,
    ranking,
    sentence,
)


def _close(value, expected, tolerance=1e-4):
    """Whether two arrays agree, to `tolerance` of the largest expected magnitude."""
    scale = np.abs(expected).max(initial=1e-12)
    return value.shape == np.shape(expected) and np.abs(value - expected).max() <= tolerance * scale


def _bins(m):
    """Bin centres, shape (m,)."""
    return (-m + 1 + 2 * np.arange(m)) / m


def _coefficients(rng, *shape):
    """Random complex coefficients."""
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


# --- 1: the coefficients -------------------------------------------------------------------------


def _autocorrelation(a):
    """c_k = sum_l a_l conj(a_{l+k}) by FFT: the spectrum of an autocorrelation is |spectrum|^2."""
    spectrum = np.fft.fft(a, 2 * len(a))
    return np.fft.ifft(np.abs(spectrum) ** 2)[: len(a)].conj()


def _lag_sums(a, term, first=0, short=0):
    """sum_{l=0}^{N-k-short} term(l, k), for k = first .. first + N, by loops."""
    n = len(a)
    return np.array(
        [sum(term(x, k) for x in range(max(n - k - short, 0))) for k in range(first, first + n)],
        dtype=complex,
    )


def _autocorrelation_slips(a):
    """(value, message) for each known slip."""
    c, n = _autocorrelation(a), len(a)
    shift = "Stop the sum at l = N - k, so that l + k never leaves 0..N."
    return [
        (
            _lag_sums(a, lambda x, k: a[x] * a[x + k]),
            "the complex conjugate is missing: you sum a_l · a_{l+k}. Conjugate the second factor; "
            "then c_0 is the energy Σ|a_l|², real and positive.",
        ),
        (
            c.conj(),
            "every c_k is the conjugate of what is asked: you conjugated a_l. The conjugate "
            "belongs to a_{l+k}; with the other choice p is mirrored, p(z) becomes p(-z).",
        ),
        (
            np.array([np.sum(a * np.roll(a, -k).conj()) for k in range(n)]),
            f"your sum wraps around: a_{{l+k}} beyond N re-enters at 0. {shift}",
        ),
        (
            c / n,
            "each c_k is divided by N + 1. Autocorrelation is a plain sum, not a mean.",
        ),
        (
            c / (n - np.arange(n)),
            "each c_k is divided by its number of terms N - k + 1. Autocorrelation is a plain sum; "
            "with the mean p can become negative.",
        ),
        (
            c / c[0],
            "you divided by c_0. That is the next step of the head; here return the sums "
            "themselves, with c_0 the energy.",
        ),
        (
            _lag_sums(a, lambda x, k: a[x] * a[x + k].conj(), short=1),
            "the last term of each sum, l = N - k, is missing: `range(n)` stops at n - 1.",
        ),
        (
            _lag_sums(a, lambda x, k: a[x] * a[x + k].conj(), first=1),
            "your first entry is c_1. Lag k = 0, the energy, comes first.",
        ),
        (
            np.array([sum(a[x] * a[k - x].conj() for x in range(k + 1)) for k in range(n)]),
            "you computed a convolution: the index is k - l. An autocorrelation pairs a_l with "
            "a_{l+k}.",
        ),
        (
            c.real,
            "the imaginary parts are lost. Keep c complex: they say where the bumps of p stand.",
        ),
        (np.abs(c), "you took the modulus. Keep c complex: its phases say where the bumps stand."),
        (c[::-1], "the order is reversed: c_0, the energy, comes first and c_N last."),
    ]


@checker("fourier-head/1", "Write the body of `my_autocorrelation`.")
def check_autocorrelation(answer):
    """answer(a): a (N+1,) complex -> c (N+1,) complex."""
    student = Submitted(answer, "my_autocorrelation(a)")
    rng = np.random.default_rng(1)
    cases = {
        "N = 5": _coefficients(rng, 6),
        "N = 0 (one coefficient)": _coefficients(rng, 1),
        "N = 1": _coefficients(rng, 2),
        "real coefficients": rng.normal(size=9),
        "N = 12": _coefficients(rng, 13),
    }
    for name, a in cases.items():
        what, n = f"`my_autocorrelation(a)` for {name}", len(a)
        all_lags = "all lags from -N to N. Keep k = 0..N, which is half of them and the centre."
        c = numbers(
            student(a),
            what,
            (n,),
            "one c_k for each k = 0..N",
            real=False,
            known={(2 * n - 1,): all_lags} if n > 1 else {},
        )
        if _close(c, _autocorrelation(a)):
            continue
        if name == "N = 5":
            for slip, message in _autocorrelation_slips(a):
                if _close(c, slip):
                    raise Wrong(message)
            raise Wrong(
                "the coefficients are not the autocorrelation of a, and match no slip known here. "
                "Work one case by hand: a = [1, 2i] has c_0 = 1 + 4 = 5 and c_1 = 1 · conj(2i) = "
                "-2i."
            )
        raise Wrong(f"right for N = 5, but wrong for {name}. What is special about that length?")
    return (
        "c agrees with the inverse FFT of |FFT(a)|² for N = 0, 1, 5, 8 and 12, so c_0 is the "
        "energy of a and p cannot be negative."
    )


# --- 2: coefficients that no autocorrelation gives -----------------------------------------------


@checker("fourier-head/2", "Replace `...` by your coefficients c_1..c_N.")
def check_negative_density(answer):
    """answer: (N,) complex, c_1..c_N with c_0 = 1, every |c_k| <= 1/2, and p negative somewhere."""
    if answer is None or answer is ...:
        raise NotAttempted
    if callable(answer):
        raise Wrong("this exercise wants the coefficients themselves, not a function.")
    c = numbers(answer, "`negative_coefficients`", (None,), "c_1..c_N", real=False)
    if not 1 <= len(c) <= 64:
        raise Wrong(f"you sent {len(c)} coefficients; send between 1 and 64. Two are enough.")
    size = np.abs(c)
    if np.isclose(c[0], 1) and np.all(size[1:] <= 0.5 + 1e-6):
        raise Wrong("the first entry is 1, which looks like c_0. Send only c_1..c_N; c_0 = 1.")
    if np.any(size > 0.5 + 1e-6):
        k = int(np.argmax(size))
        raise Wrong(
            f"|c_{k + 1}| = {size[k]:.3g}. Keep every modulus at 1/2 or below: then no wave goes "
            "negative alone, which is what makes the question interesting."
        )
    if np.all(size < 1e-9):
        raise Wrong("all coefficients are zero: that is the uniform density, p = 1/2 everywhere.")
    z = np.linspace(-1, 1, 4001)
    p = 0.5 + np.real(np.exp(1j * np.pi * np.outer(z, np.arange(1, len(c) + 1))) @ c)
    lowest, place = p.min(), z[np.argmin(p)]
    if np.count_nonzero(size > 1e-9) == 1:
        raise Wrong(
            f"only one coefficient is non-zero, and one wave of modulus 1/2 or less stays above "
            f"zero (here p ≥ {max(lowest, 0):.2f}). Let two waves have their troughs at the same z."
        )
    if lowest > -1e-6:
        raise Wrong(
            f"p is nowhere negative: its minimum is {max(lowest, 0):.3f}. By the theorem of Fejér "
            "and Riesz your coefficients are then an autocorrelation of some a. Look for waves "
            "whose troughs meet: at which z is Re(c_k e^{ikπz}) most negative?"
        )
    if lowest > -0.01:
        raise Wrong(
            f"p only reaches {lowest:.1e}, which rounding could explain. Go below -0.01: larger "
            "moduli, or troughs that meet more exactly."
        )
    return (
        f"p(z) falls to {lowest:.2f} at z = {place:.2f} though it still integrates to 1. An "
        "autocorrelation gives p = |…|² ≥ 0, so no a has these coefficients."
    )


# --- 3: smoothness -------------------------------------------------------------------------------

_SIGMAS = range(1, 101)
_SMOOTHNESS_TOLERANCE = 2e-5  # the scale σ = 100 alone weighs 6e-5 and must not go unnoticed


def _smoothness(
    y,
    sigmas=_SIGMAS,
    weight=lambda sigma: 6 / (np.pi * sigma) ** 2,
    norm=lambda d: np.sqrt(np.sum(d**2)),
    gaussian=lambda t, sigma: np.exp(-(t**2) / (2 * sigma**2)),
    radius=None,
    wrap=True,
    unit=True,
):
    """The smoothness of pmf y (m,), by sums over offsets. The options are the known slips."""
    m = len(y)
    offsets = np.arange(-(radius or m - 1), (radius or m - 1) + 1)
    source = np.arange(m)[:, None] - offsets  # bins that each bin averages over
    inside = wrap | ((source >= 0) & (source < m))
    neighbours = np.where(inside, y[source % m], 0)
    total = 0.0
    for sigma in sigmas:
        g = gaussian(offsets, sigma)
        total += weight(sigma) * norm(y - neighbours @ (g / g.sum() if unit else g))
    return total


_SMOOTHNESS_SLIPS = [
    (
        {"wrap": False},
        "you pad with zeros at the ends, so even the uniform pmf is smoothed away there. The bins "
        "are on a circle: bin -1 is bin m-1.",
    ),
    (
        {"unit": False},
        "the Gaussian weights do not sum to 1, so smoothing changes the total probability. Divide "
        "g_σ by its sum.",
    ),
    (
        {"wrap": False, "unit": False},
        "two things: the Gaussian weights do not sum to 1, and the ends are padded with zeros "
        "although the bins are on a circle.",
    ),
    (
        {"weight": lambda sigma: 6 / (np.pi**2 * sigma)},
        "the weight of scale σ is 6/(π²σ²); yours falls only like 1/σ.",
    ),
    ({"weight": lambda sigma: 1 / sigma**2}, "the factor 6/π² of the weights is missing."),
    ({"weight": lambda sigma: 1.0}, "the scales are not weighted: scale σ counts 6/(π²σ²)."),
    ({"weight": lambda sigma: 0.01}, "you average the scales; scale σ counts 6/(π²σ²) in a sum."),
    (
        {"weight": lambda sigma: 1 / sigma**2 / sum(1 / s**2 for s in _SIGMAS)},
        "you rescaled the weights so that the 100 of them sum to 1. Leave them as they are; "
        "6/(π²σ²) sums to 1 over all σ up to infinity.",
    ),
    (
        {"norm": lambda d: np.sum(d**2)},
        "you sum squares. The norm ‖y - g*y‖₂ is the square root of the sum of squares.",
    ),
    (
        {"norm": lambda d: np.sqrt(np.mean(d**2))},
        "you take the root of the mean square. The norm ‖·‖₂ is the root of the sum: a mean makes "
        "the value depend on m.",
    ),
    ({"norm": lambda d: np.sum(np.abs(d))}, "you sum absolute values; ‖·‖₂ is the Euclidean norm."),
    ({"norm": lambda d: np.max(np.abs(d))}, "you take the largest difference; ‖·‖₂ is Euclidean."),
    (
        {"gaussian": lambda t, sigma: np.exp(-(t**2) / (2 * sigma))},
        "σ is used as a variance: the exponent is -t²/(2σ²).",
    ),
    (
        {"gaussian": lambda t, sigma: np.exp(-(t**2) / sigma**2)},
        "the factor 2 in the Gaussian's exponent -t²/(2σ²) is missing.",
    ),
    ({"sigmas": range(1, 100)}, "the sum stops at σ = 99: `range(1, 100)` excludes its end."),
    ({"sigmas": range(1, 2)}, "only σ = 1 is used; sum over σ = 1..100."),
    ({"sigmas": range(1, 11)}, "the sum stops at σ = 10; it runs to 100."),
    (
        {"radius": 24},
        "the Gaussian is cut off at m/2 bins. Its radius is m - 1; what reaches beyond the ends "
        "wraps around.",
    ),
]


def _square_wave(m, half_period):
    """A pmf of m bins that switches between 0 and a constant every `half_period` bins."""
    y = (np.arange(m) // half_period % 2 == 0).astype(float)
    return y / y.sum()


@checker("fourier-head/3", "Write the body of `my_smoothness`.")
def check_smoothness(answer):
    """answer(y): pmf y (m,) -> s(y), a number."""
    student = Submitted(answer, "my_smoothness(y)")
    rng = np.random.default_rng(3)
    uniform = np.full(48, 1 / 48)

    def read(y, name):
        return numbers(student(y), f"`my_smoothness(y)` for {name}", ())

    y = rng.dirichlet(np.ones(48))
    value = read(y, "48 random bins")
    if not _close(value, _smoothness(y), _SMOOTHNESS_TOLERANCE):
        for slip, message in _SMOOTHNESS_SLIPS:
            if _close(value, _smoothness(y, **slip), _SMOOTHNESS_TOLERANCE):
                raise Wrong(message)
        flat = float(read(uniform, "the uniform pmf"))
        if abs(flat) > 1e-4:
            raise Wrong(
                f"the uniform pmf scores {flat:.3g}; it must score 0, since averaging equal bins "
                "changes nothing. Do the weights sum to 1, and do the ends wrap around?"
            )
        shifted = read(np.roll(y, 13), "shifted bins")
        if not _close(shifted, value, 1e-3):
            raise Wrong(
                f"shifting the bins around the circle changes the value from {float(value):.3g} to "
                f"{float(shifted):.3g}. Treat all bins alike: index modulo m."
            )
        off = float(value) / _smoothness(y) - 1
        raise Wrong(
            f"for 48 random bins you return {float(value):.3g}, which is {100 * abs(off):.2g} % "
            f"{'more' if off > 0 else 'less'} than direct sums give. Test one scale first: for "
            "y = (1, 0, …, 0) and σ = 1, g*y is the Gaussian itself, wrapped around."
        )
    if abs(read(uniform, "the uniform pmf")) > 1e-4:
        raise Wrong("right for random bins, but the uniform pmf does not score 0.")
    cases = {
        "7 bins": rng.dirichlet(np.ones(7)),
        "one full bin of 48": np.eye(48)[5],
        "a wide square wave": _square_wave(48, 12),
        "a narrow square wave": _square_wave(48, 2),
    }
    for name, y in cases.items():
        if not _close(read(y, name), _smoothness(y), _SMOOTHNESS_TOLERANCE):
            raise Wrong(
                f"right for 48 random bins, wrong for {name} ({_smoothness(y):.3g} by direct "
                "sums). Is a number of bins, or a position, built into your function?"
            )
    return (
        "s(y) agrees with direct sums over wrapped offsets for 7 and 48 bins; the uniform pmf "
        "scores 0, and a narrow square wave scores higher than a wide one."
    )


# --- 4: which target gains from more frequencies -------------------------------------------------


def _targets(m=50):
    """The four target pmfs of the exercise, each (m,)."""
    b = _bins(m)

    def bump(centre, width):
        return np.exp(-(((b - centre) / width) ** 2) / 2)

    shapes = {
        "narrow bump": bump(0, 0.05),
        "two bumps": bump(-0.4, 0.08) + bump(0.3, 0.08),
        "box": (np.abs(b) < 0.5).astype(float),
        "comb": 1 + 0.95 * np.cos(20 * np.pi * b),
    }
    return {name: y / y.sum() for name, y in shapes.items()}


def _lowest_kl(target, n):
    """The lowest KL(target || head) that a head with n frequencies can reach, by fitting a."""
    from scipy.optimize import minimize  # jax brings SciPy; other exercises do without

    waves = np.exp(1j * np.pi * np.outer(_bins(len(target)), np.arange(n + 1)))

    def cross_entropy(parts):
        """-sum target log y and its gradient, in the real and imaginary parts of a."""
        amplitude = waves @ (parts[: n + 1] + 1j * parts[n + 1 :])
        power = np.abs(amplitude) ** 2 + 1e-300
        total = power.sum()
        slope = 2 * waves.conj().T @ ((1 / total - target / power) * amplitude)
        return np.log(total) - target @ np.log(power), np.concatenate([slope.real, slope.imag])

    rng = np.random.default_rng(4)
    fits = [
        minimize(cross_entropy, rng.normal(size=2 * n + 2), jac=True, method="L-BFGS-B").fun
        for _ in range(4)
    ]
    filled = target[target > 0]
    return min(fits) + filled @ np.log(filled)


@lru_cache(maxsize=1)
def _falls():
    """For each target, how far the lowest KL falls from N = 4 to N = 16 (nats)."""
    return {name: _lowest_kl(y, 4) - _lowest_kl(y, 16) for name, y in _targets().items()}


_FALL_REASONS = {
    "narrow bump": "a narrow bump has a wide spectrum, and most of it lies between k = 4 and 16",
    "two bumps": "bumps of width 0.08 need more than 4 frequencies, though fewer than one of 0.05",
    "box": "4 frequencies already catch a box's bulk, and its edges stay blurred at any N",
    "comb": "a comb of 20 teeth is one wave with k = 20, which 4 and 16 frequencies both miss",
}


@checker("fourier-head/4", "Replace `...` by the four names, largest fall first.")
def check_order(answer):
    """answer: the names of the four targets, largest fall of KL first."""
    given = ranking(answer, _FALL_REASONS, "target", "largest fall first")
    falls = _falls()
    measured = sorted(falls, key=falls.get, reverse=True)
    if given == measured:
        listed = ", ".join(f"`{name}` {abs(falls[name]):.2f}" for name in measured)
        return f"all six pairs are in the measured order. KL falls by (nats): {listed}."
    if given == measured[::-1]:
        raise Wrong("this is the measured order backwards: put the largest fall first.")
    pairs = [(x, y) for i, x in enumerate(given) for y in given[i + 1 :]]
    wrong = [(x, y) for x, y in pairs if falls[x] < falls[y]]
    x, y = wrong[0]
    reason = _FALL_REASONS["comb" if x == "comb" else y]
    raise Wrong(
        f"{len(pairs) - len(wrong)} of {len(pairs)} pairs are in the measured order. You put `{x}` "
        f"before `{y}`, but KL falls by {abs(falls[x]):.2f} for `{x}` and by {falls[y]:.2f} for "
        f"`{y}`: {reason}."
    )


# --- 5: the size of the head's weights -----------------------------------------------------------


@lru_cache(maxsize=1)
def _scaling():
    """What multiplying all weights of a small head by 10 does, measured in float64.

    Returns {"p_change", "adam_ratio", "sgd_ratio"}, see `check_scaling`.
    """
    rng = np.random.default_rng(5)
    n, m, batch = 3, 16, 24
    features = np.concatenate([rng.normal(size=(batch, 5)), np.ones((batch, 1))], axis=1)
    bins = rng.integers(m, size=batch)
    waves = np.exp(1j * np.pi * np.outer(np.arange(n + 1), _bins(m)))

    def pmf(weights):
        parts = features @ weights
        power = np.abs((parts[:, : n + 1] + 1j * parts[:, n + 1 :]) @ waves) ** 2
        return power / power.sum(axis=1, keepdims=True)

    def loss(weights):
        return -np.mean(np.log(pmf(weights)[np.arange(batch), bins]))

    def gradient(weights):
        step = 1e-5 * np.abs(weights).mean()
        slopes = [
            (loss(weights + step * direction) - loss(weights - step * direction)) / (2 * step)
            for direction in np.eye(weights.size).reshape(-1, *weights.shape)
        ]
        return np.array(slopes).reshape(weights.shape)

    weights = rng.normal(size=(6, 2 * (n + 1)))
    small, large = gradient(weights), gradient(10 * weights)

    def ratio(step):
        """Relative first step with the large weights over that with the small ones."""
        return np.linalg.norm(step(large)) / np.linalg.norm(step(small)) / 10

    return {
        "p_change": np.abs(pmf(10 * weights) - pmf(weights)).max(),
        # Adam's first step: both bias-corrected moments are the gradient's own.
        "adam_ratio": ratio(lambda g: g / (np.abs(g) + 1e-8)),
        "sgd_ratio": ratio(lambda g: g),
    }


_SCALING_SLIPS = {
    ("adam_ratio", 1.0): (
        "1 would need Adam's step to grow with the weights. Its first step is about the learning "
        "rate for every weight, however large the weight is"
    ),
    ("adam_ratio", 10.0): (
        "10 is the ratio upside down: the step keeps its length and the weights grow by 10"
    ),
    ("adam_ratio", 0.01): (
        "1/100 is what plain gradient descent does. Adam divides the gradient by its own size, so "
        "the shrinking of the gradient cancels"
    ),
    ("sgd_ratio", 0.1): (
        "1/10 counts only the larger weights. The gradient shrinks too: p(10 W) = p(W), so by the "
        "chain rule its slope at 10 W is a tenth of that at W"
    ),
    ("sgd_ratio", 1.0): (
        "1 would need a gradient that grows with the weights. From p(10 W) = p(W), what is the "
        "slope at 10 W?"
    ),
    ("sgd_ratio", 100.0): "100 is the ratio upside down: it is scaled over original",
    ("sgd_ratio", 10.0): "10 would need a longer step; both the weights and the slope matter",
}


@checker("fourier-head/5", "Replace the three `...` by numbers.")
def check_scaling(answer):
    """answer: {"p_change", "adam_ratio", "sgd_ratio"} for multiplying all head weights by 10.

    p_change: max |change of p| at initialisation. The ratios: ‖first step‖ / ‖weights‖ with the
    scaled weights, divided by the same with the original ones.
    """
    keys = ("p_change", "adam_ratio", "sgd_ratio")
    given = entries(answer, keys)
    value = {key: float(numbers(given[key], f"`{key}`", ())) for key in keys}
    measured = _scaling()
    if abs(value["p_change"]) > 1e-6:
        raise Wrong(
            f"`p_change` = {value['p_change']:.3g}, but the measured change is 0 up to rounding. p "
            "depends on c_k / c_0 only; what does a factor 10 in every a_l do to that ratio?"
        )
    for key in ("adam_ratio", "sgd_ratio"):
        if abs(value[key] - measured[key]) <= 0.05 * measured[key]:
            continue
        for (slip_key, slip), message in _SCALING_SLIPS.items():
            if key == slip_key and abs(value[key] - slip) <= 0.05 * slip:
                raise Wrong(sentence(f"`{key}`: {message}"))
        raise Wrong(
            f"`{key}` = {value[key]:.3g} is not what a measurement gives. Relative step = ‖ΔW‖/‖W‖;"
            " by which factor does ΔW change, and by which W?"
        )
    return (
        "measured on a small head: p does not change, Adam's first relative step shrinks to "
        f"{measured['adam_ratio']:.2f} and that of gradient descent to {measured['sgd_ratio']:.2f} "
        "of what it was. The initial scale is a learning rate in disguise."
    )


# --- 6: shuffled bins ----------------------------------------------------------------------------


def _kl(p, q):
    return np.sum(p * np.log(p / q))


def _begun(function, signature, *inputs):
    """Whether a function is more than a stub; what it returns or raises does not matter."""
    try:
        Submitted(function, signature)(*inputs)
    except NotAttempted:
        return False
    except Wrong:
        pass
    return True


@checker("fourier-head/6", "Write the bodies of `my_shuffle` and `my_unshuffle`.")
def check_shuffle(answer, inverse):
    """answer(y, order): y (..., m) -> y with bin order[j] moved to bin j; inverse undoes it."""
    rng = np.random.default_rng(6)
    m = 12
    order = rng.permutation(m)
    p, q = rng.dirichlet(np.ones(m), size=2)
    has_inverse = _begun(inverse, "my_unshuffle(y, order)", p, order)
    if not _begun(answer, "my_shuffle(y, order)", p, order):
        if not has_inverse:
            raise NotAttempted
        raise Wrong("nothing yet for `my_shuffle`; the check needs it to test `my_unshuffle`.")
    shuffle = Submitted(answer, "my_shuffle(y, order)")

    def shuffled(y):
        return numbers(shuffle(y, order), "`my_shuffle(y, order)`", y.shape, "the shape of y")

    moved, again = shuffled(p), shuffled(p)
    if not _close(moved, p[order]):
        if _close(moved, p):
            raise Wrong("`my_shuffle` returns y unchanged. Use `order`.")
        if _close(moved, p[np.argsort(order)]):
            raise Wrong(
                "`my_shuffle` applies the inverse permutation: it sends bin j to bin order[j]. "
                "Asked is the reverse, bin j of the result is bin order[j] of y."
            )
        if _close(moved, np.sort(p)) or _close(moved, np.sort(p)[::-1]):
            raise Wrong("`my_shuffle` sorts by the values of y; sort nothing, use `order`.")
        if not _close(again, moved):
            raise Wrong(
                "`my_shuffle` gives another result in each call: it draws its own permutation. The "
                "same fixed `order` must hold for every pmf, in training and in testing."
            )
        if not _close(np.sort(moved), np.sort(p)):
            lost = sum(not np.any(np.isclose(value, moved, rtol=1e-4)) for value in p)
            raise Wrong(
                f"`my_shuffle` is no permutation: {lost} of {m} bins of y are lost or changed. "
                "Each must appear exactly once."
            )
        raise Wrong(
            "`my_shuffle` permutes the bins, but not by `order`. Try order = [2, 0, 1]: then "
            "(y_0, y_1, y_2) becomes (y_2, y_0, y_1)."
        )
    batch = rng.dirichlet(np.ones(m), size=m)
    moved_batch = shuffled(batch)
    if _close(moved_batch, batch[order]):
        raise Wrong(
            "for a batch of pmfs, `my_shuffle` permutes the pmfs and leaves their bins in place. "
            "Bins are the last axis: y[..., j]."
        )
    if not _close(moved_batch, batch[:, order]):
        raise Wrong("right for one pmf, but wrong for a batch (…, m). Bins are the last axis.")
    if not has_inverse:
        raise Wrong("`my_shuffle` is right; nothing yet for `my_unshuffle`.")
    unshuffle = Submitted(inverse, "my_unshuffle(y, order)")

    def restored(y):
        return numbers(unshuffle(y, order), "`my_unshuffle(y, order)`", y.shape, "the shape of y")

    back = restored(moved)
    if not _close(back, p):
        if _close(back, moved):
            raise Wrong("`my_unshuffle` returns its input unchanged.")
        if _close(back, moved[order]):
            raise Wrong(
                "`my_unshuffle` applies `order` once more. That undoes only permutations made of "
                "swaps; you need the permutation p with p[order[j]] = j."
            )
        if _close(back, moved[::-1]) or _close(back, moved[order[::-1]]):
            raise Wrong(
                "`my_unshuffle` reverses a list. Reversing is not inverting: which bin did each "
                "bin come from?"
            )
        raise Wrong("`my_unshuffle` does not undo `my_shuffle`: y does not come back.")
    if not _close(restored(moved_batch), batch):
        raise Wrong("`my_unshuffle` undoes one pmf but not a batch (…, m). Bins are the last axis.")
    before, after = _kl(p, q), _kl(moved, shuffled(q))
    return (
        f"a permutation by `order`, undone exactly, along the last axis. KL(p‖q) = {before:.3f} "
        f"before and {after:.3f} after: a loss that ignores which bins are neighbours cannot see "
        "the shuffle, only the head can."
    )


# --- 7: a head with three bugs -------------------------------------------------------------------


def _head(a, m, edges=False, plain_square=False, batch_axis=False, sign=-1):
    """The head's pmf (batch, m) for a (batch, N+1), with the chosen bugs left in."""
    b = np.linspace(-1, 1, m) if edges else _bins(m)
    amplitude = a @ np.exp(sign * 1j * np.pi * np.outer(np.arange(a.shape[1]), b))
    power = np.real(amplitude**2) if plain_square else np.abs(amplitude) ** 2
    return power / power.sum(axis=0 if batch_axis else 1, keepdims=True)


_BUGS = {
    "plain_square": (
        "the square of a complex number is not its squared modulus, so entries are negative"
    ),
    "batch_axis": "columns sum to 1 instead of rows: each input of the batch is one distribution",
    "edges": (
        "the first and the last bin sit at z = -1 and z = 1, which are one point of the circle; "
        "bins have centres b_j = (-m + 1 + 2j)/m"
    ),
}


@checker("fourier-head/7", "Copy `head_with_bugs` into `my_head` and mend it.")
def check_mended_head(answer):
    """answer(a, m): a (batch, N+1) complex -> pmf (batch, m)."""
    student = Submitted(answer, "my_head(a, m)")
    rng = np.random.default_rng(7)
    for batch, n, m in [(6, 4, 20), (3, 0, 9), (20, 7, 20)]:
        a = _coefficients(rng, batch, n + 1)
        what = f"`my_head(a, {m})` for a of shape {a.shape}"
        y = numbers(student(a, m), what, (batch, m), "one pmf for each row of a")
        expected = _head(a, m)
        if _close(y, expected, 1e-3):
            continue
        for kept in product([False, True], repeat=len(_BUGS)):
            bugs = dict(zip(_BUGS, kept, strict=True))
            if _close(y, _head(a, m, **bugs), 1e-3):
                left = [_BUGS[name] for name, present in bugs.items() if present]
                raise Wrong(f"{len(left)} of 3 bugs left. Next: {left[0]}.")
        power = expected * m / 2
        left_edges = _bins(m) - 1 / m
        shifted = np.abs(a @ np.exp(-1j * np.pi * np.outer(np.arange(n + 1), left_edges))) ** 2
        slips = [
            (
                _head(a, m, sign=1),
                "the pmf is mirrored, z to -z: the sign of the exponent was no bug",
            ),
            (np.sqrt(expected) / np.sqrt(expected).sum(1, keepdims=True), "square the modulus"),
            (
                power,
                "rows sum to m/2: these are densities; divide by the sum over the bins to get "
                "probabilities",
            ),
            (np.log(np.maximum(expected, 1e-300)), "return the pmf itself, not its logarithm"),
            (
                shifted / shifted.sum(1, keepdims=True),
                "the bins are evaluated at their left edges; centres are half a bin further: "
                "b_j = (-m + 1 + 2j)/m",
            ),
        ]
        for slip, message in slips:
            if _close(y, slip, 1e-3):
                raise Wrong(f"the three bugs are gone, but there is a new one: {message}.")
        sums = y.sum(axis=1)
        if y.min() < -1e-6:
            raise Wrong(
                f"an entry is {y.min():.3g}: a probability below zero. Is it a squared modulus?"
            )
        if np.abs(sums - 1).max() > 1e-3:
            raise Wrong(
                f"the first row sums to {sums[0]:.3g}, not 1. Divide each row by its own sum."
            )
        raise Wrong(
            "rows are distributions, but not the head's. Compare with |Σ_l a_l e^{iπ l b_j}|², "
            "normalised over j, term by term."
        )
    return (
        "every row is a pmf equal to the squared modulus at the bin centres, for three shapes of "
        "batch: all three bugs are mended."
    )


# --- 8: choosing N by validation loss ------------------------------------------------------------


def _choose(
    table,
    frequencies,
    centre=lambda losses: losses.mean(axis=1),
    margin=lambda seeds: seeds.std(ddof=1) / np.sqrt(len(seeds)),
    pick=min,
):
    """The one-standard-error rule, by loops. The options are the known slips."""
    means = centre(table)
    best = int(np.argmin(means))
    limit = means[best] + margin(table[best])
    return pick(n for n, mean in zip(frequencies, means, strict=True) if mean <= limit)


def _choose_by_all_errors(table, frequencies):
    """The rule with the mean of all standard errors in place of the best one's."""
    everywhere = np.mean([row.std(ddof=1) / np.sqrt(len(row)) for row in table])
    return _choose(table, frequencies, margin=lambda seeds: everywhere)


_CHOICE_SLIPS = [
    (
        lambda t, f: f[int(np.argmin(t.mean(1)))],
        "you take the lowest mean. The rule takes the smallest N whose mean is within one standard "
        "error of it: differences smaller than that are noise.",
    ),
    (
        lambda t, f: f[int(np.argmax(t.mean(1)))],
        "you maximise. A negative log-likelihood is a loss: smaller is better.",
    ),
    (
        lambda t, f: f[int(np.argmin(t.min(1)))],
        "you follow the single luckiest seed. Average over the seeds (axis 1) first.",
    ),
    (
        partial(_choose, margin=lambda seeds: seeds.std(ddof=1)),
        "the margin is one standard deviation. The standard error of a mean is that divided by "
        "the square root of the number of seeds.",
    ),
    (
        lambda t, f: _choose(t, f, margin=lambda seeds: seeds.std(ddof=1) / np.sqrt(len(f))),
        "you divide by the square root of the number of frequencies. The standard error of a mean "
        "over seeds divides by the square root of the number of seeds.",
    ),
    (
        _choose_by_all_errors,
        "your margin is the mean of all standard errors. The rule takes the standard error of the "
        "best N alone.",
    ),
    (
        partial(_choose, pick=max),
        "you take the largest N within the margin; the rule takes the smallest, the simplest "
        "model that is as good.",
    ),
    (
        partial(_choose, centre=lambda losses: losses.min(axis=1)),
        "you compare the luckiest seed of each N. Average over the seeds (axis 1) first.",
    ),
    (
        lambda t, f: f[0],
        "you always return the first N. Compare the means over seeds with the best one.",
    ),
]


def _validation_tables(rng, frequencies, seeds, count):
    """Made-up U-shaped validation losses (n_N, n_seeds) whose choice does not hang on rounding."""
    x = np.log2(frequencies)
    tables = []
    while len(tables) < count:
        bottom, noise = rng.uniform(1.5, 4), rng.uniform(0.01, 0.06)
        curve = 1.2 + 0.05 * (x - bottom) ** 2
        # Seeds that spread differently at each N: the margin is that of the best one alone.
        spread = noise * rng.uniform(0.2, 2, size=(len(x), 1))
        table = curve[:, None] + spread * rng.normal(size=(len(x), seeds))
        margins = [
            lambda row, ddof=ddof, factor=factor: factor * row.std(ddof=ddof) / np.sqrt(seeds)
            for ddof, factor in [(1, 1.05), (1, 0.95), (0, 1)]
        ]
        if len({_choose(table, frequencies, margin=margin) for margin in margins}) == 1:
            tables.append(table)
    return tables


@checker("fourier-head/8", "Write the body of `my_choice`.")
def check_choice(answer):
    """answer(val_nll, frequencies): (n_N, n_seeds), (n_N,) increasing -> the chosen N."""
    student = Submitted(answer, "my_choice(val_nll, frequencies)")
    rng = np.random.default_rng(8)
    cases = []
    # Far from square, so that rows and columns cannot be confused.
    for frequencies, seeds in [([2, 4, 6, 8, 12, 16, 20, 28], 3), ([1, 3, 5, 9], 9)]:
        frequencies = np.array(frequencies)
        cases += [(t, frequencies) for t in _validation_tables(rng, frequencies, seeds, 20)]
    chosen = []
    for table, frequencies in cases:
        value = numbers(
            student(table, frequencies), "`my_choice(val_nll, frequencies)`", (), "one frequency"
        )
        chosen.append(float(value))
    expected = [_choose(*case) for case in cases]
    right = sum(c == e for c, e in zip(chosen, expected, strict=True))
    if right == len(cases):
        lowest = [f[int(np.argmin(t.mean(1)))] for t, f in cases]
        smaller = sum(e < n for e, n in zip(expected, lowest, strict=True))
        return (
            f"the one-standard-error choice in {len(cases)} hidden tables of validation losses. In "
            f"{smaller} of them it is a smaller N than the one with the lowest mean."
        )
    if chosen == [float(list(f).index(e)) for (_, f), e in zip(cases, expected, strict=True)]:
        raise Wrong("you return the position in `frequencies`; return the frequency itself.")
    for slip, message in _CHOICE_SLIPS:
        if chosen == [float(slip(*case)) for case in cases]:
            raise Wrong(message)
    for value, (_, frequencies) in zip(chosen, cases, strict=True):
        if value not in frequencies:
            raise Wrong(
                f"you chose {value:g}, but the frequencies are {', '.join(map(str, frequencies))}. "
                "Return an entry of `frequencies`, not a position or a loss."
            )
    first = next(i for i, (c, e) in enumerate(zip(chosen, expected, strict=True)) if c != e)
    table, frequencies = cases[first]
    means = [f"{n}: {mean:.3f}" for n, mean in zip(frequencies, table.mean(1), strict=True)]
    raise Wrong(
        f"right in {right} of {len(cases)} hidden tables. In one, the means over seeds are "
        f"{', '.join(means)}; the rule chooses {expected[first]} and you chose {chosen[first]:g}."
    )


# --- 9: an open interval -------------------------------------------------------------------------


def _jump(head, first, second):
    """How far a pmf jumps on the straight way between two vectors of coefficients.

    head: (N+1,) -> (m,). Total variation over the step in which most changes, after that step was
    halved to a millionth of the way: nearly 0 for a continuous head.
    """

    def change(step):
        return np.abs(step[1][1] - step[0][1]).sum() / 2

    points = [(s, head(first + s * (second - first))) for s in np.linspace(0, 1, 33)]
    step = max(zip(points[:-1], points[1:], strict=True), key=change)
    for _ in range(15):
        s = (step[0][0] + step[1][0]) / 2
        middle = s, head(first + s * (second - first))
        step = max((step[0], middle), (middle, step[1]), key=change)
    return change(step)


@checker("fourier-head/9", "Write the body of `my_open_head`.")
def check_open_head(answer):
    """answer(a, m): a (N+1,) complex -> pmf (m,) whose two ends are not neighbours.

    Any parametrisation counts. What decides: among many a, those that make an end bin the most
    probable one must be able to leave the other end (nearly) empty. On a circle they cannot: a
    non-negative trigonometric polynomial of degree N with its maximum at one point is at least
    (1 + cos(N d)) / 2 times as large at angle d from it.
    """
    student = Submitted(answer, "my_open_head(a, m)")
    rng = np.random.default_rng(9)

    def pmf(a, m, what, **known):
        return numbers(student(a, m), what, (m,), "one probability for each bin", **known)

    for n, m in [(12, 50), (5, 32)]:
        what = f"`my_open_head(a, {m})` for N = {n}"
        turns = np.linspace(-np.pi, np.pi, 64, endpoint=False)
        draws = [
            *np.exp(-1j * np.outer(turns, np.arange(n + 1))),  # one sharp bump, anywhere
            *np.eye(n + 1, dtype=complex),  # one function of whatever basis
            *_coefficients(rng, 40, n + 1),
        ]
        doubled = {
            (2 * m,): "the interval and its mirror image. Add the two halves, or keep one and "
            "normalise."
        }
        y = np.array([pmf(a, m, what, known=doubled) for a in draws])
        if y.min() < -1e-6:
            raise Wrong(
                f"{what} has an entry of {y.min():.3g}, below zero. A cosine series alone can be "
                "negative; keep the squared modulus and make that even."
            )
        sums = y.sum(axis=1)
        if np.abs(sums - 1).max() > 1e-3:
            worst = sums[np.argmax(np.abs(sums - 1))]
            raise Wrong(
                f"{what} sums to {worst:.3g} for some a, not to 1. Normalise over the m bins."
            )
        if not _close(pmf(draws[-1], m, what), y[-1]):
            raise Wrong("the same a gives another pmf in a second call: a head has no randomness.")
        if _close(y, y[:, ::-1], 1e-3):
            raise Wrong(
                "every pmf is symmetric about z = 0: you mirrored at the centre of the interval. "
                "Mirror at its ends, so that [-1, 1] is one half of a circle of length 4."
            )
        if _close(y[0], y[-1], 1e-6):
            raise Wrong("the pmf does not depend on a: the head must use its coefficients.")
        leaks, tightest = {}, []
        for name, end, other in [("first", 0, m - 1), ("last", m - 1, 0)]:
            peaked = np.flatnonzero(np.argmax(y, axis=1) == end)
            if not len(peaked):
                raise Wrong(
                    f"for none of {len(y)} coefficient vectors is the {name} bin the most "
                    "probable. An open interval must allow mass at its edges: do not taper or cut "
                    "the ends."
                )
            ratios = y[peaked, other] / y[peaked, end]
            leaks[name] = ratios.min()
            tightest.append(draws[peaked[np.argmin(ratios)]])
        for name, leak in leaks.items():
            if leak > 0.05:
                other = "last" if name == "first" else "first"
                raise Wrong(
                    f"mass leaks around the ends: whenever the {name} bin is the most probable, "
                    f"the {other} one has at least {100 * leak:.0f} % as much. The ends are still "
                    "neighbours on the circle; put a mirror image or empty space between them."
                )
        jump = np.median(np.abs(np.diff(y, axis=1)).max(axis=1) / y.max(axis=1))
        if jump > 0.8:
            raise Wrong(
                f"neighbouring bins differ by {100 * jump:.0f} % of the largest probability in a "
                "typical pmf: the order of the bins is lost. Evaluate a smooth function at the "
                "bin centres."
            )
        ways = [tightest, *zip(draws[-8:-4], draws[-4:], strict=True)]
        jump = max(_jump(partial(pmf, m=m, what=what), *way) for way in ways)
        if jump > 0.01:
            raise Wrong(
                f"for some a, a change by a millionth moves {100 * jump:.0f} % of the probability: "
                "a mask, an `if` or an argmax switches bins on and off, and a gradient cannot see "
                "that. Cutting a circle open is not enough; make the pmf a continuous function "
                "of a."
            )
    return (
        "non-negative, sums to 1, neighbours stay alike, and mass at either end leaves less than "
        "5 % as much at the other, where a circle forces 53 % (N = 12, m = 50)."
    )
