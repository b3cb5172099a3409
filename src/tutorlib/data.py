"""Images that chapters learn from, as NumPy arrays.

The digits come with the library, so that a chapter runs with no network. MNIST and CIFAR-10 are
downloaded once, from the first mirror that has them, into a folder that keeps them; every file is
checked against its SHA-256 each time it is read, so that a damaged one is never trained on.
"""

import gzip
import hashlib
import http.client
import io
import math
import os
import struct
import tarfile
import tempfile
import urllib.request
import zlib
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np

from tutorlib.training import Progress

MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)

MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""Of the unpacked files, because mirrors pack them differently."""

CIFAR10_MIRRORS = (
    "https://www.cs.toronto.edu/~kriz/",
    "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
)
CIFAR10_ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR10_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
"""Of the archive, as TensorFlow Datasets lists it for the author's address; his own page gives only
the MD5, c32a1d4ab5d03f1284b67883e8d87530."""

_MEGABYTE = 10**6
_TIMEOUT = 30  # seconds without an answer after which the next mirror is tried


class DataUnavailable(OSError):
    """A data set is neither in the local folder nor on any mirror, or cannot be kept."""


class DataDamaged(ValueError):
    """A local file is not what it should be."""


def data_folder():
    """Where data sets are kept: the variable TUTORLIB_DATA, by default `.cache/tutorlib` at home.

    MNIST's four files, as `.gz`, are looked for in the folder `mnist` there, CIFAR-10's archive
    `cifar-10-binary.tar.gz` in the folder `cifar-10`.
    """
    given = os.environ.get("TUTORLIB_DATA")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "tutorlib"


def digits():
    """1,797 images of handwritten digits, 8 x 8 pixels, in a fixed shuffled order. No download.

    The test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, UCI Machine
    Learning Repository, 1998, doi.org/10.24432/C50P49, CC BY 4.0): scikit-learn's digits.
    Returns images, uint8 of shape (1797, 8, 8) with values 0 to 16, and labels, uint8, (1797,).
    """
    with (files("tutorlib") / "digits.npz").open("rb") as file, np.load(file) as content:
        return content["images"], content["labels"]


def mnist():
    """MNIST (LeCun, Cortes and Burges, 1998): handwritten digits of 28 x 28 pixels, 11 MB.

    Returns {"train": (images, labels), "test": (images, labels)}: images are uint8 of shape
    (60000, 28, 28) and (10000, 28, 28), labels uint8.
    Raises DataUnavailable without a local copy and a network, DataDamaged for a local file whose
    content is not MNIST's.
    """
    arrays = {
        name: read_idx(_fetch(f"mnist/{name}.gz", MNIST_MIRRORS, partial(_unpacked, sha256=sha256)))
        for name, sha256 in MNIST_SHA256.items()
    }
    return {
        part: (arrays[f"{prefix}-images-idx3-ubyte"], arrays[f"{prefix}-labels-idx1-ubyte"])
        for part, prefix in {"train": "train", "test": "t10k"}.items()
    }


def cifar10():
    """CIFAR-10 (Krizhevsky, 2009): photographs of ten kinds of things, 32 x 32 pixels, 170 MB.

    Returns {"train": (images, labels), "test": (images, labels)}: images are uint8 of shape
    (50000, 32, 32, 3) and (10000, 32, 32, 3), labels uint8.
    Raises DataUnavailable without a local copy and a network, DataDamaged for a local file that is
    not the author's archive.
    """
    archive = _fetch(
        f"cifar-10/{CIFAR10_ARCHIVE}", CIFAR10_MIRRORS, partial(_same, sha256=CIFAR10_SHA256)
    )
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
        parts = {
            part: [
                read_cifar(members.extractfile(f"cifar-10-batches-bin/{name}.bin").read())
                for name in names
            ]
            for part, names in {
                "train": [f"data_batch_{i}" for i in range(1, 6)],
                "test": ["test_batch"],
            }.items()
        }
    return {
        part: tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))
        for part, batches in parts.items()
    }


def read_cifar(content):
    """Images (n, 32, 32, 3) and labels (n,) in a file of CIFAR-10's binary version.

    content: its bytes; each image is its label, 1,024 red values, 1,024 green and 1,024 blue ones.
    Raises DataDamaged for a wrong length or a label above 9.
    """
    if not content or len(content) % 3073:
        raise DataDamaged(f"content has {len(content)} bytes; each image of CIFAR-10 takes 3,073")
    rows = np.frombuffer(content, np.uint8).reshape(-1, 3073)
    labels = rows[:, 0]
    if labels.max() > 9:
        raise DataDamaged(f"content has a label {labels.max()}; CIFAR-10's go from 0 to 9")
    return rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


def read_idx(content):
    """The array in an IDX file of unsigned bytes: two zeros, type 8, rank, sizes, values.

    content: the bytes of the file. Raises DataDamaged for another format or a wrong length.
    """
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise DataDamaged(f"content starts with {content[:4]!r}; IDX bytes start with 0, 0, 8")
    rank = content[3]
    if len(content) < 4 + 4 * rank:
        raise DataDamaged(f"content has {len(content)} bytes, too few for {rank} sizes")
    shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * rank)
    if values.size != np.prod(shape, dtype=np.int64):
        raise DataDamaged(f"content has {values.size} values; its sizes {shape} ask for others")
    return values.reshape(shape)


def _fetch(name, mirrors, check):
    """The content of one file, from the local folder or else from a mirror.

    name: folder and file in the data folder; a mirror has the file under its bare name.
    check: bytes of the file -> (content, None), or (None, what is wrong).
    """
    path = data_folder() / name
    if path.is_file():
        content, fault = check(path.read_bytes())
        if fault:
            raise DataDamaged(
                f"{path} is damaged: {fault}. Delete it, and the next call downloads it again."
            )
        return content
    _make_folder(path.parent)  # before the download, which may be long
    faults = []
    for mirror in mirrors:
        try:
            found = _download(f"{mirror}{path.name}", path.name)
        except (OSError, http.client.HTTPException) as error:  # the second: broken off half-way
            faults.append(f"{mirror} {error}")
            continue
        content, fault = check(found)
        if not fault:
            _store(path, found)
            return content
        faults.append(f"{mirror} {fault}")
    raise DataUnavailable(
        f"{path} does not exist and no mirror has it ({'; '.join(faults)}). Put the file there, or "
        f"name in TUTORLIB_DATA another folder that has {name}."
    )


def _download(address, name):
    """The bytes at an address."""
    with urllib.request.urlopen(address, timeout=_TIMEOUT) as answer:
        size = answer.length  # None where the server does not say
        pieces, done = [], 0
        with Progress(math.ceil((size or 0) / _MEGABYTE), f"{name}, MB") as progress:
            while piece := answer.read(_MEGABYTE):
                pieces.append(piece)
                done += len(piece)
                if size:
                    progress.update(math.ceil(done / _MEGABYTE))
    return b"".join(pieces)


def _unpacked(packed, sha256):
    """(unpacked content, None), or (None, what is wrong). sha256: of the unpacked content."""
    try:
        content = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        return None, f"it does not unpack ({error})"
    return _same(content, sha256)


def _same(content, sha256):
    """(content, None) if it has this SHA-256, or (None, what is wrong)."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        return None, f"its SHA-256 is {found}, not {sha256}"
    return content, None


def _make_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _not_writable(folder, error) from None


def _store(path, content):
    """Write a file in one step: a stopped download leaves nothing that looks like the file."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise _not_writable(path.parent, error) from None
    finally:
        part.unlink(missing_ok=True)


def _not_writable(folder, error):
    return DataUnavailable(
        f"{folder} cannot be written ({error.strerror}), so nothing can be kept there. "
        "Name another folder in TUTORLIB_DATA."
    )
