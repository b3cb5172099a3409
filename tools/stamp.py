"""The stamp of a chapter: hashes of all that its stored outputs follow from, and of themselves.

Three parts tell what changed under a stale chapter: its own code cells, the files of tutorlib that
it can depend on, and the lock. Prose is not part of them: mending a typo must not cost two minutes
of computing. The fourth, `outputs`, tells stored outputs that no execution made.
"""

import hashlib
import json
import re

from tools import chapters

# tutorlib's folders in which a file may belong to one chapter; its name then starts with the slug.
PER_CHAPTER = ("exercises", "explorables", "results")
# Parts of explorables that only browsers read: no stored output follows from them.
BROWSER_ONLY = re.compile(r"explorables/_.*\.js")


def stamp(chapter, notebook):
    """The stamp that outputs of this source would carry now, but for `outputs`: part -> sha256."""
    return {
        "cells": cells(notebook),
        "library": library(chapter),
        "versions": versions(chapter.root),
    }


def outputs(notebook, conditions):
    """Hash of what an execution left: the outputs of each code cell, and the run's conditions.

    conditions: what the notebook's metadata says about the run, with the ledger; of the stamp and
    the hash of the source, which prose changes, nothing is taken.
    """
    said = {key: value for key, value in conditions.items() if key not in ("stamp", "source")}
    cells = [cell.outputs for cell in chapters.code_cells(notebook)]
    return _sha256(json.dumps([cells, said], sort_keys=True).encode())


def source(notebook):
    """Hash of the whole source, prose included; tells which of a chapter's two files changed."""
    return _sha256(chapters.to_text(notebook).encode())


def cells(notebook):
    """Hash of the code cells in order, with their tags."""
    code = chapters.code_cells(chapters.source_of(notebook))
    return _sha256(json.dumps([[sorted(chapters.tags(c)), c.source] for c in code]).encode())


def library(chapter):
    """Hash of the tutorlib files that the chapter can depend on: shared ones and its own."""
    lines = []
    for path in library_files(chapter):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        lines.append(f"{path.relative_to(chapter.root).as_posix()} {_sha256(content)}")
    return _sha256("\n".join(lines).encode())


def library_files(chapter):
    """The tutorlib files that the chapter can depend on, sorted."""
    package = chapter.root / "src" / "tutorlib"
    known = {chapter.slug, *chapters.slugs(chapter.root)}
    found = []
    for path in sorted(package.rglob("*")):
        parts = path.relative_to(package).parts
        if path.is_dir() or any(part.startswith((".", "__pycache__")) for part in parts):
            continue
        if BROWSER_ONLY.fullmatch("/".join(parts)):
            continue
        shared = parts[0] not in PER_CHAPTER or path.name == "__init__.py"
        if not shared and _owner(path.name, known) != chapter.slug:
            continue
        found.append(path)
    return found


def _owner(name, known):
    """The longest slug that a file name starts with, or None for a chapter yet to come."""
    name = name.replace("_", "-")
    owners = [slug for slug in known if re.match(rf"{re.escape(slug)}(?![a-z0-9])", name)]
    return max(owners, key=len, default=None)


def versions(root):
    """Hash of the whole lock but for the packages' hashes.

    Which of its packages a chapter computes with, through others, differs between systems and
    Pythons and stands nowhere; and `make lock` renews all of them together in any case.
    """
    lock = (root / "requirements" / "lock.txt").read_text(encoding="utf-8")
    pins = [line.rstrip(" \\") for line in lock.splitlines() if not line.startswith(" ")]
    return _sha256("\n".join(pins).encode())


def locked_versions(root):
    """Package name -> version, as locked."""
    lock = (root / "requirements" / "lock.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", lock, flags=re.MULTILINE))


def requirement_name(text):
    """The normalised name in a requirement such as `Flax>=0.11`."""
    return re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9._-]+", text).group()).lower()


def _sha256(content):
    return hashlib.sha256(content).hexdigest()
