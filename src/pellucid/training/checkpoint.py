"""The checkpoint file: nested plain data with arrays, as one safetensors file with a digest (`pellucid.tensors`).

Any tool that knows the format can read the weights, under names such as ``params/W1``. What is not an array stands as
JSON in the header's metadata, together with the version of this arrangement.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import tensors
from pellucid.files import write_atomically

FORMAT = "pellucid-checkpoint"
FORMAT_VERSION = 1
_MOST_HEADER_BYTES = 100_000_000  # safetensors' own limit
_MOST_BYTES = 2**40
_TENSOR = "$tensor"  # in the JSON, {"$tensor": name} stands for the array of that name


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
    try:
        data = tensors.read_bytes(path, _MOST_BYTES, _MOST_HEADER_BYTES)
    except tensors.DamagedFile as error:
        raise _damaged(path, str(error)) from None
    return decode(data, path)


def encode(tree: dict[str, Any]) -> list[Any]:
    """The file's content, as buffers in order."""
    arrays: dict[str, np.ndarray] = {}
    state = json.dumps(_without_arrays(tree, "", arrays), allow_nan=False)
    metadata = {"format": FORMAT, "format_version": str(FORMAT_VERSION), "state": state}
    return tensors.encoded(arrays, metadata)


def decode(data: bytes, path: Path) -> dict[str, Any]:
    """The nested data out of a file's content; ``path`` is for the messages."""
    try:
        metadata = tensors.header_of(data).metadata
        arrays = tensors.arrays_of(data)
    except tensors.DamagedFile as error:
        raise _damaged(path, str(error)) from None
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
    if not tensors.digest_is_right(data, metadata.get(tensors.DIGEST, "")):
        raise _damaged(path, "its content does not match its SHA-256")
    try:
        tree = _with_arrays(json.loads(metadata["state"]), arrays)
    except (KeyError, ValueError, RecursionError) as error:
        raise _damaged(path, f"its description cannot be read: {error}") from None
    if not isinstance(tree, dict):
        raise _damaged(path, "its description is not a dictionary")
    return tree


def _without_arrays(value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
    """The same nested data with names in place of arrays, which are put into ``arrays``."""
    if isinstance(value, np.ndarray):
        if place in arrays:
            raise ValueError(f"save_checkpoint: two arrays would have the name {place!r}; rename a parameter")
        arrays[place] = tensors.contiguous("save_checkpoint", value)
        return {_TENSOR: place}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"save_checkpoint: {place or 'tree'} has keys that are not strings: {list(value)}")
        return {key: _without_arrays(item, f"{place}/{key}" if place else key, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, f"{place}/{i}", arrays) for i, item in enumerate(value)]
    return value


def _with_arrays(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The reverse of ``_without_arrays``. The arrays are read-only."""
    if isinstance(value, dict):
        if isinstance(value.get(_TENSOR), str):
            return arrays[value[_TENSOR]]
        return {key: _with_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_arrays(item, arrays) for item in value]
    return value


def _damaged(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: not a sound checkpoint: {what}. It may have been cut short or changed on its way, or be of another "
        "kind (pickles are not read: they can run code). Use an earlier checkpoint or a new copy of this one"
    )
