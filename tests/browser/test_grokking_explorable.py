"""The grokking explorable in a browser: its mathematics against numpy, and a person's hands."""

import json
import re

import numpy as np
import pytest
from explorable import reached_by_keys, until, wait_for_address

from tools import grokking_map
from tools.definitions import definitions
from tutorlib import explorables

SLUG = "grokking"
DEFAULTS = {name: rule["default"] for name, rule in explorables.manifest(SLUG)["state"].items()}
SETTINGS = ("alpha", "epsilon", "examples", "seed")
RNG = np.random.default_rng(0)
D = 20
BETA = np.sqrt(D) * np.eye(D)[0]


# ---- mathematics against numpy ---------------------------------------------------------------


def settings(**changes):
    return {name: DEFAULTS[name] for name in SETTINGS} | changes


def flat(**arrays):
    return {name: np.asarray(array, float).ravel().tolist() for name, array in arrays.items()}


def weights(width=60, spread=1.0):
    """Weights of a finite network, their mean and second moments."""
    W = RNG.normal(size=(width, D)) * spread
    return W, W.mean(0), W.T @ W / width


def inputs(count):
    return RNG.normal(size=(count, D)) / np.sqrt(D)


def run(core, statements, x):
    return core(f"(() => {{ {statements} }})()", x)


def train(core, enough="false", **changes):
    """Records and falling times of one training; it ends when `enough` holds of its times."""
    return run(
        core,
        f"""
        const training = core.training(x);
        const enough = ({{ train, test }}) => {enough};
        while (!training.done && !enough(training.times)) training.advance();
        return {{
          times: training.times, kernel: core.kernelRegression(training.data, x.epsilon),
          records: training.records.map(({{ w, M, ...numbers }}) => numbers),
        }};""",
        settings(**changes),
    )


BOTH = "train !== null && test !== null"


def test_examples_are_those_of_the_map(core):
    got = core("core.drawExamples(50, 3)")
    x, y = grokking_map.draw_examples(50, 3)
    np.testing.assert_allclose(got["X"], x.ravel(), atol=1e-14)
    np.testing.assert_allclose(got["y"], y, atol=1e-13)
    np.testing.assert_allclose(y, (x @ BETA) ** 2 / 2)
    # More examples keep those already drawn; another seed draws others.
    assert core("core.drawExamples(80, 3)")["X"][: 50 * D] == got["X"]
    assert core("core.drawExamples(50, 4)")["X"] != got["X"]
    x, _ = grokking_map.draw_examples(2000, 1)
    assert x.mean() == pytest.approx(0, abs=4 / np.sqrt(D * x.size))
    assert x.var() == pytest.approx(1 / D, rel=4 * np.sqrt(2 / x.size))


@pytest.mark.parametrize(("alpha", "epsilon"), [(0.25, 0.1), (1, 0.5), (4, 0.05)])
def test_recursion_is_gradient_descent_on_the_full_network(core, alpha, epsilon):
    x = inputs(50)
    y = (x @ BETA) ** 2 / 2
    W, w, M = weights()
    got = run(
        core,
        """
        const read = (name) => Float64Array.from(x[name]);
        const network = core.descent({ X: read("X"), y: read("y"), w: read("w"), M: read("M"),
          alpha: x.alpha, epsilon: x.epsilon });
        const losses = Array.from({ length: 300 }, network.advance);
        return { losses, w: network.w, M: network.M };""",
        flat(X=x, y=y, w=w, M=M) | {"alpha": alpha, "epsilon": epsilon},
    )

    def f(W):
        h = x @ W.T
        return alpha * (h + epsilon / 2 * h**2).mean(1)

    rate = min(4, alpha / epsilon) * len(W) / alpha**2
    first, losses = f(W), []
    for _ in range(300):
        residual = f(W) - first - y
        losses.append((residual**2).mean())
        slopes = residual[:, None] * (1 + epsilon * x @ W.T)  # (examples, width)
        W = W - rate * 2 / len(x) * alpha / len(W) * slopes.T @ x
    np.testing.assert_allclose(got["losses"], losses, rtol=1e-9)
    np.testing.assert_allclose(got["w"], W.mean(0), atol=1e-9)
    np.testing.assert_allclose(got["M"], (W.T @ W / len(W)).ravel(), rtol=1e-9, atol=1e-9)


def loss_terms(core, w, M, alpha=1.5, epsilon=0.3):
    x = flat(w=w, M=M) | {"alpha": alpha, "epsilon": epsilon}
    return core("core.lossTerms(x.w, x.M, x.alpha, x.epsilon)", x)


def test_loss_terms_against_monte_carlo(core):
    _, w, M = weights(spread=2)
    alpha, epsilon = 1.5, 0.3
    x = inputs(200_000)
    moved = M - np.eye(D)
    f = alpha * x @ w + alpha * epsilon / 2 * np.einsum("pi,ij,pj->p", x, moved, x)
    errors = (f - (x @ BETA) ** 2 / 2) ** 2
    exact = sum(loss_terms(core, w, M).values())
    assert abs(errors.mean() - exact) < 3 * errors.std() / np.sqrt(len(errors))


def test_each_loss_term_alone(core):
    perfect = np.eye(D) + np.outer(BETA, BETA) / (1.5 * 0.3)
    zero = np.zeros(D)
    assert loss_terms(core, zero, perfect) == pytest.approx(
        {"scale": 0, "misalignment": 0, "linear": 0}, abs=1e-12
    )
    only_linear = loss_terms(core, 2 * BETA, perfect)
    assert only_linear == pytest.approx(
        {"scale": 0, "misalignment": 0, "linear": 1.5**2 * 4}, abs=1e-12
    )
    # The right size in no direction: the mean of y is learned, its variance is left.
    right_size = np.eye(D) * (1 + 1 / (1.5 * 0.3))
    only_direction = loss_terms(core, zero, right_size)
    assert only_direction == pytest.approx(
        {"scale": 0, "misalignment": (D * D - D) / (2 * D * D), "linear": 0}, abs=1e-12
    )
    start = loss_terms(core, zero, np.eye(D))
    assert start == pytest.approx({"scale": 0.25, "misalignment": 0.5, "linear": 0})


def test_kernel_is_the_networks_tangent_kernel(core):
    x = inputs(30)
    W, w, M = weights()
    slopes = 1 + 0.3 * x @ W.T
    expected = (x @ x.T) * (slopes @ slopes.T) / len(W)
    got = core("core.kernelMatrix(x.X, x.w, x.M, 0.3)", flat(X=x, w=w, M=M))
    np.testing.assert_allclose(np.reshape(got, (30, 30)), expected, atol=1e-12)


@pytest.mark.parametrize(("count", "epsilon"), [(40, 0.05), (80, 0.5), (200, 0.05)])
def test_kernel_regression(core, count, epsilon):
    x = inputs(count)
    y = (x @ BETA) ** 2 / 2

    def kernel(a, b):
        return a @ b.T + epsilon**2 * (a @ b.T) ** 2

    fresh = inputs(40_000)
    errors = (kernel(fresh, x) @ np.linalg.solve(kernel(x, x), y) - (fresh @ BETA) ** 2 / 2) ** 2
    got = core(
        "core.kernelRegression({ X: x.X, y: Float64Array.from(x.y) }, x.epsilon)",
        flat(X=x, y=y) | {"epsilon": epsilon},
    )
    assert abs(errors.mean() - got) < 3 * errors.std() / np.sqrt(len(errors))


def geometry(core, w, M, epsilon):
    return core("core.geometry(x.w, x.M, x.epsilon)", flat(w=w, M=M) | {"epsilon": epsilon})


@pytest.mark.parametrize("epsilon", [0.3, 2])
def test_kernel_alignment_is_the_centred_one_of_many_inputs(core, epsilon):
    W, w, M = weights(spread=np.linspace(3, 0.5, D))
    n = 4000
    x = inputs(n)
    slopes = 1 + epsilon * x @ W.T
    K = (x @ x.T) * (slopes @ slopes.T) / len(W)
    np.fill_diagonal(K, 0)  # pairs of different inputs
    K = K - K.mean(0) - K.mean(1)[:, None] + K.mean()
    np.fill_diagonal(K, 0)
    y = (x @ BETA) ** 2 / 2

    def alignment(K, y):
        y = y - y.mean()
        return y @ K @ y / (np.linalg.norm(K) * (y @ y))

    sample = alignment(K, y)
    assert geometry(core, w, M, epsilon)["kernel"] == pytest.approx(sample, rel=0.1)
    assert alignment(3 * K, 5 * y + 7) == pytest.approx(sample)


def test_geometry_by_hand(core):
    start = geometry(core, np.zeros(D), np.eye(D), 0.05)
    assert start["norm"] == 1
    assert start["direction"] == pytest.approx(1 / np.sqrt(D))
    assert start["kernel"] < 1e-4
    grown = geometry(core, np.zeros(D), np.outer(BETA, BETA), 0.05)
    assert [grown["norm"], grown["direction"]] == pytest.approx([1, 1])
    # The alignment does not change with the kernel's scale: huge M, only the quadratic part counts.
    huge, larger = (geometry(core, np.zeros(D), np.eye(D) * m, 1)["kernel"] for m in (1e7, 3e7))
    assert huge == pytest.approx(larger, rel=1e-6)
    away = np.diag([0] + [1] * (D - 1))
    assert geometry(core, np.zeros(D), away, 0.5)["kernel"] == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_delay_grows_with_the_output_scale(core, seed):
    delays = []
    for alpha in (0.25, 4):
        times = train(core, BOTH, alpha=alpha, seed=seed)["times"]
        delays.append(times["test"] / times["train"] if times["test"] else np.inf)
    middle = train(core, alpha=1, seed=seed)
    delay = middle["times"]["test"] / middle["times"]["train"]
    assert delays[0] < delay < delays[1]
    assert delay > 3

    records = middle["records"]
    test = np.array([record["test"] for record in records])
    parts = np.array([[r["scale"], r["misalignment"], r["linear"]] for r in records])
    np.testing.assert_allclose(parts.sum(1), test)
    # The lazy phase makes the test loss worse, by a linear part that is of no use.
    assert test.max() > 1.08 * test[0] and parts[:, 2].max() > 0.15
    # The norm grows, from first to last, and there is no weight decay.
    norm = [record["norm"] for record in records]
    assert norm[0] == 1 and norm[-1] > 3 and np.diff(norm).min() > -1e-3
    assert records[0]["direction"] < 0.3 and records[-1]["direction"] > 0.85
    assert records[-1]["kernel"] > 50 * records[0]["kernel"]
    # The kernel alone does no better than the mean of y, whose variance is 1/2.
    assert middle["kernel"] > 0.4 and test[-1] < 0.2
    # Gradient descent is stable.
    assert np.diff([record["train"] for record in records]).max() <= 0


def test_gradient_descent_is_stable_at_the_corners(core):
    for alpha in (0.125, 8):
        for epsilon in (0.05, 0.5):
            found = train(core, "train !== null", alpha=alpha, epsilon=epsilon, examples=30)
            losses = [record["train"] for record in found["records"]]
            assert max(np.diff(losses), default=0) <= 0


def test_answers_in_parts_make_one_run(core):
    """However the time is cut, and after another question, the same records come back."""
    ask = """
      const session = core.session();
      const collect = (settings) => {
        const records = [];
        for (;;) {
          const answer = session({ settings, from: records.length });
          records.push(...answer.records);
          if (answer.done) return { records, times: answer.times };
        }
      };
      const part = session({ settings: x, from: 0 }).records;
      session({ settings: { ...x, seed: 7 }, from: 0 });
      const whole = collect(x);
      const training = core.training(x);
      while (!training.done) training.advance();
      const text = JSON.stringify;
      return [text(whole.records) === text(training.records),
        text(part) === text(training.records.slice(0, part.length)),
        text(whole.times) === text(training.times), part.length > 0, whole.records.at(-1).step];
    """
    assert run(core, ask, settings(examples=30)) == [True] * 4 + [10000]


# ---- the map ---------------------------------------------------------------------------------


def the_map():
    text = (explorables.files(SLUG)[1]).read_text(encoding="utf-8")
    rows = re.findall(r"^      (\[\[\[.*?\]\]\]),?$", text, re.MULTILINE)
    times = np.array([json.loads(row) for row in rows])
    shape = len(grokking_map.EPSILONS), len(grokking_map.EXAMPLES), len(grokking_map.ALPHAS)
    return times.reshape(*shape, len(grokking_map.SEEDS), 2)


def test_what_the_page_says_of_the_map():
    """Medians over seeds at the first epsilon, as on the page; below 3 is hardly a delay."""
    train, test = np.moveaxis(the_map()[0].astype(float), -1, 0)
    delay = np.median(np.where(test == 0, np.inf, test) / train, axis=-1)  # (examples, alphas)
    row = grokking_map.EXAMPLES.index
    assert np.isinf(delay[: row(50) + 1]).all()
    assert (delay[row(200)] < 3).all()
    # From alpha = 1/4 on: the lazier the start, the longer, wherever there is an end.
    for delays in delay[row(60) :, 1:]:
        finite = np.isfinite(delays)
        assert (np.diff(delays[finite]) >= 0).all() and (np.diff(finite.astype(int)) <= 0).all()
    assert delay[row(100), 0] < 3
    assert round(delay[row(60), 0]) == 15


def test_cells_are_what_the_reader_gets(core):
    """Trainings in the browser's program against those of the committed map."""
    times = the_map()
    for epsilon, examples, alpha, seed in ((0, 5, 0, 0), (0, 4, 4, 2), (1, 5, 3, 4), (3, 3, 0, 1)):
        found = train(
            core,
            BOTH,
            epsilon=grokking_map.EPSILONS[epsilon],
            examples=grokking_map.EXAMPLES[examples],
            alpha=grokking_map.ALPHAS[alpha],
            seed=grokking_map.SEEDS[seed],
        )["times"]
        expected = times[epsilon, examples, alpha, seed].tolist()
        assert [found["train"], found["test"] or 0] == expected


def test_the_script_makes_the_committed_map():
    alphas = np.array(grokking_map.ALPHAS[:4])
    x, y = grokking_map.draw_examples(100, 3)
    epsilons = np.full(4, grokking_map.EPSILONS[1])
    found = grokking_map.falling_times(definitions(SLUG), x, y, alphas, epsilons)
    np.testing.assert_array_equal(found, the_map()[1, 5, :4, 2])


def test_what_the_map_teaches():
    times = the_map()[0].astype(float)  # epsilon = 0.05: examples, alpha, seed, loss
    assert times[..., 0].min() > 0  # every training set is fitted
    delay = np.where(times[..., 1] > 0, times[..., 1], np.inf) / times[..., 0]
    median = np.median(delay, axis=-1)
    assert np.isinf(median[:3]).all()  # too little data
    assert (median[-1] < 3).all()  # plenty
    for row in median[4:]:
        assert (np.diff(row[np.isfinite(row)]) > 0).all()  # lazier is later
    assert np.isfinite(delay[4, 4]).all() and delay[4, 4].max() > 5 * delay[4, 4].min()


# ---- a person's hands ------------------------------------------------------------------------


def settle(page):
    """Wait until the network is trained and the sentence about it is said."""
    page.wait_for_selector(".frame:not([data-trained=''])", timeout=60_000)
    until(page, "!/^(The network|$)/.test(root.querySelector('.verdict').textContent)")


def numbers(page):
    names = ("train", "test", "norm", "kernel")
    return [page.locator(f"[data-out={name}]").inner_text() for name in names]


def verdict(page):
    return page.locator(".verdict").inner_text()


def lines(page):
    return {
        name: page.locator(f".losses .{name}:not(.later)").get_attribute("d")
        for name in ("line.train", "line.test")
    }


def cell(page, examples, alpha):
    return page.get_by_role("gridcell", name=re.compile(rf"^{examples} examples, alpha {alpha}:"))


def test_it_starts_by_itself_and_groks(visit):
    page = visit("#a-section", reduced_motion="no-preference")
    page.wait_for_selector("[data-out='train-time']:has-text('below 20 % at step 168')")
    assert page.locator("[data-out='test-time']").inner_text() == "not yet below 20 %"
    settle(page)
    assert verdict(page).startswith("Grokking in the loss: the train loss falls below 20 %")
    assert "at step 168, the test loss at step 1,615: 9.6× as many steps (1,447 later)" in verdict(
        page
    )
    assert page.locator(".losses .delay").text_content() == "9.6× later (+1,447 steps)"
    assert page.locator(".crossing").count() == 2
    assert page.url.endswith("#a-section")  # playing alone does not touch the address


def test_other_seeds_are_shown(visit):
    page = visit("#grokking.examples=60&grokking.alpha=0.125")
    page.wait_for_selector(".frame[data-trained='all']", timeout=60_000)
    assert page.locator(".losses .other").count() == 4
    shown = page.locator("[data-out=others]").inner_text()
    times = the_map()[0, 3, 0, 1:]  # the seeds after the first
    delays = [test / train if test else np.inf for train, test in times]
    found = [np.inf if text == "never" else float(text[:-1]) for text in shown.split(", ")]
    np.testing.assert_allclose(found, delays, rtol=0.05)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Rich start: little delay", "Hardly a delay: .* The start is rich"),
        ("Too little data: never", "No grokking within 10,000 steps: .* the test loss never"),
        ("Plenty of data", "Hardly a delay: .* With this many examples"),
    ],
)
def test_situations(visit, name, words):
    page = visit()
    button = page.get_by_role("button", name=name)
    assert button.get_attribute("aria-pressed") == "false"
    button.click()
    settle(page)
    assert re.match(words, verdict(page))
    assert button.get_attribute("aria-pressed") == "true"
    assert page.locator(".cell[aria-selected=true]").count() == 1


def test_scrubbing_moves_everything_and_comes_back(visit):
    page = visit()
    settle(page)
    time = page.get_by_label("training step")
    images = "[...root.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL())"
    inside = "document.querySelector('.explorable-body > *').shadowRoot"

    def look():
        page.wait_for_timeout(50)
        pictures = page.evaluate(f"() => {{ const root = {inside}; return {images} }}")
        parts = page.locator(".parts .area:not(.later)").first.get_attribute("d")
        return numbers(page), lines(page), pictures, parts

    at_end = look()
    time.fill("60")
    early = look()
    assert early[0] != at_end[0] and early[1] != at_end[1] and early[3] != at_end[3]
    assert all(a != b for a, b in zip(early[2], at_end[2], strict=True))
    until(page, "root.querySelector('.verdict').textContent.includes(' At step ')")
    page.get_by_role("button", name="Step", exact=True).click()
    assert numbers(page) != early[0]
    time.fill("100")
    assert look() == at_end
    time.fill("0")
    assert numbers(page)[1:] == ["0.750", "1.00", "5.6e-5"]


def test_a_cell_of_the_map_loads_its_run(visit):
    page = visit()
    settle(page)
    assert cell(page, 80, "2").get_attribute("aria-selected") == "true"
    target = cell(page, 100, "¼")
    assert target.get_attribute("aria-label").endswith("test loss falls after 2.6× as many steps")
    target.click()
    settle(page)
    assert target.get_attribute("aria-selected") == "true"
    assert page.get_by_label("output scale α").get_attribute("aria-valuetext") == "¼"
    assert page.get_by_label("training examples P").get_attribute("aria-valuetext") == "100 = 5 D"
    wait_for_address(page, "grokking.alpha=0.25", "grokking.examples=100")
    train, test = the_map()[0, 5, 1, 0]
    assert f"at step {train}, the test loss at step {test}:" in verdict(page)
    # A number of examples that the map lacks marks no cell.
    page.goto(re.sub("examples=100", "examples=97", page.url))
    until(page, "!root.querySelector('.cell[aria-selected=true]')")


def test_the_map_by_keys(visit):
    page = visit()
    assert page.locator(".cell[tabindex='0']").count() == 1
    cell(page, 80, "2").focus()
    for key in ("ArrowDown", "ArrowLeft", "ArrowRight", "End"):
        page.keyboard.press(key)
    assert cell(page, 100, "8").evaluate("node => node.matches(':focus')")
    for _ in range(4):  # it stops at the edge
        page.keyboard.press("ArrowDown")
    assert cell(page, 200, "8").evaluate("node => node.matches(':focus')")
    assert page.locator(".cell[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    assert cell(page, 200, "8").get_attribute("aria-selected") == "true"
    wait_for_address(page, "grokking.alpha=8", "grokking.examples=200")


def test_the_map_follows_epsilon(visit):
    page = visit()
    before = page.locator(".cell").all_inner_texts()
    page.get_by_label("curvature").fill("3")
    assert page.locator("[data-out=map-epsilon]").inner_text() == "ε = 0.5"
    assert page.locator(".cell").all_inner_texts() != before
    assert cell(page, 80, "2").get_attribute("aria-selected") == "true"


def test_the_address_carries_the_whole_state(visit):
    link = "#" + "&".join(
        f"grokking.{key}"
        for key in (
            "alpha=0.5",
            "epsilon=0.1",
            "examples=33",
            "seed=12",
            "step=300",
            "running=false",
        )
    )
    pages = [visit(link), visit(link)]
    for page in pages:
        settle(page)
    assert numbers(pages[0]) == numbers(pages[1])
    assert lines(pages[0]) == lines(pages[1]) and verdict(pages[0]) == verdict(pages[1])
    page = pages[0]
    assert page.get_by_label("seed of the examples").input_value() == "12"
    page.get_by_role("button", name="New seed").click()
    settle(page)
    wait_for_address(page, "grokking.seed=13")
    assert lines(page) != lines(pages[1])
    page.get_by_role("button", name="Reset settings").click()
    until(page, "root.querySelector('#seed').value === '1'")
    assert cell(page, 80, "2").get_attribute("aria-selected") == "true"


def test_it_learns_without_workers(visit):
    link = "#grokking.examples=30"
    page, other = visit(link, script="delete window.Worker"), visit(link)
    settle(page)
    settle(other)
    assert numbers(page) == numbers(other) and lines(page) == lines(other)


def test_touch_on_a_phone(visit):
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    cell(page, 40, "2").tap()
    settle(page)
    assert verdict(page).startswith("No grokking within 10,000 steps")
    for control in page.locator("button:visible, input:visible").all():
        size = control.bounding_box()
        assert size["x"] >= 0 and size["x"] + size["width"] <= 390
        if control.evaluate("node => node.type") != "range":
            assert size["height"] >= 43.5


def test_every_control_has_a_name_and_is_reached_by_keys(visit):
    page = visit("#grokking.examples=30&grokking.running=false&grokking.step=500")
    settle(page)
    reached = reached_by_keys(page)
    controls = "run step restart time alpha epsilon examples seed reseed".split()
    assert {*controls, "Lazy start: groks", "Plenty of data", "Reset settings"} <= reached
    assert sum(name.startswith("cell") for name in reached) == 1  # arrows lead to the others


def test_dark_follows_the_page(visit):
    page = visit("#grokking.examples=30")
    settle(page)

    def corner():
        return page.locator("canvas.moments").evaluate(
            "node => Array.from(node.getContext('2d').getImageData(19, 0, 1, 1).data.slice(0, 3))"
        )

    assert min(corner()) > 200
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_selector(".frame[data-dark]")
    assert max(corner()) < 60


def test_state_and_program_agree(core):
    rules = explorables.manifest(SLUG)["state"]
    assert core("core.STEPS") == rules["step"]["maximum"] == grokking_map.STEPS
    assert core("core.D") == grokking_map.DIMENSIONS == D
    for name, stops in (
        ("alpha", grokking_map.ALPHAS),
        ("epsilon", grokking_map.EPSILONS),
        ("examples", grokking_map.EXAMPLES),
    ):
        assert (min(stops), max(stops)) == (rules[name]["minimum"], rules[name]["maximum"])
        assert rules[name]["default"] in stops
