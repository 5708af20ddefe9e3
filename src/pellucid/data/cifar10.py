"""CIFAR-10 from its official binary archive, or from the folder that the archive unpacks to.

A file holds 10,000 records of 3,073 bytes: a label from 0 to 9, then 32 x 32 bytes of red, of green and of blue. The
archive is read as a stream, six members by their exact names; nothing is unpacked to disk. The version for Python is
refused: its files are pickles, and unpickling runs whatever code is in the file.

Format: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import check
from pellucid.data import catalogue, places
from pellucid.data.byte_images import ByteImages
from pellucid.data.dataset import Dataset, course_dictionary, mean_image, take
from pellucid.data.fetch import Progress, fetch_entry, not_here
from pellucid.data.listing import one_line
from pellucid.data.tar import BrokenArchive, Member, members

IMAGE_SHAPE = (3, 32, 32)
RECORD_BYTES = 1 + 3 * 32 * 32
RECORDS_PER_FILE = 10_000
FOLDER = "cifar-10-batches-bin"
ARCHIVE = "cifar-10-binary.tar.gz"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
FILES = (*TRAIN_FILES, "test_batch.bin")

# What a tar archive may hold besides the six files: headers, padding, a readme and the list of classes.
_OTHER_BYTES = 1 << 20
_MOST_MEMBERS = 100
_BROKEN_ARCHIVE = (BrokenArchive, EOFError, zlib.error, gzip.BadGzipFile, struct.error)


def load_cifar10(
    path: Any = None,
    *,
    records_per_file: int = RECORDS_PER_FILE,
    fetch: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """CIFAR-10: 50,000 images to train on and 10,000 to test on, 3 x 32 x 32, in ten classes.

    Parameters
    ----------
    path : the archive ``cifar-10-binary.tar.gz``, the folder ``cifar-10-batches-bin`` or the folder that holds it.
        None looks in ``$PELLUCID_DATA`` and in the user's cache folder.
    records_per_file : how many images each of the six files must hold; fewer than 10,000 only for small copies, made
        for tests.
    fetch : download the archive (170 MB, checked against its SHA-256) if ``path`` is None and it is not found.
    progress : called as ``progress(done_bytes, total_bytes)`` while downloading.

    Returns
    -------
    Dataset
        Of 184 MB; loading takes about 215 MB at its peak.

    Raises
    ------
    FileNotFoundError
        For what is not there.
    ValueError
        For a file that is not what it should be.
    """
    where = "load_cifar10"
    count = check.whole_number(where, "records_per_file", records_per_file, least=1)
    if count > RECORDS_PER_FILE:
        raise ValueError(f"{where}: records_per_file is {count}; CIFAR-10 has {RECORDS_PER_FILE}, a small copy fewer")
    if path is None:
        path = find_cifar10()
        if path is None and not fetch:
            raise not_here(where, catalogue.CIFAR10)
        if path is None:
            path = fetch_entry(catalogue.CIFAR10, progress=progress) / ARCHIVE
    source = places.existing(where, "path", path)
    if source.is_dir():
        return _gather(where, _from_folder(where, source, count), count)
    _refuse_pickles(where, source.name)
    places.regular_file_size(where, source)
    return _gather(where, _from_archive(where, source, count), count)


def get_CIFAR10_data(
    num_training: int = 49_000,
    num_validation: int = 1_000,
    num_test: int = 1_000,
    subtract_mean: bool = True,
    root: Any = None,
    *,
    records_per_file: int = RECORDS_PER_FILE,
) -> dict[str, Any]:
    """The course's dictionary: X_train, y_train, X_val, y_val, X_test, y_test.

    The first ``num_training`` images of the training files, the ``num_validation`` after them, and the first
    ``num_test`` of the test file; the mean image of X_train is subtracted from all, unless ``subtract_mean`` says no;
    nothing is scaled. X_* are ByteImages (N, 3, 32, 32), float32 by the batch; y_* are int64 (N,).

    ``root`` and ``records_per_file`` are what ``load_cifar10`` takes as ``path`` and ``records_per_file``.

    Raises
    ------
    ValueError
        If the files do not hold so many images; and what `load_cifar10` raises.
    """
    where = "get_CIFAR10_data"
    train = check.whole_number(where, "num_training", num_training, least=1)
    val = check.whole_number(where, "num_validation", num_validation, least=1)
    data = load_cifar10(root, records_per_file=records_per_file)
    take(where, "num_training + num_validation", train + val, len(data.y_train), "images are in the training files")
    test = take(where, "num_test", num_test, len(data.y_test), "images are in the test file")
    X_train = data.X_train.select(slice(train))
    parts = {
        "train": (X_train, data.y_train[:train]),
        "val": (data.X_train.select(slice(train, train + val)), data.y_train[train : train + val]),
        "test": (data.X_test.select(slice(test)), data.y_test[:test]),
    }
    return course_dictionary(parts, mean_image(X_train) if subtract_mean else None)


def find_cifar10() -> Path | None:
    """The archive or the unpacked folder, where one of the data folders has it."""
    for root in places.data_folders():
        for folder in (root / catalogue.CIFAR10.name, root):
            if is_cifar10_folder(folder):
                return folder
            if (folder / ARCHIVE).is_file():
                return folder / ARCHIVE
    return None


def is_cifar10_folder(folder: Path) -> bool:
    """Whether this is the unpacked archive's folder or its parent, in the binary version or the refused pickled one."""
    names = (FILES[0], f"{FOLDER}/{FILES[0]}", "data_batch_1", "cifar-10-batches-py/data_batch_1")
    return any((folder / name).is_file() for name in names)


def _gather(where: str, batches: Iterator[tuple[int, str, bytearray]], count: int) -> Dataset:
    """A Dataset from the six files' bytes, in whatever order they come. Each is turned channels last into its place."""
    pixels = np.empty((len(FILES) * count, 32, 32, 3), np.uint8)
    labels = np.empty(len(FILES) * count, np.int64)
    for number, name, content in batches:
        records = np.frombuffer(content, np.uint8).reshape(count, RECORD_BYTES)
        place = slice(number * count, (number + 1) * count)
        labels[place] = records[:, 0]
        pixels[place] = records[:, 1:].reshape(count, *IMAGE_SHAPE).transpose(0, 2, 3, 1)
        if labels[place].max() > 9:
            wrong = int(np.flatnonzero(records[:, 0] > 9)[0])
            raise ValueError(
                f"{where}: {name} has the label {records[wrong, 0]} in record {wrong}; labels go from 0 to 9: the file "
                f"is damaged or not CIFAR-10, get {ARCHIVE} again"
            )
    N = len(TRAIN_FILES) * count
    return Dataset(
        "cifar10",
        catalogue.CIFAR10.classes,
        ByteImages(pixels[:N]),
        labels[:N],
        ByteImages(pixels[N:]),
        labels[N:],
    )


def _from_folder(where: str, folder: Path, count: int) -> Iterator[tuple[int, str, bytearray]]:
    """Every file's number, path and bytes, from the unpacked archive's folder or its parent."""
    if not (folder / FILES[0]).exists() and (folder / FOLDER).is_dir():
        folder = folder / FOLDER
    if not (folder / FILES[0]).exists():
        _refuse_pickles(where, folder.name)
        for pickled in ("data_batch_1", "cifar-10-batches-py"):
            if (folder / pickled).exists():
                _refuse_pickles(where, "cifar-10-batches-py")
    for number, name in enumerate(FILES):
        path = folder / name
        _check_size(where, str(path), places.regular_file_size(where, path), count)
        with places.opened(where, path) as stream:
            yield number, str(path), _read_exactly(where, str(path), stream.read, count)


def _from_archive(where: str, path: Path, count: int) -> Iterator[tuple[int, str, bytearray]]:
    """Every file's number, name and bytes, from the archive, read as a stream to its end, where its checksum is."""
    most = len(FILES) * count * RECORD_BYTES + _OTHER_BYTES
    missing = {f"{FOLDER}/{name}": number for number, name in enumerate(FILES)}
    try:
        with places.opened(where, path) as packed, gzip.GzipFile(fileobj=packed) as unpacked:
            if os.fstat(packed.fileno()).st_size > most + most // 1000 + _OTHER_BYTES:  # more than gzip itself adds
                raise ValueError(f"{where}: {path} is larger than what it should hold; it is not {ARCHIVE}, get that")
            stream = _Capped(where, path, unpacked, most)
            for position, member in enumerate(members(stream.read)):
                if position == _MOST_MEMBERS:
                    raise ValueError(f"{where}: {path} has more than {_MOST_MEMBERS} members; get {ARCHIVE} again")
                _refuse_pickles(where, one_line(member.name))
                if member.name not in (f"{FOLDER}/{name}" for name in FILES):
                    continue
                content = _member_bytes(where, path, member, count)
                if member.name not in missing:
                    raise ValueError(f"{where}: {path} holds {member.name} twice; get {ARCHIVE} again")
                yield missing.pop(member.name), f"{path}: {member.name}", content
            while stream.read(1 << 20):
                pass
    except _BROKEN_ARCHIVE as error:
        raise ValueError(
            f"{where}: {path} is damaged or no tar.gz archive ({error or type(error).__name__}); get {ARCHIVE} again"
        ) from error
    if missing:
        raise ValueError(f"{where}: {path} lacks {', '.join(missing)}; it is not {ARCHIVE}, get that")


def _member_bytes(where: str, path: Path, member: Member, count: int) -> bytearray:
    """The bytes of one member, which must be a plain file of the right size."""
    name = f"{path}: {member.name}"
    if not member.is_plain:
        raise ValueError(f"{where}: {name} is not a plain file but a link or something else; get {ARCHIVE} again")
    _check_size(where, name, member.size, count)
    return _read_exactly(where, name, member.read, count)


def _check_size(where: str, name: str, size: int, count: int) -> None:
    needed = count * RECORD_BYTES
    if size != needed:
        raise ValueError(
            f"{where}: {name} has {size:,} bytes; it must have {needed:,} ({count:,} records of {RECORD_BYTES:,} bytes)"
            f": get {ARCHIVE} again"
        )


def _read_exactly(where: str, name: str, read: Callable[[int], bytes], count: int) -> bytearray:
    """All records of a file whose size was right a moment ago."""
    content = bytearray()
    while chunk := read(min(1 << 20, count * RECORD_BYTES + 1 - len(content))):
        content += chunk
    _check_size(where, name, len(content), count)
    return content


def _refuse_pickles(where: str, name: str) -> None:
    if name.startswith(("cifar-10-batches-py", "cifar-10-python")):
        raise ValueError(
            f"{where}: {name} is the pickled version of CIFAR-10; unpickling runs whatever code is in the file, so it "
            f"is never read here: get the binary version, {ARCHIVE}, from {catalogue.CIFAR10.mirrors[0]}{ARCHIVE}"
        )


class _Capped:
    """A stream that refuses to be read beyond so many bytes: no bomb of zeros takes more time or memory than that."""

    def __init__(self, where: str, path: Path, stream: Any, most: int) -> None:
        self._where, self._path, self._stream, self._left = where, path, stream, most

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(min(size, self._left + 1))
        self._left -= len(chunk)
        if self._left < 0:
            raise ValueError(
                f"{self._where}: {self._path} unpacks to more bytes than the six files of CIFAR-10 and their headers; "
                f"it is not {ARCHIVE}, get that"
            )
        return chunk
