"""Answers to the fractal boundary's exercises, as data: what must pass, and what must fail and how.

RIGHT[exercise] is a list of correct answers in different styles. WRONG[exercise] is a list of
(answer, fragment): the message for that answer must contain the fragment. MUTATING[exercise] is a
correct function that also changes its input.
"""

import jax
import jax.numpy as jnp
import numpy as np

CHAPTER = "fractal-boundary"


# --- 1: measure(losses) --------------------------------------------------------------------------


def measure(losses, tail=20, ceiling=1e6, divide=True, sums=np.sum, sign=-1):
    """The measure in NumPy, with slips to choose."""
    v = np.where(np.isfinite(losses), losses, 1e6)
    v = np.minimum(v / v[0] if divide else v, ceiling)
    return sign * sums(v) if v[-tail:].mean() < 1 else -sign * sums(1 / v)


def measure_loop(losses):
    total = inverses = late = 0.0
    for t, loss in enumerate(losses):
        v = min((loss if np.isfinite(loss) else 1e6) / losses[0], 1e6)
        total, inverses = total + v, inverses + 1 / v
        late += v * (t >= len(losses) - 20)
    return -total if late < 20 else inverses


def measure_jax(losses):
    with jax.enable_x64(True):
        return compiled_measure(losses)


@jax.jit
def compiled_measure(losses):
    v = jnp.nan_to_num(losses, nan=1e6, posinf=1e6, neginf=1e6) / losses[0]
    v = v.clip(max=1e6)
    return jnp.where(v[-20:].sum() < 20, -v.sum(), (1 / v).sum())


def measure_raw(losses):
    """Not finite is not replaced: NaN compares as false, and the sum is NaN."""
    v = np.minimum(losses / losses[0], 1e6)
    return -v.sum() if v[-20:].mean() < 1 else (1 / v).sum()


def measure_from(relative):
    """Another way to the relative losses v."""

    def measured(losses):
        v = np.minimum(relative(losses), 1e6)
        with np.errstate(divide="ignore"):
            return -v.sum() if v[-20:].mean() < 1 else (1 / v).sum()

    return measured


def measure_mutating(losses):
    value = measure(losses)
    losses /= 2
    return value


# --- 2: box_count(boundary, d) -------------------------------------------------------------------


def boxes(boundary, d):
    rows, columns = boundary.shape
    return boundary.reshape(rows // d, d, columns // d, d)


def count_reshape(boundary, d):
    return boxes(boundary, d).any(axis=(1, 3)).sum()


def count_set(boundary, d):
    return len({(i // d, j // d) for i, j in np.argwhere(boundary)})


def count_reduceat(boundary, d):
    rows = np.add.reduceat(np.asarray(boundary, int), np.arange(0, len(boundary), d), axis=0)
    held = np.add.reduceat(rows, np.arange(0, boundary.shape[1], d), axis=1)
    return np.float32(np.count_nonzero(held))


def count_square(boundary, d):
    side = range(0, len(boundary), d)
    return sum(boundary[i : i + d, j : j + d].any() for i in side for j in side)


def count_square_by_columns(boundary, d):
    side = range(0, boundary.shape[1], d)
    return sum(boundary[i : i + d, j : j + d].any() for i in side for j in side)


def count_mutating(boundary, d):
    count = count_reshape(boundary, d)
    boundary[:] = ~boundary
    return count


# --- 4: update(sums, v, last) --------------------------------------------------------------------


def update(sums, v, last):
    return sums + np.array([v, 1 / v, v * last])


def update_list(sums, v, last):
    total, inverses, tail = sums
    if last:
        tail += v
    return [total + v, inverses + 1 / v, tail]


@jax.jit
def update_jax(sums, v, last):
    return sums + jnp.stack([v, 1 / v, jnp.where(last, v, 0)])


def update_mutating(sums, v, last):
    sums += [v, 1 / v, v * last]
    return sums


# --- 5: edges(V) ---------------------------------------------------------------------------------


def corners(V):
    return np.stack([V[:-1, :-1], V[:-1, 1:], V[1:, :-1], V[1:, 1:]])


def edges(V):
    negative = corners(V) < 0
    return negative.any(0) & ~negative.all(0)


def edges_count(V):
    total = (corners(V) < 0).sum(0)
    return (total > 0) * (total < 4)


def edges_windows(V):
    seen = np.lib.stride_tricks.sliding_window_view(V < 0, (2, 2))
    return seen.max((2, 3)) != seen.min((2, 3))


def edges_mutating(V):
    found = edges(V)
    V *= -1
    return found


# --- 8: curves -----------------------------------------------------------------------------------


def snake(rows):
    y = np.repeat(np.linspace(0, 1, rows), 2)
    x = np.tile([0, 1, 1, 0], rows)[: 2 * rows]
    return np.stack([x, y], 1)


def hilbert(order):
    curve = np.array([0j])
    for _ in range(order):
        turned = 1j * curve.conj()
        side = 2 ** int(np.log2(len(curve)) / 2)
        last = side + (side - 1) * 1j + side - 1 - turned
        last = (2 * side - 1) - turned.real + 1j * (side - 1 - turned.imag)
        curve = np.concatenate([turned, curve + 1j * side, curve + side * (1 + 1j), last])
    n = 2**order - 1
    return np.stack([curve.real, curve.imag], 1) / n


def spiral(turns, corners=1500):
    t = np.linspace(0, 1, corners)
    angle = 2 * np.pi * turns * np.sqrt(t)
    return 0.5 + 0.5 * np.sqrt(t)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)


circle = 0.5 + 0.5j + 0.4 * np.exp(2j * np.pi * np.linspace(0, 1, 200))

# Two windows on the boundary of the network of seed 0.
SMOOTH = (5.0, float(np.log10(16)), 1e-3)
ROUGH = (1.801300048828125, 1.32586669921875, 0.002197265625)

RIGHT = {
    1: [measure, measure_loop, measure_jax],
    2: [count_reshape, count_set, count_reduceat],
    3: [
        {"parabola": 1 / 3, "saturated": 16, "wide": 64},
        {"parabola": np.float32(2 / 6), "saturated": jnp.asarray(16.0), "wide": 64.0},
        {"wide": 64.2, "saturated": 15.95, "parabola": 0.333},
    ],
    4: [update, update_list, update_jax],
    5: [edges, edges_count, edges_windows],
    6: [
        {"smooth": SMOOTH, "rough": ROUGH},
        {"smooth": [4.5, 1.2045, 1e-3], "rough": np.array([1.80154037, 1.32638168, 2.7466e-4])},
        {"smooth": (5.0, 1.2045, 5e-4), "rough": jnp.asarray(ROUGH)},
    ],
    7: [6 / (2 * np.pi) ** 2, np.float32(0.152), jnp.asarray(3 / 2 / np.pi**2)],
    8: [snake(60), hilbert(5), spiral(40).tolist()],
}
WRONG = {
    1: [
        (lambda losses: measure(losses, sign=1), "the sign is the other way round"),
        (lambda losses: measure(losses, tail=len(losses)), "only the last 20 count"),
        (lambda losses: measure(losses, tail=1), "the very last loss"),
        (lambda losses: measure(losses, divide=False), "not divided by the first"),
        (lambda losses: measure(losses, ceiling=np.inf), "are not clipped"),
        (lambda losses: measure(losses, sums=np.mean), "you take means over the steps"),
        (lambda losses: np.sign(measure(losses)), "you return the phase only"),
        (lambda losses: -abs(np.minimum(losses / losses[0], 1e6)).sum(), "for both phases"),
        (measure_raw, "is NaN"),
        (
            measure_from(lambda losses: np.where(np.isnan(losses), 1e6, losses) / losses[0]),
            "NaN is replaced, but is infinity?",
        ),
        (measure_from(lambda losses: np.nan_to_num(losses) / losses[0]), "NaN became 0"),
        (
            measure_from(lambda losses: np.where(np.isfinite(losses), losses / losses[0], 1e6)),
            "you divide before you replace",
        ),
    ],
    2: [
        (lambda boundary, d: boundary.sum(), "you count cells of the boundary"),
        (lambda boundary, d: (~boxes(boundary, d)).all((1, 3)).sum(), "without any boundary"),
        (lambda boundary, d: boxes(boundary, d).all((1, 3)).sum(), "boxes that are full"),
        (lambda boundary, d: boxes(boundary, d).any((1, 3)).mean(), "the share of the boxes"),
        (
            lambda boundary, d: (
                boxes(boundary, d).any((1, 3)) & ~boxes(boundary, d).all((1, 3))
            ).sum(),
            "you leave out boxes that are full",
        ),
        (lambda boundary, d: boxes(boundary, d).any((1, 3)), "has shape"),
        (count_square, "It has 12 rows and 24 columns"),
        (count_square_by_columns, "It has 24 rows and 12 columns"),
        (lambda boundary, d: boundary.reshape(-1, d, d).any((1, 2)).sum(), "these are no squares"),
        (
            lambda boundary, d: (boxes(boundary, d).sum((1, 3)) > 1).sum(),
            "a box with a single cell",
        ),
    ],
    3: [
        ({"parabola": 2 / 3, "saturated": 16, "wide": 64}, "differentiate twice"),
        ({"parabola": 1 / 6, "saturated": 16, "wide": 64}, "lands in the minimum"),
        ({"parabola": 1 / 3, "saturated": 256, "wide": 64}, "one factor n too many"),
        ({"parabola": 1 / 3, "saturated": 8, "wide": 64}, "removes the error"),
        ({"parabola": 1 / 3, "saturated": 16, "wide": 16}, "depends on the width"),
        ({"parabola": 1 / 3, "saturated": 16, "wide": 90}, "below it the error already grows"),
        ({"parabola": 1 / 3, "saturated": 15, "wide": 64}, "above it the error still shrinks"),
        ({"parabola": "2/6", "saturated": 16, "wide": 64}, "`parabola` is a `str`, not a number."),
        ({"parabola": 1 / 3}, "the key `saturated` is missing"),
        ({"parabola": 1 / 3, "saturated": 16, "wide": ...}, "nothing yet for `wide`"),
    ],
    4: [
        (lambda sums, v, last: sums + np.array([v, 1 / v, v]), "the last 20 steps only"),
        (lambda sums, v, last: sums + np.array([v, 1 / v, 0]), "must grow when `last`"),
        (lambda sums, v, last: sums + np.array([v, v, v * last]), "adds 1/v, not v"),
        (lambda sums, v, last: np.array([v, 1 / v, v * last]), "the sums so far are forgotten"),
        (lambda sums, v, last: sums + np.array([v, 1 / v, last]), "not a count"),
        (lambda sums, v, last: sums[:2] + [v, 1 / v], "has shape (2,)"),
    ],
    5: [
        (lambda V: corners(V)[:3].prod(0) < 0, "none of the bugs is mended"),
        (lambda V: edges_of_three(V), "a cell has four corners"),
        (lambda V: np.where(corners(V) < 0, -1, 1).prod(0) < 0, "With two of four it is even"),
        (lambda V: ~edges(V), "*without* an edge"),
        (lambda V: np.pad(edges(V), ((0, 1), (0, 1))), "one row and column fewer"),
        (lambda V: corners(V).min(0) * corners(V).max(0) < 0, "count as diverged"),
    ],
    6: [
        ({"smooth": ROUGH, "rough": ROUGH}, "zoom in to 0.001"),
        ({"smooth": SMOOTH, "rough": (5.0, np.log10(16), 1e-2)}, "at least 1.2 is wanted"),
        ({"smooth": (0.0, 0.0, 1e-3), "rough": ROUGH}, "everything converges"),
        ({"smooth": (0.0, 5.0, 1e-3), "rough": ROUGH}, "everything diverges"),
        ({"smooth": (1.5, 1.5, 9.0), "rough": ROUGH}, "zoom in to 0.001"),
        ({"smooth": (1.8015403747558594, 1.3263816833496094, 2.7e-4), "rough": ROUGH}, "below 1.1"),
        ({"smooth": (5.0, 1.2, -1e-3), "rough": ROUGH}, "must be positive"),
        ({"smooth": (5.0, 1.2), "rough": ROUGH}, "expected is (3,)"),
        ({"smooth": SMOOTH}, "the key `rough` is missing"),
    ],
    7: [
        (1 / (2 * np.pi**2), "the value for x²"),
        (3 / (4 * np.pi**2), "the second derivative of 3x² is 6"),
        (6 / (2 * np.pi), "differentiate the cosine twice"),
        (6.0, "factor (2π)²"),
        (-6 / (2 * np.pi) ** 2, "the sign is wrong"),
        (0.3, "at the critical roughness"),
    ],
    8: [
        ([[0, 0], [1, 1]], "more than 1.3"),
        (np.stack([circle.real, circle.imag], 1), "it measures 0.9"),
        (snake(4), "fill space at the scales"),
        (np.random.default_rng(0).random((3000, 2)), "allowed are 2 to 2,000"),
        (2 * snake(60), "leaves the unit square"),
        (snake(60).T, "expected is (any, 2)"),
    ],
}


def edges_of_three(V):
    negative = corners(V)[:3] < 0
    return negative.any(0) & ~negative.all(0)


MUTATING = {1: measure_mutating, 2: count_mutating, 4: update_mutating, 5: edges_mutating}
FIRST_INPUT = {1: "losses", 2: "boundary", 4: "sums", 5: "V"}
