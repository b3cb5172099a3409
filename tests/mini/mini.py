# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   papers_in_motion:
#     claim: Averages of coin flips settle down.
#     download: none
#     paper:
#       authors: J. Bernoulli
#       bibkey: bernoulli1713
#       title: Ars Conjectandi
#       url: https://doi.org/10.3931/e-rara-9001
#       year: 1713
#     prerequisites: none
# ---

# %% [markdown]
# # The smallest chapter
#
# It keeps the part of the contract that the planting tests damage: a record, a figure, a ledger.

# %% tags=["setup"]
import tutorlib as tl

tl.setup()

# %% tags=["config"]
import numpy as np

flips = tl.preset(smoke=100, laptop=1000, paper=10_000)

# %% [markdown]
# Five seeds flip a fair coin.


# %% tags=["definition"]
def share_of_heads(seed, count):
    """Running share of heads, shape (count,)."""
    heads = np.random.default_rng(seed).integers(0, 2, count)
    return heads.cumsum() / np.arange(1, count + 1)


# %%
runs = np.stack([share_of_heads(seed, flips) for seed in range(5)])

# %% tags=["hide-input"]
import plotly.graph_objects as go

tl.show(
    go.Figure([go.Scatter(y=run, name=f"seed {seed}") for seed, run in enumerate(runs)]),
    alt="Five lines, one per seed: the share of heads swings at first and settles near one half.",
    name="coin",
    predict={
        "question": "Where do they settle?",
        "options": ["near one half", "elsewhere"],
        "answer": int(abs(runs[:, -1].mean() - 0.5) > 0.1),
    },
)

# %% tags=["nbval-check-output"]
ledger = tl.Ledger("mini")
ledger.record("share", runs[:, -1], low=0.45, high=0.55)
ledger.record("seeds", len(runs), low=5, high=5, digits=0)

# %% tags=["hide-input"]
ledger.say("All {seeds} seeds end at {share:pm}, within 0.1 of one half." if abs(runs[:, -1] - 0.5).max() < 0.1 else "One strays.")

# %% tags=["nbval-check-output", "hide-input"]
ledger.claim(
    "C1",
    statement="The share tends to one half",
    paper="0.5",
    ran="five seeds",
    here="{share:pm}",
    reproduced=abs(runs[:, -1].mean() - 0.5) < 0.1,
)
ledger.table()
