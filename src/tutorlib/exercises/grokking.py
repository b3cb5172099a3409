"""Checkers of the exercises on grokking.

Every right value is computed here by another route than the one that the exercise asks for (finite
differences, sums over neurons, a rule for Gaussian averages, a training run), and so is every wrong
value whose mistake we can name: an answer that equals the result of a known slip gets the message
for that slip.

Notation as in the chapter: D dimensions, P examples, mean w and second moments M of the weights.
"""

import json
import re
from functools import lru_cache
from importlib.resources import files

import numpy as np

from tutorlib.exercises import NotAttempted, Submitted, Wrong, checker, numbers, ranking


def _close(value, expected, tolerance=1e-4):
    """Whether two arrays agree, to `tolerance` of the largest expected magnitude."""
    scale = np.abs(expected).max(initial=1e-12)
    return value.shape == np.shape(expected) and np.abs(value - expected).max() <= tolerance * scale


def _name_slip(value, slips):
    """Raise Wrong with the message of the first slip whose value the answer equals."""
    for slip, message in slips:
        if _close(value, slip):
            raise Wrong(message)


def _symmetric(rng, d):
    """A random symmetric positive matrix."""
    factor = rng.normal(size=(d, d))
    return factor @ factor.T / d + np.eye(d)


# --- 1: one lazy step ----------------------------------------------------------------------------


def _step(theta, theta0, x, y, alpha, eta0, centred=True, divide=2, half=1.0, mean=True, sign=1):
    """One step of gradient descent by central differences. The options are the known slips."""

    def loss(at):
        out = alpha * (np.tanh(x @ at) - (np.tanh(x @ theta0) if centred else 0))
        return half * (np.mean if mean else np.sum)((out - y) ** 2)

    size = 1e-5 * np.eye(len(theta))
    slope = np.array([(loss(theta + e) - loss(theta - e)) / 2e-5 for e in size])
    return theta - sign * eta0 / alpha**divide * slope


_STEP_SLIPS = [
    (
        {"divide": 0},
        "the learning rate is not matched: divide eta0 by alpha². As it is, a large alpha makes "
        "the function jump.",
    ),
    (
        {"divide": 1},
        "you divide the learning rate by alpha; it is alpha². One alpha is in the slope, the other "
        "in the output that the step changes.",
    ),
    (
        {"divide": 3},
        "the factor alpha of the slope is missing: the output is alpha times f.",
    ),
    (
        {"centred": False},
        "the first output is not subtracted. The predictor is alpha (f(theta) - f(theta0)); it is "
        "zero before training.",
    ),
    ({"half": 0.5}, "the factor 2 of the squared error's slope is missing."),
    ({"mean": False}, "you sum over the examples; the loss is their mean."),
    ({"sign": -1}, "you walk uphill: subtract the slope."),
]


@checker("grokking/1", "Write the body of `my_step`.")
def check_step(answer):
    """answer(theta, theta0, x, y, alpha, eta0) -> the next theta, (D,)."""
    student = Submitted(answer, "my_step(theta, theta0, x, y, alpha, eta0)")
    rng = np.random.default_rng(1)
    for alpha, count, d in ((2.5, 6, 4), (0.3, 6, 4), (1.0, 9, 3)):
        theta0 = rng.normal(size=d)
        theta = theta0 + 0.3 * rng.normal(size=d)
        x, y, eta0 = rng.normal(size=(count, d)), rng.normal(size=count), 0.7
        inputs = theta, theta0, x, y, alpha, eta0
        new = numbers(student(*inputs), "`my_step(...)`", (d,), "the shape of theta")
        moved, expected = new - theta, _step(*inputs) - theta
        if _close(moved, expected, 1e-3):
            continue
        if _close(moved, -theta, 1e-6) or np.abs(moved).max() < 1e-9:
            raise Wrong("`my_step` does not move theta. Return theta minus rate times slope.")
        for slip, message in _STEP_SLIPS:
            if _close(moved, _step(*inputs, **slip) - theta, 1e-3):
                raise Wrong(message)
        error = alpha * (np.tanh(x @ theta) - np.tanh(x @ theta0)) - y
        if _close(moved, -2 * eta0 / alpha * error @ x / count, 1e-3):
            raise Wrong(
                "the slope of tanh is missing: by the chain rule each example counts with "
                "1 - tanh²(theta · x)."
            )
        if _close(new, -expected, 1e-3) or _close(new, expected, 1e-3):
            raise Wrong("you return the change of theta; return the new theta.")
        raise Wrong(
            f"for alpha = {alpha} the step is not that of gradient descent: the first entry of "
            f"theta should change by {expected[0]:.4g} and changes by {moved[0]:.4g}. Compare your "
            "slope with finite differences of the loss."
        )
    return (
        "the step agrees with finite differences of the loss for alpha = 0.3, 1 and 2.5; the "
        "function's first speed does not depend on alpha."
    )


# --- 2: the three terms --------------------------------------------------------------------------


def _average_squared(B):
    """E[(x'Bx)^2] for x ~ N(0, I / D), by the eigenvalues: squares of independent normals."""
    values = np.linalg.eigvalsh((B + B.T) / 2) / len(B)
    return 3 * np.sum(values**2) + np.sum(values) ** 2 - np.sum(values**2)


def _terms(w, M, beta, alpha, epsilon):
    """The three terms. Size: what |x|^2 alone leaves; direction: the rest of the quadratic part."""
    d = len(beta)
    B = alpha * epsilon * (M - np.eye(d)) - np.outer(beta, beta)
    total = _average_squared(B / 2)
    size = (np.sum(np.diag(B)) / (2 * d)) ** 2
    return np.array([size, total - size, alpha**2 * np.sum(w**2) / d])


@checker("grokking/2", "Write the body of `my_terms`.")
def check_terms(answer):
    """answer(w, M, beta, alpha, epsilon) -> (3,): wrong size, wrong direction, linear part."""
    student = Submitted(answer, "my_terms(w, M, beta, alpha, epsilon)")
    rng = np.random.default_rng(2)
    names = ("wrong size", "wrong direction", "linear part")
    for d, alpha, epsilon in ((5, 2.0, 0.3), (8, 0.5, 0.7), (3, 1.0, 1.0)):
        w, M, beta = rng.normal(size=d), 3 * _symmetric(rng, d), rng.normal(size=d)
        terms = numbers(student(w, M, beta, alpha, epsilon), "`my_terms(...)`", (3,), "three terms")
        expected = _terms(w, M, beta, alpha, epsilon)
        if _close(terms, expected):
            continue
        if _close(np.sort(terms), np.sort(expected)):
            raise Wrong("the terms are right but in another order: " + ", ".join(names) + ".")
        uncentred = M + np.eye(d)
        B = alpha * epsilon * (M - np.eye(d)) - np.outer(beta, beta)
        plain = alpha * epsilon * M - np.outer(beta, beta)
        _name_slip(
            terms,
            [
                (
                    _terms(w, uncentred, beta, alpha, epsilon),
                    "the network is centred: M - I moved, not M. Before training the output is "
                    "zero.",
                ),
                (4 * expected * [1, 1, 0] + expected * [0, 0, 1], "the ½ of ½ x'Bx is missing."),
                (
                    np.array([np.trace(plain) ** 2 / 4, np.sum(plain**2) / 2, w @ w]) / d**2,
                    "the network is centred (M - I), and the linear part is alpha² |w|² / D.",
                ),
            ],
        )
        slips = [
            [
                (4 * expected[0], "the factor ¼ is missing"),
                (np.sum(B**2) / (4 * d**2), "it holds the squared trace, not the squared entries"),
                (expected[0] * d, "divide by D², not by D"),
            ],
            [
                (2 * expected[1], "the factor ½ is missing"),
                (expected[1] / 2, "the factor is ½, not ¼: E(x'Bx)² has 2 ‖B‖² in it"),
                (expected[1] * d, "divide by D², not by D"),
                (
                    np.linalg.norm(B, 2) ** 2 / (2 * d**2),
                    "the norm is Frobenius, the root of the sum of squared entries",
                ),
                (np.linalg.norm(B) / (2 * d**2), "the norm is squared"),
            ],
            [
                (w @ w / d, "alpha² is missing"),
                (alpha * (w @ w) / d, "alpha is squared"),
                (alpha**2 * (w @ w), "divide by D: the inputs have variance 1/D"),
                (alpha**2 * (w @ w) / d**2, "divide by D, not by D²"),
            ],
        ]
        wrong = [i for i in range(3) if not _close(terms[i], np.array(expected[i]))]
        for value, message in slips[wrong[0]]:
            if _close(terms[wrong[0]], np.array(value)):
                raise Wrong(f"{names[wrong[0]]}: {message}.")
        raise Wrong(
            f"{names[wrong[0]]} is {terms[wrong[0]]:.4g}; averaging over Gaussian inputs gives "
            f"{expected[wrong[0]]:.4g} (D = {d}, alpha = {alpha}, epsilon = {epsilon}). "
            f"{3 - len(wrong)} of the 3 terms are right."
        )
    return (
        "all three terms agree with Gaussian averages by eigenvalues, for D = 3, 5 and 8; their "
        "sum is the exact test loss."
    )


# --- 3: which run waits longest ------------------------------------------------------------------

_SETTINGS = {  # alpha, epsilon, examples
    "rich with plenty": (0.125, 0.05, 140),
    "rich": (0.125, 0.05, 80),
    "lazy": (2, 0.05, 80),
    "scarce": (2, 0.05, 40),
}

_WAIT_REASONS = {
    ("rich", "rich with plenty"): "with more data the examples pin the target down sooner",
    ("lazy", "rich"): "a larger scale slows the test loss down more than the train loss",
    ("lazy", "rich with plenty"): "a larger scale and fewer data both lengthen the wait",
}


@lru_cache(maxsize=1)
def _waits():
    """Median ratio of test to train time for each setting, from the explorable's measured map."""
    text = files("tutorlib").joinpath("explorables", "_grokking-map.js").read_text(encoding="utf-8")
    axes = {
        name: json.loads(re.search(rf"^  {name}: (\[.*\]),$", text, re.MULTILINE).group(1))
        for name in ("alphas", "epsilons", "examples", "seeds")
    }
    rows = [json.loads(row) for row in re.findall(r"^      (\[\[\[.*?\]\]\]),?$", text, re.M)]
    shape = [len(axes[name]) for name in ("epsilons", "examples", "alphas", "seeds")]
    times = np.array(rows, float).reshape(*shape, 2)
    ratio = np.where(times[..., 1] > 0, times[..., 1], np.inf) / times[..., 0]
    return {
        name: float(
            np.median(
                ratio[
                    axes["epsilons"].index(epsilon),
                    axes["examples"].index(examples),
                    axes["alphas"].index(alpha),
                ]
            )
        )
        for name, (alpha, epsilon, examples) in _SETTINGS.items()
    }


@checker("grokking/3", "Replace `...` by the four names, shortest wait first.")
def check_waits(answer):
    """answer: the names of the four settings, shortest wait first."""
    given = ranking(answer, _SETTINGS, "setting", "shortest wait first")
    waits = _waits()
    measured = sorted(waits, key=waits.get)
    if given == measured:
        listed = ", ".join(
            f"`{name}` {'never' if np.isinf(waits[name]) else format(waits[name], '.1f')}"
            for name in measured
        )
        return f"all six pairs are in the measured order. Test time over train time: {listed}."
    if given == measured[::-1]:
        raise Wrong("this is the measured order backwards: put the shortest wait first.")
    pairs = [(a, b) for i, a in enumerate(given) for b in given[i + 1 :]]
    wrong = [(a, b) for a, b in pairs if waits[a] > waits[b]]
    a, b = wrong[0]
    reason = (
        "twice as many examples as dimensions are too few for any scale"
        if a == "scarce"
        else _WAIT_REASONS[a, b]
    )
    waiting = (  # of the two, b waits less long, so it has an end
        f"in `{a}` the test loss is not down within 10,000 steps, and in `{b}` it takes "
        f"{waits[b]:.1f} times as long as the train loss"
        if np.isinf(waits[a])
        else f"in `{a}` the test loss takes {waits[a]:.1f} times as long as the train loss, and in "
        f"`{b}` {waits[b]:.1f} times"
    )
    raise Wrong(
        f"{len(pairs) - len(wrong)} of {len(pairs)} pairs are in the measured order. You put `{a}` "
        f"before `{b}`, but {waiting}: {reason}."
    )


# --- 4: the second moments -----------------------------------------------------------------------


@checker("grokking/4", "Write the body of `my_moments`.")
def check_moments(answer):
    """answer(w, M, A, g, c) -> the second moments after every neuron moved to A w_i - c g."""
    student = Submitted(answer, "my_moments(w, M, A, g, c)")
    rng = np.random.default_rng(4)
    for d, count in ((4, 7), (3, 2), (6, 50)):
        neurons = rng.normal(size=(count, d)) + rng.normal(size=d)
        A, g, c = np.eye(d) - 0.3 * _symmetric(rng, d), rng.normal(size=d), 1.7
        w, M = neurons.mean(0), neurons.T @ neurons / count
        b = c * g
        after = neurons @ A - b
        expected = after.T @ after / count
        new = numbers(student(w, M, A, g, c), "`my_moments(...)`", (d, d), "second moments")
        if _close(new, expected):
            continue
        cross, square = np.outer(A @ w, b), np.outer(b, b)
        old = np.outer(w, b)
        moved = A @ M @ A
        _name_slip(
            new,
            [
                (moved, "you moved by A alone: c g contributes three more terms."),
                (
                    moved - cross - cross.T + square / c,
                    "the last term is c² g g', with the square of c.",
                ),
                (moved + square, "the mixed terms -c (A w g' + g (A w)') are missing."),
                (moved - cross - cross.T, "the term c² g g' is missing."),
                (moved + cross + cross.T + square, "the sign of the mixed terms: w moves by -c g."),
                (moved - cross - cross.T - square, "c² g g' has a plus: (-c g)(-c g)'."),
                (
                    moved - cross + square,
                    "only one of the two mixed terms is there; its transpose is missing, so the "
                    "result is not symmetric.",
                ),
                (
                    moved - 2 * cross + square,
                    "the two mixed terms are transposes of each other, not equal.",
                ),
                (moved - old - old.T + square, "the mixed terms hold A w, not w."),
                (A @ M - cross - cross.T + square, "M is multiplied by A from both sides."),
                (
                    expected - np.outer(after.mean(0), after.mean(0)),
                    "this is the covariance. M is the mean of w_i w_i', without the means removed.",
                ),
                (
                    np.outer(A @ w - b, A @ w - b),
                    "this is the square of the mean. Average the products, not the vectors.",
                ),
            ],
        )
        raise Wrong(
            f"for {count} neurons in {d} dimensions the first entry is {new[0, 0]:.4g}; moving the "
            f"neurons one by one gives {expected[0, 0]:.4g}. Try one neuron with D = 1: M = w², "
            "and after the move (A w - c g)²."
        )
    return (
        "the new second moments agree with moving 2, 7 and 50 neurons one by one. Two averages "
        "know everything."
    )


# --- 5: centred alignment ------------------------------------------------------------------------


def _alignment(K, y, centre_k=True, centre_y=True, power=2, root=True):
    """Alignment with the mean of rows and columns removed one after the other."""
    if centre_y:
        y = y - np.mean(y)
    if centre_k:
        K = K - K.mean(axis=0, keepdims=True)
        K = K - K.mean(axis=1, keepdims=True)
    norm = np.sum(K**2)
    return np.einsum("i,ij,j", y, K, y) / (
        (norm**0.5 if root else norm) * np.sum(y**2) ** (power / 2)
    )


@checker("grokking/5", "Write the body of `my_alignment`.")
def check_alignment(answer):
    """answer(K, y) -> centred alignment, a number."""
    student = Submitted(answer, "my_alignment(K, y)")
    rng = np.random.default_rng(5)
    for n in (7, 12):
        features, y = rng.normal(size=(n, 3)) + 1, rng.normal(size=n) + 2
        K = features @ features.T + 0.3 * np.outer(y, y) + 1
        value = numbers(student(K, y), "`my_alignment(K, y)`", ())
        if _close(value, np.array(_alignment(K, y))):
            continue
        y0 = y - y.mean()
        H = np.eye(n) - 1 / n
        _name_slip(
            value,
            [
                (
                    np.array(y0 @ (H * K * H) @ y0 / (np.linalg.norm(H * K * H) * (y0 @ y0))),
                    "`H * K * H` multiplies entry by entry and removes no mean; H K H is a product "
                    "of matrices, `@`.",
                ),
                (
                    np.array(_alignment(K, y, False, False)),
                    "nothing is centred: a constant added to y changes your number.",
                ),
                (
                    np.array(_alignment(K, y, True, False)),
                    "y is not centred: its mean still counts in ‖y‖.",
                ),
                (
                    np.array(_alignment(K, y, False, True)),
                    "K is not centred: its norm still counts the constant part.",
                ),
                (
                    np.array(_alignment(K, y, power=1)),
                    "the norm of y is squared in the denominator (one of the paper's formulas has "
                    "this slip too): scale y by 10 and your number changes.",
                ),
                (
                    np.array(_alignment(K, y, root=False)),
                    "you divide by the squared norm of K: scale K by 10 and your number changes.",
                ),
                (
                    np.array(y0 @ K @ y0 / (np.trace(K) * (y0 @ y0))),
                    "you divide by the trace of K; the norm is Frobenius.",
                ),
                (
                    np.array(
                        y0 @ K @ y0 / (np.linalg.norm(K - K.mean()) * (y0 @ y0)),
                    ),
                    "you subtracted one mean from all of K. Centre rows and columns: H K H.",
                ),
                (
                    np.array(y0 @ K @ y0 / (np.linalg.norm(K - K.mean(0)) * (y0 @ y0))),
                    "K is centred from one side only: H K H has H on both sides.",
                ),
            ],
        )
        raise Wrong(
            f"for {n} inputs you return {float(value):.4g}; summing over all pairs gives "
            f"{_alignment(K, y):.4g}. For K = y_c y_c' it must be 1."
        )
    return (
        "the alignment agrees with sums over pairs for 7 and 12 inputs; it ignores the scales of "
        "K and y, and constants."
    )


# --- 6: three bugs in a kernel -------------------------------------------------------------------


def _kernel(neurons, x, z, epsilon):
    """The tangent kernel times N, summed over neurons and their finite differences."""
    K = np.zeros((len(x), len(z)))
    for w in neurons:
        for i, a in enumerate(x):
            for j, b in enumerate(z):
                K[i, j] += (1 + epsilon * (w @ a)) * (1 + epsilon * (w @ b)) * (a @ b)
    return K / len(neurons)


@checker("grokking/6", "Copy `kernel_with_bugs` into `my_kernel` and mend it.")
def check_kernel(answer):
    """answer(w, M, x, z, epsilon) -> the kernel of all pairs, (P, Q)."""
    student = Submitted(answer, "my_kernel(w, M, x, z, epsilon)")
    rng = np.random.default_rng(6)
    for d, count, epsilon in ((4, 5, 0.4), (3, 8, 1.5)):
        neurons = rng.normal(size=(count, d)) + 1
        x, z = rng.normal(size=(6, d)), rng.normal(size=(4, d))
        w, M = neurons.mean(0), neurons.T @ neurons / count
        K = numbers(
            student(w, M, x, z, epsilon),
            "`my_kernel(w, M, x, z, epsilon)`",
            (6, 4),
            "rows of x by rows of z",
            known={(4, 6): "rows and columns are exchanged: rows of x come first."},
        )
        if _close(K, _kernel(neurons, x, z, epsilon)):
            continue
        near, both = x @ z.T, (x @ w)[:, None] + z @ w
        quadratic = near * (x @ M @ z.T)
        bugs = []  # which of the three is there is decided by what each term would be
        for missing in (False, True):
            for factor in (False, True):
                for power in (1, 2):
                    linear = (x @ w)[:, None] + 0 * near if missing else both
                    made = near + epsilon * linear * (1 if factor else near)
                    if _close(K, made + epsilon**power * quadratic):
                        bugs = [missing, factor, power == 1]
        if any(bugs):
            messages = (
                "w · x is there and w · x' is not, so the kernel is not symmetric",
                "the linear term lacks the factor x · x': it multiplies the whole bracket",
                "M stands with epsilon, but two slopes are multiplied: epsilon squared",
            )
            first = messages[bugs.index(True)]
            raise Wrong(f"{sum(bugs)} of 3 bugs left. Next: {first}.")
        _name_slip(
            K,
            [
                (near, "only the linear part x · x' is left."),
                (
                    near * (1 + epsilon * both + epsilon**2 / 2 * x @ M @ z.T),
                    "no ½ here: the kernel multiplies two slopes, in which the ½ has gone.",
                ),
            ],
        )
        raise Wrong(
            f"the first entry is {K[0, 0]:.4g}; summing over {count} neurons gives "
            f"{_kernel(neurons, x, z, epsilon)[0, 0]:.4g}. Set epsilon to 0 first: x · x' must "
            "remain."
        )
    return "the kernel agrees with sums over the slopes of 5 and 8 neurons."


# --- 7 and 8: trainings --------------------------------------------------------------------------

_D, _P, _EPSILON = 20, 80, 0.05


def _train(seed, steps, strength=0.0):
    """The chapter's recursion in numpy, alpha = 1, from M = I + strength e_1 e_1'.

    Yields (step, w, M - M_0, training inputs) before each step; the target is along e_1.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(_P, _D)) / np.sqrt(_D)
    y = _D * x[:, 0] ** 2 / 2
    w, M = np.zeros(_D), np.eye(_D)
    M[0, 0] += strength
    M0 = M.copy()
    # A strong start makes the target's direction curved; the rate keeps that stable.
    rate = min(4.0, 1 / _EPSILON)
    c = 2 * rate / _P
    for step in range(steps):
        moved = M - M0
        yield step, w, moved, x
        residual = x @ w + _EPSILON / 2 * np.sum((x @ moved) * x, axis=1) - y
        g = c * x.T @ residual
        A = np.eye(_D) - c * _EPSILON * x.T @ (residual[:, None] * x)
        w = A @ w
        cross = np.outer(w, g)
        M = A @ M @ A - cross - cross.T + np.outer(g, g)
        w = w - g


def _test_loss(w, moved):
    B = _EPSILON * moved
    B[0, 0] -= _D
    return (np.trace(B) ** 2 / 4 + np.sum(B**2) / 2) / _D**2 + w @ w / _D


@lru_cache(maxsize=64)
def _rise(strength):
    """Largest test loss of three trainings over its start."""
    worst = 0.0
    for seed in (11, 12, 13):
        for _, w, moved, _ in _train(seed, 400, strength):
            worst = max(worst, _test_loss(w, moved.copy()) / 0.75)
            if worst > 1e3:
                return worst
    return worst


@checker("grokking/7", "Replace `...` by a strength s.")
def check_enough(answer):
    """answer: strength s of the solution in the start, a number."""
    if answer is None or answer is ...:
        raise NotAttempted
    if callable(answer):
        raise Wrong("this exercise wants the number s itself, not a function.")
    s = float(numbers(answer, "`enough`", ()))
    if s <= 0:
        raise Wrong(
            f"s = {s:g}: M must stay a matrix of second moments, and the solution is added with a "
            "plus. Send a number above 0."
        )
    if s > 1e4:
        raise Wrong(f"s = {s:g} is far more than needed: the target itself needs only D/ε = 400.")
    rise = _rise(round(s, 6))
    if rise > 1.01 and s > 400:
        raise Wrong(
            f"s = {s:g} is far more than needed, and training itself becomes unstable with weights "
            "so large. Take a smaller s: the target itself needs only D/ε = 400."
        )
    if rise > 1.01:
        raise Wrong(
            f"with s = {s:g} the test loss still rises, to {min(rise, 999):.2f} times its start "
            f"(without any help: {_rise(0.0):.2f} times). Take a larger s."
        )
    half = _rise(round(s / 2, 6))
    if half <= 1.01:
        raise Wrong(
            f"s = {s:g} is enough, but so is half of it: there the test loss rises to "
            f"{half:.3f} times its start at most. Look for the smallest that works."
        )
    return (
        f"with s = {s:g} the test loss never exceeds {rise:.3f} times its start on three hidden "
        f"data sets; with half of it, it reaches {half:.2f} times."
    )


@lru_cache(maxsize=1)
def _errors():
    """Steps, and absolute errors on train and 500 test inputs, of one training of 10,000 steps."""
    wanted = set(np.unique(np.geomspace(1, 10_001, 300).astype(int) - 1).tolist())
    x_test = np.random.default_rng(9).normal(size=(500, _D)) / np.sqrt(_D)
    steps, found = [], ([], [])
    for step, w, moved, x in _train(11, 10_000):
        if step in wanted:
            steps.append(step)
            for place, inputs in enumerate((x, x_test)):
                goal = _D * inputs[:, 0] ** 2 / 2
                out = inputs @ w + _EPSILON / 2 * np.sum((inputs @ moved) * inputs, axis=1)
                found[place].append(np.abs(out - goal))
    return np.array(steps), np.array(found[0]), np.array(found[1])


def _good(threshold):
    """Steps at which train and test accuracy reach 90 %; infinity if never."""
    steps, train, test = _errors()
    reached = [(errors < threshold).mean(axis=1) >= 0.9 for errors in (train, test)]
    return [float(steps[r.argmax()]) if r.any() else np.inf for r in reached]


@checker("grokking/8", "Replace `...` by two thresholds.")
def check_thresholds(answer):
    """answer: [threshold at which the run groks, threshold at which it never generalises]."""
    if answer is None or answer is ...:
        raise NotAttempted
    if isinstance(answer, list | tuple) and any(part is ... for part in list(answer)[:5]):
        raise NotAttempted
    if callable(answer):
        raise Wrong("this exercise wants two numbers, not a function.")
    pair = numbers(answer, "`two_thresholds`", (2,), "one that groks, one that never generalises")
    if pair.min() <= 0:
        raise Wrong("a threshold is the largest error that counts as right; it must be above 0.")
    if pair[0] == pair[1]:
        raise Wrong("both thresholds are the same; one run cannot do both with one threshold.")
    (train, test), (train_2, test_2) = (_good(float(threshold)) for threshold in pair)
    for threshold, start in zip(pair, (train, train_2), strict=True):
        if start == 0:
            raise Wrong(
                f"with threshold {threshold:g} train accuracy is good before training: nine tenths "
                "of the labels are smaller than that. Take a smaller one."
            )
        if np.isinf(start):
            raise Wrong(
                f"with threshold {threshold:g} not even train accuracy gets good within 10,000 "
                "steps. Take a larger one."
            )
    if np.isinf(test):
        if np.isfinite(test_2):
            raise Wrong("the two are exchanged: the threshold that shows grokking comes first.")
        raise Wrong(
            f"with threshold {pair[0]:g} test accuracy is never good within 10,000 steps: nobody "
            "would see the end of this wait. Take a larger first threshold."
        )
    if test < 5 * train:
        raise Wrong(
            f"with threshold {pair[0]:g} accuracy is good at step {train:.0f} (train) and "
            f"{test:.0f} (test): {test / train:.1f} times. The first must show a factor of 5."
        )
    if np.isfinite(test_2):
        raise Wrong(
            f"with threshold {pair[1]:g} test accuracy does get good, at step {test_2:.0f}. The "
            "second must be one at which it never does: be stricter."
        )
    return (
        f"one run, two stories. Threshold {pair[0]:g}: test accuracy is good {test / train:.1f} "
        f"times as late as train accuracy, it groks. Threshold {pair[1]:g}: train accuracy is good "
        f"at step {train_2:.0f} and test accuracy never, it only memorises."
    )
