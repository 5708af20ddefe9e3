"""Arrays by name and a few words about them, in a safetensors file with a digest.

The safetensors format is a length (8 bytes, little-endian), a JSON header with the type, shape and place of every
tensor, and the raw bytes: numbers only, nothing that runs. The header's metadata are strings; one of them here is a
SHA-256 of the whole file (taken with the digest's own 64 characters as zeros).

Files are written here rather than by the safetensors package, which as of 0.8 writes arrays that are not contiguous
with their bytes in the wrong order, and read through it, which checks the header against the file. The header is looked
at here before: how large it is, and what it promises.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_NO_DIGEST = "0" * 64
_TYPE_NAMES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}
DIGEST = "sha256"


class DamagedFile(ValueError):
    """The file is not what it should be; the text says why, without its name."""


class Header(NamedTuple):
    """What stands in front of the numbers."""

    metadata: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    types: dict[str, str]
    """As the format calls them: "F32"."""


def encoded(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str], *, digest: bool = True) -> list[Any]:
    """A file's content, as buffers in order; the metadata get a digest of everything."""
    tensors = {name: contiguous(name, array) for name, array in arrays.items()}
    # The widest types first, so that every tensor begins at a multiple of its item's size.
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata) | ({DIGEST: _NO_DIGEST} if digest else {})}
    end = 0
    for name in names:
        start, end = end, end + tensors[name].nbytes
        array = tensors[name]
        header[name] = {"dtype": _TYPE_NAMES[array.dtype.name], "shape": array.shape, "data_offsets": [start, end]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    head = len(head).to_bytes(8, "little") + head
    pieces = [tensors[name].reshape(-1).view(np.uint8).data for name in names]
    if not digest:
        return [head, *pieces]
    found = hashlib.sha256(head)
    for piece in pieces:
        found.update(piece)
    return [head.replace(_digest_field(_NO_DIGEST), _digest_field(found.hexdigest()), 1), *pieces]


def contiguous(name: str, array: np.ndarray) -> np.ndarray:
    """The same array with its bytes in C order and little-endian; itself where they are already."""
    if array.dtype.name not in _TYPE_NAMES:
        raise TypeError(f"{name}: arrays of {array.dtype} have no place in a safetensors file")
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def read_bytes(path: Path, most_bytes: int, most_header_bytes: int) -> bytes:
    """The content of a file that begins as a safetensors file of acceptable size does.

    Raises
    ------
    DamagedFile
        A pipe, too large, or another kind: said before the numbers are read.
    OSError
        The file is missing, a folder, or cannot be opened.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # it could keep us waiting, or never end
        raise DamagedFile("it is a pipe or a device, not a file")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > most_bytes:
            raise DamagedFile(f"it has {size:,} bytes, and no more than {most_bytes:,} are read")
        start = file.read(8)
        header_bytes = int.from_bytes(start, "little")
        if len(start) < 8 or header_bytes > size - 8:
            raise DamagedFile("it does not begin as a safetensors file does")
        if header_bytes > most_header_bytes:
            raise DamagedFile(f"its header has {header_bytes:,} bytes, and no more than {most_header_bytes:,} are read")
        return start + file.read(size - 8)


def header_of(data: bytes) -> Header:
    """The header, once it is sound: as many numbers as the file holds, of known types, and metadata that are strings.

    Raises
    ------
    DamagedFile
    """
    start = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + start])
        metadata = header.pop("__metadata__", {})
        shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
        types = {name: entry["dtype"] for name, entry in header.items()}
        strings = all(isinstance(value, str) for value in metadata.values())
        whole = all(type(size) is int and size >= 0 for shape in shapes.values() for size in shape)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFile(f"its header cannot be read: {str(error)[:200] or type(error).__name__}") from None
    if not strings or not whole or not all(isinstance(kind, str) for kind in types.values()):
        raise DamagedFile("its header is not that of a safetensors file")
    most = len(data) * 8  # the smallest types have a few bits
    if sum(_numbers(shape, most) for shape in shapes.values()) > most:
        raise DamagedFile("its header promises more numbers than the file holds")
    return Header(metadata, shapes, types)


def _numbers(shape: tuple[int, ...], most: int) -> int:
    """How many numbers an array of that shape has; ``most + 1`` where there are more.

    The product of thousands of integers of thousands of digits, which a header may hold, would take hours.
    """
    count = 1
    for size in shape:
        count = min(count * size, most + 1)
    return count


def arrays_of(data: bytes) -> dict[str, np.ndarray]:
    """The arrays, read by the safetensors package after it has checked every place and type.

    Raises
    ------
    DamagedFile
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedFile(f"it is not a whole safetensors file: {str(error)[:200]}") from None


def digest_is_right(data: bytes, digest: str) -> bool:
    """Whether the file, with zeros where the digest stands, has that digest."""
    before, field, after = memoryview(data), _digest_field(digest), memoryview(data)
    place = data.find(field)
    if len(digest) != len(_NO_DIGEST) or place < 0:
        return False
    found = hashlib.sha256(before[:place])
    found.update(_digest_field(_NO_DIGEST))
    found.update(after[place + len(field) :])
    return found.hexdigest() == digest


def _digest_field(digest: str) -> bytes:
    return f'"{DIGEST}": "{digest}"'.encode()
