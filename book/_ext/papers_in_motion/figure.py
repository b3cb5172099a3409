"""Stored plotly figures as HTML that needs no kernel and no other server.

The page carries the figure's JSON beside its alternative text and native controls. The script
`figures.js` fetches plotly (once, from the site itself) and draws when the figure comes near, so
text always comes first.
"""

from docutils import nodes

from .chapters import FIGURE_MIME, ChapterError
from .html import escape, script_json

QUESTION_MIME = "application/vnd.papers-in-motion.question+json"
DEFAULT_HEIGHT = 450  # plotly's own


def figure_html(figure: dict, ask: bool = False) -> str:
    """HTML of one figure; raises ChapterError when it lacks alternative text.

    ask: cover the figure with its question, if it has one, until the reader has answered.
    """
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
        f'<div class="book-figure-plot" role="group" aria-label="{alt}">'
        f'<p class="book-figure-waiting">{alt}</p></div>'
        f"{controls_html(layout)}"
        f"{question_html(meta) if ask and meta.get('predict') else ''}"
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
            f' <output aria-live="off">{escape(value)}</output></span>'
            f'<input type="range" data-slider="{position}" min="0" max="{len(steps) - 1}" step="1"'
            f' value="{active}" aria-valuetext="{escape(value)}" disabled></label>'
        )
    return f'<div class="book-figure-controls">{"".join(controls)}</div>' if controls else ""


def question_html(meta: dict) -> str:
    """The question of a figure and the place for what the reader said.

    Both are hidden until figures.js covers the figure: without scripts there is nothing to cover.
    """
    predict = meta["predict"]
    options = predict["options"]
    title = f"figure-{escape(meta['name'])}-question"
    answer = f' data-answer="{escape(options[predict["answer"]])}"' if "answer" in predict else ""
    buttons = "".join(
        f'<button type="button" value="{escape(option)}">{escape(option)}</button>'
        for option in options
    )
    return (
        f'<div class="book-figure-question" role="group" aria-labelledby="{title}"{answer} hidden>'
        f'<p id="{title}">{escape(predict["question"])}</p>{buttons}'
        '<button type="button" value="">Just show me</button>'
        '<p class="book-figure-note" hidden>The figure is drawn after you answer.</p></div>'
        '<div class="book-figure-said" hidden><p tabindex="-1"></p>'
        '<button type="button">Ask me again</button></div>'
    )


def figure_node(figure: dict, *, ask: bool = False, table: str = "") -> nodes.raw:
    """The figure's HTML with its name and its slider's labels, which links are checked against.

    table: HTML of the figure's data, where it does not follow as an output of its own.
    """
    layout = figure.get("layout") or {}
    text = figure_html(figure, ask) + table
    steps = [step for slider in layout.get("sliders", [])[:1] for step in slider["steps"]]
    labels = [step.get("label", "") for step in steps]
    return nodes.raw("", text, format="html", figure=layout["meta"].get("name"), labels=labels)


class FigureMime:
    """MyST-NB renderer of stored plotly figures."""

    # For every builder, or other builders warn about an unknown type once per figure.
    mime_priority_overrides = [("*", FIGURE_MIME, 1)]

    @staticmethod
    def handle_mime(renderer, data, inline: bool) -> list[nodes.Element] | None:
        """Nodes for a plotly output; None for anything else."""
        if inline or data.mime_type != FIGURE_MIME:
            return None
        return [figure_node(data.content, ask=True)]


class QuestionMime:
    """MyST-NB renderer of a question's text: nothing, since the figure after it asks."""

    mime_priority_overrides = [("*", QUESTION_MIME, 1)]

    @staticmethod
    def handle_mime(renderer, data, inline: bool) -> list[nodes.Element] | None:
        """An empty node for a question; None for anything else.

        MyST-NB would take no node at all for "cannot show this" and show the text.
        """
        return [nodes.raw("", "", format="html")] if data.mime_type == QUESTION_MIME else None
