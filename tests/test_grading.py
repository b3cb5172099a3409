"""Grading with the real nbgrader: a chapter as it is released, and a class that misbehaves.

The class hands in a shortened chapter, its first two exercises, which needs no JAX: what is tested
there is how submissions fail, not what they compute.
"""

import copy
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from tools import chapters, classroom, pack

CHAPTER = chapters.discover()[0]
SLUG = CHAPTER.slug
PROGRAMS = Path(sys.executable).parent  # nbgrader calls alembic by name
ENVIRONMENT = os.environ | {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}


def run(folder, *command):
    """Run Python with these arguments in the folder of a course; its output."""
    process = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


def text_of(notebook):
    return "\n".join(cell.source for cell in notebook.cells)


def graded_cell(notebook, number, part):
    """The cell of an exercise with nbgrader's name for it: part is `answer` or `check`."""
    name = f"{SLUG}-{number}-{part}"
    [cell] = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name]
    return cell


def solve(notebook, source, number):
    """Put the solution, which nbgrader's source holds, in the place of the stub."""
    answer = graded_cell(source, number, "answer").source
    marks = r"### BEGIN SOLUTION\n(.*)\n### END SOLUTION"
    graded_cell(notebook, number, "answer").source = re.search(marks, answer, re.DOTALL)[1]


def hand_in(course, student, content):
    path = course / "submitted" / student / SLUG / f"{SLUG}.ipynb"
    path.parent.mkdir(parents=True)
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        nbformat.write(content, path)


def table(course):
    """{student: row} of the class's table."""
    text = (course / "grades" / f"{SLUG}.csv").read_text(encoding="utf-8-sig")
    return {row["student"]: row for row in csv.DictReader(text.splitlines())}


# --- a whole chapter -----------------------------------------------------------------------------


def released(course, chapter):
    """The notebook that nbgrader makes for students: the same as ours, and without solutions."""
    slug = chapter.slug
    run(course, "-m", "nbgrader", "generate_assignment", slug)
    release = nbformat.read(course / "release" / slug / f"{slug}.ipynb", as_version=4)
    ours = classroom.student(slug, chapter.read_notebook())
    assert "SOLUTION" not in text_of(release) and "HIDDEN" not in text_of(release)
    assert [c.source.strip() for c in release.cells] == [c.source.strip() for c in ours.cells]
    return release


def test_the_other_chapters_are_released(tmp_path):
    """In one course, where only the first release has to make the gradebook."""
    others = [chapter for chapter in chapters.discover() if chapter.slug != SLUG]
    pack.write_course(tmp_path, [chapter.slug for chapter in others])
    for chapter in others:
        release = released(tmp_path, chapter)
        graded = {c.metadata.nbgrader.grade_id for c in release.cells if "nbgrader" in c.metadata}
        exercises = classroom.exercises_of(chapter.slug, chapter.read_notebook())
        assert graded == {f"{e.name}-{part}" for e in exercises for part in ("answer", "check")}


def test_a_released_chapter_can_be_solved_and_graded(tmp_path):
    pack.write_course(tmp_path, [SLUG])
    release = released(tmp_path, CHAPTER)
    exercises = classroom.exercises_of(SLUG, CHAPTER.read_notebook())
    source = classroom.source(SLUG, CHAPTER.read_notebook())
    for exercise in exercises:
        solve(release, source, exercise.number)
    hand_in(tmp_path, "ada", release)
    run(tmp_path, "grade.py", SLUG)
    row = table(tmp_path)["ada"]
    assert (row["status"], row["message"]) == ("graded", "")
    for e in exercises:
        assert float(row[f"exercise {e.number} (of {e.stars})"]) == e.stars


def test_every_solution_earns_its_points(chapter, monkeypatch):
    """The cells that nbgrader grades, executed with no more than definitions before them."""
    monkeypatch.setenv("TUTORLIB_PRESET", "smoke")
    needed = {"setup", "config", "definition", "stub", "check"}
    names = {"__name__": "graded"}
    for cell in chapters.code_cells(classroom.source(chapter.slug, chapter.read_notebook())):
        if chapters.tags(cell) & needed:
            exec(cell.source, names)  # a check's hidden line raises unless the answer is right


# --- a class -------------------------------------------------------------------------------------

POINTS = {1: 1.0, 2: 2.0}

ENDLESS = "while True:  # endless\n    pass"
STUBBORN = """
while True:  # endless
    try:
        while True:
            pass
    except BaseException:
        pass
"""
# On the endless cells only, so that a slow machine fails no other.
SHORT_LIMIT = """
c.ExecutePreprocessor.iopub_timeout = 10
c.ExecutePreprocessor.timeout_func = lambda cell: 3 if "endless" in cell.source else 300
"""
HOG = "held = []\nwhile True:\n    held.append(b'x' * 10**8)"
CRASH = "import os\nos._exit(1)"


def shortened():
    """The chapter's first two exercises."""
    notebook = CHAPTER.read_notebook()
    last = classroom.exercises_of(SLUG, notebook)[len(POINTS) - 1].solution
    cells = notebook.cells[: notebook.cells.index(last) + 1]
    first = next(i for i, cell in enumerate(cells) if cell.source.startswith("### 1. "))
    imports = "import numpy as np\nimport numpy as jnp\nimport tutorlib as tl"
    notebook.cells = [nbformat.v4.new_code_cell(imports, id="imports"), *cells[first:]]
    return notebook


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course in which ten students handed in, graded by a run that was killed and run again."""
    folder = tmp_path_factory.mktemp("course")
    pack.write_course(folder, [])
    with (folder / "nbgrader_config.py").open("a") as config:
        config.write(SHORT_LIMIT)
    source = classroom.source(SLUG, shortened())
    path = folder / "source" / SLUG / f"{SLUG}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(source, path)
    run(folder, "-m", "nbgrader", "generate_assignment", SLUG)
    release = nbformat.read(folder / "release" / SLUG / f"{SLUG}.ipynb", as_version=4)
    right = copy.deepcopy(release)
    for number in POINTS:
        solve(right, source, number)

    def with_answer(code):
        """A right notebook, but for the answer to exercise 2."""
        notebook = copy.deepcopy(right)
        graded_cell(notebook, 2, "answer").source = code
        return notebook

    hand_in(folder, "a-right", right)
    hand_in(folder, "b-untouched", release)
    hand_in(folder, "c-wrong", with_answer("negative_coefficients = [0.0]"))
    hand_in(folder, "d-crash", with_answer(CRASH))
    hand_in(folder, "e-endless", with_answer(ENDLESS))
    hand_in(folder, "f-stubborn", with_answer(STUBBORN))
    hand_in(folder, "g-hog", with_answer(HOG))
    hand_in(folder, "h-broken", "{ this is not a notebook")
    removed = copy.deepcopy(right)
    removed.cells.remove(graded_cell(removed, 2, "check"))
    hand_in(folder, "i-removed", removed)
    (folder / "submitted" / "j-missing" / SLUG).mkdir(parents=True)
    (folder / "submitted" / "j-missing" / SLUG / "mine.ipynb").touch()
    killed_while_grading(folder, "c-wrong")
    folder.joinpath("before.json").write_text(json.dumps(times(folder)))
    run(folder, "grade.py", SLUG, "--gigabytes", "1.5")
    return folder


def killed_while_grading(folder, student):
    """Start the grader, and kill it as soon as nbgrader has begun to write this submission."""
    begun = folder / "autograded" / student / SLUG / f"{SLUG}.ipynb"
    with (folder / "killed.log").open("w") as log:
        grader = subprocess.Popen(
            [sys.executable, "grade.py", SLUG], cwd=folder, env=ENVIRONMENT, stdout=log, stderr=log
        )
        while not begun.exists():
            assert grader.poll() is None, (folder / "killed.log").read_text()
            time.sleep(0.01)
        grader.kill()
        assert grader.wait() == -signal.SIGKILL


def times(folder):
    """When each record was written."""
    return {path.stem: path.stat().st_mtime_ns for path in folder.glob(f"grades/{SLUG}/*.json")}


def test_a_killed_run_goes_on_and_grades_nothing_twice(course):
    before = json.loads((course / "before.json").read_text())
    assert set(before) == {"a-right", "b-untouched"}
    after = times(course)
    assert len(after) == len(list((course / "submitted").iterdir())) == 10
    assert before.items() <= after.items()
    assert list(table(course)) == sorted(after)
    assert not list(course.glob("grades/**/*.new"))


@pytest.mark.parametrize(
    ("student", "status", "points", "fragment"),
    [
        ("a-right", "graded", [1, 2], ""),
        ("b-untouched", "graded", [0, 0], "○ Exercise 1: not attempted yet"),
        ("c-wrong", "graded", [1, 0], "✗ Exercise 2: all coefficients are zero"),
        ("d-crash", "crashed", [0, 0], "ended its own Python process"),
        ("e-endless", "graded", [1, 0], "✗ Exercise 2: the cell ran too long"),
        ("f-stubborn", "timed out", [0, 0], "could not be interrupted"),
        ("g-hog", "out of memory", [0, 0], "needed more than 1.5 GB"),
        ("h-broken", "unreadable", [0, 0], "not a notebook"),
        ("i-removed", "graded", [1, 0], "✗ Exercise 2: its check is not in the notebook"),
        ("j-missing", "missing file", [0, 0], "found: mine.ipynb"),
    ],
)
def test_every_student_gets_a_line(course, student, status, points, fragment):
    row = table(course)[student]
    assert row["status"] == status
    assert fragment in row["message"] and bool(row["message"]) == bool(fragment)
    found = [float(row[f"exercise {n} (of {most:g})"]) for n, most in POINTS.items()]
    assert found == points and float(row["points"]) == sum(points)


def test_what_failed_leaves_no_half_state(course):
    from nbgrader.api import Gradebook

    rows = table(course)
    done = {path.name for path in (course / "autograded").iterdir() if any(path.rglob("*.ipynb"))}
    assert done == {student for student, row in rows.items() if row["status"] == "graded"}
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        for submission in book.assignment_submissions(SLUG):
            assert submission.score == float(rows[submission.student.id]["points"])


def test_memory_was_bounded(course):
    assert 1500 < float(table(course)["g-hog"]["megabytes"]) < 3000


def test_a_new_file_is_graded_again_and_feedback_quotes_the_check(course):
    before = times(course)
    kept = course / "submitted" / "a-right" / SLUG / f"{SLUG}.ipynb"
    shutil.copy(kept, course / "submitted" / "h-broken" / SLUG)
    run(course, "grade.py", SLUG)
    changed = {student for student, at in times(course).items() if at != before[student]}
    assert changed == {"h-broken"}
    assert table(course)["h-broken"]["points"] == "3.0"
    run(course, "-m", "nbgrader", "generate_feedback", SLUG)
    feedback = course / "feedback" / "c-wrong" / SLUG / f"{SLUG}.html"
    assert "✗ Exercise 2" in feedback.read_text(encoding="utf-8")


def test_a_chapter_without_a_release_is_named(tmp_path):
    pack.write_course(tmp_path, [])
    process = subprocess.run(
        [sys.executable, "grade.py", "nope"], cwd=tmp_path, capture_output=True, text=True
    )
    assert process.returncode == 1
    assert "run: nbgrader generate_assignment nope" in process.stderr
