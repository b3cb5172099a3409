"""tutorlib's core: presets, ledger, figures and the training loop."""

import json
import os
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import plotly.graph_objects as go
import pytest

import tutorlib as tl
from tutorlib import figures, training

ALT = "A line that rises from the lower left to the upper right of the panel"


# --- package and presets -------------------------------------------------------------------------


def test_importing_tutorlib_loads_neither_jax_nor_plotly():
    code = "import sys, tutorlib; print(sorted({'jax', 'plotly', 'numpy'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(AttributeError, match="no attribute 'shwo'.*'show'"):
        _ = tl.shwo


@pytest.mark.parametrize("name", tl.__all__)
def test_every_public_name_can_be_loaded_and_is_documented(name):
    value = getattr(tl, name)
    assert not callable(value) or value.__doc__


def test_preset_follows_the_environment(monkeypatch):
    sizes = {"smoke": 1, "laptop": 2, "paper": 3}
    monkeypatch.delenv("TUTORLIB_PRESET", raising=False)
    assert tl.preset(**sizes) == 2
    monkeypatch.setenv("TUTORLIB_PRESET", "paper")
    assert tl.preset(**sizes) == 3
    monkeypatch.setenv("TUTORLIB_PRESET", "papper")
    with pytest.raises(ValueError, match="TUTORLIB_PRESET is 'papper'; allowed are smoke, laptop"):
        tl.preset(**sizes)


def test_preset_needs_all_three():
    with pytest.raises(ValueError, match="needs exactly"):
        tl.preset(laptop=1, smoke=2)


def test_setup_prints_one_line(capsys):
    tl.setup()
    tl.setup()  # a second call of the setup cell is harmless
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert f"jax {jax.__version__}" in first
    assert "preset laptop" in first


# --- ledger ---------------------------------------------------------------------------------------


@pytest.fixture
def ledger(monkeypatch):
    monkeypatch.delenv("TUTORLIB_PRESET", raising=False)
    monkeypatch.delenv("TUTORLIB_LEDGER_FILE", raising=False)
    return tl.Ledger("test")


def test_record_stores_the_mean_and_prints_the_spread(ledger, capsys):
    ledger.record("x", [1.0, 2.0, 3.0], low=1, high=3, digits=1)
    assert ledger.records["x"]["mean"] == 2.0
    assert capsys.readouterr().out == "x = 2.0\u00a0±\u00a01.0 over 3 seeds, allowed 1 to 3\n"
    assert ledger.records["x"]["sd"] == pytest.approx(1.0)


def test_record_out_of_range_stops_only_the_tools_at_laptop(ledger, monkeypatch, tmp_path, capsys):
    ledger.record("x", 5.0, low=0, high=1)  # a reader goes on
    told = capsys.readouterr().out
    assert told.startswith("x = 5.000, allowed 0 to 1\n  The text and the verdicts are written for")
    ledger = tl.Ledger("test")
    monkeypatch.setenv("TUTORLIB_LEDGER_FILE", str(tmp_path / "ledger.json"))
    with pytest.raises(ValueError, match="'x' is 5.000; .*written for 0 to 1"):
        ledger.record("x", 5.0, low=0, high=1)
    assert "x" not in ledger.records
    monkeypatch.setenv("TUTORLIB_PRESET", "smoke")
    ledger.record("x", 5.0, low=0, high=1)
    assert ledger.records["x"]["mean"] == 5.0


@pytest.mark.parametrize(
    ("name", "values", "low", "high", "message"),
    [
        ("not a name", 1.0, 0, 2, "name is 'not a name'"),
        ("x", [], 0, 2, r"shape \(0,\)"),
        ("x", [[1.0]], 0, 2, r"shape \(1, 1\)"),
        ("x", [1.0, float("nan")], 0, 2, "must be finite"),
        ("x", float("inf"), 0, 2, "must be finite"),
        ("x", 1.0, 2, 0, "low must not exceed high"),
        ("x", 1.0, float("nan"), 2, "low must not exceed high"),
    ],
)
def test_record_refuses(ledger, name, values, low, high, message):
    with pytest.raises(ValueError, match=message):
        ledger.record(name, values, low=low, high=high)


def claim(ledger, id="H1", **changes):
    arguments = {"statement": "s", "paper": "p", "ran": "r", "here": "{x}", "reproduced": True}
    ledger.claim(id, **(arguments | changes))


@pytest.mark.parametrize(
    ("reproduced", "weaker", "verdict"),
    [(True, False, "reproduced"), (False, True, "weaker"), (False, False, "not reproduced")],
)
def test_claims_have_a_verdict_and_quote_records(ledger, reproduced, weaker, verdict, capsys):
    ledger.record("x", 0.5, low=0, high=1)
    claim(ledger, reproduced=reproduced, weaker=weaker)
    assert ledger.claims[0]["verdict"] == verdict
    assert ledger.claims[0]["here"] == "0.500"


def test_cells_can_be_run_again(ledger):
    ledger.record("x", 0.5, low=0, high=1)
    claim(ledger, "H1")
    claim(ledger, "H2")
    ledger.record("x", 0.25, low=0, high=1)
    claim(ledger, "H1", reproduced=np.bool_(False))
    assert [(c["id"], c["here"]) for c in ledger.claims] == [("H1", "0.250"), ("H2", "0.500")]
    assert ledger.claims[0]["verdict"] == "not reproduced"


def test_a_bar_does_not_end_a_cell_of_the_table(ledger, monkeypatch):
    shown = []
    monkeypatch.setattr("tutorlib.ledger._markdown", lambda text, **_: shown.append(text))
    ledger.record("x", 0.5, low=0, high=1)
    claim(ledger, statement="$|c_k|$ falls")
    ledger.table()
    assert r"$\|c_k\|$ falls | p" in shown[0]


def test_claims_refuse_what_is_no_boolean_and_unknown_records(ledger):
    ledger.record("x", 0.5, low=0, high=1)
    for wrong in ("yes", 1, np.array([True, False]), None):
        with pytest.raises(ValueError, match="reproduced is .*; it must be one boolean"):
            claim(ledger, reproduced=wrong)
    with pytest.raises(ValueError, match=r"quotes \['y'\]"):
        claim(ledger, id="H2", here="{y:pm}")
    with pytest.raises(ValueError, match="format 'q' of a record"):
        claim(ledger, id="H2", here="{x:q}")


def test_what_say_displays_carries_its_template(ledger, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda what, metadata: shown.append(metadata))
    ledger.record("x", 0.5, low=0, high=1)
    ledger.say("It is {x}.")
    claim(ledger)
    ledger.table()
    made_from = [metadata["papers_in_motion"] for metadata in shown]
    assert made_from == [{"say": "It is {x}."}, {"table": ["H1"]}]
    assert ledger.claims[0]["templates"]["here"] == "{x}"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x.record("a", "abc", low=0, high=1), TypeError,
         "values of 'a' is 'abc'; allowed: real numbers, shape"),
        (lambda x: x.record("a", None, low=0, high=1), TypeError, "values of 'a' is None"),
        (lambda x: x.record("a", [1, 2j], low=0, high=1), TypeError, r"is \[1, 2j\]; allowed"),
        (lambda x: x.record("a", [[1], [1, 2]], low=0, high=1), TypeError, "allowed: real"),
        (lambda x: x.record("a", 0, low=None, high=1), TypeError,
         "low of 'a' is None; allowed: one finite number"),
        (lambda x: x.record("a", 0, low=0, high="1"), TypeError, "high of 'a' is '1'"),
        (lambda x: x.record("a", 0, low=-np.inf, high=1), ValueError, "low is -inf .*be finite"),
        (lambda x: x.record("a", 0, low=0, high=np.inf), ValueError, "high is inf .*be finite"),
        (lambda x: x.say(None), TypeError, "text is None; it must be a text"),
        (lambda x: claim(x, here=0.5), TypeError, "here is 0.5; it must be a text"),
        (lambda x: tl.show(None, alt=ALT), TypeError, "fig is None; it must be a plotly figure"),
        (lambda x: band(None, [[1.0, 2.0]]), TypeError, "fig is None"),
        (lambda x: band(go.Figure(), [["a", "b"]]), TypeError, "runs is .*; allowed are real"),
        (lambda x: band(go.Figure(), [[1, 2j]]), TypeError, "runs is .*; allowed are real"),
        (lambda x: band(go.Figure(), [[np.nan, np.nan]]), ValueError,
         "runs has 2 of 2 values that are not finite, the first for seed 0 at point 0: nan"),
        (lambda x: band(go.Figure(), [[1, 2], [3, np.inf]]), ValueError,
         "1 of 4 values .* seed 1 at point 1: inf; all must be finite"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(ledger, call, error, message):
    with pytest.raises(error, match=message):
        call(ledger)


def band(fig, runs):
    tl.add_band(fig, [0, 1], runs, name="runs", color="#0072B2")


def test_the_ledger_file_is_written_whole(ledger, monkeypatch, tmp_path):
    target = tmp_path / "ledger.json"
    monkeypatch.setenv("TUTORLIB_LEDGER_FILE", str(target))
    ledger.record("x", [0.25, 0.75], low=0, high=1)
    content = json.loads(target.read_text())
    assert content["chapter"] == "test"
    assert content["records"]["x"]["values"] == [0.25, 0.75]
    assert os.listdir(tmp_path) == ["ledger.json"]


# --- figures --------------------------------------------------------------------------------------


@pytest.fixture
def displayed(monkeypatch):
    outputs = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: outputs.append(data))
    return outputs


def line(y=(1.0, 2.0, 4.0)):
    return go.Figure(go.Scatter(x=[0, 1, 2], y=list(y), name="rising"))


def test_show_gives_a_figure_and_its_data(displayed):
    tl.show(line(), alt=ALT, name="line")
    figure, table = displayed
    bundle = figure["application/vnd.plotly.v1+json"]
    assert bundle["layout"]["meta"] == {"alt": ALT, "name": "line"}
    assert bundle["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"
    assert ALT in figure["text/plain"]
    assert "<details" in table["text/html"]
    for number in ("1", "2", "4"):
        assert f"<td>{number}</td>" in table["text/html"]
    json.dumps(bundle, allow_nan=False)


@pytest.mark.parametrize("x", [1e9 + np.arange(5.0), [1e300, 2e300], np.array([1.0, 1 + 1e-9])])
def test_floats_stay_whole_where_float32_would_merge_them(displayed, x):
    tl.show(go.Figure(go.Scatter(x=x, y=np.arange(float(len(x))))), alt=ALT)
    assert '"f8"' in json.dumps(displayed[0]["application/vnd.plotly.v1+json"]["data"][0]["x"])


def test_show_leaves_the_callers_figure_as_it_is(displayed):
    fig = line()
    before = fig.to_json()
    tl.show(fig, alt=ALT, name="line")
    assert fig.to_json() == before


def test_panels_without_titles_stack_on_phones():
    fig = tl.panels(["", "b"], x_titles=["x", "x"], y_titles=["y", "y"])
    first, second = fig.layout.meta["phone"]["annotations"]
    assert second["text"] == "b" and second["y"] < first["y"] == 1


def test_floats_travel_as_float32(displayed):
    fig = go.Figure(go.Scatter(x=np.arange(5.0), y=np.linspace(0, 1, 5)))
    tl.show(fig, alt=ALT)
    text = json.dumps(displayed[0])
    assert '"f4"' in text
    assert '"f8"' not in text


def test_text_in_a_figure_cannot_break_the_table(displayed):
    fig = go.Figure(go.Scatter(x=[0, 1], y=[1, 2], name="<script>alert(1)</script>"))
    tl.show(fig, alt=ALT + " <b>&")
    assert "<script>" not in displayed[1]["text/html"]
    assert "&lt;b&gt;&amp;" in displayed[1]["text/html"]


@pytest.mark.parametrize("alt", ["", "   ", None, "too short", "x" * 60, 7])
def test_show_insists_on_a_description(alt, displayed):
    with pytest.raises(ValueError, match="alt is .*describe in at least 40 characters"):
        tl.show(line(), alt=alt)
    assert not displayed


def test_show_refuses_blank_figures(displayed):
    with pytest.raises(ValueError, match="fig has no traces"):
        tl.show(go.Figure(), alt=ALT)
    with pytest.raises(ValueError, match=r"trace 0 \('rising'\) has no finite value in y"):
        tl.show(line([np.nan] * 3), alt=ALT)
    with pytest.raises(ValueError, match="has an empty y"):
        tl.show(go.Figure(go.Scatter(x=[1], y=np.array([]))), alt=ALT)
    with pytest.raises(ValueError, match="has no finite value in y"):
        tl.show(line([None, None, None]), alt=ALT)
    assert not displayed


@pytest.mark.parametrize(
    "trace",
    [
        go.Scatter(x=[1, 2], y=[1, 2, 3]),
        go.Bar(x=[1, 2, 3], y=[1, 2]),
        go.Heatmap(z=[[1, 2], [3, 4]], x=[1]),
        go.Heatmap(z=[1, 2]),
    ],
)
def test_show_refuses_data_that_do_not_belong_together(displayed, trace):
    with pytest.raises(ValueError, match="which do not belong together"):
        tl.show(go.Figure(trace), alt=ALT)
    assert not displayed


QUESTION = {"question": "Does it rise?", "options": ["yes", "no"]}


def test_a_question_comes_before_its_figure(displayed):
    tl.show(line(), alt=ALT, name="line", predict=QUESTION | {"answer": np.int64(0)})
    question, figure, _ = displayed
    assert question["text/markdown"] == "**Before you look.** Does it rise?\n\n- yes\n- no"
    assert question["text/plain"] == question["text/markdown"]
    assert figures.QUESTION_MIMETYPE in question
    meta = figure["application/vnd.plotly.v1+json"]["layout"]["meta"]
    assert meta["predict"] == QUESTION | {"answer": 0}
    assert type(meta["predict"]["answer"]) is int
    json.dumps(displayed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": " "}, "predict has the question ' '; it must be a text"),
        ({"options": ["yes"]}, r"the options \['yes'\]; allowed are 2 to 5 different texts"),
        ({"options": list("abcdef")}, "allowed are 2 to 5"),
        ({"options": ["yes", "yes"]}, "allowed are 2 to 5 different"),
        ({"options": ["yes", " "]}, "of 1 to 80 characters"),
        ({"options": ["yes", "n" * 81]}, "of 1 to 80 characters"),
        ({"options": "yes"}, "the options 'yes'"),
        ({"answer": 2}, "the answer 2; allowed are the positions 0 to 1"),
        ({"answer": -1}, "the answer -1"),
        ({"answer": True}, "the answer True"),
        ({"answer": 0.0}, "the answer 0.0"),
        ({"answer": "yes"}, "the answer 'yes'"),
        ({"score": 1}, "it must be a dict with 'question', 'options' and"),
    ],
)
def test_show_refuses_questions(changes, message, displayed):
    with pytest.raises(ValueError, match=message):
        tl.show(line(), alt=ALT, name="line", predict=QUESTION | changes)
    assert not displayed


def test_a_question_is_a_dict_and_needs_a_name(displayed):
    with pytest.raises(ValueError, match="predict is 'Does it rise.'; it must be a dict"):
        tl.show(line(), alt=ALT, name="line", predict="Does it rise?")
    with pytest.raises(ValueError, match="name is missing"):
        tl.show(line(), alt=ALT, predict=QUESTION)
    assert not displayed


@pytest.mark.parametrize("name", ["", "two words", "a=b", "größe"])
def test_show_refuses_names_that_a_link_could_not_hold(name, displayed):
    with pytest.raises(ValueError, match="allowed are letters, digits and hyphens"):
        tl.show(line(), alt=ALT, name=name)
    assert not displayed


def test_long_tables_are_thinned_and_say_so():
    fig = go.Figure(go.Scatter(x=np.arange(500), y=np.arange(500) * 2))
    table = figures._table(fig, ALT)
    assert table.count("<tr>") == 61
    assert "<caption>60 of 500 rows</caption>" in table


def test_heatmaps_have_tables():
    fig = go.Figure(go.Heatmap(z=[[1.5, 2.5], [3.5, 4.5]], x=["a", "b"], y=["c", "d"]))
    assert "<td>c</td><td>1.5</td><td>2.5</td>" in figures._table(fig, ALT)


def test_panels_stack_on_phones():
    fig = tl.panels(["a", "b"], x_titles=["x", "x"], y_titles=["y", "y"])
    phone = fig.layout.meta["phone"]
    assert phone["xaxis"]["domain"] == phone["xaxis2"]["domain"] == [0, 1]
    assert phone["yaxis2"]["domain"][1] < phone["yaxis"]["domain"][0]
    with pytest.raises(ValueError, match="lengths 2, 1 and 2"):
        tl.panels(["a", "b"], x_titles=["x"], y_titles=["y", "y"])


def test_a_band_shows_every_seed():
    fig = tl.panels(["a"], x_titles=["x"], y_titles=["y"])
    runs = np.array([[1.0, 2.0], [3.0, 0.0], [2.0, 1.0]])
    tl.add_band(fig, [0, 1], runs, name="runs", color="#0072B2")
    band, *seeds, mean = fig.data
    assert list(band.y) == [3, 2, 0, 1]
    assert [list(seed.y) for seed in seeds] == runs.tolist()
    assert list(mean.y) == [2, 1]
    with pytest.raises(ValueError, match=r"runs has shape \(2,\)"):
        tl.add_band(fig, [0, 1], runs[0], name="runs", color="#0072B2")


def test_scrub_moves_traces_together():
    fig = line()
    tl.scrub(fig, ["a", "b"], [{0: {"y": [1, 1, 1]}}, {0: {"y": [2, 2, 2]}}], prefix="p ", start=1)
    assert list(fig.data[0].y) == [2, 2, 2]
    assert [frame.name for frame in fig.frames] == ["a", "b"]
    assert [step.args[0][0] for step in fig.layout.sliders[0].steps] == ["a", "b"]


@pytest.mark.parametrize(
    ("labels", "updates", "start", "message"),
    [
        (["a"], [], 0, "1 labels for 0 updates"),
        ([], [], 0, "0 labels for 0 updates"),
        ([1, "1"], [{}, {}], 0, r"labels repeats \['1'\]; each position needs a label of its own"),
        (["a"], [{0: {"y": [1, 2, 3]}}], 1, "start is 1; allowed are 0 to 0"),
        (["a"], [{3: {"y": [1]}}], 0, r"updates name traces \[3\]; the figure has 0 to 0"),
        (["a"], [{0: {"y": [1]}}], 0, "trace 0 at position a has data of shapes"),
    ],
)
def test_scrub_refuses(labels, updates, start, message):
    with pytest.raises(ValueError, match=message):
        tl.scrub(line(), labels, updates, prefix="p ", start=start)


def test_colab_gets_its_own_renderer(monkeypatch, displayed):
    shown = []
    monkeypatch.setitem(sys.modules, "google.colab", object())
    monkeypatch.setattr(go.Figure, "show", lambda self, **options: shown.append(options))
    tl.show(line(), alt=ALT)
    assert shown[0]["renderer"] == "colab"
    assert len(displayed) == 1  # the table


# --- training -------------------------------------------------------------------------------------

SLOPES = jnp.array([2.0, -1.0, 0.5])
OPTIMIZER = optax.sgd(0.2)


def loss(params, batch):
    x, y = batch
    return jnp.mean((params["w"] * x - y) ** 2)


def metrics(params, test):
    return {"loss": loss(params, test)}


def test_float64_ends_with_its_block():
    with pytest.raises(KeyError), tl.float64():
        with tl.float64():
            assert jnp.ones(1).dtype == jnp.float64
        raise KeyError
    assert jnp.ones(1).dtype == jnp.float32
    with jax.enable_x64(True), tl.float64():
        pass
    assert jnp.ones(1).dtype == jnp.float32


def problem(runs=3, examples=32):
    x = jnp.linspace(-1, 1, examples)[None].repeat(runs, axis=0)
    data = (x, SLOPES[:runs, None] * x)
    return {
        "loss": loss,
        "params": {"w": jnp.zeros(runs)},
        "data": data,
        "optimizer": OPTIMIZER,
        "keys": jax.random.split(jax.random.key(0), runs),
        "epochs": 20,
        "batch_size": 8,
        "metrics": metrics,
        "test": data,
    }


def test_train_solves_every_run_and_records():
    params, history = tl.train(**problem(), record_every=5)
    np.testing.assert_allclose(params["w"], SLOPES, atol=1e-3)
    assert history["epoch"].tolist() == [0, 5, 10, 15, 20]
    assert history["loss"].shape == (5, 3)
    assert (history["loss"][-1] < 1e-6).all()


def test_train_does_not_depend_on_how_often_it_records():
    every, _ = tl.train(**problem(), record_every=1)
    once, _ = tl.train(**problem(), record_every=20)
    np.testing.assert_allclose(every["w"], once["w"], rtol=1e-6)


def test_a_run_does_not_depend_on_its_neighbours():
    alone, _ = tl.train(**problem(runs=1))
    together, _ = tl.train(**problem(runs=3))
    np.testing.assert_allclose(alone["w"][0], together["w"][0], rtol=1e-5)


def test_train_matches_a_plain_loop():
    """One run against gradient descent written with loops in NumPy, on the same batches."""
    arguments = problem(runs=1)
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("runs",))
    order = training._shuffle(mesh, (32, 8, 20), arguments["keys"], jnp.asarray(0))[0]
    x, y = np.asarray(arguments["data"])[:, 0]
    w = 0.0
    for batch in np.asarray(order).reshape(-1, 8):
        w -= 0.2 * np.mean(2 * (w * x[batch] - y[batch]) * x[batch])
    np.testing.assert_allclose(tl.train(**arguments)[0]["w"][0], w, rtol=1e-5)


def test_each_epoch_sees_every_example_once():
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("runs",))
    keys = jax.random.split(jax.random.key(1), 2)
    order = np.asarray(training._shuffle(mesh, (32, 8, 3), keys, jnp.asarray(0)))
    assert order.shape == (2, 3, 4, 8)
    assert (np.sort(order.reshape(2, 3, 32), axis=-1) == np.arange(32)).all()
    assert (order[0, 0] != order[0, 1]).any() and (order[0, 0] != order[1, 0]).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs is 0; it must be an integer of at least 1"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"record_every": 0}, "record_every is 0"),
        ({"record_every": 7}, "multiple of record_every=7"),
        ({"batch_size": 33}, "batch_size is 33; allowed are the integers 1 to 32"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"keys": jax.random.split(jax.random.key(0), 2)}, r"keys has shape \(2,\)"),
        ({"params": {"w": jnp.zeros(2)}}, "params has arrays of shape"),
        ({"test": jnp.zeros(2)}, "test has arrays of shape"),
        ({"data": (jnp.zeros((3, 32)), jnp.zeros((3, 31)))}, "data has leading shapes"),
        ({"data": ()}, "data must hold arrays"),
    ],
)
def test_train_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        tl.train(**(problem() | change))


def test_a_diverged_run_is_named():
    arguments = problem()
    x, y = arguments["data"]
    arguments["data"] = (x, y.at[1, 4].set(jnp.nan))
    with pytest.raises(FloatingPointError, match=r"runs \[1\] is no longer finite after epoch 1"):
        tl.train(**arguments)


def test_a_loss_that_recovers_between_two_records_is_seen():
    arguments = problem(runs=1)
    params = {"w": jnp.full(1, 3.0)}
    inner = arguments["loss"]

    def loss(params, batch):
        return inner(params, batch) + jnp.where(params["w"] > 2.9, jnp.inf, 0)

    with pytest.raises(FloatingPointError, match=r"runs \[0\] is no longer finite"):
        tl.train(**arguments | {"loss": loss, "params": params}, record_every=20)


def test_runs_are_shared_out_over_devices():
    """Seven runs on four devices: padded, spread, and the padding gone again."""
    code = """
import jax
jax.config.update("jax_num_cpu_devices", 4)
import jax.numpy as jnp, numpy as np, optax, tutorlib as tl
x = jnp.linspace(-1, 1, 32)[None].repeat(7, 0)
slopes = jnp.arange(7.0)
loss = lambda p, b: jnp.mean((p * b[0] - b[1]) ** 2)
data = (x, slopes[:, None] * x)
params, history = tl.train(loss, jnp.zeros(7), data, optimizer=optax.sgd(0.2), epochs=20,
    keys=jax.random.split(jax.random.key(0), 7), batch_size=8,
    metrics=lambda p, t: {"w": p}, test=data)
assert params.shape == (7,) and history["w"].shape == (21, 7)
assert jax.device_count() == 4
np.testing.assert_allclose(params, slopes, atol=1e-2)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# --- progress -------------------------------------------------------------------------------------


def test_progress_is_silent_where_nobody_watches(monkeypatch, capsys):
    monkeypatch.setenv("TUTORLIB_PROGRESS", "off")
    tl.train(**problem())
    assert capsys.readouterr() == ("", "")


def test_progress_in_a_terminal_is_removed_at_the_end(monkeypatch, capsys):
    monkeypatch.setattr(training, "_audience", lambda: "terminal")
    with pytest.raises(KeyboardInterrupt), training.Progress(10, "work") as progress:
        progress.started = time.monotonic() - 5
        progress.update(5)
        assert "work: 5/10, 5 s so far, about 5 s left" in capsys.readouterr().err
        raise KeyboardInterrupt  # an interrupted loop cleans up too
    assert capsys.readouterr().err == "\r\x1b[K"


def test_progress_leaves_nothing_in_a_notebook():
    import nbformat
    from nbclient import NotebookClient

    source = """
import time
from tutorlib.training import Progress
with Progress(3, "work") as progress:
    for i in range(3):
        time.sleep(0.25)
        progress.update(i + 1)
print("done")
"""
    environment = {k: v for k, v in os.environ.items() if k != "TUTORLIB_PROGRESS"}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute(env=environment)
    assert [output.get("text") for output in notebook.cells[0].outputs] == ["done\n"]
