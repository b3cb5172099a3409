"""Explorables: pictures that compute in the reader's browser, alive in the book and in notebooks.

Each explorable is one ES module in anywidget's front-end format: the file named after it in this
folder, behind `_kit.js`, which all share, and its data, if it has any. The book mounts that text on
a static page; `explorable` mounts the same text in Jupyter and Colab, with every key of its state
synchronised to Python. What the state is (names, kinds, ranges, defaults) is written once, as JSON
inside the module, and read from there.
"""

import json
import math
import os
import re
from functools import cache
from numbers import Real
from operator import index
from pathlib import Path

MIMETYPE = "application/vnd.papers-in-motion.explorable+json"
_FOLDER = Path(__file__).parent
_MANIFEST = re.compile(r"^export const manifest = (\{.*?^\});$", re.MULTILINE | re.DOTALL)


def explorable(slug, **state):
    """Show an explorable and return its widget.

    slug: a name from `slugs()`.
    state: values that differ from the explorable's defaults. Each becomes an attribute of the
    widget: set it and the picture follows, move a control and the attribute changes.

    Raises ValueError or TypeError that names the argument, its value and what is allowed.
    Needs anywidget 0.9.21 or newer.
    """
    state = _checked(slug, state)
    widget = _widget_class(slug, _is_live())(**state)
    if _shell():
        widget._ipython_display_(again=True)
    return widget


def slugs():
    """Names of all explorables."""
    return sorted(path.stem for path in _FOLDER.glob("[!_]*.js"))


def source(slug):
    """The explorable's ES module: the text that the book embeds and that Jupyter loads."""
    return "".join(path.read_text(encoding="utf-8") for path in files(slug))


def files(slug):
    """The files that the module is made of, in order: what all share, its data, its own code."""
    if slug not in slugs():
        raise ValueError(f"slug={slug!r}: allowed are {', '.join(slugs())}")
    return [_FOLDER / "_kit.js", *sorted(_FOLDER.glob(f"_{slug}*.js")), _FOLDER / f"{slug}.js"]


@cache
def manifest(slug):
    """What the module says about itself: title, fallback text, and a rule for each state key."""
    return json.loads(_MANIFEST.search(source(slug)).group(1))


def _checked(slug, state):
    """The full state: given values over the defaults, each checked against its rule."""
    rules = manifest(slug)["state"]
    unknown = [name for name in state if name not in rules]
    if unknown:
        name = unknown[0]
        raise TypeError(
            f"{name}={state[name]!r}: {slug} has no such state; it has {', '.join(rules)}"
        )
    full = {name: rule["default"] for name, rule in rules.items()}
    full |= {name: _check(name, value, rules[name]) for name, value in state.items()}
    _check_limits(full, rules)
    return full


def _check(name, value, rule):
    """The value as plain JSON, or ValueError."""
    kind = rule["type"]
    if kind == "boolean":
        if isinstance(value, bool):
            return value
        raise ValueError(f"{name}={value!r}: allowed are True and False")
    if "enum" in rule:
        # Compared through the index, so that a numpy integer is an integer and True is not 1.
        plain = _integer(value) if kind == "integer" else value
        if isinstance(plain, int | str) and plain in rule["enum"]:
            return plain
        raise ValueError(f"{name}={value!r}: allowed are {', '.join(map(repr, rule['enum']))}")
    low, high = rule["minimum"], rule["maximum"]
    if kind == "integer":
        plain = _integer(value)
        if plain is None or not low <= plain <= high:
            raise ValueError(f"{name}={value!r}: allowed are whole numbers from {low} to {high}")
        return plain
    if kind == "number":
        real = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        if not real or not low <= value <= high:
            raise ValueError(f"{name}={value!r}: allowed are numbers from {low} to {high}")
        return float(value)
    numbers = [_integer(item) for item in value] if hasattr(value, "__iter__") else [None]
    lengths = rule["lengths"]
    if len(numbers) not in lengths or not all(n is not None and low <= n <= high for n in numbers):
        allowed = " or ".join(map(str, lengths))
        raise ValueError(
            f"{name}={value!r}: allowed are lists of {allowed} whole numbers from {low} to {high}"
        )
    return numbers


def _integer(value):
    """The value as int when it is a whole number (numpy's included), else None."""
    try:
        return None if isinstance(value, bool) else index(value)
    except TypeError:
        return None


def _check_limits(state, rules):
    """The rules between two keys, or ValueError."""
    for name, rule in rules.items():
        other = rule.get("belowHalfOf")
        if other and not 2 * state[name] < state[other]:
            raise ValueError(
                f"{name}={state[name]}: must be below half of {other}={state[other]}, "
                f"so at most {(state[other] - 1) // 2}"
            )


def _shell():
    """The running IPython shell, or None."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def _is_live():
    """Whether somebody may be watching this kernel.

    The authoring pipeline executes notebooks with TUTORLIB_PROGRESS=off. A widget opened there has
    no front end, yet its random id would be stored and differ on each run: it stays closed.
    """
    return os.environ.get("TUTORLIB_PROGRESS") != "off"


@cache
def _widget_class(slug, live):
    """A subclass of AnyWidget with one synchronised trait for each state key."""
    import anywidget
    import traitlets

    rules = manifest(slug)["state"]

    @traitlets.validate(*rules)
    def _valid(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        try:
            value = _check(name, value, rules[name])
            _check_limits({key: getattr(self, key) for key in rules} | {name: value}, rules)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None
        return value

    def _bundle(self):
        about = manifest(slug)
        state = {name: getattr(self, name) for name in rules}
        data = {
            MIMETYPE: {"slug": slug, "state": state, "fallback": about["fallback"]},
            "text/plain": f"{about['title']}. {about['fallback']}",
        }
        if not live:
            return data, {}
        view, metadata = self._repr_mimebundle_()
        return view | data, metadata

    def _ipython_display_(self, again=False):
        # The call that made the widget has shown it: as last value of the same cell it would
        # appear twice.
        cell = _shell().execution_count
        if again or cell != self._shown_in:
            from IPython.display import display

            self._shown_in = cell
            data, metadata = _bundle(self)
            display(data, metadata=metadata, raw=True)

    members = {
        "__doc__": f"{manifest(slug)['title']}: state {', '.join(rules)}.",
        "__module__": __name__,
        "_esm": source(slug),
        "_shown_in": None,
        "_valid": _valid,
        "_ipython_display_": _ipython_display_,
    }
    members |= {name: traitlets.Any(rule["default"]).tag(sync=True) for name, rule in rules.items()}
    if not live:
        members |= {"open": lambda self: None, "layout": traitlets.Any(None)}
    name = "".join(part.capitalize() for part in slug.split("-"))
    return type(name, (anywidget.AnyWidget,), members)
