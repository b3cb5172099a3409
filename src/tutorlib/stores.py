"""Finished parts of long computations, on the disk.

What was killed goes on where it was; so nothing may ever be half written, and nothing may be taken
for the result of something else.
"""

import hashlib
import json
import os
import uuid
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np

# The settings that are digests, and what stands behind them.
DIGESTS = {
    "grid": " (the values along the axes)",
    "program": " (the function: its code, its constants, such as a number of steps)",
    "shared": " (the arrays that all runs read, such as weights and data)",
}


class Store:
    """Finished tiles: a folder with `settings.json` and one `.npz` file for each tile.

    A tile is what a long computation finishes together. A file gets its name only when it is
    complete and on the disk, so that whoever reads the folder, at any moment, sees whole tiles.

    A writer that is killed leaves a `.part` file. It is removed, by whoever opens the store or
    writes to it, once the file that it was to become is there: nobody needs it then, however old
    it is. If its writer lives after all, it finds that its work was done by another, and goes on.

    folder: made where it is missing. settings: what the tiles follow from, as plain JSON.
    Raises ValueError when the folder holds tiles of other settings, naming the difference (digests
    only when nothing else differs), and OSError when it cannot be made or written.
    """

    def __init__(self, folder, settings):
        self.folder = Path(folder)
        path = self.folder / "settings.json"
        settings = json.loads(json.dumps(settings))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                self._write(path, lambda file: file.write(json.dumps(settings, indent=1).encode()))
        except OSError as error:
            raise type(error)(
                error.errno, f"store is {str(folder)!r}, which cannot be written: {error.strerror}"
            ) from None
        try:
            found = dict(json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError):
            raise ValueError(
                f"store is {str(folder)!r}, whose settings.json is damaged: it is not known what "
                "its tiles are. Use another folder, or delete this one"
            ) from None
        different = [
            name
            for name in sorted({*found, *settings})
            if found.get(name, ...) != settings.get(name, ...)
        ]
        if different:
            # A digest mostly differs because of a setting that has a name, and says less.
            listed = [name for name in different if name not in DIGESTS] or different
            changes = [
                f"{name}{DIGESTS.get(name, '')} was {_told(found, name)} "
                f"and is now {_told(settings, name)}"
                for name in listed
            ]
            raise ValueError(
                f"store is {str(folder)!r}, which holds tiles of other settings: "
                f"{'; '.join(changes)}. Use another folder, or delete this one"
            )
        self._tidy()

    def path(self, number):
        """The file of a tile."""
        return self.folder / f"tile-{number:06d}.npz"

    def __contains__(self, number):
        return self.path(number).exists()

    def save(self, number, results):
        """Write a tile in one step: on the disk first, its name last."""
        names = {f"result {name}": result for name, result in results.items()}  # "file" is taken
        try:
            self._write(self.path(number), lambda file: np.savez(file, **names))
        except OSError as error:
            finished = len(list(self.folder.glob("tile-*.npz")))
            raise type(error)(
                error.errno,
                f"store is {str(self.folder)!r}, which cannot take tile {number}: "
                f"{error.strerror}. Its {finished} finished tiles are whole; the same "
                "computation, started again, goes on with them",
            ) from None

    def load(self, number):
        """The results of a tile; ValueError when its file is damaged."""
        try:
            with np.load(self.path(number)) as content:
                return {name.removeprefix("result "): content[name] for name in content}
        except (EOFError, ValueError, zipfile.BadZipFile):
            raise ValueError(
                f"{self.path(number)} is damaged; delete it, and the same computation, started "
                "again, replaces it"
            ) from None

    def _write(self, path, write):
        # Not the process's number: on a shared disk two machines may have the same.
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        try:
            with open(part, "xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError:
            if not path.exists():  # else another has written it, and perhaps removed the part
                raise
        finally:
            with suppress(OSError):
                part.unlink()
        self._tidy()

    def _tidy(self):
        """Remove the parts of files that are there."""
        for part in self.folder.glob(".*.part"):
            name = part.name[1:].rsplit(".", 2)[0]
            if (self.folder / name).exists():
                with suppress(OSError):  # the folder may be read-only, or another quicker
                    part.unlink()


def _told(settings, name):
    return repr(settings[name]) if name in settings else "not set"


def digest(*contents):
    """16 hexadecimal digits that stand for bytes or arrays, one after the other."""
    found = hashlib.sha256()
    for content in contents:
        if not isinstance(content, bytes):
            content = np.asarray(content)
            found.update(f"{content.dtype}{content.shape}".encode())
            content = content.tobytes()
        found.update(content)
    return found.hexdigest()[:16]
