"""LeNet-300-100 on MNIST: the lottery ticket experiment on the paper's own network and data.

Frankle and Carbin 2019, figures 1, 3 and 4: iterative magnitude pruning (20 % of the survivors of
each layer a round, 10 % in the last), and at 14 of its 20 levels the same masks with new initial
weights and random masks of the same density. Adam 1.2e-3, batches of 60, Glorot-normal weights,
as in the paper. Two things are smaller: a training takes 15,000 iterations instead of 50,000, and
validation and test are measured every 250 of them instead of every 100. It runs once, with the
chapter's own definitions, and its result file is committed:

    python -m tools.lottery_tickets_mnist             # all that is missing, then the result file
    python -m tools.lottery_tickets_mnist --collect   # the result file from what is finished

A stopped run continues where it was, with the same numbers: each training is kept, once finished,
in `_build/lottery-tickets-mnist/`, in a folder named after the definitions that made it. Rows that
the result file has from the same definitions are not computed again, but for the tickets whose
masks are no longer in that folder; those have to repeat the file's numbers, or the run stops.
"""

import json
import sys
import time
from collections import defaultdict

import jax
import numpy as np

import tutorlib as tl
from tools.chapters import ROOT
from tools.definitions import definitions, fingerprint, provenance

TARGET = ROOT / "src" / "tutorlib" / "results" / "lottery-tickets-paper.json"
PARTS = ROOT / "_build" / "lottery-tickets-mnist"
WIDTHS = (784, 300, 100, 10)
ITERATIONS, BATCH_SIZE, LEARNING_RATE, RECORD_EVERY = 15_000, 60, 1.2e-3, 250
SEEDS = (0, 1, 2)
ROUNDS = 20
CONTROL_ROUNDS = (1, 3, 5, 6, 7, 8, 9, 10, 11, 13, 15, 16, 18, 20)
ONE_SHOT_ROUNDS = (5, 7, 9, 11, 13, 16)


def plan():
    """(arm, round, seed) of every training, in an order in which each one finds what it needs."""
    for number in range(ROUNDS + 1):
        arms = ["ticket"]
        arms += ["reinit", "random"] if number in CONTROL_ROUNDS else []
        arms += ["one-shot"] if number in ONE_SHOT_ROUNDS else []
        yield from ((arm, number, seed) for arm in arms for seed in SEEDS)


def part_path(made_by, arm, number, seed):
    return PARTS / made_by / f"{arm}-{number:02d}-seed{seed}.npz"


def store(path, **arrays):
    """Write arrays in one step, so that a killed run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    part.replace(path)


def load_mask(path):
    with np.load(path) as content:
        return [content[f"mask{i}"] for i in range(len(WIDTHS) - 1)]


class Lottery:
    """The trainings, on the chapter's definitions."""

    def __init__(self, made_by):
        self.made_by = made_by
        self.chapter = definitions("lottery-tickets")
        self.data = jax.device_put(self.chapter.mnist_data())
        self.initial_params = jax.jit(self.chapter.initial_params, static_argnums=1)
        self.train = jax.jit(self.chapter.train, static_argnames="record_every")

    def start(self, arm, number, seed):
        """Initial weights: the seed's own, or for a control new ones at each round."""
        key = jax.random.key(seed)
        if arm in ("reinit", "random"):
            key = jax.random.fold_in(key, 1 + number)
        return self.initial_params(key, WIDTHS)

    def mask(self, arm, number, seed):
        """The mask under which a training runs."""
        if arm == "ticket":
            if number == 0:
                return [np.ones(shape, bool) for shape in zip(WIDTHS, WIDTHS[1:], strict=False)]
            return load_mask(part_path(self.made_by, "next", number, seed))
        if arm == "reinit":
            return self.mask("ticket", number, seed)
        if arm == "random":
            rng = np.random.default_rng([seed, number])
            return self.chapter.random_mask_like(self.mask("ticket", number, seed), rng)
        dense = load_params(part_path(self.made_by, "dense", 0, seed))
        kept = [1 - (1 - rate) ** number for rate in self.chapter.RATES]
        return self.chapter.prune_network(dense, self.mask("ticket", 0, seed), kept)

    def run(self, arm, number, seed):
        """One training; stores its curves, and for a ticket the mask of the next round."""
        mask = self.mask(arm, number, seed)
        rng = np.random.default_rng([seed, number, 1])  # all arms see the images in one order
        images = len(self.data["train"][1])
        order = self.chapter.shuffled_batches(rng, images, BATCH_SIZE, ITERATIONS)
        started = time.process_time()
        params, curves = jax.block_until_ready(
            self.train(self.start(arm, number, seed), mask, order, self.data, LEARNING_RATE,
                       record_every=RECORD_EVERY)
        )  # fmt: skip
        seconds = time.process_time() - started
        if arm == "ticket":
            after = self.chapter.prune_network(params, mask)
            after = {f"mask{i}": keep for i, keep in enumerate(after)}
            store(part_path(self.made_by, "next", number + 1, seed), **after)
            if number == 0:
                weights = {f"weight{i}": layer["weight"] for i, layer in enumerate(params)}
                store(part_path(self.made_by, "dense", 0, seed), **weights)
        store(
            part_path(self.made_by, arm, number, seed),
            seconds=seconds,
            weights_left=self.chapter.weights_left(mask),
            **curves,
        )


def load_params(path):
    with np.load(path) as content:
        return [{"weight": content[f"weight{i}"]} for i in range(len(WIDTHS) - 1)]


def committed(made_by):
    """The file's seconds, and its rows by (arm, round); none if other definitions made them."""
    if not TARGET.exists():
        return 0, {}
    content = json.loads(TARGET.read_text("utf-8"))
    if content["provenance"]["definitions"] != made_by:
        return 0, {}
    rows = {(row["arm"], row["round"]): row for row in content["results"]}
    return content["provenance"]["seconds"], rows


def table_row(arm, number, runs, early_stop):
    """One row of the result file from the trainings of its seeds; their records (seeds, records).

    Record i was taken after (i + 1) * RECORD_EVERY iterations.
    """
    curves = {name: np.stack([run[name] for run in runs]).astype(float)
              for name in ("validation_loss", "test_accuracy")}  # fmt: skip
    row = {"arm": arm, "round": number, "weights_left": float(runs[0]["weights_left"])}
    row["early_stop"] = early_stop(curves["validation_loss"], RECORD_EVERY).tolist()
    return row | {name: curve.round(4).tolist() for name, curve in curves.items()}


def check_repeats(row, run, seed):
    """Raise ValueError when a training that was done again gave other curves than the file's."""
    for name in ("validation_loss", "test_accuracy"):
        off = np.abs(run[name].astype(float).round(4) - row[name][SEEDS.index(seed)]).max()
        if off > 0:
            raise ValueError(
                f"{row['arm']} {row['round']} seed {seed}: {name} is up to {off:.4f} away from "
                f"{TARGET.name}; on another processor, delete that file and compute all of it"
            )


def collect(made_by, early_stop):
    """Write the result file: the rows it has, and one for each arm and round finished since."""
    seconds, rows = committed(made_by)
    found = defaultdict(dict)
    for arm, number, seed in plan():
        path = part_path(made_by, arm, number, seed)
        if path.exists():
            with np.load(path) as content:
                found[arm, number][seed] = dict(content)
    for (arm, number), by_seed in found.items():
        if (arm, number) in rows:
            for seed, run in by_seed.items():
                check_repeats(rows[arm, number], run, seed)
        elif set(by_seed) == set(SEEDS):  # else another average than its neighbours'
            runs = [by_seed[seed] for seed in SEEDS]
            seconds += sum(float(run["seconds"]) for run in runs)
            rows[arm, number] = table_row(arm, number, runs, early_stop)
    order = list(dict.fromkeys((arm, number) for arm, number, _ in plan()))
    made = provenance(
        __file__,
        definitions=made_by,
        tag="recipe",
        preset="paper",
        seconds=round(seconds),
        setting=f"{ITERATIONS} iterations, batch {BATCH_SIZE}, Adam {LEARNING_RATE}, "
        f"{len(SEEDS)} seeds, measured every {RECORD_EVERY}; "
        f"{len(rows)} of {len(order)} rows finished",
        record_every=RECORD_EVERY,
    )
    part = TARGET.with_suffix(".part")
    results = [rows[key] for key in order if key in rows]
    part.write_text(json.dumps({"provenance": made, "results": results}) + "\n", "utf-8")
    part.replace(TARGET)
    print(f"wrote {TARGET.relative_to(ROOT)}: {len(rows)} of {len(order)} rows")


def main(collect_only):
    tl.setup()
    made_by = fingerprint("lottery-tickets", "recipe")
    if not collect_only:
        lottery = Lottery(made_by)
        _, rows = committed(made_by)
        # A finished row is needed again only where it leads to the next mask.
        todo = [run for run in plan() if run[0] == "ticket" or run[:2] not in rows]
        todo.sort(key=lambda run: run[0] == "one-shot")  # last: nothing waits for them
        for done, (arm, number, seed) in enumerate(todo, start=1):
            path = part_path(made_by, arm, number, seed)
            if not path.exists():
                lottery.run(arm, number, seed)
                print(f"{done}/{len(todo)} {arm} {number} seed {seed}", flush=True)
            if (arm, number) in rows:
                with np.load(path) as run:
                    check_repeats(rows[arm, number], run, seed)
    collect(made_by, definitions("lottery-tickets").early_stop)


if __name__ == "__main__":
    main("--collect" in sys.argv[1:])
