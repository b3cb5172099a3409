"""The Fourier head: the chapter's definition cells alone, against independent references."""

import math
from dataclasses import replace

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


def exact_pmf(a, bins, extra=0.0):
    """The bins' probabilities in NumPy's longest numbers; `extra` is added to the power of each."""
    a = np.asarray(a).astype(np.clongdouble)
    a = a / np.maximum(np.abs(a.real), np.abs(a.imag)).max(-1, keepdims=True)
    centres = (2 * np.arange(bins, dtype=np.longdouble) - bins + 1) / bins
    waves = np.exp(-1j * np.pi * np.arange(a.shape[-1])[:, None] * centres)
    power = np.abs(a @ waves) ** 2 + extra
    return power / power.sum(-1, keepdims=True)


def exact_head(outputs, bins=50):
    """What `exp(fourier_log_pmf)` must be. Outputs far below 1e-18 fade into uniform by design."""
    outputs = np.asarray(outputs).astype(np.longdouble)
    largest = np.abs(outputs).max()
    half = outputs.shape[-1] // 2
    a = outputs[..., :half] + 1j * outputs[..., half:]
    if largest == 0:
        return np.full(bins, 1 / bins) + 1e-5
    # The head divides by 1e-18 where the largest is smaller, and adds 1e-12 to the power.
    return exact_pmf(a, bins, 1e-12 * max(1, np.longdouble(1e-18) / largest) ** 2) + 1e-5


def check_head(code, outputs, tolerance):
    """The head's own numbers: no softmax, which would turn anything into a density."""
    raw = np.exp(np.asarray(code.fourier_log_pmf(outputs, 50), dtype=float))
    assert raw.sum() == pytest.approx(1 + 50 * code.FLOOR, abs=tolerance)
    np.testing.assert_allclose(raw, exact_head(outputs).astype(float), rtol=0, atol=tolerance)


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
    assert code.fourier_log_pmf(outputs, 50).dtype == jnp.float32
    check_head(code, outputs, 2e-6)
    gradient = jax.grad(lambda o: -code.fourier_log_pmf(o, 50)[7])(outputs.astype(jnp.float32))
    assert bool(jnp.isfinite(gradient).all())


@pytest.mark.parametrize("scale", [1e-20, 1e-15, 1e-6, 1.0, 1e9, 1e12, 1e19, 1e37])
def test_each_scale_against_exact_arithmetic(code, scale):
    outputs = jnp.asarray(scale * np.random.default_rng(7).normal(size=26), jnp.float32)
    check_head(code, outputs, 2e-6)


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
        assert code.fourier_log_pmf(outputs, 50).dtype == jnp.promote_types(dtype, jnp.float32)
        check_head(code, outputs, 1e-12 if dtype == jnp.float64 else 2e-6)
        gradient = jax.grad(lambda o: -code.fourier_log_pmf(o, 50)[7])(outputs)
        assert gradient.dtype == dtype
        assert bool(jnp.isfinite(gradient).all())
        if name == "one frequency":
            precise = jax.grad(lambda o: -code.fourier_log_pmf(o, 50)[7])(jnp.asarray(values))
            np.testing.assert_allclose(gradient.astype(float), precise, rtol=2e-2, atol=1e-3)


def test_double_precision_stays_double(code):
    with jax.enable_x64(True):
        outputs = jnp.asarray(np.random.default_rng(0).normal(size=26))
        assert code.fourier_log_pmf(outputs, 50).dtype == jnp.float64
        check_head(code, outputs, 1e-12)


def test_zeros_mean_uniform(code):
    np.testing.assert_allclose(pmf(code, jnp.zeros(26)), np.full(50, 1 / 50), rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e-25, 1e-10, 1.0, 1e10, 1e25, 1e38])
@pytest.mark.parametrize("kind", [np.complex64, np.float32])
def test_the_plain_forms_at_each_scale(code, scale, kind):
    """Three forms of the density, from numbers whose squares would underflow or overflow."""
    rng = np.random.default_rng(9)
    a = rng.uniform(-1, 1, 6) + 1j * rng.uniform(-1, 1, 6)
    a = jnp.asarray(scale * (a if kind is np.complex64 else a.real), kind)
    expected = exact_pmf(a, 20).astype(float)
    z = code.bin_centres(20)
    np.testing.assert_allclose(code.fourier_pmf(a, 20), expected, atol=2e-6)
    # For so few waves the density at m centres sums to m / 2.
    np.testing.assert_allclose(code.density(a, z) / 10, expected, atol=2e-6)
    np.testing.assert_allclose(code.density_from_autocorrelation(a, z) / 10, expected, atol=2e-6)


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
    with pytest.raises(ValueError, match="x holds NaN or infinite"):
        head(code)(jnp.ones((4, 32)).at[2, 5].set(bad))
    broken = head(code)
    broken.linear.bias[...] = broken.linear.bias[...].at[1].set(bad)
    with pytest.raises(ValueError, match="outputs holds NaN or infinite"):
        broken(jnp.ones((4, 32)))


def test_nan_inside_jit_is_not_silently_a_density(code):
    answer = jax.jit(lambda o: code.fourier_log_pmf(o, 50))(jnp.ones(26).at[3].set(jnp.nan))
    assert bool(jnp.isnan(answer).all())


@pytest.mark.parametrize("shape", [(), (3,), (2,), (0,)])
def test_outputs_of_a_wrong_shape_are_refused(code, shape):
    with pytest.raises(ValueError, match="outputs has shape"):
        code.fourier_log_pmf(jnp.ones(shape), 50)


UNIFORM = np.full(8, 1 / 8, np.float32)


def fit(code, target=UNIFORM, used=2, **changes):
    settings = {"frequencies": 2, "steps": 3} | changes
    return code.fit_fourier(target, used, jax.random.key(0), **settings)


def mixture(code, features=3, bins=50):
    return code.MixtureHead(features, bins, rngs=nnx.Rngs(0))


BAD_SIZES = [0, -3, 2.5, True, "50", None, math.nan]
BAD_ARRAYS = {  # of six real numbers
    "list": ([1.0] * 6, r"is \[1.0, .*must be an array of one of the types float16"),
    "integers": (np.ones(6, int), "has dtype int64; allowed are float16, bfloat16, float32"),
    "float8": (jnp.ones(6, jnp.float8_e4m3fn), "has dtype float8_e4m3fn; allowed are float16"),
    "truth values": (np.ones(6, bool), "has dtype bool; allowed"),
    "NaN": (np.full(6, np.nan, np.float32), "holds NaN or infinite values"),
    "infinite": (np.full(6, np.inf), "holds NaN or infinite values"),
    "too large for float32": (np.full(6, 1e300), "holds NaN or infinite values"),
}
Z = np.linspace(-1, 1, 5)
FORMS = {  # name of the argument, function of an array that makes a density
    "fourier_pmf": ("a", lambda code, a: code.fourier_pmf(a, 20)),
    "density": ("a", lambda code, a: code.density(a, Z)),
    "autocorrelation": ("a", lambda code, a: code.density_from_autocorrelation(a, Z)),
    "fit": ("target", lambda code, target: fit(code, target)),
    "log_pmf": ("outputs", lambda code, outputs: code.fourier_log_pmf(outputs, 50)),
    "head": ("x", lambda code, x: head(code, features=6)(x)),
    "penalty": ("x", lambda code, x: head(code, features=6).penalty(x)),
    "mixture": ("x", lambda code, x: mixture(code, features=6)(x)),
}
SIZES = {
    "bin_centres": ("bins", lambda code, size: code.bin_centres(size)),
    "fourier_pmf": ("bins", lambda code, size: code.fourier_pmf(jnp.ones(3), size)),
    "log_pmf": ("bins", lambda code, size: code.fourier_log_pmf(jnp.ones(10), size)),
    "fit, frequencies": ("frequencies", lambda code, size: fit(code, frequencies=size)),
    "fit, steps": ("steps", lambda code, size: fit(code, steps=size)),
    "mixture, features": ("features", lambda code, size: mixture(code, features=size)),
    "mixture, bins": ("bins", lambda code, size: mixture(code, bins=size)),
    "scramble": ("width", lambda code, size: code.scramble.__wrapped__(jax.random.key(0), size)),
}
VALUES = {  # function of a bad value, what the message says
    "zeros, pmf": (lambda code: code.fourier_pmf(jnp.zeros(5), 20), "a is zero in all"),
    "one row of zeros": (
        lambda code: code.density(jnp.ones((2, 3)).at[1].set(0), Z),
        "a is zero in all",
    ),
    "zeros, sum": (
        lambda code: code.density_from_autocorrelation(jnp.zeros(5), Z),
        "a is zero in all",
    ),
    "no axis": (lambda code: code.density(jnp.ones(()), Z), r"a has shape \(\)"),
    "NaN in z": (lambda code: code.density(jnp.ones(3), jnp.array([np.nan])), "z holds NaN"),
    "a list of z": (lambda code: code.density(jnp.ones(3), [0.0, 0.5]), "z is .* must be an array"),
    "complex z": (lambda code: code.density(jnp.ones(3), Z + 0.5j), "z has dtype complex"),
    "a matrix of z": (
        lambda code: code.density_from_autocorrelation(jnp.ones(4), jnp.zeros((3, 5))),
        r"z has shape \(3, 5\)",
    ),
    "NaN in z of the sum": (
        lambda code: code.density_from_autocorrelation(jnp.ones(3), np.array([np.nan])),
        "z holds NaN",
    ),
    "complex outputs": (
        lambda code: code.fourier_log_pmf(jnp.ones(10, complex), 50),
        "outputs has dtype complex64; allowed are float16",
    ),
    "complex target": (lambda code: fit(code, UNIFORM + 0j), "target has dtype complex64"),
    "target below zero": (
        lambda code: fit(code, np.array([-0.5, 1.5], np.float32)),
        "target has the smallest entry -0.5 and the sum 1;",
    ),
    "target of counts": (lambda code: fit(code, UNIFORM * 80), "and the sum 80; a pmf"),
    "two targets": (lambda code: fit(code, np.stack([UNIFORM] * 2)), r"target has shape \(2, 8\)"),
    "too many frequencies": (
        lambda code: fit(code, frequencies=4),
        "frequencies is 4; 8 bins can only tell apart fewer than 4",
    ),
    "several numbers used": (lambda code: fit(code, used=np.array([1, 2])), "has shape"),
    "narrow x, mixture": (
        lambda code: mixture(code)(jnp.ones((4, 2))),
        r"x has shape \(4, 2\).*features = 3",
    ),
    "narrow x, penalty": (lambda code: head(code).penalty(jnp.ones(31)), "features = 32"),
    "limit of another shape": (
        lambda code: head(code)(jnp.ones((4, 32)), np.array([1, 2, 3])),
        r"limit has shape \(3,\); allowed are \(\) and \(4,\)",
    ),
    "penalty that overflows": (
        lambda code: head(code).penalty(jnp.full((2, 32), 1e30)),
        "penalty holds NaN or infinite values",
    ),
    "NaN among inputs": (lambda code: code.encode(np.array([0.1, np.nan])), "value holds NaN"),
}


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("bad", BAD_ARRAYS)
@pytest.mark.parametrize("form", FORMS)
def test_every_density_refuses_what_is_no_array_of_numbers(code, form, bad):
    argument, make = FORMS[form]
    value, message = BAD_ARRAYS[bad]
    with pytest.raises(ValueError, match=f"^{argument} {message}"):
        make(code, value)


@pytest.mark.parametrize("value", BAD_SIZES)
@pytest.mark.parametrize("form", SIZES)
def test_every_density_refuses_sizes_that_are_none(code, form, value):
    argument, make = SIZES[form]
    with pytest.raises(ValueError, match=f"^{argument} is .*; it must be a positive integer"):
        make(code, value)


@pytest.mark.parametrize("case", VALUES)
def test_every_density_refuses_values_that_have_none(code, case):
    make, message = VALUES[case]
    with pytest.raises(ValueError, match=message):
        make(code)


@pytest.mark.parametrize("bad", [-1, 13, 1.0, 1.5, math.nan, True, "3", [2, 3], np.array([2.0])])
def test_orders_must_be_integers_that_are_there(code, bad):
    with pytest.raises(ValueError, match="limit is .*; allowed are the integers from 0 to 12"):
        head(code)(jnp.ones((1, 32)), bad)
    with pytest.raises(ValueError, match="frequencies_used is .*; allowed are the integers from"):
        fit(code, used=bad)


def test_inside_jit_a_bad_value_gives_nan_and_no_density(code):
    """There is no value to refuse yet, so the answer must show it."""
    bad_targets = (
        jnp.stack([UNIFORM, UNIFORM * 2, UNIFORM.copy()]).at[2, :2].set(jnp.array([-0.1, 0.35]))
    )
    fits = jax.vmap(lambda target: fit(code, target))(bad_targets)
    assert np.isnan(fits).any(-1).tolist() == [False, True, True]
    fits = jax.vmap(lambda used: fit(code, used=used))(jnp.array([-1, 0, 2, 3]))
    assert np.isnan(fits).any(-1).tolist() == [True, False, False, True]
    limited = jax.jit(lambda limit: head(code)(jnp.ones((4, 32)), limit))(
        jnp.array([-1, 0, 12, 13])
    )
    assert np.isnan(limited).any(-1).tolist() == [True, False, False, True]
    zeros = jax.jit(lambda a: code.fourier_pmf(a, 20))(jnp.zeros(5))
    assert np.isnan(zeros).all()


def test_the_pmf_refuses_frequencies_beyond_the_bins(code):
    with pytest.raises(
        ValueError, match="frequencies is 4; 8 bins can only tell apart fewer than 4"
    ):
        code.fourier_pmf(jnp.ones(5, complex), 8)
    with pytest.raises(ValueError, match="frequencies is 0; it must be a positive integer"):
        code.fourier_pmf(jnp.ones(1, complex), 8)


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
    """The authors' form: the density at the centres plus 1e-5, then a softmax of its logarithm."""
    module = mixture(code)
    x = jnp.array([0.3, -1.0, 2.0])
    z, width = np.asarray(code.bin_centres(50)), 2 / 50
    means = np.tanh(np.asarray(module.linear(x), dtype=float))
    density = sum(np.exp(-((z - mean) ** 2) / (2 * width**2)) for mean in means)
    density = density / (2 * width * np.sqrt(2 * np.pi)) + 1e-5
    np.testing.assert_allclose(jnp.exp(module(x)), density / density.sum(), rtol=1e-3, atol=1e-7)


def test_the_mixture_reaches_its_optimum_with_every_seed(code):
    """On rescaled inputs. A seed that stays in a poor optimum has a divergence above 0.2."""
    config = replace(code.config, examples=4000, test_examples=1000, seeds=5)
    (found,) = code.train_toy("mixture", [code.Case()], config, epochs=20, records=1).values()
    assert found["kl"].shape[1] == 5
    assert found["kl"][-1].max() < 0.1


def test_a_far_example_does_not_pull_on_the_mixture(code):
    """The floor under the density: without it outliers rule, and some seeds stay in poor optima."""
    module = mixture(code)
    module.linear.kernel[...] = jnp.zeros((3, 2))
    module.linear.bias[...] = jnp.zeros(2)  # both bumps at 0, as narrow as a bin
    x = jnp.ones(3)

    def pull(target_bin):
        gradient = nnx.grad(lambda m: -m(x)[target_bin])(module)
        return max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradient))

    assert pull(26) > 1
    assert pull(48) < 0.5  # about 600 without the floor


def test_a_vanishing_width_does_not_make_the_mixture_uniform(code):
    module = mixture(code)
    module.width[...] = jnp.full(2, -80.0)
    assert jnp.exp(module(jnp.array([0.3, -1.0, 2.0]))).max() > 0.4


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


# --- what decides verdicts -----------------------------------------------------------------------


def test_crossing_of_straight_lines(code):
    """On logarithmic axes (w / w0)^s is a straight line, which passes 1 at w0."""
    widths = np.array([1, 5, 10, 50])
    places, slopes = np.array([1.5, 4.0, 7.0, 30.0]), np.array([0.3, 1.0, 2.0, 0.5])
    ratios = (widths / places[:, None]) ** slopes[:, None]
    np.testing.assert_allclose(code.crossing(widths, ratios), places, rtol=1e-12)


def test_a_run_that_does_not_cross_has_no_crossing(code):
    never, above = [0.2, 0.5, 0.99], [1.5, 0.5, 2.0]
    assert np.isnan(code.crossing([1, 2, 4], np.array([never, above]))).all()
    # Of several crossings the first counts.
    found = code.crossing([1, 2, 4, 8], np.array([[0.5, 2.0, 0.5, 2.0]]))
    np.testing.assert_allclose(found, [np.sqrt(2)])


def random_windows(code, seed, count):
    rng = np.random.default_rng(seed)
    series = 32 + np.cumsum(rng.integers(-2, 3, count + 4)) % 9
    return series[np.arange(count)[:, None] + np.arange(4)].astype(np.int32)


def test_autoregression_against_loops(code):
    from scipy.stats import norm

    train, test = random_windows(code, 0, 60), random_windows(code, 1, 20)
    value = lambda index: (2 * index + 1) / code.LEVELS - 1  # noqa: E731
    rows = [[*map(value, window[:-1]), 1.0] for window in train.tolist()]
    goals = [value(window[-1]) for window in train.tolist()]
    weights = np.linalg.solve(np.transpose(rows) @ rows, np.transpose(rows) @ goals)
    residuals = np.array(goals) - np.array(rows) @ weights
    spread = np.sqrt(((residuals - residuals.mean()) ** 2).sum() / (60 - 4))
    total = 0.0
    for window in test.tolist():
        mean = sum(w * v for w, v in zip(weights, [*map(value, window[:-1]), 1.0], strict=True))
        low = 2 * window[-1] / code.LEVELS - 1
        total -= np.log(norm.cdf(low + 2 / code.LEVELS, mean, spread) - norm.cdf(low, mean, spread))
    assert code.autoregression_loss(train, test) == pytest.approx(total / 20, rel=1e-3)


def test_histogram_against_loops(code):
    train, test = random_windows(code, 2, 30), random_windows(code, 3, 10)
    seen = train[:, -1].tolist()
    total = sum(
        -np.log((seen.count(w) + 0.5) / (30 + 0.5 * code.LEVELS)) for w in test[:, -1].tolist()
    )
    assert code.histogram_loss(train, test) == pytest.approx(total / 10, rel=1e-5)


def test_input_floor_against_loops(code):
    values = np.random.default_rng(0).uniform(-0.06, 0.06, (40, 2)).astype(np.float32)
    truth = np.random.default_rng(1).dirichlet(np.ones(50), 40).astype(np.float32)
    pairs = [tuple(int((v + 1) / 2 * 50) for v in row) for row in values.tolist()]
    total = 0.0
    for pair, p in zip(pairs, truth, strict=True):
        best = np.mean([q for other, q in zip(pairs, truth, strict=True) if other == pair], axis=0)
        total += np.sum(p * np.log(p / (best + 1e-10)))
    assert code.input_floor(jnp.asarray(values), jnp.asarray(truth)) == pytest.approx(
        total / 40, rel=1e-4
    )
    # Inputs that all share their bins and one truth have nothing hidden.
    same = jnp.tile(truth[:1], (40, 1))
    assert code.input_floor(jnp.zeros((40, 2)), same) == pytest.approx(0, abs=1e-5)


def test_truncated_bump_is_the_projection_on_the_first_waves(code):
    """Its coefficients by quadrature; and with many waves it is the wrapped bump itself."""
    sigma, z = 0.1, np.linspace(-1, 1, 9)

    def wrapped(t):
        turns = [np.exp(-((t - 2 * turn) ** 2) / (2 * sigma**2)) for turn in (-1, 0, 1)]
        return sum(turns) / (sigma * np.sqrt(2 * np.pi))

    series = np.full(9, 0.5)
    for k in (1, 2, 3):
        weight, _ = quad(lambda t, k=k: wrapped(t) * np.cos(np.pi * k * t), -1, 1, points=[0])
        series += weight * np.cos(np.pi * k * z)
    np.testing.assert_allclose(code.truncated_bump(jnp.asarray(z), sigma, 3), series, atol=1e-5)
    np.testing.assert_allclose(
        code.truncated_bump(jnp.asarray(z), sigma, 40), wrapped(z), atol=1e-4
    )


def test_the_toy_loss_adds_gamma_times_the_penalty(code):
    start, plain, _ = code.toy_problem("fourier")
    _, regularised, _ = code.toy_problem("fourier", 0.01)
    params = jax.tree.map(lambda leaf: leaf[0], start(jax.random.split(jax.random.key(0), 1)))
    rng = np.random.default_rng(0)
    inputs = jnp.asarray(rng.uniform(-1, 1, (8, 2)), jnp.float32)
    batch = inputs, jnp.arange(8), jnp.full(8, 4)
    network = code.ToyNetwork("fourier", rngs=nnx.Rngs(0))
    nnx.update(network, params)
    penalty = network.head.penalty(network.features(inputs), jnp.full(8, 4))
    added = float(regularised(params, batch) - plain(params, batch))
    assert added == pytest.approx(0.01 * float(penalty), rel=1e-3)
    picked = -jax.nn.log_softmax(network(inputs, jnp.full(8, 4)))[jnp.arange(8), jnp.arange(8)]
    assert float(plain(params, batch)) == pytest.approx(float(picked.mean()), rel=1e-5)


def test_inputs_as_centres_and_as_indices(code):
    values = np.array([-1.0, -0.99, -0.001, 0.001, 0.999, 1.0, 1.7, -3.0], np.float32)
    index = [0, 0, 24, 25, 49, 49, 49, 0]
    raw = code.encode(values, raw=True)
    assert raw.dtype == jnp.float32
    np.testing.assert_array_equal(raw, index)
    np.testing.assert_allclose(code.encode(values), (2 * np.array(index) - 49) / 50, atol=1e-6)
