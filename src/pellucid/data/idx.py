"""MNIST, Fashion-MNIST and their like: files in the IDX format, plain or gzipped.

An IDX file is: two zero bytes, a byte for the type of the numbers, a byte for the number of axes, the length of each
axis as four bytes (highest first), and then the numbers.

Format: http://yann.lecun.com/exdb/mnist/
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from pellucid.data import catalogue, places
from pellucid.data.byte_images import ByteImages
from pellucid.data.catalogue import Entry
from pellucid.data.dataset import Dataset
from pellucid.data.fetch import Progress, fetch_entry, not_here
from pellucid.data.memory import available_bytes

UINT8 = 0x08
_TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}

# No file we know of comes near (EMNIST's largest has 0.6 GB); a header that claims more is refused unread.
MOST_BYTES = 2**31
# No data set that we know of has a tenth as many (EMNIST has 814,255): a megabyte of packed zeros could state far more.
MOST_IMAGES = 2**24
# A gzip stream cannot unpack to more than 1,032 times its own size (a deflate match: 258 bytes from 2 bits).
_GZIP_RATIO = 1032

# The four files of a data set, without ".gz", and the other spelling that is about.
PARTS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def read_idx(path: Any, *, sha256: str | None = None) -> np.ndarray:
    """The array in an IDX file of bytes, plain or gzipped (whatever its name says).

    Parameters
    ----------
    path : the file.
    sha256 : the SHA-256 that the file must have (unpacked), if it is known.

    Returns
    -------
    uint8 array
        Of the shape that the file states. No memory is taken for it before that is found to be possible.

    Raises
    ------
    FileNotFoundError
    ValueError
        For a file that is no IDX file of bytes, is cut short or goes on behind its end.
    """
    where = "read_idx"
    source = places.existing(where, "path", path)
    size = places.regular_file_size(where, source)
    with places.opened(where, source) as raw:
        gzipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not gzipped:
            return _read(where, source, raw, size, sha256)
        try:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                return _read(where, source, unpacked, min(MOST_BYTES, size * _GZIP_RATIO), sha256)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{where}: {source} is damaged or cut short ({error}); get it again") from error


def _read(where: str, path: Path, stream: Any, most: int, sha256: str | None) -> np.ndarray:
    """The array from a stream that holds no more than ``most`` bytes."""
    header, shape = _header(where, path, stream)
    needed = math.prod(shape)
    if needed > min(most, MOST_BYTES) - len(header):
        raise ValueError(
            f"{where}: {path} states the shape {shape}, {needed:,} bytes, more than it can hold; it is cut short or "
            "damaged, get it again"
        )
    available = available_bytes()
    if available is not None and needed > available:
        raise ValueError(
            f"{where}: {path} takes {needed:,} bytes of memory and {available:,} are available; close other programs "
            "or take a larger machine"
        )
    out = np.empty(needed, np.uint8)
    got = _fill(stream, out.data)
    if got < needed:
        raise ValueError(f"{where}: {path} ends after {got:,} of {needed:,} bytes for shape {shape}; get it again")
    if stream.read(1):
        raise ValueError(f"{where}: {path} goes on behind the {needed:,} bytes of its shape {shape}; get it again")
    if sha256 is not None:
        digest = hashlib.sha256(header)
        digest.update(out.data)
        if digest.hexdigest() != sha256:
            raise ValueError(
                f"{where}: {path} has the sha256 {digest.hexdigest()} (unpacked), expected {sha256}; remove it and get "
                "it again"
            )
    return out.reshape(shape)


def _header(where: str, path: Path, stream: IO[bytes]) -> tuple[bytes, tuple[int, ...]]:
    """The header's bytes and the shape it states."""
    start = stream.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or start[3] == 0:
        raise ValueError(
            f"{where}: {path} is no IDX file (it starts with {start!r}); give a file such as {PARTS[0]}.gz"
        )
    if start[2] != UINT8:
        raise ValueError(f"{where}: {path} holds {_TYPES[start[2]]} numbers; only bytes (uint8) are images or labels")
    lengths = stream.read(4 * start[3])
    if len(lengths) < 4 * start[3]:
        raise ValueError(f"{where}: {path} ends within its header; get it again")
    shape = struct.unpack(f">{start[3]}I", lengths)
    if 0 in shape:
        raise ValueError(f"{where}: {path} states the shape {shape}; it holds nothing")
    if len(shape) > 4:
        raise ValueError(f"{where}: {path} states {len(shape)} axes; images have three, labels one")
    return start + lengths, shape


def _fill(stream: Any, view: memoryview) -> int:
    """Read into the whole of a buffer; returns how many bytes came."""
    got = 0
    while got < len(view):
        read = stream.readinto(view[got : got + (1 << 20)])
        if not read:
            break
        got += read
    return got


def load_mnist(path: Any = None, *, fetch: bool = True, progress: Progress | None = None) -> Dataset:
    """MNIST: 60,000 handwritten digits to train on and 10,000 to test on, 1 x 28 x 28.

    Parameters
    ----------
    path : str or Path, optional
        A folder with the four files, gzipped or not. None looks in ``$PELLUCID_DATA`` and in the user's cache folder,
        and checks the SHA-256 of what it finds.
    fetch : bool
        Download the files (12 MB) if ``path`` is None and they are not found.
    progress : callable, optional
        Called as ``progress(done_bytes, total_bytes)`` while downloading.

    Raises
    ------
    FileNotFoundError
        For what is not there.
    ValueError
        For a file that is not what it should be.
    """
    return _load("load_mnist", catalogue.MNIST, path, fetch, progress)


def load_fashion_mnist(path: Any = None, *, fetch: bool = True, progress: Progress | None = None) -> Dataset:
    """Fashion-MNIST: 60,000 articles of clothing to train on and 10,000 to test on, 1 x 28 x 28.

    Takes what `load_mnist` takes (31 MB to download); also finds the files of Debian's package
    dataset-fashion-mnist.
    """
    return _load("load_fashion_mnist", catalogue.FASHION_MNIST, path, fetch, progress)


def load_idx_folder(path: Any) -> Dataset:
    """The folder ``path`` with four files like MNIST's, whatever the size and the number of classes.

    The files of MNIST and of Fashion-MNIST are recognised by their labels; else the classes are called "0", "1", ...
    """
    where = "load_idx_folder"
    folder = places.existing(where, "path", path)
    files = _files_in(folder)
    if files is None:
        raise FileNotFoundError(f"{where}: {folder} lacks some of the files {', '.join(PARTS)} (each may end in .gz)")
    known = _by_labels(read_idx(files[1]))
    return _dataset(where, files, known, None)


def _by_labels(y_train: np.ndarray) -> Entry | None:
    """The data set of the catalogue that has exactly these training labels, or None."""
    if y_train.ndim != 1 or len(y_train) > MOST_IMAGES:
        return None
    header = struct.pack(">4B", 0, 0, UINT8, y_train.ndim) + struct.pack(f">{y_train.ndim}I", *y_train.shape)
    digest = hashlib.sha256(header + y_train.tobytes()).hexdigest()
    entries = (catalogue.MNIST, catalogue.FASHION_MNIST)
    return next((entry for entry in entries if entry.files[1].sha256_unpacked == digest), None)


def find_idx(entry: Entry) -> Path | None:
    """The folder with the four files of a data set, where one of the data folders or the system has it."""
    folders = [root / entry.name for root in places.data_folders()] + [Path(name) for name in entry.system_folders]
    return next((folder for folder in folders if _files_in(folder) is not None), None)


def is_idx_folder(folder: Path) -> bool:
    """Whether the folder has at least one of the four files."""
    return any(_file_in(folder, part) is not None for part in PARTS)


def _load(where: str, entry: Entry, path: Any, fetch: bool, progress: Progress | None) -> Dataset:
    """A data set of the catalogue, from a folder that the caller names (his files, any content) or that we find."""
    if path is not None:
        folder = places.existing(where, "path", path)
        files = _files_in(folder)
        if files is None:
            raise FileNotFoundError(
                f"{where}: {folder} lacks some of the files {', '.join(PARTS)} (each may end in .gz)"
            )
        return _dataset(where, files, entry, None)
    found = find_idx(entry)
    if found is None and not fetch:
        raise not_here(where, entry)
    if found is None:
        found = fetch_entry(entry, progress=progress)
    pins = [file.sha256_unpacked for file in entry.files]
    return _dataset(where, _files_in(found) or [], entry, pins)


def _file_in(folder: Path, part: str) -> Path | None:
    """One of the four files under one of the spellings that are about."""
    for name in (part, part.replace("-idx", ".idx")):
        for ending in (".gz", ""):
            if (folder / (name + ending)).is_file():
                return folder / (name + ending)
    return None


def _files_in(folder: Path) -> list[Path] | None:
    """All four files, in the order of PARTS; None if one is missing."""
    files = [_file_in(folder, part) for part in PARTS]
    return None if None in files else [file for file in files if file is not None]


def _dataset(where: str, files: list[Path], entry: Entry | None, pins: list[str | None] | None) -> Dataset:
    """A Dataset from the four files."""
    X_train, y_train, X_test, y_test = (
        read_idx(file, sha256=pin) for file, pin in zip(files, pins or [None] * 4, strict=True)
    )
    for file, images, labels in ((files[0], X_train, y_train), (files[2], X_test, y_test)):
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise ValueError(
                f"{where}: {file} has shape {images.shape} and its labels {labels.shape}; they must be (N, height, "
                "width) and (N,)"
            )
        if len(labels) > MOST_IMAGES:
            raise ValueError(f"{where}: {file} has {len(labels):,} images; at most {MOST_IMAGES:,} are read")
        if entry is not None and images.shape[1:] != entry.image_shape[1:]:
            raise ValueError(
                f"{where}: {file} has images of {images.shape[1:]}; {entry.title} has {entry.image_shape[1:]}"
            )
    most = int(max(y_train.max(), y_test.max()))
    classes = entry.classes if entry is not None else tuple(str(label) for label in range(most + 1))
    if most >= len(classes):
        raise ValueError(
            f"{where}: {files[1].parent} has the label {most}; {len(classes)} classes end at {len(classes) - 1}"
        )
    return Dataset(
        entry.name if entry is not None else files[0].parent.name,
        classes,
        ByteImages(X_train[..., None]),
        y_train.astype(np.int64),
        ByteImages(X_test[..., None]),
        y_test.astype(np.int64),
    )
