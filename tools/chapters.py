"""Where chapters are and how they are stored.

A chapter is two files in notebooks/: `<slug>.ipynb` with outputs, which readers open, and
`<slug>.py`, its source as text, which reviewers read. Both hold the same source; the text form
is the canonical one, so two sources are equal exactly when their texts are.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {
    "name": "python",
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "pygments_lexer": "ipython3",
}
# The text pair keeps what an author writes: the chapter's metadata and the cells' tags.
_TEXT_METADATA = {
    "notebook_metadata_filter": (
        "kernelspec,papers_in_motion,jupytext.text_representation.extension,"
        "jupytext.text_representation.format_name,-all"
    ),
    "cell_metadata_filter": "tags,-all",
}
_NEW_CELL = {
    "code": nbformat.v4.new_code_cell,
    "markdown": nbformat.v4.new_markdown_cell,
    "raw": nbformat.v4.new_raw_cell,
}


@dataclass(frozen=True)
class Chapter:
    """One chapter of the book rooted at `root`."""

    slug: str
    root: Path = ROOT

    @property
    def notebook(self):
        return self.root / "notebooks" / f"{self.slug}.ipynb"

    @property
    def text(self):
        return self.root / "notebooks" / f"{self.slug}.py"

    def read_notebook(self):
        """The stored notebook, outputs included."""
        return nbformat.read(self.notebook, as_version=4)

    def read_text(self):
        """The source in the text pair, as a notebook without outputs."""
        return source_of(jupytext.reads(self.text.read_text(encoding="utf-8"), fmt="py:percent"))

    def __str__(self):
        return self.slug


def discover(root=ROOT):
    """The chapters in the table of contents, in its order."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    names = [Path(name) for name in _toc_files(toc)]
    return [Chapter(name.stem, root) for name in names if name.parent == Path("notebooks")]


def slugs(root=ROOT):
    """The slugs of everything in notebooks/, sorted, in the table of contents or not."""
    files = (root / "notebooks").glob("*")
    return sorted({file.stem for file in files if file.suffix in (".ipynb", ".py")})


def _toc_files(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("file", "root"):
                yield value
            else:
                yield from _toc_files(value)
    elif isinstance(node, list):
        for item in node:
            yield from _toc_files(item)


def source_of(notebook):
    """The part of a notebook that an author writes: cells with their tags, chapter metadata.

    Cell ids follow from the content, so that running a chapter again does not change them.
    Raises ValueError for what the text pair cannot hold.
    """
    cells, ids = [], set()
    for cell in notebook.cells:
        if cell.get("attachments"):
            raise ValueError("a cell has an attachment; put the picture in a file and link it")
        if cell.cell_type == "raw" and "papers_in_motion" in cell.source:
            raise ValueError("papers_in_motion must stand under `jupyter:` in the text's header")
        source = cell.source.strip("\n")
        base = hashlib.sha256(f"{cell.cell_type}\n{source}".encode()).hexdigest()[:8]
        name, copies = base, 1
        while name in ids:
            copies += 1
            name = f"{base}-{copies}"
        ids.add(name)
        tags = list(cell.metadata.get("tags", []))
        metadata = {"tags": tags} if tags else {}
        cells.append(_NEW_CELL[cell.cell_type](source, id=name, metadata=metadata))
    metadata = {"kernelspec": KERNEL, "language_info": LANGUAGE}
    if "papers_in_motion" in notebook.metadata:
        metadata["papers_in_motion"] = notebook.metadata["papers_in_motion"]
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def to_text(notebook):
    """The source of a notebook as jupytext percent text."""
    source = source_of(notebook)
    source.metadata["jupytext"] = _TEXT_METADATA
    return jupytext.writes(source, fmt="py:percent")


def tags(cell):
    """The tags of a cell, as a set."""
    return set(cell.metadata.get("tags", []))


def code_cells(notebook):
    """The code cells of a notebook, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def write(chapter, notebook):
    """Store a notebook and its text pair.

    The text goes first: if the process dies in between, the text differs from the last executed
    source while the notebook does not, so the next run takes the text, which is the newer one.
    """
    _replace(chapter.text, to_text(notebook))
    _replace(chapter.notebook, nbformat.writes(notebook) + "\n")


def _replace(path, content):
    """Write a file in one step: a reader sees the old content or the new, never a part."""
    if path.exists() and path.read_text(encoding="utf-8") == content:
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(content, encoding="utf-8", newline="\n")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
