"""Results too long to recompute on a laptop: small files, made once by a committed script.

Each file is JSON with two keys. `provenance` says how it was made (script, preset, versions,
device, wall time, commit); `results` holds the numbers.
"""

import json
from importlib.resources import files


def load_result(name):
    """Read the committed result file `<name>.json`.

    Returns the dictionary with the keys `provenance` and `results`.
    Raises ValueError, listing the files there are, when there is none of that name.
    """
    folder = files(__package__)
    path = folder / f"{name}.json"
    if not path.is_file():
        known = sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".json"))
        raise ValueError(f"name is {name!r}; committed results are {known}")
    return json.loads(path.read_text(encoding="utf-8"))
