"""The model file: one safetensors file is a whole model.

Its tensors are the network's parameters under their names (``conv1.w``), the running statistics
(``batchnorm1.running_mean``), and the mean and scale of the preprocessing (``preprocessing/mean``). Its metadata hold
``format``, ``format_version``, a SHA-256 of the whole file, and as JSON in ``model``: the network's steps
(`pellucid.models.description`), the classes, size and fit of pictures, the views of the evaluation, and how it was
trained. Any tool that knows safetensors reads it; nothing in it is run.

A file from a stranger is either a model or one clear error. What is taken of memory is at most some four times the
file's size and 100 MB: the header is checked before the numbers, and every shape before an array is made.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from pellucid import check, tensors
from pellucid.data.places import existing
from pellucid.files import write_atomically
from pellucid.models import Step
from pellucid.models.description import Plan, built, described, planned, statistics_of
from pellucid.shipping.model import Model
from pellucid.shipping.preprocessing import Preprocessing
from pellucid.training.views import Views

FORMAT = "pellucid-model"
FORMAT_VERSION = 1
MOST_BYTES = 2**31
MOST_HEADER_BYTES = 16_000_000
MOST_LETTERS = 500
"""Of what is said about a file."""
TYPES = ("F32", "F64", "F16")
KEYS = ("network", "classes", "preprocessing", "views", "training")
ARRAYS = ("mean", "scale")
BESIDE = "preprocessing/"
"""In front of the names of arrays that are not the network's: no step's name has a slash."""


class ModelFileError(ValueError):
    """A file that is not a sound model file."""


def save_model(path: str | os.PathLike[str], model: Model) -> None:
    """Write a ``model`` to ``path``, whole or not at all.

    Raises
    ------
    ValueError
        Parameters that are not finite, a step of one's own that cannot be written, a training record that is no JSON.
    OSError
        The file could not be written.
    """
    write_atomically(path, encoded(model))


def load_model(path: str | os.PathLike[str], steps: Iterable[type[Step]] = ()) -> Model:
    """Read a model file. Nothing in it is run, and sizes and shapes are checked before memory is taken.

    Parameters
    ----------
    path : str or path
    steps : classes that derive from Step
        The network's steps that are not the package's own; without them such a file is refused.

    Raises
    ------
    ModelFileError, a ValueError
        The file is damaged, of another kind, or of a newer version: which, and what to do.
    OSError
        The file cannot be read.
    """
    file = existing("load", "path", path)
    if file.is_dir():
        raise IsADirectoryError(
            f"load: {str(file)!r} is a folder; give the model file itself; a run has its own in RUN/model.safetensors"
        )
    own = list(steps)
    for step in own:
        if not (isinstance(step, type) and issubclass(step, Step)):
            raise TypeError(f"load: steps holds {step!r}; it must hold classes that derive from Step")
    try:
        return decoded(tensors.read_bytes(file, MOST_BYTES, MOST_HEADER_BYTES), str(file), own)
    except tensors.DamagedFile as error:
        raise _refused(str(file), str(error)) from None


def encoded(model: Model) -> list[Any]:
    """The file's content, as buffers in order."""
    arrays = dict(model.network.params) | statistics_of(model.network)
    for name, array in arrays.items():
        check.all_finite("save", name, array.reshape(-1))
    about: dict[str, Any] = {"network": described(model.network), "classes": list(model.classes)}
    if model.preprocessing is not None:
        how = model.preprocessing
        about["preprocessing"] = {"size": list(how.size), "channels": how.channels, "fit": how.fit}
        for name in ARRAYS:
            value = getattr(how, name)
            if isinstance(value, np.ndarray):
                arrays[BESIDE + name] = value.astype(np.float32)
            elif value is not None:
                about["preprocessing"][name] = float(value)
    if model.views is not None:
        about["views"] = dataclasses.asdict(model.views)
    about["training"] = dict(model.training)
    try:
        text = json.dumps(about, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"save: the training record is no plain data: {error}") from None
    return tensors.encoded(arrays, {"format": FORMAT, "format_version": str(FORMAT_VERSION), "model": text})


def decoded(data: bytes, name: str = "model", steps: Iterable[type[Step]] = ()) -> Model:
    """The model out of a file's content; ``name`` is for messages."""
    try:
        header = tensors.header_of(data)
        _check_kind(header.metadata)
        about = json.loads(header.metadata.get("model", ""))
        check.known_keys("its description", "model", about, KEYS, KEYS[:2])
        plan = _checked_promises(about, header, steps)
        if not tensors.digest_is_right(data, header.metadata.get(tensors.DIGEST, "")):
            raise tensors.DamagedFile("its content does not match its SHA-256")
        return _model(about, plan, tensors.arrays_of(data))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _refused(name, str(error) or type(error).__name__) from None


def _check_kind(metadata: dict[str, str]) -> None:
    """A model file of a version that is read here."""
    if metadata.get("format") != FORMAT:
        found = metadata.get("format")
        kinds = {"pellucid-checkpoint": "a checkpoint; make a model of its run: pellucid save RUN"}
        kinds |= {"pt": "a PyTorch state dictionary; read it with: pellucid import FILE OUT --like MODEL"}
        raise tensors.DamagedFile(f"it is {kinds.get(str(found), 'a safetensors file, but no model of pellucid')}")
    version = metadata.get("format_version", "")
    if version != str(FORMAT_VERSION):
        newer = version.isascii() and version.isdecimal() and len(version) < 9 and int(version) > FORMAT_VERSION
        advice = "a newer pellucid wrote it: upgrade this one" if newer else "there is no such version"
        raise tensors.DamagedFile(
            f"it has the format version {check.shown(version)}, and {FORMAT_VERSION} is read; {advice}"
        )


def _checked_promises(about: dict[str, Any], header: tensors.Header, steps: Iterable[type[Step]]) -> Plan:
    """The arrays that the header names are those of the network, before any is read."""
    for array, kind in header.types.items():
        if kind not in TYPES:
            found = check.shown(kind)
            raise ValueError(f"the array {array!r} has the type {found}; it must be one of {', '.join(TYPES)}")
    shapes = {name: shape for name, shape in header.shapes.items() if not name.startswith(BESIDE)}
    plan = planned("the network", about["network"], shapes, steps)
    others = header.shapes.keys() - shapes.keys() - {BESIDE + name for name in ARRAYS}
    if others:
        raise ValueError(f"there is no use for the array {min(others)!r}; take it out")
    return plan


def _model(about: dict[str, Any], plan: Plan, arrays: dict[str, np.ndarray]) -> Model:
    own = {name: array for name, array in arrays.items() if not name.startswith(BESIDE)}
    beside = {name.removeprefix(BESIDE): array for name, array in arrays.items() if name.startswith(BESIDE)}
    classes, training = about["classes"], about.get("training", {})
    if not isinstance(classes, list) or not isinstance(training, dict):
        raise ValueError("its classes must be a list and its training record an object")
    return Model(
        built("the network", plan, own),
        classes,
        _preprocessing(about.get("preprocessing"), beside),
        training,
        _views(about.get("views")),
    )


def _preprocessing(about: Any, arrays: dict[str, np.ndarray]) -> Preprocessing | None:
    if about is None:
        if arrays:
            raise ValueError(f"there is a {BESIDE}{min(arrays)} but no preprocessing")
        return None
    check.known_keys("its description", "preprocessing", about, ("size", "channels", "fit", *ARRAYS), ("size",))
    twice = arrays.keys() & about.keys()
    if twice:
        raise ValueError(f"preprocessing has a {min(twice)} both as a number and as an array")
    return Preprocessing(**about | arrays)


def _views(about: Any) -> Views | None:
    if about is None:
        return None
    check.known_keys("its description", "views", about, ("flip", "shift", "share"))
    return Views(**about)


def _refused(name: str, reason: str) -> ModelFileError:
    reason = reason if len(reason) <= MOST_LETTERS else f"{reason[:MOST_LETTERS]}..."  # it may repeat what it read
    return ModelFileError(f"{name}: not a sound model file: {reason}. Use another copy, or save the model again")
