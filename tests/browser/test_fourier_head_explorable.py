"""The Fourier head explorable in a browser: its mathematics against numpy, and a person's hands."""

import re

import numpy as np
import pytest
from explorable import reached_by_keys, until, wait_for_address

import tutorlib as tl
from tutorlib import explorables

SLUG = "fourier-head"
DEFAULTS = {name: rule["default"] for name, rule in explorables.manifest(SLUG)["state"].items()}
SETTINGS = ("shape", "drawing", "frequencies", "bins", "samples", "seed", "shuffled")
RNG = np.random.default_rng(0)


# ---- mathematics against numpy ---------------------------------------------------------------


def settings(**changes):
    return {name: DEFAULTS[name] for name in SETTINGS} | changes


def snapshot(core, step, **changes):
    return core("core.session()(x)", {"settings": settings(**changes), "step": step})


def centres(m):
    return (np.arange(m) * 2 + 1 - m) / m


def head(a, m):
    """The head's definition in the paper: a density from the autocorrelation of a, on m bins."""
    N = len(a) - 1
    c = np.array([np.sum(a[k:] * np.conj(a[: N + 1 - k])) for k in range(N + 1)])
    waves = np.exp(1j * np.pi * np.outer(centres(m), np.arange(1, N + 1)))
    p = 0.5 + (waves @ c[1:] / c[0].real).real
    y = p / p.sum()
    return (y + 1e-5) / (1 + m * 1e-5), np.abs(c[1:]) / c[0].real


def interleave(a):
    return np.stack([a.real, a.imag], 1).ravel().tolist()


def random_coefficients(N):
    return RNG.normal(size=N + 1) + 1j * RNG.normal(size=N + 1)


@pytest.mark.parametrize(("m", "N"), [(32, 1), (32, 15), (64, 12), (128, 24)])
def test_head_and_coefficients(core, m, N):
    a = random_coefficients(N)
    y, magnitudes = head(a, m)
    x = {"a": interleave(a), "m": m, "N": N}
    got = core("core.fourierHead(Float64Array.from(x.a), core.waves(core.binCentres(x.m), x.N))", x)
    np.testing.assert_allclose(got, y, atol=1e-12)
    np.testing.assert_allclose(core("core.coefficients(x.a)", x), magnitudes, atol=1e-12)


@pytest.mark.parametrize(("m", "N"), [(32, 5), (64, 24)])
def test_gradients_by_finite_differences(core, m, N):
    seen = RNG.dirichlet(np.ones(m))
    a = random_coefficients(N)
    logits = RNG.normal(size=m)

    def fourier_loss(flat):
        return -seen @ np.log(head(flat[0::2] + 1j * flat[1::2], m)[0])

    def softmax_loss(z):
        return -seen @ (z - np.log(np.exp(z).sum()))

    x = {"seen": seen.tolist(), "m": m, "N": N}
    basis = "core.waves(core.binCentres(x.m), x.N)"
    for loss, at, call in (
        (
            fourier_loss,
            np.array(interleave(a)),
            f"core.fourierLoss(x.at, Float64Array.from(x.seen), {basis})",
        ),
        (
            softmax_loss,
            logits,
            "core.softmaxLoss(Float64Array.from(x.at), Float64Array.from(x.seen))",
        ),
    ):
        got = core(call, x | {"at": at.tolist()})
        assert got["loss"] == pytest.approx(loss(at), rel=1e-12)
        h = 1e-6
        slopes = [(loss(at + h * e) - loss(at - h * e)) / (2 * h) for e in np.eye(len(at))]
        np.testing.assert_allclose(got["gradient"], slopes, atol=1e-7)


@pytest.mark.parametrize("m", [32, 64, 128])
def test_smoothness_and_divergence(core, m):
    y = RNG.dirichlet(np.ones(m))
    lags = np.arange(-(m - 1), m)
    s = 0.0
    for sigma in range(1, 101):
        g = np.exp(-0.5 * (lags / sigma) ** 2)
        smoothed = sum(w * np.roll(y, k) for w, k in zip(g / g.sum(), lags, strict=True))
        s += 6 / (np.pi * sigma) ** 2 * np.linalg.norm(y - smoothed)
    assert core("core.smoothness(x)", y.tolist()) == pytest.approx(s, rel=1e-9)
    assert core("core.smoothness(x)", [1 / m] * m) == pytest.approx(0, abs=1e-12)

    t = RNG.dirichlet(np.ones(m))
    t[0] = 0.0
    terms = t[1:] * np.log(t[1:] / y[1:])
    got = core("core.klDivergence(x.t, x.y)", {"t": t.tolist(), "y": y.tolist()})
    assert got == pytest.approx(terms.sum(), rel=1e-12)


def gauss(z, mu, width):
    return np.exp(-((z - mu) ** 2) / (2 * width**2))


DRAWING = [(7 * i) % 90 for i in range(64)]
DENSITIES = {
    "one-bump": lambda z: gauss(z, 0.15, 0.15),
    "two-bumps": lambda z: gauss(z, -0.4, 0.1) + 0.7 * gauss(z, 0.35, 0.14),
    "square-wave": lambda z: np.where(np.sin(2 * np.pi * z) > 0, 1, 0.05),
    "edge-mass": lambda z: np.exp((z - 1) / 0.15),
    "three-narrow-bumps": lambda z: sum(gauss(z, mu, 0.03) for mu in (-0.6, 0.02, 0.5)),
    "drawn": lambda z: np.interp(z, centres(64), DRAWING),
}


@pytest.mark.parametrize("m", [32, 64, 128])
@pytest.mark.parametrize("shape", DENSITIES)
def test_targets(core, shape, m):
    expected = DENSITIES[shape](centres(m))
    got = core("core.target(x)", settings(shape=shape, drawing=DRAWING, bins=m))
    np.testing.assert_allclose(got, expected / expected.sum(), atol=1e-12)


def test_an_empty_drawing_is_flat(core):
    for drawing in ([], [0] * 64):
        got = core("core.target(x)", settings(shape="drawn", drawing=drawing))
        np.testing.assert_allclose(got, 1 / 64)


def test_samples_follow_the_target_and_the_seed(core):
    def draw(samples, seed):
        x = settings() | {"n": samples, "s": seed}
        return np.array(core("core.sampleCounts(core.target(x), x.n, x.s)", x))

    target = np.array(core("core.target(x)", settings()))
    assert (draw(500, 3) == draw(500, 3)).all()
    assert (draw(500, 3) != draw(500, 4)).any()
    # More samples keep those already drawn.
    assert (draw(500, 3) <= draw(501, 3)).all()
    counts = sum(draw(10000, seed) for seed in range(20))
    assert counts.sum() == 200_000
    expected = 200_000 * target
    usual = expected > 5
    statistic = ((counts - expected) ** 2 / expected)[usual].sum()
    assert statistic < usual.sum() + 5 * np.sqrt(2 * usual.sum())


def test_permutation(core):
    order = core("core.permutation(64, 5)")
    assert sorted(order) == list(range(64)) and order != list(range(64))
    assert order == core("core.permutation(64, 5)") != core("core.permutation(64, 6)")
    values = list(range(64))
    there = "core.toHeadOrder(x.values, x.order)"
    x = {"values": values, "order": order}
    assert core(f"core.toTrueOrder({there}, x.order)", x) == values
    assert core(there, x)[order[10]] == 10


def test_softmax_head_takes_adam_steps(core):
    shot = snapshot(core, 30)
    seen = np.array(shot["counts"]) / 200
    z, m1, m2 = np.zeros(64), np.zeros(64), np.zeros(64)
    for t in range(1, 31):
        g = np.exp(z) / np.exp(z).sum() - seen
        m1, m2 = 0.9 * m1 + 0.1 * g, 0.999 * m2 + 0.001 * g**2
        z -= 0.02 * (m1 / (1 - 0.9**t)) / (np.sqrt(m2 / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(shot["linear"], np.exp(z) / np.exp(z).sum(), rtol=1e-9)


def test_learning_is_deterministic_and_can_be_scrubbed(core):
    run = "x.steps.map((step) => session({ settings: x.settings, step })).at(-1)"
    scrub = f"(() => {{ const session = core.session(); return {run} }})()"
    forth, back = (
        core(scrub, {"settings": settings(), "steps": steps}) for steps in ([40, 90], [200, 90])
    )
    assert forth == back
    assert forth["step"] == 90


def test_what_the_picture_teaches(core):
    start = snapshot(core, 0)
    np.testing.assert_allclose(start["linear"], 1 / 64)
    plain = snapshot(core, 1000)
    for name in ("linear", "fourier"):
        assert plain["kl"][name] < 0.5 * start["kl"][name]
        assert sum(plain[name]) == pytest.approx(1)
    assert plain["kl"]["fourier"] < 0.5 * plain["kl"]["linear"]
    assert plain["smoothness"]["fourier"] < plain["smoothness"]["linear"]
    # The control: without neighbours the advantage is gone, and softmax does not notice.
    shuffled = snapshot(core, 1000, shuffled=True)
    assert shuffled["kl"]["fourier"] > shuffled["kl"]["linear"]
    assert shuffled["kl"]["linear"] == pytest.approx(plain["kl"]["linear"], rel=1e-9)
    # Where it breaks: one edge with mass, and bumps narrower than the waves.
    for shape in ("edge-mass", "three-narrow-bumps"):
        lost = snapshot(core, 1000, shape=shape, samples=1000)["kl"]
        assert lost["fourier"] > 2 * lost["linear"]


# ---- a person's hands ------------------------------------------------------------------------


def settle(page):
    """Wait until learning has ended and the sentence about it is said."""
    page.wait_for_selector(".frame[data-step='1000']")
    until(page, "root.querySelector('.verdict').textContent.startsWith('After 1000 steps')")


def numbers(page):
    names = (
        "linear-kl",
        "fourier-kl",
        "target-smoothness",
        "linear-smoothness",
        "fourier-smoothness",
    )
    return {name: page.locator(f"[data-out={name}]").inner_text() for name in names}


def curves(page):
    return {
        name: page.locator(f".plot .{name}").get_attribute("d")
        for name in ("goal", "line.linear", "line.fourier")
    }


def test_it_starts_by_itself_and_both_heads_learn(visit):
    page = visit("#a-section", reduced_motion="no-preference")
    settle(page)
    assert page.locator(".explorable-fallback").is_hidden()
    values = numbers(page)
    assert float(values["fourier-kl"]) < float(values["linear-kl"]) < 0.5
    assert "the Fourier head is closer" in page.locator(".verdict").inner_text()
    # Playing alone does not touch the address.
    assert page.url.endswith("#a-section")
    learned = curves(page)
    page.get_by_role("button", name="Restart").click()
    page.wait_for_selector(".frame[data-step='0']")
    fresh = curves(page)
    assert fresh["goal"] == learned["goal"]
    assert fresh["line.linear"] != learned["line.linear"]
    assert fresh["line.fourier"] != learned["line.fourier"]
    assert float(numbers(page)["fourier-kl"]) > 5 * float(values["fourier-kl"])
    page.get_by_role("button", name="Step", exact=True).click()
    page.wait_for_selector(".frame[data-step='1']")


def test_it_learns_without_workers(visit):
    page = visit(script="delete window.Worker")
    settle(page)
    without = numbers(page)
    other = visit()
    settle(other)
    assert without == numbers(other)


def test_keyboard_draws(visit):
    page = visit("#fourier-head.running=false&fourier-head.step=1000")
    page.wait_for_selector(".frame[data-step='1000']")
    plot = page.get_by_role("slider", name=re.compile("Target density"))
    plot.focus()
    before = curves(page)
    for key in ("ArrowRight", "ArrowRight", "PageUp", "ArrowUp"):
        page.keyboard.press(key)
    assert plot.get_attribute("aria-valuenow") == str(
        25 + round(60 * DENSITIES["two-bumps"](5 / 64))
    )
    assert plot.get_attribute("aria-valuetext").startswith("at 0.08")
    until(page, "root.querySelector('.goal').getAttribute('d') !== arg", arg=before["goal"])
    assert page.get_by_role("radio", name="my drawing").is_checked()
    settle(page)
    assert curves(page)["line.fourier"] != before["line.fourier"]
    page.keyboard.press("Home")
    assert plot.get_attribute("aria-valuetext").startswith("at -0.98")


def drawing_of(page):
    wait_for_address(page, "fourier-head.drawing=")
    return [int(n) for n in re.search(r"fourier-head\.drawing=([\d.]+)", page.url)[1].split(".")]


def test_pointer_draws_under_the_pointer(visit):
    page = visit()
    settle(page)
    box = page.locator(".plot svg").bounding_box()
    left, right = box["x"] + 38, box["x"] + box["width"] - 10
    top, bottom = box["y"] + 28, box["y"] + box["height"] - 26
    middle = (top + bottom) / 2
    page.mouse.move(left + 2, middle)
    page.mouse.down()
    page.mouse.move((left + right) / 2, top, steps=4)
    page.mouse.move(right - 2, middle, steps=7)
    page.mouse.up()
    drawing = drawing_of(page)
    assert max(drawing) == 100 and drawing.index(100) in (31, 32)
    assert abs(drawing[0] - 50) <= 2 and abs(drawing[-1] - 50) <= 2
    assert np.diff(drawing[:31]).min() >= 0 >= np.diff(drawing[33:]).max()
    settle(page)
    # One broad hill: the Fourier head finds it.
    assert float(numbers(page)["fourier-kl"]) < 0.15


def test_touch_on_a_phone(visit):
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    settle(page)  # while it learns, the text above the picture may still move it
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    box = page.locator(".plot svg").bounding_box()
    page.touchscreen.tap(box["x"] + 38 + 4.5 / 64 * (box["width"] - 48), box["y"] + 28)
    assert drawing_of(page)[4] >= 99
    for control in page.locator(
        "button:visible, input[type=range]:visible, .choices span:visible"
    ).all():
        size = control.bounding_box()
        assert size["x"] >= 0 and size["x"] + size["width"] <= 390
        if control.evaluate("node => node.tagName") != "INPUT":
            assert size["height"] >= 43.5
    assert page.locator(".plot").evaluate("node => getComputedStyle(node).touchAction") == "pan-y"


def test_moving_a_control_shows_what_would_have_been_learned(visit):
    page = visit()
    settle(page)
    frequencies = page.get_by_label("frequencies N of the Fourier head")
    before = numbers(page)["fourier-kl"]
    frequencies.fill("2")
    until(page, "root.querySelector('[data-out=fourier-kl]').textContent !== arg", before)
    assert page.locator(".coefficients rect").count() == 2
    assert page.locator(".frame").get_attribute("data-step") == "1000"


def test_the_bins_are_a_slider_with_three_stops(visit):
    page = visit()
    settle(page)
    frequencies = page.get_by_label("frequencies N of the Fourier head")
    frequencies.fill("24")
    bins = page.get_by_role("slider", name="bins m")
    assert bins.get_attribute("aria-valuetext") == "64"
    bins.focus()
    # Fewer bins allow fewer frequencies.
    page.keyboard.press("ArrowLeft")
    assert bins.get_attribute("aria-valuetext") == "32"
    assert page.locator("[data-out=bins]").inner_text() == "32"
    wait_for_address(page, "fourier-head.bins=32", "fourier-head.frequencies=15")
    assert frequencies.input_value() == frequencies.get_attribute("max") == "15"
    # The softmax head has one flat piece for each bin.
    pieces = "root.querySelector('.plot .line.linear').getAttribute('d').match(/H/g).length === arg"
    until(page, pieces, 32)
    page.keyboard.press("ArrowLeft")  # there is no stop below
    assert bins.get_attribute("aria-valuetext") == "32"
    page.keyboard.press("End")
    wait_for_address(page, "fourier-head.bins=128")
    until(page, pieces, 128)
    assert frequencies.get_attribute("max") == "24"


def test_shuffle_and_the_heads_order(visit):
    page = visit()
    settle(page)
    before = curves(page), numbers(page)
    page.get_by_role("button", name="Shuffle the bins").click()
    until(page, "root.querySelector('.verdict').textContent.includes('neighbouring bins')")
    after = curves(page), numbers(page)
    assert after[0]["goal"] == before[0]["goal"]
    assert after[0]["line.linear"] == before[0]["line.linear"]
    assert after[1]["linear-kl"] == before[1]["linear-kl"]
    assert float(after[1]["fourier-kl"]) > 5 * float(before[1]["fourier-kl"])
    page.locator("label", has=page.get_by_role("radio", name="the heads' order")).click()
    assert curves(page)["goal"] != before[0]["goal"]
    # In that order there is nothing to draw on.
    page.locator(".plot").click(position={"x": 200, "y": 60})
    assert page.get_by_role("radio", name="two bumps").is_checked()


CHANGED = (
    "#fourier-head.frequencies=20&fourier-head.samples=500"
    "&fourier-head.seed=7&fourier-head.shuffled=true"
)


def test_the_address_carries_the_whole_state(visit):
    page = visit(CHANGED)
    settle(page)
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function(
        "document.querySelector('.explorable-said').textContent.includes('link')"
    )
    link = page.locator(".explorable-said code").inner_text()
    assert link == page.url
    other = visit("#" + link.split("#")[1])
    other.wait_for_selector(".frame[data-step='1000']")
    assert numbers(other) == numbers(page)
    assert curves(other) == curves(page)
    assert other.get_by_label("seed of samples").input_value() == "7"


def test_the_line_for_the_notebook_gives_the_same_state(visit):
    page = visit(
        CHANGED + "&fourier-head.shape=drawn&fourier-head.drawing=" + ".".join(map(str, DRAWING))
    )
    settle(page)
    page.get_by_role("button", name="in the notebook").click()
    page.wait_for_selector(".explorable-said code")
    line = page.locator(".explorable-said code").inner_text()
    widget = eval(line, {"tl": tl})
    assert (widget.frequencies, widget.samples, widget.seed, widget.shuffled) == (20, 500, 7, True)
    assert (widget.shape, widget.drawing, widget.step, widget.running) == (
        "drawn",
        DRAWING,
        1000,
        False,
    )
    assert "bins" not in line


def test_reset_and_forbidden_values(visit):
    page = visit(
        "#fourier-head.bins=32&fourier-head.frequencies=24&fourier-head.seed=-1&fourier-head.shape=hill&fourier-head.drawing=5"
    )
    settle(page)
    assert page.get_by_label("frequencies N").input_value() == "15"
    assert page.get_by_label("seed of samples").input_value() == "1"
    assert page.get_by_role("radio", name="two bumps").is_checked()
    page.get_by_role("button", name="Reset settings").click()
    settle(page)
    assert page.locator("[data-out=bins]").inner_text() == "64"
    assert page.get_by_label("frequencies N").input_value() == "12"


WATCH = """
addEventListener("DOMContentLoaded", () => {
  window.steps = []; window.sentences = [];
  const timer = setInterval(() => {
    const root = document.querySelector(".explorable-body > *")?.shadowRoot;
    if (!root) return;
    clearInterval(timer);
    const frame = root.querySelector(".frame");
    new MutationObserver(() => steps.push(frame.dataset.step))
      .observe(frame, { attributeFilter: ["data-step"] });
    const verdict = root.querySelector(".verdict");
    new MutationObserver(() => sentences.push(verdict.textContent))
      .observe(verdict, { childList: true });
  }, 1);
});
"""


def test_reduced_motion_shows_only_the_end(visit):
    page = visit(script=WATCH)
    settle(page)
    assert set(page.evaluate("steps")) <= {"0", "1000"}


def test_screen_readers_hear_the_beginning_and_the_end(visit):
    page = visit(script=WATCH, reduced_motion="no-preference")
    settle(page)
    assert len(page.evaluate("steps")) > 10
    assert len(page.evaluate("sentences")) <= 2
    # Nothing else is a live region.
    assert page.locator(".frame :is(output, [role=status], [role=alert], [aria-live])").count() == 1


def test_every_control_has_a_name_and_is_reached_by_keys(visit):
    page = visit("#fourier-head.shuffled=true&fourier-head.running=false&fourier-head.step=9")
    player = "run step restart time".split()
    others = "shape plot frequencies samples bins seed reseed shuffle order".split()
    assert {*player, *others, "Reset settings"} <= reached_by_keys(page)


def test_dark_follows_the_page(visit):
    page = visit()

    def colours():
        return page.locator(".frame").evaluate(
            "node => [getComputedStyle(node).backgroundColor, getComputedStyle(node).color]"
        )

    light = colours()
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_selector(".frame[data-dark]")
    assert colours() == ["rgb(22, 25, 29)", "rgb(232, 234, 237)"] != light
    page.evaluate("document.documentElement.style.setProperty('--pim-paper', 'rgb(1, 2, 3)')")
    assert colours()[0] == "rgb(1, 2, 3)"
