"""A chapter as a class needs it: for students, for instructors, and for grading.

All three are made from the one executed notebook. An exercise is a heading of the form
`### 3. Title ★★ (20 minutes)`, a stub, a check, hints and a solution; the contract test keeps every
chapter to that. nbgrader's metadata go on the stub, where the student writes, and on the check,
which is locked and counts points.
"""

import ast
import copy
import importlib.util
import re
from dataclasses import dataclass
from html import escape

import nbformat

from tools import chapters
from tutorlib import check

NUMBERED = re.compile(r"^### \d+\..*", re.MULTILINE)
HEADING = re.compile(r"### (\d+)\. (.+?) (★{1,3}) \((\d+) minutes\)")
ANSWERS = chapters.ROOT / "tests" / "exercises"


@dataclass(frozen=True)
class Exercise:
    """One exercise; the cells are those of the notebook that it was read from."""

    slug: str
    number: int
    title: str
    stars: int
    minutes: int
    stub: nbformat.NotebookNode
    check: nbformat.NotebookNode
    solution: nbformat.NotebookNode

    @property
    def name(self):
        """Identifier of the exercise in grade books."""
        return f"{self.slug}-{self.number}"


def exercises_of(slug, notebook):
    """The exercises of a chapter, in order; ValueError where one lacks a part."""
    found = []
    for cell in notebook.cells:
        numbered = NUMBERED.search(cell.source) if cell.cell_type == "markdown" else None
        if numbered:
            heading = HEADING.match(numbered[0])
            if not heading:
                raise ValueError(
                    f"{slug}: the heading {numbered[0]!r} must have the form "
                    "'### 3. Title ★★ (20 minutes)'"
                )
            number, title, stars, minutes = heading.groups()
            if int(number) in [exercise["number"] for exercise in found]:
                raise ValueError(f"{slug}: two exercises have the number {number}")
            found.append({"slug": slug, "number": int(number), "title": title})
            found[-1] |= {"stars": len(stars), "minutes": int(minutes)}
        for part in chapters.tags(cell) & {"stub", "check", "solution"}:
            if not found:
                raise ValueError(f"{slug}: a {part} cell stands before the first exercise")
            if part in found[-1]:
                raise ValueError(f"{slug}/{found[-1]['number']} has two {part} cells")
            found[-1][part] = cell
    for exercise in found:
        missing = {"stub", "check", "solution"} - exercise.keys()
        if missing:
            raise ValueError(f"{slug}/{exercise['number']} has no {' and no '.join(missing)} cell")
    return [Exercise(**exercise) for exercise in found]


def student(slug, notebook):
    """The notebook without solutions, with nbgrader's metadata."""
    return _graded(slug, notebook, lambda cell: None, lambda exercise: None)


def source(slug, notebook):
    """The notebook that `nbgrader generate_assignment` starts from.

    The solution follows the stub in one cell, between the marks at which nbgrader cuts it out. The
    check keeps its message; a hidden line after it fails, and so costs the points, unless the
    answer is right.
    """

    def add_solution(exercise):
        code, used = _split_check(exercise.solution)
        asked = _answers(_split_check(exercise.check)[1])
        lines = [f"{name} = {value}" for name, value in zip(asked, _answers(used), strict=True)]
        exercise.stub.source += "\n\n### BEGIN SOLUTION\n" + "\n".join([code, *lines])
        exercise.stub.source += "\n### END SOLUTION"

    def add_test(exercise):
        code, call = _split_check(exercise.check)
        exercise.check.source += f"\n### BEGIN HIDDEN TESTS\n{ast.unparse(call)}.require()"
        exercise.check.source += "\n### END HIDDEN TESTS"

    made = _graded(slug, notebook, add_solution, add_test)
    for cell in chapters.code_cells(made):
        cell.outputs, cell.execution_count = [], None
    return made


def _graded(slug, notebook, change_stub, change_check):
    """A copy with nbgrader's metadata and without solution cells, after changes to the rest."""
    notebook = copy.deepcopy(notebook)
    for exercise in exercises_of(slug, notebook):
        change_stub(exercise)
        change_check(exercise)
        exercise.stub.metadata["nbgrader"] = _metadata(f"{exercise.name}-answer", solution=True)
        exercise.check.metadata["nbgrader"] = _metadata(
            f"{exercise.name}-check", grade=True, points=exercise.stars
        )
    notebook.cells = [cell for cell in notebook.cells if "solution" not in chapters.tags(cell)]
    return notebook


def _metadata(grade_id, solution=False, grade=False, points=None):
    entry = {"schema_version": 3, "cell_type": "code", "grade_id": grade_id, "task": False}
    entry |= {"solution": solution, "grade": grade, "locked": not solution}
    return entry if points is None else entry | {"points": points}


def _split_check(cell):
    """The code of a cell before its `tl.check(...)`, and that call."""
    *before, last = ast.parse(cell.source).body
    call = last.value if isinstance(last, ast.Expr) else None
    if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "tl.check"):
        raise ValueError(f"this cell must end in tl.check(...), but is:\n{cell.source}")
    end = before[-1].end_lineno if before else 0
    return "\n".join(cell.source.splitlines()[:end]), call


def _answers(call):
    """The names that a call of `tl.check` hands over."""
    return [ast.unparse(value) for value in [*call.args[1:], *(k.value for k in call.keywords)]]


def instructor(slug, notebook):
    """The notebook with solutions unfolded, times, and the mistakes that the checks know."""
    notebook = copy.deepcopy(notebook)
    exercises = exercises_of(slug, notebook)
    notes = {id(exercise.solution): mistakes(exercise) for exercise in exercises}
    cells = [_overview(exercises)]
    for cell in notebook.cells:
        cells.append(cell)
        if id(cell) in notes:
            cell.metadata["tags"] = [tag for tag in cell.metadata["tags"] if tag != "hide-cell"]
            cells.append(notes[id(cell)])
    # After the title, which stays the first thing in the file.
    notebook.cells = [cells[1], cells[0], *cells[2:]]
    return notebook


def _overview(exercises):
    rows = [
        f"| {e.number} | {e.title} | {'★' * e.stars} | {e.minutes} | {e.stars} |" for e in exercises
    ]
    total = f"| | all | | {sum(e.minutes for e in exercises)} | {sum(e.stars for e in exercises)} |"
    text = [
        "> **Instructor's copy.** Solutions are shown, and after each stand mistakes with what the "
        "check says of them.",
        "",
        "| exercise | | difficulty | minutes | points |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        total,
    ]
    return nbformat.v4.new_markdown_cell("\n".join(text), id="instructor-overview")


def mistakes(exercise):
    """A cell with what the check says of each listed wrong answer, obtained by asking it now."""
    said = []
    for answer, _ in answers(exercise.slug).WRONG[exercise.number]:
        message = ask(exercise, answer).message.partition(": ")[2]
        if message not in said:
            said.append(message)
    items = "\n".join(f"- {escape(message, quote=False)}" for message in said)
    text = f"**Mistakes to expect in exercise {exercise.number}**, as the check names them:\n\n"
    return nbformat.v4.new_markdown_cell(text + items, id=f"mistakes-{exercise.name}")


def answers(slug):
    """The module of right and wrong answers to the chapter's exercises."""
    path = ANSWERS / f"{slug.replace('-', '_')}.py"
    spec = importlib.util.spec_from_file_location(f"answers_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ask(exercise, answer):
    """What the check says of an answer; a pair of functions fills the check's keywords too."""
    keywords = [keyword.arg for keyword in _split_check(exercise.check)[1].keywords]
    first, *rest = answer if keywords else (answer,)
    return check(
        f"{exercise.slug}/{exercise.number}", first, **dict(zip(keywords, rest, strict=True))
    )
