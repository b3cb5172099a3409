"""The fractal boundary explorable in a browser: training against numpy, and a person's hands."""

import base64
import json
import re
import zlib
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from explorable import back_to_top, reached_by_keys, until

import tutorlib as tl
from tools import fractal_boundary_levels as levels
from tutorlib import explorables

SLUG = "fractal-boundary"
MAP = {"x": 1.5, "y": 1.5, "span": 9}
QUICK = "#fractal-boundary.steps=50"
MARK = {key: explorables.manifest(SLUG)["state"][key]["default"] for key in ("across", "up")}


# ---- training against numpy ------------------------------------------------------------------


def settings(**changes):
    return {"activation": "tanh", "points": 1, "steps": 500, "seed": 2} | changes


def activations(activation, z):
    """The units' outputs and slopes."""
    if activation == "tanh":
        a = np.tanh(np.sqrt(2) * z)
        return a, np.sqrt(2) * (1 - a**2)
    if activation == "relu":
        return np.sqrt(2) * np.maximum(z, 0), np.sqrt(2) * (z > 0)
    return z, np.ones_like(z)


def losses(rate0, rate1, activation, points, steps, seed):
    """Losses (step, network) of gradient descent on all weights, for arrays of learning rates."""
    W0, w1, x, y = levels.problem(seed, points)
    n = len(w1)
    W0, w1 = np.tile(W0, (len(rate0), 1, 1)), np.tile(w1, (len(rate0), 1))
    trace = []
    with np.errstate(all="ignore"):
        for _ in range(steps):
            a, slope = activations(activation, x @ W0 / np.sqrt(n))  # (network, point, unit)
            error = np.einsum("bjn,bn->bj", a, w1) / n - y
            trace.append(np.mean(error**2, 1))
            push = 2 / points * error[:, :, None] / n
            gradient = np.einsum("jk,bjn->bkn", x, push * slope) * w1[:, None] / np.sqrt(n)
            w1 = w1 - rate1[:, None] * (push * a).sum(1)
            W0 = W0 - rate0[:, None, None] * gradient
    return np.array(trace)


def measure(trace):
    """The convergence measure of the losses along the first axis."""
    with np.errstate(all="ignore"):
        v = np.minimum(np.where(np.isfinite(trace), trace, 1e6) / trace[0], 1e6)
        return np.where(v[-20:].mean(0) < 1, -v.sum(0), (1 / v).sum(0))


def rates(window, size):
    """Learning rates of all pixels, row after row from the lowest rate of the output layer."""
    ticks = window["span"] * ((np.arange(size) + 0.5) / size - 0.5)
    rate1, rate0 = np.meshgrid(window["y"] + ticks, window["x"] + ticks, indexing="ij")
    return 10 ** rate0.ravel(), 10 ** rate1.ravel()


def pixels(core, kind, size, window=MAP, **changes):
    x = {"kind": kind, "from": 0, "count": size**2, "size": size, "window": window}
    answer = core("core.session()(x)", x | {"settings": settings(**changes)})
    assert "failed" not in answer
    return np.array(answer["values"])


def inside(V, size):
    """Pixels whose neighbours all have their sign."""
    phase = np.pad((V < 0).reshape(size, size), 1, mode="edge")
    around = [np.roll(phase, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return (np.all(around, 0) | ~np.any(around, 0))[1:-1, 1:-1].ravel()


CONDITIONS = [
    {"activation": "tanh", "points": 1, "steps": 200},
    {"activation": "tanh", "points": 8, "steps": 50},
    {"activation": "relu", "points": 4, "steps": 100},
    {"activation": "identity", "points": 2, "steps": 100},
]


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda c: f"{c['activation']}-{c['points']}")
def test_every_pixel_is_trained_as_in_numpy(core, condition):
    size = 32
    expected = measure(losses(*rates(MAP, size), **settings(**condition)))
    assert 0.1 < np.mean(expected < 0) < 0.9
    exact = pixels(core, "float64", size, **condition)
    # Some diverging runs are chaotic: there any two roundings part.
    same = np.isclose(exact, expected, rtol=1e-9, atol=0)
    assert same.mean() > 0.97
    assert (np.sign(exact) == np.sign(expected)).mean() > 0.998
    shader = pixels(core, "float32", size, **condition)
    assert (np.sign(shader) == np.sign(expected)).mean() >= 0.99
    calm = inside(expected, size) & same
    assert np.isclose(shader, expected, rtol=1e-3)[calm].mean() > 0.97


def test_the_shader_counts_an_overflow_as_the_paper_does(core):
    """As a loss of a million, before it is divided by the first; float32 only overflows earlier."""
    window = {"x": 1.5, "y": 5, "span": 2}
    exact, shader = (pixels(core, kind, 16, window) for kind in ("float64", "float32"))
    assert (exact > 1).all() and (exact < 1.01).all()
    np.testing.assert_allclose(shader, exact, rtol=1.5e-4)


TRACES = {
    "constant": np.full(60, 0.7),
    "zero from the start of the tail": np.r_[np.full(40, 2.0), np.full(20, 1e-9)],
    "oscillating below": np.where(np.arange(60) % 2, 0.2, 1.0),
    "oscillating above": np.where(np.arange(60) % 2, 3.0, 1.0),
    "not a number half-way": np.r_[np.linspace(2, 1, 30), np.full(30, np.nan)],
    "exploding": 10.0 ** np.linspace(0, 400, 60).clip(max=308),
    "infinite": np.r_[np.full(50, 0.1), np.full(10, np.inf)],
    "large and back": np.r_[1.0, np.full(30, 1e9), np.full(29, 1e-3)],
}


@pytest.mark.parametrize("name", TRACES)
def test_the_measure(core, name):
    trace = TRACES[name]
    coded = [v if np.isfinite(v) else str(v) for v in trace]  # JSON has no infinity
    read = "x.map((v) => ({ nan: NaN, inf: Infinity })[v] ?? v)"
    assert core(f"core.measure({read})", coded) == pytest.approx(float(measure(trace)), rel=1e-12)


@pytest.mark.parametrize("spot", [(0.2, 0.3), (0.45, 0.5), (0.7, 0.9)])
def test_loss_curves(core, spot):
    index = int(spot[1] * 384) * 384 + int(spot[0] * 384)
    x = {"settings": settings(points=2), "window": MAP, "size": 384}
    got = core(f"core.curve(x, {index})", x)
    rate0, rate1 = (rate[[index]] for rate in rates(MAP, 384))
    trace = losses(rate0, rate1, **settings(points=2))[:, 0]
    finite = np.isfinite(trace)
    expected = np.minimum(trace[finite] / trace[0], 1e6)
    np.testing.assert_allclose(np.array(got["losses"])[finite][:60], expected[:60], rtol=1e-8)
    assert got["rate0"] == pytest.approx(rate0[0]) and got["rate1"] == pytest.approx(rate1[0])
    assert np.sign(got["V"]) == np.sign(measure(trace))


def test_a_loss_that_overflowed_stays_at_the_ceiling(core, visit):
    spot = dict(across=0.5, up=0.5)
    index = int(spot["up"] * 384) * 384 + int(spot["across"] * 384)
    x = {"settings": settings(), "window": MAP, "size": 384}
    v = np.array(core(f"core.curve(x, {index})", x)["losses"])
    high = np.argmax(v >= 1e6)
    assert 0 < high < np.argmax(np.isinf(v)) and (v[high:] >= 1e6).all()
    page = visit(f"#fractal-boundary.across={spot['across']}&fractal-boundary.up={spot['up']}")
    until(page, "root.querySelector('.pixel').dataset.phase === 'diverged'")
    path = page.locator(".loss path.loss").get_attribute("d")
    heights = np.array([float(point.split()[1]) for point in path[1:].split("L")])
    assert (heights[high:] == heights[-1]).all() and heights[-1] == heights.min()


# ---- the guided zoom -------------------------------------------------------------------------


def stored():
    text = levels.TARGET.read_text(encoding="utf-8")
    content = json.loads(re.search(r"^const LEVELS = (\{.*\});$", text, re.MULTILINE)[1])
    assert len(content["pixels"]) < 120_000
    raw = zlib.decompress(base64.b64decode(content["pixels"]))
    size = content["size"]
    return content, np.frombuffer(raw, np.int8).reshape(-1, size, size)


def test_the_script_trains_as_numpy_does():
    with jax.enable_x64(True):
        got = levels.render((1.5, 1.5, 9.0), 8, **settings(points=2, steps=100))
    expected = measure(losses(*rates(MAP, 8), **settings(points=2, steps=100)))
    close = np.isclose(got.ravel(), expected, rtol=1e-8)
    assert close.mean() > 0.95


def test_the_stored_pictures_are_the_chapters_own():
    """The chapter's definitions, executed alone, give the stored picture and the next window."""
    content, pictures = stored()
    assert levels.CHAPTER.__dict__.keys() >= {"pixel", "train_grid", "edges", "densest", "tones"}
    level = len(content["windows"]) - content["stored"]
    V = levels.render(tuple(content["windows"][level]), content["size"], **content["settings"])
    # On another processor some pixels on the boundary differ, and ranks with them.
    assert ((V < 0) == (pictures[0] < 0)).mean() >= 0.999
    tones = levels.CHAPTER.tones(V, levels.TONES)
    assert (abs(tones.astype(int) - pictures[0]) <= 1).mean() >= 0.99
    following = levels.densest(tuple(content["windows"][level]), V, levels.FACTOR)
    assert following == pytest.approx(content["windows"][level + 1], abs=2 * following[2] / 160)


def test_the_densest_window_holds_most_of_the_boundary():
    V = np.ones((40, 40))
    V[20:29:2, 4:13:2] = -1
    x, y, span = levels.densest((0.0, 0.0, 4.0), V, 4)
    assert span == 1.0
    assert abs(x - (-1.15)) < 0.15 and abs(y - 0.45) < 0.15


def test_the_stored_pictures_are_what_the_browser_computes(core):
    content, pictures = stored()
    windows, size = content["windows"], content["size"]
    assert len(pictures) == content["stored"] >= 8
    assert windows[-1][2] < 9e-6 and content["settings"] == levels.SETTINGS
    # Each window lies inside the one before.
    for (x, y, span), (x2, y2, span2) in zip(windows, windows[1:], strict=False):
        assert max(abs(x2 - x), abs(y2 - y)) <= (span - span2) / 2 * 1.001
    chosen = np.random.default_rng(0).integers(0, size**2, 60)
    for level in (0, 3, 7):
        x, y, span = windows[level - 8]
        question = {"kind": "check", "size": size, "indices": chosen.tolist()}
        question |= {"window": {"x": x, "y": y, "span": span}, "settings": content["settings"]}
        values = np.array(core("core.session()(x).values", question))
        assert ((values < 0) == (pictures[level].ravel()[chosen] < 0)).mean() >= 0.95


# ---- a person's hands ------------------------------------------------------------------------


def drawn(page, size=48):
    """Wait until the picture has at least this many pixels a side."""
    until(page, "Number(root.querySelector('.frame').dataset.size) >= arg", size)


def state(page):
    """What differs from the defaults now, as the line for the notebook says."""
    page.evaluate("""() => {
      document.querySelector(".explorable-said").replaceChildren();
      document.querySelectorAll(".explorable-tools button")[1].click();
    }""")
    line = page.locator(".explorable-said code").inner_text()
    return eval(line, {"tl": SimpleNamespace(explorable=lambda slug, **changed: changed)})


def colours(page):
    """Red, green, blue, alpha at 96 x 96 places of the map."""
    data = page.locator(".plot canvas").evaluate("""canvas => {
      const context = new OffscreenCanvas(96, 96).getContext("2d", { willReadFrequently: true });
      context.imageSmoothingEnabled = false;
      context.drawImage(canvas, 0, 0, 96, 96);
      return Array.from(context.getImageData(0, 0, 96, 96).data);
    }""")
    return np.reshape(data, (96, 96, 4))


def hues(page):
    """The parts of the map that are rather blue and rather orange."""
    red, _, blue, alpha = np.moveaxis(colours(page), 2, 0)
    return np.mean((blue > red) & (alpha > 0)), np.mean((blue <= red) & (alpha > 0))


def words(page, name):
    return page.locator(f"[data-out={name}]").inner_text()


def canvas_box(page):
    return page.locator(".plot canvas").bounding_box()


LONG_TASKS = """
window.tasks = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) => tasks.push(entry.duration)))
  .observe({ type: "longtask", buffered: true });
"""


def test_it_starts_by_itself(visit):
    page = visit()
    drawn(page)
    blue, orange = hues(page)
    assert blue + orange > 0.99
    # The known share of converging networks.
    expected = np.mean(measure(losses(*rates(MAP, 16), **settings())) < 0)
    assert abs(blue - expected) < 0.05
    until(page, "/float64/.test(root.querySelector('[data-out=precision]').textContent)")
    assert page.url.endswith("index.html")


def test_it_never_freezes_the_page(visit):
    page = visit(QUICK, script=LONG_TASKS)
    drawn(page)
    for _ in range(3):
        page.get_by_role("button", name="Zoom in").click()
        page.wait_for_timeout(300)
    drawn(page, 96)
    longest = max(page.evaluate("tasks"), default=0)
    # On a crowded machine everything takes longer: as much as these sums do.
    crowding = page.evaluate("""() => {
      const start = performance.now();
      for (let i = 0, sum = 0; i < 1e6; i++) sum += Math.tanh(i);
      return Math.max(1, (performance.now() - start) / 30);
    }""")
    assert longest < 200 * crowding


def test_without_webgl_workers_compute_in_float64(visit):
    page = visit(QUICK, script="delete window.WebGL2RenderingContext")
    drawn(page)
    assert "float64 by workers, because this browser offers no WebGL2" in words(page, "precision")
    blue, orange = hues(page)
    assert min(blue, orange) > 0.3


def test_without_workers_it_still_draws(visit):
    page = visit(QUICK, script="delete window.Worker")
    drawn(page)
    assert min(hues(page)) > 0.3


def test_a_lost_graphics_processor_is_replaced(browser, page_file):
    page = browser.new_page()
    page.goto(page_file.as_uri() + QUICK + "&fractal-boundary.precision=float32")
    drawn(page)
    for worker in page.workers:
        worker.evaluate("""() => {
          const draw = WebGL2RenderingContext.prototype.drawArrays;
          WebGL2RenderingContext.prototype.drawArrays = function (...all) {
            this.getExtension("WEBGL_lose_context").loseContext();
            draw.apply(this, all);
          };
        }""")
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_selector(".frame[data-precision=float64]")
    drawn(page)
    assert "graphics processor was lost" in words(page, "precision")
    page.close()


def test_the_verdict_counts_the_picture(visit):
    page = visit(
        "#fractal-boundary.activation=identity&fractal-boundary.steps=50"
        "&fractal-boundary.precision=float64"
    )
    until(page, "root.querySelector('.verdict').textContent.startsWith('Of these 147')")
    share = float(re.search(r"networks ([\d.]+) %", page.locator(".verdict").inner_text())[1])
    condition = settings(activation="identity", steps=50)
    expected = np.mean(measure(losses(*rates(MAP, 48), **condition)) < 0)
    assert share == pytest.approx(100 * expected, abs=1)
    assert words(page, "precision") == "Computed in float64, as you asked."


def test_float32_runs_out_and_float64_takes_over(visit):
    place = "fractal-boundary.x=0.7136&fractal-boundary.y=1.2838&fractal-boundary.zoom=6"
    page = visit(f"{QUICK}&{place}&fractal-boundary.precision=float32")
    until(page, "/run out/.test(root.querySelector('[data-out=precision]').textContent)")
    assert page.locator(".frame").get_attribute("data-precision") == "float32"
    page.locator("label", has=page.get_by_role("radio", name="as precise as needed")).click()
    page.wait_for_selector(".frame[data-precision=float64]")
    assert "run out of zoom" in words(page, "precision")
    drawn(page)


def test_the_guided_zoom_goes_deeper_than_float32(visit):
    page = visit(QUICK)
    slider = page.get_by_label("guided zoom")
    slider.fill("9")
    page.wait_for_selector(".frame[data-precision=stored]")
    until(page, "root.querySelector('.verdict').textContent.startsWith('Of these')")
    content, pictures = stored()
    blue, orange = hues(page)
    expected = np.mean(pictures[9 - 14] < 0)
    assert blue == pytest.approx(expected, abs=0.02)
    assert "computed beforehand, in float64" in words(page, "precision")
    assert words(page, "stop") == "stop 9 of 13"
    found = state(page)
    assert (found["x"], found["y"]) == tuple(content["windows"][9][:2])
    # Forced arithmetic computes the same place here and now.
    page.locator("label", has=page.get_by_role("radio", name="float64")).click()
    page.wait_for_selector(".frame[data-precision=float64]")
    drawn(page)
    assert hues(page)[0] == pytest.approx(expected, abs=0.06)


def outlines(page):
    """Centre and width of each outline on the map, in parts of the map; up is positive."""
    box = canvas_box(page)
    found = [one.bounding_box() for one in page.locator(".axes rect:not(.halo)").all()]
    return [
        (
            (one["x"] + one["width"] / 2 - box["x"]) / box["width"],
            1 - (one["y"] + one["height"] / 2 - box["y"]) / box["height"],
            one["width"] / box["width"],
        )
        for one in found
    ]


def test_each_stop_outlines_the_next_and_says_its_width(visit):
    page = visit()
    windows = stored()[0]["windows"]
    slider = page.get_by_label("guided zoom")
    for at in (0, 7, 12):
        slider.fill(str(at))
        (x, y, span), (next_x, next_y, next_span) = windows[at : at + 2]
        expected = 0.5 + (next_x - x) / span, 0.5 + (next_y - y) / span, next_span / span
        (found,) = outlines(page)
        assert found == pytest.approx(expected, abs=0.012)  # half of a line's width
        wide = f"{words(page, 'stop')}, {words(page, 'window')}"
        assert slider.get_attribute("aria-valuetext") == wide
        number = float(re.search(r", (\S+) decades wide", wide)[1])
        assert number == pytest.approx(span, rel=0.05)
    slider.fill("13")
    assert not outlines(page)
    page.get_by_role("button", name="A smooth stretch").click()
    assert not outlines(page)


def test_play_walks_to_the_last_stop(visit):
    page = visit(reduced_motion="no-preference")
    page.get_by_label("guided zoom").fill("11")
    play = page.get_by_role("button", name="Play")
    play.focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Pause").is_visible()
    until(page, "root.querySelector('[data-out=stop]').textContent === 'stop 13 of 13'")
    assert play.is_visible()  # it has paused
    page.wait_for_timeout(2000)
    assert words(page, "stop") == "stop 13 of 13"
    page.keyboard.press("Enter")  # again, from the start
    assert words(page, "stop") == "stop 0 of 13"
    page.keyboard.press("Enter")
    assert play.is_visible()


def test_moving_the_map_pauses(visit):
    page = visit(reduced_motion="no-preference")
    page.get_by_label("guided zoom").fill("8")
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Zoom out", exact=True).click()
    assert page.get_by_role("button", name="Play").is_visible()
    page.wait_for_timeout(2000)
    assert words(page, "stop") == "elsewhere"


def test_with_less_motion_each_press_is_one_stop(visit):
    page = visit()
    page.get_by_label("guided zoom").fill("8")
    button = page.get_by_role("button", name="Next stop")
    button.click()
    assert words(page, "stop") == "stop 9 of 13"
    page.wait_for_timeout(2000)
    assert words(page, "stop") == "stop 9 of 13" and button.is_visible()


def test_the_mark_is_next_to_the_boundary(core):
    column, row = (int(MARK[key] * 384) for key in ("across", "up"))
    around = [(row + i) * 384 + column + j for i in (-1, 0, 1) for j in (-1, 0, 1)]
    question = {"kind": "check", "size": 384, "indices": around}
    question |= {"window": MAP, "settings": settings()}
    values = np.array(core("core.session()(x).values", question))
    assert 0 < np.mean(values < 0) < 1


@pytest.mark.parametrize("preset", ["The whole map", "ReLU", "Linear network", "A smooth stretch"])
def test_the_buttons_zoom_about_the_marked_pixel(visit, preset):
    page = visit()
    page.get_by_role("button", name=preset).click()
    start = {"x": 1.5, "y": 1.5, "zoom": 0} | MARK | state(page)
    for _ in range(4):
        page.get_by_role("button", name="Zoom in").click()
    now = MARK | state(page)
    assert now["zoom"] == pytest.approx(start["zoom"] + np.log10(16), abs=1e-4)
    for axis, part in (("x", "across"), ("y", "up")):
        assert now[part] == start[part]
        under, still = (
            one[axis] + (one[part] - 0.5) * 9 / 10 ** one["zoom"] for one in (start, now)
        )
        assert still == pytest.approx(under, abs=1e-4)
    drawn(page)
    assert min(hues(page)) > 0.05  # both phases are still in sight
    for _ in range(4):
        page.get_by_role("button", name="Zoom out", exact=True).click()
    assert state(page).get("x", 1.5) == pytest.approx(start["x"], abs=1e-4)


@pytest.mark.parametrize("width", [390, 760, 1280, 1440])
def test_one_sees_the_map_while_one_moves_it(visit, width):
    page = visit(QUICK, viewport={"width": width, "height": 900})
    top = page.locator(".plot").bounding_box()["y"]

    def ends(selector):
        box = page.locator(selector).bounding_box()
        return box["y"] - top, box["y"] + box["height"] - top

    assert ends(".plot")[1] <= ends("#stop")[0] < ends("#stop")[1] < 720
    assert ends("#stop")[1] <= ends(".presets")[0] < ends(".presets")[1] < 800
    if width < 800:  # one column
        assert ends(".presets")[1] < ends(".legend")[0] < ends(".pixel")[0]


def test_the_layers_have_their_names(visit):
    page = visit(QUICK)
    drawn(page)
    until(page, "root.querySelector('.pixel').dataset.phase")
    axes = page.locator(".axes").inner_html()
    for text in (axes, words(page, "pixel")):
        assert "hidden layer" in text and "output layer" in text
    assert not re.search("layer [01]", page.locator(".frame").inner_text() + axes)
    page.get_by_role("button", name="Linear network").click()
    until(page, "root.querySelector('[value=identity]').checked")


def test_deep_axes_fit_a_phone(visit):
    place = "fractal-boundary.x=0.71362997966&fractal-boundary.y=1.2838266813"
    page = visit(
        f"{QUICK}&{place}&fractal-boundary.zoom=12", viewport={"width": 390, "height": 844}
    )
    frame = page.locator(".axes").bounding_box()
    for text in page.locator(".axes text").all():
        box = text.bounding_box()
        assert box["x"] >= frame["x"] and box["y"] >= frame["y"] - 1
        assert box["x"] + box["width"] <= frame["x"] + frame["width"] + 1


def test_mouse_drags_picks_and_wheels(visit):
    page = visit(QUICK + "&fractal-boundary.zoom=1", viewport={"width": 1000, "height": 700})
    drawn(page)
    back_to_top(page)  # the page has gone to the explorable that its address names
    box = canvas_box(page)
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    # Without focus the wheel scrolls the page.
    page.mouse.move(*middle)
    page.mouse.wheel(0, 120)
    page.wait_for_function("scrollY > 0")
    back_to_top(page)
    page.mouse.down()
    page.mouse.move(middle[0] - box["width"] / 4, middle[1] - box["height"] / 4, steps=5)
    page.mouse.up()
    found = state(page)
    assert found["x"] == pytest.approx(1.5 + 0.9 / 4, abs=0.01)
    assert found["y"] == pytest.approx(1.5 - 0.9 / 4, abs=0.01)
    assert "across" not in found  # a drag picks nothing
    corner = box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"]
    page.mouse.click(*corner)
    page.mouse.wheel(0, -200)
    after = state(page)
    assert after["across"] == pytest.approx(0.75, abs=0.01) == after["up"]
    assert after["zoom"] > 1.2
    # What was under the pointer stays there.
    for axis in "xy":
        before = found[axis] + 0.25 * 0.9
        assert after[axis] + 0.25 * 9 / 10 ** after["zoom"] == pytest.approx(before, abs=0.01)
    assert page.evaluate("scrollY") == 0


def test_fingers(visit):
    page = visit(
        QUICK + "&fractal-boundary.zoom=1",
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
    )
    drawn(page)
    back_to_top(page)
    box = canvas_box(page)
    client = page.context.new_cdp_session(page)

    def touch(kind, *points):
        at = [
            {"x": box["x"] + a * box["width"], "y": box["y"] + b * box["height"], "id": i}
            for i, (a, b) in enumerate(points)
        ]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    # One finger scrolls the page.
    touch("touchStart", (0.5, 0.9))
    for i in range(8):
        touch("touchMove", (0.5, 0.9 - 0.08 * (i + 1)))
    touch("touchEnd")
    page.wait_for_function("scrollY > 20")
    back_to_top(page)
    assert state(page) == {"steps": 50, "zoom": 1}
    # Two fingers that part zoom.
    touch("touchStart", (0.4, 0.5), (0.6, 0.5))
    for i in range(1, 6):
        touch("touchMove", (0.4 - 0.04 * i, 0.5), (0.6 + 0.04 * i, 0.5))
    touch("touchEnd")
    found = state(page)
    assert found["zoom"] == pytest.approx(1 + np.log10(3), abs=0.03)
    assert found.get("x", 1.5) == pytest.approx(1.5, abs=0.01)
    # Two fingers that move together pan.
    touch("touchStart", (0.4, 0.5), (0.6, 0.5))
    for i in range(1, 6):
        touch("touchMove", (0.4 + 0.04 * i, 0.5), (0.6 + 0.04 * i, 0.5))
    touch("touchEnd")
    assert state(page)["x"] == pytest.approx(1.5 - 0.2 * 0.3, abs=0.01)
    assert page.evaluate("scrollY") == 0
    page.touchscreen.tap(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    found = state(page)
    assert (found["across"], found["up"]) == (
        pytest.approx(0.2, abs=0.01),
        pytest.approx(0.8, abs=0.01),
    )


def test_a_phone_has_room(visit):
    page = visit(QUICK, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert canvas_box(page)["width"] > 240
    for control in page.locator(".frame button:visible, .choices span:visible").all():
        size = control.bounding_box()
        assert size["height"] >= 43.5
        assert size["x"] >= 0 and size["x"] + size["width"] <= 390


def test_keys(visit):
    page = visit(QUICK)
    drawn(page)
    plot = page.get_by_role("application", name=re.compile("Map of learning rates"))
    plot.focus()
    for key in ("+", "+", "ArrowRight", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    found = state(page)
    assert found["zoom"] == pytest.approx(np.log10(4), abs=1e-5)
    gained = 9 - 9 / 4  # the mark stays where it is
    x, y = (1.5 + gained * (MARK[key] - 0.5) for key in ("across", "up"))
    assert found["x"] == pytest.approx(x + 9 / 4 / 8, abs=1e-3)
    assert found["y"] == pytest.approx(y + 9 / 4 / 4, abs=1e-3)
    page.keyboard.press("Shift+ArrowLeft")
    assert state(page)["across"] == pytest.approx(MARK["across"] - 1 / 96, abs=1e-4)
    page.keyboard.press("-")
    assert state(page)["zoom"] == pytest.approx(np.log10(2), abs=1e-5)
    page.keyboard.press("Home")
    assert not {"x", "y", "zoom"} & set(state(page))


def test_the_pixel_under_the_pointer_shows_its_loss(visit):
    page = visit("#fractal-boundary.steps=200")
    drawn(page)
    box = canvas_box(page)
    for across, up in ((0.2, 0.2), (0.3, 0.8)):
        page.mouse.move(box["x"] + across * box["width"], box["y"] + (1 - up) * box["height"])
        index = int(up * 384) * 384 + int(across * 384)
        rate0, rate1 = (rate[[index]] for rate in rates(MAP, 384))
        V = measure(losses(rate0, rate1, **settings(steps=200)))[0]
        phase = "converged" if V < 0 else "diverged"
        until(page, "root.querySelector('.pixel').dataset.phase === arg", phase)
        text = words(page, "pixel").replace("−", "-")
        numbers = [float(n) for n in re.findall(r"-?\d[\d.]*(?:e[+-]?\d+)?", text)]
        assert phase in text
        got = numbers[0], numbers[1], numbers[-1]
        assert got == pytest.approx((rate0[0], rate1[0], V), rel=0.06)
        assert page.locator(".loss path.loss").get_attribute("d").count("L") > 150


CHANGED = (
    "#fractal-boundary.x=0.71&fractal-boundary.y=1.28&fractal-boundary.zoom=2.5"
    "&fractal-boundary.activation=relu&fractal-boundary.points=2&fractal-boundary.steps=100"
    "&fractal-boundary.seed=7&fractal-boundary.across=0.25"
)


def test_the_address_and_the_notebook_carry_the_state(visit):
    page = visit(CHANGED)
    drawn(page)
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function(
        "document.querySelector('.explorable-said').textContent.includes('link')"
    )
    assert page.url.endswith(CHANGED)
    page.get_by_role("button", name="in the notebook").click()
    page.wait_for_function("document.querySelector('.explorable-said').textContent.includes('tl.')")
    widget = eval(page.locator(".explorable-said code").inner_text(), {"tl": tl})
    assert (widget.x, widget.y, widget.zoom, widget.across) == (0.71, 1.28, 2.5, 0.25)
    assert (widget.activation, widget.points, widget.steps, widget.seed) == ("relu", 2, 100, 7)
    page.get_by_role("button", name="Reset settings").click()
    until(page, "root.querySelector('[data-out=stop]').textContent === 'stop 0 of 13'")
    assert "#" not in page.url


def test_old_work_is_dropped(visit):
    page = visit(QUICK)
    for name in ("ReLU", "A rough stretch", "The whole map", "A rough stretch"):
        page.locator(".presets button", has_text=name).click()
    page.wait_for_selector(".frame[data-precision=stored]")
    drawn(page, 160)
    page.wait_for_timeout(500)
    assert hues(page)[0] == pytest.approx(np.mean(stored()[1][9 - 14] < 0), abs=0.02)


def test_dark_follows_the_page(visit):
    page = visit(QUICK)
    drawn(page)
    light = colours(page)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_selector(".frame[data-dark]")
    dark = colours(page)
    # A shade means the same in both, as in the chapter's maps: dark is slow.
    assert abs(light - dark).mean() < 12  # the picture has sharpened meanwhile
    speed = measure(losses(*rates(MAP, 96), **settings(steps=50))).reshape(96, 96)[::-1]
    for phase in (speed < 0, speed >= 0):
        ranks = np.argsort(np.argsort(abs(speed[phase])))
        assert np.corrcoef(dark[phase][:, :3].sum(1), ranks)[0, 1] < -0.7


def test_every_control_has_a_name_and_is_reached_by_keys(visit):
    page = visit("#fractal-boundary.activation=identity&fractal-boundary.steps=50")
    groups = "plot in out home stop activation points steps precision seed reseed".split()
    assert {*groups, "run play", "A rough stretch", "Reset settings"} <= reached_by_keys(page)


def test_closing_ends_the_workers(browser, page_file):
    page = browser.new_page()
    # Nothing comes into sight, so the page's own explorable never starts.
    page.add_init_script(
        "window.IntersectionObserver = class { observe() {} unobserve() {} disconnect() {} }"
    )
    page.goto(page_file.as_uri())
    page.evaluate("""async () => {
      const text = document.querySelector("[data-explorable]").textContent;
      const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
      const { default: explorable, manifest } = await import(url);
      const state = Object.fromEntries(
        Object.entries(manifest.state).map(([key, rule]) => [key, rule.default]));
      const model = { get: (key) => state[key], set() {}, on() {}, off() {}, save_changes() {} };
      window.end = explorable.render({ model, el: document.body });
    }""")
    page.wait_for_timeout(300)
    assert len(page.workers) == 3
    page.evaluate("end()")
    page.wait_for_timeout(300)
    assert len(page.workers) == 0
    page.close()
