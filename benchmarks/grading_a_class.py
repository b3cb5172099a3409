"""A class of 100: what `grade.py`, the command in the instructor's archive, costs.

One chapter, without its experiments, is released with nbgrader and handed in by so many students:
of ten, seven solved it, one left it untouched, one submission ends its own process and one is no
notebook. The grader is a process of its own and is watched from outside. Prints its largest memory
after 10 submissions and after all, the largest submission, and the time for each.

    make bench                                                    (three students)
    PYTHONPATH=. .venv/bin/python benchmarks/grading_a_class.py --students 100 --write

The second stores the numbers for the performance page. It takes about 20 minutes on one core.
"""

import argparse
import copy
import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import nbformat
import numpy as np
import psutil

from tools import chapters, classroom, pack
from tools.benchmark import publish

SLUG = "lottery-tickets"  # the quickest at the small preset
EARLY = 10
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # for nbgrader's alembic


def hand_in(course, students):
    """Release the chapter and write the submissions of a class."""
    pack.write_course(course, [SLUG])
    leave_out_experiments(course / "source" / SLUG / f"{SLUG}.ipynb")
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", SLUG]
    subprocess.run(command, cwd=course, env=os.environ | {"PATH": PATH}, check=True)
    untouched = nbformat.read(course / "release" / SLUG / f"{SLUG}.ipynb", as_version=4)
    solved, crash = copy.deepcopy(untouched), copy.deepcopy(untouched)
    whole = {}
    for cell in classroom.source(SLUG, chapters.Chapter(SLUG).read_notebook()).cells:
        marks = r"### BEGIN SOLUTION\n(.*)\n### END SOLUTION"
        if found := re.search(marks, cell.source, re.DOTALL):
            whole[cell.metadata.nbgrader.grade_id] = found[1]
    for cell in solved.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = whole.get(name, cell.source)
    answer = next(c for c in crash.cells if c.metadata.get("nbgrader", {}).get("solution"))
    answer.source = "import os\nos._exit(1)"
    kinds = {7: nbformat.writes(untouched), 8: nbformat.writes(crash), 9: "no notebook"}
    for number in range(students):
        path = course / "submitted" / f"student-{number + 1:03}" / SLUG / f"{SLUG}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(kinds.get(number % 10, nbformat.writes(solved)), encoding="utf-8")


def leave_out_experiments(path):
    """Keep the setup, the sizes, the definitions and the exercises: what the checks need."""
    needed = {"setup", "config", "definition"}
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "nbgrader" in cell.metadata or needed & set(chapters.tags(cell))
    ]
    nbformat.write(notebook, path)


def grade(course):
    """Run the grader; its largest memory in MB after EARLY submissions and at the end."""
    process = psutil.Popen([sys.executable, "grade.py", SLUG], cwd=course)
    early = peak = 0
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss / 1e6)
        except psutil.Error:  # it ended just now
            break
        if len(list(course.glob(f"grades/{SLUG}/*.json"))) <= EARLY:
            early = peak
        time.sleep(0.2)
    if process.wait():
        sys.exit("The grader failed.")
    return round(early), round(peak)


def main():
    """Measure, print, and store when asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--students", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder)
        hand_in(course, arguments.students)
        early, peak = grade(course)
        text = (course / "grades" / f"{SLUG}.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(text.splitlines()))
    seconds = [float(row["seconds"]) for row in rows]
    report(
        {
            "statuses": dict(Counter(row["status"] for row in rows)),
            "grader_megabytes": {str(EARLY): early, str(len(rows)): peak},
            "largest_submission_megabytes": max(float(row["megabytes"]) for row in rows),
            "seconds_for_one": float(np.median(seconds)),
            "seconds_for_all": round(sum(seconds)),
        },
        arguments.write,
    )


def report(results, write):
    """Print the results, or store them for the performance page."""
    (_, early), (students, peak) = results["grader_megabytes"].items()
    counts = ", ".join(f"{count} {status}" for status, count in results["statuses"].items())
    rows = [
        ["what", "measured"],
        [f"{students} submissions", counts],
        [f"largest memory of the grader after {EARLY}", f"{early} MB"],
        [f"largest memory of the grader after {students}", f"{peak} MB"],
        ["largest memory of a submission", f"{results['largest_submission_megabytes']:.0f} MB"],
        ["time for one, median", f"{results['seconds_for_one']:.0f} s"],
        ["time for all", f"{results['seconds_for_all'] / 60:.0f} min"],
    ]
    if not write:
        print("\n".join(" | ".join(row) for row in rows))
        return
    publish(
        __file__,
        "Grading a class",
        [rows],
        notes=[
            f"The exercises of {SLUG} with the cells that they need, without the experiments; "
            "one submission at a time, while other programs kept the machine busy."
        ],
        also={"nbgrader": version("nbgrader")},
    )


if __name__ == "__main__":
    main()
