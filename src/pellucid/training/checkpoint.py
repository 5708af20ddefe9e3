"""The checkpoint file: nested plain data with arrays, as one safetensors file with a digest.

The safetensors format is a length (8 bytes, little-endian), a JSON header with the type, shape and place of every
tensor, and the raw bytes: numbers only, nothing that runs. Any tool that knows the format can read the weights, under
names such as ``params/W1``. What is not an array stands as JSON in the header's metadata, together with the version of
this arrangement and a SHA-256 of the whole file (taken with the digest's own 64 characters as zeros).

Files are written here rather than by the safetensors package, which as of 0.8 writes arrays that are not contiguous
with their bytes in the wrong order, and read through it, which checks the header against the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.files import write_atomically

FORMAT = "pellucid-checkpoint"
FORMAT_VERSION = 1
_NO_DIGEST = "0" * 64
_MOST_HEADER_BYTES = 100_000_000  # safetensors' own limit
_TENSOR = "$tensor"  # in the JSON, {"$tensor": name} stands for the array of that name

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


class CheckpointError(ValueError):
    """A file that is not a whole and sound checkpoint, or one of another run."""


def save_checkpoint(path: str | os.PathLike[str], tree: dict[str, Any]) -> None:
    """Write nested plain data whole or not at all.

    Parameters
    ----------
    path : str or path
        Where to; the usual ending is ``.safetensors``.
    tree : dict
        Dictionaries with string keys, lists, arrays, strings, finite numbers, True, False and None.

    Raises
    ------
    OSError
        The file could not be written: see `pellucid.files.write_atomically`.
    """
    write_atomically(path, encode(tree))


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, after a look at its digest. Nothing in the file is run.

    Raises
    ------
    CheckpointError
        The file is damaged, of another kind, or of a newer version.
    OSError
        The file cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(8)
        header_bytes = int.from_bytes(start, "little")
        if len(start) < 8 or header_bytes > min(_MOST_HEADER_BYTES, path.stat().st_size - 8):
            raise _damaged(path, "it does not begin as a safetensors file does")
        data = start + file.read()
    return decode(data, path)


def encode(tree: dict[str, Any]) -> list[Any]:
    """The file's content, as buffers in order."""
    tensors: dict[str, np.ndarray] = {}
    state = json.dumps(_without_arrays(tree, "", tensors), allow_nan=False)
    # The widest types first, so that every tensor begins at a multiple of its item's size.
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    metadata = {"format": FORMAT, "format_version": str(FORMAT_VERSION), "sha256": _NO_DIGEST, "state": state}
    header: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name in names:
        start, end = end, end + tensors[name].nbytes
        array = tensors[name]
        header[name] = {"dtype": _TYPE_NAMES[array.dtype.name], "shape": array.shape, "data_offsets": [start, end]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    head = len(head).to_bytes(8, "little") + head

    pieces = [tensors[name].reshape(-1).view(np.uint8).data for name in names]
    digest = hashlib.sha256(head)
    for piece in pieces:
        digest.update(piece)
    return [head.replace(_digest_field(_NO_DIGEST), _digest_field(digest.hexdigest()), 1), *pieces]


def decode(data: bytes, path: Path) -> dict[str, Any]:
    """The nested data out of a file's content; ``path`` is for the messages."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (SafetensorError, ValueError, KeyError) as error:
        raise _damaged(path, f"it is not a whole safetensors file: {error}") from None
    metadata = header.get("__metadata__", {})
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: a safetensors file, but not a checkpoint of pellucid; give one that the Solver has written"
        )
    version = metadata.get("format_version", "")
    if version != str(FORMAT_VERSION):
        newer = version.isdecimal() and int(version) > FORMAT_VERSION
        advice = "a newer pellucid wrote it: upgrade this one to read it" if newer else "there is no such version"
        raise CheckpointError(
            f"{path}: a checkpoint of format version {version!r}, and this pellucid reads {FORMAT_VERSION}; {advice}"
        )
    if not _digest_is_right(data, metadata.get("sha256", "")):
        raise _damaged(path, "its content does not match its SHA-256")
    try:
        tree = _with_arrays(json.loads(metadata["state"]), tensors)
    except (KeyError, ValueError, RecursionError) as error:
        raise _damaged(path, f"its description cannot be read: {error}") from None
    if not isinstance(tree, dict):
        raise _damaged(path, "its description is not a dictionary")
    return tree


def contiguous(array: np.ndarray) -> np.ndarray:
    """The same array with its bytes in C order and little-endian; itself where they are already."""
    if array.dtype.name not in _TYPE_NAMES:
        raise TypeError(f"save_checkpoint: arrays of {array.dtype} have no place in a safetensors file")
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _without_arrays(value: Any, place: str, tensors: dict[str, np.ndarray]) -> Any:
    """The same nested data with names in place of arrays, which are put into ``tensors``."""
    if isinstance(value, np.ndarray):
        if place in tensors:
            raise ValueError(f"save_checkpoint: two arrays would have the name {place!r}; rename a parameter")
        tensors[place] = contiguous(value)
        return {_TENSOR: place}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"save_checkpoint: {place or 'tree'} has keys that are not strings: {list(value)}")
        return {key: _without_arrays(item, f"{place}/{key}" if place else key, tensors) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, f"{place}/{i}", tensors) for i, item in enumerate(value)]
    return value


def _with_arrays(value: Any, tensors: dict[str, np.ndarray]) -> Any:
    """The reverse of ``_without_arrays``. The arrays are read-only."""
    if isinstance(value, dict):
        if isinstance(value.get(_TENSOR), str):
            return tensors[value[_TENSOR]]
        return {key: _with_arrays(item, tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_arrays(item, tensors) for item in value]
    return value


def _digest_field(digest: str) -> bytes:
    return f'"sha256": "{digest}"'.encode()


def _digest_is_right(data: bytes, digest: str) -> bool:
    """Whether the file, with zeros where the digest stands, has that digest."""
    before, field, after = memoryview(data), _digest_field(digest), memoryview(data)
    place = data.find(field)
    if len(digest) != len(_NO_DIGEST) or place < 0:
        return False
    found = hashlib.sha256(before[:place])
    found.update(_digest_field(_NO_DIGEST))
    found.update(after[place + len(field) :])
    return found.hexdigest() == digest


def _damaged(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: not a sound checkpoint: {what}. It may have been cut short or changed on its way, or be of another "
        "kind (pickles are not read: they can run code). Use an earlier checkpoint or a new copy of this one"
    )
