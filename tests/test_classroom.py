"""What a class gets: notebooks for students and instructors, lesson plans, archives, grading."""

import copy
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from tools import chapters, classroom, pack
from tools.chapters import ROOT

LESSONS = ROOT / "book" / "lessons"


@pytest.fixture
def notebook(chapter):
    return chapter.read_notebook()


def text_of(notebook):
    return "\n".join(cell.source for cell in notebook.cells)


# --- notebooks -----------------------------------------------------------------------------------


def test_exercises_are_read_whole(chapter, notebook):
    exercises = classroom.exercises_of(chapter.slug, notebook)
    assert [e.number for e in exercises] == list(range(1, len(exercises) + 1))
    assert len(exercises) >= 6
    assert {e.stars for e in exercises} == {1, 2, 3}


@pytest.mark.parametrize("part", ["stub", "check", "solution"])
def test_an_exercise_without_a_part_is_named(part):
    chapter = chapters.discover()[0]
    notebook = chapter.read_notebook()
    first = next(i for i, c in enumerate(notebook.cells) if part in chapters.tags(c))
    removed = notebook.cells.pop(first)
    with pytest.raises(ValueError, match=f"{chapter}/1 has no {part} cell"):
        classroom.exercises_of(chapter.slug, notebook)
    notebook.cells[first:first] = [removed, removed]
    with pytest.raises(ValueError, match=f"{chapter}/1 has two {part} cells"):
        classroom.exercises_of(chapter.slug, notebook)


def test_students_get_stubs_and_no_solutions(chapter, notebook):
    made = classroom.student(chapter.slug, notebook)
    nbformat.validate(made)
    exercises = classroom.exercises_of(chapter.slug, notebook)
    assert len(made.cells) == len(notebook.cells) - len(exercises)
    text = text_of(made)
    for exercise in exercises:
        assert exercise.stub.source in text and exercise.check.source in text
        assert exercise.solution.source not in text
    assert not any("solution" in chapters.tags(cell) for cell in made.cells)
    assert notebook == chapter.read_notebook()  # the chapter itself is left as it was


def test_grading_metadata(chapter, notebook):
    made = classroom.student(chapter.slug, notebook)
    entries = [c.metadata.nbgrader for c in made.cells if "nbgrader" in c.metadata]
    exercises = classroom.exercises_of(chapter.slug, notebook)
    assert len({entry.grade_id for entry in entries}) == len(entries) == 2 * len(exercises)
    assert sum(e.points for e in entries if e.grade) == sum(e.stars for e in exercises)
    assert all(entry.locked != entry.solution for entry in entries)


def test_instructors_see_what_the_checks_say(chapter, notebook):
    made = classroom.instructor(chapter.slug, notebook)
    nbformat.validate(made)
    assert made.cells[0].source.startswith("# ")
    for exercise in classroom.exercises_of(chapter.slug, made):
        assert "hide-cell" not in chapters.tags(exercise.solution)
        after = made.cells[made.cells.index(exercise.solution) + 1]
        assert len(re.findall(r"^- ", after.source, re.MULTILINE)) >= 5
        for _, fragment in classroom.answers(chapter.slug).WRONG[exercise.number]:
            assert fragment in after.source.replace("&gt;", ">").replace("&lt;", "<")
    total = sum(e.minutes for e in classroom.exercises_of(chapter.slug, notebook))
    assert f"| | all | | {total} |" in made.cells[1].source


# --- lesson plans --------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [50, 90])
def test_lesson_plans_fill_their_time(chapter, notebook, length):
    plan = (LESSONS / f"{chapter.slug}.md").read_text(encoding="utf-8")
    [part] = re.findall(rf"^## {length} minutes\n(.*?)(?=^## )", plan, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|$", part, re.MULTILINE)
    assert sum(int(minutes) for minutes, _, _ in rows) == length
    headings = re.findall(r"^#{2,3} (.+)$", text_of(notebook), re.MULTILINE)
    for _, _, place in rows:
        for name in re.findall(r"\*(.+?)\*", place):
            assert any(heading.startswith(name) for heading in headings), name


# --- grading with the real nbgrader --------------------------------------------------------------


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """An nbgrader course as the instructor's archive holds it, with the first chapter released."""
    folder = tmp_path_factory.mktemp("course")
    slug = chapters.discover()[0].slug
    pack.write_course(folder, [slug])
    nbgrader(folder, "generate_assignment", slug)
    return folder


def nbgrader(folder, command, *arguments):
    programs = Path(sys.executable).parent  # nbgrader calls alembic by name
    run = subprocess.run(
        [sys.executable, "-m", "nbgrader", command, *arguments],
        cwd=folder,
        env=os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stderr


def released(course):
    [path] = course.glob("release/*/*.ipynb")
    return path.stem, nbformat.read(path, as_version=4)


def test_the_release_is_what_students_get(course):
    slug, release = released(course)
    ours = classroom.student(slug, chapters.Chapter(slug).read_notebook())
    assert "SOLUTION" not in text_of(release) and "HIDDEN" not in text_of(release)
    strip = [cell.source.strip() for cell in release.cells]
    assert strip == [cell.source.strip() for cell in ours.cells]


def submit(course, student, change):
    """Hand in the student notebook after `change(exercise, stub cell)`."""
    slug, release = released(course)
    original = chapters.Chapter(slug).read_notebook()
    for exercise in classroom.exercises_of(slug, original):
        [stub] = [
            cell
            for cell in release.cells
            if cell.metadata.get("nbgrader", {}).get("grade_id") == f"{exercise.name}-answer"
        ]
        change(exercise, stub)
    path = course / "submitted" / student / slug / f"{slug}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(release, path)


def scores(course):
    """{student: {exercise number: points}}."""
    from nbgrader.api import Gradebook

    slug, _ = released(course)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        return {
            submission.student.id: {
                int(re.search(r"-(\d+)-check$", grade.name)[1]): grade.auto_score
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
            for submission in book.assignment_submissions(slug)
        }


def test_right_wrong_and_missing_answers_are_graded(course):
    slug, _ = released(course)
    exercises = classroom.exercises_of(slug, chapters.Chapter(slug).read_notebook())

    def solve(exercise, stub):
        solved = copy.deepcopy(exercise)
        stub.source = re.search(
            r"### BEGIN SOLUTION\n(.*)\n### END SOLUTION",
            solution_cell(slug, solved.number).source,
            re.DOTALL,
        )[1]

    def leave_or_spoil(exercise, stub):
        if exercise.number == 1:  # one right answer among wrong and missing ones
            solve(exercise, stub)
        elif exercise.number == 2:
            stub.source = stub.source.replace("...", "[0.0]")

    submit(course, "right", solve)
    submit(course, "wrong", leave_or_spoil)
    nbgrader(course, "autograde", slug)
    full = {exercise.number: float(exercise.stars) for exercise in exercises}
    assert scores(course) == {
        "right": full,
        "wrong": {number: full[1] if number == 1 else 0.0 for number in full},
    }
    nbgrader(course, "generate_feedback", slug)
    feedback = (course / "feedback" / "wrong" / slug / f"{slug}.html").read_text(encoding="utf-8")
    assert "not attempted yet" in feedback and "✗ Exercise 2" in feedback


def solution_cell(slug, number):
    """The cell of nbgrader's source that holds stub and solution."""
    made = classroom.source(slug, chapters.Chapter(slug).read_notebook())
    name = f"{slug}-{number}-answer"
    return next(c for c in made.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)


# --- the classroom archive, without a network ----------------------------------------------------

# Loaded by every Python process of the test: connections that leave the machine are refused.
NO_NETWORK = """
import socket
_connect = socket.socket.connect
def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
        raise OSError(f"no network in this test: {address}")
    return _connect(self, address)
socket.socket.connect = connect
"""

RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
notebook.cells.append(nbformat.v4.new_code_cell("print(tl.__file__)"))
NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[1])
"""


@pytest.fixture(scope="module")
def classroom_folder(tmp_path_factory):
    """The classroom archive, unpacked in an empty folder."""
    shutil.rmtree(pack.OUT, ignore_errors=True)
    pack.OUT.mkdir(parents=True)
    path = pack.archive(pack.make_classroom([c.slug for c in chapters.discover()]))
    folder = tmp_path_factory.mktemp("classroom")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    [inside] = folder.iterdir()
    return inside


def test_the_archive_holds_what_the_sheet_says(classroom_folder):
    sheet = (classroom_folder / "SETUP.md").read_text(encoding="utf-8")
    for name in ("site/index.html", "notebooks", "wheels/lock.txt"):
        assert name in sheet and (classroom_folder / name).exists()
    assert len(list(classroom_folder.glob("wheels/tutorlib-*.whl"))) == 1
    assert not any("solution" in path.name for path in classroom_folder.rglob("*.ipynb"))


def test_a_notebook_of_the_archive_runs_without_a_network(classroom_folder, tmp_path):
    [wheel] = classroom_folder.glob("wheels/tutorlib-*.whl")
    library = tmp_path / "library"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*install, "--target", library, wheel], check=True)
    (library / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")
    notebook = next((classroom_folder / "notebooks").glob("*.ipynb"))
    environment = os.environ | {
        "PYTHONPATH": str(library),
        "TUTORLIB_PRESET": "smoke",
        "TUTORLIB_PROGRESS": "off",
    }
    subprocess.run([sys.executable, "-c", RUN, notebook], env=environment, check=True, timeout=900)
    ran = nbformat.read(notebook, as_version=4)
    assert Path(ran.cells[-1].outputs[0]["text"].strip()).is_relative_to(library)
    for cell in ran.cells:
        if "check" in chapters.tags(cell):
            assert "not attempted yet" in str(cell.outputs)
