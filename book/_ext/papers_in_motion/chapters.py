"""Chapters as the book sees them: what an executed notebook says about itself.

Facts bar, cards, embedded figures and the ledger page all read notebooks through this module, so
a missing field is reported once, in one way, wherever it is first needed.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from sphinx.environment import BuildEnvironment
from sphinx.errors import SphinxError
from sphinx_external_toc.parsing import parse_toc_yaml

FOLDER = "notebooks"
FIGURE_MIME = "application/vnd.plotly.v1+json"
VERDICTS = ("reproduced", "weaker", "not reproduced")
WORDS_PER_MINUTE = 200


class ChapterError(SphinxError):
    """A notebook lacks something that the book has to show."""

    category = "Chapter error"


def require(mapping: dict, key: str, where: str):
    """Return `mapping[key]`; raise ChapterError, naming the place, when it is absent or empty."""
    value = mapping.get(key)
    if value is None or value == "" or value == {}:
        raise ChapterError(f"{where} has no '{key}'; the book cannot be built without it.")
    return value


@dataclass(frozen=True)
class Chapter:
    """One executed notebook.

    `cells` are the notebook's cells, `metadata` its metadata; everything else is derived on
    demand, so that a page only fails for a field it shows.
    """

    slug: str
    path: Path
    cells: list[dict]
    metadata: dict

    @property
    def docname(self) -> str:
        return f"{FOLDER}/{self.slug}"

    @property
    def title(self) -> str:
        """The text of the first H1."""
        for cell in self.cells:
            if cell["cell_type"] == "markdown":
                heading = re.search(r"^# +(.+?)\s*$", text_of(cell["source"]), re.MULTILINE)
                if heading:
                    return heading[1]
        raise ChapterError(f"{self.path.name} has no H1; its first Markdown cell needs '# Title'.")

    @property
    def about(self) -> dict:
        """What the author wrote: claim, paper, prerequisites, download."""
        return require(self.metadata, "papers_in_motion", f"The metadata of {self.path.name}")

    @property
    def run(self) -> dict:
        """What the last execution measured: preset, seconds, cores, versions, stamp, ledger."""
        key = "papers_in_motion_run"
        if not self.metadata.get(key):
            raise ChapterError(
                f"{self.path.name} has no '{key}' metadata: it was not executed by "
                f"'make execute CHAPTER={self.slug}'."
            )
        return self.metadata[key]

    def fact(self, *keys: str):
        """A field of `about`, e.g. `fact("paper", "year")`."""
        return descend(self.about, keys, f"{self.path.name}: metadata papers_in_motion")

    def measured(self, *keys: str):
        """A field of `run`, e.g. `measured("ledger", "claims")`."""
        return descend(self.run, keys, f"{self.path.name}: metadata papers_in_motion_run")

    @property
    def claims(self) -> list[dict]:
        """The ledger's rows, each checked to be complete and to carry a known verdict."""
        rows = self.measured("ledger", "claims")
        for row in rows:
            where = f"{self.path.name}: ledger claim {row.get('id', '(without id)')}"
            for key in ("id", "statement", "paper", "here"):
                require(row, key, where)
            if row.get("verdict") not in VERDICTS:
                raise ChapterError(
                    f"{where} has verdict {row.get('verdict')!r}; allowed: {', '.join(VERDICTS)}."
                )
        return rows

    @property
    def reading_minutes(self) -> int:
        """Minutes needed for the Markdown before the exercises, read calmly; at least 1."""
        prose = "\n\n".join(
            text_of(cell["source"]) for cell in self.cells if cell["cell_type"] == "markdown"
        )
        prose = re.split(r"^## Exercises$", prose, flags=re.M)[0]
        words = re.findall(r"\w[\w'’-]*", re.sub(r"<[^>]+>|\$\$.*?\$\$", " ", prose, flags=re.S))
        return max(1, round(len(words) / WORDS_PER_MINUTE))

    def figure(self, name: str) -> tuple[dict, str]:
        """The stored figure with `layout.meta.name == name` and the HTML table that follows it."""
        names = []
        for cell in self.cells:
            outputs = cell.get("outputs", [])
            for position, output in enumerate(outputs):
                figure = output.get("data", {}).get(FIGURE_MIME)
                if figure is None:
                    continue
                figure_name = (figure.get("layout", {}).get("meta") or {}).get("name")
                names.append(str(figure_name))
                if figure_name == name:
                    following = outputs[position + 1 :][:1]
                    table = following[0].get("data", {}).get("text/html", "") if following else ""
                    return figure, text_of(table)
        raise ChapterError(
            f"{self.path.name} has no figure named {name!r}; it has: {', '.join(names) or 'none'}."
        )


def descend(mapping: dict, keys: tuple[str, ...], where: str):
    """Follow `keys` into nested mappings with `require`."""
    for key in keys:
        mapping = require(mapping, key, where)
        where = f"{where}.{key}"
    return mapping


def text_of(source: str | list[str]) -> str:
    """Notebook text, which the format allows to be a string or a list of lines."""
    return source if isinstance(source, str) else "".join(source)


def load(path: Path) -> Chapter:
    """Read one notebook file."""
    if not path.is_file():
        raise ChapterError(f"There is no chapter {path.stem!r}: {path.name} is not in {FOLDER}/.")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return Chapter(path.stem, path, notebook["cells"], notebook["metadata"])


def chapter_of(env: BuildEnvironment, slug: str) -> Chapter:
    """The chapter `slug`, noted as something the current page depends on."""
    path = Path(env.srcdir) / FOLDER / f"{slug}.ipynb"
    env.note_dependency(str(path))
    return load(path)


def pages_in_toc(env: BuildEnvironment) -> list[str]:
    """The names of all pages, in the order of the table of contents."""
    toc = Path(env.srcdir) / "_toc.yml"
    env.note_dependency(str(toc))
    return list(parse_toc_yaml(toc))


def chapters_in_toc(env: BuildEnvironment) -> list[Chapter]:
    """All chapters, in the order of the table of contents."""
    names = [Path(docname) for docname in pages_in_toc(env)]
    return [chapter_of(env, name.stem) for name in names if name.parent == Path(FOLDER)]
