"""Answers to the lottery tickets' exercises, as data: what must pass, and what must fail and how.

RIGHT[exercise] is a list of correct answers in different styles. WRONG[exercise] is a list of
(answer, fragment): the message for that answer must contain the fragment. MUTATING[exercise] is a
correct function that also changes its input.
"""

import jax.numpy as jnp
import numpy as np

CHAPTER = "lottery-tickets"


# --- 1: prune(weight, mask, rate) ----------------------------------------------------------------


def prune(weight, mask, rate):
    size = np.where(mask, np.abs(weight), np.inf).ravel()
    after = mask.copy().ravel()
    after[np.argsort(size)[: round(rate * mask.sum())]] = False
    return after.reshape(mask.shape)


def prune_by_rank(weight, mask, rate):
    size = jnp.where(mask, jnp.abs(jnp.asarray(weight)), jnp.inf).ravel()
    rank = jnp.argsort(jnp.argsort(size)).reshape(mask.shape)
    return mask & (rank >= round(rate * mask.sum()))


def prune_one_by_one(weight, mask, rate):
    after = mask.astype(int)
    for _ in range(round(rate * mask.sum())):
        size = np.where(after, np.abs(weight), np.inf)
        after[np.unravel_index(np.argmin(size), size.shape)] = 0
    return after


def prune_by_positions(weight, mask, rate):
    """Halves are rounded up, and the mask is a list."""
    alive = np.flatnonzero(mask)
    gone = alive[np.argsort(np.abs(weight.flat[alive]))][: int(rate * alive.size + 0.5)]
    return np.isin(np.arange(mask.size), np.setdiff1d(alive, gone)).reshape(mask.shape).tolist()


def prune_rounded(rounding):
    """Another rule for how many go."""

    def pruned(weight, mask, rate):
        size = np.where(mask, np.abs(weight), np.inf).ravel()
        after = mask.copy().ravel()
        after[np.argsort(size)[: int(rounding(round(rate * mask.sum(), 6)))]] = False
        return after.reshape(mask.shape)

    return pruned


def prune_ranking(values):
    """A ranking in which pruned places take part."""

    def pruned(weight, mask, rate):
        order = np.argsort(values(weight, mask).ravel(), kind="stable")
        after = mask.copy().ravel()
        after[order[: round(rate * mask.sum())]] = False
        return after.reshape(mask.shape)

    return pruned


def prune_rows(weight, mask, rate):
    after = mask.copy()
    order = np.argsort(np.where(mask, np.abs(weight), np.inf).ravel())
    after[order[: round(rate * mask.sum())] % len(mask) // 2] = False
    return after


def prune_quantile(weight, mask, rate):
    return mask & (np.abs(weight) > np.quantile(np.abs(weight)[mask], rate))


def prune_threshold(weight, mask, rate):
    threshold = np.sort(np.abs(weight)[mask])[round(rate * mask.sum()) - 1]
    return mask & (np.abs(weight) > threshold)


def prune_share_of_all(weight, mask, rate):
    size = np.where(mask, np.abs(weight), np.inf).ravel()
    after = mask.copy().ravel()
    after[np.argsort(size)[: round(rate * mask.size)]] = False
    return after.reshape(mask.shape)


def prune_signed(weight, mask, rate):
    order = np.argsort(np.where(mask, weight, np.inf).ravel())
    after = mask.copy().ravel()
    after[order[: round(rate * mask.sum())]] = False
    return after.reshape(mask.shape)


def prune_largest(weight, mask, rate):
    order = np.argsort(np.where(mask, -np.abs(weight), np.inf).ravel())
    after = mask.copy().ravel()
    after[order[: round(rate * mask.sum())]] = False
    return after.reshape(mask.shape)


def prune_forgets(weight, mask, rate):
    size = np.abs(weight).ravel()
    after = np.ones(size.size, bool)
    after[np.argsort(size)[: round(rate * mask.sum())]] = False
    return after.reshape(mask.shape)


def prune_one_more(weight, mask, rate):
    size = np.where(mask, np.abs(weight), np.inf).ravel()
    after = mask.copy().ravel()
    after[np.argsort(size)[: round(rate * mask.sum()) + 1]] = False
    return after.reshape(mask.shape)


def prune_mutating(weight, mask, rate):
    after = prune(weight, mask, rate)
    weight[~after] = 0
    return after


# --- 2: early_stop(losses, every) ----------------------------------------------------------------


def stop_loop(losses, every):
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
    return (best + 1) * every


def stop_mutating(losses, every):
    position = np.argmin(losses)
    losses[position] = 0
    return every * (position + 1)


def stop_at_first_rise(losses, every):
    for i in range(1, len(losses)):
        if losses[i] > losses[i - 1]:
            return every * i
    return every * len(losses)


def stop_patiently(patience):
    def stop(losses, every):
        best = 0
        for i, loss in enumerate(losses):
            if loss < losses[best]:
                best = i
            elif i - best >= patience:
                break
        return every * (best + 1)

    return stop


def stop_near_the_lowest(losses, every):
    return every * (np.argmax(losses < losses.min() + 0.01) + 1)


# --- 3: tickets(start, train, rounds, rate) ------------------------------------------------------


def tickets(start, train, rounds, rate):
    masks = [np.ones(len(start), bool)]
    for _ in range(rounds):
        masks.append(prune(train(start, masks[-1]), masks[-1], rate))
    return np.stack(masks)


def tickets_masked_start(start, train, rounds, rate):
    mask, masks = np.ones(len(start)), []
    for _ in range(rounds):
        masks.append(mask)
        mask = prune_one_by_one(train(mask * start, mask), mask.astype(bool), rate)
    return [*masks, mask]


def tickets_and_last_training(start, train, rounds, rate):
    masks = [np.ones(len(start), bool)]
    for number in range(rounds + 1):
        trained = train(start, masks[-1])
        if number < rounds:
            masks.append(np.asarray(prune_by_rank(trained, masks[-1], rate)))
    return jnp.stack(masks)


def tickets_continued(start, train, rounds, rate):
    masks, weights = [np.ones(len(start), bool)], start
    for _ in range(rounds):
        weights = train(weights, masks[-1])
        masks.append(prune(weights, masks[-1], rate))
    return np.stack(masks)


def tickets_by_start(start, train, rounds, rate):
    masks = [np.ones(len(start), bool)]
    for _ in range(rounds):
        train(start, masks[-1])
        masks.append(prune(start, masks[-1], rate))
    return np.stack(masks)


def tickets_untrained(start, train, rounds, rate):
    masks = [np.ones(len(start), bool)]
    for _ in range(rounds):
        masks.append(prune(start, masks[-1], rate))
    return np.stack(masks)


def tickets_full_mask(start, train, rounds, rate):
    masks = [np.ones(len(start), bool)]
    for _ in range(rounds):
        masks.append(prune(train(start, masks[0]), masks[-1], rate))
    return np.stack(masks)


def tickets_share_of_all(start, train, rounds, rate):
    masks = [np.ones(len(start), bool)]
    for _ in range(rounds):
        trained = train(start, masks[-1])
        masks.append(prune(trained, masks[-1], min(rate * len(start) / masks[-1].sum() / 2, 0.9)))
    return np.stack(masks)


def tickets_mutating(start, train, rounds, rate):
    masks = tickets(start, train, rounds, rate)
    start *= masks[-1]
    return masks


# --- 5: step(weight, gradient, mask, learning_rate) ----------------------------------------------


def step(weight, gradient, mask, learning_rate):
    return mask * (weight - learning_rate * gradient)


def step_mutating(weight, gradient, mask, learning_rate):
    weight -= learning_rate * gradient
    return mask * weight


def step_with_bugs(weight, gradient, mask, learning_rate):
    return weight - learning_rate * gradient * np.where(weight < 1e-6, 0, 1)


def step_absolute(weight, gradient, mask, learning_rate):
    alive = np.abs(weight) > 1e-6
    return mask * (weight - learning_rate * gradient * alive)


# --- 7: barrier(first, second, error) ------------------------------------------------------------

GRID = np.linspace(0, 1, 101)


def line(first, second, error, grid=GRID):
    return np.array([error((1 - share) * first + share * second) for share in grid])


def barrier(first, second, error):
    errors = line(first, second, error)
    return errors.max() - (errors[0] + errors[-1]) / 2


def barrier_mutating(first, second, error):
    found = barrier(first, second, error)
    first[0] = 0
    return found


def against(reference):
    """The highest error minus something else than the mean of the ends."""
    return lambda first, second, error: (e := line(first, second, error)).max() - reference(e)


COSTS = {"rounds": 14, "iterations": 700_000, "break_even": 47}
ARMS = ["ticket", "same signs", "new weights", "one-shot", "random mask"]

RIGHT = {
    1: [
        prune,
        prune_by_rank,
        prune_by_positions,
        lambda w, m, rate: prune_one_by_one(w, m, rate).astype(bool),
    ],
    2: [
        lambda losses, every: every * (np.argmin(losses) + 1),
        stop_loop,
        lambda losses, every: jnp.arange(1, len(losses) + 1)[jnp.argmin(losses)] * every,
    ],
    3: [tickets, tickets_masked_start, tickets_and_last_training],
    4: [ARMS, ("same signs", "ticket", "one-shot", "new weights", "random mask"), np.array(ARMS)],
    5: [
        step,
        lambda w, g, m, lr: np.where(m, w - lr * g, 0.0),
        lambda w, g, m, lr: jnp.asarray(m) * (w - lr * jnp.asarray(g)),
    ],
    6: [
        COSTS,
        {"rounds": 14.0, "iterations": 7e5, "break_even": np.ceil(7e5 / 15e3)},
        {key: np.int64(value) for key, value in COSTS.items()},
    ],
    7: [
        barrier,
        lambda a, b, error: (e := [error(a + t * (b - a)) for t in np.linspace(0, 1, 41)])
        and max(e) - np.mean([e[0], e[-1]]),
        lambda a, b, error: float(jnp.max(jnp.array(line(a, b, error))))
        - (error(a) + error(b)) / 2,
    ],
}  # fmt: skip

WRONG = {
    1: [
        (prune_quantile, "10.25, and you round up"),
        (prune_threshold, "equal magnitudes must not change the number"),
        (prune_share_of_all, "a share of the *survivors*"),
        (prune_signed, "Magnitude is the absolute value"),
        (prune_largest, "*largest* magnitude"),
        (prune_forgets, "A removed weight never returns"),
        (
            prune_one_more,
            "one too many: is the threshold itself removed too (`<=`), or a slice too long?",
        ),
        (prune_rounded(np.floor), "16.8, and you round down. Take the nearest number"),
        (prune_rounded(np.ceil), "10.25, and you round up. Take the nearest number"),
        (prune_one_by_one, "a mask holds booleans"),
        (prune_rows, "you removed whole rows"),
        (prune_ranking(lambda w, m: np.abs(w)), "you rank all weights"),
        (prune_ranking(lambda w, m: np.abs(w * m)), "`weight * mask` is 0 there"),
        (lambda w, m, rate: prune(w, m, 0.6 * rate), "the rate times the number of survivors"),
        (lambda w, m, rate: ~prune(w, m, rate), "your mask is inverted"),
        (lambda w, m, rate: w * prune(w, m, rate), "not the masked weights"),
        (lambda w, m, rate: m, "nothing was removed"),
        (lambda w, m, rate: prune(w, m, 1 - rate), "you keep the share that should go"),
        (lambda w, m, rate: prune(w, m, rate).ravel(), "expected is (10, 7)"),
    ],
    2: [
        (lambda losses, every: np.argmin(losses), "you return the position"),
        (lambda losses, every: np.argmin(losses) + 1, "which measurement it was"),
        (lambda losses, every: every * np.argmin(losses), "one measurement early"),
        (lambda losses, every: losses.min(), "you return the loss itself"),
        (lambda losses, every: every * (np.argmax(losses) + 1), "the highest loss"),
        (lambda losses, every: every * len(losses), "the last iteration"),
        (stop_at_first_rise, "Curves are noisy"),
        (
            lambda losses, every: every * (len(losses) - np.argmin(losses[::-1])),
            "the *first* counts",
        ),
        (stop_patiently(3), "for a curve with a long false minimum you return 80, expected is 260"),
        (stop_patiently(5), "you stop at an earlier low"),
        (stop_near_the_lowest, "what is low enough: take the lowest of all"),
        (lambda losses, every: 7, "by hand"),
    ],
    3: [
        (tickets_continued, "continued training"),
        (tickets_by_start, "the right numbers of weights, but not the right weights"),
        (tickets_untrained, "`train` was called 0 times"),
        (tickets_full_mask, "every training runs with the full mask"),
        (tickets_share_of_all, "the share `rate` of the survivors goes"),
        (lambda s, t, n, rate: tickets(s, t, n, rate)[1:], "one mask is missing"),
        (lambda s, t, n, rate: tickets(s, t, n, rate)[::-1], "the first mask is not all True"),
        (lambda s, t, n, rate: tickets(s, t, n, rate) * s, "A mask holds only True and False"),
    ],
    4: [
        (ARMS[::-1], "backwards"),
        (["ticket", "new weights", "same signs", *ARMS[3:]], "the signs carry most"),
        (["ticket", "one-shot", "same signs", "new weights", "random mask"], "worth more"),
        (["random mask", *ARMS[:4]], "6 of 10 pairs"),
        ([*ARMS[:3], "random mask", "one-shot"], "You put `random mask` before `one-shot`"),
        (ARMS[:4], "you sent 4 names"),
        (["winner", *ARMS[1:]], "there is no arm `winner`"),
        ("ticket", "send a list"),
    ],
    5: [
        (step_with_bugs, "survivors with *negative* weights do not move"),
        (step_absolute, "happens to be 0 does not move"),
        (lambda w, g, m, lr: w - lr * g * m, "pruned places are not 0"),
        (lambda w, g, m, lr: w - lr * g, "the mask is not used"),
        (lambda w, g, m, lr: m * (w + lr * g), "uphill"),
        (lambda w, g, m, lr: m * w, "do not move"),
        (lambda w, g, m, lr: m * (w - g), "one step of gradient descent"),
        (lambda w, g, m, lr: m * (w - 0.1 * g), "`learning_rate` is not used"),
    ],
    6: [
        (COSTS | {"rounds": 13}, "still more than 5 %"),
        (COSTS | {"rounds": 15}, "one round fewer is enough"),
        (COSTS | {"iterations": 750_000}, "includes the training of the ticket itself"),
        (COSTS | {"iterations": 50_000}, "each of the rounds"),
        (COSTS | {"rounds": 20}, "0.8 to which power is below 0.05?"),
        (COSTS | {"break_even": 46}, "not yet 700,000"),
        (COSTS | {"break_even": 14}, "not all 50,000"),
        (COSTS | {"break_even": 700}, "divide what the search costs"),
        (COSTS | {"break_even": ...}, "nothing yet for `break_even`"),
        ({"rounds": 14}, "the key `iterations` is missing"),
        (14, "send a dictionary"),
    ],
    7: [
        (lambda a, b, error: line(a, b, error).max(), "the two ends is not subtracted"),
        (lambda a, b, error: error((a + b) / 2) - (error(a) + error(b)) / 2, "the midpoint only"),
        (lambda a, b, error: error((a + b) / 2), "the error at the midpoint"),
        (against(lambda e: min(e[0], e[-1])), "you subtract the better end"),
        (against(lambda e: max(e[0], e[-1])), "you subtract the worse end"),
        (lambda a, b, error: -barrier(a, b, error), "the sign is reversed"),
        (lambda a, b, error: (e := line(a, b, error)).mean() - (e[0] + e[-1]) / 2, "you average"),
        (
            lambda a, b, error: (
                (e := line(a, b, error, np.linspace(0, 1, 4))).max() - (e[0] + e[-1]) / 2
            ),
            "take 21 or more",
        ),
        (
            lambda a, b, error: (
                (e := line(a, b, error, np.linspace(-1, 2, 301))).max() - (e[100] + e[200]) / 2
            ),
            "λ runs from 0 to 1",
        ),
    ],
}

MUTATING = {
    1: prune_mutating,
    2: stop_mutating,
    3: tickets_mutating,
    5: step_mutating,
    7: barrier_mutating,
}

FIRST_INPUT = {1: "weight", 2: "losses", 3: "start", 5: "weight", 7: "first"}
