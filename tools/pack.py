"""Make everything that a class needs, from the same files as the book. Run by `make pack`.

Two archives appear in _build/pack. The classroom's goes to everybody and works without a network:
the rendered site, student notebooks, tutorlib's wheel, the locked package list and a set-up sheet.
The instructor's adds the notebooks with solutions and an nbgrader course.
"""

import shutil
import subprocess
import sys
import zipfile

import nbformat

from tools import chapters, classroom

OUT = chapters.ROOT / "_build" / "pack"
SITE = chapters.ROOT / "_build" / "html"
SHEETS = chapters.ROOT / "book" / "classroom"
LICENCES = ("LICENSE", "LICENSE-TEXT")


def write_notebooks(folder, make, slugs):
    """Write `make(slug, notebook)` of each chapter into the folder."""
    for slug in slugs:
        notebook = chapters.Chapter(slug).read_notebook()
        _write(folder / f"{slug}.ipynb", make(slug, notebook))


def write_course(folder, slugs):
    """An nbgrader course: one assignment for each chapter, and its configuration."""
    for slug in slugs:
        notebook = chapters.Chapter(slug).read_notebook()
        _write(folder / "source" / slug / f"{slug}.ipynb", classroom.source(slug, notebook))
    for name in ("nbgrader_config.py", "grade.py"):
        shutil.copy(SHEETS / name, folder)


def _write(path, notebook):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def write_wheel(folder):
    """Build tutorlib's wheel from a copy of its sources: setuptools leaves files behind."""
    copy = OUT / "source"
    names = ("pyproject.toml", "README.md", *LICENCES)
    shutil.copytree(
        chapters.ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("*.egg-info")
    )
    for name in names:
        shutil.copy(chapters.ROOT / name, copy)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", folder, copy], check=True)
    shutil.rmtree(copy)


def archive(folder):
    """Zip the folder beside itself, with its own name as the one folder inside."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for item in sorted(folder.rglob("*")):
            if item.is_file():
                file.write(item, item.relative_to(folder.parent))
    return path


def make_classroom(slugs):
    """The folder for everybody."""
    folder = OUT / "papers-in-motion-classroom"
    shutil.copytree(SITE, folder / "site", ignore=shutil.ignore_patterns(".buildinfo*"))
    write_notebooks(folder / "notebooks", classroom.student, slugs)
    write_wheel(folder / "wheels")
    shutil.copy(chapters.ROOT / "requirements" / "lock.txt", folder / "wheels")
    shutil.copy(SHEETS / "SETUP.md", folder)
    for name in LICENCES:
        shutil.copy(chapters.ROOT / name, folder)
    return folder


def make_instructor(slugs):
    """The folder for those who teach."""
    folder = OUT / "papers-in-motion-instructor"
    write_notebooks(folder / "notebooks", classroom.instructor, slugs)
    write_course(folder / "nbgrader", slugs)
    shutil.copytree(chapters.ROOT / "book" / "lessons", folder / "lessons")
    shutil.copy(SHEETS / "GRADING.md", folder)
    for name in LICENCES:
        shutil.copy(chapters.ROOT / name, folder)
    return folder


def main():
    """Make both archives."""
    if not (SITE / "book" / "index.html").is_file():
        sys.exit("The book is not built; run: make book")
    slugs = [chapter.slug for chapter in chapters.discover()]
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    for make in (make_classroom, make_instructor):
        path = archive(make(slugs))
        size = path.stat().st_size / 1e6
        print(f"{path.relative_to(chapters.ROOT)}  {size:.1f} MB")


if __name__ == "__main__":
    main()
