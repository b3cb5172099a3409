"""The Fourier head: the chapter's definition cells alone, against independent references."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from tools.definitions import definitions


@pytest.fixture(scope="module")
def code():
    return definitions("fourier-head")


def random_a(seed, frequencies, dtype=np.complex64):
    rng = np.random.default_rng(seed)
    size = frequencies + 1
    return jnp.asarray(rng.normal(size=size) + 1j * rng.normal(size=size), dtype)


def pmf(code, outputs, bins=50):
    return jax.nn.softmax(code.fourier_log_pmf(outputs, bins))


# --- the density -----------------------------------------------------------------------------


@given(seed=st.integers(0, 10_000), frequencies=st.integers(1, 24))
@settings(max_examples=40, deadline=None)
def test_both_forms_agree_and_are_a_density(code, seed, frequencies):
    a = random_a(seed, frequencies)
    z = jnp.linspace(-1, 1, 401)
    closed = code.density(a, z)
    np.testing.assert_allclose(closed, code.density_from_autocorrelation(a, z), atol=2e-5)
    assert closed.min() >= 0


def test_the_density_integrates_to_one_by_quadrature(code):
    a = random_a(3, 9)
    total, _ = quad(lambda z: float(code.density(a, jnp.array([z]))[0]), -1, 1, epsabs=1e-6)
    assert total == pytest.approx(1, abs=1e-5)


def test_both_forms_agree_to_double_precision(code):
    with jax.enable_x64(True):
        a = random_a(5, 12, np.complex128)
        z = jnp.linspace(-1, 1, 401, dtype=jnp.float64)
        difference = code.density(a, z) - code.density_from_autocorrelation(a, z)
        assert jnp.abs(difference).max() < 1e-12


def test_autocorrelation_against_numpy(code):
    a = np.asarray(random_a(8, 7))
    # numpy.correlate gives sum_n a_{n+k} conj(v_n); ours has the conjugate on the later factor.
    expected = np.correlate(a, a, mode="full")[len(a) - 1 :].conj()
    np.testing.assert_allclose(code.autocorrelation(a), expected, rtol=1e-5)


def test_smallest_case_by_hand(code):
    z = jnp.linspace(-1, 1, 21)
    expected = (1 + jnp.cos(jnp.pi * z)) / 2
    np.testing.assert_allclose(code.density(jnp.ones(2) + 0j, z), expected, atol=1e-6)


def test_the_head_is_the_density_at_the_bin_centres(code):
    a = random_a(1, 12)
    outputs = jnp.concatenate([a.real, a.imag])
    values = code.density(a, code.bin_centres(50))
    np.testing.assert_allclose(
        jnp.exp(code.fourier_log_pmf(outputs, 50)), values / values.sum() + 1e-5, rtol=1e-4
    )


def test_the_plain_and_the_robust_form_agree(code):
    a = random_a(2, 9)
    robust = jnp.exp(code.fourier_log_pmf(jnp.concatenate([a.real, a.imag]), 40))
    np.testing.assert_allclose(robust - 1e-5, code.fourier_pmf(a, 40), atol=1e-6)


@pytest.mark.parametrize(("n", "bins"), [(1, 10), (12, 50), (24, 50)])
def test_no_bin_exceeds_the_bound_and_a_hill_reaches_it(code, n, bins):
    """No bin gets more than (N + 1) / m; equal moduli with phases that meet there attain it."""
    centre = float(code.bin_centres(bins)[3])
    hill = code.fourier_pmf(jnp.exp(1j * jnp.pi * jnp.arange(n + 1) * centre), bins)
    assert float(hill[3]) == pytest.approx((n + 1) / bins, rel=1e-4)
    for seed in range(5):
        assert code.fourier_pmf(random_a(seed, n), bins).max() <= (n + 1) / bins + 1e-6


def test_bin_centres(code):
    np.testing.assert_allclose(code.bin_centres(4), [-0.75, -0.25, 0.25, 0.75])


# --- hostile outputs ---------------------------------------------------------------------------

HOSTILE = {
    "zeros": jnp.zeros(26),
    "huge": jnp.full(26, 3e38),
    "tiny": jnp.full(26, 1e-38),
    "huge and tiny": jnp.where(jnp.arange(26) % 2, 1e38, 1e-38),
    "one frequency": jnp.array([1.0, -1.0, 0.5, 2.0]),
    "cancels at a bin": jnp.zeros(26).at[0].set(1.0).at[1].set(-1.0),
    "float16": jnp.full(26, 6e4, jnp.float16),
    "bfloat16": jnp.full(26, 3e38, jnp.bfloat16),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_outputs_give_a_density_and_finite_gradients(code, name):
    outputs = HOSTILE[name]
    probabilities = pmf(code, outputs)
    assert probabilities.dtype == jnp.float32
    assert bool((probabilities >= 0).all())
    assert float(probabilities.sum()) == pytest.approx(1, abs=1e-5)
    gradient = jax.grad(lambda o: -code.fourier_log_pmf(o, 50)[7])(outputs.astype(jnp.float32))
    assert bool(jnp.isfinite(gradient).all())


@pytest.mark.parametrize(
    "name", ["zeros", "huge", "smallest", "subnormal", "huge and small", "one frequency"]
)
@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32, jnp.bfloat16, jnp.float16])
def test_hostile_outputs_of_each_precision(code, dtype, name):
    """The gradient goes through the given precision itself: nothing is cast before."""
    with jax.enable_x64(True):
        limits = jnp.finfo(dtype)
        values = {
            "zeros": np.zeros(26),
            "huge": np.full(26, float(limits.max)),
            "smallest": np.full(26, float(limits.tiny)),
            "subnormal": np.full(26, float(limits.smallest_subnormal)),
            "huge and small": np.where(np.arange(26) % 2, float(limits.max), float(limits.tiny)),
            "one frequency": np.array([1.0, -1.0, 0.5, 2.0]),
        }[name]
        outputs = jnp.asarray(values, dtype)
        probabilities = pmf(code, outputs)
        assert probabilities.dtype == jnp.promote_types(dtype, jnp.float32)
        assert bool((probabilities >= 0).all())
        exact = 1e-12 if dtype == jnp.float64 else 1e-5
        assert float(probabilities.sum()) == pytest.approx(1, abs=exact)
        gradient = jax.grad(lambda o: -code.fourier_log_pmf(o, 50)[7])(outputs)
        assert gradient.dtype == dtype
        assert bool(jnp.isfinite(gradient).all())
        if name == "one frequency":
            precise = jax.grad(lambda o: -code.fourier_log_pmf(o, 50)[7])(jnp.asarray(values))
            np.testing.assert_allclose(gradient.astype(float), precise, rtol=2e-2, atol=1e-3)


def test_double_precision_stays_double(code):
    with jax.enable_x64(True):
        outputs = jnp.asarray(np.random.default_rng(0).normal(size=26))
        probabilities = pmf(code, outputs)
        assert probabilities.dtype == jnp.float64
        assert float(probabilities.sum()) == pytest.approx(1, abs=1e-12)


def test_zeros_mean_uniform(code):
    np.testing.assert_allclose(pmf(code, jnp.zeros(26)), np.full(50, 1 / 50), rtol=1e-5)


@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_scale_does_not_matter(code, scale, seed):
    outputs = jnp.asarray(np.random.default_rng(seed).normal(size=10), jnp.float32)
    np.testing.assert_allclose(pmf(code, outputs), pmf(code, outputs * scale), atol=1e-5)


def test_gradient_against_finite_differences(code):
    with jax.enable_x64(True):
        outputs = jnp.asarray(np.random.default_rng(2).normal(size=10))
        loss = lambda o: -jax.nn.log_softmax(code.fourier_log_pmf(o, 16))[3]  # noqa: E731
        steps = 1e-6 * jnp.eye(10)
        numeric = jnp.stack([(loss(outputs + s) - loss(outputs - s)) / 2e-6 for s in steps])
        np.testing.assert_allclose(jax.grad(loss)(outputs), numeric, atol=1e-7)


# --- the module --------------------------------------------------------------------------------


def head(code, features=32, bins=50, frequencies=12):
    return code.FourierHead(features, bins, frequencies, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(("n", "features", "bins"), [(12, 32, 50), (1, 5, 3), (30, 8, 100)])
def test_parameter_count(code, n, features, bins):
    params = nnx.state(head(code, features, bins, n), nnx.Param)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 2 * (n + 1) * (features + 1)


def test_any_leading_axes(code):
    assert head(code)(jnp.ones((2, 3, 32))).shape == (2, 3, 50)
    assert head(code)(jnp.ones(32)).shape == (50,)


@pytest.mark.parametrize("value", [0, -1, 1.5, "12", None, True, float("nan")])
@pytest.mark.parametrize("argument", ["features", "bins", "frequencies"])
def test_sizes_must_be_positive_integers(code, argument, value):
    with pytest.raises(ValueError, match=f"{argument} is .*positive integer"):
        head(code, **{argument: value})


@pytest.mark.parametrize(("bins", "frequencies"), [(50, 25), (50, 40), (51, 26), (2, 1)])
def test_frequencies_beyond_the_bins_are_refused(code, bins, frequencies):
    with pytest.raises(ValueError, match=f"frequencies is {frequencies}; {bins} bins"):
        head(code, bins=bins, frequencies=frequencies)


def test_wrong_width_is_named(code):
    with pytest.raises(ValueError, match=r"x has shape \(4, 31\).*features = 32"):
        head(code)(jnp.ones((4, 31)))


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf, -jnp.inf])
def test_nan_and_infinity_are_refused(code, bad):
    with pytest.raises(ValueError, match="outputs holds NaN or infinite"):
        head(code)(jnp.ones((4, 32)).at[2, 5].set(bad))


def test_nan_inside_jit_is_not_silently_a_density(code):
    answer = jax.jit(lambda o: code.fourier_log_pmf(o, 50))(jnp.ones(26).at[3].set(jnp.nan))
    assert bool(jnp.isnan(answer).all())


@pytest.mark.parametrize("shape", [(), (3,), (2,), (0,)])
def test_outputs_of_a_wrong_shape_are_refused(code, shape):
    with pytest.raises(ValueError, match="outputs has shape"):
        code.fourier_log_pmf(jnp.ones(shape), 50)


def test_complex_outputs_are_refused(code):
    with pytest.raises(ValueError, match="outputs has dtype complex64; it must be real"):
        code.fourier_log_pmf(jnp.ones(10, jnp.complex64), 50)


@pytest.mark.parametrize("bins", [0, -3, 2.5, True, "50"])
def test_bins_of_the_pmf_are_checked(code, bins):
    with pytest.raises(ValueError, match="bins is .*positive integer"):
        code.fourier_pmf(jnp.ones(3, complex), bins)


def test_the_pmf_refuses_what_has_no_density(code):
    with pytest.raises(
        ValueError, match="frequencies is 4; 8 bins can only tell apart fewer than 4"
    ):
        code.fourier_pmf(jnp.ones(5, complex), 8)
    with pytest.raises(ValueError, match="frequencies is 0; it must be a positive integer"):
        code.fourier_pmf(jnp.ones(1, complex), 8)
    with pytest.raises(ValueError, match="a holds NaN or infinite values"):
        code.fourier_pmf(jnp.array([1.0, complex(0, np.nan)]), 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frequencies": 4}, "frequencies is 4; 8 bins can only tell apart fewer than 4"),
        ({"frequencies": 1.5}, "frequencies is 1.5; it must be a positive integer"),
        ({"steps": 0}, "steps is 0; it must be a positive integer"),
        ({"target": jnp.full(8, jnp.nan)}, "target holds NaN or infinite values"),
    ],
)
def test_a_fit_refuses_what_has_no_density(code, changes, message):
    settings = {"target": jnp.full(8, 1 / 8), "frequencies": 2, "steps": 3} | changes
    with pytest.raises(ValueError, match=message):
        code.fit_fourier(settings.pop("target"), 2, jax.random.key(0), **settings)


@pytest.mark.parametrize("bad", [-1, jnp.nan])
def test_a_limit_that_leaves_no_frequency_is_refused(code, bad):
    with pytest.raises(ValueError, match="limit is .*; it must be 0 or more"):
        head(code)(jnp.ones((4, 32)), jnp.full(4, bad))


@pytest.mark.parametrize("bins", [0, -3, 2.5, "50"])
def test_bins_of_the_function_are_checked(code, bins):
    with pytest.raises(ValueError, match="bins is"):
        code.fourier_log_pmf(jnp.ones(10), bins)


def test_penalty_against_loops(code):
    module = head(code, features=4, bins=20, frequencies=3)
    x = jnp.asarray(np.random.default_rng(4).normal(size=(5, 4)), jnp.float32)
    total = 0.0
    for outputs in np.asarray(module.linear(x), dtype=float):
        a = outputs[:4] + 1j * outputs[4:]
        for k in range(4):
            c = sum(a[i] * np.conj(a[i + k]) for i in range(4 - k))
            total += k**2 * abs(c) ** 2
    assert float(module.penalty(x)) == pytest.approx(4 * np.pi**2 * total / 5, rel=1e-4)


# --- the experiments' definitions ----------------------------------------------------------------


def test_truth_is_what_is_drawn(code):
    """Frequencies of many draws at one input against the exact masses (chi-squared per bin)."""
    for task, draw in code.TASKS.items():
        x, y = jnp.full(20_000, 0.4), jnp.full(20_000, -0.2)
        z, masses = draw(jax.random.key(5), x, y)
        counts = np.bincount(np.asarray(code.to_bin(z)), minlength=50)
        expected = np.asarray(masses[0], dtype=float) * 20_000
        assert masses[0].sum() == pytest.approx(1, abs=1e-5), task
        used = expected > 5
        chi2 = ((counts - expected) ** 2)[used] / expected[used]
        assert chi2.sum() < used.sum() + 5 * np.sqrt(2 * used.sum()), task


def test_smoothness_against_direct_convolution(code):
    y = np.random.default_rng(1).dirichlet(np.ones(20))
    total, offsets = 0.0, np.arange(-19, 20)
    for sigma in range(1, 101):
        g = np.exp(-(offsets**2) / (2 * sigma**2))
        g /= g.sum()
        blurred = [sum(g[i] * y[(j - t) % 20] for i, t in enumerate(offsets)) for j in range(20)]
        total += 6 / (np.pi * sigma) ** 2 * np.linalg.norm(y - blurred)
    assert float(code.smoothness(jnp.asarray(y))) == pytest.approx(total, rel=1e-4)


def test_smoothness_of_uniform_is_zero(code):
    assert float(code.smoothness(jnp.full(50, 1 / 50))) == pytest.approx(0, abs=1e-6)


def test_kl_of_a_confident_softmax_is_finite(code):
    """The probability underflows float32 here; the divergence must not become infinite."""
    q = jax.nn.softmax(jnp.array([0.0, 500.0]))
    expected = 0.5 * np.log(0.5 / 1e-10) + 0.5 * np.log(0.5)
    assert float(code.kl_divergence(jnp.array([0.5, 0.5]), q)) == pytest.approx(expected, rel=1e-4)


def test_kl_against_scipy(code):
    from scipy.stats import entropy

    p, q = np.random.default_rng(0).dirichlet(np.ones(10), size=2)
    assert float(code.kl_divergence(p, q)) == pytest.approx(entropy(p, q), rel=1e-4)
    assert float(code.kl_divergence(np.array([0.0, 1.0]), np.array([0.5, 0.5]))) == pytest.approx(
        np.log(2), rel=1e-5
    )


@pytest.mark.parametrize("width", [1, 2, 5, 10, 25, 50])
def test_scramble_permutes_inside_blocks(code, width):
    order = np.asarray(code.scramble(jax.random.key(0), width))
    assert sorted(order) == list(range(50))
    assert (order // width == np.arange(50) // width).all()


def test_scramble_refuses_other_widths(code):
    with pytest.raises(ValueError, match="width is 7; it must divide 50"):
        code.scramble(jax.random.key(0), 7)


def test_fit_reaches_what_the_head_can_represent(code):
    """A target made by the head itself is fitted almost exactly."""
    a = jnp.array([1.0, 0.6, 0.2, 0.0, 0.3, -0.1])
    target = pmf(code, a, 32)
    fitted = code.fit_fourier(target, 2, jax.random.key(0), frequencies=4, steps=1500)
    assert float(code.kl_divergence(target, fitted)) < 1e-3


def test_mixture_head_is_a_mixture(code):
    module = code.MixtureHead(3, 50, rngs=nnx.Rngs(0))
    x = jnp.array([0.3, -1.0, 2.0])
    z, width = np.asarray(code.bin_centres(50)), 2 / 50
    means = np.tanh(np.asarray(module.linear(x), dtype=float))
    density = sum(np.exp(-((z - mean) ** 2) / (2 * width**2)) for mean in means)
    np.testing.assert_allclose(jnp.exp(module(x)), density / density.sum(), rtol=1e-3, atol=1e-7)


def test_a_limited_head_is_the_smaller_head(code):
    """Frequencies beyond the limit count nothing, forwards and backwards."""
    large, small = head(code, frequencies=12), head(code, frequencies=5)
    keep = np.concatenate([np.arange(6), 13 + np.arange(6)])
    small.linear.kernel[...] = large.linear.kernel[...][:, keep]
    small.linear.bias[...] = large.linear.bias[...][keep]
    x = jnp.asarray(np.random.default_rng(6).normal(size=(4, 32)), jnp.float32)
    limit = jnp.full(4, 5)
    np.testing.assert_allclose(large(x, limit), small(x), atol=1e-5)
    np.testing.assert_allclose(large.penalty(x, limit), small.penalty(x), rtol=1e-4)
    gradient = nnx.grad(lambda module: module(x, limit)[:, 7].sum())(large)
    unused = np.setdiff1d(np.arange(26), keep)
    assert jnp.abs(gradient["linear"]["bias"][...][unused]).max() == 0


def test_toy_runs_repeat_and_scramble_consistently(code):
    """Copies repeat the same examples; a scramble moves labels and truth alike."""
    (inputs, labels, limit), (_, truth, _, _) = code.toy_run(code.Case(copies=4), 3, 64, 8)
    assert (inputs[:16] == inputs[16:32]).all() and (labels[:16] == labels[48:]).all()
    assert (limit == 12).all() and limit.shape == (64,)
    (_, moved, _), (_, moved_truth, _, _) = code.toy_run(code.Case(copies=4, scramble=50), 3, 64, 8)
    order = np.asarray(code.scramble(jax.random.split(jax.random.key(3))[1], 50))
    np.testing.assert_array_equal(moved, order[np.asarray(labels)])
    np.testing.assert_allclose(np.asarray(moved_truth)[:, order], truth)


def test_the_forecaster_cannot_see_the_future(code):
    module = code.Forecaster("linear", rngs=nnx.Rngs(0))
    levels = jnp.arange(code.CONTEXT) % code.LEVELS
    changed = levels.at[-1].set(60)
    np.testing.assert_allclose(module(levels)[:-1], module(changed)[:-1], atol=1e-6)
    assert not np.allclose(module(levels)[-1], module(changed)[-1])
