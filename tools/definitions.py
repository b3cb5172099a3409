"""A chapter's definitions, on their own.

Cells tagged `definition` hold the paper's idea. They must run without the experiments around
them, so that tests can test them and scripts can use them at the paper's scale.
"""

from types import SimpleNamespace

import tutorlib
from tools.chapters import Chapter, code_cells, tags


def definitions(slug):
    """Execute the cells tagged `definition` of a chapter, in order; returns their names.

    Raises ValueError when the chapter has no such cell.
    """
    chapter = Chapter(slug)
    cells = [cell for cell in code_cells(chapter.read_text()) if "definition" in tags(cell)]
    if not cells:
        raise ValueError(f"slug is {slug!r}; {chapter.text.name} has no cell tagged 'definition'")
    names = {"tl": tutorlib, "__name__": f"definitions of {slug}"}
    for number, cell in enumerate(cells, start=1):
        # The cell's own line numbers in a traceback say more than "<string>".
        exec(compile(cell.source, f"<{slug}: definition {number}>", "exec"), names)
    return SimpleNamespace(**names)
