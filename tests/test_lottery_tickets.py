"""Lottery tickets: the chapter's definition cells alone, against independent references."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tutorlib as tl
from tools import lottery_tickets_longer as longer
from tools import lottery_tickets_mnist as script
from tools.chapters import ROOT
from tools.definitions import definitions
from tutorlib import data as datasets


@pytest.fixture(scope="module")
def code():
    return definitions("lottery-tickets")


WIDTHS = (6, 5, 4, 3)


def network(code, seed=0, widths=WIDTHS):
    return jax.tree.map(np.asarray, code.initial_params(jax.random.key(seed), widths))


def some_mask(params, seed=0, share=0.6):
    rng = np.random.default_rng(seed)
    return [rng.random(layer["weight"].shape) < share for layer in params]


def numpy_logits(params, mask, x):
    for i, (layer, keep) in enumerate(zip(params, mask, strict=True)):
        x = x @ np.where(keep, layer["weight"], 0).astype(float) + layer["bias"]
        x = np.maximum(x, 0) if i < len(params) - 1 else x
    return x


def images_and_labels(seed, examples, inputs=6, classes=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(examples, inputs)).astype(np.float32), rng.integers(
        classes, size=examples
    )


# --- the masked network ----------------------------------------------------------------------


def test_the_network_against_numpy(code):
    params = network(code)
    mask = some_mask(params)
    x, labels = images_and_labels(1, 7)
    expected = numpy_logits(params, mask, x)
    np.testing.assert_allclose(code.logits(params, mask, x), expected, rtol=2e-4, atol=1e-5)
    logs = expected - np.log(np.exp(expected).sum(axis=1, keepdims=True))
    loss, accuracy = code.loss_and_accuracy(params, mask, x, labels)
    assert loss == pytest.approx(-logs[np.arange(7), labels].mean(), rel=1e-4)
    assert accuracy == pytest.approx((expected.argmax(axis=1) == labels).mean())


def test_pruned_weights_get_no_gradient(code):
    params, (x, labels) = network(code), images_and_labels(2, 9)
    mask = some_mask(params)
    grads = jax.grad(lambda p: code.loss_and_accuracy(p, mask, x, labels)[0])(params)
    for grad, keep in zip(grads, mask, strict=True):
        assert not np.any(np.asarray(grad["weight"])[~keep])
    kept = np.concatenate([np.asarray(g["weight"])[m] for g, m in zip(grads, mask, strict=True)])
    assert np.count_nonzero(kept) > kept.size / 4  # the others belong to units that are off


def test_the_gradient_against_finite_differences(code):
    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), network(code, 3))
        mask, (x, labels) = some_mask(params, 3), images_and_labels(3, 8)
        loss = lambda p: code.loss_and_accuracy(p, mask, x.astype(float), labels)[0]  # noqa: E731
        slope = jax.grad(loss)(params)[0]["weight"]
        place = tuple(np.argwhere(mask[0])[0])
        moved = [
            loss([{**params[0], "weight": params[0]["weight"].at[place].add(step)}, *params[1:]])
            for step in (1e-6, -1e-6)
        ]
        assert slope[place] == pytest.approx(float(moved[0] - moved[1]) / 2e-6, rel=1e-5)


def test_initial_weights_are_glorot_normal_and_biases_zero(code):
    params = network(code, widths=(200, 300, 10))
    for layer, (inputs, outputs) in zip(params, [(200, 300), (300, 10)], strict=True):
        assert layer["weight"].std() == pytest.approx((2 / (inputs + outputs)) ** 0.5, rel=0.05)
        assert not layer["bias"].any()


# --- training --------------------------------------------------------------------------------


def test_training_against_adam_written_out(code):
    params, mask = network(code, 4), None
    mask = some_mask(params, 4)
    train_set, other = images_and_labels(4, 12), images_and_labels(5, 10)
    order = code.shuffled_batches(np.random.default_rng(0), 12, 4, 6)
    parts = {"train": train_set, "validation": other, "test": other}
    parts = jax.tree.map(jnp.asarray, parts)
    found, curves = code.train(params, mask, order, parts, 0.01, 3)
    assert {name: curve.shape for name, curve in curves.items()} == {
        "validation_loss": (2,), "test_accuracy": (2,)
    }  # fmt: skip
    first = jax.tree.map(np.zeros_like, params)
    second = jax.tree.map(np.zeros_like, params)
    by_hand = params
    for step, batch in enumerate(order, start=1):
        x, y = train_set[0][batch], train_set[1][batch]
        grads = jax.grad(lambda p: code.loss_and_accuracy(p, mask, x, y)[0])(by_hand)  # noqa: B023
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grads)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, second, grads)
        by_hand = jax.tree.map(
            lambda p, m, v, t=step: p
            - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8),
            by_hand, first, second,
        )  # fmt: skip
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), found, by_hand)
    loss, _ = code.loss_and_accuracy(by_hand, mask, *other)
    assert curves["validation_loss"][-1] == pytest.approx(float(loss), rel=1e-4)
    for before, after, keep in zip(params, found, mask, strict=True):  # pruned ones rest
        np.testing.assert_array_equal(before["weight"][~keep], np.asarray(after["weight"])[~keep])


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 60), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_an_epoch_shows_each_image_at_most_once(code, examples, batch, iterations, seed):
    batch = min(batch, examples)
    order = code.shuffled_batches(np.random.default_rng(seed), examples, batch, iterations)
    assert order.shape == (iterations, batch)
    per_epoch = examples // batch
    for start in range(0, iterations, per_epoch):
        epoch = order[start : start + per_epoch].ravel()
        assert len(set(epoch.tolist())) == epoch.size and epoch.max() < examples


# --- pruning ---------------------------------------------------------------------------------


@given(st.integers(1, 60), st.floats(0.01, 0.9), st.integers(0, 999))
@settings(max_examples=80, deadline=None)
def test_pruning_takes_the_smallest_survivors_exactly(code, size, rate, seed):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-4, 5, size=(2, size)).astype(float)  # many ties
    keep = rng.random((2, size)) < 0.7
    survivors = int(keep.sum())
    if not survivors or round(rate * survivors) == survivors:
        with pytest.raises(ValueError):
            code.prune(weight, keep, rate)
        return
    before = keep.copy()
    after = code.prune(weight, keep, rate)
    np.testing.assert_array_equal(keep, before)
    gone = keep & ~after
    assert not np.any(after & ~keep)
    assert gone.sum() == round(rate * survivors)
    if gone.any():
        assert np.abs(weight)[gone].max() <= np.abs(weight)[after].min()


def test_rounds_leave_the_exact_product_and_never_touch_biases(code):
    params = network(code, widths=(64, 300, 100, 10))
    mask, rng = code.full_mask(params), np.random.default_rng(0)
    for number in range(1, 21):
        trained = [{**layer, "weight": rng.normal(size=layer["weight"].shape)} for layer in params]
        after = code.prune_network(trained, mask)
        assert all(not np.any(b & ~a) for a, b in zip(mask, after, strict=True))
        mask = after
        sizes = np.array([64 * 300, 300 * 100, 1000])
        exact = sizes @ [0.8**number, 0.8**number, 0.9**number] / sizes.sum()
        assert code.weights_left(mask) == pytest.approx(exact, abs=2e-3)
    assert [keep.ndim for keep in mask] == [2, 2, 2]


def test_two_rounds_at_once_keep_what_two_rounds_keep(code):
    once, twice = code.compounded(2), code.compounded(1)
    np.testing.assert_allclose([1 - r for r in once], [(1 - r) ** 2 for r in twice])
    np.testing.assert_allclose(twice, code.RATES)


@pytest.mark.parametrize("rate", [0, 1, -0.2, 1.5, float("nan")])
def test_a_rate_outside_0_to_1_is_refused(code, rate):
    with pytest.raises(ValueError, match="it must lie between 0 and 1"):
        code.prune(np.ones(3), np.ones(3, bool), rate)


def test_bad_masks_and_weights_are_refused(code):
    weight = np.arange(6.0).reshape(2, 3)
    with pytest.raises(TypeError, match="keep holds float64; a mask holds booleans"):
        code.prune(weight, np.ones((2, 3)), 0.5)
    with pytest.raises(ValueError, match=r"keep has shape \(3, 2\) and weight \(2, 3\)"):
        code.prune(weight, np.ones((3, 2), bool), 0.5)
    with pytest.raises(ValueError, match="a layer with no weights left"):
        code.prune(weight, np.zeros((2, 3), bool), 0.5)
    with pytest.raises(ValueError, match="would leave none of the layer's 1 weights"):
        code.prune(weight, weight == 5, 0.9)
    with pytest.raises(ValueError, match="NaN or infinite"):
        code.prune(weight * np.nan, np.ones((2, 3), bool), 0.5)
    with pytest.raises(ValueError):
        code.prune_network(network(code), code.full_mask(network(code))[:2])


def test_no_network_trains_under_a_bad_mask(code):
    start = network(code, widths=(64, 300, 100, 10))
    full = code.full_mask(start)
    for bad, error, words in [
        ([full[0][:1], *full[1:]], ValueError, r"layer 1 has shape \(1, 300\), its weights"),
        ([full[0], full[1] * 1.0, full[2]], TypeError, "layer 2 holds float64"),
        ([*full[:2], ~full[2]], ValueError, "layer 3 leaves no weights"),
        (full[:2], ValueError, "shorter"),
    ]:
        with pytest.raises(error, match=words):
            code.train_all([start], [bad], 0)


# --- controls --------------------------------------------------------------------------------


def test_a_random_mask_has_the_same_counts_elsewhere(code):
    mask = [np.random.default_rng(i).random((20, 30)) < 0.3 for i in range(3)]
    other = code.random_mask_like(mask, np.random.default_rng(7))
    assert [m.sum() for m in other] == [m.sum() for m in mask]
    assert all(np.mean(a == b) < 0.8 for a, b in zip(mask, other, strict=True))


def test_signs_and_magnitudes(code):
    old, new = network(code, 1), network(code, 2)
    mixed = code.with_signs_of(new, old)
    constant = code.signed_constant(old)
    for m, c, a, b in zip(mixed, constant, new, old, strict=True):
        np.testing.assert_array_equal(np.abs(m["weight"]), np.abs(a["weight"]))
        np.testing.assert_array_equal(np.sign(m["weight"]), np.sign(b["weight"]))
        np.testing.assert_array_equal(np.sign(c["weight"]), np.sign(b["weight"]))
        np.testing.assert_allclose(np.abs(c["weight"]), b["weight"].std(), rtol=1e-5)


def test_early_stopping_takes_the_first_minimum(code):
    losses = np.array([[3.0, 1.0, 2.0, 1.0], [4.0, 3.0, 2.0, 1.0]])
    np.testing.assert_array_equal(code.early_stop(losses, 25), [50, 100])
    run = {"validation_loss": losses, "test_accuracy": np.arange(8.0).reshape(2, 4)}
    np.testing.assert_array_equal(code.accuracy_at_stop(run), [1, 7])
    every = code.config.record_every
    np.testing.assert_array_equal(code.first_below(run, 2), [2 * every, 3 * every])
    np.testing.assert_array_equal(code.first_below(run, 0.5), [4 * every, 4 * every])


def test_a_measure_is_the_mean_over_reinitialisations_and_not_of_the_mean_curve(code):
    losses = np.array([[[3.0, 1, 2, 2], [4, 3, 2, 1]], [[3, 2.5, 2, 1], [1, 2, 3, 4]]])
    run = {"validation_loss": losses, "test_accuracy": np.arange(16.0).reshape(2, 2, 4)}
    every = code.config.record_every
    np.testing.assert_array_equal(code.stop_at(run), [every * (2 + 4) / 2, every * (4 + 1) / 2])
    np.testing.assert_array_equal(code.accuracy_at_stop(run), [(1 + 11) / 2, (7 + 12) / 2])
    np.testing.assert_array_equal(code.first_below(run, 2), [every * 2.5, every * 2])
    np.testing.assert_array_equal(code.cut_off(run), [0.5, 0.5])
    np.testing.assert_array_equal(code.accuracy_curves(run), np.arange(8).reshape(2, 4) + 4)
    once = {name: curves[:1] for name, curves in run.items()}
    single = {name: curves[0] for name, curves in run.items()}
    for measure in (code.stop_at, code.accuracy_at_stop, code.cut_off, code.accuracy_curves):
        np.testing.assert_array_equal(measure(once), measure(single))


def test_the_control_trains_once_for_each_reinitialisation(code, monkeypatch):
    def control(reinits):
        sizes = {"widths": (64, 12, 8, 10), "iterations": 50, "seeds": 2, "reinits": reinits}
        monkeypatch.setitem(code.train_reinits.__globals__, "config", replace(code.config, **sizes))
        return code.train_reinits(code.train_all, code.initial_networks, masks, 4)

    masks = [some_mask(network(code, widths=(64, 12, 8, 10)), seed) for seed in range(2)]
    once, thrice = control(1), control(3)
    before = code.train_all(code.initial_networks(104), masks, 4)  # the control of round 4
    curves = ("validation_loss", "test_accuracy")
    for name in curves:
        assert once[name].shape == (1, 2, 2) and thrice[name].shape == (3, 2, 2)
        np.testing.assert_array_equal(once[name][0], before[name])
        np.testing.assert_array_equal(thrice[name][0], before[name])
    jax.tree.map(np.testing.assert_array_equal, thrice["params"], before["params"])
    for first, second in combinations(thrice["validation_loss"], 2):
        assert np.all(first != second)
    each = [code.accuracy_at_stop({name: thrice[name][i] for name in curves}) for i in range(3)]
    np.testing.assert_allclose(code.accuracy_at_stop(thrice), np.mean(each, axis=0), rtol=1e-6)


def test_a_training_that_diverges_is_named(code, monkeypatch):
    sizes = {"widths": (64, 12, 8, 10), "iterations": 50, "seeds": 2}
    config = replace(code.config, **sizes)
    monkeypatch.setitem(code.train_all.__globals__, "config", config)
    starts = code.initial_networks(104)
    starts[1][0]["weight"] = starts[1][0]["weight"] * np.nan
    masks = [[np.ones(layer["weight"].shape, bool) for layer in start] for start in starts]
    with pytest.raises(FloatingPointError, match="diverged for seed 1: .*lower the learning rate"):
        code.train_all(starts, masks, 4)


def test_the_loop_rewinds_and_prunes_what_was_trained(code, monkeypatch):
    """With a training that is a formula, the masks follow by thresholds."""
    starts, calls = [network(code, 5), network(code, 6)], []

    def train_all(given, masks, number):
        calls.append((given, masks, number))
        trained = [[{"weight": 1 / p["weight"]} for p in params] for params in given]
        return {"params": trained, "mask": masks}

    # The definitions are functions of one namespace; the loop looks `train_all` up there.
    monkeypatch.setitem(code.find_tickets.__globals__, "train_all", train_all)
    rounds = list(code.find_tickets(starts, 4, 2))
    assert [number for number, _ in rounds] == [0, 2, 4]
    assert all(given is starts for given, _, _ in calls)
    for seed, start in enumerate(starts):
        last = rounds[-1][1]["mask"][seed]
        for layer, keep in zip(start, last, strict=True):
            # The largest |1 / w| survive: those with the smallest |w|.
            assert np.abs(layer["weight"])[keep].max() <= np.abs(layer["weight"])[~keep].min()


# --- supermasks and barriers -----------------------------------------------------------------


def test_the_gradient_passes_the_coin_toss(code):
    scores = [jnp.array([-1.0, 0.0, 2.0])]
    masks = code.toss(scores, jax.random.key(0))
    assert set(np.unique(np.asarray(masks[0]).round(6))) <= {0.0, 1.0}
    total = lambda s: code.toss(s, jax.random.key(0))[0].sum()  # noqa: E731
    chance = jax.nn.sigmoid(scores[0])
    np.testing.assert_allclose(jax.grad(total)(scores)[0], chance * (1 - chance), rtol=1e-5)
    many = jax.vmap(lambda key: code.toss(scores, key)[0])(
        jax.random.split(jax.random.key(1), 4000)
    )
    np.testing.assert_allclose(many.mean(axis=0), chance, atol=0.03)


def test_a_supermask_is_learned_and_the_weights_stay(code):
    params = network(code, 8, widths=(6, 40, 3))
    before = jax.tree.map(np.copy, params)
    x, _ = images_and_labels(8, 200)
    labels = x[:, :3].argmax(axis=1)
    parts = jax.tree.map(jnp.asarray, {name: (x, labels) for name in ("train", "test")})
    order = code.shuffled_batches(np.random.default_rng(8), 200, 40, 150)
    mask, accuracy = jax.jit(code.learn_supermask)(params, order, jax.random.key(8), parts)
    jax.tree.map(np.testing.assert_array_equal, params, before)
    untrained = code.loss_and_accuracy(params, code.full_mask(params), x, labels)[1]
    assert accuracy > max(0.75, untrained + 0.2)
    assert all(keep.dtype == bool for keep in mask)


def test_the_barrier_against_a_grid(code):
    first, second, (x, labels) = network(code, 1), network(code, 2), images_and_labels(9, 300)
    mask = some_mask(first, 9)
    barrier, errors = code.error_barrier(first, second, mask, (x, labels))
    grid = []
    for share in np.linspace(0, 1, 21):
        between = jax.tree.map(lambda a, b, t=share: (1 - t) * a + t * b, first, second)
        grid.append((numpy_logits(between, mask, x).argmax(axis=1) != labels).mean())
    np.testing.assert_allclose(errors, grid, atol=0.007)  # two images may be ties
    errors = np.asarray(errors)
    assert barrier == pytest.approx(errors.max() - (errors[0] + errors[-1]) / 2, abs=1e-6)
    same, _ = code.error_barrier(first, first, mask, (x, labels))
    assert same == pytest.approx(0, abs=1e-6)


# --- Conv-2 ----------------------------------------------------------------------------------


def conv_network(code, seed=0, side=6, colors=3, channels=4, units=5):
    key = jax.random.key(seed)
    return jax.tree.map(np.asarray, code.conv2_params(key, side, colors, channels, units))


def conv_by_library(params, mask, x):
    """Conv-2 with XLA's own convolution and pooling."""
    for layer, keep in zip(params[:2], mask[:2], strict=True):
        kernel = (layer["weight"] * keep).reshape(3, 3, x.shape[-1], -1)
        x = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = jax.nn.relu(x + layer["bias"])
    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return numpy_logits(params[2:], mask[2:], np.asarray(x).reshape(len(x), -1))


def test_conv2_has_the_papers_size(code):
    shapes = jax.eval_shape(
        lambda key: code.conv2_params(key, 32, 3, 64, 256), jax.random.key(0)
    )  # no arrays: 4.3 million weights
    sizes = [int(np.prod(layer["weight"].shape)) for layer in shapes]
    assert sizes[:2] == [9 * 3 * 64, 9 * 64 * 64] and sum(sizes[:2]) == 38_592  # 38K
    assert sum(sizes) == 4_300_992  # 4.3M


def test_conv2_weights_are_glorot_normal_with_the_fans_of_a_convolution(code):
    params = conv_network(code, 0, side=8, colors=3, channels=40, units=50)
    for layer, (inputs, outputs) in zip(params[:2], [(27, 360), (360, 360)], strict=True):
        assert layer["weight"].std() == pytest.approx((2 / (inputs + outputs)) ** 0.5, rel=0.1)
    assert not any(layer["bias"].any() for layer in params)


def test_patches_and_a_product_are_a_convolution(code):
    params = conv_network(code)
    mask, x = some_mask(params, 2), np.random.default_rng(1).normal(size=(3, 6, 6, 3))
    x = x.astype(np.float32)
    expected = conv_by_library(params, mask, x)
    assert expected.shape == (3, 10)
    np.testing.assert_allclose(code.conv2_logits(params, mask, x), expected, rtol=1e-3, atol=1e-5)
    one_pixel = np.zeros((1, 4, 4, 1), np.float32)
    one_pixel[0, 0, 3, 0] = 1
    seen = np.asarray(code.patches(one_pixel))[0].sum(axis=-1)  # by how many patches
    np.testing.assert_array_equal(seen, [[0, 0, 1, 1], [0, 0, 1, 1], [0] * 4, [0] * 4])


def test_pruned_weights_of_conv2_get_no_gradient(code):
    params = conv_network(code)
    mask, x = some_mask(params, 3), np.random.default_rng(3).normal(size=(4, 6, 6, 3))
    grads = jax.grad(lambda p: code.conv2_logits(p, mask, x)[:, 0].sum())(params)
    for grad, keep in zip(grads, mask, strict=True):
        assert not np.any(np.asarray(grad["weight"])[~keep])
    assert all(np.any(grad["weight"]) for grad in grads)


def test_training_conv2_against_steps_one_by_one(code):
    params = conv_network(code, 5, side=4, colors=1)
    mask, rng, every = some_mask(params, 5), np.random.default_rng(5), code.config.record_every
    x = rng.normal(size=(110, 4, 4, 1)).astype(np.float32)  # measured in 100 and 10
    labels = rng.integers(10, size=110).astype(np.int32)
    parts = {name: (x, labels) for name in ("train", "validation", "test")}
    order = code.shuffled_batches(rng, 110, 8, every)
    found, curves = jax.jit(code.train_conv2)(params, mask, order, 0.003, parts)

    def loss(p, x, labels):
        logs = jax.nn.log_softmax(code.conv2_logits(p, mask, x))
        return -logs[np.arange(len(labels)), labels].mean()

    optimizer, by_hand = optax.adam(0.003), params
    state, slope = optimizer.init(params), jax.jit(jax.grad(loss))
    for batch in order:
        updates, state = optimizer.update(slope(by_hand, x[batch], labels[batch]), state)
        by_hand = optax.apply_updates(by_hand, updates)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), found, by_hand)
    assert curves["validation_loss"] == pytest.approx(float(loss(by_hand, x, labels)), rel=1e-4)
    best = np.asarray(code.conv2_logits(by_hand, mask, x)).argmax(axis=1)
    assert curves["test_accuracy"] == pytest.approx((best == labels).mean(), abs=0.01)
    assert loss(found, x, labels) < loss(params, x, labels)


def test_conv2_is_pruned_at_the_rates_of_its_layers(code):
    params = conv_network(code, 6)
    before = code.full_mask(params)
    after = code.prune_network(params, before, code.CONV_RATES)
    for keep, rate in zip(after, (0.1, 0.1, 0.2, 0.2, 0.1), strict=True):
        assert keep.sum() == keep.size - round(rate * keep.size)


# --- data ------------------------------------------------------------------------------------


def test_cifar_is_split_and_scaled_by_color(code, monkeypatch):
    rng = np.random.default_rng(0)
    images = (rng.random((6000, 4, 4, 3)) * [50, 150, 250]).astype(np.uint8)
    labels = rng.integers(10, size=6000).astype(np.uint8)
    monkeypatch.setattr(
        tl, "cifar10", lambda: {"train": (images, labels), "test": (images[:7], labels[:7])}
    )
    parts = code.load_conv_data("cifar10")
    assert {name: len(x) for name, (x, _) in parts.items()} == {
        "train": 1000, "validation": 5000, "test": 7
    }  # fmt: skip
    np.testing.assert_allclose(parts["train"][0].mean(axis=(0, 1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(parts["train"][0].std(axis=(0, 1, 2)), 1, atol=1e-3)
    np.testing.assert_array_equal(parts["validation"][1], labels[1000:])


def test_without_cifar_the_digits_take_over_loudly(code, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TUTORLIB_DATA", str(tmp_path))
    monkeypatch.setattr(datasets, "CIFAR10_MIRRORS", ())
    assert code.load_conv_data("cifar10")["train"][0].shape == (1000, 8, 8, 1)
    printed = capsys.readouterr().out
    assert "CIFAR-10 IS MISSING" in printed and "digits" in printed and "TUTORLIB_DATA" in printed
    with pytest.raises(ValueError, match="conv_data is 'svhn'"):
        code.load_conv_data("svhn")


def test_the_digits_are_split_once(code):
    parts = code.digits_data()
    assert {name: len(labels) for name, (_, labels) in parts.items()} == {
        "train": 1000, "validation": 297, "test": 500
    }  # fmt: skip
    assert all(0 <= x.min() and x.max() <= 1 for x, _ in parts.values())


def test_without_mnist_the_digits_take_over_loudly(code, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TUTORLIB_DATA", str(tmp_path))
    monkeypatch.setattr(datasets, "MNIST_MIRRORS", ())
    wanted = code.Config(data="mnist", widths=(784, 300, 100, 10))
    config, parts = code.load_data(wanted)
    assert config.data == "digits" and config.widths == (64, 300, 100, 10)
    assert parts["train"][0].shape == (1000, 64)
    printed = capsys.readouterr().out
    assert (
        "MNIST IS MISSING" in printed and "8 x 8 digits" in printed and "TUTORLIB_DATA" in printed
    )
    with pytest.raises(ValueError, match="data is 'cifar'"):
        code.load_data(code.Config(data="cifar"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"at_once": 3}, "at_once is 3; allowed are 1 and 2"),
        ({"reinits": 0}, "reinits is 0; it must be a whole number of at least 1"),
        ({"reinits": 1.5}, "reinits is 1.5; it must be a whole number of at least 1"),
        ({"iterations": 990}, "iterations is 990; it must be a multiple of record_every = 25"),
        ({"conv_iterations": 0}, "conv_iterations is 0; it must be a multiple"),
        ({"rewind": (50, 260)}, r"rewind\[1\] is 260; it must be a multiple"),
    ],
    ids=lambda value: "",
)
def test_sizes_that_do_not_fit_are_named(code, wrong, message):
    with pytest.raises(ValueError, match=message):
        code.Config(**wrong)


# --- the long run ----------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from dataclasses import replace
import numpy as np
from tools.chapters import ROOT
from tools.definitions import definitions
from tutorlib.stores import Store

def tickets(store):
    code = definitions("lottery-tickets")
    sizes = dict(widths=(64, 12, 8, 10), iterations=50, seeds=2, rewind=(25, 50), at_once=1)
    names = code.find_tickets.__globals__
    names["config"] = replace(names["config"], store=store, **sizes)
    return list(code.find_tickets(code.initial_networks(), 3, 1))

if __name__ == "__main__":
    left, save = int(sys.argv[2]), Store.save

    def kill_later(self, number, result):
        global left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        save(self, number, result)

    Store.save = kill_later
    np.savez(sys.argv[3], *[run[name] for _, run in tickets(sys.argv[1] or None)
                            for name in ("validation_loss", "test_accuracy")])
"""


def test_a_killed_paper_preset_goes_on_to_the_same_numbers(tmp_path):
    """The notebook's own loop, killed with SIGKILL in its third round, and once not."""
    (tmp_path / "tickets.py").write_text(KILLED)
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}

    def call(store, saves, target):
        command = [sys.executable, str(tmp_path / "tickets.py"), store, str(saves), target]
        return subprocess.run(command, env=os.environ | path, cwd=tmp_path, capture_output=True)

    assert call("kept", 5, "none.npz").returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("kept/*/tile-*.npz"))) == 5
    # Eight trainings in all: what is left is three, and a fourth would kill it.
    rest = call("kept", 3, "stopped.npz")
    assert rest.returncode == 0, rest.stderr.decode()
    assert call("", 0, "whole.npz").returncode == 0
    with np.load(tmp_path / "stopped.npz") as stopped, np.load(tmp_path / "whole.npz") as whole:
        assert len(whole.files) == 8
        for name in whole.files:
            np.testing.assert_array_equal(stopped[name], whole[name])


def test_a_stopped_run_goes_on_to_the_same_numbers(code, monkeypatch, tmp_path):
    """The script on a tiny problem: once without a stop, and once killed in two places."""
    sizes = {"WIDTHS": (64, 12, 8, 10), "ITERATIONS": 20, "RECORD_EVERY": 10, "SEEDS": (0, 1)}
    plan = {"ROUNDS": 2, "CONTROL_ROUNDS": (1,), "ONE_SHOT_ROUNDS": (2,), "ROOT": tmp_path}
    for name, value in (sizes | plan).items():
        monkeypatch.setattr(script, name, value)
    code.mnist_data = code.digits_data
    monkeypatch.setattr(script, "definitions", lambda slug: code)

    def results(name, stops=()):
        monkeypatch.setattr(script, "PARTS", tmp_path / name)
        monkeypatch.setattr(script, "TARGET", tmp_path / f"{name}.json")
        run, calls = script.Lottery.run, []

        def killed(self, *part):
            calls.append(part)
            if len(calls) in stops:
                raise KeyboardInterrupt
            run(self, *part)

        with monkeypatch.context() as patch:
            patch.setattr(script.Lottery, "run", killed)
            for _ in stops:
                with pytest.raises(KeyboardInterrupt):
                    script.main(collect_only=False)
            script.main(collect_only=False)
        return json.loads((tmp_path / f"{name}.json").read_text())["results"], len(calls)

    whole, count = results("whole")
    assert count == len(list(script.plan())) == 3 * 2 + 2 * 2 + 2
    assert {(row["arm"], row["round"]) for row in whole} == {
        ("ticket", 0), ("ticket", 1), ("ticket", 2), ("reinit", 1), ("random", 1), ("one-shot", 2)
    }  # fmt: skip
    stopped, count = results("stopped", stops=(3, 9))
    assert stopped == whole and count == 14
    # A result file without some controls, and no parts: only tickets are trained again.
    target, path = tmp_path / "lacking.json", tmp_path / "whole.json"
    content = json.loads(path.read_text())
    content["results"] = [row for row in whole if row["arm"] == "ticket"]
    target.write_text(json.dumps(content))
    completed, count = results("lacking")
    assert completed == whole and count == 3 * 2 + 2 * 2 + 2
    content["results"] = whole[:]
    target.write_text(json.dumps(content))
    shutil.rmtree(tmp_path / "lacking")
    completed, count = results("lacking")
    assert completed == whole and count == 3 * 2
    # On a machine where they come out differently, it stops.
    content["results"][0]["test_accuracy"][0][-1] += 0.001
    target.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="ticket 0 seed 0: test_accuracy is up to 0.0010 away"):
        results("lacking")
    by_arm = {(row["arm"], row["round"]): row for row in whole}
    for arm in ("reinit", "random"):
        assert by_arm[arm, 1]["weights_left"] == by_arm["ticket", 1]["weights_left"]
    assert by_arm["one-shot", 2]["weights_left"] == pytest.approx(
        by_arm["ticket", 2]["weights_left"], abs=0.01
    )


def test_the_longer_run_on_a_tiny_problem(monkeypatch, tmp_path):
    sizes = {"WIDTHS": (64, 12, 8, 10), "ITERATIONS": 20, "BETWEEN": 10, "RECORD_EVERY": 10}
    for name, value in (sizes | {"SEEDS": range(2), "ROOT": tmp_path}).items():
        monkeypatch.setattr(longer, name, value)
    monkeypatch.setattr(longer, "TARGET", tmp_path / "longer.json")
    longer.main()
    rows = json.loads((tmp_path / "longer.json").read_text())["results"]
    left = {(row["arm"], row["round"]): row["weights_left"] for row in rows}
    assert len(left) == len(rows) == 12
    assert left["ticket", 0] == 1 and left["ticket", 4] == left["reinit", 4] > left["ticket", 6]
    sparse = [share for (_, number), share in left.items() if number == 20]
    assert len(sparse) == 7 and np.ptp(sparse) < 0.02 and max(sparse) < 0.1
    for row in rows:
        assert np.shape(row["validation_loss"]) == np.shape(row["test_accuracy"]) == (2, 2)
        assert row["early_stop"] == [10 * (1 + np.argmin(loss)) for loss in row["validation_loss"]]
