"""Decoded pictures in a file: the same images, made once, used again, noticed when they are stale or damaged."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from pellucid.data import load_image_folder, open_dataset
from pellucid.data import memory as memory_module
from pellucid.data.cache import _header, remove_strays
from pellucid.data.locks import try_lock
from picture_files import both, numbered, plain, put, three_classes, train_test_val

PARTS = ("train", "test", "val")


def same(one, other):
    """Whether two data sets hold the same."""
    for part in PARTS:
        X, Y = getattr(one, f"X_{part}"), getattr(other, f"X_{part}")
        if (X is None) != (Y is None):
            return False
        if X is not None and not np.array_equal(X.pixels, Y.pixels):
            return False
        if X is not None and not np.array_equal(getattr(one, f"y_{part}"), getattr(other, f"y_{part}")):
            return False
    return one.classes == other.classes and one.skipped == other.skipped


@pytest.fixture
def decoded(monkeypatch):
    """The names of the pictures that were decoded."""
    from pellucid.data import decoding

    names, plain_decode = [], decoding.decode_picture

    def decode(where, name, *rest):
        names.append(name)
        return plain_decode(where, name, *rest)

    monkeypatch.setattr(decoding, "decode_picture", decode)
    return names


def unclean():
    return {**train_test_val(), "train/red/x.png": b"bad", "val/blue/film.mp4": b"x"}


@both
def test_a_cache_holds_what_memory_would(tmp_path, into, decoded):
    path, cache = put(tmp_path, unclean(), into), tmp_path / "pixels.npy"
    plain_data = load_image_folder(path, max_broken=0.1)
    for run in ("made", "used again"):
        decoded.clear()
        data = load_image_folder(path, max_broken=0.1, cache=cache)
        assert same(data, plain_data), run
        assert sorted(name for name, _ in data.skipped) == ["train/red/x.png", "val/blue/film.mp4"]
        assert bool(decoded) == (run == "made")
        for part in PARTS:
            assert isinstance(getattr(data, f"X_{part}").pixels, np.memmap)
    loaded = np.load(cache, mmap_mode="r")
    assert (loaded.shape, loaded.dtype) == ((39, 4, 6, 3), np.uint8)
    assert sorted(file.name for file in tmp_path.glob("*pixels*")) == ["pixels.npy", "pixels.npy.json"]


def test_batches_and_splits_of_a_cache_are_those_of_memory(tmp_path):
    path = put(tmp_path, three_classes(50), "folder")
    one, other = (load_image_folder(path, cache=cache) for cache in (None, tmp_path / "pixels.npy"))
    for options in ({}, {"scale": None}, {"per_channel": True}, {"num_validation": 0}):
        a, b = one.split(**options), other.split(**options)
        assert list(a) == list(b)
        for key in a:
            assert np.array_equal(a[key][:], b[key][:])
            assert np.array_equal(a[key][[3, 1, 2]], b[key][[3, 1, 2]])
        assert np.array_equal(a["X_train"].affine[0], b["X_train"].affine[0])


def test_a_slice_stays_a_memory_map_and_integers_are_copied(tmp_path):
    X = load_image_folder(put(tmp_path, three_classes(20), "folder"), cache=tmp_path / "pixels.npy").X_train
    part = X.select(slice(3, 20)).select(slice(1, None))
    assert np.shares_memory(part.pixels, X.pixels)
    assert isinstance(part.pixels, np.memmap)
    assert not np.shares_memory(X.select([1, 2]).pixels, X.pixels)
    with pytest.raises(ValueError, match="read-only"):
        part.pixels[0] = 0


def test_a_folder_of_caches_has_one_for_each_source_and_setting(tmp_path, decoded):
    sources = [put(tmp_path / name, three_classes(10), into) for name, into in (("a", "folder"), ("b", "folder"))]
    caches = tmp_path / "new" / "caches"
    for path in sources:
        for options in ({}, {"size": (4, 4)}, {"size": (4, 4), "fit": "pad"}, {"max_broken": 0.5}):
            load_image_folder(path, cache=caches, **options)
    assert len(list(caches.glob("pictures-*.npy"))) == 8
    decoded.clear()
    load_image_folder(sources[1], cache=caches, size=(4, 4))
    assert decoded == []


def add(path):
    (path / "red" / "new.png").write_bytes(numbered(200))


def remove(path):
    (path / "red" / "03.png").unlink()


def rename(path):
    (path / "red" / "03.png").rename(path / "red" / "33.png")


def change(path):
    (path / "red" / "03.png").write_bytes(numbered(201))


def touch(path):
    os.utime(path / "red" / "03.png", ns=(1, 1))


@pytest.mark.parametrize("happens", [add, remove, rename, change, touch])
def test_a_changed_source_is_decoded_anew(tmp_path, happens, decoded):
    path, cache = put(tmp_path, three_classes(10), "folder"), tmp_path / "pixels.npy"
    load_image_folder(path, cache=cache)
    happens(path)
    decoded.clear()
    assert same(load_image_folder(path, cache=cache), load_image_folder(path))
    assert decoded
    decoded.clear()
    load_image_folder(path, cache=cache)
    assert decoded == []


def test_a_changed_zip_is_decoded_anew(tmp_path, decoded):
    cache = tmp_path / "pixels.npy"
    load_image_folder(put(tmp_path, three_classes(10), "zip"), cache=cache)
    path = put(tmp_path, {**three_classes(10), "red/03.png": numbered(201)}, "zip")
    decoded.clear()
    assert same(load_image_folder(path, cache=cache), load_image_folder(path))
    assert decoded


@pytest.mark.parametrize("options", [{"size": (4, 5)}, {"size": (4, 4), "fit": "stretch"}, {"max_broken": 0.2}])
def test_other_settings_are_decoded_anew(tmp_path, options, decoded):
    path, cache = put(tmp_path, three_classes(10), "folder"), tmp_path / "pixels.npy"
    load_image_folder(path, cache=cache, size=(4, 4))
    decoded.clear()
    load_image_folder(path, cache=cache, **{"size": (4, 4), **options})
    assert decoded


def later(file, content):
    """Write content, surely at another time."""
    file.write_bytes(content)
    os.utime(file, ns=(5, 5))


DAMAGE = {
    "a byte": lambda npy, record: later(npy, npy.read_bytes()[:-9] + b"x" + npy.read_bytes()[-8:]),
    "the header": lambda npy, record: later(npy, b"\x93NUMPZ" + npy.read_bytes()[6:]),
    "cut short": lambda npy, record: npy.write_bytes(npy.read_bytes()[:-1]),
    "too long": lambda npy, record: npy.write_bytes(npy.read_bytes() + b"x"),
    "empty": lambda npy, record: npy.write_bytes(b""),
    "gone": lambda npy, record: npy.unlink(),
    "no JSON": lambda npy, record: record.write_bytes(b"{"),
    "no dictionary": lambda npy, record: record.write_bytes(b"[3]"),
    "deep JSON": lambda npy, record: record.write_bytes(b"[" * 100_000),
    "a key more": lambda npy, record: changed(record, other=3),
    "another format": lambda npy, record: changed(record, format=0),
    "another shape": lambda npy, record: changed(record, shape=[30, 4, 3, 6]),
    "a flat shape": lambda npy, record: changed(record, shape=[30]),
    "a negative shape": lambda npy, record: changed(record, shape=[-30, -4, 6, 3]),
    "a wrong type": lambda npy, record: changed(record, size_bytes="large"),
    "no pairs": lambda npy, record: changed(record, skipped=[3]),
    "an endless shape": lambda npy, record: changed(record, shape=[math.inf, 4, 6, 3]),
    "a very long integer": lambda npy, record: record.write_text(record.read_text().replace("30,", "3" * 5000 + ",")),
    "a picture less": lambda npy, record: with_pixels(npy, record, np.zeros((29, 4, 6, 3), np.uint8)),
    "grey": lambda npy, record: with_pixels(npy, record, np.zeros((30, 4, 6, 1), np.uint8)),
    "an endless record": lambda npy, record: changed(record, skipped=[["a", "b" * 2**24]]),
    "a pipe for the record": lambda npy, record: as_pipe(record),
    "a pipe for the pixels": lambda npy, record: as_pipe(npy),
    "a pipe among the strays": lambda npy, record: (npy.unlink(), os.mkfifo(npy.with_name(f".{npy.name}.x.part"))),
}


def with_pixels(npy, record, pixels):
    """A whole and sound cache, but of other pixels."""
    npy.write_bytes(_header(pixels.shape) + pixels.tobytes())
    changed(record, shape=pixels.shape, size_bytes=npy.stat().st_size, mtime_ns=npy.stat().st_mtime_ns)


def as_pipe(file):
    file.unlink()
    os.mkfifo(file)


def changed(record, **values):
    record.write_text(json.dumps({**json.loads(record.read_text()), **values}))


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_cache_is_made_anew(tmp_path, kind, decoded):
    path, cache = put(tmp_path, three_classes(10), "folder"), tmp_path / "pixels.npy"
    good = load_image_folder(path)
    load_image_folder(path, cache=cache)
    DAMAGE[kind](cache, tmp_path / "pixels.npy.json")
    decoded.clear()
    assert same(load_image_folder(path, cache=cache), good)
    assert len(decoded) >= 30
    decoded.clear()
    assert same(load_image_folder(path, cache=cache), good)
    assert decoded == []


def test_a_copied_cache_is_checked_and_used(tmp_path, decoded):
    path, cache = put(tmp_path, three_classes(10), "folder"), tmp_path / "pixels.npy"
    load_image_folder(path, cache=cache)
    os.utime(cache, ns=(5, 5))
    decoded.clear()
    load_image_folder(path, cache=cache)
    assert decoded == []


def test_a_strangers_file_is_not_overwritten(tmp_path):
    path, cache = put(tmp_path, three_classes(10), "folder"), tmp_path / "mine.npy"
    np.save(cache, np.arange(3))
    with pytest.raises(ValueError, match=r"mine.npy is there, but not mine.npy.json beside it, so it is not a cache"):
        load_image_folder(path, cache=cache)
    assert np.load(cache).tolist() == [0, 1, 2]


def test_a_failure_leaves_the_old_cache_and_nothing_else(tmp_path):
    path, cache = put(tmp_path, three_classes(60), "folder"), tmp_path / "pixels.npy"
    load_image_folder(path, cache=cache)
    before = cache.read_bytes()
    (path / "red" / "59.png").write_bytes(b"bad")
    with pytest.raises(ValueError, match=r"red/59.png cannot be read"):
        load_image_folder(path, cache=cache)
    assert cache.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["pictures", "pixels.npy", "pixels.npy.json"]


def run(code, *arguments):
    """Run Python code in a process of its own."""
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_what_a_killed_process_left_behind_is_removed(tmp_path):
    path, cache = put(tmp_path, three_classes(60), "folder"), tmp_path / "pixels.npy"
    code = (
        "import os, signal, sys; from pellucid.data import load_image_folder\n"
        "die = lambda done, total: os.kill(os.getpid(), signal.SIGKILL)\n"
        "load_image_folder(sys.argv[1], cache=sys.argv[2], progress=die)"
    )
    assert run(code, path, cache).returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".pixels.npy.*.part"))) == 1
    assert not cache.exists()
    assert same(load_image_folder(path, cache=cache), load_image_folder(path))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["pictures", "pixels.npy", "pixels.npy.json"]


def test_what_a_living_process_writes_is_left_alone(tmp_path):
    with (tmp_path / ".pixels.npy.1.part").open("xb") as file:
        assert try_lock(file)
        remove_strays(tmp_path / "pixels.npy")
        assert (tmp_path / ".pixels.npy.1.part").exists()
    remove_strays(tmp_path / "other.npy")
    assert (tmp_path / ".pixels.npy.1.part").exists()
    remove_strays(tmp_path / "pixels.npy")
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_will_do(tmp_path, monkeypatch):
    monkeypatch.setattr("pellucid.data.cache.try_lock", lambda file: False)
    path = put(tmp_path, three_classes(10), "folder")
    assert same(load_image_folder(path, cache=tmp_path / "pixels.npy"), load_image_folder(path))


def test_a_full_disk_is_noticed_before_the_first_picture(tmp_path, monkeypatch, decoded):
    path = put(tmp_path, three_classes(10), "folder")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match=r"pictures take 2,160 bytes, but .* has 1,000 free; make room, give cache="):
        load_image_folder(path, cache=tmp_path / "pixels.npy", size=(4, 6))
    assert decoded == []


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files here")
def test_a_disk_that_fills_up_is_named_and_leaves_nothing(tmp_path):
    path, cache = put(tmp_path, three_classes(60), "folder"), tmp_path / "pixels.npy"
    code = (
        "import resource, sys; from pellucid.data import load_image_folder\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))\n"
        "load_image_folder(sys.argv[1], cache=sys.argv[2])"
    )
    result = run(code, path, cache)
    assert "could not write the cache: " in result.stderr.splitlines()[-1]
    assert str(cache) in result.stderr.splitlines()[-1]
    assert [file.name for file in tmp_path.iterdir()] == ["pictures"]


@pytest.mark.parametrize(
    ("cache", "error", "says"),
    [
        (3, TypeError, "cache is 3"),
        ("", ValueError, "cache is ''"),
        ("{}/notes.txt", ValueError, "cache is the file .*; it must be a name that ends in .npy, or a folder"),
        ("{}/pictures/pixels.npy", ValueError, "cache is .*, in the folder of the pictures; put it elsewhere"),
        ("{}/pictures/more", ValueError, "cache is .*, in the folder of the pictures"),
    ],
)
def test_wrong_places_for_a_cache_are_refused(tmp_path, cache, error, says):
    (tmp_path / "notes.txt").write_text("x")
    path = put(tmp_path, three_classes(10), "folder")
    with pytest.raises(error, match=f"load_image_folder: {says}"):
        load_image_folder(path, cache=cache.format(tmp_path) if isinstance(cache, str) else cache)


@pytest.mark.parametrize(("available", "is_cached"), [(2 * 2160, False), (2 * 2160 - 2, True), (None, False)])
def test_what_takes_more_than_half_of_the_memory_is_cached_by_itself(tmp_path, monkeypatch, available, is_cached):
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("pellucid.data.folder.available_bytes", lambda: available)
    path = put(tmp_path, three_classes(10), "folder")
    data = open_dataset(path)
    assert isinstance(data.X_train.pixels, np.memmap) == is_cached
    assert len(list((tmp_path / "data").glob("decoded/pictures-*.npy"))) == is_cached


def test_the_available_memory_is_what_the_system_and_the_group_leave(tmp_path, monkeypatch):
    monkeypatch.setattr(memory_module, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory_module, "_OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(memory_module, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr("os.sysconf", lambda name: 20)
    assert memory_module.available_bytes() == 200
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:  7 kB\n")
    assert memory_module.available_bytes() == 7 * 1024
    (tmp_path / "own").write_text("0::/job\n")
    group = tmp_path / "groups" / "job"
    group.mkdir(parents=True)
    for name, text in (("max", "max"), ("current", "3000"), ("stat", "anon 5\nactive_file 70\ninactive_file 30\n")):
        (group / f"memory.{name}").write_text(text)
    assert memory_module.available_bytes() == 7 * 1024
    (group / "memory.max").write_text("5000\n")
    assert memory_module.available_bytes() == 5000 - 3000 + 100
    (group / "memory.max").write_text("50\n")
    assert memory_module.available_bytes() == 0


LARGE = """
import resource, sys
import numpy as np
from pellucid.data import open_dataset, mean_image, pixel_deviation, channel_statistics
held = int(next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1]) * 1024
most = held + 110_000_000
resource.setrlimit(resource.RLIMIT_DATA, (most, most))  # memory of our own; pages of files do not count
data = open_dataset(sys.argv[1], cache=sys.argv[2] if len(sys.argv) > 2 else None)
X = data.X_train
assert X.pixels.nbytes > 120_000_000
mean_image(X), pixel_deviation(X), channel_statistics(X), X.select(slice(100, None)), X.select([5, 3])
parts = data.split(per_channel=True)
order = np.random.default_rng(0).permutation(len(parts["y_train"]))
total = sum(float(parts["X_train"][order[i : i + 50]].sum()) for i in range(0, len(order), 50))
print("done")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process so")
def test_more_than_memory_is_made_and_used(tmp_path):
    """150 MB of pixels where 110 MB may be had."""
    files = {f"{name}/{i:04d}.png": plain((i % 256, 7, 9), (128, 128)) for name in "ab" for i in range(1500)}
    path = put(tmp_path, files, "zip")
    result = run(LARGE, path, tmp_path / "pixels.npy")
    assert result.stdout == "done\n", result.stderr
    assert "MemoryError" in run(LARGE, path).stderr  # the limit is one
