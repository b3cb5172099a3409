"""Explorables from Python: state, errors, what is displayed, and the file that is shipped."""

import json
import shutil
import subprocess
import sys
import zipfile

import nbformat
import numpy as np
import pytest
import traitlets
from nbclient import NotebookClient

from tools.chapters import ROOT
from tutorlib import explorables
from tutorlib.explorables import explorable

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(params=explorables.slugs())
def slug(request):
    return request.param


def test_every_state_key_is_a_synchronised_trait_with_its_default(slug):
    widget = explorable(slug)
    rules = explorables.manifest(slug)["state"]
    for name, rule in rules.items():
        assert getattr(widget, name) == rule["default"]
        assert widget.traits()[name].metadata["sync"]
    assert set(rules) <= set(widget.get_state())


def test_defaults_keep_the_rules(slug):
    rules = explorables.manifest(slug)["state"]
    explorable(slug, **{name: rule["default"] for name, rule in rules.items()})


def test_given_state_is_plain_json():
    widget = explorable(
        "fourier-head",
        shape="drawn",
        drawing=np.arange(64) % 30,
        frequencies=np.int64(7),
        shuffled=True,
    )
    assert widget.drawing == [i % 30 for i in range(64)]
    assert json.dumps(widget.get_state(["drawing", "frequencies", "shuffled"]))
    assert type(widget.frequencies) is int


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"frequencies": 0}, "frequencies=0: allowed are whole numbers from 1 to 24"),
        ({"frequencies": 2.5}, "frequencies=2.5: allowed are whole numbers from 1 to 24"),
        ({"frequencies": True}, "frequencies=True: allowed are whole numbers from 1 to 24"),
        (
            {"frequencies": 16, "bins": 32},
            "frequencies=16: must be below half of bins=32, so at most 15",
        ),
        ({"bins": 50}, "bins=50: allowed are 32, 64, 128"),
        ({"bins": "64"}, "bins='64': allowed are 32, 64, 128"),
        ({"shape": "hill"}, "shape='hill': allowed are 'one-bump'"),
        ({"shape": ["one-bump"]}, "allowed are 'one-bump'"),
        ({"samples": 10}, "samples=10: allowed are whole numbers from 25 to 10000"),
        ({"drawing": [1, 2]}, "allowed are lists of 0 or 64 whole numbers from 0 to 100"),
        ({"drawing": [101] * 64}, "allowed are lists of 0 or 64 whole numbers from 0 to 100"),
        ({"drawing": 3}, "drawing=3: allowed are lists"),
        ({"running": "yes"}, "running='yes': allowed are True and False"),
    ],
)
def test_bad_state_is_named(state, message):
    with pytest.raises(ValueError) as error:
        explorable("fourier-head", **state)
    assert message in str(error.value)
    # The same rules hold for a widget that exists already, which keeps its value.
    widget = explorable("fourier-head")
    before = {name: getattr(widget, name) for name in state}
    with pytest.raises(traitlets.TraitError) as error, widget.hold_trait_notifications():
        for name, value in state.items():
            setattr(widget, name, value)
    assert message in str(error.value)
    assert {name: getattr(widget, name) for name in state} == before


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match="slug='fourier': allowed are .*fourier-head"):
        explorable("fourier")
    with pytest.raises(
        TypeError, match="colour='red': fourier-head has no such state; it has shape"
    ):
        explorable("fourier-head", colour="red")


def test_two_keys_bound_to_each_other_can_change_in_one_message():
    """The front end sends frequencies and bins together when fewer bins need fewer frequencies."""
    widget = explorable("fourier-head", frequencies=24)
    with pytest.raises(traitlets.TraitError, match="at most 15"):
        widget.bins = 32
    seen = []
    widget.observe(
        lambda change: seen.append((change["name"], change["new"])), ["frequencies", "bins"]
    )
    widget.set_state({"bins": 32, "frequencies": 15})
    assert (widget.bins, widget.frequencies) == (32, 15)
    assert sorted(seen) == [("bins", 32), ("frequencies", 15)]


CELLS = [
    "import sys, tutorlib as tl\nprint('anywidget' in sys.modules)",
    "tl.explorable('fourier-head', seed=3)",
    "widget = tl.explorable('fourier-head')",
    "widget.seed = 9\nwidget",
]


def run(cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    return notebook


def test_a_live_notebook_shows_the_widget_once(monkeypatch):
    monkeypatch.delenv("TUTORLIB_PROGRESS", raising=False)
    light, last, assigned, shown = (cell.outputs for cell in run(CELLS).cells)
    assert light[0]["text"].strip() == "False"
    for outputs, seed in ((last, 3), (assigned, 1), (shown, 9)):
        (output,) = outputs
        assert output["output_type"] == "display_data"
        assert set(output["data"]) == {explorables.MIMETYPE, VIEW, "text/plain"}
        assert output["data"][explorables.MIMETYPE]["state"]["seed"] == seed
    assert assigned[0]["data"][VIEW] == shown[0]["data"][VIEW]


def test_an_executed_notebook_is_the_same_each_time(monkeypatch):
    monkeypatch.setenv("TUTORLIB_PROGRESS", "off")
    first, second = run(CELLS), run(CELLS)
    assert [c.outputs for c in first.cells] == [c.outputs for c in second.cells]
    assert "widgets" not in first.metadata
    (output,) = first.cells[1].outputs
    assert set(output["data"]) == {explorables.MIMETYPE, "text/plain"}
    content = output["data"][explorables.MIMETYPE]
    assert content["slug"] == "fourier-head"
    assert set(content["state"]) == set(explorables.manifest("fourier-head")["state"])
    assert content["fallback"] in output["data"]["text/plain"]


def test_jupyter_and_the_wheel_carry_the_same_bytes(slug, tmp_path):
    """The book embeds what `explorables.source` gives; the browser tests compare that."""
    assert explorable(slug)._esm == explorables.source(slug)
    # Built from a copy: setuptools leaves files behind.
    source = tmp_path / "source"
    shutil.copytree(ROOT / "src/tutorlib/explorables", source / "src/tutorlib/explorables")
    shutil.copy(ROOT / "src/tutorlib/__init__.py", source / "src/tutorlib")
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [f"tutorlib/explorables/{path.name}" for path in explorables.files(slug)]
        shipped = b"".join(archive.read(name) for name in names)
    assert shipped.decode() == explorables.source(slug)
