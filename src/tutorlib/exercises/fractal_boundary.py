"""Checkers of the fractal boundary's exercises.

Every right value is computed here in plain NumPy by another route than the chapter's (loops,
bisection, a rendering of its own), and so is every wrong value whose mistake we can name: an answer
that equals the result of a known slip gets the message for that slip.
"""

import math
from functools import lru_cache

import numpy as np

from tutorlib.exercises import NotAttempted, Submitted, Wrong, checker, entries, numbers
from tutorlib.runtime import float64

_TAIL, _CEILING = 20, 1e6


def _close(value, expected, tolerance=1e-6):
    return np.allclose(value, expected, rtol=tolerance, atol=1e-12)


def _named(found, slips, tolerance=1e-6):
    """Raise the message of the first slip whose value was found; slips: [(value, message)]."""
    for value, message in slips:
        if np.isfinite(value).all() and np.shape(value) == np.shape(found):
            if _close(found, value, tolerance):
                raise Wrong(message)


# --- 1: the measure ------------------------------------------------------------------------------


def _relative(losses, ceiling=_CEILING, first=None):
    v = np.where(np.isfinite(losses), losses, _CEILING) / (losses[0] if first is None else first)
    return np.minimum(v, ceiling)


def _measure(losses, *, tail=_TAIL, ceiling=_CEILING, first=None):
    return _decided(_relative(losses, ceiling, first), tail)


def _decided(v, tail=_TAIL):
    """The measure from the relative losses v; infinite where one of them is 0."""
    v = [float(value) for value in v]
    if sum(v[-tail:]) / len(v[-tail:]) < 1:
        return -sum(v)
    return sum(1 / value if value else np.inf for value in v)


def _traces():
    """Losses of every kind, by name."""
    t = np.arange(60)
    exploding = 2.0 * np.exp(0.9 * t)
    lost = np.where(t < 30, 3.0 + t, np.nan)
    overflow = np.where(t < 40, 3.0**t, np.inf)
    late = np.where(t < 50, 0.2, 5.0) + np.where(t == 0, 1.8, 0)
    return {
        "losses that fall": 4.0 * np.exp(-0.1 * t),
        "losses that oscillate below the first": 2.0 * np.where(t == 0, 1, 0.6 + 0.3 * (-1.0) ** t),
        "losses that oscillate above the first": 2.0 * np.where(t == 0, 1, 1.5 + 0.3 * (-1.0) ** t),
        "losses that end on a low one": np.where(t == 0, 1, 1.5 + (-1.0) ** t),
        "losses that explode": exploding,
        "losses that become NaN": lost,
        "losses that become infinite": 0.5 * overflow,
        "losses that start at 50 and become infinite": 50 * overflow,
        "losses that rise at the end": late,
    }


def _measure_slips(losses):
    v = _relative(losses)
    right = _measure(losses)
    converged = right < 0
    lost = np.isnan(losses)
    if lost.any():
        yield (
            _decided(np.minimum(np.where(lost, 0, losses) / losses[0], _CEILING)),
            "NaN became 0, which is what `np.nan_to_num` does unless told otherwise, so a run that "
            "is lost looks converged. It counts as 1e6.",
        )
        yield (
            _decided(np.minimum(np.where(lost, _CEILING, losses / losses[0]), _CEILING)),
            "you divide before you replace. A loss that is not finite becomes 1e6 first, so that "
            "its v is 1e6 over the first loss.",
        )
    yield -right, "the sign is the other way round: converged runs are negative."
    yield (
        _measure(losses, tail=len(losses)),
        "the phase is decided by the mean of all losses; only the last 20 count.",
    )
    yield (
        _measure(losses, tail=1),
        "the phase is decided by the very last loss. Take the mean of the last 20: a run may "
        "oscillate.",
    )
    yield (
        _measure(losses, first=1.0),
        "the losses are not divided by the first one: v = loss / first loss.",
    )
    yield (
        _measure(losses, ceiling=np.inf),
        "values above a million are not clipped; v is at most 1e6.",
    )
    yield -v.sum(), "a diverged run sums 1/v, with a positive sign; you sum -v for both phases."
    yield v.sum(), "a diverged run sums 1/v; you sum v, which is largest for the fastest."
    yield (
        -v.mean() if converged else (1 / v).mean(),
        "you take means over the steps; the measure is a sum.",
    )
    yield (
        -1.0 if converged else 1.0,
        "you return the phase only. The size is a speed: a sum over steps.",
    )


@checker("fractal-boundary/1", "Write the body of `my_measure`.")
def check_measure(answer):
    """answer(losses): losses before each step (steps,) -> V, a number."""
    student = Submitted(answer, "my_measure(losses)")
    for name, losses in _traces().items():
        value = float(numbers(student(losses), f"`my_measure(losses)` for {name}", ()))
        expected = _measure(losses)
        if _close(value, expected):
            continue
        _named(value, _measure_slips(losses))
        if np.isinf(losses).any():  # the losses that become NaN were right
            raise Wrong(
                f"for {name} you return {value:.6g} instead of {expected:.6g}. NaN is replaced, "
                "but is infinity? Both are not finite, and count as 1e6 before the division."
            )
        raise Wrong(
            f"for {name} you return {value:.6g}; summing term by term gives {expected:.6g}."
        )
    return "right for losses that fall, oscillate, explode, overflow and become NaN."


# --- 2: box counting -----------------------------------------------------------------------------


def _boxes(boundary, d):
    """For each d x d box, how many of its cells belong to the boundary; by loops."""
    return np.array(
        [
            boundary[i : i + d, j : j + d].sum()
            for i in range(0, len(boundary), d)
            for j in range(0, boundary.shape[1], d)
        ]
    )


@checker("fractal-boundary/2", "Write the body of `my_box_count`.")
def check_box_count(answer):
    """answer(boundary, d): booleans (R, R) with R a multiple of d -> number of boxes."""
    student = Submitted(answer, "my_box_count(boundary, d)")
    rng = np.random.default_rng(2)
    diagonal = np.eye(24, dtype=bool)
    cases = {
        "a random image": rng.random((24, 24)) < 0.15,
        "a diagonal": diagonal,
        "an image with a full box": diagonal | (np.indices((24, 24)).max(0) < 8),
        "an empty image": np.zeros((24, 24), bool),
        "a full image": np.ones((24, 24), bool),
        "an oblong image": rng.random((12, 24)) < 0.1,
        "a tall image": rng.random((24, 12)) < 0.1,
    }
    for name, boundary in cases.items():
        for d in (4, 2, 1, 12):
            what = f"`my_box_count(boundary, {d})` for {name}"
            value = float(numbers(student(boundary.copy(), d), what, ()))
            held = _boxes(boundary, d)
            expected = float((held > 0).sum())
            if value == expected:
                continue
            slips = [
                (boundary.sum(), "you count cells of the boundary, not boxes."),
                ((held == 0).sum(), "you count the boxes without any boundary."),
                ((held == d * d).sum(), "you count boxes that are full; one cell is enough."),
                (
                    ((held > 0) & (held < d * d)).sum(),
                    "you leave out boxes that are full. The paper's tool does, and the chapter "
                    "does not: a full box meets the boundary too.",
                ),
                ((held > 0).mean(), "you return the share of the boxes; asked is their number."),
                ((held > 1).sum(), "a box with a single cell of the boundary is not counted."),
            ]
            rows, columns = boundary.shape
            part = boundary[: min(rows, columns), : min(rows, columns)]
            known = [
                (
                    (_boxes(part, d) > 0).sum(),
                    f"for {name} you count in a square part of it only. It has {rows} rows and "
                    f"{columns} columns: take both from `boundary.shape`.",
                ),
                (
                    boundary.reshape(-1, d, d).any(axis=(1, 2)).sum(),
                    f"for {name} you count {value:g} boxes instead of {expected:g}, as many as "
                    f"`reshape(-1, {d}, {d})` does. That cuts the pixels row by row into runs of "
                    f"{d * d}, and these are no squares.",
                ),
            ]
            slips = [slip for slip in known if slip[0] != expected] + slips
            _named(np.float64(value), [(np.float64(v), m) for v, m in slips])
            raise Wrong(
                f"for {name} and boxes of side {d} you count {value:g}; looking into every box "
                f"gives {expected:g}."
            )
    return (
        "right for seven images and four sides, the empty, the full and the oblong ones included."
    )


# --- 3: thresholds -------------------------------------------------------------------------------


def _threshold(diverges, low=1e-3, high=1e3):
    """The rate at which `diverges` becomes true, by bisection."""
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if diverges(middle) else (middle, high)
    return high


@lru_cache
def _thresholds():
    """The three rates, measured: each system is iterated and asked whether it grows."""

    def parabola(rate):
        x = 1.0
        for _ in range(200):
            x -= rate * 6 * x
        return abs(x) > 1

    def saturated(n):
        def diverges(rate):
            signs = np.sign(np.random.default_rng(n).normal(size=n))
            w, y = np.zeros(n), 1.0
            for _ in range(200):
                w = w - rate * 2 * (signs @ w / n - y) * signs / n
            return abs(signs @ w / n - y) > 1

        return _threshold(diverges)

    return {"parabola": _threshold(parabola), "saturated": saturated(16), "wide": saturated(64)}


@checker("fractal-boundary/3", "Replace the three dots by your three learning rates.")
def check_thresholds(answer):
    """answer: {"parabola", "saturated", "wide"} -> learning rates."""
    answer = entries(answer, ("parabola", "saturated", "wide"))
    expected = _thresholds()
    slips = {
        "parabola": [
            (2 / 3, "the curvature of 3x² is 6, not 3: differentiate twice."),
            (1 / 6, "at 1/6 one step lands in the minimum. It may overshoot by as much again."),
        ],
        "saturated": [
            (16.0**2, "n² is one factor n too many: the gradient has n entries, each of size 1/n."),
            (8.0, "at n/2 a single step removes the error. It may overshoot by as much again."),
            (2.0, "2/L'' is right; but the curvature along the gradient is 2/n, not 1."),
            (32.0, "the loss is the square without a half: its curvature is 2/n."),
        ],
        "wide": [
            (16.0, "the threshold depends on the width: follow n through your derivation."),
            (4.0, "it grows with the width: more units share the same output."),
        ],
    }
    for name, value in expected.items():
        found = float(numbers(answer[name], f"`{name}`", ()))
        if not _close(found, value, 0.01):
            _named(np.float64(found), slips[name], 0.01)
            hint = (
                "above it the error still shrinks"
                if found < value
                else "below it the error already grows"
            )
            raise Wrong(f"`{name}` is {found:g}, which is not where growth begins: {hint}.")
    return "all three agree with a bisection of the iterated maps."


# --- 4: streaming --------------------------------------------------------------------------------


def _update(sums, v, last):
    total, inverses, tail = sums
    return np.array([total + v, inverses + 1 / v, tail + (v if last else 0)])


@checker("fractal-boundary/4", "Write the body of `my_update`.")
def check_update(answer):
    """answer(sums, v, last): (3,) and one relative loss -> (3,)."""
    student = Submitted(answer, "my_update(sums, v, last)")
    meaning = "the sum of v, the sum of 1/v, and the sum over the last 20"
    start = np.array([3.0, 0.5, 0.25])
    for v, last in [(0.4, False), (2.5, True)]:
        what = f"`my_update(sums, {v}, {last})`"
        value = numbers(student(start.copy(), v, last), what, (3,), meaning)
        right = _update(start, v, last)
        if _close(value, right):
            continue
        total, inverses, tail = right
        slips = [
            ([total, inverses, start[2] + v], "the third sum counts the last 20 steps only."),
            ([total, inverses, start[2]], "the third sum must grow when `last` is true."),
            ([total, start[1] + v, tail], "the second sum adds 1/v, not v."),
            ([v, 1 / v, v if last else 0], "the sums so far are forgotten: add to them."),
            ([total, inverses, tail / _TAIL], "divide by 20 once, at the end, not at every step."),
            ([total, inverses, start[2] + last], "the third sum adds v, not a count."),
        ]
        _named(value, [(np.array(s, float), m) for s, m in slips])
        if _close(value[:2], right[:2]):
            raise Wrong(f"the third sum is {value[2]:g} after {what}; it should be {tail:g}.")
        raise Wrong(f"{what} of (3, 0.5, 0.25) gives {value}; it should be {right}.")
    for name, losses in _traces().items():
        sums = np.zeros(3)
        for t, v in enumerate(_relative(losses)):
            last = t >= len(losses) - _TAIL
            what = f"`my_update` for {name}"
            sums = numbers(student(sums.copy(), float(v), last), what, (3,), meaning)
        V = -sums[0] if sums[2] / _TAIL < 1 else sums[1]
        if not _close(V, _measure(losses), 1e-4):  # sixty sums, perhaps in float32
            raise Wrong(f"right for one step; but for {name} the measure comes out as {V:g}.")
    return "the same measure as from stored losses, with three numbers of memory."


# --- 5: edges ------------------------------------------------------------------------------------


def _edges(V, corners=((0, 0), (0, 1), (1, 0), (1, 1)), odd=False):
    """Edge cells by loops; with slips to choose."""
    result = np.zeros((len(V) - 1, V.shape[1] - 1))
    for i, j in np.ndindex(result.shape):
        negative = sum(V[i + a, j + b] < 0 for a, b in corners)
        result[i, j] = negative % 2 == 1 if odd else 0 < negative < len(corners)
    return result


@checker("fractal-boundary/5", "Copy the function into `my_edges` and mend it.")
def check_edges(answer):
    """answer(V): measures (R, C) -> booleans (R - 1, C - 1)."""
    student = Submitted(answer, "my_edges(V)")
    rng = np.random.default_rng(5)
    corner = np.full((4, 4), -1.0)
    corner[1, 1] = corner[2, 2] = 1.0
    striped = np.where(np.arange(5) % 2, 1.0, -1.0) * np.ones((4, 1))
    cases = {
        "a random image": rng.normal(size=(9, 9)),
        "two islands": corner,
        "stripes": striped,
        "one phase": -np.ones((4, 4)),
        "an oblong image": rng.normal(size=(4, 7)),
        "measures that are exactly 0": np.where(rng.random((6, 6)) < 0.5, 0.0, -2.0),
        "no negative measure, some 0": np.where(rng.random((6, 6)) < 0.5, 0.0, 2.0),
    }
    three = ((0, 0), (0, 1), (1, 0))
    for name, V in cases.items():
        shape = (len(V) - 1, V.shape[1] - 1)
        known = {V.shape: "a cell lies between four pixels, so there is one row and column fewer."}
        what = f"`my_edges(V)` for {name}"
        value = numbers(student(V), what, shape, "one entry a cell", known=known)
        right = _edges(V)
        if np.array_equal(value, right):
            continue
        slips = [
            (_edges(V, three, odd=True), "none of the bugs is mended yet."),
            (_edges(V, three), "one bug is left: a cell has four corners."),
            (
                _edges(V, odd=True),
                "one bug is left: the sign of a product tells whether the number of negative "
                "corners is odd. With two of four it is even.",
            ),
            (1 - right, "you mark the cells *without* an edge."),
        ]
        _named(value, slips)
        wrong = np.argwhere(value != right)[0]
        raise Wrong(
            f"for {name} cell {tuple(wrong.tolist())} is wrong; its corners are "
            f"{V[wrong[0] : wrong[0] + 2, wrong[1] : wrong[1] + 2].round(2).tolist()}. Measures of "
            "0 or more count as diverged."
        )
    return "the same edges as looking at every cell's four corners."


# --- 6: two windows ------------------------------------------------------------------------------


@lru_cache
def _network():
    """The chapter's network and data of seed 0 with one training point, seen through the data."""
    import jax

    with float64():
        key, first = jax.random.split(jax.random.key(0))
        key_0, key_1 = jax.random.split(first)
        key, key_x = jax.random.split(key)
        _, key_y = jax.random.split(key)
        W0 = np.asarray(jax.random.normal(key_0, (16, 16)))
        w1 = np.asarray(jax.random.normal(key_1, (16,)))
        x = np.asarray(jax.random.normal(key_x, (16,)))
        y = float(jax.random.normal(key_y, ()))
    return x @ W0 / 4, w1, x @ x / 16, y


def _phases(window, size=64, steps=300):
    """Which pixels diverge, (size, size), by gradient descent in NumPy."""
    x, y, span = window
    offsets = span * ((np.arange(size) + 0.5) / size - 0.5)
    rate0, rate1 = (10.0 ** (a + b).ravel()[:, None] for a, b in _grid(x, y, offsets))
    z, w, gram, target = _network()
    error = np.tanh(math.sqrt(2) * z) @ w / 16 - target
    first, tail = error**2, 0
    z, w = np.tile(z, (size**2, 1)), np.tile(w, (size**2, 1))
    with np.errstate(all="ignore"):
        for t in range(steps):
            hidden = np.tanh(math.sqrt(2) * z)
            error = (hidden * w).sum(1, keepdims=True) / 16 - target
            if t >= steps - _TAIL:
                v = np.where(np.isfinite(error), error**2, _CEILING) / first
                tail = tail + np.minimum(v, _CEILING)
            push = 2 * error / 16
            z = z - rate0 * gram * push * w * math.sqrt(2) * (1 - hidden**2)
            w = w - rate1 * push * hidden
    return ~(tail / _TAIL < 1).reshape(size, size)


def _grid(x, y, offsets):
    """Two arrays of exponents, as (base, offset) that broadcast to the image."""
    flat = np.zeros((len(offsets), len(offsets)))
    return (x + flat, offsets[None] + flat), (y + flat, offsets[:, None] + flat)


def _dimension(boundary):
    """Slope of log N against log 1/d over boxes of side 2, 4, ... up to an eighth of the image."""
    size = len(boundary)
    sides = [2**k for k in range(1, int(math.log2(size // 8)) + 1)]
    counts = [max(1, int((_boxes(boundary, d) > 0).sum())) for d in sides]
    return -np.polyfit(np.log(sides), np.log(counts), 1)[0]


_WINDOWS = {"smooth": (1e-3, 0.0, 1.1), "rough": (1e-2, 1.2, 2.0)}
"""Largest width, and the range of the dimension."""


@checker("fractal-boundary/6", "Replace the dots by two windows (x, y, span).")
def check_windows(answer):
    """answer: {"smooth": (x, y, span), "rough": (x, y, span)}."""
    answer = entries(answer, _WINDOWS)
    told = []
    for name, (widest, low, high) in _WINDOWS.items():
        x, y, span = numbers(answer[name], f"the window `{name}`", (3,), "(x, y, span)")
        if span <= 0:
            raise Wrong(f"the window `{name}` has the width {span:g}; it must be positive.")
        if span > widest:
            raise Wrong(f"the window `{name}` is {span:g} decades wide; zoom in to {widest:g}.")
        if span < 1e-12 or max(abs(x), abs(y)) > 9:
            raise Wrong(f"the window `{name}` leaves the map, or what float64 resolves.")
        diverged = _phases((x, y, span))
        if diverged.all() or not diverged.any():
            phase = "diverges" if diverged.all() else "converges"
            raise Wrong(f"everything {phase} in the window `{name}`: it misses the boundary.")
        boundary = np.zeros((64, 64), bool)
        boundary[:-1, :-1] = _edges_fast(diverged)
        found = _dimension(boundary)
        if found < low:
            raise Wrong(f"the window `rough` measures {found:.2f}; at least {low} is wanted.")
        if found > high:
            raise Wrong(f"the window `smooth` measures {found:.2f}; below {high} is wanted.")
        told.append(f"`{name}` measures {found:.2f}")
    return f"{' and '.join(told)}, at 64 pixels a side."


def _edges_fast(diverged):
    corners = np.stack([diverged[:-1, :-1], diverged[:-1, 1:], diverged[1:, :-1], diverged[1:, 1:]])
    return corners.any(0) & ~corners.all(0)


# --- 7: critical roughness -----------------------------------------------------------------------


@checker("fractal-boundary/7", "Set `critical_roughness` to your number.")
def check_roughness(answer):
    """answer: theta_c of 3 x^2 + delta cos(2 pi x / lambda)."""
    if answer is None or answer is ...:
        raise NotAttempted
    found = float(numbers(answer, "`critical_roughness`", ()))
    # The largest theta at which the second derivative is nowhere negative, on a fine grid.
    u = np.linspace(0, 1, 10001)
    thetas = np.linspace(0.01, 1, 100_000)
    lowest = 6 - thetas * (2 * np.pi) ** 2 * np.cos(2 * np.pi * u).max()
    expected = thetas[lowest >= 0].max()
    if not _close(found, expected, 0.01):
        slips = [
            (1 / (2 * np.pi**2), "that is the value for x²; here the parabola is 3x²."),
            (3 / (4 * np.pi**2), "the second derivative of 3x² is 6."),
            (6 / (2 * np.pi), "differentiate the cosine twice: (2π/λ)² comes out, not 2π/λ."),
            (6 / (2 * np.pi) / np.pi, "(2π)² is 4π²; look at the factors of 2."),
            (6.0, "the factor (2π)² of the cosine's second derivative is missing."),
            (-expected, "the sign is wrong: both δ and λ² are positive."),
        ]
        _named(np.float64(found), [(np.float64(v), m) for v, m in slips], 0.01)
        least = 6 - found * (2 * np.pi) ** 2
        raise Wrong(
            f"at θ = {found:.4g} the smallest curvature is {least:.3g}; at the critical roughness "
            "it is 0."
        )
    return "the smallest curvature is 0 there."


# --- 8: break the estimator ----------------------------------------------------------------------


def _drawn(vertices, size=256):
    """The cells that a polyline in the unit square passes through, (size, size)."""
    image = np.zeros((size, size), bool)
    a, b = vertices[:-1], vertices[1:]
    for p, q in zip(a, b, strict=True):
        steps = int(np.abs(q - p).max() * size * 3) + 2
        line = p + np.linspace(0, 1, steps)[:, None] * (q - p)
        i, j = np.minimum((line * size).astype(int), size - 1).T
        image[i, j] = True
    return image


@checker("fractal-boundary/8", "Set `my_curve` to the corners of a polyline.")
def check_curve(answer):
    """answer: corners of a polyline in the unit square, (corners, 2)."""
    if answer is None or answer is ...:
        raise NotAttempted
    corners = numbers(answer, "`my_curve`", (None, 2), "the corners of a polyline")
    if not 2 <= len(corners) <= 2000:
        raise Wrong(f"`my_curve` has {len(corners)} corners; allowed are 2 to 2,000.")
    if corners.min() < 0 or corners.max() > 1:
        raise Wrong("`my_curve` leaves the unit square.")
    measured = _dimension(_drawn(corners))
    if measured <= 1.3:
        advice = (
            "Every polyline looks like a line from near enough; make it fill space at the scales "
            "of the boxes, 2 to 32 pixels."
        )
        raise Wrong(f"it measures {measured:.2f}; asked is more than 1.3. {advice}")
    length = np.linalg.norm(np.diff(corners, axis=0), axis=1).sum()
    return f"a curve of length {length:.0f}, so of dimension 1, measures {measured:.2f}."
