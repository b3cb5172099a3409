"""The sweep engine: the same image whatever computes it, and nothing finished is ever lost."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sweep_worker import STEPS, small_sweep

import tutorlib as tl
from tools.chapters import ROOT
from tutorlib import stores, sweeps
from tutorlib.stores import Store


def worker(**arguments):
    """Start tests/sweep_worker.py in a process of its own."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu"}
    arguments = {k: str(v) if isinstance(v, os.PathLike) else v for k, v in arguments.items()}
    command = [sys.executable, str(ROOT / "tests" / "sweep_worker.py"), json.dumps(arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, text=True, **pipes)


def finished(*processes):
    """Wait for workers that have to succeed; returns what each of them tells of its work."""
    try:
        told = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, (_, errors) in zip(processes, told, strict=True):
        assert process.returncode == 0, errors
    return [json.loads(output.splitlines()[-1]) for output, _ in told]


def same(found, expected):
    assert set(expected) <= set(found)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


def times(store):
    """When each finished tile was written."""
    return {path: path.stat().st_mtime_ns for path in store.glob("tile-*.npz")}


@pytest.fixture(scope="module")
def expected():
    """The map in one go, on this process's devices."""
    with jax.enable_x64(True):
        return small_sweep()


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


# --- what it computes ----------------------------------------------------------------------------


def brute_force(a, b, noise):
    x, total = 0.3 + b, 0.0
    for t in range(STEPS):
        if t % 20 == 0 and not abs(x) < 1e100:
            return total, t
        x = a * x * (1 - x) + noise
        total += x / (1 + x * x) if abs(x) < 1e100 else 0
    return total, STEPS


def test_every_point_is_the_function_of_its_hyperparameters_and_key(expected, x64):
    b, a = np.linspace(0, 0.5, 40), np.linspace(3, 6, 40)
    with np.errstate(all="ignore"):
        for row, column in [(0, 0), (3, 5), (17, 39), (39, 39)]:
            key = jax.random.fold_in(jax.random.key(0), 40 * row + column)
            noise = 1e-3 * float(jax.random.normal(key, (), "float64"))
            total, steps = brute_force(a[column], b[row], noise)
            assert expected["steps"][row, column] == steps
            # The iteration is chaotic: rounding grows, except where the run is short.
            if steps < STEPS:
                assert expected["total"][row, column] == pytest.approx(total, rel=1e-6)
    assert expected["total"].dtype == np.float64


def test_lost_runs_stop_and_nothing_else_changes(x64):
    """`lost` saves work and changes no result: the weights of a lost run stay lost."""

    def run(point, key, stop):
        def step(carry, _):
            x, total = carry
            x = point["a"] * x
            return x, total + 1 / (1 + x * x)

        lost = lambda carry: stop & ~jnp.isfinite(carry[0])  # noqa: E731
        (x, total), t = tl.iterate(
            step, (jnp.ones_like(point["a"]), 0 * point["a"]), 990, lost=lost
        )
        return {"total": total, "steps": t}

    axes = {"a": np.linspace(0.5, 3, 64)}
    early, late = (
        tl.sweep(run, axes, shared=(np.bool_(stop),), dtype="float64", chunk=8)
        for stop in (True, False)
    )
    np.testing.assert_array_equal(early["total"], late["total"])
    assert early["steps"].min() < 700 < 990 == early["steps"].max()
    assert (late["steps"] == 990).all()


def test_float32_by_argument():
    axes = {"a": np.linspace(1, 2, 5)}
    found = tl.sweep(lambda point, key: {"square": point["a"] ** 2}, axes)
    assert found["square"].dtype == np.float32
    np.testing.assert_allclose(found["square"], axes["a"] ** 2, rtol=1e-6)


def test_any_grid_and_results_of_any_shape():
    axes = {"i": np.arange(3), "j": np.arange(4), "k": np.arange(5)}

    def run(point, key, offset):
        value = 100 * point["i"] + 10 * point["j"] + point["k"] + offset
        return {"value": value, "pair": jnp.stack([value, -value])}

    found = tl.sweep(run, axes, shared=(np.float32(0.5),), chunk=7, tile=14)
    i, j, k = np.indices((3, 4, 5))
    np.testing.assert_array_equal(found["value"], 100 * i + 10 * j + k + 0.5)
    assert found["pair"].shape == (3, 4, 5, 2)
    np.testing.assert_array_equal(found["pair"][..., 1], -found["value"])


def test_runs_have_different_keys_that_depend_on_the_seed_and_the_position_only():
    def run(point, key):
        return {"draw": jax.random.normal(key)}

    axes = {"a": np.arange(6.0), "b": np.arange(6.0)}
    one, cut = tl.sweep(run, axes), tl.sweep(run, axes, chunk=4, tile=8)
    assert len(np.unique(one["draw"])) == 36
    np.testing.assert_array_equal(one["draw"], cut["draw"])
    assert not np.isin(one["draw"], tl.sweep(run, axes, seed=1)["draw"]).any()


def test_equal_sweeps_compile_once():
    def run(point, key):
        return {"value": point["a"] * 2}

    before = sweeps._run._cache_size()
    for start in range(3):
        tl.sweep(run, {"a": start + np.arange(8.0)})
    assert sweeps._run._cache_size() == before + 1


# --- several devices and processes ---------------------------------------------------------------


def test_eight_devices_compute_the_same_image(expected, tmp_path):
    """A tile has eight chunks, so that each device gets one."""
    (told,) = finished(worker(devices=8, out=tmp_path / "out.npz"))
    assert told["mesh"] == [8] * 25
    assert told["parts"] == [8] * 25 * len(expected)
    same(dict(np.load(tmp_path / "out.npz")), expected)


def test_connected_processes_split_the_tiles(expected, tmp_path):
    """Kept in step, neither gets to the other's share, and each has to compute all of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    both = {"store": tmp_path / "store", "tile": 80}
    told = finished(
        *[worker(join=[address, 2, i], out=tmp_path / f"{i}.npz", **both) for i in range(2)]
    )
    assert [len(one["saved"]) for one in told] == [10, 10]
    assert sorted(told[0]["saved"] + told[1]["saved"]) == list(range(20))
    for i in range(2):
        same(dict(np.load(tmp_path / f"{i}.npz")), expected)


def test_strangers_may_share_a_store_and_a_killed_sweep_goes_on(expected, tmp_path):
    store = tmp_path / "store"
    strangers = [worker(store=store, slow=0.2) for _ in range(2)]
    while len(list(store.glob("tile-*.npz"))) < 3:
        assert all(process.poll() is None for process in strangers)
        time.sleep(0.02)
    for process in strangers:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    kept = times(store)
    assert 3 <= len(kept) < 25
    with jax.enable_x64(True):
        same(small_sweep(store=store), expected)
    assert kept.items() <= times(store).items()


@pytest.mark.parametrize(
    ("what", "write"), [("fsync", 0), ("half", 4), ("fsync", 4), ("replace", 4)]
)
def test_a_sweep_killed_inside_a_write_goes_on(expected, tmp_path, x64, what, write):
    """Write 0 is that of the settings; before the fourth tile, three are finished."""
    killed = worker(store=tmp_path, die=[what, write])
    _, errors = killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL, errors
    (part,) = tmp_path.glob(".*.part")
    assert part.stat().st_size > 0
    kept = times(tmp_path)
    assert len(kept) == max(0, write - 1)
    same(small_sweep(store=tmp_path), expected)
    assert kept.items() <= times(tmp_path).items()
    assert len(times(tmp_path)) == 25
    assert not list(tmp_path.glob("*.part"))


# --- the store -----------------------------------------------------------------------------------


def test_a_finished_store_is_read_and_not_computed(expected, tmp_path, monkeypatch, x64):
    small_sweep(store=tmp_path)
    monkeypatch.setattr(sweeps, "_run", None)
    same(small_sweep(store=tmp_path), expected)


def double(point, key, factor):
    return {"value": factor * point["a"]}


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        (
            {"axes": {"a": np.arange(9.0)}},
            "axis a was '8 values from 0.0 to 7.0' and is now '9 values from 0.0 to 8.0'.",
        ),
        ({"axes": {"a": np.arange(8.0) ** 2 / 7}}, "grid (the values along the axes) was "),
        ({"axes": {"b": np.arange(8.0)}}, "axis b was not set and is now '8 values from 0.0 to 7"),
        ({"seed": 1}, "seed of the keys was 0 and is now 1."),
        ({"chunk": 4}, "chunk was 2 and is now 4."),
        ({"tile": 4}, "tile was 16384 and is now 4."),
        ({"settings": {"factor": 2}}, "factor was not set and is now 2."),
        (
            {"shared": (np.float32(3),)},
            "shared (the arrays that all runs read, such as weights and data) was ",
        ),
        (
            {"function": lambda point, key, factor: {"value": sum(point.values())}},
            "program (the function: its code, its constants, such as a number of steps) was ",
        ),
    ],
)
def test_a_store_of_other_settings_is_refused(tmp_path, changes, difference):
    settings = {"function": double, "axes": {"a": np.arange(8.0)}, "shared": (np.float32(2),)}
    settings |= {"chunk": 2, "store": tmp_path}
    if "b" in changes.get("axes", {}):
        settings["function"] = lambda point, key, factor: {"value": factor * sum(point.values())}
    tl.sweep(**settings)
    with pytest.raises(ValueError, match="tiles of other settings") as error:
        tl.sweep(**settings | changes)
    assert difference in str(error.value)
    np.testing.assert_array_equal(tl.sweep(**settings)["value"], 2 * np.arange(8))


def test_axes_in_another_order_are_other_settings(tmp_path):
    axes = {name: np.arange(3.0) for name in "ab"}
    tl.sweep(double, axes, shared=(np.float32(2),), store=tmp_path)
    axes = {name: axes[name] for name in "ba"}
    with pytest.raises(ValueError, match=r"axes was \['a', 'b'\] and is now \['b', 'a'\]\."):
        tl.sweep(double, axes, shared=(np.float32(2),), store=tmp_path)


def recurrence(store, steps=30, activation="tanh", seed=0, window=(0, 7)):
    """A sweep like that of a chapter: what a reader sets is neither an axis nor an array."""

    def run(point, key, weight):
        step = lambda _, x: getattr(jnp, activation)(weight * x)  # noqa: E731
        return {"value": jax.lax.fori_loop(0, steps, step, point["a"])}

    weight = np.float32(np.random.default_rng(seed).normal())
    settings = {"steps": steps, "activation": activation, "seed": seed, "window": window}
    axes = {"a": np.linspace(*window, 8)}
    return tl.sweep(run, axes, shared=(weight,), store=store, settings=settings)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"steps": 31}, "steps was 30 and is now 31"),
        ({"activation": "sin"}, "activation was 'tanh' and is now 'sin'"),
        ({"seed": 1}, "seed was 0 and is now 1"),
        (
            {"window": (0, 8)},
            "axis a was '8 values from 0.0 to 7.0' and is now '8 values from 0.0 to 8.0'; "
            "window was [0, 7] and is now [0, 8]",
        ),
    ],
)
def test_a_refusal_names_the_settings_and_not_what_follows_from_them(tmp_path, changes, difference):
    first = recurrence(tmp_path)
    with pytest.raises(ValueError) as error:
        recurrence(tmp_path, **changes)
    assert str(error.value) == (
        f"store is {str(tmp_path)!r}, which holds tiles of other settings: {difference}. "
        "Use another folder, or delete this one"
    )
    same(recurrence(tmp_path, steps=np.int64(30)), first)


def test_a_full_disk_leaves_a_readable_store(tmp_path, monkeypatch):
    settings = {"axes": {"a": np.arange(8.0)}, "shared": (np.float32(2),), "chunk": 2, "tile": 2}
    write, written = np.savez, []

    def savez(file, **arrays):
        if len(written) == 2:
            file.write(b"half a tile")
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(file)
        write(file, **arrays)

    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(OSError, match="No space left on device. Its 2 finished tiles are whole"):
        tl.sweep(double, store=tmp_path, **settings)
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".npz", ".npz"]
    monkeypatch.undo()
    found = tl.sweep(double, store=tmp_path, **settings)
    np.testing.assert_array_equal(found["value"], 2 * np.arange(8))


def test_writers_of_one_tile_do_not_meet(tmp_path, monkeypatch):
    """Two machines may have processes of one number; here the second writes amid the first."""
    first, second = (Store(tmp_path, {"a": 1}) for _ in range(2))
    write = np.savez

    def savez(file, **arrays):
        monkeypatch.setattr(np, "savez", write)
        second.save(0, {"value": np.arange(3)})
        write(file, **arrays)

    monkeypatch.setattr(np, "savez", savez)
    first.save(0, {"value": np.arange(3)})
    np.testing.assert_array_equal(first.load(0)["value"], np.arange(3))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["settings.json", "tile-000000.npz"]


@pytest.mark.parametrize("content", [b"", b"half a ti"])
@pytest.mark.parametrize("name", ["tile-000001.npz", "settings.json"])
def test_a_damaged_file_is_named(tmp_path, name, content):
    settings = {"axes": {"a": np.arange(8.0)}, "shared": (np.float32(2),), "chunk": 2, "tile": 4}
    tl.sweep(double, store=tmp_path, **settings)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} is damaged"):
        tl.sweep(double, store=tmp_path, **settings)


def test_results_have_any_name(tmp_path):
    for _ in range(2):
        found = tl.sweep(
            lambda point, key: {"file": point["a"]}, {"a": np.arange(8.0)}, store=tmp_path
        )
        np.testing.assert_array_equal(found["file"], np.arange(8))


def test_parts_of_files_that_are_there_are_removed_and_no_others(tmp_path):
    """A part without its file may be a living writer's."""
    store, result = Store(tmp_path, {"a": 1}), {"value": np.arange(3)}
    parts = [tmp_path / f".{store.path(number).name}.5f3a.part" for number in range(2)]
    for part in parts:
        part.write_bytes(b"half a tile")
    Store(tmp_path, {"a": 1})
    assert all(part.exists() for part in parts)
    store.save(0, result)
    assert [part.exists() for part in parts] == [False, True]
    parts[0].write_bytes(b"half a tile")
    Store(tmp_path, {"a": 1})
    assert [part.exists() for part in parts] == [False, True]
    store.save(1, result)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "settings.json", "tile-000000.npz", "tile-000001.npz"
    ]  # fmt: skip


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="store is .*file/store', which cannot be written"):
        tl.sweep(double, {"a": [1.0]}, shared=(np.float32(2),), store=tmp_path / "file" / "store")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_read_only_folder_is_named(tmp_path, monkeypatch, number):
    """Root may write anywhere, so that permissions alone would test nothing."""
    settings = {"axes": {"a": np.arange(8.0)}, "shared": (np.float32(2),), "chunk": 2, "tile": 4}

    def read_only(path, mode="r"):
        raise OSError(number, os.strerror(number), str(path))

    def refused(store, what):
        with monkeypatch.context() as patch:
            patch.setattr(stores, "open", read_only, raising=False)
            with pytest.raises(OSError) as error:
                tl.sweep(double, store=store, **settings)
        assert error.value.errno == number
        assert f"store is {str(store)!r}, which {what}: {os.strerror(number)}" in str(error.value)

    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "cannot be written")
    store = tmp_path / "store"
    whole = tl.sweep(double, store=store, **settings)
    (store / "tile-000001.npz").unlink()
    refused(store, "cannot take tile 1")
    same(tl.sweep(double, store=store, **settings), whole)
    with monkeypatch.context() as patch:  # what is finished can be read
        patch.setattr(stores, "open", read_only, raising=False)
        same(tl.sweep(double, store=store, **settings), whole)


def test_memory_follows_the_image_and_not_the_number_of_runs():
    """4096 x 4096 runs: what grows is the image, 16 bytes a run, and a copy of it."""
    peaks = {}
    for size in (40, 4096):
        (told,) = finished(worker(size=size, steps=20, chunk=256, tile=16384))
        peaks[size] = told["peak"]
    assert peaks[4096] <= 1.5e9
    assert peaks[4096] - peaks[40] < 4096**2 * 2 * 16 + 100e6


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": {}}, "axes is empty"),
        ({"axes": {"a": [1.0, np.nan]}}, r"axes\['a'\] holds values that are not finite"),
        ({"axes": {"a": [1.0, 1e308]}}, "not finite numbers in float32"),
        ({"seed": 1.5}, "seed is 1.5; it must be an integer from 0 to 4294967295"),
        ({"seed": -1}, "seed is -1"),
        ({"axes": {"a": [[1.0]]}}, r"axes\['a'\] has shape \(1, 1\)"),
        ({"axes": {"a": []}}, r"axes\['a'\] has shape \(0,\)"),
        ({"axes": {"a": ["x"]}}, "it must be a list of numbers"),
        ({"seed": True}, "seed is True"),
        ({"seed": 2**32}, "seed is 4294967296"),
        ({"chunk": True}, "chunk is True"),
        ({"tile": np.True_}, "tile is .*True"),
        ({"chunk": 0}, "chunk is 0; it must be an integer of at least 1"),
        ({"tile": 2.5}, "tile is 2.5; it must be an integer of at least 1"),
        ({"dtype": "float16"}, "dtype is 'float16'; allowed are float32, float64"),
        ({"dtype": "float64"}, "dtype is 'float64' while jax computes in float32"),
    ],
)
def test_bad_input_is_named(changes, message):
    settings = {"axes": {"a": [1.0]}, "shared": (np.float32(2),)} | changes
    with pytest.raises(ValueError, match=message):
        tl.sweep(double, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([("steps", 3)], r"settings is \[\('steps', 3\)\]; it must be a dictionary"),
        ({3: "steps"}, r"settings is {3: 'steps'}; it must be a dictionary"),
        ({"tile": 3}, "settings has the name 'tile', which the store uses itself"),
        ({"program": 3}, "settings has the name 'program'"),
        ({"axis a": 3}, "settings has the name 'axis a'"),
        ({"steps": {3}}, r"settings\['steps'\] is \{3\}; it must be a JSON value"),
        ({"x": np.arange(2)}, r"settings\['x'\] is array\(\[0, 1\]\); it must be a JSON value"),
        ({"x": [1.0, np.nan]}, r"settings\['x'\] is \[1.0, nan\]; it must be a JSON value"),
    ],
)
@pytest.mark.parametrize("stored", [True, False])
def test_bad_settings_are_named(tmp_path, settings, message, stored):
    store = tmp_path / "store" if stored else None
    with pytest.raises(ValueError, match=message):
        tl.sweep(double, {"a": [1.0]}, shared=(np.float32(2),), store=store, settings=settings)
    assert not list(tmp_path.iterdir())


def test_numpys_integers_are_integers(tmp_path, x64):
    """The small ones too, in which products overflow."""
    numbers = {"steps": 110, "chunk": 100, "tile": 120, "seed": 5}
    small = {name: np.int8(value) for name, value in numbers.items()}
    one, other = (
        small_sweep(20, tmp_path, settings={"steps": call["steps"]}, **call)
        for call in (numbers, small)
    )
    same(one, other)
    carry, t = tl.iterate(
        lambda c, t: c + t, 0, np.int8(110), lost=lambda c: c < 0, block=np.int8(100)
    )
    assert (carry, t) == (110 * 109 / 2, 110)


def test_every_allowed_seed_works():
    """In 32 bits, too, where JAX's own integers end earlier."""
    run, largest = lambda point, key: {"draw": jax.random.normal(key)}, 2**32 - 1
    found = tl.sweep(run, {"a": [1.0]}, seed=largest)["draw"]
    key = jax.random.fold_in(jax.random.key(np.uint32(largest)), 0)
    assert found == jax.random.normal(key)


def test_a_result_of_another_type_is_refused(x64):
    with pytest.raises(
        TypeError, match="result 'value' has type float64, while dtype is 'float32'"
    ):
        tl.sweep(double, {"a": [1.0]}, shared=(np.float64(2),), dtype="float32")
    with pytest.raises(TypeError, match="must return a dictionary"):
        tl.sweep(lambda point, key: point["a"], {"a": [1.0]})


@pytest.mark.parametrize("changes", [{"steps": 0}, {"block": -1}, {"steps": True}])
def test_bad_numbers_of_steps_are_named(changes):
    with pytest.raises(ValueError, match="must be an integer of at least 1"):
        tl.iterate(lambda c, t: c, 0.0, **({"steps": 3, "lost": lambda c: False} | changes))
