"""A page with one explorable, as the book makes it: for its posters and its tests."""

import json
import sys
from pathlib import Path

from tools.chapters import ROOT
from tutorlib import explorables

HOST = ROOT / "book" / "_static" / "js" / "explorable-host.js"
STYLE = ROOT / "book" / "_static" / "book.css"


def write_page(slug: str, folder: Path, styled: bool = False) -> Path:
    """A page with the explorable in its default state, its module's source, and the host.

    styled: with the book's style sheet, so with its colours.
    """
    sys.path.insert(0, str(ROOT / "book" / "_ext"))
    try:
        from papers_in_motion.explorable import module_html
    finally:
        sys.path.pop(0)
    rules = explorables.manifest(slug)["state"]
    state = {name: rule["default"] for name, rule in rules.items()}
    style = f"<style>{STYLE.read_text(encoding='utf-8')}</style>" if styled else ""
    path = folder / "index.html"
    path.write_text(
        '<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Page</title>'
        f'{style}<body><div class="explorable" data-slug="{slug}">'
        f'<script type="application/json">{json.dumps(state)}</script>'
        '<p class="explorable-fallback">Without JavaScript.</p></div>'
        f"{module_html(slug, explorables.source(slug))}"
        f"<script>{HOST.read_text(encoding='utf-8')}</script>",
        encoding="utf-8",
    )
    return path
