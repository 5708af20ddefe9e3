"""The reader of CIFAR-10's binary files: what it reads, and everything that it refuses."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.data import get_CIFAR10_data, load_cifar10, open_dataset
from pellucid.data.cifar10 import ARCHIVE, FILES, FOLDER, RECORD_BYTES

COUNT = 4  # records in each file of the small copies


def records(seed, count=COUNT):
    """Random records, uint8 (count, 3073), with labels from 0 to 9."""
    out = np.random.default_rng(seed).integers(0, 256, size=(count, RECORD_BYTES), dtype=np.uint8)
    out[:, 0] %= 10
    return out


@pytest.fixture
def folder(tmp_path):
    """A small copy of the unpacked folder."""
    home = tmp_path / FOLDER
    home.mkdir()
    for seed, name in enumerate(FILES):
        records(seed).tofile(home / name)
    (home / "batches.meta.txt").write_text("airplane\n")
    return home


def archive(path, members, mode="w:gz"):
    """A tar archive of (name, bytes) or ready-made (TarInfo, bytes)."""
    with tarfile.open(path, mode) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            if isinstance(name, str):
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def members(**changed):
    """The six members, with the content of some replaced (None: left out)."""
    contents = {name: records(seed).tobytes() for seed, name in enumerate(FILES)}
    contents.update({f"{name}.bin": content for name, content in changed.items()})
    return [(f"{FOLDER}/{name}", content) for name, content in contents.items() if content is not None]


def load(path):
    return load_cifar10(path, records_per_file=COUNT)


def test_pixels_and_labels_are_where_the_format_says(folder):
    data = load(folder)
    first, test = records(0), records(5)
    assert data.X_train.shape == (20, 3, 32, 32)
    assert data.X_test.shape == (4, 3, 32, 32)
    assert data.y_train[:4].tolist() == first[:, 0].tolist()
    assert data.y_train.dtype == data.y_test.dtype == np.int64
    # Record 2: red at row 1, column 5; blue at the last pixel.
    assert data.X_train[2][0, 1, 5] == first[2, 1 + 32 + 5]
    assert data.X_train[2][2, 31, 31] == first[2, -1]
    assert np.array_equal(data.X_test[:].reshape(4, -1), test[:, 1:])
    assert np.array_equal(data.X_train[16:].reshape(4, -1), records(4)[:, 1:])
    assert data.classes[0] == "airplane"
    assert len(data.classes) == 10


def test_folder_parent_and_archive_give_the_same(folder, tmp_path):
    path = archive(tmp_path / ARCHIVE, members())
    for source in (folder.parent, str(folder.parent), path):
        data = load(source)
        assert np.array_equal(data.X_train.pixels, load(folder).X_train.pixels)
        assert np.array_equal(data.y_test, load(folder).y_test)


def test_the_order_of_the_archives_members_does_not_matter(folder, tmp_path):
    extra = [(f"{FOLDER}/readme.html", b"<html>"), ("elsewhere/data_batch_1.bin", b"not this one")]
    path = archive(tmp_path / ARCHIVE, extra + members()[::-1])
    assert np.array_equal(load(path).X_train.pixels, load(folder).X_train.pixels)


def test_nothing_is_unpacked_to_disk(tmp_path, monkeypatch):
    path = archive(tmp_path / ARCHIVE, members())
    monkeypatch.chdir(tmp_path)
    load(path)
    assert [file.name for file in tmp_path.iterdir()] == [ARCHIVE]


@pytest.mark.parametrize(
    ("size", "got"), [(0, "0"), (1, "1"), (COUNT * RECORD_BYTES - 1, "12,291"), (COUNT * RECORD_BYTES + 1, "12,293")]
)
def test_a_file_of_the_wrong_size_is_refused_with_both_sizes(folder, tmp_path, size, got):
    content = records(0).tobytes().ljust(size, b"\0")[:size]
    says = rf"data_batch_3.bin has {got} bytes; it must have 12,292 \(4 records"
    (folder / "data_batch_3.bin").write_bytes(content)
    with pytest.raises(ValueError, match=says):
        load(folder)
    with pytest.raises(ValueError, match=says):
        load(archive(tmp_path / ARCHIVE, members(data_batch_3=content)))


def test_a_small_copy_is_refused_unless_it_is_said_to_be_one(folder):
    with pytest.raises(ValueError, match=r"data_batch_1.bin has 12,292 bytes; it must have 30,730,000"):
        load_cifar10(folder)


@pytest.mark.parametrize("label", [10, 255])
def test_a_label_above_nine_is_refused_with_its_record(folder, tmp_path, label):
    wrong = records(5)
    wrong[2, 0] = label
    says = f"test_batch.bin has the label {label} in record 2; labels go from 0 to 9"
    wrong.tofile(folder / "test_batch.bin")
    with pytest.raises(ValueError, match=says):
        load(folder)
    with pytest.raises(ValueError, match=says):
        load(archive(tmp_path / ARCHIVE, members(test_batch=wrong.tobytes())))


def test_a_missing_file_is_named(folder, tmp_path):
    (folder / "data_batch_5.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"data_batch_5.bin is missing"):
        load(folder)
    with pytest.raises(ValueError, match=f"lacks {FOLDER}/data_batch_5.bin"):
        load(archive(tmp_path / ARCHIVE, members(data_batch_5=None)))


def test_a_folder_without_any_of_it_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"data_batch_1.bin is missing"):
        load(tmp_path)


def test_a_path_that_is_not_there_is_refused():
    with pytest.raises(FileNotFoundError, match="path is '/nowhere/cifar', which does not exist"):
        load("/nowhere/cifar")


@pytest.mark.parametrize("path", [3, b"bytes", ["a"]])
def test_something_that_is_no_path_is_refused(path):
    with pytest.raises(TypeError, match="must be a path"):
        load(path)


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE],
)
def test_a_member_that_is_no_plain_file_is_refused(tmp_path, kind):
    link = tarfile.TarInfo(f"{FOLDER}/data_batch_1.bin")
    link.type, link.linkname = kind, "/etc/passwd"
    with pytest.raises(ValueError, match=r"data_batch_1.bin is not a plain file"):
        load(archive(tmp_path / ARCHIVE, [(link, b""), *members(data_batch_1=None)]))


def test_a_sparse_member_is_refused(tmp_path):
    info = tarfile.TarInfo(f"{FOLDER}/data_batch_1.bin")
    info.size = COUNT * RECORD_BYTES
    info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(COUNT * RECORD_BYTES)}
    with pytest.raises(ValueError, match=r"data_batch_1.bin is not a plain file"):
        load(archive(tmp_path / ARCHIVE, [(info, records(0).tobytes())]))


def test_a_member_that_comes_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"data_batch_1.bin twice"):
        load(archive(tmp_path / ARCHIVE, members() + members()))


def test_names_that_lead_elsewhere_are_not_taken(tmp_path):
    content = records(0).tobytes()
    names = [f"../{FOLDER}/data_batch_1.bin", f"/{FOLDER}/data_batch_1.bin", f"{FOLDER}/../{FOLDER}/data_batch_1.bin"]
    with pytest.raises(ValueError, match=f"lacks {FOLDER}/data_batch_1.bin"):
        load(archive(tmp_path / ARCHIVE, [(name, content) for name in names] + members(data_batch_1=None)))


def test_an_archive_cut_short_at_any_place_is_refused(tmp_path):
    whole = archive(tmp_path / ARCHIVE, members()).read_bytes()
    short = tmp_path / "short.tar.gz"
    for length in [0, 1, 2, 10, 100, len(whole) // 3, len(whole) // 2, len(whole) - 9, len(whole) - 1]:
        short.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"short.tar.gz (is damaged|lacks)"):
            load(short)


def test_a_changed_byte_is_found_by_the_archives_checksum(tmp_path):
    path = archive(tmp_path / ARCHIVE, members())
    content = bytearray(path.read_bytes())
    content[-8] ^= 1  # the checksum itself
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        load(path)


def test_the_archives_checksum_counts_even_far_behind_the_last_member(tmp_path):
    whole = archive(tmp_path / "whole.tar", members(), mode="w").read_bytes()
    packed = bytearray(gzip.compress(whole.ljust(1_100_000, b"\0")))
    path = tmp_path / ARCHIVE
    path.write_bytes(packed)
    assert len(load(path).X_test) == COUNT
    packed[-8] ^= 1
    path.write_bytes(packed)
    with pytest.raises(ValueError, match="damaged"):
        load(path)


@pytest.mark.parametrize(
    "content", [b"<html>no</html>", b"\x1f\x8b garbage", b"", gzip.compress(b"no tar" * 1000, mtime=0)]
)
def test_what_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / ARCHIVE
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{ARCHIVE} (is damaged or no tar.gz archive|lacks)"):
        load(path)


def test_bytes_behind_the_archive_are_refused(tmp_path):
    path = archive(tmp_path / ARCHIVE, members())
    path.write_bytes(path.read_bytes() + b"padding")
    with pytest.raises(ValueError, match="damaged"):
        load(path)


def test_a_bomb_is_stopped_at_the_size_of_the_data(tmp_path):
    bomb = tarfile.TarInfo("bomb")
    bomb.size = 64 << 20
    with pytest.raises(ValueError, match="unpacks to more bytes"):
        load(archive(tmp_path / ARCHIVE, [(bomb, bytes(64 << 20)), *members()]))


def test_an_archive_of_very_many_members_is_stopped(tmp_path):
    with pytest.raises(ValueError, match="more than 100 members"):
        load(archive(tmp_path / ARCHIVE, [(f"{i}", b"") for i in range(200)]))


@pytest.mark.parametrize("size", [-1, -512, -1024, -100_000])
def test_a_member_of_negative_size_does_not_hang(tmp_path, size):
    header = bytearray(tarfile.TarInfo("strange").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (size % 2**96).to_bytes(12, "big")  # base 256, as GNU tar writes what has no octal form
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / ARCHIVE
    path.write_bytes(gzip.compress(bytes(header) + bytes(10240)))
    with pytest.raises(ValueError, match=r"damaged|lacks"):
        load(path)


@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "cifar-10-batches-py"])
def test_the_pickled_version_is_refused_with_the_reason(tmp_path, name):
    path = tmp_path / name
    if name.endswith("gz"):
        archive(path, [("cifar-10-batches-py/data_batch_1", b"pickle")])
    else:
        path.mkdir()
        (path / "data_batch_1").write_bytes(b"pickle")
    says = rf"is the pickled version .* runs whatever code .* {ARCHIVE}, from https://"
    for read in (load, open_dataset):
        with pytest.raises(ValueError, match=says):
            read(path)
    renamed = path.rename(tmp_path / "other")
    with pytest.raises(ValueError, match=says):
        load(renamed)
    if renamed.is_dir():
        renamed.rename(path)
        with pytest.raises(ValueError, match=says):
            load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused_and_not_waited_for(folder):
    (folder / "data_batch_2.bin").unlink()
    os.mkfifo(folder / "data_batch_2.bin")
    with pytest.raises(ValueError, match=r"data_batch_2.bin is not a regular file"):
        load(folder)


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mutated_archives_raise_nothing_but_value_and_os_errors(tmp_path, data):
    raw = bytearray(archive(tmp_path / "whole.tar", members(), mode="w").read_bytes())
    member = st.sampled_from([i * 13 * 1024 for i in range(6)])  # where a header begins
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.one_of(st.integers(0, len(raw) - 1), st.integers(0, 600)))
        raw[(place + data.draw(member)) % len(raw)] = data.draw(st.integers(0, 255))
    packed = bytearray(gzip.compress(bytes(raw), 1))
    if data.draw(st.booleans()):
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "mutated.tar.gz"
    path.write_bytes(packed)
    try:
        assert load(path).y_train.max() <= 9
    except (ValueError, OSError) as error:
        assert "mutated.tar.gz" in str(error)


@given(st.binary(max_size=3 * RECORD_BYTES), st.sampled_from(FILES))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mutated_files_raise_nothing_but_value_and_os_errors(folder, content, name):
    before = (folder / name).read_bytes()
    (folder / name).write_bytes(content)
    with pytest.raises((ValueError, OSError), match=name):
        load(folder)
    (folder / name).write_bytes(before)


def small(folder, **arguments):
    return get_CIFAR10_data(root=folder, records_per_file=COUNT, **arguments)


def test_the_courses_dictionary_has_the_courses_parts(folder):
    data = small(folder, num_training=10, num_validation=3, num_test=2)
    every = load(folder)
    assert list(data) == ["X_train", "y_train", "X_val", "y_val", "X_test", "y_test"]
    mean = every.X_train[:10].mean(axis=0)
    for key, part in [("train", slice(10)), ("val", slice(10, 13))]:
        assert np.allclose(data[f"X_{key}"][:], every.X_train[part] - mean, atol=1e-4)
        assert np.array_equal(data[f"y_{key}"], every.y_train[part])
    assert np.allclose(data["X_test"][:], every.X_test[:2] - mean, atol=1e-4)
    assert data["y_test"].dtype == np.int64
    assert data["X_train"][:2].dtype == np.float32


def test_the_mean_may_stay(folder):
    data = small(folder, num_training=10, num_validation=3, num_test=2, subtract_mean=False)
    assert np.array_equal(data["X_val"][:], load(folder).X_train[10:13])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "num_training . num_validation is 50000, but only 20 images are in the training files"),
        ({"num_training": 18, "num_validation": 3}, "num_training . num_validation is 21, but only 20"),
        ({"num_training": 10, "num_validation": 3}, "num_test is 1000, but only 4 images"),
        ({"num_training": 0}, "num_training is 0; it must be at least 1"),
        ({"num_validation": -1}, "num_validation is -1"),
        ({"num_training": 10, "num_validation": 3, "num_test": 0}, "num_test is 0"),
    ],
)
def test_more_images_than_there_are_are_refused(folder, arguments, says):
    with pytest.raises(ValueError, match=f"get_CIFAR10_data: {says}"):
        small(folder, **arguments)


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (10_001, ValueError), (4.0, TypeError)])
def test_a_wrong_number_of_records_is_refused(folder, count, error):
    with pytest.raises(error, match="records_per_file is"):
        load_cifar10(folder, records_per_file=count)


def test_it_is_found_in_the_data_folder(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    assert load(None).X_train.shape == (20, 3, 32, 32)
    home = tmp_path / "other"
    home.mkdir()
    monkeypatch.setenv("PELLUCID_DATA", str(home))
    folder.rename(tmp_path / "gone")
    (home / "cifar10").mkdir()
    archive(home / "cifar10" / ARCHIVE, members())
    assert load(None).X_train.shape == (20, 3, 32, 32)


def test_without_fetching_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "mine"))
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")
    with pytest.raises(FileNotFoundError) as caught:
        load_cifar10(fetch=False)
    for fact in (
        ARCHIVE,
        "170,052,171 bytes",
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        str(tmp_path / "mine" / "cifar10"),
        "PELLUCID_DATA",
    ):
        assert fact in str(caught.value)


def test_data_folder_may_hold_a_path_with_a_tilde(monkeypatch, tmp_path, folder):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PELLUCID_DATA", f"~{os.sep}{Path(FOLDER).name}")
    assert load(None).X_train.shape == (20, 3, 32, 32)
