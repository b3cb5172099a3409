"""Checkers pass every listed right answer, name every listed mistake, and survive anything.

The answers are data beside this file: one module for each chapter in `exercises/`, found by
globbing.
"""

import codecs
import importlib.util
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import tutorlib as tl
from tools.chapters import Chapter, code_cells, tags
from tutorlib import exercises
from tutorlib.exercises import fourier_head

TABLES = {}
for _path in sorted(Path(__file__).with_name("exercises").glob("*.py")):
    _spec = importlib.util.spec_from_file_location(f"answers_{_path.stem}", _path)
    _module = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(_module)
    TABLES[_module.CHAPTER] = _module

EXERCISES = [(slug, number) for slug, table in TABLES.items() for number in table.RIGHT]


def is_pair(slug, number):
    """Whether the exercise asks for a function and its inverse."""
    first = TABLES[slug].RIGHT[number][0]
    return isinstance(first, tuple) and callable(first[0])


def submit(slug, number, answer):
    """Check an answer; the second of a pair is context."""
    if is_pair(slug, number):
        return tl.check(f"{slug}/{number}", answer[0], inverse=answer[1])
    return tl.check(f"{slug}/{number}", answer)


def like(slug, number, function):
    """`function` as an answer to this exercise: alone, or as both halves of a pair."""
    return (function, function) if is_pair(slug, number) else function


def wants_function(slug, number):
    return number in TABLES[slug].MUTATING


def rows(name):
    return [
        pytest.param(slug, number, row, id=f"{slug}-{number}-{index}")
        for slug, table in TABLES.items()
        for number, listed in getattr(table, name).items()
        for index, row in enumerate(listed)
    ]


FUNCTION_EXERCISES = [case for case in EXERCISES if wants_function(*case)]
each_exercise = pytest.mark.parametrize(("slug", "number"), EXERCISES)
each_function_exercise = pytest.mark.parametrize(("slug", "number"), FUNCTION_EXERCISES)


# --- right and wrong answers ---------------------------------------------------------------------


@pytest.mark.parametrize(("slug", "number", "answer"), rows("RIGHT"))
def test_right_answers_pass(slug, number, answer):
    result = submit(slug, number, answer)
    assert result.ok and result.attempted, result.message
    assert result.message.startswith(f"✓ Exercise {number}: ")


@pytest.mark.parametrize(("slug", "number", "row"), rows("WRONG"))
def test_wrong_answers_are_told_their_mistake(slug, number, row):
    answer, fragment = row
    result = submit(slug, number, answer)
    assert not result.ok and result.attempted
    assert result.message.startswith(f"✗ Exercise {number}: ")
    assert fragment in result.message
    assert not re.search(r"[.?!]\.( |$)", result.message)


def test_the_tables_are_large_enough():
    for slug, table in TABLES.items():
        exercises._find(f"{slug}/1")
        known = {key for key in exercises._CHECKERS if key.startswith(f"{slug}/")}
        assert known == {f"{slug}/{number}" for number in table.RIGHT}
        assert table.RIGHT.keys() == table.WRONG.keys()
        assert all(len(answers) >= 3 for answers in table.RIGHT.values())
        assert all(len(answers) >= 5 for answers in table.WRONG.values())


@pytest.mark.parametrize("slug", TABLES)
def test_setup_and_imports_are_enough_for_the_checks(slug, monkeypatch):
    """The introduction to the exercises says so, but for `prune`, in the sixth cell of its page."""
    monkeypatch.setenv("TUTORLIB_PRESET", "smoke")
    found, names = [], {"__name__": "a reader's notebook"}
    monkeypatch.setattr(tl, "check", lambda *a, **k: found.append(exercises.check(*a, **k)))
    cells = code_cells(Chapter(slug).read_text())
    first = 6 if slug == "lottery-tickets" else 2
    for cell in cells[:first] + [cell for cell in cells if "solution" in tags(cell)]:
        exec(cell.source, names)
    assert len(found) == len(TABLES[slug].RIGHT)
    assert all(result.ok for result in found), found


# --- untouched stubs -----------------------------------------------------------------------------


def stub(*_):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("slug", "number", "untouched"),
    [(*case, value) for case in EXERCISES for value in (..., None)]
    + [(*case, value) for case in FUNCTION_EXERCISES for value in (stub, lambda *_: ...)],
)
def test_untouched_stubs_are_not_attempted(slug, number, untouched):
    result = submit(slug, number, like(slug, number, untouched))
    assert not result.ok and not result.attempted
    assert re.match(rf"○ Exercise {number}: not attempted yet\. \w+", result.message)


def test_the_missing_one_of_two_functions_is_named():
    def shuffle(y, order):
        return y[..., order]

    for missing in (stub, ..., None):
        result = tl.check("fourier-head/6", shuffle, inverse=missing)
        assert result.attempted and not result.ok
        assert "`my_shuffle` is right; nothing yet for `my_unshuffle`." in result.message
        message = tl.check("fourier-head/6", missing, inverse=shuffle).message
        assert "nothing yet for `my_shuffle`; " in message
    wrong = tl.check("fourier-head/6", lambda y, order: y, inverse=stub)
    assert "`my_shuffle` returns y unchanged" in wrong.message


def test_open_entries_of_values_are_not_attempted():
    assert not tl.check("fourier-head/4", [..., "box", "comb", "two bumps"]).attempted
    blank = {"p_change": ..., "adam_ratio": ..., "sgd_ratio": ...}
    assert not tl.check("fourier-head/5", blank).attempted


# --- hostile answers -----------------------------------------------------------------------------


class Trap:
    """Fails whenever somebody looks at it."""

    __array_ufunc__ = None

    def fail(self, *_):
        raise RuntimeError("trap")

    __len__ = __iter__ = __getitem__ = __eq__ = __array__ = __float__ = __str__ = __repr__ = fail
    shape = property(fail)


class EndlessArray:
    def __array__(self, *_, **__):
        while True:
            pass


HUGE = np.broadcast_to(np.float32(0.5), (10**6, 10**6))

HOSTILE_VALUES = {
    "number": 42,
    "NaN": float("nan"),
    "NaN array": np.full(4, np.nan),
    "text": "c_k",
    "empty list": [],
    "ragged list": [[1, 2], [3]],
    "dict": {},
    "dict of arrays": {"p_change": HUGE, "adam_ratio": [], "sgd_ratio": {}},
    "set": {1, 2},
    "object": object(),
    "trap": Trap(),
    "list of traps": [Trap(), Trap()],
    "generator": (x for x in range(3)),
    "type": int,
    "module": np,
    "huge array": HUGE,
    "long list": list(range(10**5)),
    "object array": np.array([None, "a"], dtype=object),
    "empty array": jnp.zeros((0,)),
    "scalar array": jnp.zeros(()),
    "booleans": np.ones(3, bool),
}


def raises(*_):
    return [][3]


def leaves(*_):
    sys.exit("bye")


def recurses(*inputs):
    return recurses(*inputs)


def fills_memory(*_):
    return np.ones(10**15)


def shows_address(*_):
    raise ValueError(object())


def raises_multiple_lines(*_):
    raise ValueError("first line\nsecond line")


def unfinished_library(*_):
    return codecs.Codec().encode("p")


HOSTILE_FUNCTIONS = {
    "raises": (raises, "raised `IndexError: list index out of range`, line 2 of `raises`"),
    "quits": (leaves, "raised `SystemExit: bye`"),
    "recursion": (recurses, "raised `RecursionError"),
    "memory": (fills_memory, "raised `"),
    "address": (shows_address, "at 0x…>`"),
    "lines": (raises_multiple_lines, "`ValueError: first line`, line 2 of"),
    "unfinished library": (unfinished_library, "raised `NotImplementedError`"),
    "no argument": (lambda: 0, "raised `TypeError"),
    "too many arguments": (lambda a, b, c, d, e, f, g, h: 0, "raised `TypeError"),
    "returns nothing": (lambda *_: None, "Is a `return` missing?"),
    "returns text": (lambda *_: "p", ""),
    "returns a function": (lambda *_: len, ""),
    "returns a trap": (lambda *_: Trap(), "that NumPy cannot read"),
    "returns a dict": (lambda *_: {}, ""),
    "returns huge": (lambda *_: HUGE, "has shape (1000000, 1000000)"),
    "returns ragged": (lambda *_: [[1, 2], [3]], "cannot read as one array"),
    "returns its input": (lambda y, *_: y, ""),
    "class": (dict, ""),
}


@each_exercise
@pytest.mark.parametrize("answer", HOSTILE_VALUES.values(), ids=HOSTILE_VALUES)
def test_any_value_gets_a_message(slug, number, answer, capfd):
    result = submit(slug, number, like(slug, number, answer))
    assert not result.ok
    assert re.match(rf"[✗○] Exercise {number}: \w?", result.message)
    assert len(result.message) < 500
    assert capfd.readouterr() == ("", "")


@each_function_exercise
@pytest.mark.parametrize(("answer", "fragment"), HOSTILE_FUNCTIONS.values(), ids=HOSTILE_FUNCTIONS)
def test_any_function_gets_a_message(slug, number, answer, fragment, capfd):
    result = submit(slug, number, like(slug, number, answer))
    assert not result.ok and result.attempted
    assert fragment in result.message
    assert result == submit(slug, number, like(slug, number, answer))
    assert not re.search("0x[0-9a-f]", result.message)
    assert capfd.readouterr() == ("", "")


@each_function_exercise
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite_is_told_apart_from_wrong(slug, number, bad):
    def poison(function):
        return lambda *inputs: np.full(np.shape(function(*inputs)), bad)

    right = TABLES[slug].RIGHT[number][0]
    answer = tuple(map(poison, right)) if is_pair(slug, number) else poison(right)
    message = submit(slug, number, answer).message
    assert (" is NaN" if np.isnan(bad) else " is infinite") in message


@each_function_exercise
def test_mutation_of_the_input_is_reported(slug, number):
    name = TABLES[slug].FIRST_INPUT[number]
    result = submit(slug, number, TABLES[slug].MUTATING[number])
    assert not result.ok
    assert f"changed its input `{name}`" in result.message


@each_function_exercise
def test_prints_are_suppressed(slug, number, capfd):
    def loud(function):
        def answer(*inputs):
            print("here", inputs)
            print("there", file=sys.stderr)
            return function(*inputs)

        return answer

    right = TABLES[slug].RIGHT[number][0]
    answer = tuple(map(loud, right)) if is_pair(slug, number) else loud(right)
    assert submit(slug, number, answer).ok
    assert capfd.readouterr() == ("", "")
    print("heard again")
    assert capfd.readouterr().out == "heard again\n"


# --- endless answers -----------------------------------------------------------------------------


def endless(*_):
    while True:
        pass


def endless_and_cautious(*_):
    while True:
        try:
            np.zeros(3).sum()
        except Exception:  # noqa: BLE001 - what a cautious student writes
            pass


def alive():
    """The threads of checks that are still running a second later."""
    threads = [thread for thread in threading.enumerate() if "(work)" in thread.name]
    for thread in threads:
        thread.join(1)
    return [thread for thread in threads if thread.is_alive()]


@each_function_exercise
@pytest.mark.parametrize("answer", [endless, endless_and_cautious])
def test_endless_loops_are_ended(slug, number, answer, monkeypatch):
    monkeypatch.setattr(exercises, "TIME_LIMIT", 0.2)
    result = submit(slug, number, like(slug, number, answer))
    assert result.attempted and not result.ok
    assert "stopped after 0.2 s" in result.message and "restart" not in result.message
    assert not alive()


def test_endless_conversion_of_a_value_is_ended(monkeypatch):
    monkeypatch.setattr(exercises, "TIME_LIMIT", 0.2)
    assert "stopped after" in tl.check("fourier-head/2", EndlessArray()).message
    answer = {"p_change": EndlessArray(), "adam_ratio": 1, "sgd_ratio": 1}
    assert "stopped after" in tl.check("fourier-head/5", answer).message
    assert not alive()


def test_what_cannot_be_ended_is_said_to_run_on(monkeypatch):
    monkeypatch.setattr(exercises, "TIME_LIMIT", 0.1)
    release = threading.Event()
    result = tl.check("fourier-head/1", lambda a: release.wait(60))
    release.set()
    assert "still running: restart the kernel" in result.message


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs POSIX signals")
def test_the_reader_can_interrupt_a_check():
    main = threading.main_thread().ident
    timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    # A test run started in the background has Ctrl-C switched off.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            tl.check("fourier-head/1", endless)
        assert not alive()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_check_runs_outside_the_main_thread():
    results = []
    answer = TABLES["fourier-head"].RIGHT[1][0]
    thread = threading.Thread(target=lambda: results.append(tl.check("fourier-head/1", answer)))
    thread.start()
    thread.join()
    assert results[0].ok


# --- the engine ----------------------------------------------------------------------------------


def test_the_result_shows_as_its_message():
    result = tl.check("fourier-head/2", ...)
    assert repr(result) == result._repr_markdown_() == result.message


def test_mistakes_in_the_cell_itself_raise():
    with pytest.raises(ValueError, match="'fourier-head/99'; allowed are fourier-head/1, "):
        tl.check("fourier-head/99", 1)
    with pytest.raises(ValueError, match="'fourier'; allowed are .*fourier-head/<number>"):
        tl.check("fourier", 1)
    with pytest.raises(TypeError, match="inverse"):
        tl.check("fourier-head/6", lambda y, order: y)


def test_an_error_is_located_in_a_helper_of_the_student():
    def helper(a):
        return a[len(a)]

    message = tl.check("fourier-head/1", lambda a: helper(a)).message
    assert "It was called with `a` of shape (6,)" in message
    assert "line 2 of `helper`: `return a[len(a)]`" in message


def comprehends(a):
    """A mistake within a comprehension."""
    n = len(a)
    return [a[k + n] for k in range(n)]


def sums_up(a):
    return sum(
        a[k + len(a)]  # fails while `sum` runs
        for k in range(9)
    )


def test_an_error_in_a_comprehension_is_located_in_its_own_line():
    message = tl.check("fourier-head/1", comprehends).message
    assert ", line 4 of `comprehends`: `return [a[k + n] for k in range(n)]`. It was" in message
    message = tl.check("fourier-head/1", sums_up).message
    assert ", line 3 of `sums_up`: `a[k + len(a)]  # fails while" in message


def test_a_comprehension_that_is_the_whole_answer_is_located():
    message = tl.check("fourier-head/1", lambda a: [a[9] for _ in a]).message
    assert "line 1 of `<lambda>`: `message = tl.check(" in message


def test_sentences_end_once():
    ends = [exercises.sentence(text) for text in ("So.", "So", "Why?")]
    assert ends == ["So.", "So.", "Why?"]


def test_importing_the_checkers_does_not_import_jax():
    code = """if True:
        import sys, tutorlib
        tutorlib.check("fourier-head/1", None)
        assert "jax" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)


# --- the oracles ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "kl"), [(2, 0.545), (4, 0.170), (6, 0.035)])
def test_lowest_kl_of_a_gaussian(n, kl):
    """Reference values from an independent optimisation of a Gaussian of width 0.1."""
    target = np.exp(-((fourier_head._bins(50) / 0.1) ** 2) / 2)
    assert fourier_head._lowest_kl(target / target.sum(), n) == pytest.approx(kl, abs=6e-4)


def test_lowest_kl_is_zero_for_what_the_head_can_represent():
    target = 1 + 0.8 * np.cos(3 * np.pi * fourier_head._bins(50))
    assert fourier_head._lowest_kl(target / 50, 3) == pytest.approx(0, abs=1e-5)


def test_the_four_targets_are_far_apart():
    falls = sorted(fourier_head._falls().values())
    assert np.all(np.diff(falls) > 0.05)


def test_scaling_the_weights():
    measured = fourier_head._scaling()
    assert measured["p_change"] < 1e-12
    assert measured["adam_ratio"] == pytest.approx(1 / 10, rel=1e-3)
    assert measured["sgd_ratio"] == pytest.approx(1 / 100, rel=1e-3)


def test_smoothness_orders_square_waves():
    scores = [fourier_head._smoothness(fourier_head._square_wave(48, w)) for w in (12, 6, 3, 2)]
    assert np.all(np.diff(scores) > 0)


def test_a_circle_leaks_at_least_what_the_message_says():
    message = tl.check("fourier-head/9", TABLES["fourier-head"].WRONG[9][0][0]).message
    assert int(re.search(r"at least (\d+) %", message)[1]) >= 53
