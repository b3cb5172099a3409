"""`map_runs`: the same as calling the function run by run."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tutorlib as tl
from tutorlib.stores import Store


def weigh(tree, factor, shared):
    return {"sum": (tree["a"] * factor).sum() + shared.sum(), "last": tree["a"][-1]}


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_results_are_those_of_single_calls(count):
    rng = np.random.default_rng(count)
    runs = [({"a": rng.normal(size=4).astype(np.float32)}, np.float32(i)) for i in range(count)]
    shared = jnp.arange(3.0)
    found = tl.map_runs(weigh, runs, shared)
    assert len(found) == count
    for run, result in zip(runs, found, strict=True):
        expected = weigh(*run, shared)
        np.testing.assert_allclose(result["sum"], expected["sum"], rtol=1e-5)
        assert result["last"] == expected["last"]


def test_bad_runs_are_refused():
    with pytest.raises(ValueError, match="runs is empty"):
        tl.map_runs(weigh, [], jnp.zeros(1))
    runs = [({"a": np.zeros(size, np.float32)}, np.float32(1)) for size in (3, 4)]
    with pytest.raises(ValueError, match="runs differ in structure or shape"):
        tl.map_runs(weigh, runs, jnp.zeros(1))


@pytest.mark.parametrize(
    ("number", "message"),
    [(2**40, "runs holds 1099511627776, which does not fit int32"), (1e308, "not fit float32")],
)
def test_numbers_that_do_not_fit_are_refused(number, message):
    with pytest.raises(ValueError, match=message):
        tl.map_runs(lambda x: x + 1, [(number,)])


# --- runs that are kept --------------------------------------------------------------------------

SHARED = jnp.arange(3.0)


def some_runs(count=7, factor=1.0):
    rng = np.random.default_rng(0)
    draws = [{"a": rng.normal(size=4).astype(np.float32)} for _ in range(count)]
    return [(draw, np.float32(factor * i)) for i, draw in enumerate(draws)]


def saved(folder):
    return sorted(path.parent.name + path.stem for path in folder.glob("*/tile-*.npz"))


@pytest.fixture
def saves(monkeypatch):
    """The numbers of the runs that are computed and kept, as they happen."""
    numbers, save = [], Store.save

    def save_and_tell(self, number, result):
        save(self, number, result)
        numbers.append(number)

    monkeypatch.setattr(Store, "save", save_and_tell)
    return numbers


def test_a_stopped_call_goes_on_to_the_same_bits(tmp_path, saves, monkeypatch):
    whole = tl.map_runs(weigh, some_runs(), SHARED)
    keep = Store.save

    def stop_after_three(self, number, result):
        if len(saves) == 3:
            raise KeyboardInterrupt
        keep(self, number, result)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "save", stop_after_three)
        with pytest.raises(KeyboardInterrupt):
            tl.map_runs(weigh, some_runs(), SHARED, store=tmp_path)
    assert saves == [0, 1, 2]
    found = tl.map_runs(weigh, some_runs(), SHARED, store=tmp_path)
    assert saves == list(range(7))
    jax.tree.map(np.testing.assert_array_equal, found, whole)
    again = tl.map_runs(weigh, some_runs(), SHARED, store=tmp_path)
    assert saves == list(range(7))  # nothing was computed again
    jax.tree.map(np.testing.assert_array_equal, again, whole)


def heavier(tree, factor, shared):
    return jax.tree.map(lambda leaf: leaf + 1, weigh(tree, factor, shared))


@pytest.mark.parametrize(
    ("function", "runs", "shared"),
    [
        (heavier, some_runs(), SHARED),
        (weigh, some_runs(factor=2.0), SHARED),
        (weigh, some_runs(6), SHARED),
        (weigh, some_runs(), SHARED + 1),
    ],
    ids=["another function", "other runs", "fewer runs", "other data"],
)
def test_another_call_starts_anew(tmp_path, function, runs, shared):
    tl.map_runs(weigh, some_runs(), SHARED, store=tmp_path)
    before = saved(tmp_path)
    found = tl.map_runs(function, runs, shared, store=tmp_path)
    assert set(before) < set(saved(tmp_path))
    expected = tl.map_runs(function, runs, shared)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_what_a_function_has_closed_over_counts(tmp_path):
    table = np.arange(5000, dtype=np.float32)
    look_up = lambda table, place: jnp.asarray(table)[place]  # noqa: E731
    first = functools.partial(look_up, table)
    other = functools.partial(look_up, np.where(table == 4321, -1, table))
    assert tl.map_runs(first, [(4321,)], store=tmp_path) == [4321]
    assert tl.map_runs(other, [(4321,)], store=tmp_path) == [-1]


def test_a_damaged_run_is_named(tmp_path):
    tl.map_runs(weigh, some_runs(), SHARED, store=tmp_path)
    next(tmp_path.glob("*/tile-000004.npz")).write_bytes(b"half a ru")
    with pytest.raises(ValueError, match="tile-000004.npz is damaged"):
        tl.map_runs(weigh, some_runs(), SHARED, store=tmp_path)
