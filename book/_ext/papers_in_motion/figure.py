"""Stored plotly figures as HTML that needs no kernel and no other server.

The page carries the figure's JSON beside its alternative text and native controls. The script
`figures.js` fetches plotly (once, from the site itself) and draws when the figure comes near, so
text always comes first.
"""

from docutils import nodes

from .chapters import FIGURE_MIME, ChapterError
from .html import escape, script_json

DEFAULT_HEIGHT = 450  # plotly's own


def figure_html(figure: dict) -> str:
    """HTML of one figure; raises ChapterError when it lacks alternative text."""
    layout = figure.get("layout") or {}
    meta = layout.get("meta") if isinstance(layout.get("meta"), dict) else {}
    if not str(meta.get("alt") or "").strip():
        raise ChapterError(
            f"The figure named {meta.get('name')!r} has no layout.meta.alt; show it with "
            "tutorlib.show(fig, alt=...)."
        )
    height = layout.get("height") or DEFAULT_HEIGHT
    phone_height = (meta.get("phone") or {}).get("height") or height
    stored = {key: figure[key] for key in ("data", "layout", "frames", "config") if figure.get(key)}
    alt = escape(meta["alt"])
    anchor = f' id="figure-{escape(meta["name"])}"' if meta.get("name") else ""
    heights = f"--height:{int(height)}px;--height-phone:{int(phone_height)}px"
    return (
        f'<figure class="book-figure"{anchor} style="{heights}">'
        f'<div class="book-figure-plot" role="img" aria-label="{alt}">'
        f'<p class="book-figure-waiting">{alt}</p></div>'
        f"{controls_html(layout)}"
        f'<script type="application/json">{script_json(stored)}</script></figure>'
    )


def controls_html(layout: dict) -> str:
    """Native controls for the layout's sliders and buttons.

    Plotly draws its own into the picture, where they are tiny on phones and out of reach of the
    keyboard. Their position in the layout, in data attributes, tells figures.js what they do.
    """
    controls = []
    for menu, spec in enumerate(layout.get("updatemenus") or []):
        controls += [
            f'<button type="button" data-menu="{menu}" data-button="{position}" disabled>'
            f"{escape(button.get('label', ''))}</button>"
            for position, button in enumerate(spec.get("buttons") or [])
        ]
    for position, slider in enumerate(layout.get("sliders") or []):
        active = slider.get("active") or 0
        steps = slider["steps"]
        current = slider.get("currentvalue") or {}
        name = (current.get("prefix") or "Step").strip().rstrip("=:").strip()
        value = f"{steps[active].get('label', active)}{current.get('suffix') or ''}"
        controls.append(
            f'<label class="book-figure-slider"><span>{escape(name)}'
            f" <output>{escape(value)}</output></span>"
            f'<input type="range" data-slider="{position}" min="0" max="{len(steps) - 1}" step="1"'
            f' value="{active}" aria-valuetext="{escape(value)}" disabled></label>'
        )
    return f'<div class="book-figure-controls">{"".join(controls)}</div>' if controls else ""


class FigureMime:
    """MyST-NB renderer of stored plotly figures."""

    # For every builder, or other builders warn about an unknown type once per figure.
    mime_priority_overrides = [("*", FIGURE_MIME, 1)]

    @staticmethod
    def handle_mime(renderer, data, inline: bool) -> list[nodes.Element] | None:
        """Nodes for a plotly output; None for anything else."""
        if inline or data.mime_type != FIGURE_MIME:
            return None
        return [nodes.raw("", figure_html(data.content), format="html")]
