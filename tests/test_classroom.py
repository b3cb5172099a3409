"""What a class gets: notebooks for students and instructors, lesson plans, archives."""

import ast
import io
import os
import re
import subprocess
import sys
import tokenize
import zipfile
from pathlib import Path

import nbformat
import pytest

from tools import chapters, classroom, pack
from tools.chapters import ROOT

LESSONS = ROOT / "book" / "lessons"


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """What `make pack` writes, each archive unpacked in an empty folder: {name: folder}."""
    pack.main()
    folders = {}
    for path in pack.OUT.glob("*.zip"):
        folder = tmp_path_factory.mktemp("unpacked")
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        [inside] = folder.iterdir()
        folders[inside.name.rpartition("-")[2]] = inside
    return folders


@pytest.fixture
def classroom_folder(archives):
    return archives["classroom"]


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


def test_an_unclear_exercise_is_named(chapter):
    notebook = chapter.read_text()
    second = next(c for c in notebook.cells if c.source.startswith("### 2. "))
    whole = second.source
    second.source = whole.replace("### 2. ", "### 1. ")
    with pytest.raises(ValueError, match=f"{chapter}: two exercises have the number 1"):
        classroom.exercises_of(chapter.slug, notebook)
    second.source = re.sub(r" \(\d+ minutes\)", "", whole)
    with pytest.raises(ValueError, match=f"{chapter}: the heading '### 2. .*' must have the form"):
        classroom.exercises_of(chapter.slug, notebook)


def test_a_stub_is_the_solution_with_holes(chapter):
    for exercise in classroom.exercises_of(chapter.slug, chapter.read_text()):
        stub = ast.parse(exercise.stub.source).body
        solution = {
            node.name if isinstance(node, ast.FunctionDef) else node.targets[0].id: node
            for node in ast.parse(exercise.solution.source).body
            if isinstance(node, ast.FunctionDef | ast.Assign)
        }
        for hole in stub:
            if isinstance(hole, ast.FunctionDef):
                whole = solution[f"{hole.name.removeprefix('my_')}_solution"]
                assert ast.dump(hole.args) == ast.dump(whole.args)
                renamed = ast.get_docstring(hole).replace("my_", "")
                assert renamed == ast.get_docstring(whole).replace("_solution", "")
                assert [ast.unparse(line) for line in hole.body[1:]] == [
                    "raise NotImplementedError"
                ]
            else:
                [name] = hole.targets
                whole = solution[f"{name.id.removeprefix('my_')}_solution"].value
                if isinstance(hole.value, ast.Dict):
                    assert list(map(ast.dump, hole.value.keys)) == list(map(ast.dump, whole.keys))
                    values = hole.value.values
                else:
                    values = [hole.value]
                assert [ast.unparse(value) for value in values] == ["..."] * len(values)


# A call of three numbers, `np.linspace(0, 1, 101)`, has ten tokens.
LONGEST_SHARED_CODE = 10


def tokens(code):
    """The tokens of Python code, which may be a fragment, without layout and comments."""
    layout = {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT}
    try:
        found = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, IndentationError):  # words or mathematics in backticks
        return []
    return [token.string for token in found if token.type not in layout and token.string]


def shared_code(hint, solution):
    """The longest run of tokens in a hint's code that the solution has too, as one string."""
    theirs = f" {' '.join(tokens(solution))} "
    runs = [""]
    for span in re.findall(r"`([^`]+)`", hint):
        mine = tokens(span)
        runs += [
            " ".join(mine[i:j])
            for i in range(len(mine))
            for j in range(i + 1, len(mine) + 1)
            if f" {' '.join(mine[i:j])} " in theirs
        ]
    return max(runs, key=lambda run: len(run.split(" ")))


FEWEST_TOKENS = 5  # of a line worth hiding: `v * last` has three, `n - 1` too


def lines(code):
    """The steps of a solution: its statements, what they compute or return, and the parts of that.

    Parts are the branches of a condition and the elements of lists and the like.
    """

    def parts(node):
        yield node
        match node:
            case ast.IfExp():
                inner = [node.body, node.orelse]
            case ast.List() | ast.Tuple():
                inner = node.elts
            case ast.Dict():
                inner = node.values
            case ast.ListComp() | ast.GeneratorExp():
                inner = [node.elt]
            case ast.Call():
                displays = ast.List | ast.Tuple | ast.ListComp | ast.GeneratorExp
                inner = [value for value in node.args if isinstance(value, displays)]
            case _:
                inner = []
        for value in inner:
            yield from parts(value)

    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Return | ast.Assign | ast.AugAssign) and node.value:
            found += [node, *parts(node.value)]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            if ast.unparse(node.value.func) != "tl.check":
                found.append(node)
    found = [ast.get_source_segment(code, node) for node in found]
    return [line for line in found if len(tokens(line)) >= FEWEST_TOKENS]


def words(text):
    """Text or code with one space between words and signs, so that layout does not matter."""
    found = re.findall(r"\w+|[^\w\s]", text.replace("`", ""))
    return f" {' '.join(found)} "


def copied_lines(hint, solution, stated):
    """The lines of a solution that a hint gives away, but for those that were stated already."""
    return [
        line
        for line in lines(solution)
        if words(line) in words(hint) and words(line) not in words(stated)
    ]


def hints_of(exercise, notebook):
    """The cell with the hints of an exercise."""
    return notebook.cells[notebook.cells.index(exercise.solution) - 1]


def stated_by(exercise, notebook):
    """What an exercise says before its check, the stub included."""
    last = notebook.cells.index(exercise.stub)
    heading = f"### {exercise.number}. {exercise.title}"
    [first] = [i for i, cell in enumerate(notebook.cells) if heading in cell.source]
    return "\n".join(cell.source for cell in notebook.cells[first : last + 1])


def test_hints_lead_to_the_solution_and_do_not_contain_its_code(chapter):
    notebook = chapter.read_text()
    for exercise in classroom.exercises_of(chapter.slug, notebook):
        before = hints_of(exercise, notebook)
        stated = stated_by(exercise, notebook)
        assert not copied_lines(before.source, exercise.solution.source, stated), exercise.name
        assert re.findall(r"<details><summary>Hint (\d): ", before.source) == ["1", "2", "3"]
        shared = shared_code(before.source, exercise.solution.source)
        assert len(shared.split(" ")) <= LONGEST_SHARED_CODE, f"{exercise.name}: {shared}"


def test_code_copied_into_a_hint_is_found():
    solution = "def f(x):\n    v = g(x)\n    return (1 / v).sum() + v[-20:].mean()\n"
    copied = "Return `(1 / v).sum() + v[-20:].mean()`, says hint 3."
    assert shared_code(copied, solution) == "( 1 / v ) . sum ( ) + v [ - 20 : ] . mean ( )"
    assert shared_code("Use `v.mean()` of $v$ and `g(", solution) == ". mean ( )"


def test_a_line_of_the_solution_planted_in_a_hint_is_found(chapter):
    notebook = chapter.read_text()
    planted = 0
    for exercise in classroom.exercises_of(chapter.slug, notebook):
        hint = hints_of(exercise, notebook).source
        solution, stated = exercise.solution.source, stated_by(exercise, notebook)
        for line in lines(solution):
            if words(line) not in words(stated):
                closer = hint.replace("\n\n</details>", f" So: `{line}`.\n\n</details>", 1)
                assert line in copied_lines(closer, solution, stated), f"{exercise.name}: {line}"
                planted += 1
    assert planted >= 10


def test_a_whole_answer_of_nine_tokens_is_found():
    """A copy that is shorter than the longest run of tokens that a hint may share."""
    notebook = chapters.Chapter("lottery-tickets").read_text()
    exercise = classroom.exercises_of("lottery-tickets", notebook)[4]
    answer = "mask * (weight - learning_rate * gradient)"
    assert len(tokens(answer)) == 9 <= LONGEST_SHARED_CODE
    stated = stated_by(exercise, notebook)
    for hint in (f"Return `{answer}`.", f"It is\n```\n{answer.replace(' ', '')}\n```"):
        assert copied_lines(hint, exercise.solution.source, stated) == [answer]
    assert copied_lines(f"Return `{answer}`.", exercise.solution.source, f"{stated} {answer}") == []


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


def test_instructors_see_what_the_checks_say(chapter, notebook, archives):
    made = nbformat.read(archives["instructor"] / "notebooks" / f"{chapter}.ipynb", as_version=4)
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


def test_the_archive_holds_what_the_sheet_says(classroom_folder):
    sheet = (classroom_folder / "SETUP.md").read_text(encoding="utf-8")
    for name in ("site/index.html", "notebooks", "wheels/lock.txt"):
        assert name in sheet and (classroom_folder / name).exists()
    assert len(list(classroom_folder.glob("wheels/tutorlib-*.whl"))) == 1
    assert not any("solution" in path.name for path in classroom_folder.rglob("*.ipynb"))


def test_the_instructors_archive_holds_a_course(archives):
    folder = archives["instructor"]
    for slug in (chapter.slug for chapter in chapters.discover()):
        assert (folder / "nbgrader" / "source" / slug / f"{slug}.ipynb").exists()
        assert (folder / "lessons" / f"{slug}.md").exists()
    sheet = (folder / "GRADING.md").read_text(encoding="utf-8")
    for name in ("grade.py", "nbgrader_config.py"):
        assert name in sheet and (folder / "nbgrader" / name).exists()


def linked(text):
    """The files that the links of a page lead to."""
    targets = re.findall(r"\]\(([^)]+)\)", text)
    return [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]


def test_links_of_the_instructors_pages_lead_into_the_archive(archives):
    folder = archives["instructor"]
    found = {}
    for page in folder.rglob("*.md"):
        targets = linked(page.read_text(encoding="utf-8"))
        found[page.relative_to(folder).as_posix()] = targets
        for target in targets:
            path = (page.parent / target).resolve()
            assert path.is_relative_to(folder.resolve()) and path.is_file(), f"{page}: {target}"
    for slug in (chapter.slug for chapter in chapters.discover()):
        assert f"lessons/{slug}.md" in found["course.md"]
        assert f"../notebooks/{slug}.ipynb" in found[f"lessons/{slug}.md"]


def test_a_link_out_of_the_archive_becomes_words(tmp_path):
    page = tmp_path / "book" / "plan.md"
    page.parent.mkdir()
    page.write_text(
        "[in](../notebooks/a.ipynb#end), [out](other.md), [part](#here), [web](https://x.org)"
    )
    inside = {tmp_path / "notebooks" / "a.ipynb": "notebooks/a.ipynb"}
    pack.write_pages(tmp_path / "made", {page: "plans/deep/plan.md"}, inside)
    assert (tmp_path / "made" / "plans" / "deep" / "plan.md").read_text() == (
        "[in](../../notebooks/a.ipynb#end), out, [part](#here), [web](https://x.org)"
    )


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
