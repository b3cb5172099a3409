"""Lottery tickets on the digits, with six times the chapter's training: what a deadline hides.

The chapter trains for 1,000 iterations. Very sparse networks are not finished by then, so its
accuracies mix how well an arm learns with how fast. Here every compared network trains for 6,000
iterations, and the trainings between two prunings take 2,000. It runs once, with the chapter's own
definitions, in a few minutes, and its result file is committed:

    python -m tools.lottery_tickets_longer
"""

import functools
import json
import time

import jax
import numpy as np

import tutorlib as tl
from tools.chapters import ROOT
from tools.definitions import definitions, fingerprint, provenance

TARGET = ROOT / "src" / "tutorlib" / "results" / "lottery-tickets-longer.json"
WIDTHS = (64, 300, 100, 10)
ITERATIONS, BETWEEN, BATCH_SIZE, LEARNING_RATE, RECORD_EVERY = 6_000, 2_000, 60, 1.2e-3, 50
SEEDS = range(5)
SPARSE = 20  # rounds of 20 / 20 / 10 %: 1.4 % of the weights are left
MODERATE = (4, 6)  # 41 and 27 %


class Lottery:
    """Trainings of all seeds, on the chapter's definitions."""

    def __init__(self):
        self.chapter = definitions("lottery-tickets")
        self.data = jax.device_put(self.chapter.digits_data())

    def starts(self, draw):
        draw_one = jax.jit(self.chapter.initial_params, static_argnums=1)
        keys = [jax.random.fold_in(jax.random.key(seed), draw) for seed in SEEDS]
        return [jax.tree.map(np.asarray, draw_one(key, WIDTHS)) for key in keys]

    def train(self, starts, masks, draw, iterations):
        """One training for each seed: (list of params, {curve: (seeds, records)})."""
        images = len(self.data["train"][1])
        orders = [
            self.chapter.shuffled_batches(
                np.random.default_rng([seed, draw]), images, BATCH_SIZE, iterations
            )
            for seed in SEEDS
        ]
        runs = list(zip(starts, masks, orders, strict=True))
        params, curves = zip(*tl.map_runs(self._train_one, runs, self.data), strict=True)
        return params, {name: np.stack([c[name] for c in curves]) for name in curves[0]}

    @functools.cached_property
    def _train_one(self):
        return functools.partial(
            self._train, train=self.chapter.train, rate=np.float32(LEARNING_RATE)
        )

    @staticmethod
    def _train(params, mask, order, data, *, train, rate):
        return train(params, mask, order, data, rate, RECORD_EVERY)

    def prune(self, params, masks, rounds):
        rates = self.chapter.compounded(rounds)
        return [
            self.chapter.prune_network(p, mask, rates)
            for p, mask in zip(params, masks, strict=True)
        ]

    def chain(self, starts, rounds, steps):
        """Masks by iterative pruning in equal steps: {round: masks}; round 0 is the full mask."""
        masks = {0: [self.chapter.full_mask(start) for start in starts]}
        for number in range(0, rounds, rounds // steps):
            params, _ = self.train(starts, masks[number], number, BETWEEN)
            after = number + rounds // steps
            masks[after] = self.prune(params, masks[number], rounds // steps)
            print(f"masks of round {after} in {steps} steps", flush=True)
        return masks


def arms(lottery):
    """(arm, round, starts, masks) of every compared training."""
    chapter, starts = lottery.chapter, lottery.starts(0)
    masks = lottery.chain(starts, SPARSE, 10)
    yield "ticket", 0, starts, masks[0]
    for number in (*MODERATE, SPARSE):
        new = lottery.starts(100 + number)
        yield "ticket", number, starts, masks[number]
        yield "reinit", number, new, masks[number]
    scattered = [
        chapter.random_mask_like(mask, np.random.default_rng([seed, SPARSE]))
        for seed, mask in zip(SEEDS, masks[SPARSE], strict=True)
    ]
    yield "random", SPARSE, new, scattered
    signs = [chapter.with_signs_of(a, b) for a, b in zip(new, starts, strict=True)]
    yield "same signs", SPARSE, signs, masks[SPARSE]
    for steps in (1, 2, 5):
        found = lottery.chain(starts, SPARSE, steps)[SPARSE]
        yield ("one-shot" if steps == 1 else f"{steps} rounds"), SPARSE, starts, found


def main():
    tl.setup()
    started = time.monotonic()
    made = provenance(
        __file__,
        definitions=fingerprint("lottery-tickets", "recipe"),
        tag="recipe",
        preset="laptop, trained longer",
        setting=f"digits, {ITERATIONS} iterations ({BETWEEN} between prunings), batch "
        f"{BATCH_SIZE}, Adam {LEARNING_RATE}, {len(SEEDS)} seeds, measured every {RECORD_EVERY}",
        record_every=RECORD_EVERY,
    )
    lottery = Lottery()
    rows = []
    for arm, number, starts, masks in arms(lottery):
        _, curves = lottery.train(starts, masks, number, ITERATIONS)
        left = float(np.mean([lottery.chapter.weights_left(mask) for mask in masks]))
        stop = lottery.chapter.early_stop(curves["validation_loss"], RECORD_EVERY)
        row = {"arm": arm, "round": number, "weights_left": left, "early_stop": stop.tolist()}
        # (seeds, records); record i was taken after (i + 1) * record_every iterations.
        curves = {name: curve.astype(float).round(4).tolist() for name, curve in curves.items()}
        rows.append(row | curves)
        print(arm, number, stop.tolist(), flush=True)
    made["seconds"] = round(time.monotonic() - started)
    text = json.dumps({"provenance": made, "results": rows}) + "\n"
    part = TARGET.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(TARGET)
    print(f"wrote {TARGET.relative_to(ROOT)}: {len(rows)} rows, {len(text):,} bytes")


if __name__ == "__main__":
    main()
