"""Data sets: what is damaged is refused, what is missing is downloaded once, in one step."""

import errno
import gzip
import hashlib
import http.client
import http.server
import io
import struct
import tarfile
import threading
import urllib.error

import numpy as np
import pytest

import tutorlib as tl
from tools import lottery_tickets_digits
from tutorlib import data


def idx(values):
    """An IDX file of unsigned bytes."""
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + bytes(
        values.astype(np.uint8).ravel()
    )  # fmt: skip


FILES = {
    "train-images-idx3-ubyte": idx(np.arange(24).reshape(2, 3, 4)),
    "train-labels-idx1-ubyte": idx(np.array([3, 1])),
    "t10k-images-idx3-ubyte": idx(np.arange(12).reshape(1, 3, 4)),
    "t10k-labels-idx1-ubyte": idx(np.array([7])),
}


@pytest.fixture
def small_mnist(monkeypatch, tmp_path):
    """A folder of one's own and tiny files in MNIST's place; returns the folder."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(data, "MNIST_SHA256", sums)
    monkeypatch.setenv("TUTORLIB_DATA", str(tmp_path))
    return tmp_path / "mnist"


class Answer(io.BytesIO):
    """What `urlopen` returns, from a server that does not say how much is to come."""

    length = None


def serve(monkeypatch, answers):
    """Let downloads find `answers`: {beginning of the address: function of the file's name}."""
    asked = []

    def urlopen(address, timeout):
        asked.append(address)
        for mirror, answer in answers.items():
            if address.startswith(mirror):
                return Answer(answer(address.removeprefix(mirror).removesuffix(".gz")))
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(data.urllib.request, "urlopen", urlopen)
    return asked


def packed(name):
    return gzip.compress(FILES[name])


def test_mnist_is_downloaded_once(small_mnist, monkeypatch):
    asked = serve(monkeypatch, {data.MNIST_MIRRORS[0]: packed})
    mnist = tl.mnist()
    np.testing.assert_array_equal(mnist["train"][0], np.arange(24).reshape(2, 3, 4))
    np.testing.assert_array_equal(mnist["train"][1], [3, 1])
    np.testing.assert_array_equal(mnist["test"][1], [7])
    assert sorted(path.name for path in small_mnist.iterdir()) == sorted(f"{n}.gz" for n in FILES)
    assert len(asked) == 4
    tl.mnist()
    assert len(asked) == 4


def test_a_bad_mirror_is_passed_over(small_mnist, monkeypatch):
    answers = {
        data.MNIST_MIRRORS[0]: lambda name: packed(name)[:-9],  # broken off
        data.MNIST_MIRRORS[1]: lambda name: gzip.compress(FILES[name] + b"?"),  # something else
        data.MNIST_MIRRORS[2]: packed,
    }
    asked = serve(monkeypatch, answers)
    assert tl.mnist()["train"][0].shape == (2, 3, 4)
    assert len(asked) == 12


def test_a_connection_that_breaks_off_is_passed_over(small_mnist, monkeypatch):
    def broken(name):
        raise http.client.IncompleteRead(packed(name)[:9])

    serve(monkeypatch, {data.MNIST_MIRRORS[0]: broken, data.MNIST_MIRRORS[1]: packed})
    assert tl.mnist()["test"][0].shape == (1, 3, 4)


class Mirrors(http.server.BaseHTTPRequestHandler):
    """One mirror has nothing, one breaks off half-way, one is whole."""

    def do_GET(self):
        _, mirror, name = self.path.split("/")
        content = packed(name.removesuffix(".gz"))
        self.send_response(404 if mirror == "nothing" else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if mirror == "half" else content)

    def log_message(self, *_):
        pass


def test_over_a_real_connection(small_mnist, monkeypatch):
    told = []
    monkeypatch.setattr(data.Progress, "update", lambda self, done: told.append((done, self.total)))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirrors) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        mirrors = tuple(f"{here}/{name}/" for name in ("nothing", "half", "whole"))
        monkeypatch.setattr(data, "MNIST_MIRRORS", mirrors)
        images, _ = tl.mnist()["train"]
        server.shutdown()
    np.testing.assert_array_equal(images, np.arange(24).reshape(2, 3, 4))
    assert set(told) == {(1, 1)}
    assert len(list(small_mnist.iterdir())) == 4


def test_a_folder_that_cannot_be_written_is_named_before_the_download(monkeypatch, tmp_path):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("TUTORLIB_DATA", str(tmp_path / "taken"))
    asked = serve(monkeypatch, {data.MNIST_MIRRORS[0]: packed})
    with pytest.raises(data.DataUnavailable, match="taken.* cannot be written .*TUTORLIB_DATA"):
        tl.mnist()
    assert not asked


def test_a_full_disk_leaves_no_file(small_mnist, monkeypatch):
    serve(monkeypatch, {name: packed for name in data.MNIST_MIRRORS})

    def full(path, content):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(data.Path, "write_bytes", full)
    with pytest.raises(data.DataUnavailable, match="cannot be written .No space left"):
        tl.mnist()
    assert not list(small_mnist.iterdir())


def test_without_network_and_copy_it_says_what_to_do(small_mnist, monkeypatch):
    serve(monkeypatch, {})
    with pytest.raises(data.DataUnavailable, match="no network.*TUTORLIB_DATA"):
        tl.mnist()
    assert not small_mnist.exists() or not list(small_mnist.iterdir())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: gzip.compress(content)[:-12], "does not unpack"),
        (lambda content: b"", "SHA-256|does not unpack"),
        (lambda content: gzip.compress(content[:-1] + b"?"), "its SHA-256 is"),
        (lambda content: b"<html>busy</html>", "does not unpack"),
    ],
    ids=["truncated", "empty", "changed", "page"],
)
def test_a_damaged_local_file_is_named(small_mnist, monkeypatch, damage, words):
    asked = serve(monkeypatch, {data.MNIST_MIRRORS[0]: packed})
    tl.mnist()
    bad = small_mnist / "t10k-images-idx3-ubyte.gz"
    bad.write_bytes(damage(FILES["t10k-images-idx3-ubyte"]))
    with pytest.raises(data.DataDamaged, match=f"t10k-images.*is damaged: .*({words}).*Delete it"):
        tl.mnist()
    assert len(asked) == 4


def test_a_stopped_download_leaves_no_file(small_mnist, monkeypatch):
    serve(monkeypatch, {data.MNIST_MIRRORS[0]: packed})

    def killed(path, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(data.Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        tl.mnist()
    assert not (small_mnist / "train-images-idx3-ubyte.gz").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "IDX bytes start with"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x00", "IDX bytes start with"),
        (b"\x00\x00\x08\x03\x00\x00", "too few for 3 sizes"),
        (idx(np.arange(4))[:-1], "has 3 values"),
        (idx(np.arange(4)) + b"x", "has 5 values"),
    ],
)
def test_other_bytes_are_no_idx(content, words):
    with pytest.raises(data.DataDamaged, match=words):
        data.read_idx(content)


# --- CIFAR-10 --------------------------------------------------------------------------------


def cifar_batch(seed, images=2):
    """One file of the binary version: a label and three planes of 32 x 32 values an image."""
    rng = np.random.default_rng(seed)
    rows = [bytes([rng.integers(10)]) + rng.bytes(3072) for _ in range(images)]
    return b"".join(rows)


def cifar_archive():
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for seed, name in enumerate(names):
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = len(cifar_batch(seed))
            archive.addfile(member, io.BytesIO(cifar_batch(seed)))
    return stream.getvalue()


@pytest.fixture
def small_cifar(monkeypatch, tmp_path):
    """A folder of one's own and a tiny archive in CIFAR-10's place; (path, archive)."""
    archive = cifar_archive()
    monkeypatch.setattr(data, "CIFAR10_SHA256", hashlib.sha256(archive).hexdigest())
    monkeypatch.setenv("TUTORLIB_DATA", str(tmp_path))
    return tmp_path / "cifar-10" / "cifar-10-binary.tar.gz", archive


def test_cifar_is_downloaded_once_from_the_mirror_that_has_it(small_cifar, monkeypatch):
    path, archive = small_cifar
    mirrors = {data.CIFAR10_MIRRORS[0]: lambda name: archive[:-20],
               data.CIFAR10_MIRRORS[1]: lambda name: archive}  # fmt: skip
    asked = serve(monkeypatch, mirrors)
    cifar = tl.cifar10()
    assert asked == [mirror + path.name for mirror in data.CIFAR10_MIRRORS]
    assert [item.name for item in path.parent.iterdir()] == [path.name]
    tl.cifar10()
    assert len(asked) == 2
    assert cifar["train"][0].shape == (10, 32, 32, 3) and cifar["train"][1].shape == (10,)
    images, labels = cifar["test"]
    batch = cifar_batch(5)
    assert labels.tolist() == [batch[0], batch[3073]]
    # Row 3, column 7 of the second image: red, then green and blue 1,024 and 2,048 bytes on.
    assert images[1, 3, 7].tolist() == [batch[3074 + 3 * 32 + 7 + 1024 * c] for c in range(3)]


@pytest.mark.parametrize("cut", [0, 100, -1], ids=["empty", "half", "last byte"])
def test_a_damaged_cifar_archive_is_named(small_cifar, monkeypatch, cut):
    path, archive = small_cifar
    path.parent.mkdir()
    path.write_bytes(archive[:cut])
    asked = serve(monkeypatch, {})
    with pytest.raises(data.DataDamaged, match="binary.tar.gz is damaged: its SHA-256.*Delete it"):
        tl.cifar10()
    assert not asked


def test_without_cifar_it_says_where_to_put_it(small_cifar, monkeypatch):
    serve(monkeypatch, {})
    with pytest.raises(data.DataUnavailable, match="no network.*cifar-10/cifar-10-binary.tar.gz"):
        tl.cifar10()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has 0 bytes"),
        (bytes(3072), "has 3072 bytes"),
        (b"\x0b" + bytes(3072), "a label 11"),
    ],
)
def test_other_bytes_are_no_cifar(content, words):
    with pytest.raises(data.DataDamaged, match=words):
        data.read_cifar(content)


# --- the digits ------------------------------------------------------------------------------


def test_the_digits_are_those_of_the_explorable():
    images, labels = tl.digits()
    assert images.shape == (1797, 8, 8) and labels.shape == (1797,)
    assert images.dtype == labels.dtype == np.uint8 and images.max() == 16
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    committed = lottery_tickets_digits.TARGET.read_text(encoding="utf-8")
    assert committed == lottery_tickets_digits.text()


def test_the_folder_is_named_by_a_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("TUTORLIB_DATA", str(tmp_path))
    assert data.data_folder() == tmp_path
    monkeypatch.delenv("TUTORLIB_DATA")
    assert data.data_folder().parts[-2:] == (".cache", "tutorlib")
