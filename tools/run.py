"""Running a chapter in a fresh kernel, always under the same conditions.

`make execute`, the smoke test and the planting tests all come through here, so what is published
and what is tested are computed alike.
"""

import json
import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell

from tools import chapters

CELL_TIMEOUT = 900
PROBE = """
import json
from tutorlib.runtime import device, preset_name, versions
found = {"device": device(), "versions": versions(), "speed": None}
if preset_name() == "laptop":  # the preset whose time readers are promised
    from tools import yardstick
    found["speed"] = round(yardstick.speed(), 2)
print(json.dumps(found))
"""


class CellFailed(Exception):
    """A cell raised, ran too long or killed its kernel; the message shows the cell and why."""


@dataclass
class Result:
    """What a run left: the notebook with outputs, the ledger's content, and the conditions."""

    notebook: object
    ledger: dict
    preset: str
    seconds: float
    device: str
    versions: dict
    speed: float | None  # of the machine, from `yardstick`, at the preset laptop


def environment(root, preset, ledger_file):
    """The environment variables of a kernel that runs a chapter of the book in `root`."""
    path = [str(root / "src"), str(chapters.ROOT), os.environ.get("PYTHONPATH")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "TUTORLIB_PRESET": preset,
        "TUTORLIB_PROGRESS": "off",
        "TUTORLIB_LEDGER_FILE": str(ledger_file),
        # The renderer must not depend on the terminal or editor that started the run.
        "PLOTLY_RENDERER": "plotly_mimetype",
        # The book's numbers are what a reader without an accelerator gets.
        "JAX_PLATFORMS": "cpu",
    }


def run(chapter, notebook, preset="laptop", report=lambda number, total, cell, seconds: None):
    """Run a notebook top to bottom in a fresh kernel, in the folder where readers run it.

    report is called before each code cell, and once after the last with cell None.
    Raises CellFailed; the notebook passed in is left as it was.
    """
    notebook = chapters.source_of(notebook)
    code = [(i, c) for i, c in enumerate(notebook.cells) if c.cell_type == "code"]
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(chapter.root / "notebooks")}},
    )
    with tempfile.TemporaryDirectory() as folder:
        ledger_file = Path(folder) / "ledger.json"
        with client.setup_kernel(env=environment(chapter.root, preset, ledger_file)):
            start = time.monotonic()
            for number, (index, cell) in enumerate(code, start=1):
                report(number, len(code), cell, time.monotonic() - start)
                with _explained(chapter, number, cell):
                    client.execute_cell(cell, index)
            seconds = time.monotonic() - start
            report(len(code), len(code), None, seconds)
            probe = new_code_cell(PROBE)
            notebook.cells.append(probe)
            client.execute_cell(probe, len(notebook.cells) - 1, store_history=False)
            notebook.cells.pop()
        empty = {"chapter": chapter.slug, "records": {}, "claims": []}
        ledger = json.loads(ledger_file.read_text()) if ledger_file.exists() else empty
    _clean(notebook)
    conditions = json.loads(probe.outputs[0].text)
    return Result(notebook, ledger, preset, seconds, **conditions)


@contextmanager
def _explained(chapter, number, cell):
    where = f"{chapter}: code cell {number}"
    try:
        yield
    except CellExecutionError as error:  # its traceback shows the cell
        raise CellFailed(f"{where} failed.\n\n{error.traceback}") from None
    except CellTimeoutError:
        message = f"{where} ran for more than {CELL_TIMEOUT} s.\n\n{cell.source}"
        raise CellFailed(message) from None
    except DeadKernelError:
        message = f"{where} killed its kernel (out of memory?).\n\n{cell.source}"
        raise CellFailed(message) from None


def _clean(notebook):
    """Remove what would differ in every run or means nothing without its kernel."""
    for cell in chapters.code_cells(notebook):
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
        cell.outputs = [o for o in cell.outputs if o.get("data", True)]
