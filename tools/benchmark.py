"""What a benchmark found: timed, printed for who runs it, and stored for the performance page.

    python -m tools.benchmark

says which stored tables were made by another text of their script (`make test` is red then), and
which by other definitions of their chapter (worth a look, not a failure).
"""

import datetime
import hashlib
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tools import definitions
from tools.chapters import ROOT
from tutorlib.runtime import device, versions

RESULTS = ROOT / "benchmarks" / "results"


def publish(script, title, tables, *, notes=(), also=None, chapter=None, threads=None):
    """Print the tables of a benchmark as Markdown and store them with their provenance.

    script: the benchmark's `__file__`; its name becomes that of the result file.
    title: what was measured. notes: sentences below the tables.
    tables: each a list of rows of texts, the headings first.
    also: versions of packages that only this benchmark uses.
    chapter: the chapter whose definitions were timed.
    threads: {name: threads} of what does not compute with JAX; JAX has one for each core.
    Raises ValueError for a table whose rows have different lengths.
    """
    for table in tables:
        if len(table) < 2 or len({len(row) for row in table}) != 1:
            raise ValueError(f"table is {table!r}; it must be headings and rows of equal length")
    script = Path(script).resolve()
    name = script.relative_to(ROOT).as_posix()
    content = {
        "title": title,
        "tables": [[[str(text) for text in row] for row in table] for table in tables],
        "notes": list(notes),
        "provenance": {
            "script": name,
            "script_text": AT_START.get(script) or fingerprint(script),
            "command": " ".join([name, *sys.argv[1:]]),
            "commit": commit(),
            "chapter": chapter,
            "definitions": chapter and definitions_of(chapter),
            "date": datetime.date.today().isoformat(),
            "machine": f"{processor()}, {cores()} cores",
            "device": device(),
            "threads": {"JAX": cores()} | (threads or {}),
            "versions": versions() | (also or {}),
        },
    }
    for table in content["tables"]:
        head, *rows = table
        for row in (head, ["---"] * len(head), *rows):
            print("| " + " | ".join(row) + " |")
        print()
    print(*notes, sep="\n")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{script.stem}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}")


# --- memory and time -----------------------------------------------------------------------------


def peak_memory():
    """Most memory that this process has held so far, in bytes."""
    # On Linux ru_maxrss also counts the process that started this one, as it was before exec.
    if (status := Path("/proc/self/status")).exists():
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts in bytes


def timed(function):
    """Call a function: (seconds, processor cores that this process kept busy meanwhile)."""
    started, processor_started = time.perf_counter(), time.process_time()
    function()
    seconds = time.perf_counter() - started
    return seconds, (time.process_time() - processor_started) / seconds


def in_turn(functions, rounds, *, warm=True):
    """Time functions after a first call of each, which compiles: seconds and busy cores.

    Both have shape (rounds, functions). The functions run in turn, so that a busy moment of the
    machine meets all of them. warm: False when they have been called before.
    """
    for function in functions if warm else ():
        function()
    found = np.array([[timed(function) for function in functions] for _ in range(rounds)])
    return found[..., 0], found[..., 1]


def spread(values, digits=1):
    """Median, least and largest of the values of several rounds: "10.3 (9.8 to 10.9)"."""
    middle, low, high = (f"{f(values):.{digits}f}" for f in (np.median, np.min, np.max))
    return f"{middle} ({low} to {high})"


# --- provenance ----------------------------------------------------------------------------------


def fingerprint(script):
    """Hash of a script's text, 12 hex digits. The performance page computes it in the same way."""
    text = Path(script).read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()[:12]


# A script may be edited while it runs; what is stored belongs to the text that was started.
AT_START = {path: fingerprint(path) for path in (ROOT / "benchmarks").glob("*.py")}


def definitions_of(slug):
    """Hash of a chapter's definitions; the one place from which benchmarks ask for it."""
    return definitions.fingerprint(slug)


def changed(path):
    """What a stored result no longer follows from: some of "script" and "definitions".

    Only the script makes a result stale. It holds the sizes, the rival code and the notes, so a
    table beside another script says something false; and it changes only when somebody works on
    the benchmark. Definitions change with every better error message, which no table shows.
    """
    made = json.loads(Path(path).read_text(encoding="utf-8"))["provenance"]
    found = []
    if made.get("script_text") != fingerprint(ROOT / made["script"]):
        found.append("script")
    if made.get("chapter") and made["definitions"] != definitions_of(made["chapter"]):
        found.append("definitions")
    return found


def commit():
    """The commit that is checked out, in short, and whether files differ; None without Git."""

    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)

    try:
        head, files = (
            git("rev-parse", "--short", "HEAD"),
            git("status", "--porcelain", "--", "benchmarks/*.py", "notebooks/*.py", "src", "tools"),
        )
    except OSError:
        return None
    if head.returncode:
        return None
    return head.stdout.strip() + (" with changes" if files.stdout.strip() else "")


def cores():
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def processor():
    """The processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    for result in sorted(RESULTS.glob("*.json")):
        print(f"{result.stem}: {', '.join(changed(result)) or 'nothing'} changed since")
