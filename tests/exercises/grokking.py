"""Answers to the exercises on grokking, as data: what must pass, and what must fail and how.

RIGHT[exercise] is a list of correct answers in different styles. WRONG[exercise] is a list of
(answer, fragment): the message for that answer must contain the fragment. MUTATING[exercise] is a
correct function that also changes its input.
"""

import jax
import jax.numpy as jnp
import numpy as np

CHAPTER = "grokking"


# --- 1: step(theta, theta0, x, y, alpha, eta0) ---------------------------------------------------


def step(theta, theta0, x, y, alpha, eta0):
    out = np.tanh(x @ theta)
    residual = alpha * (out - np.tanh(x @ theta0)) - y
    return theta - eta0 / alpha**2 * 2 * alpha / len(y) * (residual * (1 - out**2)) @ x


def step_jax(theta, theta0, x, y, alpha, eta0):
    def loss(theta):
        return jnp.mean((alpha * (jnp.tanh(x @ theta) - jnp.tanh(x @ theta0)) - y) ** 2)

    return theta - eta0 / alpha**2 * jax.grad(loss)(jnp.asarray(theta))


def step_loops(theta, theta0, x, y, alpha, eta0):
    new = [float(value) for value in theta]
    for row, goal in zip(x, y, strict=True):
        out = np.tanh(sum(row * theta))
        error = alpha * (out - np.tanh(sum(row * theta0))) - goal
        for i, value in enumerate(row):
            new[i] -= eta0 / alpha * 2 / len(y) * error * (1 - out**2) * value
    return new


def step_variant(power=2, centre=1.0, factor=2.0, count=len, sign=1, add=1.0):
    def variant(theta, theta0, x, y, alpha, eta0):
        out = np.tanh(x @ theta)
        residual = alpha * (out - centre * np.tanh(x @ theta0)) - y
        slope = factor * alpha / count(y) * (residual * (1 - out**2)) @ x
        return add * theta - sign * eta0 / alpha**power * slope

    return variant


def step_linear(theta, theta0, x, y, alpha, eta0):
    """Without the slope of tanh."""
    residual = alpha * (np.tanh(x @ theta) - np.tanh(x @ theta0)) - y
    return theta - eta0 / alpha**2 * 2 * alpha / len(y) * residual @ x


def step_mutating(theta, theta0, x, y, alpha, eta0):
    new = step(theta, theta0, x, y, alpha, eta0)
    theta[:] = new
    return new


# --- 2: terms(w, M, beta, alpha, epsilon) --------------------------------------------------------


def terms(w, M, beta, alpha, epsilon):
    d = len(beta)
    B = alpha * epsilon * (M - np.eye(d)) - np.outer(beta, beta)
    return np.array([np.trace(B) ** 2 / 4, np.sum(B**2) / 2, alpha**2 * d * w @ w]) / d**2


def terms_jax(w, M, beta, alpha, epsilon):
    d = len(beta)
    B = alpha * epsilon * (jnp.asarray(M) - jnp.eye(d)) - jnp.outer(beta, beta)
    return jnp.trace(B) ** 2 / 4 / d**2, (B * B.T).sum() / 2 / d**2, (alpha * w) @ (alpha * w) / d


def terms_loops(w, M, beta, alpha, epsilon):
    d = len(beta)
    trace = squares = power = 0.0
    for i in range(d):
        power += (alpha * w[i]) ** 2
        for j in range(d):
            entry = alpha * epsilon * (M[i, j] - (i == j)) - beta[i] * beta[j]
            squares += entry**2
            trace += entry if i == j else 0
    return [(trace / 2 / d) ** 2, squares / 2 / d / d, power / d]


def terms_variant(factors=(1, 1, 1), identity=1.0):
    def variant(w, M, beta, alpha, epsilon):
        d = len(beta)
        B = alpha * epsilon * (M - identity * np.eye(d)) - np.outer(beta, beta)
        parts = [np.trace(B) ** 2 / 4 / d**2, np.sum(B**2) / 2 / d**2, alpha**2 * w @ w / d]
        return np.array(parts) * factors

    return variant


def terms_mutating(w, M, beta, alpha, epsilon):
    found = terms(w, M, beta, alpha, epsilon)
    w *= 0
    return found


# --- 4: moments(w, M, A, g, c) -------------------------------------------------------------------


def moments(w, M, A, g, c):
    b = c * g
    cross = np.outer(A @ w, b)
    return A @ M @ A - cross - cross.T + np.outer(b, b)


def moments_einsum(w, M, A, g, c):
    b = c * g
    Aw = jnp.asarray(A) @ w
    return jnp.einsum("ij,jk,lk->il", A, M, A) - Aw[:, None] * b - b[:, None] * Aw + b[:, None] * b


def moments_covariance(w, M, A, g, c):
    b = c * g
    mean = A @ w - b
    return A @ (M - np.outer(w, w)) @ A.T + np.outer(mean, mean)


def moments_loops(w, M, A, g, c):
    b = c * g
    d = len(w)
    Aw = [sum(A[i, j] * w[j] for j in range(d)) for i in range(d)]
    AM = [[sum(A[i, k] * M[k, j] for k in range(d)) for j in range(d)] for i in range(d)]
    return [
        [
            sum(AM[i][k] * A[j, k] for k in range(d)) - Aw[i] * b[j] - b[i] * Aw[j] + b[i] * b[j]
            for j in range(d)
        ]
        for i in range(d)
    ]


def moments_without(*parts):
    def variant(w, M, A, g, c):
        cross = c * np.outer(A @ w, g)
        new = A @ M @ A
        new = new if "cross" in parts else new - cross - cross.T
        return new if "square" in parts else new + c**2 * np.outer(g, g)

    return variant


def moments_mutating(w, M, A, g, c):
    new = moments(w, M, A, g, c)
    w -= g
    return new


# --- 5: alignment(K, y) --------------------------------------------------------------------------


def align(K, y):
    H = np.eye(len(y)) - 1 / len(y)
    K, y = H @ K @ H, H @ y
    return y @ K @ y / (np.linalg.norm(K) * (y @ y))


def align_jax(K, y):
    K = K - jnp.mean(K, 0) - jnp.mean(K, 1)[:, None] + jnp.mean(K)
    y = y - jnp.mean(y)
    return (y @ K @ y) / (jnp.sqrt((K**2).sum()) * (y**2).sum())


def align_inner(K, y):
    """Cosine between the centred kernel and the outer product of the labels."""
    n = len(y)
    H = np.eye(n) - np.ones((n, n)) / n
    left, right = (H @ K @ H).ravel(), np.outer(H @ y, H @ y).ravel()
    return left @ right / np.linalg.norm(left) / np.linalg.norm(right)


def align_variant(left=1, right=1, label=1, power=2, norm=np.linalg.norm):
    def variant(K, y):
        y = y - label * y.mean()
        K = K - left * K.mean(0, keepdims=True)
        K = K - right * K.mean(1, keepdims=True)
        return y @ K @ y / (norm(K) * np.linalg.norm(y) ** power)

    return variant


def align_elementwise(K, y):
    H = np.eye(len(y)) - 1 / len(y)
    K, y = H * K * H, H @ y
    return y @ K @ y / (np.linalg.norm(K) * (y @ y))


def align_mutating(K, y):
    found = align(K, y)
    K -= K.mean()
    return found


# --- 6: kernel(w, M, x, z, epsilon) --------------------------------------------------------------


def kernel(w, M, x, z, epsilon):
    linear = (x @ w)[:, None] + z @ w
    return x @ z.T * (1 + epsilon * linear + epsilon**2 * x @ M @ z.T)


def kernel_loops(w, M, x, z, epsilon):
    return [[(a @ b) * (1 + epsilon * w @ (a + b) + epsilon**2 * a @ M @ b) for b in z] for a in x]


def kernel_features(w, M, x, z, epsilon):
    """An extra coordinate 1 and the moments of (1, w): slopes are linear in it."""
    d = len(w)
    big = np.block([[np.ones((1, 1)), w[None]], [w[:, None], M]])
    lift = lambda v: np.concatenate([np.ones((len(v), 1)), epsilon * v], axis=1)  # noqa: E731
    assert big.shape == (d + 1, d + 1)
    return jnp.asarray((lift(x) @ big @ lift(z).T) * (x @ z.T))


def kernel_variant(missing=False, factor=False, power=2, half=1.0):
    def variant(w, M, x, z, epsilon):
        near = x @ z.T
        linear = (x @ w)[:, None] + (0 if missing else z @ w) + 0 * near
        quadratic = half * epsilon**power * near * (x @ M @ z.T)
        return near + epsilon * linear * (1 if factor else near) + quadratic

    return variant


def kernel_mutating(w, M, x, z, epsilon):
    K = kernel(w, M, x, z, epsilon)
    x /= 2
    return K


# --- the tables ----------------------------------------------------------------------------------

ORDER = ["rich with plenty", "rich", "lazy", "scarce"]

RIGHT = {
    1: [step, step_jax, step_loops],
    2: [terms, terms_jax, terms_loops],
    3: [ORDER, tuple(ORDER), np.array([name.upper() for name in ORDER])],
    4: [moments, moments_einsum, moments_covariance, moments_loops],
    5: [align, align_jax, align_inner],
    6: [kernel, kernel_loops, kernel_features],
    7: [200, 210.0, jnp.array(250.0)],
    8: [[0.5, 0.1], (0.4, 0.2), np.array([0.6, 0.15])],
}

WRONG = {
    1: [
        (step_variant(power=0), "divide eta0 by alpha²"),
        (step_variant(power=1), "you divide the learning rate by alpha"),
        (step_variant(power=3), "factor alpha of the slope is missing"),
        (step_variant(centre=0), "first output is not subtracted"),
        (step_variant(factor=1.0), "factor 2"),
        (step_variant(count=lambda y: 1), "you sum over the examples"),
        (step_variant(sign=-1), "walk uphill"),
        (step_linear, "the slope of tanh is missing"),
        (step_variant(add=0), "return the new theta"),
        (lambda theta, theta0, x, y, alpha, eta0: theta, "does not move theta"),
        (step_variant(factor=1.3), "Compare your slope with finite differences"),
        (lambda theta, theta0, x, y, alpha, eta0: theta[:-1], "the shape of theta"),
    ],
    2: [
        (terms_variant(identity=0), "the network is centred: M - I moved"),
        (terms_variant(factors=(4, 4, 1)), "the ½ of ½ x'Bx is missing"),
        (terms_variant(factors=(4, 1, 1)), "wrong size: the factor ¼ is missing"),
        (terms_variant(factors=(1, 2, 1)), "wrong direction: the factor ½ is missing"),
        (terms_variant(factors=(1, 0.5, 1)), "the factor is ½, not ¼"),
        (lambda *a: terms(*a) * [1, 1, 1 / a[3] ** 2], "linear part: alpha² is missing"),
        (lambda *a: terms(*a) * [1, 1, len(a[2])], "divide by D: the inputs"),
        (lambda *a: terms(*a) * [len(a[2]), 1, 1], "wrong size: divide by D²"),
        (lambda *a: terms(*a)[::-1], "in another order"),
        (lambda *a: terms(*a) * [1, 1.2, 1], "2 of the 3 terms are right"),
        (lambda *a: terms(*a).sum(), "three terms"),
    ],
    3: [
        (ORDER[::-1], "measured order backwards"),
        (["rich", "rich with plenty", "lazy", "scarce"], "more data the examples pin"),
        (["rich with plenty", "lazy", "rich", "scarce"], "a larger scale slows the test loss"),
        (["scarce", "rich with plenty", "rich", "lazy"], "too few for any scale"),
        (
            ["rich with plenty", "rich", "scarce", "lazy"],
            "in `scarce` the test loss is not down within 10,000 steps, and in `lazy` it takes",
        ),
        (ORDER[:3], "left out scarce"),
        (["poor", *ORDER[1:]], "there is no setting `poor`"),
        ("rich", "send a list of the 4 names"),
    ],
    4: [
        (moments_without("cross", "square"), "moved by A alone"),
        (moments_without("cross"), "mixed terms -c (A w g'"),
        (moments_without("square"), "term c² g g' is missing"),
        (lambda w, M, A, g, c: moments(w, M, A, g, c) - 2 * c**2 * np.outer(g, g), "has a plus"),
        (lambda w, M, A, g, c: moments(w, M, A, g, -c), "sign of the mixed terms"),
        (lambda w, M, A, g, c: moments(w, M, A, g, c) + c * np.outer(g, A @ w), "not symmetric"),
        (
            lambda w, M, A, g, c: (
                moments(w, M, A, g, c) + c * (np.outer(g, A @ w) - np.outer(A @ w, g))
            ),
            "transposes of each other",
        ),
        (
            lambda w, M, A, g, c: moments(w, M, A, g, c) + (c - c**2) * np.outer(g, g),
            "the square of c",
        ),
        (
            lambda w, M, A, g, c: (
                moments_without("cross")(w, M, A, g, c) - c * (np.outer(w, g) + np.outer(g, w))
            ),
            "hold A w, not w",
        ),
        (lambda w, M, A, g, c: moments(w, M, A, g, c) - A @ M @ A + A @ M, "from both sides"),
        (
            lambda w, M, A, g, c: moments(w, M, A, g, c) - np.outer(A @ w - c * g, A @ w - c * g),
            "this is the covariance",
        ),
        (lambda w, M, A, g, c: np.outer(A @ w - c * g, A @ w - c * g), "square of the mean"),
        (lambda w, M, A, g, c: M, "moving the neurons one by one gives"),
    ],
    5: [
        (align_variant(0, 0, 0), "nothing is centred"),
        (align_variant(label=0), "y is not centred"),
        (align_elementwise, "multiplies entry by entry"),
        (lambda K, y: None, "is None instead of a single number."),
        (align_variant(0, 0), "K is not centred"),
        (align_variant(power=1), "scale y by 10"),
        (align_variant(norm=lambda K: np.sum(K**2)), "scale K by 10"),
        (align_variant(right=0), "centred from one side only"),
        (lambda K, y: align(K - K.mean(), y) * 0.5, "For K = y_c y_c' it must be 1"),
        (lambda K, y: K, "a single number"),
    ],
    6: [
        (kernel_variant(True, True, 1), "3 of 3 bugs left"),
        (kernel_variant(missing=True), "1 of 3 bugs left. Next: w · x is there"),
        (kernel_variant(factor=True), "1 of 3 bugs left. Next: the linear term lacks"),
        (kernel_variant(power=1), "1 of 3 bugs left. Next: M stands with epsilon"),
        (kernel_variant(True, False, 1), "2 of 3 bugs left"),
        (kernel_variant(half=0.5), "no ½ here"),
        (lambda w, M, x, z, epsilon: x @ z.T, "only the linear part"),
        (lambda w, M, x, z, epsilon: kernel(w, M, x, z, epsilon).T, "exchanged"),
        (lambda w, M, x, z, epsilon: 2 * kernel(w, M, x, z, epsilon), "Set epsilon to 0 first"),
    ],
    7: [
        (10, "still rises, to 1.33 times"),
        (100, "Take a larger s"),
        (2000, "but so is half of it"),
        (0, "Send a number above 0"),
        (-5, "Send a number above 0"),
        (1e6, "far more than needed"),
        (9000, "training itself becomes unstable"),
        (lambda: 200, "not a function"),
    ],
    8: [
        ([0.1, 0.5], "the two are exchanged"),
        ([0.1, 0.05], "never good within 10,000 steps: nobody"),
        ([0.8, 0.1], "The first must show a factor of 5"),
        ([0.5, 0.4], "test accuracy does get good"),
        ([2.0, 0.1], "good before training"),
        ([0.5, 0.001], "not even train accuracy"),
        ([0.5, 0.5], "both thresholds are the same"),
        ([0.5, -1], "must be above 0"),
        ([0.5], "has shape (1,)"),
        (lambda: [0.5, 0.1], "wants two numbers"),
    ],
}

MUTATING = {
    1: step_mutating,
    2: terms_mutating,
    4: moments_mutating,
    5: align_mutating,
    6: kernel_mutating,
}

FIRST_INPUT = {1: "theta", 2: "w", 4: "w", 5: "K", 6: "x"}
