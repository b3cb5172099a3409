"""Grokking: the chapter's definition cells alone, against independent references."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tools import grokking_map
from tools.definitions import definitions

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def code():
    return definitions("grokking")


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def gaussian_inputs(count, d):
    return RNG.normal(size=(count, d)) / np.sqrt(d)


def random_form(d):
    matrix = RNG.normal(size=(d, d))
    return matrix + matrix.T


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [1, 0, -23, 21, 25, 23.0, "23", True])
def test_a_modulus_that_is_no_prime_is_refused(code, p):
    with pytest.raises(ValueError, match=f"p is {p!r}; it must be a prime"):
        code.modular_table(p, 0.9, 0)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, np.nan])
def test_a_bad_fraction_is_refused(code, fraction):
    with pytest.raises(ValueError, match="fraction is .*between 0 and 1"):
        code.modular_table(5, fraction, 0)


@pytest.mark.parametrize("bad", [0, -1, np.nan, np.inf])
def test_bad_scales_are_refused(code, bad):
    task = code.draw_task(20, 30, 0)
    with pytest.raises(ValueError, match="alpha is .*above 0"):
        code.train_toy(task, [bad], [0.05], steps=10, every=10)
    with pytest.raises(ValueError, match="epsilon is .*above 0"):
        code.train_toy(task, [1.0], [bad], steps=10, every=10)
    with pytest.raises(ValueError, match="alpha is .*above 0"):
        code.train_modular(5, bad, seeds=1, steps=10)


@pytest.mark.parametrize("bad", [0, -3, 2.5, True])
def test_bad_sizes_are_refused(code, bad):
    with pytest.raises(ValueError, match="dimensions is .*positive integer"):
        code.draw_task(bad, 30, 0)
    with pytest.raises(ValueError, match="examples is .*positive integer"):
        code.draw_task(20, bad, 0)


def test_divergence_is_named_and_stops_early(code):
    with pytest.raises(FloatingPointError, match="alpha = 0.02 diverged before step 500: .*250000"):
        code.train_modular(7, 0.02, seeds=1, steps=5000)


def test_a_diverging_toy_run_stops_after_the_part_in_which_it_diverged(code):
    x, y, beta, tests = code.draw_task(20, 30, 0)
    parts = []
    whole = code.train_toy.__globals__["train_settings"]

    def counted(*arguments):
        parts.append(arguments)
        return whole(*arguments)

    code.train_toy.__globals__["train_settings"] = counted
    try:
        with pytest.raises(FloatingPointError, match="alpha = 2, epsilon = 0.05 diverged at step"):
            code.train_toy((30 * x, y, beta, tests), [2.0], [0.05], steps=1000, every=20)
    finally:
        code.train_toy.__globals__["train_settings"] = whole
    assert len(parts) == 1


SMALL = {"p": 7, "width": 8, "fraction": 0.5, "steps": 40, "every": 20}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps is 0; it must be a positive integer"),
        ({"steps": 40.0}, "steps is 40.0; it must be a positive integer"),
        ({"every": 0}, "every is 0; it must be a positive integer"),
        ({"every": True}, "every is True; it must be a positive integer"),
        ({"steps": 30}, "steps is 30; it must be a multiple of every = 20"),
    ],
)
def test_lengths_of_training_are_checked(code, changes, message):
    lengths = {"steps": 40, "every": 20} | changes
    with pytest.raises(ValueError, match=message):
        code.train_modular(5, 0.5, seeds=1, **lengths)
    with pytest.raises(ValueError, match=message):
        code.train_toy(code.draw_task(6, 15, 0), [1.0], [0.05], **lengths)


def test_modular_training_is_as_long_as_asked(code):
    curves = code.train_modular(5, 3.0, seeds=1, steps=620, every=20, fraction=0.5)
    assert curves["step"][-1] == 600 and curves["norm"].shape == (1, 31)


@pytest.mark.parametrize("fraction", [0, 0.01, 0.99, 1, np.nan])
def test_no_part_of_the_table_may_be_empty(code, fraction):
    with pytest.raises(ValueError, match="fraction is .*; it must lie between 0 and 1 and leave"):
        code.modular_table(5, fraction, 0)
    size = code.Transformer(**(SMALL | {"p": 5, "fraction": fraction}))
    with pytest.raises(ValueError, match="fraction is .*; it must lie between 0 and 1 and leave"):
        code.transformer_split(size, 0)


@pytest.mark.parametrize("name", ["steps", "examples", "tests"])
def test_numbers_of_a_student_are_checked(code, name):
    sizes = {"steps": 5, "examples": 10, "tests": 5} | {name: 0}
    with pytest.raises(ValueError, match=f"{name} is 0; it must be a positive integer"):
        code.train_student([0], [1.0], centred=True, **sizes)


@pytest.mark.parametrize("bad", [0, -1, np.nan])
def test_the_lazy_limit_and_the_students_refuse_bad_scales(code, bad):
    x, y, *_ = code.draw_task(6, 15, 0)
    with pytest.raises(ValueError, match="epsilon is .*above 0"):
        code.lazy_limit(x, y, bad, [1], 0.4)
    with pytest.raises(ValueError, match="rate is .*above 0"):
        code.lazy_limit(x, y, 0.5, [1], bad)
    with pytest.raises(ValueError, match="alpha is .*above 0"):
        code.train_student([0], [bad], 5, True)


def test_a_rate_at_which_kernel_descent_diverges_is_refused(code):
    x, y, *_ = code.draw_task(6, 15, 0)
    K = np.asarray(code.tangent_kernel(np.zeros(6), np.eye(6), x, x, 0.5))
    largest = 15 / np.linalg.eigvalsh(K).max()
    with pytest.raises(ValueError, match="diverges from"):
        code.lazy_limit(x, y, 0.5, [1], 1.001 * largest)
    loss = code.lazy_limit(x, y, 0.5, [100_000], 0.999 * largest)[2]
    assert loss[0] < np.mean(y**2)


def test_a_diverging_student_is_named_and_stopped(code):
    diverged = r"alpha = 1e\+30 diverged between steps 0 and 200"
    with pytest.raises(FloatingPointError, match=diverged):  # to its end it would take hours
        code.train_student([0], [1.0, 1e30], 10_000_000, False, examples=10, tests=5)


def test_the_frozen_expansion_of_modular_addition(code):
    """It does not depend on the scale; the network agrees while its weights hardly move."""
    options = {"seeds": 1, "steps": 40, "every": 20}
    frozen = [code.train_modular(23, alpha, lazy=True, **options) for alpha in (0.5, 3.0)]
    large = code.train_modular(23, 300.0, **options)
    for part in ("train loss", "test loss"):
        np.testing.assert_allclose(frozen[0][part], frozen[1][part], rtol=1e-4)
        np.testing.assert_allclose(frozen[0][part], large[part], rtol=1e-2)


# --- modular addition ----------------------------------------------------------------------------


def test_the_table_and_the_network_of_sums(code):
    p = 5
    train, params = code.modular_table(p, 0.6, 3)
    assert train.shape == (25,) and train.sum() == 15
    outputs = np.asarray(code.modular_outputs(params))
    for a in range(p):
        for b in range(p):
            hidden = (params["a"][a] + params["b"][b]) ** 2
            np.testing.assert_allclose(
                outputs[a * p + b], hidden @ params["out"] / 100, rtol=2e-5, atol=1e-5
            )


def test_a_step_on_the_table_against_finite_differences(code, double):
    p, alpha = 3, 0.8
    train, start = code.modular_table(p, 0.7, 1)
    train, start = jax.tree.map(lambda leaf: leaf[None].astype(float), (train, start))
    params = jax.tree.map(lambda leaf: leaf + 0.1 * RNG.normal(size=leaf.shape), start)
    after, curves = code.advance_modular(params, start, train, alpha, 1, 1)
    targets = np.eye(p)[(np.arange(p)[:, None] + np.arange(p)).ravel() % p]
    one = lambda tree: jax.tree.map(lambda leaf: leaf[0], tree)  # noqa: E731

    def loss(params):
        moved = code.modular_outputs(params) - code.modular_outputs(one(start))
        errors = np.mean((alpha * np.asarray(moved) - targets) ** 2, axis=1)
        return errors[train[0] > 0].mean()

    assert float(curves["train loss"][0, 0]) == pytest.approx(loss(one(params)))
    for name, place in (("a", (1, 4)), ("out", (7, 2))):
        values = [
            loss(one(params) | {name: nudged(params[name][0], place, e)}) for e in (1e-5, -1e-5)
        ]
        slope = (values[0] - values[1]) / 2e-5
        moved = after[name][0][place] - params[name][0][place]
        assert float(moved) == pytest.approx(-100 / alpha**2 * slope, rel=1e-5)


def nudged(array, place, amount):
    array = np.array(array)
    array[place] += amount
    return array


def test_the_first_output_is_zero_at_every_scale(code):
    for alpha in (2.0, 8.0):
        curves = code.train_modular(5, alpha, seeds=2, steps=40, every=20)
        # Zero outputs: the squared error of one-hot targets.
        np.testing.assert_allclose(curves["test loss"][:, 0], 1 / 5, rtol=1e-5)
        np.testing.assert_array_equal(curves["step"], [0, 20])


# --- the toy model -------------------------------------------------------------------------------


def test_the_task(code):
    x, y, beta, x_test = code.draw_task(30, 2000, 4)
    assert x.shape == (2000, 30) and x_test.shape == (400, 30)
    assert beta @ beta == pytest.approx(30)
    np.testing.assert_allclose(y, (x @ beta) ** 2 / 2)
    assert (x**2).sum(1).mean() == pytest.approx(1, rel=0.03)
    assert np.mean(y**2) == pytest.approx(3 / 4, rel=0.25)


def test_two_averages_know_the_output(code, double):
    weights, x = RNG.normal(size=(9, 5)), gaussian_inputs(7, 5)
    expected = [np.mean([h + 0.35 * h**2 for h in weights @ row]) for row in x]
    np.testing.assert_allclose(code.network(weights, x, 0.7), expected)
    np.testing.assert_allclose(code.predict(*code.moments(weights), x, 0.7), expected)


def test_the_kernel_by_hand_by_jax_and_by_finite_differences(code, double):
    weights, x, z = RNG.normal(size=(6, 4)), gaussian_inputs(3, 4), gaussian_inputs(5, 4)
    by_hand = code.tangent_kernel(*code.moments(weights), x, z, 0.6)
    np.testing.assert_allclose(by_hand, code.tangent_kernel_by_jax(weights, x, z, 0.6), rtol=1e-10)
    slopes = []
    for inputs in (x, z):
        columns = []
        for k in range(weights.size):
            nudge = 1e-6 * np.eye(weights.size)[k].reshape(weights.shape)
            ends = [code.network(weights + sign * nudge, inputs, 0.6) for sign in (1, -1)]
            columns.append((ends[0] - ends[1]) / 2e-6)
        slopes.append(np.stack(columns, axis=1))
    np.testing.assert_allclose(by_hand, 6 * slopes[0] @ slopes[1].T, rtol=1e-6)


def test_the_test_loss_against_a_sample_and_term_by_term(code, double):
    d, beta, u = 6, RNG.normal(size=6), RNG.normal(size=6)
    Q = random_form(d)
    terms = np.asarray(code.loss_terms(u, Q, beta))
    x = np.random.default_rng(5).normal(size=(400_000, d)) / np.sqrt(d)
    errors = (x @ u + np.sum((x @ Q) * x, 1) / 2 - (x @ beta) ** 2 / 2) ** 2
    assert abs(errors.mean() - terms.sum()) < 4 * errors.std() / np.sqrt(len(x))
    goal = np.outer(beta, beta)
    assert code.loss_terms(0 * u, goal, beta).sum() == pytest.approx(0)
    np.testing.assert_allclose(code.loss_terms(u, goal, beta), [0, 0, u @ u / d], atol=1e-15)
    traceless = goal + Q - np.trace(Q) / d * np.eye(d)
    assert float(code.loss_terms(0 * u, traceless, beta)[0]) == pytest.approx(0, abs=1e-20)
    # Leading axes are kept.
    both = code.loss_terms(np.stack([u, 2 * u]), np.stack([Q, Q]), beta)
    np.testing.assert_allclose(both[0], terms)


@pytest.mark.parametrize(("alpha", "epsilon"), [(1.0, 0.05), (0.3, 0.5), (4.0, 1.0)])
def test_the_recursion_is_gradient_descent(code, double, alpha, epsilon):
    """Width 7, with a mean that is not zero: M and w of the network after steps by jax.grad."""
    x, y, beta, _ = code.draw_task(8, 20, 1)
    weights = 0.5 + RNG.normal(size=(7, 8))
    last, losses = code.train_network(weights, x / 2, y, alpha, epsilon, 30)
    start = code.moments(weights)
    train, _, w, M, end = code.train_moments(x / 2, y, beta, alpha, epsilon, start, start, 30, 1)
    w, M = (np.concatenate([path, last[None]]) for path, last in zip((w, M), end, strict=True))
    np.testing.assert_allclose(train[:30], losses, rtol=1e-8)
    np.testing.assert_allclose(w[30], code.moments(last)[0], atol=1e-9)
    np.testing.assert_allclose(M[30], code.moments(last)[1], atol=1e-8)


def test_the_first_speed_does_not_depend_on_the_scale(code, double):
    x, y, beta, _ = code.draw_task(20, 40, 2)
    start = np.zeros(20), np.eye(20)
    losses = [
        code.train_moments(x, y, beta, alpha, 0.05, start, start, 2, 1)[0] for alpha in (1e4, 1e6)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


def test_the_explorables_map_is_made_with_the_definitions(code, double):
    x, y = grokking_map.draw_examples(60, 1)
    alphas, epsilons = np.array([0.125, 8.0]), np.full(2, 0.05)
    found = grokking_map.falling_times(code, x, y, alphas, epsilons)
    start = np.zeros(20), np.eye(20)
    beta = np.sqrt(20) * np.eye(20)[0]
    train, terms, *_ = code.train_moments(x, y, beta, 0.125, 0.05, start, start, 4000, 4000)
    expected = [code.fall_time(np.asarray(train)), code.fall_time(np.asarray(terms).sum(-1))]
    assert 0 < expected[0] < expected[1] < 4000
    np.testing.assert_array_equal(found[0], expected)
    assert found[1, 0] > 0 and found[1, 1] == 0  # 0 stands for "not within the run"


def test_a_map_of_other_definitions_would_differ(code):
    """The script reads the chapter: with another line for "fallen" it finds other times."""
    x, y = grokking_map.draw_examples(30, 1)
    one = np.array([1.0]), np.array([0.05])
    half = SimpleNamespace(
        train_settings=code.train_settings, fall_time=lambda losses: code.fall_time(losses, 0.5)
    )
    times = [grokking_map.falling_times(chapter, x, y, *one)[0, 0] for chapter in (code, half)]
    assert 0 < times[1] < times[0]


def test_fall_times(code):
    losses = np.array([[1, 0.5, 0.19, 0.3], [2, 0.41, 0.4, 1], [1, 1, 1, 1]])
    np.testing.assert_array_equal(code.fall_time(losses), [2, np.inf, np.inf])


def test_settings_side_by_side_are_the_same_as_alone(code):
    task = code.draw_task(20, 40, 3)
    both = code.train_toy(task, [0.5, 2.0], [0.05, 0.1], steps=60, every=20)
    alone = code.train_toy(task, [2.0], [0.1], steps=60, every=20)
    np.testing.assert_allclose(both["test"][1], alone["test"][0], rtol=1e-4)
    np.testing.assert_array_equal(both["at"], [0, 20, 40])
    assert both["M"].shape == (2, 3, 20, 20)


# --- the lazy limit and alignment ----------------------------------------------------------------


def test_the_lazy_limit_is_kernel_gradient_descent_and_ends_in_regression(code):
    x, y, beta, x_test = code.draw_task(6, 15, 0)
    K = code.tangent_kernel(np.zeros(6), np.eye(6), x, x, 0.5)
    K_test = np.asarray(code.tangent_kernel(np.zeros(6), np.eye(6), x_test, x, 0.5))
    a = np.zeros(15)
    for _ in range(7):
        a = a - 2 * 0.4 / 15 * (np.asarray(K) @ a - y)
    u, Q, loss = code.lazy_limit(x, y, 0.5, [0, 7, np.inf], 0.4)

    def predictions(i):
        return x_test @ u[i] + np.sum((x_test @ Q[i]) * x_test, 1) / 2

    np.testing.assert_allclose(predictions(0), 0, atol=1e-12)
    np.testing.assert_allclose(predictions(1), K_test @ a, rtol=1e-5)
    regression = K_test @ np.linalg.solve(np.asarray(K, float), y)
    np.testing.assert_allclose(predictions(2), regression, rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(loss, [np.mean(y**2), np.mean((K @ a - y) ** 2), 0], atol=1e-5)


def test_regression_finds_the_target_once_it_has_all_quadratics(code):
    x, y, beta, _ = code.draw_task(5, 40, 0)  # 20 features
    u, Q, _ = code.lazy_limit(x, y, 0.3, [np.inf], 1.0)
    np.testing.assert_allclose(Q[0], np.outer(beta, beta), atol=1e-6)


def test_alignment(code):
    y = RNG.normal(size=30) + 3
    K = random_form(30) @ random_form(30)
    K = K @ K.T
    H = np.eye(30) - 1 / 30
    centred = code.alignment(K, y)
    assert centred == pytest.approx(code.alignment(H @ K @ H, H @ y, centred=False))
    assert centred == pytest.approx(code.alignment(7 * K, 2 * y + 5))
    assert code.alignment(np.outer(y, y), y) == pytest.approx(1)
    assert code.alignment(np.outer(y, y), y, centred=False) == pytest.approx(1)
    assert code.alignment(K, y, centred=False) != pytest.approx(
        code.alignment(K, y + 1, centred=False)
    )


def test_alignment_over_all_inputs_against_a_large_sample(code):
    d, rng = 4, np.random.default_rng(3)
    w, beta = rng.normal(size=d), np.array([0.5, -1, 1.5, 1.0])
    M = np.diag([1, 2, 3, 4.0]) + 0.5
    x = rng.normal(size=(4000, d)) / np.sqrt(d)
    K = np.asarray(code.tangent_kernel(w, M, x, x, 0.8))
    sample = code.alignment(K, code.label(x, beta))
    # The closed form takes |beta|^2 = D, as in the task.
    beta = beta * np.sqrt(d) / np.linalg.norm(beta)
    assert code.population_alignment(w, M, beta, 0.8) == pytest.approx(sample, rel=0.1)


# --- students and the transformer ----------------------------------------------------------------


def test_students_learn(code):
    train, test = code.train_student(
        np.arange(2), np.float32([0.5, 1]), 60, True, examples=40, tests=20
    )
    assert train.shape == test.shape == (2, 2, 60)
    assert (train[..., -1] < 0.5 * train[..., 0]).all()
    pieces = code.train_student(
        np.arange(2), np.float32([0.5, 1]), 60, True, examples=40, tests=20, piece=25
    )
    np.testing.assert_allclose(pieces, [train, test], rtol=1e-4)


def transformer_by_loops(params, a, b):
    """Logits of one pair, position by position; the last position may look at all three."""
    p = len(params["embed"]) - 1
    x = [params["embed"][t] + params["position"][i] for i, t in enumerate((a, b, p))]
    out = x[2].copy()
    for h in range(len(params["query"])):
        query = x[2] @ params["query"][h]
        scores = np.array([query @ (v @ params["key"][h]) for v in x]) / np.sqrt(len(query))
        weights = np.exp(scores) / np.exp(scores).sum()
        out += (
            sum(s * (v @ params["value"][h]) for s, v in zip(weights, x, strict=True))
            @ params["merge"][h]
        )
    hidden = np.maximum(out @ params["up"] + params["up bias"], 0)
    return (out + hidden @ params["down"] + params["down bias"]) @ params["unembed"]


def test_the_transformer_against_loops(code, double):
    params = jax.tree.map(np.asarray, code.transformer_init(jax.random.key(1), 7, 8, 2))
    params["up bias"] = RNG.normal(size=32)
    pairs = np.array([[0, 3], [6, 6], [2, 5]])
    expected = [transformer_by_loops(params, a, b) for a, b in pairs]
    np.testing.assert_allclose(code.transformer_logits(params, pairs), expected, rtol=1e-9)


def test_the_transformer_refuses_bad_sizes(code):
    with pytest.raises(ValueError, match="p is 6; it must be a prime"):
        code.transformer_init(jax.random.key(0), 6)
    with pytest.raises(ValueError, match="width is 10; it must be a multiple of heads = 4"):
        code.transformer_init(jax.random.key(0), 7, 10)


def test_the_transformer_memorises_a_small_table(code):
    p = 7
    params, state = code.transformer_init(jax.random.key(0), p, 16), None
    train = jnp.arange(0, p * p, 2)
    keys = np.array([1, 2, 3])
    before = code.look_inside(params, keys, 1.0)
    for _ in range(2):
        params, state = code.advance_transformer(params, state, train, 1.0, 150)
    after = code.look_inside(params, keys, 1.0)
    assert before["loss"].shape == after["restricted"].shape == (p * p,)
    assert float(code.embedding_spectrum(params).sum()) == pytest.approx(1, abs=1e-5)
    assert after["loss"][train].mean() < 0.2 * before["loss"][train].mean()
    assert after["accuracy"][train].mean() > 0.9


def test_the_transformer_trains_in_pieces_as_in_one(code):
    size = code.Transformer(**SMALL, alpha=0.5)
    (_, first), *_, (step, last) = code.train_transformer(size, [3, 4])
    assert step == 40
    for seed, start, end in zip([3, 4], first, last, strict=True):
        known, rest = code.transformer_split(size, seed)
        assert len(known) == 24 and sorted([*known, *rest]) == list(range(49))
        params, _ = code.advance_transformer(start, None, known, 0.5, 40)
        for a, b in zip(jax.tree.leaves(end), jax.tree.leaves(params), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4)


def test_an_interrupted_transformer_goes_on_where_it_was(code, tmp_path, monkeypatch):
    size = code.Transformer(**SMALL)
    whole = code.transformer_results(size, [0, 1])
    interrupted = code.train_transformer(size, [0, 1], tmp_path)
    while next(interrupted)[0] < 20:
        pass
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("tile-*.npz")}
    assert len(kept) == 2  # a file for each seed
    assert code.transformer_results(size, [0, 1], tmp_path) == whole
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(list(tmp_path.rglob("tile-*.npz"))) == 4


def test_a_transformer_is_seen_on_both_parts_of_the_table(code):
    size = code.Transformer(**(SMALL | {"steps": 600, "every": 300}))
    found = code.transformer_results(size, [2])[0]
    assert found["seed"] == 2 and found["p"] == 7 and len(found["spectrum"]) == 3
    curves = found["curves"]
    assert curves["step"] == [0, 300, 600]
    assert all(len(values) == 3 for values in curves.values())
    assert curves["train loss"][-1] < 0.2 * curves["train loss"][0]
    assert curves["train accuracy"][-1] > 0.95 > curves["test accuracy"][-1]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"alpha": 0.0}, "alpha is 0.0; it must be a finite number above 0"),
        ({"alpha": -1.0}, "alpha is -1.0; it must be"),
        ({"alpha": float("nan")}, "alpha is nan; it must be"),
        ({"steps": 0}, "steps is 0; it must be a positive integer"),
        ({"every": 0}, "every is 0; it must be"),
        ({"steps": 30}, "steps is 30; it must be a multiple of every = 20"),
        ({"fraction": 1.0}, "fraction is 1.0; it must lie between 0 and 1"),
        ({"p": 9}, "p is 9; it must be a prime"),
        ({"width": -4}, "width is -4; it must be"),
    ],
)
def test_a_transformer_refuses_bad_settings(code, changes, message):
    with pytest.raises(ValueError, match=message):
        list(code.train_transformer(code.Transformer(**(SMALL | changes)), [0]))


def test_a_transformer_that_diverges_is_stopped(code):
    size = code.Transformer(**(SMALL | {"steps": 10_000_000}), alpha=1e37)
    with pytest.raises(FloatingPointError, match="alpha = 1e.37 diverged before step 20 .seed 1"):
        list(code.train_transformer(size, [1]))


def test_restricted_and_excluded_losses_share_the_logits(code, monkeypatch):
    """With the waves alone an ideal circuit is right; without them it only knows the mean."""
    p, keys = 7, np.array([1, 3])
    total = (np.arange(p)[:, None, None] + np.arange(p)[:, None] - np.arange(p)) % p
    logits = 20 * sum(np.cos(2 * np.pi * k * total / p) for k in keys)
    params = code.transformer_init(jax.random.key(0), p, 8)
    names = code.look_inside.__globals__
    flat = jnp.asarray(logits.reshape(p * p, p))
    monkeypatch.setitem(names, "transformer_logits", lambda params, pairs: flat)
    found = code.look_inside(params, keys, 1.0)
    np.testing.assert_allclose(found["restricted"], found["loss"], atol=1e-3)
    np.testing.assert_allclose(found["excluded"], np.log(p), atol=1e-3)
    assert found["accuracy"].all()


def test_key_frequencies_stand_out(code):
    np.testing.assert_array_equal(code.key_frequencies([0.1, 0.0, 0.65, 0.1, 0.15]), [3])


def test_the_instruments_on_hand_built_weights(code):
    p, n = 11, np.arange(12)
    embed = np.stack(
        [3 * np.cos(2 * np.pi * 4 * n / p), 3 * np.sin(2 * np.pi * 4 * n / p), 0 * n], 1
    )
    spectrum = np.asarray(code.embedding_spectrum({"embed": jnp.asarray(embed)}))
    np.testing.assert_allclose(spectrum, np.eye(5)[3], atol=1e-5)
    total = (np.arange(p)[:, None, None] + np.arange(p)[:, None] - np.arange(p)) % p
    wave = np.cos(2 * np.pi * 4 * total / p)
    np.testing.assert_allclose(code.restrict(wave, [4]), wave, atol=1e-5)
    np.testing.assert_allclose(code.restrict(wave, [3]), 0, atol=1e-5)
    np.testing.assert_allclose(code.restrict(wave + 2, [4, 1]), wave + 2, atol=1e-5)
