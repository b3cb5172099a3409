"""The helper library of Papers in Motion.

It holds what several chapters share: the setup line and presets, figures, the training loop, the
ledger of results, explorables and exercise checkers. A paper's own idea is never here; it is
written out in that paper's chapter. Names are loaded on first use, so that importing tutorlib
costs little more than importing Python.
"""

from importlib import import_module
from time import monotonic as _monotonic

__version__ = "0.1.0"

_started = _monotonic()
"""When this Python process first imported tutorlib, for the measured run time of a chapter."""

_HOME = {
    "setup": "runtime",
    "preset": "runtime",
    "float64": "runtime",
    "Ledger": "ledger",
    "show": "figures",
    "panels": "figures",
    "add_band": "figures",
    "scrub": "figures",
    "COLORS": "figures",
    "train": "training",
    "map_runs": "runs",
    "sweep": "sweeps",
    "iterate": "sweeps",
    "load_result": "results",
    "digits": "data",
    "mnist": "data",
    "cifar10": "data",
    "explorable": "explorables",
    "check": "exercises",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'tutorlib' has no attribute {name!r}; it has {__all__}")
    value = getattr(import_module(f"tutorlib.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return __all__
