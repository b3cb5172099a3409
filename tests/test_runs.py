"""`map_runs`: the same as calling the function run by run."""

import jax.numpy as jnp
import numpy as np
import pytest

import tutorlib as tl


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
