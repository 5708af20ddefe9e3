"""One door to all data: what a name or a path opens, and what is said where it opens nothing."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits as bundled_digits

from pellucid.data import catalogue, describe, get_CIFAR10_data, load_cifar10, load_digits, open_dataset
from pellucid.data.cifar10 import FILES, FOLDER


def real_cifar10():
    """CIFAR-10's binary folder, where a developer has unpacked it."""
    given = os.environ.get("PELLUCID_TEST_DATA")
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    home = Path(given) if given else beside
    return home if (home / FOLDER / "test_batch.bin").is_file() else None


def test_the_digits_are_the_bundled_ones_as_bytes():
    data = open_dataset("digits")
    assert (data.X_train.shape, data.X_test.shape) == ((1500, 1, 8, 8), (297, 1, 8, 8))
    pixels = np.concatenate([data.X_train.pixels, data.X_test.pixels]).reshape(-1, 64)
    y = np.concatenate([data.y_train, data.y_test])
    images, labels = bundled_digits(return_X_y=True)
    assert (pixels.min(), pixels.max()) == (0, 255)
    mine = sorted(zip(y, np.rint(pixels / 255 * 16).astype(int).tolist(), strict=True))
    assert mine == sorted(zip(labels, images.astype(int).tolist(), strict=True))


def test_the_digits_are_the_same_where_their_file_is_elsewhere(monkeypatch):
    here = load_digits()
    monkeypatch.setattr("pellucid.data.digits.FILE", "not/there.csv")
    there = load_digits()
    assert np.array_equal(here.X_train.pixels, there.X_train.pixels)
    assert np.array_equal(here.y_test, there.y_test)
    assert here.y_test.dtype == there.y_test.dtype == np.int64


def test_the_digits_are_there_without_importing_scikit_learn():
    code = "import sys; from pellucid.data import load_digits; load_digits(); print('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_digits_are_split_the_same_every_time():
    data = load_digits()
    assert data.y_train[:12].tolist() == [4, 5, 1, 4, 1, 3, 7, 1, 8, 1, 1, 1]
    assert np.bincount(data.y_test).tolist() == [32, 21, 28, 35, 33, 26, 27, 26, 33, 36]
    assert np.array_equal(data.X_train.pixels, load_digits().X_train.pixels)


def test_nothing_of_the_digits_is_in_two_parts():
    data = load_digits().split(297)
    assert [len(data[f"y_{part}"]) for part in ("train", "val", "test")] == [1203, 297, 297]
    assert set(data["y_val"]) == set(data["y_test"]) == set(range(10))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cifar", r"'cifar' is neither a data set .cifar10, mnist, fashion-mnist, digits. .did you mean 'cifar10'"),
        ("CIFAR-10", "did you mean 'cifar10'"),
        ("fashion_mnist", "did you mean 'fashion-mnist'"),
        ("zzz", "nor a path that exists"),
    ],
)
def test_an_unknown_name_is_answered_with_the_list_and_the_nearest(name, says):
    with pytest.raises(ValueError, match=says):
        open_dataset(name)


@pytest.mark.parametrize("path", ["./cifar10", "pictures.zip", "a/b", Path("digits")])
def test_a_path_that_is_not_there_is_said_to_be_missing(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        open_dataset(path)


@pytest.mark.parametrize(("what", "error"), [(3, TypeError), (None, TypeError), (b"x", TypeError), ("", ValueError)])
def test_what_is_neither_name_nor_path_is_refused(what, error):
    with pytest.raises(error, match="open_dataset: what is"):
        open_dataset(what)


@pytest.mark.parametrize("given", [{"size": (4, 4)}, {"fit": "pad"}, {"max_broken": 0.1}, {"cache": "x.npy"}])
def test_what_is_for_pictures_is_refused_for_other_data(given):
    name = next(iter(given))
    with pytest.raises(
        ValueError, match=f"open_dataset: {name} is .* digits is no folder of pictures .*leave {name} out"
    ):
        open_dataset("digits", **given)


def test_usual_values_are_taken_by_all_data():
    assert len(open_dataset("digits", size=None, fit="crop", max_broken=0.0, cache=None).X_train) == 1500


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.txt", b"hello", "is neither a zip file of pictures nor cifar-10-binary.tar.gz .it starts with b'hell'"),
        ("empty", b"", "is neither a zip"),
        ("train-images-idx3-ubyte.gz", gzip.compress(b"x", mtime=0), "is one of four files; give the folder"),
        ("t10k-labels.idx1-ubyte", b"x", "is one of four files; give the folder"),
        ("pictures.zip", b"PK\3\4 broken", "is damaged or no zip file"),
        ("other.tar.gz", gzip.compress(b"x" * 2000, mtime=0), "is damaged or no tar.gz archive"),
    ],
)
def test_a_file_of_no_known_kind_is_refused(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=says):
        open_dataset(tmp_path / name)


def test_a_name_wins_over_a_folder_that_is_called_like_it(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(open_dataset("digits").X_train) == 1500
    with pytest.raises(ValueError, match="has no pictures"):
        open_dataset("./digits")


def test_the_catalogue_is_described_without_reading_or_fetching(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")
    rows = {row.name: row for row in describe()}
    assert list(rows) == ["cifar10", "mnist", "fashion-mnist", "digits"]
    assert (rows["cifar10"].where, rows["cifar10"].bytes_to_fetch) == (None, 170_052_171)
    assert (rows["digits"].where, rows["digits"].bytes_to_fetch) == ("scikit-learn", 0)
    assert (rows["mnist"].images, rows["mnist"].classes, rows["mnist"].image_shape) == (70_000, 10, (1, 28, 28))
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / "cifar-10-binary.tar.gz").write_bytes(b"not looked into")
    found = describe()[0]
    assert found.where == str(tmp_path / "cifar10" / "cifar-10-binary.tar.gz")
    assert found.bytes_to_fetch == 0


def test_every_entry_of_the_catalogue_is_whole():
    for entry in catalogue.CATALOGUE.values():
        assert all(mirror.startswith(("http://", "https://")) and mirror.endswith("/") for mirror in entry.mirrors)
        for file in entry.files:
            assert file.size_bytes > 0
            for digest in filter(None, (file.sha256, file.sha256_unpacked)):
                assert len(bytes.fromhex(digest)) == 32
        assert len(set(entry.classes)) == len(entry.classes) == 10


def test_importing_the_package_is_light():
    code = (
        "import sys, pellucid.data; print([m for m in ('PIL', 'sklearn', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_all_of_cifar10_never_becomes_floats(tmp_path):
    """Load 60,000 images (black ones, the files are holes) and take an epoch of batches."""
    for name in FILES:
        with (tmp_path / name).open("wb") as file:
            file.truncate(30_730_000)
    order = np.random.default_rng(0).permutation(49_000)
    tracemalloc.start()
    data = get_CIFAR10_data(root=tmp_path)
    for start in range(0, len(order), 100):
        data["X_train"][order[start : start + 100]]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data["X_train"].shape == (49_000, 3, 32, 32)
    assert peak < 260e6  # 184 MB of pixels; all of them as float32 would be 737 MB


@pytest.mark.skipif(real_cifar10() is None, reason=f"{FOLDER} is neither in $PELLUCID_TEST_DATA nor in ../shared/data")
def test_the_real_files_have_all_classes_alike():
    data = load_cifar10(real_cifar10())
    assert np.bincount(data.y_train).tolist() == [5_000] * 10
    assert np.bincount(data.y_test).tolist() == [1_000] * 10
