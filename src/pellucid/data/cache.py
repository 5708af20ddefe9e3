"""Decoded pictures in a file, for data larger than memory and for a start without decoding.

Two files. ``<name>.npy`` holds the pixels, uint8 (N, H, W, C), and ``numpy.load(..., mmap_mode="r")`` opens it: the
system reads pages when they are looked at, and drops them when memory is wanted. ``<name>.npy.json`` beside it says
what it was made from (a fingerprint of the source and the settings), what it should be (shape, bytes, checksum) and
what was left out. Pixels are written under a temporary name, forced to the disk, and get their name when they are
whole; a file that an interrupted process left behind is removed by the next one.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import math
import os
import shutil
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from pellucid.data import places
from pellucid.data.locks import try_lock
from pellucid.files import write_atomically

# Of the two files. Raise it when anything about them or about decoding changes: older caches are then made anew.
FORMAT = 1
# A record takes about 300 bytes and 100 for every picture that was left out. A larger one is none of ours.
_MOST_RECORD_BYTES = 2**24
# A header of fixed length can be written last, when the number of pictures is known.
_HEADER_BYTES = 128
_READ_BYTES = 2**22


@dataclass(frozen=True)
class Record:
    """What is known of a cache's pixels. ``mtime_ns`` is when they were written; a file of another time is checked."""

    format: int
    fingerprint: str
    shape: tuple[int, int, int, int]
    size_bytes: int
    mtime_ns: int
    crc32: int
    skipped: tuple[tuple[str, str], ...]


Fill = Callable[[Callable[[np.ndarray], object]], tuple[tuple[str, str], ...]]


def fingerprint_of(settings: dict[str, Any], files: Iterable[tuple[str, tuple[int, ...]]]) -> str:
    """A digest of everything that decides what is in a cache: the settings, and the files' names, sizes and times."""
    digest = hashlib.sha256(json.dumps([FORMAT, settings], sort_keys=True).encode())
    for name, stamp in files:
        digest.update(json.dumps([name, stamp]).encode())
    return digest.hexdigest()


def cache_name(source: Path, settings: dict[str, Any]) -> str:
    """The file name of a source's cache in a folder of caches: one for each source and settings."""
    digest = hashlib.sha256(json.dumps([os.fspath(source.resolve()), settings], sort_keys=True).encode())
    return f"{source.resolve().stem[:30]}-{digest.hexdigest()[:12]}.npy"


def open_cache(path: Path, fingerprint: str) -> tuple[np.ndarray, Record] | None:
    """The pixels, as a memory map that cannot be written to, and the record; None if there is no cache of this source.

    None, too, for a cache that is incomplete or damaged: a file of another size is; one whose time of change is not the
    recorded one is read once and its checksum compared.
    """
    remove_strays(path)
    record = _read_record(path)
    if record is None or record.fingerprint != fingerprint or not _is_whole(path, record):
        return None
    return np.load(path, mmap_mode="r", allow_pickle=False), record


def make_cache(
    where: str,
    path: Path,
    fingerprint: str,
    most: int,
    shape: tuple[int, int, int],
    fill: Fill,
) -> tuple[np.ndarray, Record]:
    """Write the pixels and the record, and open them.

    Parameters
    ----------
    most, shape : at most so many pictures of (height, width, channels) will be written.
    fill : called once as ``fill(write)``; hands all pictures to ``write`` as uint8 (n, *shape), and returns what was
        left out, with the reasons.

    Raises
    ------
    ValueError if there is a file of this name that is no cache; OSError if the disk is full or refuses. Whatever
    happens, a cache that was there before stays until the new one is whole.
    """
    if path.exists() and not _record_path(path).exists():
        raise ValueError(
            f"{where}: the cache {path} is there, but not {_record_path(path).name} beside it, so it is not a cache of "
            "this package's and not overwritten; give another name or remove it"
        )
    _make_room(where, path, most * math.prod(shape))
    try:
        with _temporary(path) as (temporary, file):
            record = _write_pixels(file, fingerprint, shape, fill)
            # The record first: pixels without one are a stranger's, a record without its pixels is just no cache yet.
            write_atomically(_record_path(path), json.dumps(asdict(record), indent=1).encode())
            if os.name == "nt":
                file.close()  # Windows renames no open file
            temporary.replace(path)
    except OSError as error:
        if error.filename is not None or error.errno is None:  # it says already what it is about
            raise
        raise OSError(error.errno, f"{error.strerror}: could not write the cache", str(path)) from error
    return np.load(path, mmap_mode="r", allow_pickle=False), record


def remove_strays(path: Path) -> None:
    """Remove the temporary files of this cache whose writers are dead: those that can be locked."""
    for stray in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        if not stray.is_file():  # to open a pipe would wait for its other end
            continue
        with contextlib.suppress(OSError), stray.open("ab") as file:
            if try_lock(file):
                stray.unlink()


def _write_pixels(
    file: IO[bytes],
    fingerprint: str,
    shape: tuple[int, int, int],
    fill: Fill,
) -> Record:
    """The pixels with their header into an open file, forced to the disk."""
    count, crc = 0, 0
    file.write(bytes(_HEADER_BYTES))

    def write(pictures: np.ndarray) -> None:
        nonlocal count, crc
        content = pictures.tobytes()
        file.write(content)
        crc = zlib.crc32(content, crc)
        count += len(pictures)

    skipped = fill(write)
    file.seek(0)
    file.write(_header((count, *shape)))
    file.flush()
    os.fsync(file.fileno())
    status = os.fstat(file.fileno())
    return Record(FORMAT, fingerprint, (count, *shape), status.st_size, status.st_mtime_ns, crc, skipped)


def _header(shape: tuple[int, ...]) -> bytes:
    """The header of an .npy file (version 1.0) of uint8 in C order, always of the same length."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(_HEADER_BYTES - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("ascii")


def _record_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _read_record(path: Path) -> Record | None:
    """The record, if it is one of this format."""
    try:
        with places.opened("open_cache", _record_path(path)) as file:
            content = file.read(_MOST_RECORD_BYTES + 1)
        if len(content) > _MOST_RECORD_BYTES:
            return None
        raw: Any = json.loads(content)
        if raw["format"] != FORMAT:
            return None
        raw["shape"] = tuple(int(side) for side in raw["shape"])
        raw["skipped"] = tuple((str(name), str(reason)) for name, reason in raw["skipped"])
        record = Record(**raw)
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    return record if len(record.shape) == 4 and min(record.shape) > 0 else None


def _is_whole(path: Path, record: Record) -> bool:
    """Whether the pixels are those that were recorded."""
    try:
        with places.opened("open_cache", path) as file:
            status = os.fstat(file.fileno())
            if status.st_size != record.size_bytes or record.size_bytes != _HEADER_BYTES + math.prod(record.shape):
                return False
            if file.read(_HEADER_BYTES) != _header(record.shape):
                return False
            return status.st_mtime_ns == record.mtime_ns or _checksum(file) == record.crc32
    except (OSError, ValueError):
        return False


def _checksum(file: IO[bytes]) -> int:
    crc = 0
    while chunk := file.read(_READ_BYTES):
        crc = zlib.crc32(chunk, crc)
    return crc


def _make_room(where: str, path: Path, needed: int) -> None:
    """The folder exists and its disk has room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise OSError(
            f"{where}: the decoded pictures take {needed:,} bytes, but {path.parent} has {free:,} free; make room, "
            "give cache= on another disk, or a smaller size=(height, width)"
        )


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file beside the cache, open and locked for as long as this process writes it; gone if it is not renamed."""
    while True:
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        with temporary.open("xb") as file:
            # Between the making and the lock another process could take it for a stray, lock it and remove it. Where
            # the file system has no locks nobody can lock a stray, so none is removed.
            if not try_lock(file):
                time.sleep(0.1)
            if not temporary.exists():
                continue
            try:
                yield temporary, file
            finally:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
            return
