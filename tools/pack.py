"""Make everything that a class needs, from the same files as the book. Run by `make pack`.

Two archives appear in _build/pack. The classroom's goes to everybody and works without a network:
the rendered site, student notebooks, tutorlib's wheel, the locked package list and a set-up sheet.
The instructor's adds the notebooks with solutions, lesson plans, a course outline and an nbgrader
course.
"""

import os
import re
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
LINK = re.compile(r"\[([^]]*)\]\(([^)\s]+)\)")


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


def write_pages(folder, pages, also):
    """Write pages of the book, {file in the book: place in the folder}, as files of their own.

    also: what else the folder holds, in the same form. Links lead to what the folder holds; where
    it does not hold the target, the words of the link remain.
    """
    places = {path.resolve(): place for path, place in (pages | also).items()}
    for path, place in pages.items():

        def follow(link, path=path, place=place):
            words, target = link.groups()
            if re.match(r"[a-z]+:|#", target):
                return link[0]
            name, mark, part = target.partition("#")
            found = places.get((path.parent / name).resolve())
            if not found:
                return words
            found = os.path.relpath(found, os.path.dirname(place) or ".")
            return f"[{words}]({found.replace(os.sep, '/')}{mark}{part})"

        text = LINK.sub(follow, path.read_text(encoding="utf-8"))
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")


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
    book = chapters.ROOT / "book"
    pages = {book / "lessons" / f"{slug}.md": f"lessons/{slug}.md" for slug in slugs}
    pages |= {book / "course.md": "course.md", SHEETS / "GRADING.md": "GRADING.md"}
    names = [f"notebooks/{slug}.ipynb" for slug in slugs]
    write_pages(folder, pages, {chapters.ROOT / name: name for name in names})
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
