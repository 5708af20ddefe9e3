"""The reader of IDX files, and the data sets made of four of them."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.data import catalogue, idx, load_fashion_mnist, load_idx_folder, load_mnist, open_dataset, read_idx

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(5, 4, 3), dtype=np.uint8)


def header(shape, kind=idx.UINT8):
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def content(array):
    return header(array.shape) + array.tobytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some-idx3-ubyte"


def write(path, data):
    path.write_bytes(data)
    return path


def four_files(folder, size=28, count=6, ending=".gz", labels=None):
    """A folder with the four files of a small data set."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    for part in idx.PARTS:
        n = count if part.startswith("train") else 3
        images = rng.integers(0, 256, size=(n, size, size), dtype=np.uint8)
        array = images if "images" in part else np.arange(n, dtype=np.uint8) if labels is None else labels[:n]
        data = content(array)
        (folder / (part + ending)).write_bytes(gzip.compress(data) if ending == ".gz" else data)
    return folder


@pytest.mark.parametrize("array", [IMAGES, IMAGES[:, 0, 0], IMAGES[:, 0], IMAGES[None]])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_array_comes_back_plain_or_gzipped_whatever_the_name(path, array, pack):
    got = read_idx(write(path, pack(content(array))))
    assert got.dtype == np.uint8
    assert np.array_equal(got, array)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_cut_short_is_refused_at_any_length(path, pack):
    whole = content(IMAGES)
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"read_idx: .*some-idx3-ubyte (is no IDX|ends|states the shape)"):
            read_idx(write(path, pack(whole[:length])))


def test_a_gzip_stream_cut_short_is_refused(path):
    packed = gzip.compress(content(IMAGES))
    for length in range(2, len(packed)):
        with pytest.raises(ValueError, match="damaged or cut short"):
            read_idx(write(path, packed[:length]))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bytes_behind_the_end_are_refused(path, pack):
    with pytest.raises(ValueError, match=r"goes on behind the 60 bytes of its shape \(5, 4, 3\)"):
        read_idx(write(path, pack(content(IMAGES) + b"\0")))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_header_that_claims_a_hundred_gigabytes_takes_no_memory(path, pack):
    claim = header((100_000_000, 32, 32))
    tracemalloc.start()
    with pytest.raises(ValueError, match="102,400,000,000 bytes, more than it can hold"):
        read_idx(write(path, pack(claim + bytes(1000))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_gzip_file_cannot_claim_more_than_gzip_can_pack(path):
    packed = gzip.compress(header((1000, 1000, 1000)) + bytes(1000))
    with pytest.raises(ValueError, match="more than it can hold"):
        read_idx(write(path, packed))


def test_the_best_packed_file_is_still_read(path):
    zeros = np.zeros((1, 4000, 4000), np.uint8)
    packed = gzip.compress(content(zeros), 9)
    assert len(packed) * 1100 > zeros.size  # close to the limit of gzip
    assert np.array_equal(read_idx(write(path, packed)), zeros)


def test_a_bomb_behind_a_small_header_is_not_unpacked(path):
    write(path, gzip.compress(content(IMAGES) + bytes(50_000_000), 1))
    tracemalloc.start()
    with pytest.raises(ValueError, match="goes on behind"):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(("kind", "name"), [(0x09, "int8"), (0x0B, "int16"), (0x0C, "int32"), (0x0D, "float32")])
def test_numbers_other_than_bytes_are_refused_by_name(path, kind, name):
    with pytest.raises(ValueError, match=f"holds {name} numbers; only bytes"):
        read_idx(write(path, header((1,), kind) + bytes(8)))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is no IDX file"),
        (b"\0\0\x08", "is no IDX file"),
        (b"<html>", "is no IDX file .it starts with b'<htm'"),
        (b"\0\0\x07\1" + bytes(9), "is no IDX file"),
        (b"\0\1\x08\1" + bytes(9), "is no IDX file"),
        (b"\0\0\x08\0", "is no IDX file"),
        (header((0, 28, 28)), r"states the shape \(0, 28, 28\); it holds nothing"),
        (header((1, 1, 1, 1, 1)) + b"\0", "states 5 axes"),
        (header((1,) * 255) + b"\0", "states 255 axes"),
        (b"\0\0\x08\3" + bytes(11), "ends within its header"),
    ],
)
def test_what_is_no_idx_file_is_refused(path, data, says):
    with pytest.raises(ValueError, match=says):
        read_idx(write(path, data))


def test_a_pinned_checksum_is_compared(path):
    data = content(IMAGES)
    right = hashlib.sha256(data).hexdigest()
    assert np.array_equal(read_idx(write(path, gzip.compress(data)), sha256=right), IMAGES)
    with pytest.raises(ValueError, match=f"has the sha256 {right} .unpacked., expected 00"):
        read_idx(path, sha256="00")


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_idx(tmp_path / "nothing")
    with pytest.raises(ValueError, match="not a regular file"):
        read_idx(tmp_path)


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mutated_files_give_an_array_or_a_value_error(path, data):
    raw = bytearray(content(IMAGES))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        raw = bytearray(gzip.compress(bytes(raw)))
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        assert read_idx(write(path, raw)).size == 60
    except (ValueError, OSError) as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("ending", [".gz", ""])
@pytest.mark.parametrize("load", [load_mnist, load_fashion_mnist])
def test_four_files_make_a_data_set(tmp_path, ending, load):
    data = load(four_files(tmp_path / "files", ending=ending))
    assert data.X_train.shape == (6, 1, 28, 28)
    assert data.X_test.shape == (3, 1, 28, 28)
    assert data.y_train.tolist() == [0, 1, 2, 3, 4, 5]
    assert data.y_train.dtype == np.int64
    raw = read_idx(tmp_path / "files" / f"train-images-idx3-ubyte{ending}")
    assert np.array_equal(data.X_train[:][:, 0], raw)
    assert data.classes[1] == ("1" if load is load_mnist else "Trouser")


def test_the_other_spelling_of_the_names_is_found(tmp_path):
    for file in four_files(tmp_path).iterdir():
        file.rename(tmp_path / file.name.replace("-idx", ".idx"))
    assert len(load_mnist(tmp_path).X_train) == 6


def test_a_missing_file_of_the_four_is_refused(tmp_path):
    (four_files(tmp_path) / "t10k-labels-idx1-ubyte.gz").unlink()
    for load in (load_mnist, load_idx_folder):
        with pytest.raises(FileNotFoundError, match=r"lacks some of the files .*t10k-labels-idx1-ubyte"):
            load(tmp_path)


def test_a_label_too_large_is_refused(tmp_path):
    four_files(tmp_path, labels=np.array([0, 1, 10, 0, 0, 0], np.uint8))
    with pytest.raises(ValueError, match="has the label 10; 10 classes end at 9"):
        load_mnist(tmp_path)


def test_images_of_another_size_are_refused_as_mnist_but_not_as_a_folder(tmp_path):
    four_files(tmp_path, size=20)
    with pytest.raises(ValueError, match=r"has images of \(20, 20\); MNIST.* has \(28, 28\)"):
        load_mnist(tmp_path)
    data = load_idx_folder(tmp_path)
    assert data.image_shape == (1, 20, 20)
    assert data.classes == ("0", "1", "2", "3", "4", "5")
    assert open_dataset(tmp_path).X_train.shape == (6, 1, 20, 20)


def test_images_and_labels_of_different_numbers_are_refused(tmp_path):
    four_files(tmp_path)
    other = content(np.zeros(5, np.uint8))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(other)
    with pytest.raises(ValueError, match=r"has shape \(6, 28, 28\) and its labels \(5,\)"):
        load_mnist(tmp_path)


def test_what_is_found_by_itself_must_have_the_pinned_content(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    folder = four_files(tmp_path / "mnist")
    with pytest.raises(ValueError, match=r"has the sha256 .* expected ba891046.*; remove it and get it again"):
        load_mnist()
    pinned = []
    for file, part in zip(catalogue.MNIST.files, idx.PARTS, strict=True):
        digest = hashlib.sha256(gzip.decompress((folder / f"{part}.gz").read_bytes())).hexdigest()
        pinned.append(replace(file, sha256_unpacked=digest))
    monkeypatch.setattr(catalogue, "MNIST", replace(catalogue.MNIST, files=tuple(pinned)))
    assert len(load_mnist().X_train) == 6


def test_a_folder_is_known_by_its_labels(tmp_path, monkeypatch):
    four_files(tmp_path)
    labels = gzip.decompress((tmp_path / "train-labels-idx1-ubyte.gz").read_bytes())
    fashion = catalogue.FASHION_MNIST
    mine = replace(fashion.files[1], sha256_unpacked=hashlib.sha256(labels).hexdigest())
    files = (fashion.files[0], mine, *fashion.files[2:])
    monkeypatch.setattr(catalogue, "FASHION_MNIST", replace(fashion, files=files))
    assert load_idx_folder(tmp_path).classes[9] == "Ankle boot"


@pytest.mark.parametrize("load", [load_mnist, load_fashion_mnist])
def test_without_fetching_the_error_names_all_four_files(tmp_path, monkeypatch, load):
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")
    monkeypatch.setattr(catalogue, "FASHION_MNIST", replace(catalogue.FASHION_MNIST, system_folders=()))
    with pytest.raises(FileNotFoundError, match="not on this machine") as caught:
        load(fetch=False)
    assert all(f"{part}.gz" in str(caught.value) for part in idx.PARTS)


@pytest.mark.skipif(not DEBIAN.is_dir(), reason=f"Debian's package dataset-fashion-mnist is not in {DEBIAN}")
def test_debians_copy_has_the_pinned_content():
    for file in catalogue.FASHION_MNIST.files:
        array = read_idx(DEBIAN / file.name, sha256=file.sha256_unpacked)
        assert len(array) in (60_000, 10_000)
    assert load_idx_folder(DEBIAN).classes == catalogue.FASHION_MNIST.classes


def packed_zeros(path, shape):
    """A gzipped IDX file of zeros, packed as well as gzip can."""
    left = math.prod(shape)
    with gzip.open(path, "wb") as out:
        out.write(header(shape))
        while left:
            left -= out.write(bytes(min(left, 2**24)))
    return path


def test_more_than_the_available_memory_is_refused_and_not_tried(path, monkeypatch):
    monkeypatch.setattr(idx, "available_bytes", lambda: 59)
    with pytest.raises(ValueError, match="takes 60 bytes of memory and 59 are available"):
        read_idx(write(path, content(IMAGES)))
    monkeypatch.setattr(idx, "available_bytes", lambda: None)
    assert read_idx(path).size == 60


def test_very_many_labels_are_refused_before_they_become_integers(tmp_path):
    """Labels are eight bytes each in memory: two megabytes of packed zeros could have become sixteen gigabytes."""
    folder = four_files(tmp_path, size=1)
    count = idx.MOST_IMAGES + 1
    packed_zeros(folder / f"{idx.PARTS[0]}.gz", (count, 1, 1))
    packed_zeros(folder / f"{idx.PARTS[1]}.gz", (count,))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte.gz has 16,777,217 images; at most 16,777,216 are"):
        load_idx_folder(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * count


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_becomes_a_pipe_before_it_is_opened_is_not_waited_for(path, monkeypatch):
    os.mkfifo(path)
    monkeypatch.setattr(idx.places, "regular_file_size", lambda where, path: 100)
    with pytest.raises(ValueError, match="not a regular file"):
        read_idx(path)
