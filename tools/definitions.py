"""A chapter's definitions, on their own.

Cells tagged `definition` hold the paper's idea. They must run without the experiments around
them, so that tests can test them and scripts can use them at the paper's scale.
"""

import hashlib
from types import SimpleNamespace

import tutorlib
from tools.chapters import ROOT, Chapter, code_cells, tags


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
    those of the laptop.
    """
    cells = [cell for cell in _definition_cells(slug) if tag in tags(cell)]
    sources = [cell.source for cell in cells if "config" not in tags(cell)]
    for call, module in {"tl.train(": "training.py", "tl.sweep(": "sweeps.py"}.items():
        if any(call in source for source in sources):
            engine = ROOT / "src" / "tutorlib" / module
            sources.append(engine.read_text(encoding="utf-8"))
    return hashlib.sha256("\n".join(sources).encode()).hexdigest()[:12]


def _definition_cells(slug):
    chapter = Chapter(slug)
    cells = [cell for cell in code_cells(chapter.read_text()) if "definition" in tags(cell)]
    if not cells:
        raise ValueError(f"slug is {slug!r}; {chapter.text.name} has no cell tagged 'definition'")
    return cells
