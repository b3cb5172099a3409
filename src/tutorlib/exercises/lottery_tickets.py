"""Checkers of the lottery tickets' exercises.

Every right value is computed here by another route than the exercise asks for: counts and
comparisons instead of a sort, a training that the checker makes up and watches, a fine grid. What
a known mistake would give is computed too, so that the message can name it.
"""

import itertools

import numpy as np

from tutorlib.exercises import Submitted, Wrong, checker, entries, numbers, ranking, sentence
from tutorlib.results import load_result


def _zeros_and_ones(value, what):
    """A mask as booleans. Raises Wrong for other numbers."""
    if not np.isin(value, (0, 1)).all():
        raise Wrong(
            f"{what} holds {value[~np.isin(value, (0, 1))][0]:.3g}. A mask holds only True and "
            "False; return the mask, not the masked weights."
        )
    return value.astype(bool)


# --- 1: prune ------------------------------------------------------------------------------------


def _first(values, count):
    """Where the `count` smallest values stand: those that fewer values are smaller than."""
    below = np.array([(values < value).sum() for value in values.ravel()])
    return (below < count).reshape(values.shape)


def _pruning_faults(weight, mask, rate, after):
    """What is wrong with the mask `after`, or None. Counts and comparisons, no sorting."""
    survivors, size = mask.sum(), np.abs(weight)
    exact = float(rate * survivors)
    wanted = round(exact)
    if np.any(after & ~mask):
        if np.array_equal(after, ~mask) or not np.any(after & mask):
            return "your mask is inverted: True marks what is kept."
        return "weights that were pruned before are back. A removed weight never returns."
    gone = mask & ~after
    removed = int(gone.sum())
    if abs(removed - exact) > 0.5 + 1e-9:  # a half may go either way
        rows = gone.any(axis=-1, keepdims=True)
        if gone.ndim == 2 and rows.any() and after.any() and np.array_equal(gone, mask & rows):
            why = (
                "you removed whole rows: the mask is 2-D here, and one index picks a row of it. "
                "Use positions in the flattened array, for any shape"
            )
        elif np.array_equal(gone, _first(size, wanted) & mask) and not mask.all():
            why = (
                "you rank all weights. Those that were pruned before still hold numbers, small "
                "ones too, and take up places of the ranking; rank the *survivors*"
            )
        elif not mask.all() and np.array_equal(gone, _first(size * mask, wanted) & mask):
            why = (
                "pruned places rank first, for `weight * mask` is 0 there, and they take up places "
                "of the ranking; rank the *survivors*"
            )
        elif removed and after.any() and size[after].max() <= size[gone].min():
            why = "your mask is inverted: True marks what is kept"
        elif removed == round(rate * weight.size):
            why = "you take the rate of all weights; it is a share of the *survivors*"
        elif removed == survivors - wanted:
            why = "you keep the share that should go"
        elif removed in (int(exact), int(exact) + 1) and not np.isclose(exact, wanted):
            down = "down" if removed < exact else "up"
            why = f"rate × survivors is {exact:g}, and you round {down}. Take the nearest number"
        elif removed == wanted + 1:
            why = "one too many: is the threshold itself removed too (`<=`), or a slice too long?"
        elif removed == 0:
            why = "nothing was removed"
        elif np.unique(size[mask]).size < survivors:
            why = "equal magnitudes must not change the number: rank the weights, or break ties"
        else:
            why = "how many go is the rate times the number of survivors, rounded"
        faults = f"{removed} of {survivors} survivors were removed, {wanted} should be; {why}"
        return sentence(faults)
    if removed and after.any() and size[gone].max() > size[after].min():
        if size[gone].min() >= size[after].max():
            return "you removed the weights of *largest* magnitude."
        if weight[gone].max() <= weight[after].min():
            return (
                "you removed the most negative weights. Magnitude is the absolute value: a weight "
                "of -3 matters as much as one of 3."
            )
        return (
            f"a weight of magnitude {size[gone].max():.3g} was removed while one of "
            f"{size[after].min():.3g} was kept. Remove the smallest magnitudes among the survivors."
        )
    return None


@checker("lottery-tickets/1", "Write the body of `my_prune`.")
def check_prune(answer):
    """answer(weight, mask, rate): the next mask, of the shape of weight."""
    student = Submitted(answer, "my_prune(weight, mask, rate)")
    rng = np.random.default_rng(1)
    half = rng.random((8, 9)) < 0.6
    rewound = rng.normal(size=(8, 9))  # pruned places hold numbers too, some of them small
    cases = {
        "a full mask": (rng.normal(size=(10, 7)), np.ones((10, 7), bool), 0.2),
        "a mask with holes": (rewound, half, 0.25),
        "a vector": (rng.normal(size=40), np.ones(40, bool), 0.1),
        "equal magnitudes": (rng.choice([-1.0, 1.0], size=(5, 8)), np.ones((5, 8), bool), 0.25),
        "half of everything": (rng.normal(size=(4, 5)), np.ones((4, 5), bool), 0.5),
        "42 weights and a rate of 40 %": (rng.normal(size=(6, 7)), np.ones((6, 7), bool), 0.4),
        "36 weights and a rate of 20 %": (rng.normal(size=(4, 9)), np.ones((4, 9), bool), 0.2),
    }
    for name, (weight, mask, rate) in cases.items():
        what = f"`my_prune(weight, mask, rate)` for {name}"
        returned = student(weight, mask, rate)
        value = numbers(returned, what, weight.shape, "the shape of `weight`")
        after = _zeros_and_ones(value, what)
        kind = np.asarray(returned).dtype
        if kind.kind != "b":
            raise Wrong(
                f"{what} holds {kind}; a mask holds booleans. As an index, the numbers 0 and 1 "
                "pick two rows, not a part: compare, or convert with `.astype(bool)`."
            )
        fault = _pruning_faults(weight, mask, rate, after)
        if fault:
            raise Wrong(f"for {name}: {fault}")
    return (
        "the counts are exact, with holes and with ties; the smallest magnitudes went, and no "
        "removed weight returned."
    )


# --- 2: early stopping ---------------------------------------------------------------------------


@checker("lottery-tickets/2", "Write the body of `my_early_stop`.")
def check_early_stop(answer):
    """answer(losses, every): the iteration of the lowest loss."""
    student = Submitted(answer, "my_early_stop(losses, every)")
    rng = np.random.default_rng(2)
    noisy = np.concatenate([np.linspace(1, 0.2, 12), np.linspace(0.25, 0.9, 17)])
    noisy += rng.normal(scale=0.06, size=29)
    cases = {
        "a noisy curve": (noisy, 25),
        "two equal minima": (np.array([0.9, 0.4, 0.7, 0.4, 0.8]), 100),
        "a curve that still falls": (np.linspace(1, 0.1, 8), 50),
        "a curve that only rises": (np.linspace(0.1, 1, 6), 10),
        "a curve with a long false minimum": (
            np.array([0.9, 0.6, 0.65, 0.5, 0.55, 0.6, 0.62, 0.61, 0.6, 0.58, 0.57, 0.55, 0.3, 0.4]),
            20,
        ),
        "two minima that are nearly equal": (np.array([0.9, 0.7, 0.8, 0.402, 0.7, 0.4, 0.8]), 100),
    }
    for name, (losses, every) in cases.items():
        found = float(numbers(student(losses, every), "`my_early_stop(losses, every)`", ()))
        lowest = np.flatnonzero(losses == losses.min())
        right = every * (lowest[0] + 1)
        if found == right:
            continue
        slips = {
            float(lowest[0]): "you return the position in the array; measurements are `every` "
            "iterations apart.",
            float(lowest[0] + 1): "you return which measurement it was; they are `every` "
            "iterations apart.",
            float(every * lowest[0]): "you are one measurement early: entry 0 was taken after "
            "`every` iterations, not after 0.",
            float(losses.min()): "you return the loss itself. Asked is *when* it was lowest.",
            float(every * (np.argmax(losses) + 1)): "you found the highest loss.",
            float(every * len(losses)): "you return the last iteration.",
            float(every * (lowest[-1] + 1)): "of equal minima the *first* counts: nobody would "
            "train on.",
        }
        rising = np.flatnonzero(np.diff(losses) > 0)
        if rising.size:
            first_rise = float(every * (rising[0] + 1))
            slips.setdefault(
                first_rise,
                "you stop where the loss first rises. Curves are noisy: take the lowest of all.",
            )
        place = found / every - 1
        if place in range(lowest[0]) and losses[int(place)] <= losses[: int(place) + 2].min():
            slips.setdefault(
                found,
                "you stop at an earlier low. All losses are known, so nobody has to guess when "
                "to stop waiting, or what is low enough: take the lowest of all.",
            )
        reason = slips.get(
            found, "work it out by hand for losses 3, 1, 2 and every = 10: it is 20."
        )
        raise Wrong(f"for {name} you return {found:g}, expected is {right}: {reason}")
    return "right for a noisy curve, for ties, and for minima at either end."


# --- 3: iterative magnitude pruning --------------------------------------------------------------


class _Training:
    """A training that is a formula, and keeps what it was called with."""

    def __init__(self, seed, size):
        self.drift = np.random.default_rng(seed).normal(scale=0.8, size=size)
        self.calls = []

    def __call__(self, weights, mask):
        weights, mask = np.asarray(weights, float), np.asarray(mask, bool)
        if weights.shape != self.drift.shape or mask.shape != self.drift.shape:
            raise ValueError(f"train got shapes {weights.shape} and {mask.shape}")
        self.calls.append((weights.copy(), mask.copy()))
        others = np.mean(mask * weights)  # what is pruned changes what the survivors learn
        return mask * (0.5 * weights + self.drift * np.cos(3 * weights + 20 * others))

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        return "the check's training"


def _imp(start, train, rounds, rate):
    """The masks of iterative magnitude pruning, (rounds + 1, n)."""
    mask = np.ones(len(start), bool)
    masks = [mask]
    for _ in range(rounds):
        trained = np.abs(train(start, mask))
        alive = np.flatnonzero(mask)
        threshold = np.partition(trained[alive], k := round(rate * alive.size))[k]
        mask = mask & (trained >= threshold)
        masks.append(mask)
    return np.array(masks)


@checker("lottery-tickets/3", "Write the body of `my_tickets`.")
def check_imp(answer):
    """answer(start, train, rounds, rate): masks before each round and after the last."""
    student = Submitted(answer, "my_tickets(start, train, rounds, rate)")
    for size, rounds, rate, seed in ((50, 4, 0.2, 3), (40, 3, 0.5, 4)):
        start = np.random.default_rng([seed, 1]).normal(size=size)
        expected = _imp(start, _Training(seed, size), rounds, rate)
        train = _Training(seed, size)
        what = "`my_tickets(start, train, rounds, rate)`"
        value = numbers(
            student(start, train, rounds, rate), what, (rounds + 1, size),
            "one mask for each of 0..rounds rounds",
            known={(rounds, size): "one mask is missing. The first is all True, the last comes "
                   "after the last round."},
        )  # fmt: skip
        masks = _zeros_and_ones(value, what)
        if len(train.calls) >= rounds and all(mask.all() for _, mask in train.calls):
            raise Wrong(
                "every training runs with the full mask. Train the *masked* network, so that the "
                "survivors learn without the others."
            )
        if np.array_equal(masks, expected) and len(train.calls) >= rounds:
            _check_rewinding(train.calls, start)
            continue
        if len(train.calls) < rounds:
            raise Wrong(
                f"`train` was called {len(train.calls)} times in {rounds} rounds. Every round "
                "trains before it prunes: magnitudes *after* training decide."
            )
        if not masks[0].all():
            raise Wrong("the first mask is not all True: nothing has been pruned before round 1.")
        _check_rewinding(train.calls, start)
        if np.any(masks[1:] & ~masks[:-1]):
            raise Wrong("a later mask keeps a weight that an earlier one removed. Prune survivors.")
        counts = masks.sum(axis=1).tolist()
        raise Wrong(
            "your masks keep the right numbers of weights, but not the right weights. Prune by the "
            "magnitude of the weights that `train` returned."
            if counts == (wanted := expected.sum(axis=1).tolist())
            else f"your masks keep {counts} weights, expected are {wanted}. In each round the "
            "share `rate` of the survivors goes."
        )
    return (
        "every training started from the initial weights under the current mask, and the masks "
        "agree with a recomputation by thresholds."
    )


def _check_rewinding(calls, start):
    for number, (weights, mask) in enumerate(calls):
        if not np.allclose(weights[mask], start[mask]):
            raise Wrong(
                f"training {number + 1} does not start from the initial weights. That is continued "
                "training; a lottery ticket goes back to `start` after every round."
            )


# --- 4: the order of five arms -------------------------------------------------------------------

_ARMS = {
    "ticket": "ticket",
    "same signs": "same signs",
    "new weights": "reinit",
    "one-shot": "one-shot",
    "random mask": "random",
}
"""The names in the exercise, and in the committed result with 6,000 iterations a training."""


def measured_arms():
    """(mean accuracy by name, pairs closer than the larger spread over seeds), 1.4 % of weights."""
    result = load_result("lottery-tickets-longer")
    every = result["provenance"]["record_every"]
    rows = {row["arm"]: row for row in result["results"] if row["round"] == 20}
    mean, spread = {}, {}
    for name, arm in _ARMS.items():
        stop = np.array(rows[arm]["early_stop"]) // every - 1
        accuracy = np.array(rows[arm]["test_accuracy"])[np.arange(len(stop)), stop]
        mean[name], spread[name] = accuracy.mean(), accuracy.std(ddof=1)
    tied = [
        (x, y)
        for x, y in itertools.combinations(mean, 2)
        if abs(mean[x] - mean[y]) < max(spread[x], spread[y])
    ]
    return mean, tied


@checker("lottery-tickets/4", "Replace `...` by the five names, most accurate first.")
def check_arms(answer):
    """answer: the five arms in the order of their accuracy."""
    accuracy, tied = measured_arms()
    given = ranking(answer, accuracy, "arm", "most accurate first")
    wrong = [
        (x, y)
        for i, x in enumerate(given)
        for y in given[i + 1 :]
        if accuracy[x] < accuracy[y] and not {(x, y), (y, x)} & set(tied)
    ]
    if not wrong:
        listed = ", ".join(f"`{name}` {accuracy[name]:.3f}" for name in given)
        noise = "; ".join(f"`{x}` and `{y}`" for x, y in tied)
        return (
            f"all pairs are in the measured order but those closer than their spread over seeds, "
            f"which may stand either way ({noise}). Yours: {listed}."
        )
    if given == sorted(accuracy, key=accuracy.get):
        raise Wrong("this is the measured order backwards: put the most accurate first.")
    x, y = wrong[0]
    reasons = {
        ("random mask", "new weights"): "the places alone are worth a lot",
        ("random mask", "one-shot"): "even a one-shot mask knows which pixels matter",
        ("new weights", "same signs"): "the signs carry most of what the start knows",
        ("new weights", "ticket"): "that the start matters is the paper's finding",
        ("one-shot", "ticket"): "a mask found in many rounds is worth more than one found at once",
        ("one-shot", "same signs"): "the mask of many rounds is worth more than the old magnitudes",
    }
    reason = reasons.get((x, y), "compare which of places, start and rounds each arm has")
    raise Wrong(
        f"{10 - len(wrong)} of 10 pairs are in the measured order. You put `{x}` before `{y}`, "
        f"but `{x}` reaches {accuracy[x]:.3f} and `{y}` {accuracy[y]:.3f}: {reason}."
    )


# --- 5: the step that freezes too much -----------------------------------------------------------


@checker("lottery-tickets/5", "Write the body of `my_step`.")
def check_step(answer):
    """answer(weight, gradient, mask, learning_rate): the weights after one step."""
    student = Submitted(answer, "my_step(weight, gradient, mask, learning_rate)")
    rng = np.random.default_rng(5)
    mask = rng.random((6, 8)) < 0.5
    weight = np.where(mask, rng.normal(size=(6, 8)), 0)
    stale = weight + ~mask * rng.normal(size=(6, 8))  # pruned places that still hold numbers
    resting = np.where(mask & (rng.random((6, 8)) < 0.3), 0.0, stale)
    gradient = rng.normal(size=(6, 8))
    faults = []
    what = "`my_step(weight, gradient, mask, learning_rate)`"
    for start, rate in [(stale, 0.1), (resting, 0.1), (stale, 0.03)]:
        value = numbers(student(start, gradient, mask, rate), what, (6, 8), "the shape of `weight`")
        right = np.where(mask, start - rate * gradient, 0)
        if np.allclose(value, right, rtol=1e-4, atol=1e-6):
            continue
        if np.allclose(value, np.where(mask, start - 0.1 * gradient, 0), atol=1e-6):
            faults.append("`learning_rate` is not used: the step is right for 0.1 only.")
        if np.allclose(value[mask], (start + rate * gradient)[mask]):
            faults.append("you step uphill: the gradient is subtracted.")
        if np.allclose(value, start - rate * gradient):
            faults.append("the mask is not used: pruned weights move.")
            continue
        alive = ~np.isclose(value, start)
        if np.any(mask & (start < 0) & ~alive):
            faults.append(
                "survivors with *negative* weights do not move: a comparison such as "
                "`weight < 1e-6` is true for all of them. Use the mask."
            )
        elif np.any(mask & (start == 0) & ~alive):
            faults.append(
                "a survivor whose weight happens to be 0 does not move. The mask says what is "
                "pruned, not the value."
            )
        if np.any(value[~mask] != 0):
            faults.append(
                "pruned places are not 0 after the step: they keep what stood there. Multiply the "
                "result by the mask."
            )
        if not faults:
            i = tuple(np.argwhere(~np.isclose(value, right))[0])
            faults.append(
                f"entry {i[0]}, {i[1]} is {value[i]:.3g}, expected {right[i]:.3g}: one step of "
                "gradient descent, then the mask."
            )
    if faults:
        faults = list(dict.fromkeys(faults))
        count = f"{len(faults)} faults. " if len(faults) > 1 else ""
        raise Wrong(f"{count}{faults[0]}")
    return (
        "survivors move whatever their sign, also from 0; pruned places are 0, also where a number "
        "stood before."
    )


# --- 6: what a ticket costs ----------------------------------------------------------------------

_COSTS = {"rounds": 14, "iterations": 700_000, "break_even": 47}

_COST_SLIPS = {
    ("rounds", 13): "after 13 rounds 0.8¹³ = 5.5 % are left, still more than 5 %",
    ("rounds", 15): "after 14 rounds 0.8¹⁴ = 4.4 % are left: one round fewer is enough",
    ("rounds", 5): "five rounds of 20 % leave 0.8⁵ = 33 %: a round removes 20 % of the survivors",
    ("rounds", 4): "a round removes 20 % of the *survivors*, so it gets slower",
    ("iterations", 750_000): "that includes the training of the ticket itself. To *find* it, one "
    "training before each of the 14 prunings is needed",
    ("iterations", 650_000): "there is one training before each pruning: 14, not 13",
    ("iterations", 50_000): "each of the rounds trains for 50,000 iterations",
    ("iterations", 14): "count iterations, not trainings",
    ("break_even", 46): "46 trainings save 690,000 iterations, not yet 700,000",
    ("break_even", 14): "a training of the ticket saves 15,000 iterations, not all 50,000",
    ("break_even", 20): "you divided by 35,000, what the ticket still needs; it *saves* 15,000",
    ("break_even", 50): "that counts the ticket's own training as part of the search",
}

_COST_WAYS = {
    "rounds": "0.8 to which power is below 0.05?",
    "iterations": "one full training before each pruning",
    "break_even": "divide what the search costs by what each training of the ticket saves, rounded "
    "up",
}


@checker("lottery-tickets/6", "Replace the three `...` by numbers.")
def check_costs(answer):
    """answer: {"rounds", "iterations", "break_even"}."""
    costs = entries(answer, _COSTS)
    for key, right in _COSTS.items():
        value = float(numbers(costs[key], f"`{key}`", ()))
        if value != right:
            reason = _COST_SLIPS.get((key, value), _COST_WAYS[key])
            raise Wrong(sentence(f"`{key}` = {value:g}: {reason}"))
    return (
        "14 rounds, 700,000 iterations, and 47 trainings before it pays. The hypothesis is about "
        "what exists, not about saving time."
    )


# --- 7: the error barrier ------------------------------------------------------------------------


class _Error:
    """An error surface that is a formula, and remembers where it was measured."""

    def __init__(self, name, surface):
        self.name, self.surface = name, surface
        self.points = []

    def __call__(self, weights):
        weights = np.asarray(weights, float)
        self.points.append(weights.copy())
        return float(self.surface(weights))

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        return self.name


def _along(surface, first, second, count=20_001):
    shares = np.linspace(0, 1, count)
    return np.array([surface((1 - t) * first + t * second) for t in shares])


@checker("lottery-tickets/7", "Write the body of `my_barrier`.")
def check_barrier(answer):
    """answer(first, second, error): the error barrier on the straight line."""
    student = Submitted(answer, "my_barrier(first, second, error)")
    left, right = np.array([-1.0, 0.0, 0.2]), np.array([1.0, 0.5, -0.4])
    surfaces = {
        "a ridge off the middle": lambda w: 0.05 + 0.3 * np.exp(-8 * (w[0] - 0.3) ** 2)
        + 0.02 * (w[0] + 1),
        "one valley": lambda w: 0.1 + 0.02 * w @ w,
        "two valleys of unequal depth": lambda w: 0.2 * (w[0] ** 2 - 1) ** 2 + 0.05 * (1 - w[0]),
    }  # fmt: skip
    for name, surface in surfaces.items():
        error = _Error(name, surface)
        found = float(
            numbers(student(left, right, error), "`my_barrier(first, second, error)`", ())
        )
        errors = _along(surface, left, right)
        ends = (errors[0] + errors[-1]) / 2
        expected = errors.max() - ends
        if abs(found - expected) <= 0.01 * np.ptp(errors):
            continue
        middle = surface((left + right) / 2)
        slips = [
            (errors.max(), "the mean error of the two ends is not subtracted"),
            (middle - ends, "you look at the midpoint only; the highest point can be elsewhere"),
            (middle, "you return the error at the midpoint; the barrier is the largest error minus "
             "the mean of the ends"),
            (errors.max() - min(errors[0], errors[-1]), "you subtract the better end; subtract "
             "the mean of both"),
            (errors.max() - max(errors[0], errors[-1]), "you subtract the worse end; subtract the "
             "mean of both"),
            (errors.max() - errors[0], "you subtract the first end only; subtract the mean of "
             "both"),
            (errors.mean() - ends, "you average along the line; the barrier is its highest point"),
            (ends - errors.max(), "the sign is reversed"),
            (errors.min() - ends, "you found the lowest point"),
            (errors.max() - errors.min(), "you subtract the lowest point of the line; subtract the "
             "mean of the two ends"),
        ]  # fmt: skip
        for value, reason in slips:
            if abs(found - value) <= 0.005 * np.ptp(errors):
                raise Wrong(f"for {name}: {reason}.")
        along = right - left
        shares = [(point - left) @ along / (along @ along) for point in error.points]
        if shares and (min(shares) < -1e-9 or max(shares) > 1 + 1e-9):
            raise Wrong(f"for {name}: you leave the line between the two; λ runs from 0 to 1.")
        few = f" You measured {len(shares)} points; take 21 or more." if len(shares) < 15 else ""
        raise Wrong(
            f"for {name} you return {found:.4f}, a fine grid gives {expected:.4f}.{few} It is the "
            "largest error on the line minus the mean of the errors at its ends."
        )
    return "agrees with a grid of 20,001 points, also where the ridge is not in the middle."
