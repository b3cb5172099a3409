"""The lottery tickets explorable in a browser: its mathematics against numpy, and hands on it."""

import json
import re

import numpy as np
import pytest
from explorable import reached_by_keys, until, wait_for_address

import tutorlib as tl

SLUG = "lottery-tickets"
RNG = np.random.default_rng(0)
SHAPES = ((64, 64), (10, 64))  # of the weights: one row for each unit


def floats(name):
    """JavaScript for the lists x[name] as typed arrays."""
    return f"x.{name}.map((values) => Float64Array.from(values))"


# ---- mathematics against numpy ---------------------------------------------------------------


def much(core, expression, x=None):
    """As core(expression, x), for long answers: as text they arrive many times faster."""
    return json.loads(core(f"JSON.stringify(plain({expression}))", x))


@pytest.fixture(scope="module")
def images(core):
    """All pixels, one row for each image, and all labels."""
    got = much(core, "core.images")
    return np.array(got["values"]).reshape(-1, 64), np.array(got["labels"])


def random_network(density):
    masks = [(RNG.random(shape) < density).astype(int) for shape in SHAPES]
    weights = [RNG.normal(size=shape) * 0.2 for shape in SHAPES]
    return masks, weights


def plain(layers):
    return [layer.ravel().tolist() for layer in layers]


def loss(parameters, images, labels):
    """Mean cross-entropy of w2 relu(w1 x + b1) + b2."""
    w1, b1, w2, b2 = parameters
    logits = np.maximum(0, images @ w1.T + b1) @ w2.T + b2
    top = logits.max(axis=1, keepdims=True)
    logp = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    return -logp[np.arange(len(labels)), labels].mean()


def slopes(parameters, images, labels):
    """Gradients of `loss`, by hand."""
    w1, b1, w2, b2 = parameters
    hidden = np.maximum(0, images @ w1.T + b1)
    logits = hidden @ w2.T + b2
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    p /= len(labels)
    inner = (p @ w2) * (hidden > 0)
    return [inner.T @ images, inner.sum(0), p.T @ hidden, p.sum(0)]


def batches(core, seed, round, count):
    got = much(
        core,
        "((next) => Array.from({ length: x.count }, () => next()))(core.batches(x.seed, x.round))",
        {"seed": seed, "round": round, "count": count},
    )
    return [(np.array(b["input"]).reshape(64, -1).T, np.array(b["labels"])) for b in got]


def test_the_images_are_the_digits(core, images):
    pixels, labels = images[0] * 16, images[1]
    assert pixels.shape == (1797, 64) and pixels.sum() == 561718
    assert np.array_equal(pixels, pixels.round()) and pixels.min() == 0 and pixels.max() == 16
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    parts = core("core.PARTS")
    assert parts == {"train": [0, 1000], "validation": [1000, 1297], "test": [1297, 1797]}


def test_an_epoch_has_every_training_image_once(core, images):
    values = images[0][:1000]
    epoch = batches(core, 1, 3, 20)
    seen = np.concatenate([inputs for inputs, _ in epoch])
    assert np.array_equal(seen[np.lexsort(seen.T)], values[np.lexsort(values.T)])
    assert np.array_equal(batches(core, 1, 3, 1)[0][0], epoch[0][0])
    assert not np.array_equal(batches(core, 1, 4, 1)[0][0], epoch[0][0])


@pytest.mark.parametrize("density", [1, 0.1])
def test_gradients_by_finite_differences(core, density):
    masks, weights = random_network(density)
    inputs, labels = batches(core, 5, 0, 1)[0]
    got = core(
        f"core.gradients(core.network({floats('weights')}, x.masks), core.batches(5, 0)())",
        {"weights": plain(weights), "masks": plain(masks)},
    )
    kept = [mask.astype(bool) for mask in masks]
    layers = [np.where(keep, w, 0) for keep, w in zip(kept, weights, strict=True)]
    parameters = [layers[0], np.zeros(64), layers[1], np.zeros(10)]
    expected = slopes(parameters, inputs, labels)
    expected = [expected[0][kept[0]], expected[1], expected[2][kept[1]], expected[3]]
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)
    # The reference above against differences of the loss, at the largest slopes of each array.
    for i, slope in enumerate(slopes(parameters, inputs, labels)):
        for place in np.argsort(-np.abs(slope), axis=None)[:5]:
            step = np.zeros(slope.size)
            step[place] = 1e-6
            moved = [
                [
                    p + sign * step.reshape(p.shape) if k == i else p
                    for k, p in enumerate(parameters)
                ]
                for sign in (1, -1)
            ]
            difference = (loss(moved[0], inputs, labels) - loss(moved[1], inputs, labels)) / 2e-6
            assert slope.flat[place] == pytest.approx(difference, abs=1e-6)


def test_training_takes_adam_steps(core, images):
    masks, weights = random_network(0.2)
    x = {"weights": plain(weights), "masks": plain(masks)}
    got = much(
        core,
        f"""((arm) => {{
          for (let i = 0; i < 20; i++) arm.advance();
          return [arm.weights(), arm.loss, arm.accuracy];
        }})(core.training({floats("weights")}, x.masks, 7, 2))""",
        x,
    )
    parameters = [weights[0] * masks[0], np.zeros(64), weights[1] * masks[1], np.zeros(10)]
    masks4 = [masks[0], 1, masks[1], 1]
    m, v = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    for t, batch in enumerate(batches(core, 7, 2, 20), start=1):
        for i, g in enumerate(slopes(parameters, *batch)):
            g = g * masks4[i]
            m[i], v[i] = 0.9 * m[i] + 0.1 * g, 0.999 * v[i] + 0.001 * g**2
            size = np.sqrt(v[i] / (1 - 0.999**t)) + 1e-8
            parameters[i] = parameters[i] - 0.01 * m[i] / (1 - 0.9**t) / size
    for mine, theirs in zip(got[0], (parameters[0], parameters[2]), strict=True):
        np.testing.assert_allclose(mine, theirs.ravel(), atol=1e-9)
    # Measured before the first step and after the twentieth, on the images kept apart.
    values, labels = images
    assert got[1][1] == pytest.approx(loss(parameters, values[1000:1297], labels[1000:1297]))
    hidden = np.maximum(0, values[1297:] @ parameters[0].T + parameters[1])
    guesses = (hidden @ parameters[2].T + parameters[3]).argmax(axis=1)
    assert got[2][1] == pytest.approx((guesses == labels[1297:]).mean())


def test_pruning_removes_the_smallest_of_those_left(core):
    masks, weights = random_network(0.5)
    weights[0].flat[:64] = 0.01  # ties
    call = f"core.prune(x.masks, {floats('weights')}, 35)"
    got = core(call, {"masks": plain(masks), "weights": plain(weights)})
    for layer, rate in ((0, 0.35), (1, 0.175)):
        mask, size = masks[layer].ravel(), np.abs(weights[layer].ravel())
        left = np.flatnonzero(mask)
        order = left[np.argsort(size[left], kind="stable")]
        expected = mask.copy()
        expected[order[: int(np.floor(rate * len(left) + 0.5))]] = 0
        assert got[layer] == expected.tolist()


def test_counts_follow_the_rule(core):
    for rate in (10, 35, 50):
        counts = [core("core.left(x.rate, x.r)", {"rate": rate, "r": r}) for r in range(10)]
        assert counts[0] == [4096, 640]
        for before, after in zip(counts, counts[1:], strict=False):
            for layer in (0, 1):
                share = rate / 100 / (layer + 1)
                assert after[layer] == before[layer] - int(np.floor(share * before[layer] + 0.5))
        assert np.prod([1 - rate / 100] * 9) == pytest.approx(counts[9][0] / 4096, rel=0.2)


def test_early_stopping_is_the_first_lowest_validation_loss(core):
    arm = {"loss": [3, 1, 2, 1, 0.5], "accuracy": [0.1, 0.7, 0.9, 0.8, 0.6]}
    assert core("core.stopping(x, 60)", arm) == {"step": 20, "accuracy": 0.7}
    assert core("core.stopping(x, 80)", arm) == {"step": 80, "accuracy": 0.6}


ARMS = ["ticket", "reinit", "random"]
SHOTS = """((run) => {
  run.reach(x.places.at(-1), x.arms, () => false);
  return x.places.flatMap((place) => x.arms.map((arm) => run.snapshot(place, x.arms, arm)));
})(core.experiment({ seed: 3, rate: 50, method: x.method }))"""


def look(core, places, arms=ARMS, method="iterative"):
    """Snapshots { (round, step, arm drawn): snapshot } of one experiment, in order of time."""
    x = {"places": [{"round": r, "step": s} for r, s in places], "arms": arms, "method": method}
    keys = [(*place, arm) for place in places for arm in arms]
    return dict(zip(keys, much(core, SHOTS, x), strict=True))


@pytest.fixture(scope="module")
def shots(core):
    """The beginning and the end of rounds 0 to 2, for each arm."""
    return look(core, [(r, step) for r in range(3) for step in (0, 400)])


def layer(shot, key, index):
    return np.array(shot[key][index])


def test_rounds_prune_and_rewind(core, shots):
    first = shots[0, 0, "ticket"]["weights"]
    for r in range(3):
        begin, end = shots[r, 0, "ticket"], shots[r, 400, "ticket"]
        assert [sum(mask) for mask in begin["masks"]] == core("core.left(50, x)", r)
        for i in (0, 1):
            mask = layer(begin, "masks", i).astype(bool)
            # Rewound to the very first weights; pruned ones stay at zero through training.
            assert np.array_equal(layer(begin, "weights", i)[mask], np.array(first[i])[mask])
            assert not layer(begin, "weights", i)[~mask].any()
            assert not layer(end, "weights", i)[~mask].any()
            assert (layer(end, "weights", i)[mask] != 0).all()
            if r == 2:
                continue
            # The next mask keeps the largest of the trained weights, and revives none.
            after = layer(shots[r + 1, 0, "ticket"], "masks", i).astype(bool)
            assert not (after & ~mask).any()
            sizes = np.abs(layer(end, "weights", i))
            assert sizes[after].min() >= sizes[mask & ~after].max()


def test_arms_share_what_they_should(core, shots):
    for r in (1, 2):
        ticket, reinit, random = (shots[r, 0, name] for name in ("ticket", "reinit", "random"))
        assert reinit["masks"] == ticket["masks"] != random["masks"]
        assert list(map(sum, random["masks"])) == list(map(sum, ticket["masks"]))
        kept = [layer(s, "weights", 0)[layer(s, "masks", 0) == 1] for s in (ticket, reinit, random)]
        for values in kept[1:]:  # Glorot: standard deviation sqrt(2 / 128) = 1/8
            assert values.std() == pytest.approx(0.125, rel=0.1)
        assert kept[0].std() > 0.13  # weights that began large more often survive
        assert not np.isin(kept[1], kept[0]).any() and not np.isin(kept[2], kept[1]).any()
    sizes, signs = core(
        "[core.initial(core.random(3, 'fresh', 2)), core.initial(core.random(3, 'start', 0))]"
    )
    got = core(f"core.withSigns({floats('a')}, {floats('b')})", {"a": sizes, "b": signs})
    for kept, size, sign in zip(got, sizes, signs, strict=True):
        np.testing.assert_array_equal(kept, np.abs(size) * np.sign(sign))


def test_one_shot_prunes_the_dense_network_to_the_same_counts(core, shots):
    shot = look(core, [(2, 0)], ["ticket"], "one-shot")[2, 0, "ticket"]
    dense = shots[0, 400, "ticket"]  # round 0 is the same for both methods
    assert [sum(mask) for mask in shot["masks"]] == core("core.left(50, 2)")
    for i in (0, 1):
        mask, sizes = layer(shot, "masks", i) == 1, np.abs(layer(dense, "weights", i))
        assert sizes[mask].min() >= sizes[~mask].max()


ASK = """x.map((asked) => {
  const session = core.session();
  const settings = { seed: 3, rate: 50, method: "iterative", signs: false, shown: "ticket" };
  let shot;
  for (const [round, step] of asked) {
    do shot = session({ ...settings, round, step });
    while (!shot.done);
  }
  return shot;
})"""


def test_the_same_place_shows_the_same_picture(core):
    back, straight = much(core, ASK, [[[1, 20], [0, 119]], [[0, 100]]])
    assert back == straight
    assert straight["step"] == 100


LOW = """x.map((seed) => {
  const goal = { round: 6, step: 0 };
  const run = core.experiment({ seed, rate: 50, method: "iterative" });
  run.reach(goal, ["ticket"], () => false);
  const { masks } = run.snapshot(goal, ["ticket"], "ticket");
  const first = core.initial(core.random(seed, "start", 0));
  const fresh = core.initial(core.random(seed, "fresh", 6));
  const scattered = core.scatter(masks, core.random(seed, "mask", 6));
  const other = core.initial(core.random(seed, "other", 6));
  const signed = core.withSigns(fresh, first);
  const arms = [[first, masks], [fresh, masks], [other, scattered], [signed, masks]];
  return arms.map(([weights, masks]) => {
    const arm = core.training(weights, masks, seed, 6);
    while (arm.step < 400) arm.advance();
    return core.stopping(arm, 400).accuracy;
  });
})"""


def test_what_the_picture_teaches(core):
    accuracies = np.array(core(LOW, [1, 2, 3, 4, 5]))
    ticket, reinit, random, signs = accuracies.mean(axis=0)
    assert ticket > reinit + 0.05
    assert reinit > random + 0.15
    assert abs(ticket - signs) < 0.04


# ---- a person's hands ------------------------------------------------------------------------


def at(round, step, **more):
    """An address that stands still at a place; pruning half in each round is quick."""
    state = {"running": "false", "rate": 50, "round": round, "step": step} | more
    return "#" + "&".join(f"{SLUG}.{key}={value}" for key, value in state.items())


def settle(page, round, step):
    place = f"[data-round='{round}'][data-step='{step}']"
    page.wait_for_selector(f".frame[data-settled]{place}", timeout=90_000)


def accuracies(page):
    cards = page.locator(".card:visible")
    return {card.get_attribute("class"): card.locator(".big").inner_text() for card in cards.all()}


def pixels(page):
    return page.locator(".network").evaluate("canvas => canvas.toDataURL()")


def test_it_plays_from_the_start(visit):
    page = visit(reduced_motion="no-preference")
    assert page.get_by_role("button", name="Pause").count() == 1
    until(page, "Number(root.querySelector('.frame').dataset.step) > 100")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_selector(".frame[data-settled]")
    assert "dense network reads" in page.locator(".verdict").inner_text()
    page.get_by_role("button", name="Restart").click()
    settle(page, 0, 0)
    page.get_by_role("button", name="Step", exact=True).click()
    settle(page, 0, 20)


def test_where_motion_is_unwelcome_it_says_that_the_picture_waits(visit):
    page = visit()
    words = page.locator("[data-out=step]")
    words.get_by_text("training up to round 9, step 400").wait_for()
    settle(page, 9, 400)
    assert words.inner_text() == "round 9, step 400"


def test_the_race_after_pruning(visit):
    page = visit(at(1, 400))
    settle(page, 1, 400)
    share = f"{100 * (2048 + 480) / 4736:.1f}\u00a0%"
    assert page.locator("[data-out=left]").inner_text() == f"{share} left:"
    text = page.locator(".verdict").inner_text()
    shown = accuracies(page)
    assert set(shown) == {"card dense", "card ticket", "card reinit", "card random"}
    for value in shown.values():
        assert value in text
    for chart, dots in ((".race", 4), (".accuracies", 6), (".speeds", 6)):
        assert page.locator(f"{chart} .dot").count() == dots
    assert "2 finished rounds" in page.locator(".accuracies").get_attribute("aria-label")
    # The fourth arm joins; its accuracy is named too.
    page.get_by_role("button", name="old signs").click()
    page.wait_for_selector(".verdict:has-text('With the old signs')", timeout=90_000)
    assert accuracies(page)["card signs"] in page.locator(".verdict").inner_text()
    assert page.locator(".race .line.signs").count() == 2
    # Scrubbing back and forth shows the same again.
    before = pixels(page), accuracies(page)
    page.get_by_label("round", exact=True).fill("0")
    settle(page, 0, 400)
    assert pixels(page) != before[0]
    page.get_by_label("round", exact=True).fill("1")
    settle(page, 1, 400)
    assert (pixels(page), accuracies(page)) == before


def test_the_drawn_weights_can_be_chosen(visit):
    page = visit(at(0, 20))
    settle(page, 0, 20)
    pictures = [pixels(page)]
    for name in ("new weights", "random mask"):
        page.locator("label", has=page.get_by_role("radio", name=name)).click()
        until(page, "root.querySelector('.network').toDataURL() !== arg", pictures[-1])
        pictures.append(pixels(page))
    assert len(set(pictures)) == 3
    label = page.locator(".network").get_attribute("aria-label")
    assert label.startswith("Random mask, round 0, step 20: 4,096 of 4,096")


def test_it_works_without_workers(visit):
    hash = at(0, 60)
    page = visit(hash, script="delete window.Worker")
    settle(page, 0, 60)
    other = visit(hash)
    settle(other, 0, 60)
    assert accuracies(page) == accuracies(other) and pixels(page) == pixels(other)


def test_the_address_and_the_notebook_carry_the_whole_state(visit):
    hash = at(0, 40, seed=7, method="one-shot", shown="random")
    page = visit(hash)
    settle(page, 0, 40)
    page.get_by_role("button", name="Copy link").click()
    parts = hash[1:].split("&")
    wait_for_address(page, *(part for part in parts if not part.endswith("round=0")))
    page.get_by_role("button", name="in the notebook").click()
    page.wait_for_function("document.querySelector('.explorable-said').textContent.includes('tl.')")
    widget = eval(page.locator(".explorable-said code").inner_text(), {"tl": tl})
    names = ("step", "rate", "method", "shown", "seed", "running", "signs")
    expected = (40, 50, "one-shot", "random", 7, False, False)
    assert tuple(getattr(widget, name) for name in names) == expected


def test_starts_set_the_whole_situation(visit):
    page = visit(at(0, 0, method="one-shot", shown="random"))
    settle(page, 0, 0)
    page.get_by_role("button", name="Only the signs").click()
    wait_for_address(page, "round=8", "step=400", "signs=true")
    for key in ("rate", "method", "shown"):
        assert f"{SLUG}.{key}" not in page.url


def test_touch_on_a_phone(visit):
    page = visit(at(0, 0), viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    settle(page, 0, 0)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="Step", exact=True).tap()
    settle(page, 0, 20)
    for control in page.locator("button:visible, .choices span:visible").all():
        size = control.bounding_box()
        assert size["x"] >= 0 and size["x"] + size["width"] <= 390 and size["height"] >= 43.5


def test_every_control_has_a_name_and_is_reached_by_keys(visit):
    page = visit(at(0, 20))
    settle(page, 0, 20)
    assert {
        "All rounds", "The last race", "Only the signs", "One shot", "Run", "Step", "Restart",
        "time", "round", "rate", "method", "shown", "seed", "New seed", "Reset settings",
    } <= reached_by_keys(page)  # fmt: skip
    page.get_by_label("round and step").focus()
    page.keyboard.press("ArrowRight")
    until(page, "Number(root.querySelector('.frame').dataset.step) > 20")
    value = page.get_by_label("round and step").get_attribute("aria-valuetext")
    assert re.fullmatch(r"round 0, step \d+", value)


def test_dark_redraws_the_picture(visit):
    page = visit(at(0, 0))
    settle(page, 0, 0)
    light = pixels(page)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_selector(".frame[data-dark]")
    assert pixels(page) != light
