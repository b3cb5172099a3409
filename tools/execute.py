"""`make execute`: bring stored chapters up to date with their sources.

An author edits either file of a chapter. The one that changed since the last execution is the
source; if code, tutorlib or locked versions changed too, the chapter runs top to bottom in a
fresh kernel, and both files are written together, or neither.
"""

import argparse
import os
import sys

from tools import chapters, check, stamp
from tools.run import CellFailed, run


class Refused(Exception):
    """The chapter cannot be executed or stored; the message says why and what to do."""


def source(chapter):
    """The newest source of a chapter: the side that differs from the last executed state.

    Raises Refused when both sides differ from it, or when there is no chapter at all.
    """
    text = chapter.read_text() if chapter.text.exists() else None
    stored = chapter.read_notebook() if chapter.notebook.exists() else None
    if text is None and stored is None:
        known = ", ".join(chapters.slugs(chapter.root)) or "none"
        raise Refused(f"there is no chapter {chapter.slug!r}; chapters are: {known}")
    if text is None or stored is None:
        return chapters.source_of(text or stored)
    last = _stored_run(stored).get("source")
    now = {"text": stamp.source(text), "notebook": stamp.source(stored)}
    if now["text"] == now["notebook"] or now["notebook"] == last:
        return text
    if now["text"] == last:
        return chapters.source_of(stored)
    raise Refused(
        f"{_local(chapter.text)} and {_local(chapter.notebook)} were both changed, in different "
        "ways. Keep one: carry the other's changes over by hand, then restore that other file "
        "with `git checkout -- FILE`, or delete it."
    )


def execute(chapter, force=False, say=print):
    """Bring one chapter up to date; True if it had to run.

    force runs it even if its outputs are fresh. Raises Refused or CellFailed, with the stored
    files as they were.
    """
    new = source(chapter)
    if not chapters.code_cells(new):
        raise Refused(
            f"{chapter}: the newer of its two files holds no code cell; was it cut short? "
            f"Restore it with `git checkout -- notebooks/{chapter.slug}.*`."
        )
    now = stamp.stamp(chapter, new)
    stored = chapter.read_notebook() if chapter.notebook.exists() else None
    fresh = stored is not None and _stored_run(stored).get("stamp") == now | {
        "outputs": stamp.outputs(stored, _stored_run(stored))
    }
    if fresh and not force and not check.executed_faults(stored):
        changed = not chapter.text.exists() or stamp.source(new) != _stored_run(stored)["source"]
        outputs = zip(chapters.code_cells(new), chapters.code_cells(stored), strict=True)
        for cell, old in outputs:
            cell.outputs, cell.execution_count = old.outputs, old.execution_count
        _store(chapter, new, _stored_run(stored))
        say(f"{chapter}: {'prose taken over, no code changed' if changed else 'up to date'}")
        return False

    say(f"{chapter}: running {len(chapters.code_cells(new))} code cells")
    result = run(chapter, new, report=_progress(say))
    faults = check.executed_faults(result.notebook)
    faults += check.path_faults(result.notebook, chapter.root)
    if result.ledger["chapter"] != chapter.slug:
        faults.append(f"its ledger is named {result.ledger['chapter']!r}")
    if stamp.stamp(chapter, new) != now:
        faults.append("tutorlib or the lock changed while it ran")
    if faults:
        raise Refused("\n  ".join([f"{chapter}: ran, but its outputs were not stored:", *faults]))
    ledger = {key: result.ledger[key] for key in ("records", "claims")}
    conditions = {
        "preset": result.preset,
        "seconds": round(result.seconds, 1),
        "speed": result.speed,
        "cores": os.cpu_count(),
        "device": result.device,
        "versions": result.versions,
        "ledger": ledger,
    }
    now["outputs"] = stamp.outputs(result.notebook, conditions)
    _store(chapter, result.notebook, conditions | {"stamp": now})
    say(f"{chapter}: stored, {result.seconds:.0f} s")
    return True


def _store(chapter, notebook, conditions):
    notebook.metadata["papers_in_motion_run"] = conditions | {"source": stamp.source(notebook)}
    chapters.write(chapter, notebook)


def _stored_run(notebook):
    return notebook.metadata.get("papers_in_motion_run", {})


def _local(path):
    return f"notebooks/{path.name}"


def _progress(say):
    def report(number, total, cell, seconds):
        if cell is not None:
            lines = [line for line in cell.source.splitlines() if line.strip()]
            say(f"  [{number:3}/{total}] {seconds:6.1f} s  {lines[0][:70] if lines else ''}")

    return report


def main(arguments=None):
    """Execute one chapter or all; exit status 1 if one could not be stored."""
    parser = argparse.ArgumentParser(prog="python -m tools.execute", description=__doc__)
    parser.add_argument("--chapter", metavar="SLUG", help="only this chapter")
    parser.add_argument("--force", action="store_true", help="run even if nothing changed")
    options = parser.parse_args(arguments)
    chosen = [chapters.Chapter(options.chapter)] if options.chapter else chapters.discover()
    failed = False
    for chapter in chosen:
        try:
            execute(chapter, options.force, say=lambda line: print(line, flush=True))
        except (Refused, CellFailed, ValueError, OSError) as error:
            print(error, file=sys.stderr)
            failed = True
        except KeyboardInterrupt:
            print(f"{chapter}: stopped; its stored files are as they were", file=sys.stderr)
            return 130
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
