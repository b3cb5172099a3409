"""The ledger of a chapter: every measured number, and every claim of the paper with its verdict.

A number reaches the page only through `record`, which checks it against the range it must stay
in; the prose and the claims table then quote records by name. So a change that moves a result
either stays inside what the text says, or stops the tools that make and test the book. A reader who
tries other sizes is told, and goes on.
"""

import json
import os
import time
from pathlib import Path
from string import Formatter

import numpy as np

import tutorlib
from tutorlib.runtime import device, preset_name

ASKED_BY_TOOLS = "TUTORLIB_LEDGER_FILE"  # where the tools that run notebooks want the ledger
VERDICTS = ("reproduced", "weaker", "not reproduced")
METADATA = "papers_in_motion"  # of an output: {"say": template} or {"table": ids of claims}
_COLUMNS = {
    "id": "", "statement": "claim", "paper": "paper", "ran": "what we ran", "here": "here",
    "verdict": "verdict", "deviation": "deviation",
}  # fmt: skip


class RecordOutOfRange(ValueError):
    """A measured number left the range in which the chapter's text is true."""


class _Number:
    """One record as the prose sees it: `{name}` is the mean, `{name:pm}` the mean ± sd."""

    def __init__(self, record):
        self.record = record

    def __format__(self, spec):
        r = self.record
        mean = f"{r['mean']:.{r['digits']}f}"
        if spec == "":
            return mean
        if spec == "pm":
            if len(r["values"]) == 1:  # one value has no spread
                return mean
            # Spaces that do not break, for the columns of tables are narrow.
            return f"{mean}\u00a0±\u00a0{r['sd']:.{r['digits']}f}"
        raise ValueError(f"format {spec!r} of a record; allowed are '' (mean) and 'pm' (mean ± sd)")


def fill(template, records):
    """The text in which `{name}` and `{name:pm}` are replaced by records.

    records: name -> record, as a ledger stores them.
    Raises ValueError for a record that does not exist.
    """
    wanted = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
    missing = sorted(wanted - set(records))
    if missing:
        raise ValueError(f"text quotes {missing}, which are not among {sorted(records)}")
    return template.format(**{name: _Number(records[name]) for name in wanted})


def table_text(claims):
    """Claims, as a ledger stores them, as a Markdown table."""
    rows = [_COLUMNS.values(), ["---"] * len(_COLUMNS)]
    rows += [[claim[key].replace("|", "\\|") for key in _COLUMNS] for claim in claims]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


class Ledger:
    """Measured numbers and claims of one chapter.

    chapter: the chapter's slug, for example "fourier-head".
    """

    def __init__(self, chapter):
        if not isinstance(chapter, str) or not chapter:
            raise ValueError(f"chapter is {chapter!r}; it must be the chapter's slug, a string")
        self.chapter = chapter
        self.records = {}
        self.claims = []
        self._save()

    def record(self, name, values, *, low, high, digits=3):
        """Store a measured number, check its range, and print it.

        name: an identifier, used by the prose as `{name}`.
        values: one number, or one number per seed, shape (seeds,). A name that exists is measured
            anew, so that a cell can be run again.
        low, high: the mean must lie in [low, high] at the laptop preset. Other presets measure
            something else, so there only finiteness is checked.
        digits: decimals shown.
        Raises RecordOutOfRange outside the range where one of the book's tools runs the chapter;
        ValueError for a bad name, an empty or a non-finite value, or an impossible range; TypeError
        for what is no real number.
        """
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"name is {name!r}; it must be an identifier such as 'kl_ratio'")
        values = np.atleast_1d(_real(values, f"values of {name!r}", "real numbers, shape (seeds,)"))
        low, high = (
            float(_real(bound, f"{key} of {name!r}", "one finite number", shape=()))
            for key, bound in {"low": low, "high": high}.items()
        )
        if values.ndim != 1 or values.size == 0:
            raise ValueError(f"values of {name!r} have shape {values.shape}; allowed is (seeds,)")
        if not np.isfinite(values).all():
            raise ValueError(f"values of {name!r} are {values.tolist()}; all must be finite")
        if not -np.inf < low <= high < np.inf:
            raise ValueError(
                f"low is {low} and high is {high} for {name!r}; "
                "both must be finite, and low must not exceed high"
            )
        if isinstance(digits, bool) or not isinstance(digits, int) or digits < 0:
            raise ValueError(
                f"digits is {digits!r} for {name!r}; it must be an integer of at least 0"
            )
        mean = float(values.mean())
        outside = preset_name() == "laptop" and not low <= mean <= high
        if outside and os.environ.get(ASKED_BY_TOOLS):
            raise RecordOutOfRange(
                f"{name!r} is {mean:.{digits}f}; the text of chapter {self.chapter!r} is written "
                f"for {low:g} to {high:g}. Find out what moved it, or rewrite text and range."
            )
        self.records[name] = {
            "values": values.tolist(),
            "mean": mean,
            "sd": float(values.std(ddof=1)) if values.size > 1 else 0.0,
            "low": float(low),
            "high": float(high),
            "digits": digits,
        }
        self._save()
        shown = format(_Number(self.records[name]), "pm")
        count = f" over {values.size} seeds" if values.size > 1 else ""
        print(f"{name} = {shown}{count}, allowed {low:g} to {high:g}")
        if outside:
            print("  The text and the verdicts are written for that range, not for this number.")

    def claim(self, id, *, statement, paper, ran, here, reproduced, weaker=False, deviation="none"):
        """Add one claim of the paper to the ledger.

        id: short label, for example "H3". statement: what the paper says, in a sentence.
        paper: its number. ran: what was run here. here: our number, quoting records as `{name}`.
        reproduced, weaker: the tests that decide the verdict, as booleans; neither true means
            "not reproduced". deviation: what differs from the paper's setting.
        A claim with the same id takes the earlier one's place, so that a cell can be run again.
        Raises ValueError for a test that is not a boolean and a record that does not exist;
        TypeError for what must be a text and is none.
        """
        for name, test in {"reproduced": reproduced, "weaker": weaker}.items():
            if np.shape(test) != () or np.asarray(test).dtype != bool:
                raise ValueError(f"{name} is {test!r}; it must be one boolean")
        verdict = VERDICTS[0] if reproduced else VERDICTS[1] if weaker else VERDICTS[2]
        templates = {"statement": statement, "paper": paper, "ran": ran, "here": here}
        for name, text in ({"id": id, "deviation": deviation} | templates).items():
            _check_text(text, name)
        texts = {key: fill(text, self.records) for key, text in templates.items()}
        claim = {"id": id, **texts, "verdict": verdict, "deviation": deviation}
        claim["templates"] = templates
        ids = [c["id"] for c in self.claims]
        place = ids.index(id) if id in ids else len(ids)
        self.claims[place : place + 1] = [claim]
        self._save()

    def table(self):
        """Display the claims as a table: paper, here, verdict, deviations."""
        _markdown(table_text(self.claims), table=[claim["id"] for claim in self.claims])

    def say(self, text):
        """Display Markdown in which `{name}` and `{name:pm}` are replaced by records.

        Raises TypeError for what is no text, ValueError for a record that does not exist.
        """
        _check_text(text, "text")
        _markdown(fill(text, self.records), say=text)

    def run_time(self):
        """Print how long this process has run since tutorlib was first imported."""
        seconds = time.monotonic() - tutorlib._started
        print(f"{seconds:.0f} s on {os.cpu_count()} cores, {device()}, preset {preset_name()}")

    def _save(self):
        """Hand the ledger to the tools that run notebooks, if one asks for it."""
        target = os.environ.get(ASKED_BY_TOOLS)
        if target:
            part = Path(f"{target}.part")
            content = {"chapter": self.chapter, "records": self.records, "claims": self.claims}
            part.write_text(json.dumps(content), encoding="utf-8")
            part.replace(target)


def _real(value, what, allowed, shape=None):
    """The value as an array of float64; TypeError for text, complex numbers, None and the like."""
    try:
        array = np.asarray(value)
        if array.dtype.kind in "cOSUmM" or (shape is not None and array.shape != shape):
            raise TypeError
        return array.astype(float)
    except (TypeError, ValueError):
        raise TypeError(f"{what} is {value!r}; allowed: {allowed}") from None


def _check_text(text, name):
    if not isinstance(text, str):
        raise TypeError(f"{name} is {text!r}; it must be a text")


def _markdown(text, **made_from):
    from IPython.display import Markdown, display

    display(Markdown(text), metadata={METADATA: made_from})
