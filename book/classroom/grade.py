"""Grade every submission of a chapter, however it fails. It stands in the folder of the course.

    python grade.py fourier-head

nbgrader does the grading. Added here is what a class needs around it: one submission at a time, in
processes of its own, under a limit of memory and of time; a line for every student, whatever came
of the submission; and a run that was interrupted goes on where it stopped. Results appear in
`grades/<chapter>.csv`, and in `grades/<chapter>/` a record and nbgrader's log for each student. A
submission that has a record is not graded again until its file changes; delete the record to have
it graded once more.
"""

import argparse
import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import psutil
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps.nbgraderapp import NbGraderApp

COURSE = Path(__file__).resolve().parent

FAILURES = {
    "DeadKernelError": ("crashed", "the code ended its own Python process"),
    "CellTimeoutError": ("timed out", "a cell ran too long and could not be interrupted"),
    "NotJSONError": ("unreadable", "the file is not a notebook"),
    "ValidationError": ("unreadable", "the file is not a notebook"),
    "UnicodeDecodeError": ("unreadable", "the file is not a notebook"),
}
"""What the last error in nbgrader's log says about a submission."""


def main():
    """Grade what has no record yet, and keep the table of the class up to date."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("chapter", help="for example fourier-head")
    parser.add_argument(
        "--minutes", type=float, default=30, help="for one submission (%(default)s)"
    )
    parser.add_argument("--gigabytes", type=float, default=4, help="of memory (%(default)s)")
    parser.add_argument("--student", help=argparse.SUPPRESS)  # the process that grades this one
    arguments = parser.parse_args()
    os.chdir(COURSE)
    if arguments.student:
        return run_nbgrader(arguments.chapter, arguments.student)
    points = points_of(arguments.chapter)
    students = sorted(path.name for path in Path("submitted").glob("*") if path.is_dir())
    records = []
    for number, student in enumerate(students, start=1):
        record = kept(arguments.chapter, student)
        if not record:
            limits = arguments.minutes * 60, arguments.gigabytes * 1e9
            record = grade(arguments.chapter, student, points, limits)
            print(f"{number}/{len(students)} {student}: {summary(record, points)}", flush=True)
        records.append(record)
        write_table(arguments.chapter, records, points)
    print(f"{len(records)} students in grades/{arguments.chapter}.csv")


def points_of(chapter):
    """The points of each exercise, {name of its check: points}, as the release has them."""
    if not Path("release", chapter).is_dir():
        sys.exit(f"There is no release of {chapter}; run: nbgrader generate_assignment {chapter}")
    with gradebook() as book:
        cells = book.find_notebook(chapter, chapter).grade_cells
        points = {cell.name: cell.max_score for cell in cells}
    return dict(sorted(points.items(), key=lambda item: exercise(item[0])))


def gradebook():
    """nbgrader's database of the course."""
    return Gradebook(f"sqlite:///{COURSE / 'gradebook.db'}")


def exercise(check):
    """The number of the exercise that a check belongs to."""
    return int(check.split("-")[-2])


# --- one submission ------------------------------------------------------------------------------


def notebook_of(chapter, student, stage="submitted"):
    return Path(stage) / student / chapter / f"{chapter}.ipynb"


def digest(path):
    """SHA-256 of a file, read in pieces; None where there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_of(chapter, student):
    return Path("grades") / chapter / f"{student}.json"


def kept(chapter, student):
    """The record of a submission that was graded as it is now, or None."""
    path = record_of(chapter, student)
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    return record if record["sha256"] == digest(notebook_of(chapter, student)) else None


def grade(chapter, student, points, limits):
    """Grade one submission and keep what came of it; nothing it does raises an error here."""
    path = record_of(chapter, student)
    path.parent.mkdir(parents=True, exist_ok=True)
    submission = notebook_of(chapter, student)
    record = {"student": student, "sha256": digest(submission), "points": {}, "message": ""}
    if record["sha256"] is None:
        others = ", ".join(file.name for file in submission.parent.glob("*")) or "nothing"
        record |= {"status": "missing file", "message": f"no {submission}; found: {others}"}
        record |= {"seconds": 0, "megabytes": 0}
    else:
        log = path.with_suffix(".log")
        command = [sys.executable, __file__, chapter, "--student", student]
        record |= watch(command, log, *limits)
        if not record["status"]:
            record["status"], record["message"] = failure(log)
    checked = set()
    if record["status"] == "graded":
        record["message"], checked = checks(chapter, student, points)
    else:
        shutil.rmtree(notebook_of(chapter, student, "autograded").parent, ignore_errors=True)
    record["points"] = settle(chapter, student, checked)
    replace(path, json.dumps(record, indent=1, ensure_ascii=False))
    return record


def run_nbgrader(chapter, student):
    """Autograde one submission, and end when the grader does: its end of the pipe closes then."""
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
    sys.argv = ["nbgrader", "autograde", chapter, "--student", student, "--force"]
    NbGraderApp.launch_instance()


def watch(command, log, seconds, limit):
    """Run a command, whose output goes to `log`, until it ends, or exceeds the time or the memory.

    Returns the status (empty where the log has to tell), a message, the time and the peak memory.
    """
    stopped, peak, start = ("", ""), 0, time.monotonic()
    with (
        log.open("w", encoding="utf-8") as output,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output) as child,
    ):
        try:
            while child.poll() is None:
                peak = max(peak, sum(map(memory, family(child.pid))))
                if peak > limit:
                    stopped = "out of memory", f"needed more than {limit / 1e9:g} GB"
                if time.monotonic() - start > seconds:
                    stopped = "timed out", f"ran for more than {seconds / 60:g} minutes"
                if any(stopped):
                    break
                time.sleep(0.2)
        finally:  # also when the teacher interrupts
            for process in family(child.pid) if child.poll() is None else []:
                process.kill()
    if child.returncode == 0 and not any(stopped):
        stopped = "graded", ""
    status, message = stopped
    took = {"seconds": round(time.monotonic() - start, 1), "megabytes": round(peak / 1e6)}
    return {"status": status, "message": message} | took


def family(pid):
    """A process and all that it started, the youngest first."""
    try:
        process = psutil.Process(pid)
        return [*reversed(process.children(recursive=True)), process]
    except psutil.NoSuchProcess:
        return []


def memory(process):
    """Bytes that a process holds; none once it ended."""
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def failure(log):
    """(status, message) of a submission that nbgrader gave up, from its last error."""
    text = log.read_text(encoding="utf-8", errors="replace")
    # nbgrader's log indents what an error says.
    errors = re.findall(r"^ *(?:\w+\.)*(\w+(?:Error|Exception)): *(.*)$", text, re.MULTILINE)
    known = [FAILURES[name] for name, _ in errors if name in FAILURES]
    if known:
        return known[-1]
    return "failed", f"{': '.join(errors[0]) if errors else 'nbgrader stopped'}; see {log}"


def checks(chapter, student, points):
    """What the checks of a graded notebook said against its answers, and the checks that ran."""
    notebook = nbformat.read(notebook_of(chapter, student, "autograded"), as_version=4)
    said, ran = {}, set()
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name is None or cell.cell_type != "code":
            continue
        if cell.metadata.nbgrader.grade:
            ran.add(name)
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if errors:
            said.setdefault(exercise(name), complaint(exercise(name), errors[-1]))
    for name in points.keys() - ran:
        said[exercise(name)] = f"✗ Exercise {exercise(name)}: its check is not in the notebook"
    return " | ".join(said[number] for number in sorted(said)), ran


def complaint(number, error):
    """An error of an exercise's cells in a sentence; the check's own names the mistake."""
    text = error.evalue
    if error.ename == "CellTimeoutError":
        text = f"✗ Exercise {number}: the cell ran too long and was interrupted"
    elif error.ename != "Unsolved":
        text = f"✗ Exercise {number}: {error.ename}: {text}"
    return " ".join(text.split())[:300]


def settle(chapter, student, ran):
    """The points of the checks that ran; the others get none and are marked for a look."""
    points = {}
    with gradebook() as book:
        try:
            grades = book.find_submission_notebook(chapter, chapter, student).grades
        except MissingEntry:  # the submission never came as far as nbgrader
            return points
        for entry in grades:
            if entry.name not in ran:
                entry.auto_score, entry.needs_manual_grade = None, True
            points[entry.name] = entry.auto_score or 0.0
        book.db.commit()
    return points


# --- the table -----------------------------------------------------------------------------------


def summary(record, points):
    """A line about a record: status, points, time."""
    reached, most = sum(record["points"].values()), sum(points.values())
    return f"{record['status']}, {reached:g} of {most:g} points, {record['seconds']:.0f} s"


def write_table(chapter, records, points):
    """grades/<chapter>.csv: a line for each student, with the points of every exercise."""
    path = Path("grades") / f"{chapter}.csv"
    new = path.with_suffix(".new")
    # The mark at the beginning tells spreadsheets that this is UTF-8.
    with new.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        names = [f"exercise {exercise(name)} (of {most:g})" for name, most in points.items()]
        table.writerow(["student", "status", "points", *names, "message", "seconds", "megabytes"])
        for record in records:
            reached = [record["points"].get(name, 0.0) for name in points]
            table.writerow(
                [record["student"], record["status"], sum(reached), *reached]
                + [record["message"], record["seconds"], record["megabytes"]]
            )
    os.replace(new, path)


def replace(path, text):
    """Write a file whole or not at all."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


if __name__ == "__main__":
    main()
