"""A chapter's definitions, on their own, and where a result computed from them comes from.

Cells tagged `definition` hold the paper's idea. They must run without the experiments around
them, so that tests can test them and scripts can use them at the paper's scale.

A result file is stale when its script, the definitions or the configuration changed. Its script's
whole text counts. Where git shows that nothing in it that computes has changed since the result was
made, stamp the result again, and say in the commit what showed it:

    python -m tools.definitions grokking-paper
"""

import argparse
import datetime
import hashlib
import json
import os
import subprocess
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace

import tutorlib
from tools.chapters import ROOT, Chapter, code_cells, slugs, tags
from tutorlib.runtime import device, versions

RESULTS = ROOT / "src" / "tutorlib" / "results"


def definitions(slug):
    """Execute the cells tagged `definition` of a chapter, in order; returns their names.

    Raises ValueError when the chapter has no such cell.
    """
    names = {"tl": tutorlib, "__name__": f"definitions of {slug}"}
    for number, cell in enumerate(_definition_cells(slug), start=1):
        # A name that says where the line is: a traceback with "<string>" helps nobody.
        exec(compile(cell.source, f"<{slug}: definition {number}>", "exec"), names)
    return SimpleNamespace(**names)


def fingerprint(slug, tag="definition"):
    """Hash of what a result computed from the definitions follows from: 12 hex digits.

    The definition cells that carry `tag` too, and the training loop and the sweep engine if they
    use them. The chapter's sizes are left out; a script that uses its own sizes does not depend on
    those of the laptop; one that uses the chapter's names them in its `provenance`.
    """
    cells = [cell for cell in _definition_cells(slug) if tag in tags(cell)]
    sources = [cell.source for cell in cells if "config" not in tags(cell)]
    for call, module in {"tl.train(": "training.py", "tl.sweep(": "sweeps.py"}.items():
        if any(call in source for source in sources):
            engine = ROOT / "src" / "tutorlib" / module
            sources.append(engine.read_text(encoding="utf-8"))
    return hashlib.sha256("\n".join(sources).encode()).hexdigest()[:12]


def provenance(script, **more):
    """What each result file says about its making: take it when the script starts.

    script: the script's `__file__`. more: further keys, among them `seconds`, `setting` and, for
    what the result follows from, these:
    definitions: `fingerprint(slug, tag)`. tag: that tag, if it is not "definition".
    preset: in words, or the preset that `config` belongs to.
    config: what the script takes from the chapter's configuration, as a path such as "config" or
    "config.transformer"; leave it out if the sizes are the script's own.
    Raises ValueError when `definitions` or `preset` is missing.
    """
    from tools.benchmark import commit, processor  # which imports this module

    missing = [key for key in ("definitions", "preset") if key not in more]
    if missing:
        raise ValueError(f"more lacks {missing}; a result must say what it follows from")
    path = Path(script).resolve()
    made = {"script": path.relative_to(ROOT).as_posix()} | more
    made |= {
        "commit": commit(),
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "device": device(),
        "versions": versions(),
    }
    (slug,) = [slug for slug in slugs() if path.stem.startswith(slug.replace("-", "_"))]
    return made | follows_from(slug, made)


def follows_from(slug, made):
    """The keys of a provenance that a change makes stale, as they would be now.

    made: the provenance, of which `script`, `tag`, `preset` and `config` are used.
    """
    from tools import benchmark

    now = {
        "definitions": fingerprint(slug, made.get("tag", "definition")),
        "script_text": benchmark.fingerprint(ROOT / made["script"]),
    }
    if "config" in made:
        before = os.environ.get("TUTORLIB_PRESET")
        os.environ["TUTORLIB_PRESET"] = made["preset"]
        try:
            now["config_value"] = repr(attrgetter(made["config"])(definitions(slug)))
        finally:
            del os.environ["TUTORLIB_PRESET"]
            if before is not None:
                os.environ["TUTORLIB_PRESET"] = before
    return now


def _definition_cells(slug):
    chapter = Chapter(slug)
    cells = [cell for cell in code_cells(chapter.read_text()) if "definition" in tags(cell)]
    if not cells:
        raise ValueError(f"slug is {slug!r}; {chapter.text.name} has no cell tagged 'definition'")
    return cells


def main():
    parser = argparse.ArgumentParser(description="Stamp a result again, see above.")
    parser.add_argument("name", choices=sorted(path.stem for path in RESULTS.glob("*.json")))
    parser.add_argument("--config", help="what its script takes of the chapter's sizes")
    options = parser.parse_args()
    path = RESULTS / f"{options.name}.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    # What was not recorded at the time: Git knows when the result came.
    log = ["git", "log", "-1", "--format=%h %as", "--", str(path)]
    came = subprocess.run(log, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    made = {"commit": f"stored by {came[0]}", "date": came[1], "processor": "not recorded"}
    made |= content["provenance"] | ({"config": options.config} if options.config else {})
    (slug,) = [slug for slug in slugs() if options.name.startswith(f"{slug}-")]
    now = follows_from(slug, made)
    if made["definitions"] != now["definitions"]:
        parser.error(f"{options.name} was made by other definitions; run its script again")
    content["provenance"] = made | now
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    print(f"stamped {options.name}")


if __name__ == "__main__":
    main()
