"""What a benchmark found: printed for who runs it, and stored for the book's performance page."""

import datetime
import json
import os
import platform
from pathlib import Path

from tools.chapters import ROOT
from tutorlib.runtime import device, versions

RESULTS = ROOT / "benchmarks" / "results"


def publish(script, title, tables, *, notes=(), also=None):
    """Print the tables of a benchmark as Markdown and store them with their provenance.

    script: the benchmark's `__file__`; its name becomes that of the result file.
    title: what was measured. notes: sentences below the tables.
    tables: each a list of rows of texts, the headings first.
    also: versions of packages that only this benchmark uses.
    Raises ValueError for a table whose rows have different lengths.
    """
    for table in tables:
        if len(table) < 2 or len({len(row) for row in table}) != 1:
            raise ValueError(f"table is {table!r}; it must be headings and rows of equal length")
    script = Path(script).resolve()
    content = {
        "title": title,
        "tables": [[[str(text) for text in row] for row in table] for table in tables],
        "notes": list(notes),
        "provenance": {
            "script": str(script.relative_to(ROOT)),
            "date": datetime.date.today().isoformat(),
            "machine": f"{processor()}, {os.cpu_count()} cores",
            "device": device(),
            "versions": versions() | (also or {}),
        },
    }
    for table in content["tables"]:
        head, *rows = table
        for row in (head, ["---"] * len(head), *rows):
            print("| " + " | ".join(row) + " |")
        print()
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{script.stem}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}")


def processor():
    """The processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
