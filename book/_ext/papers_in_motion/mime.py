"""How the book's own output types reach MyST-NB.

MyST-NB finds renderers through the entry points of installed packages. The extension is not
installed, so it adds its classes to the list that MyST-NB reads.
"""

from myst_nb.core import render


def register(*renderers: type) -> None:
    """Let MyST-NB use `renderers` in addition to the installed ones."""
    installed = render.load_mime_renders

    def load_mime_renders() -> list[type]:
        return [*installed(), *renderers]

    render.load_mime_renders = load_mime_renders
