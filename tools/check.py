"""The contract of a chapter, as checks on what is stored.

Each check takes a chapter and returns sentences, one per fault; no sentence means that the
check is green. The contract tests run them on the book, the planting tests on a damaged copy,
and `python -m tools.check` shows an author all that is still missing.
"""

import ast
import base64
import re
import sys
from collections import Counter
from functools import cache

import numpy as np

from tools import chapters, stamp
from tutorlib import ledger as ledgers

PLOTLY = "application/vnd.plotly.v1+json"
REQUIRED_TAGS = ("setup", "config", "definition", "nbval-check-output")
EXERCISE_TAGS = ("stub", "check", "solution")
MIN_EXERCISES = 6
MIN_ALT_TEXT = 40
MAX_SECONDS = 120
AUTHORED = ("claim", "paper", "prerequisites", "download")
PAPER = ("title", "authors", "year", "url", "bibkey")
DATA_KEYS = ("x", "y", "z", "r", "theta", "values", "open", "close")
HOME_FOLDERS = r"(?:/(?:home|Users|root|tmp|private)/|[A-Z]:\\Users\\)\w"
RECORD_LINE = re.compile(r"^(\w+) = (\S.*), allowed \S+ to \S+$", re.MULTILINE)
DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.]*\.\d)")


# The notebook's frame


def head(chapter):
    """The chapter opens with its only H1 and carries the metadata that the book shows."""
    notebook = _notebook(chapter)
    faults = []
    first = notebook.cells[0]
    titles = [t for c in _markdown(notebook) for t in re.findall(r"^# .+", _prose(c.source), re.M)]
    if first.cell_type != "markdown" or not first.source.startswith("# ") or len(titles) != 1:
        faults.append(f"the first cell must be the only H1; H1 titles are {titles}")
    authored = notebook.metadata.get("papers_in_motion", {})
    missing = [key for key in AUTHORED if not authored.get(key)]
    missing += [f"paper.{key}" for key in PAPER if not (authored.get("paper") or {}).get(key)]
    if missing:
        faults.append(f"the metadata papers_in_motion lacks {', '.join(missing)}")
    return faults


def setup(chapter):
    """There is one setup cell, the same in all chapters."""
    mine = _tagged(_notebook(chapter), "setup")
    if len(mine) != 1:
        return [f"{len(mine)} cells are tagged `setup`; there must be one"]
    first = chapters.discover(chapter.root)[0]
    if mine[0].source != _tagged(_notebook(first), "setup")[0].source:
        return [f"the setup cell differs from the one in {first}"]
    return []


def required_tags(chapter):
    """The cells that tests and the book look for are there."""
    present = set().union(*(chapters.tags(cell) for cell in _notebook(chapter).cells))
    return [f"no cell is tagged `{tag}`" for tag in REQUIRED_TAGS if tag not in present]


def exercises(chapter):
    """There are enough exercises, each with a stub, a check and a solution."""
    count = {tag: len(_tagged(_notebook(chapter), tag)) for tag in EXERCISE_TAGS}
    faults = [f"{n} cells are tagged `{t}`; at least {MIN_EXERCISES} are needed"
              for t, n in count.items() if n < MIN_EXERCISES]  # fmt: skip
    if not count["stub"] == count["solution"] <= count["check"]:
        faults.append(f"exercises are incomplete: {count}")
    return faults


def kernel(chapter):
    """The kernel is the one that every machine has."""
    name = _notebook(chapter).metadata.get("kernelspec", {}).get("name")
    return [] if name == "python3" else [f"the kernel is {name!r}; it must be 'python3'"]


# Source and outputs in step


def pair(chapter):
    """Notebook and text pair hold the same source."""
    if not chapter.text.exists():
        return [f"{chapter.text.name} is missing; run: make execute CHAPTER={chapter}"]
    if chapters.to_text(chapter.read_text()) != chapters.to_text(_notebook(chapter)):
        return [f"{chapter.text.name} and {chapter.notebook.name} differ; "
                f"run: make execute CHAPTER={chapter}"]  # fmt: skip
    return []


def _fresh(part, what):
    """The check that one part of the stamp still holds."""

    def check(chapter):
        notebook = _notebook(chapter)
        stored = _run(notebook).get("stamp", {}).get(part)
        if stored == stamp.stamp(chapter, notebook)[part]:
            return []
        return [f"{what} since the stored outputs were computed; "
                f"run: make execute CHAPTER={chapter}"]  # fmt: skip

    return check


def outputs_fresh(chapter):
    """The stored outputs and conditions are those that the last execution left."""
    notebook = _notebook(chapter)
    run = _run(notebook)
    if run.get("stamp", {}).get("outputs") == stamp.outputs(notebook, run):
        return []
    return ["stored outputs are not those that were executed: somebody changed them since; "
            f"run: make execute CHAPTER={chapter}"]  # fmt: skip


def executed(chapter):
    """Every code cell ran, in order, without an error or a warning on stderr."""
    return executed_faults(_notebook(chapter))


def executed_faults(notebook):
    """What `executed` finds, for a notebook that is not stored yet."""
    code = chapters.code_cells(notebook)
    faults = []
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        faults.append("code cells were not all executed once, top to bottom")
    for number, cell in enumerate(code, start=1):
        for output in cell.outputs:
            if output.output_type == "error":
                faults.append(f"code cell {number} shows the error {output.ename}")
            if output.get("name") == "stderr":
                faults.append(f"code cell {number} wrote to stderr: {output.text.strip()[:200]}")
    return faults


def paths(chapter):
    """No output names a folder of the machine it was made on."""
    return path_faults(_notebook(chapter), chapter.root)


def path_faults(notebook, root):
    """What `paths` finds, for a notebook that is not stored yet."""
    local = re.compile(rf"{re.escape(str(root))}|{HOME_FOLDERS}")
    faults = []
    for number, cell in enumerate(chapters.code_cells(notebook), start=1):
        for text in _strings(cell.outputs):
            if found := local.search(text):
                near = text[found.start() : found.start() + 60].splitlines()[0]
                faults.append(f"an output of code cell {number} holds a local path: {near}")
    return faults


def budget(chapter):
    """The last `make execute` ran the published preset within the time promised to readers."""
    run = _run(_notebook(chapter))
    faults = []
    if run.get("preset") != "laptop":
        faults.append(f"outputs come from the preset {run.get('preset')!r}, not 'laptop'")
    seconds, speed = run.get("seconds", np.inf), run.get("speed") or 1
    if not seconds * speed <= MAX_SECONDS:
        faults.append(
            f"the chapter ran for {seconds} s on a machine of speed {speed} (tools/yardstick.py); "
            f"allowed are {MAX_SECONDS} s at speed 1"
        )
    return faults


# Figures


def figures(chapter):
    """Every figure shows data, and says in words and in a table what it shows."""
    notebook = _notebook(chapter)
    faults, count = [], 0
    for number, cell in enumerate(chapters.code_cells(notebook), start=1):
        for position, output in enumerate(cell.outputs):
            figure = output.get("data", {}).get(PLOTLY)
            if figure is None:
                continue
            count += 1
            meta = figure.get("layout", {}).get("meta") or {}
            label = f"figure {meta.get('name', '(no name)')!r} of code cell {number}"
            if len(meta.get("alt", "")) < MIN_ALT_TEXT:
                faults.append(f"{label} has no alt text of {MIN_ALT_TEXT} characters or more")
            table = "".join(
                follower.get("data", {}).get("text/html", "")
                for follower in cell.outputs[position + 1 : position + 2]
            )
            if 'class="figure-data"' not in table or "<td" not in table:
                faults.append(f"{label} is not followed by its data as a table")
            faults += [f"{label} is blank: {blank}" for blank in _blanks(figure)]
    return faults if count else ["the chapter has no figure"]


def _blanks(figure):
    """What in a figure draws nothing, in words."""
    if not figure.get("data"):
        return ["it has no trace"]
    traces = [(f"trace {i}", trace) for i, trace in enumerate(figure["data"])]
    for frame in figure.get("frames", []):
        traces += [(f"frame {frame.get('name')!r}, trace {i}", trace)
                   for i, trace in enumerate(frame.get("data", []))]  # fmt: skip
    return [f"{label} has no data in {key}" for label, trace in traces
            for key in DATA_KEYS if key in trace and not _has_data(trace[key])]  # fmt: skip


def _has_data(array):
    if isinstance(array, dict):
        kind = np.dtype(array["dtype"])
        array = np.frombuffer(base64.b64decode(array["bdata"]), dtype=kind)
        return array.size > 0 and bool(np.isfinite(array).any())
    if isinstance(array, list):
        return any(_has_data(item) for item in array)
    return array is not None and array == array


# Prose


def portable(chapter):
    """Markdown reads the same in the book, in Colab and on GitHub."""
    forms = {
        r"^\s*(```+|~~~+|:::+)\s*\{": "a MyST directive",
        r"^\s*:::": "a MyST block",
        r"^\([\w-]+\)=\s*$": "a MyST target",
        r"\{[a-zA-Z][\w:.-]*\}`": "a MyST role",
        r"!\[[^\]]*\]\(https?:|<img[^>]+src=[\"']https?:": "an image from another host",
    }
    return [
        f"a Markdown cell holds {what}: {found.group().strip()!r}"
        for cell in _markdown(_notebook(chapter))
        for pattern, what in forms.items()
        for found in re.finditer(pattern, _without_math(cell.source), re.MULTILINE)
    ]


def typed_numbers(chapter):
    """Decimals in prose are printed from records, or stand in a cell tagged `cited`."""
    notebook = _notebook(chapter)
    faults = [
        f"the decimal {found.group()} is typed in prose: {cell.source[:60]!r}. Print it from a "
        "record, or tag the cell `cited` if it quotes a paper"
        for cell in _markdown(notebook)
        if "cited" not in chapters.tags(cell)
        for found in DECIMAL.finditer(_prose(cell.source))
    ]
    code = chapters.code_cells(notebook)
    claims = _run(notebook).get("ledger", {}).get("claims", [])
    templates = [claim.get("templates", claim) for claim in claims]
    known = {n for text in templates for key in ("paper", "ran") for n in _decimals(text[key])}
    for cell in code:
        if "cited" in chapters.tags(cell):
            known |= set(_decimals(cell.source))
        elif chapters.tags(cell) & {"config", "definition"}:
            known |= _computed_with(cell.source)
    for position, cell in enumerate(code, start=1):
        # A checker's message holds what it measured in an answer.
        if chapters.tags(cell) & {"cited", "check", "solution"}:
            continue
        texts = [text for output in cell.outputs for text in _written(output)]
        if any("table" in _made_from(output) for output in cell.outputs):
            texts += [text["here"] for text in templates]
        here = known | _computed_with(cell.source)
        faults += [
            f"the decimal {number:g} is typed in the text of code cell {position}: {text[:60]!r}. "
            "Quote a record as `{name}`; allowed are numbers that this cell, a definition or the "
            "config computes with, and those of a claim's `paper` and `ran`"
            for text in texts
            for number in _decimals(_prose(text))
            if number not in here
        ]
    return faults


def _decimals(text):
    return [float(found) for found in DECIMAL.findall(text)]


def _written(output):
    """The Markdown of an output as it was before records were filled in; none for the table."""
    made_from = _made_from(output)
    text = output.get("data", {}).get("text/markdown")
    return [] if text is None or "table" in made_from else [made_from.get("say", text)]


def _made_from(output):
    return output.get("metadata", {}).get(ledgers.METADATA, {})


def _computed_with(source):
    """The numbers that code computes with: not those in texts, nor a record's range."""
    tree = ast.parse(source)
    ranges = {
        id(part)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "record"
        for keyword in call.keywords
        if keyword.arg in ("low", "high")
        for part in ast.walk(keyword.value)
    }
    return {
        float(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and type(node.value) in (int, float)
        and id(node) not in ranges
    }


def _without_math(text):
    return re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", " ", text, flags=re.DOTALL)


def _prose(text):
    """Markdown without code, mathematics, links and HTML tags."""
    text = re.sub(r"^(```+|~~~+).*?^\1\s*$", " ", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`]+`", " ", text)
    text = _without_math(text)
    text = re.sub(r"!?\[[^\]]*\]\([^)]*\)|<[^>]+>|https?://\S+", " ", text)
    return text


# Measured numbers


def records(chapter):
    """What the page shows as measured is what the records hold, and the records are coherent."""
    notebook = _notebook(chapter)
    ledger = _run(notebook).get("ledger", {})
    stored, claims = ledger.get("records", {}), ledger.get("claims", [])
    if not stored or not claims:
        return ["the notebook holds no records or no claims"]
    faults = [fault for name, record in stored.items() for fault in _incoherent(name, record)]
    return faults + list(_misprinted(notebook, stored))


def said(chapter):
    """The prose that `say` made, the claims and their table follow from the stored records."""
    notebook = _notebook(chapter)
    ledger = _run(notebook).get("ledger", {})
    stored, claims = ledger.get("records", {}), ledger.get("claims", [])
    faults, shown = [], set()
    for claim in claims:
        for key, template in claim.get("templates", {}).items():
            faults += _refilled(f"{key} of claim {claim['id']!r}", claim[key], template, stored)
    by_id = {claim["id"]: claim for claim in claims}
    for position, cell in enumerate(chapters.code_cells(notebook), start=1):
        for output in cell.outputs:
            made_from = _made_from(output)
            text = output.get("data", {}).get("text/markdown")
            where = f"an output of code cell {position}"
            if "say" in made_from:
                faults += _refilled(where, text, made_from["say"], stored)
            elif "table" in made_from:
                shown |= set(made_from["table"])
                rows = [by_id[id] for id in made_from["table"] if id in by_id]
                if text != ledgers.table_text(rows):
                    faults.append(f"{where} is not the table of the stored claims")
    return faults + [f"no table shows claim {id!r}" for id in by_id if id not in shown]


def _refilled(where, text, template, records):
    """The fault, if any, of a text that does not follow from its template and the records."""
    try:
        expected = ledgers.fill(template, records)
    except ValueError as error:
        return [f"{where}: {error}"]
    return [] if text == expected else [f"{where} is {text!r}; from the records it is {expected!r}"]


def _incoherent(name, record):
    values = np.asarray(record["values"], dtype=float)
    sd = values.std(ddof=1) if values.size > 1 else 0.0
    if not np.allclose([values.mean(), sd], [record["mean"], record["sd"]], rtol=1e-6, atol=1e-12):
        yield f"mean and sd of the record {name!r} do not follow from its values"
    if not record["low"] <= record["mean"] <= record["high"]:
        yield f"the record {name!r} is {record['mean']}, not in its range"


def _misprinted(notebook, stored):
    """Records whose line on the page is missing, repeated, or shows another number."""
    lines = [
        (name, number.split(" over ")[0])
        for cell in chapters.code_cells(notebook)
        for output in cell.outputs
        for name, number in RECORD_LINE.findall(output.get("text", ""))
    ]
    printed = dict(lines)
    for name, count in Counter(name for name, _ in lines).items():
        if count > 1:
            yield f"{count} records are named {name!r}; each needs a name of its own"
    for name in sorted(set(stored) | set(printed)):
        held = _shown(stored[name]) if name in stored else "not stored"
        if printed.get(name) != held:
            yield f"the record {name!r} is {held}; the page prints {printed.get(name, 'nothing')}"


def _shown(record):
    """A record as the ledger prints it."""
    return ledgers.fill("{it:pm}", {"it": record})


def remeasured(stored, fresh):
    """Faults of a stored ledger against one that was just measured.

    stored, fresh: the ledger's content, with `records` and `claims`. A mean may move as far as 5 %,
    one unit of the last digit shown, or eight standard errors of the differences, taken seed by
    seed, whichever is largest. For another kind of processor rounds otherwise, and some trainings
    multiply that until a seed's run is another one. With five seeds, chance alone goes beyond
    eight once in 750 records; what moves all seeds alike does not pass.
    """
    faults = []
    if set(stored["records"]) != set(fresh["records"]):
        faults.append(f"records are {sorted(fresh['records'])}; stored {sorted(stored['records'])}")
    for name in sorted(set(stored["records"]) & set(fresh["records"])):
        old, new = stored["records"][name], fresh["records"][name]
        if len(old["values"]) != len(new["values"]):
            faults.append(f"{name!r} has {len(new['values'])} values; stored {len(old['values'])}")
            continue
        moved = np.subtract(new["values"], old["values"])
        error = moved.std(ddof=1) / len(moved) ** 0.5 if len(moved) > 1 else 0.0
        allowed = max(8 * error, 0.05 * abs(old["mean"]), 10.0 ** -old["digits"])
        if not abs(new["mean"] - old["mean"]) <= allowed:
            faults.append(f"{name!r} was measured as {_shown(new)}; stored is {_shown(old)}")
    old, new = ({c["id"]: c["verdict"] for c in side["claims"]} for side in (stored, fresh))
    if old != new:
        faults.append(f"the verdicts are {new}; stored are {old}")
    return faults


CHECKS = {
    "head": head,
    "setup": setup,
    "required_tags": required_tags,
    "exercises": exercises,
    "kernel": kernel,
    "pair": pair,
    "cells_fresh": _fresh("cells", "code cells changed"),
    "library_fresh": _fresh("library", "tutorlib changed"),
    "versions_fresh": _fresh("versions", "locked versions changed"),
    "outputs_fresh": outputs_fresh,
    "executed": executed,
    "paths": paths,
    "budget": budget,
    "figures": figures,
    "portable": portable,
    "typed_numbers": typed_numbers,
    "records": records,
    "said": said,
}


# Reading notebooks


def _notebook(chapter):
    return _read(chapter, chapter.notebook.stat().st_mtime_ns)


@cache
def _read(chapter, modified):
    return chapter.read_notebook()


def _run(notebook):
    return notebook.metadata.get("papers_in_motion_run", {})


def _markdown(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def _tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in chapters.tags(cell)]


def _strings(value):
    """All text in a nested value, except binary arrays, where any letters can occur."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key != "bdata":
                yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def main():
    """Print every fault of every chapter."""
    faults = [
        f"{chapter}: {name}: {fault}"
        for chapter in chapters.discover()
        for name, check in CHECKS.items()
        for fault in check(chapter)
    ]
    print("\n".join(faults) or "every chapter keeps the contract")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
