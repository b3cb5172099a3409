"""Figures that read the same everywhere: in the book, JupyterLab, VS Code and Colab.

A figure is a plotly figure shown by `show`, which insists on a description in words, adds the
numbers as a table, keeps both dark and light pages readable, and prepares a layout for phones.
"""

import html
import json
import re
import sys
import textwrap
from collections import defaultdict

import numpy as np

COLORS = {
    "truth": "#767676",
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "yellow": "#E69F00",
    "sky": "#56B4E9",
}
"""Colours that stay apart for colour-blind readers (Okabe and Ito, 2008), on light and dark."""

MIMETYPE = "application/vnd.plotly.v1+json"
QUESTION_MIMETYPE = "application/vnd.papers-in-motion.question+json"
"""Marks a question's text, which the book leaves out because its figure asks the question."""

_INK = "#767676"  # The grey with enough contrast on white and on black pages.
_GRID = "rgba(128,128,128,0.25)"
_PANEL_HEIGHT = 300
_TABLE_ROWS = 60
_TITLE = 90  # letters that fit above all panels of a row


def panels(titles, *, x_titles, y_titles, height=380, **subplots):
    """An empty figure with one panel per title, side by side, stacked on phones.

    titles, x_titles, y_titles: lists of equal length, one entry a panel.
    subplots: further arguments of `plotly.subplots.make_subplots`.
    """
    from plotly.subplots import make_subplots

    if not titles or not len(titles) == len(x_titles) == len(y_titles):
        raise ValueError(
            f"titles, x_titles and y_titles have lengths {len(titles)}, {len(x_titles)} and "
            f"{len(y_titles)}; they must be equal and at least 1"
        )
    count = len(titles)
    # An empty title would have no annotation, and each panel needs one to move on phones.
    titles = ["<br>".join(textwrap.wrap(title, _TITLE // count)) or " " for title in titles]
    # Room for the tick labels and the axis title between two panels.
    fig = make_subplots(
        1, count, subplot_titles=titles, horizontal_spacing=0.36 / count, **subplots
    )
    for i, (x, y) in enumerate(zip(x_titles, y_titles, strict=True), start=1):
        fig.update_xaxes(title_text=x, row=1, col=i)
        fig.update_yaxes(title_text=y, row=1, col=i)
    if count > 2:  # narrow ones
        fig.update_annotations(font_size=13)
        fig.update_xaxes(nticks=4)
    fig.update_layout(height=height, meta={"phone": _stacked(fig, count)})
    return fig


def _stacked(fig, count):
    """Layout patch that puts the panels of one row below each other."""
    gap = 0.26 / count if count > 1 else 0.0
    each = (1 - gap * (count - 1)) / count
    patch = {"height": _PANEL_HEIGHT * count + 120}
    annotations = [note.to_plotly_json() for note in fig.layout.annotations]
    for i in range(count):
        top = 1 - i * (each + gap)
        suffix = "" if i == 0 else str(i + 1)
        patch[f"xaxis{suffix}"] = {"domain": [0, 1]}
        patch[f"yaxis{suffix}"] = {"domain": [max(0.0, top - each), top]}
        if i < len(annotations):
            annotations[i] |= {"x": 0.5, "y": top}
    return patch | {"annotations": annotations}


def add_band(fig, x, runs, *, name, color, row=None, col=None, **line):
    """Draw runs over seeds: a band from the lowest to the highest, each run faint, the mean bold.

    x: shape (points,). runs: shape (seeds, points), finite. color: a hex colour.
    Raises ValueError for other shapes, values that are not finite, and another colour; TypeError
    for what is no figure or no real number.
    """
    import plotly.graph_objects as go

    _check_figure(fig)
    try:
        x, runs = np.asarray(x), np.asarray(runs)
        if runs.dtype.kind in "cSUmM":
            raise TypeError
        runs = runs.astype(float)
    except (TypeError, ValueError):
        raise TypeError(f"runs is {runs!r}; allowed are real numbers, (seeds, points)") from None
    if runs.ndim != 2 or not runs.size or x.shape != runs.shape[1:]:
        raise ValueError(
            f"runs has shape {runs.shape} and x {x.shape}; "
            "they must be (seeds, points) and (points,), with at least one of each"
        )
    gaps = np.argwhere(~np.isfinite(runs))
    if len(gaps):
        seed, point = gaps[0].tolist()
        raise ValueError(
            f"runs has {len(gaps)} of {runs.size} values that are not finite, the first for seed "
            f"{seed} at point {point}: {runs[seed, point]}; all must be finite"
        )
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", str(color)):
        raise ValueError(f"color is {color!r}; it must be six hex digits, such as '#0072b2'")
    place = {"row": row, "col": col}
    quiet = {"legendgroup": name, "showlegend": False, "hoverinfo": "skip"}
    edge = np.concatenate([runs.max(0), runs.min(0)[::-1]])
    fig.add_trace(
        go.Scatter(
            x=np.concatenate([x, x[::-1]]), y=edge, fill="toself", mode="lines",
            line={"width": 0}, fillcolor=_transparent(color, 0.18), meta="band", **quiet,
        ),
        **place,
    )  # fmt: skip
    for run in runs:
        fig.add_trace(
            go.Scatter(
                x=x, y=run, mode="lines", opacity=0.35, meta="run",
                line={"color": color, "width": 0.8}, **quiet,
            ),
            **place,
        )  # fmt: skip
    fig.add_trace(
        go.Scatter(
            x=x, y=runs.mean(0), mode="lines+markers", name=name, legendgroup=name,
            line={"color": color, "width": 2.5} | line, marker={"size": 5},
        ),
        **place,
    )  # fmt: skip


def _check_figure(fig):
    from plotly.basedatatypes import BaseFigure

    if not isinstance(fig, BaseFigure):
        raise TypeError(f"fig is {fig!r}; it must be a plotly figure")


def _transparent(color, alpha):
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def scrub(fig, labels, updates, *, prefix, start=0):
    """Give the figure a slider that sets the data of some traces, in all panels at once.

    labels: one per position.
    updates: one per position, {index of trace: {"x" or "y" or "z": data}}.
    prefix: what the label counts, for example "epoch ". start: position shown first.
    Raises ValueError when the lengths differ, a label repeats, a trace does not exist or its x, y
    and z do not belong together.
    """
    import plotly.graph_objects as go

    if len(labels) != len(updates) or not labels:
        raise ValueError(f"{len(labels)} labels for {len(updates)} updates; one each, at least one")
    if not 0 <= start < len(labels):
        raise ValueError(f"start is {start}; allowed are 0 to {len(labels) - 1}")
    wrong = sorted({i for update in updates for i in update} - set(range(len(fig.data))))
    if wrong:
        raise ValueError(f"updates name traces {wrong}; the figure has 0 to {len(fig.data) - 1}")
    kinds = [trace.type for trace in fig.data]
    for label, update in zip(labels, updates, strict=True):
        for i, data in update.items():
            kept = {key: fig.data[i][key] for key in ("x", "y", "z") if _has(fig.data[i], key)}
            _check_lengths(f"trace {i} at position {label}", kinds[i], kept | data)
    labels = [str(label) for label in labels]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"labels repeats {twice}; each position needs a label of its own")
    fig.frames = [
        go.Frame(
            name=label,
            data=[{"type": kinds[i]} | _small(data) for i, data in update.items()],
            traces=list(update),
        )
        for label, update in zip(labels, updates, strict=True)
    ]
    for i, data in updates[start].items():
        fig.data[i].update(_small(data))
    move = {
        "mode": "immediate",
        "frame": {"duration": 0, "redraw": True},
        "transition": {"duration": 0},
    }
    steps = [{"label": s, "method": "animate", "args": [[s], move]} for s in labels]
    fig.update_layout(
        sliders=[
            {
                "active": start, "steps": steps, "pad": {"t": 46, "b": 6}, "len": 1.0, "x": 0,
                "currentvalue": {"prefix": prefix, "font": {"size": 14}}, "ticklen": 3,
            }
        ]
    )  # fmt: skip


def show(fig, *, alt, name=None, predict=None):
    """Display a plotly figure with its description and its data as a table.

    alt: what a reader who cannot see the figure needs to know; at least 40 characters.
    name: a label by which links move the figure's slider and other pages show the figure; letters,
    digits and hyphens.
    predict: a question that the book asks before it draws the figure: a dict with "question" (a
    text), "options" (2 to 5 short texts) and, if the data decide, "answer": the position of the
    option that they support, computed from them and never typed. Needs a name, under which the
    reader's browser keeps the guess.
    Raises ValueError for a missing or too short description, a figure without data, a name that a
    link could not hold, and an incomplete question; TypeError for what is no figure.
    """
    _check_figure(fig)
    if not isinstance(alt, str) or len(alt.split()) < 6 or len(alt) < 40:
        raise ValueError(
            f"alt is {alt!r}; describe in at least 40 characters what the figure shows, "
            "for readers who cannot see it"
        )
    if not fig.data:
        raise ValueError("fig has no traces; draw something before you show it")
    if name is not None and not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise ValueError(f"name is {name!r}; allowed are letters, digits and hyphens")
    if predict is not None:
        predict = _checked_question(predict, name)
    fig = type(fig)(fig)  # the caller's figure stays as it is
    for i, trace in enumerate(fig.data):
        _check_drawable(i, trace)
        for key, values in _small({k: trace[k] for k in ("x", "y", "z") if _has(trace, k)}).items():
            trace[key] = None  # plotly keeps the old array when the new one compares equal.
            trace[key] = values
    labels = {"alt": alt, "name": name, "predict": predict}
    _style(fig, {key: label for key, label in labels.items() if label is not None})

    from IPython.display import display

    if predict:
        text = _question_text(predict)
        display({QUESTION_MIMETYPE: {}, "text/markdown": text, "text/plain": text}, raw=True)
    if "google.colab" in sys.modules:
        fig.show(renderer="colab", config=_CONFIG)
    else:
        # Typed arrays and dates become plain JSON exactly as plotly itself would write them.
        bundle = json.loads(fig.to_json()) | {"config": _CONFIG}
        display({MIMETYPE: bundle, "text/plain": f"Figure: {alt}"}, raw=True)
    display({"text/html": _table(fig, alt), "text/plain": "(data table)"}, raw=True)


_CONFIG = {"responsive": True, "displaylogo": False}


def _checked_question(predict, name):
    """The question as the page stores it, with the answer as a plain int."""
    if name is None:
        raise ValueError("name is missing; a figure with predict needs one to keep the guess under")
    if not isinstance(predict, dict) or not (
        {"question", "options"} <= set(predict) <= {"question", "options", "answer"}
    ):
        raise ValueError(
            f"predict is {predict!r}; it must be a dict with 'question', 'options' and, if the "
            "data decide, 'answer'"
        )
    question, options, answer = (predict.get(key) for key in ("question", "options", "answer"))
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"predict has the question {question!r}; it must be a text")
    if (
        not isinstance(options, (list, tuple))
        or not 2 <= len(options) <= 5
        or not all(isinstance(option, str) and 0 < len(option.strip()) <= 80 for option in options)
        or len(set(options)) < len(options)
    ):
        raise ValueError(
            f"predict has the options {options!r}; allowed are 2 to 5 different texts of 1 to 80 "
            "characters"
        )
    checked = {"question": question, "options": list(options)}
    if answer is None:
        return checked
    if (
        isinstance(answer, (bool, np.bool_))
        or not isinstance(answer, (int, np.integer))
        or not 0 <= answer < len(options)
    ):
        raise ValueError(
            f"predict has the answer {answer!r}; allowed are the positions 0 to "
            f"{len(options) - 1}, as an int computed from the data"
        )
    return checked | {"answer": int(answer)}


def _question_text(predict):
    """The question in Markdown, for notebooks, where the figure follows at once."""
    options = "\n".join(f"- {option}" for option in predict["options"])
    return f"**Before you look.** {predict['question']}\n\n{options}"


def _has(trace, key):
    return key in trace and trace[key] is not None


def _check_drawable(i, trace):
    """Refuse a trace with nothing finite in it, which draws as an empty frame, or with data that
    do not belong together."""
    data = {key: trace[key] for key in ("x", "y", "z") if _has(trace, key)}
    for key, values in data.items():
        values = np.asarray(values)
        if values.size == 0:
            raise ValueError(f"trace {i} ({trace.name!r}) has an empty {key}")
        if all(value is None for value in values.flat) or (
            values.dtype.kind == "f" and not np.isfinite(values).any()
        ):
            raise ValueError(f"trace {i} ({trace.name!r}) has no finite value in {key}")
    _check_lengths(f"trace {i} ({trace.name!r})", trace.type, data)


def _check_lengths(where, kind, data):
    """Refuse what plotly would draw in part, without a word."""
    shapes = {key: np.shape(values) for key, values in data.items()}
    if kind == "heatmap":
        rows, columns = shapes["z"] if len(shapes["z"]) == 2 else (0, 0)
        # One more than there are cells means their edges.
        fits = rows and all(
            shapes.get(key, (count,)) in [(count,), (count + 1,)]
            for key, count in {"x": columns, "y": rows}.items()
        )
    else:
        fits = len({shape[:1] for shape in shapes.values()}) <= 1
    if not fits:
        raise ValueError(f"{where} has data of shapes {shapes}, which do not belong together")


def _small(data):
    """The same data with floats as float32, where no reader sees the difference: half the page."""
    small = {}
    for key, values in data.items():
        values = np.asarray(values)
        if values.dtype == np.float64:
            finite = values[np.isfinite(values)]
            extent = np.ptp(finite) if finite.size else 0.0
            # float32 carries 7 digits, and the axis may show only what differs after them.
            if not finite.size or np.abs(finite).max() < min(1e4 * (extent or np.inf), 1e38):
                values = values.astype(np.float32)
        small[key] = values
    return small


def _style(fig, labels):
    given = fig.layout.meta or {}
    named = [trace for trace in fig.data if trace.showlegend is not False]
    legend = len(named) > 1 and fig.layout.showlegend is not False
    tall = any("<br>" in (note.text or "") for note in fig.layout.annotations)
    fig.update_layout(
        template="none",
        meta=given | labels,
        height=fig.layout.height or 420,
        margin={"l": 60, "r": 16, "t": 84 if legend else 44, "b": 60},
        showlegend=legend,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _INK, "size": 13, "family": "system-ui, sans-serif"},
        # Above the panels, so that it never meets the slider or the axis titles.
        legend={"orientation": "h", "x": 0, "y": 1.18 if tall else 1.12, "yanchor": "bottom"},
        hovermode="closest",
        hoverlabel={"font": {"size": 12}},
    )
    fig.update_xaxes(gridcolor=_GRID, zerolinecolor=_GRID, linecolor=_INK, automargin=True)
    fig.update_yaxes(gridcolor=_GRID, zerolinecolor=_GRID, linecolor=_INK, automargin=True)


def _table(fig, alt):
    """The figure's data as HTML tables: traces that share their x stand side by side."""
    columns = defaultdict(list)
    blocks = []
    for trace in fig.data:
        if trace.meta in ("band", "run"):
            continue
        if trace.type == "heatmap":
            blocks.append(_heatmap_table(trace))
        elif _has(trace, "y"):
            y = np.asarray(trace.y)
            x = np.asarray(trace.x) if _has(trace, "x") else np.arange(len(y))
            axis = fig.layout[(trace.xaxis or "x").replace("x", "xaxis", 1)].title.text or "x"
            columns[axis, tuple(x.tolist())].append((trace.name or "y", y))
    runs = sum(trace.meta == "run" for trace in fig.data)
    for (axis, x), traces in columns.items():
        keep = _thinned(len(x))
        head = [axis, *(name for name, _ in traces)]
        rows = [[x[i], *(y[i] for _, y in traces)] for i in keep]
        blocks.append(_html_table(head, rows, len(x)))
    notes = []
    if runs:
        notes.append("The table gives the mean over seeds; the figure also draws every seed.")
    if fig.frames:
        notes.append("The table gives the slider's first position.")
    note = f"<p>{' '.join(notes)}</p>" if notes else ""
    return (
        '<details class="figure-data"><summary>Description and data of this figure</summary>'
        f"<p>{html.escape(alt)}</p>{note}{''.join(blocks)}</details>"
    )


def _heatmap_table(trace):
    z = np.asarray(trace.z)
    x = trace.x if _has(trace, "x") else range(z.shape[1])
    y = trace.y if _has(trace, "y") else range(z.shape[0])
    rows, cols = _thinned(z.shape[0]), _thinned(z.shape[1])[:12]
    head = ["", *(list(x)[j] for j in cols)]
    return _html_table(head, [[list(y)[i], *(z[i, j] for j in cols)] for i in rows], z.shape[0])


def _thinned(length):
    """At most `_TABLE_ROWS` positions, evenly spread."""
    return np.unique(
        np.linspace(0, length - 1, min(length, _TABLE_ROWS)).round().astype(int)
    ).tolist()


def _html_table(head, rows, length):
    head = "".join(f'<th scope="col">{html.escape(_cell(c))}</th>' for c in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(c))}</td>" for c in row) + "</tr>" for row in rows
    )
    thin = f"<caption>{len(rows)} of {length} rows</caption>" if len(rows) < length else ""
    return f"<table>{thin}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value):
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    return str(value)
