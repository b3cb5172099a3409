"""Exercise checkers: a student's answer goes in, a message that names the mistake comes out.

A chapter's checkers live in the module of this package that is named after it (`fourier-head` ->
`fourier_head.py`). Each tests properties of the answer against an oracle of its own (closed form,
brute force, a re-run), never its source text. What is shared is here: running code that nobody has
reviewed without letting it stop the notebook, reading whatever it returns, and the result.

A checker runs in a thread of its own, because that is the one way to limit its time which works
in a Jupyter kernel, in a script and on Windows alike. Past the limit, an exception is raised inside
that thread; this ends any loop written in Python. A call that never comes back from compiled code
cannot be ended, and the message then says so.
"""

import contextvars
import copy
import ctypes
import inspect
import os
import re
import threading
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from traceback import walk_tb

import numpy as np

__all__ = [
    "NotAttempted", "Result", "Submitted", "Unsolved", "Wrong", "check", "checker", "entries",
    "numbers", "ranking", "sentence",
]  # fmt: skip

TIME_LIMIT = 20.0
"""Seconds of processor time that one check may take, the student's code included: compiling a head
in JAX for every shape takes a few. On a busy machine the clock may show four times as many."""

MAX_ENTRIES = 1_000_000
"""The largest array that is read; every exercise asks for far fewer numbers."""

_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")

_CHECKERS = {}


class NotAttempted(Exception):
    """The stub is untouched."""


class Wrong(Exception):
    """The answer is wrong; the text names the mistake and a next step."""


class Unsolved(Exception):
    """An answer that had to be right is missing or wrong; the text is the check's message."""


class _TimeIsUp(BaseException):
    """Raised inside the thread of a check. Not an Exception, so `except Exception` lets it pass."""


@dataclass(frozen=True, repr=False)
class Result:
    """What a check found. A notebook shows the message.

    ok: the answer is right. attempted: the stub was touched. message: portable Markdown.
    """

    ok: bool
    attempted: bool
    message: str

    def __repr__(self):
        return self.message

    def _repr_markdown_(self):
        return self.message

    def require(self):
        """Raise `Unsolved`, with the message, unless the answer is right: for grading a class."""
        if not self.ok:
            raise Unsolved(self.message)


def checker(exercise, todo):
    """Register the decorated function as the checker of an exercise.

    exercise: "<chapter>/<number>". todo: what to do, one sentence, shown while the stub is
    untouched. The function takes the answer (and the exercise's context as keywords), raises
    `Wrong` or `NotAttempted`, and returns a sentence that says what it verified.
    """

    def register(function):
        _CHECKERS[exercise] = (function, todo)
        return function

    return register


def check(exercise, answer, **context):
    """Check the answer to an exercise and return a `Result`; no answer makes this raise.

    exercise: "<chapter>/<number>", for example "fourier-head/1".
    answer: what the exercise asks for, a function or a value.
    context: further parts of the answer where the exercise names them.
    Raises ValueError for an unknown exercise and TypeError for an unknown or missing context:
    these are mistakes in the cell that calls `check`, not in the answer.
    """
    function, todo = _find(exercise)
    inspect.signature(function).bind(answer, **context)
    name = f"Exercise {exercise.partition('/')[2]}"
    outcome, ended = _in_time(lambda: function(answer, **context))
    if isinstance(outcome, str):
        return Result(True, True, f"✓ {name}: {outcome}")
    if isinstance(outcome, NotAttempted):
        return Result(
            False, False, f"○ {name}: not attempted yet. {todo} Then run this cell again."
        )
    if isinstance(outcome, Wrong):
        problem = str(outcome)
    elif isinstance(outcome, _TimeIsUp):
        problem = (
            f"stopped after {TIME_LIMIT:g} s without an answer. Look for a loop whose end is never "
            "reached, or replace nested loops by array operations; in JAX, compile them with "
            "`jax.jit`."
        )
        if not ended:
            problem += " It could not be ended and is still running: restart the kernel."
    else:
        problem = f"the checker could not work with this answer: `{_last_line(outcome)}`."
    return Result(False, True, f"✗ {name}: {problem}")


def _find(exercise):
    """The checker of an exercise and its `todo`."""
    chapter = str(exercise).partition("/")[0]
    modules = {name.replace("_", "-"): name for _, name, _ in iter_modules(__path__)}
    if chapter in modules:
        import_module(f"{__name__}.{modules[chapter]}")
    if exercise not in _CHECKERS:
        allowed = [known for known in _CHECKERS if known.startswith(f"{chapter}/")]
        allowed = allowed or [f"{slug}/<number>" for slug in sorted(modules)]
        raise ValueError(f"exercise is {exercise!r}; allowed are {', '.join(allowed)}")
    return _CHECKERS[exercise]


def _in_time(function):
    """Call `function` silently, for at most TIME_LIMIT seconds of processor time.

    Returns (outcome, ended): what it returned or the exception that it raised, and whether it came
    to an end.
    """
    outcomes = []
    # The student's jax and numpy settings that are local to a context hold in the thread too.
    surroundings = contextvars.copy_context()

    def work():
        try:
            outcomes.append(surroundings.run(function))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it must not escape
            outcomes.append(error)

    thread = threading.Thread(target=work, daemon=True)
    with open(os.devnull, "w") as silence, redirect_stdout(silence), redirect_stderr(silence):
        thread.start()
        try:
            clock, work_done = time.monotonic(), time.process_time()
            while (
                thread.is_alive()
                and time.process_time() - work_done < TIME_LIMIT
                and time.monotonic() - clock < 4 * TIME_LIMIT
            ):
                thread.join(TIME_LIMIT / 200)
        finally:  # also when the reader interrupts the kernel
            for _ in range(20):  # more than once, for a loop that catches everything
                if outcomes:
                    break
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident), ctypes.py_object(_TimeIsUp)
                )
                thread.join(0.05)
    return (outcomes or [_TimeIsUp()])[0], bool(outcomes)


class Submitted:
    """A student's function, for a checker to call: on copies, with every failure turned to words.

    function: the answer. signature: what the exercise asks for, as in "my_head(a, m)".
    Raises NotAttempted for None and `...`, Wrong for what cannot be called.
    """

    def __init__(self, function, signature):
        if function is None or function is ...:
            raise NotAttempted
        if not callable(function):
            raise Wrong(
                f"this exercise wants the function `{signature}`, but got {_kind(function)}. Hand "
                "over the function itself: its name, without brackets."
            )
        self.function = function
        self.name = signature.partition("(")[0]
        self.parameters = signature.partition("(")[2].rstrip(")").split(", ")

    def __call__(self, *inputs):
        """What the function returns for copies of `inputs`.

        Raises NotAttempted for a stub, Wrong when it raises or changes its inputs.
        """
        copies = copy.deepcopy(inputs)
        try:
            value = self.function(*copies)
        except _TimeIsUp:
            raise
        except BaseException as error:  # noqa: BLE001 - sys.exit() must not end the kernel
            where, innermost = self._where(error)
            if isinstance(error, NotImplementedError) and innermost:
                raise NotAttempted from None
            raise Wrong(
                f"`{self.name}` raised `{_last_line(error)}`{where}. It was called with "
                f"{self._describe(inputs)}; call it on such an input to see the whole traceback."
            ) from None
        for name, before, after in zip(self.parameters, inputs, copies, strict=True):
            if isinstance(before, np.ndarray) and not np.array_equal(before, after, equal_nan=True):
                raise Wrong(
                    f"`{self.name}` changed its input `{name}`. Its caller still needs that array: "
                    f"work on a copy (`{name}.copy()`) or build a new one."
                )
        if value is ...:
            raise NotAttempted
        return value

    def _describe(self, inputs):
        """The inputs of a call in words."""
        return ", ".join(
            f"`{name}` of shape {_shape(value.shape)}" if np.ndim(value) else f"`{name}` = {value}"
            for name, value in zip(self.parameters, inputs, strict=True)
        )

    def _where(self, error):
        """The place of an error in the student's code, and whether it is the innermost frame."""
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        frames = list(walk_tb(error.__traceback__))
        theirs = [
            frame for frame in frames if code and frame[0].f_code.co_filename == code.co_filename
        ]
        if not theirs:
            return "", False
        frame, line = theirs[-1]
        try:
            # Of the whole file: the block that `getsourcelines` finds for a comprehension starts
            # at the function around it.
            source = _code(inspect.findsource(frame.f_code)[0][line - 1].strip())
        except (OSError, IndexError):  # typed into a plain console: there is no source to quote
            source = ""
        named = frame.f_code
        if named.co_name in _COMPREHENSIONS:  # the function that it stands in says more
            around = named.co_qualname.rpartition(".<locals>.")[0]
            codes = [other.f_code for other, _ in theirs]
            named = next((c for c in reversed(codes) if c.co_qualname == around), named)
        place = f", line {line - named.co_firstlineno + 1} of `{named.co_name}`"
        return place + (f": `{source}`" if source else ""), theirs[-1] == frames[-1]


def numbers(value, what, shape, meaning="", *, real=True, known=None):
    """Read what a student returned as an array of finite numbers.

    what: how messages call it, as in "`my_head(a, m)`". shape: expected, None for any length.
    meaning: what the axes are, for the message. real: refuse a complex value. known: messages for
    wrong shapes whose mistake can be named, {shape: message}.
    Returns a float64 or complex128 array of that shape. Raises Wrong otherwise.
    """
    wanted = f"{_shape(shape)}{f': {meaning}' if meaning else ''}"
    array_of = "an array of shape " if shape else ""
    if value is None:
        raise Wrong(f"{what} is None instead of {array_of}{wanted}. Is a `return` missing?")
    try:
        found = np.shape(value)
    except Exception:  # noqa: BLE001 - ragged lists, or an object that only looks like an array
        raise Wrong(f"{what} is {_kind(value)} that NumPy cannot read as one array.") from None
    if found in (known or {}):
        raise Wrong(f"{what} {_has_shape(found)}: {known[found]}")
    if len(found) != len(shape) or any(
        want not in (None, have) for want, have in zip(shape, found, strict=True)
    ):
        raise Wrong(f"{what} {_has_shape(found)}; expected is {array_of * (not found)}{wanted}.")
    if np.prod(found, dtype=float) > MAX_ENTRIES:
        raise Wrong(f"{what} has shape {_shape(found)}: far more numbers than the exercise needs.")
    try:
        array = np.asarray(value)
        if array.dtype.kind in "USMm":
            raise TypeError
        array = array.astype(complex)
    except Exception:  # noqa: BLE001 - text, objects, arrays that fail to convert
        wanted = f"numbers, in an array of shape {wanted}" if shape else "a number"
        raise Wrong(f"{what} is {_kind(value)}, not {wanted}.") from None
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        entry = array[tuple(bad[0])]
        place = f" at index {', '.join(map(str, bad[0]))}" if found else ""
        raise Wrong(
            f"{what} is {'NaN' if np.isnan(entry) else 'infinite'}{place}. Look for a division by "
            "zero, the logarithm of zero, or an overflow."
        )
    if not real:
        return array
    if np.abs(array.imag).max(initial=0) > 1e-5 * np.abs(array).max(initial=1e-30):
        raise Wrong(f"{what} is complex. The quantity asked for is real: where did a step lose it?")
    return array.real.copy()


def entries(value, keys):
    """Read a dictionary that holds a value for each key.

    Raises NotAttempted while none is filled in, Wrong for anything else that is not complete.
    """
    if value is None or value is ...:
        raise NotAttempted
    listed = ", ".join(f"`{key}`" for key in keys)
    if not isinstance(value, dict):
        raise Wrong(f"send a dictionary with the keys {listed}.")
    for key in keys:
        if key not in value:
            raise Wrong(f"the key `{key}` is missing. Keep the keys of the stub: {listed}.")
    still_open = [key for key in keys if value[key] is None or value[key] is ...]
    if len(still_open) == len(keys):
        raise NotAttempted
    if still_open:
        raise Wrong(f"nothing yet for `{still_open[0]}`; the check needs {listed}.")
    return value


def ranking(value, names, what, first):
    """Read a predicted order: a list that holds each of `names` once.

    what: how messages call one of them, as in "target". first: how the order begins, as in
    "largest fall first". Returns the list in lower case. Raises NotAttempted while it is open,
    Wrong for anything else.
    """
    if value is None or value is ...:
        raise NotAttempted
    listed = ", ".join(f"`{name}`" for name in names)
    if isinstance(value, str) or not isinstance(value, list | tuple | np.ndarray):
        raise Wrong(f"send a list of the {len(names)} names {listed}, {first}.")
    if any(entry is ... for entry in value):
        raise NotAttempted
    given = [str(entry).strip().lower() for entry in list(value)[:20]]
    for name in given:
        if name not in names:
            raise Wrong(f"there is no {what} `{name[:40]}`; the {len(names)} are {listed}.")
    missing = ", ".join(name for name in names if name not in given)
    if missing or len(value) != len(names):
        raise Wrong(
            f"name each {what} once; you sent {len(value)} names"
            + (f" and left out {missing}." if missing else ".")
        )
    return given


def sentence(text):
    """`text` with a full stop, unless it ends like a sentence already."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _has_shape(shape):
    return f"has shape {_shape(shape)}" if shape else "is a single number"


def _shape(shape):
    """A shape in words: "a single number", "(any,)", "(3, 4)"."""
    if not shape:
        return "a single number"
    sizes = ["any" if size is None else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _kind(value):
    """The type of a value, with its article."""
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} `{name}`"


def _last_line(error):
    """The last line of an error's traceback, the same in every run."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a hostile __str__
        text = ""
    line = text.strip().partition("\n")[0]
    line = f"{type(error).__name__}{': ' if line else ''}{line}"
    return _code(re.sub(r"\b0x[0-9a-fA-F]+", "0x…", line))


def _code(text):
    """Text made fit to stand between backticks."""
    text = text.replace("`", "'")
    return text if len(text) <= 160 else text[:159] + "…"
