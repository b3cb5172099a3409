#!/bin/sh
# Make .venv hold exactly what requirements/lock.txt says, and tutorlib from src/.
# Usage: sh tools/environment.sh PYTHON
#
# .venv/lock.txt and .venv/pyproject.toml are copies of what was installed. They are written
# last and removed first, so an interrupted installation is never taken for a finished one.
# make runs this every time: a folder that was moved or copied since shows in no file's date.
set -eu

python=$1

need() {
    echo "$1" >&2
    exit 1
}

command -v git >/dev/null 2>&1 ||
    need "git was not found: install git (on Debian or Ubuntu: apt-get install git)."

# Its Python runs, and imports tutorlib from here: an environment remembers the folder it was made in.
works() {
    .venv/bin/python -I -c 'import os, sys, tutorlib
sys.exit(not os.path.samefile(tutorlib.__file__, "src/tutorlib/__init__.py"))' 2>/dev/null
}

if cmp -s pyproject.toml .venv/pyproject.toml && ! works; then
    [ ! -L .venv ] ||
        need ".venv is a link to an environment that belongs to another folder: delete the link, then run the command again."
    echo "The environment in .venv does not work any more (the folder was moved or copied, or its Python is gone); it is built anew."
    rm -f .venv/lock.txt .venv/pyproject.toml
fi
if cmp -s requirements/lock.txt .venv/lock.txt && cmp -s pyproject.toml .venv/pyproject.toml; then
    touch .venv/ready
    exit 0
fi

command -v "$python" >/dev/null 2>&1 ||
    need "$python was not found: install Python 3.11 or newer, or name one with make PYTHON=/path/to/python3."
[ "$("$python" -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null)" = True ] ||
    need "$python is not Python 3.11 or newer (it says: $("$python" --version 2>&1)): install one, or name it with make PYTHON=/path/to/python3."
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    need "$python cannot make environments: install its venv module (on Debian or Ubuntu: apt-get install python3-venv)."

pip() {
    .venv/bin/python -m pip --disable-pip-version-check --no-input --quiet "$@" ||
        need "pip could not install what is locked; if it says 'No matching distribution found', the package index could not be reached: check the connection to it, then run the command again."
}

if ! cmp -s requirements/lock.txt .venv/lock.txt; then
    echo "Installing the locked packages into .venv: about 1.6 GB on disk, a few minutes, only when the lock changes."
    # After an interrupted installation nothing in .venv can be trusted.
    if [ -e .venv/lock.txt ]; then clear=; else clear=--clear; fi
    rm -f .venv/lock.txt .venv/pyproject.toml
    "$python" -m venv $clear .venv
    pip install --require-hashes --no-deps -r requirements/lock.txt
    cp requirements/lock.txt .venv/lock.part
    mv .venv/lock.part .venv/lock.txt
fi
if ! cmp -s pyproject.toml .venv/pyproject.toml; then
    rm -f .venv/pyproject.toml
    pip install --no-deps --no-build-isolation -e .
    cp pyproject.toml .venv/pyproject.part
    mv .venv/pyproject.part .venv/pyproject.toml
fi
touch .venv/ready
