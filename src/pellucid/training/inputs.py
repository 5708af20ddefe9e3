"""What a `Solver` needs of its model and data, looked at once, before training."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import check
from pellucid.training.hooks import Hook
from pellucid.training.optim import RULES
from pellucid.training.weights import is_finite

KEYS = ("X_train", "y_train")
VALIDATION = ("X_val", "y_val")


def check_names(unknown: Mapping[str, Any], known: Iterable[str], update_rule: Any) -> None:
    """No argument that the Solver does not have, and a rule that exists."""
    if unknown:
        named = ", ".join(f'"{name}"{check.did_you_mean(name, known)}' for name in unknown)
        raise ValueError(f"Unrecognized arguments {named}")
    if not isinstance(update_rule, str) or update_rule not in RULES:
        hint = check.did_you_mean(update_rule, RULES)
        raise ValueError(f'Invalid update_rule "{update_rule}"{hint}; it must be one of {", ".join(RULES)}')


def check_model(model: Any) -> None:
    """The model has ``params``, a dictionary of float32 or float64 arrays, and ``loss``."""
    if not callable(getattr(model, "loss", None)):
        raise TypeError(f"Solver: model is a {type(model).__name__} without a method loss(X, y=None)")
    params = getattr(model, "params", None)
    if not isinstance(params, MutableMapping) or not params:
        raise TypeError("Solver: model.params must be a dictionary of arrays by name, with at least one")
    for name, array in params.items():
        if not isinstance(name, str):
            raise TypeError(f"Solver: model.params has the key {name!r}; the names of parameters must be strings")
        if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
            kind = f"an array of {array.dtype}" if isinstance(array, np.ndarray) else f"a {type(array).__name__}"
            raise TypeError(f"Solver: model.params[{name!r}] is {kind}; it must be an array of float32 or float64")
        if not is_finite(array):
            raise ValueError(f"Solver: model.params[{name!r}] holds NaN or infinity; start from finite weights")
    rng = getattr(model, "rng", None)
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise TypeError(f"Solver: model.rng is a {type(rng).__name__}; it must be a numpy.random.Generator or None")


def check_data(data: Any) -> tuple[Any, np.ndarray, Any, Any]:
    """X_train, y_train, X_val, y_val: finite images with a label from 0 upwards for each; the last two may be None."""
    known = (*KEYS, *VALIDATION)
    if not isinstance(data, Mapping):
        raise TypeError(f"Solver: data is a {type(data).__name__}; it must be a dictionary with {', '.join(known)}")
    has_validation = any(key in data for key in VALIDATION)
    for key in known if has_validation else KEYS:
        if key not in data:
            others = [str(other) for other in data if other not in known]
            hint = check.did_you_mean(key, others).replace("did you mean", "is it")
            raise ValueError(f"Solver: data lacks the key {key!r}{hint}; it has {', '.join(map(str, data)) or 'none'}")
    X_train = _images("X_train", data["X_train"])
    y_train = _labels("y_train", data["y_train"], "X_train", len(X_train))
    if not has_validation:
        return X_train, y_train, None, None
    X_val = _images("X_val", data["X_val"])
    y_val = _labels("y_val", data["y_val"], "X_val", len(X_val))
    if X_train.shape[1:] != X_val.shape[1:]:
        raise ValueError(
            f"Solver: X_val has images of shape {tuple(X_val.shape[1:])} but X_train of {tuple(X_train.shape[1:])}; "
            "prepare both in the same way"
        )
    return X_train, y_train, X_val, y_val


def check_loss(result: Any) -> tuple[float, Any]:
    """What ``model.loss(X, y)`` returned: one number, and the gradients by name."""
    if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], Mapping):
        raise TypeError(f"Solver: model.loss(X, y) returned a {type(result).__name__}; it must return (loss, grads)")
    loss = np.asarray(result[0])
    if loss.size != 1 or loss.dtype.kind not in "fiu":
        raise TypeError(f"Solver: the loss is an array of {loss.dtype} {loss.shape}; it must be one number")
    return float(loss.item()), result[1]


def check_count(name: str, value: Any) -> int | None:
    """None, or an integer from 1."""
    return None if value is None else check.whole_number("Solver", name, value, least=1)


def check_file(name: str, path: Any) -> str | None:
    """None, or where to write to, as a string."""
    if path is not None and not isinstance(path, str | os.PathLike):
        raise TypeError(f"Solver: {name} is a {type(path).__name__}; it must be a path")
    return None if path is None else os.fspath(path)


def check_folder(name: str, path: str | None) -> None:
    """The folder of a file to come exists and can be written to, which is better said before training than after it."""
    if path is None:
        return
    folder = Path(path).parent
    if not folder.is_dir():
        raise FileNotFoundError(
            f"Solver.train: {name} is {path!r}, but there is no folder {str(folder)!r}: make it first"
        )
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"Solver.train: {name} is {path!r}, but the folder {str(folder)!r} cannot be written to")


def check_callable(name: str, value: Any) -> Any:
    """None, or a function."""
    if value is not None and not callable(value):
        raise TypeError(f"Solver: {name} is a {type(value).__name__}; it must be a function or None")
    return value


def check_kind(name: str, value: Any, kind: type) -> Any:
    """None, or an instance of the class."""
    if value is not None and not isinstance(value, kind):
        given = f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
        raise TypeError(f"Solver: {name} is {given}; it must be {kind.__name__}(...) or None")
    return value


def check_schedule(schedule: Any, lr_decay: float) -> Any:
    """None, or a function, and then without a decay beside it."""
    if schedule is not None and lr_decay != 1:
        raise ValueError(f"Solver: schedule and lr_decay {lr_decay:g} both change the learning rate; use one of them")
    return check_callable("schedule", schedule)


def check_hooks(hooks: Any) -> tuple[Hook, ...]:
    """Instances of Hook, in a list or another sequence."""
    if isinstance(hooks, Hook) or not isinstance(hooks, Iterable):
        raise TypeError("Solver: hooks must be a list of Hook; put a single one into brackets")
    hooks = tuple(hooks)
    for i, hook in enumerate(hooks):
        if not isinstance(hook, Hook):
            kind = f"the class {hook.__name__}" if isinstance(hook, type) else f"a {type(hook).__name__}"
            raise TypeError(f"Solver: hooks[{i}] is {kind}; it must be an instance of a subclass of Hook")
    return hooks


def _images(name: str, X: Any) -> Any:
    """An array or an array-like, at least one image, finite numbers where they are floats in memory."""
    if not all(hasattr(X, attribute) for attribute in ("shape", "dtype", "__len__", "__getitem__")):
        raise TypeError(f"Solver: {name} is a {type(X).__name__}; it must be an array: convert it with np.asarray")
    if np.dtype(X.dtype).kind not in "fiu":
        raise TypeError(f"Solver: {name} has type {X.dtype}; images must be numbers, such as float32")
    if len(X.shape) < 2:
        raise ValueError(f"Solver: {name} has shape {tuple(X.shape)}; it must have an axis for the images, then theirs")
    if 0 in X.shape:
        raise ValueError(f"Solver: {name} is empty, with shape {tuple(X.shape)}; give at least one image")
    if isinstance(X, np.ndarray):  # other array-likes make their floats from bytes, which are finite
        check.all_finite("Solver", name, X)
    return X


def _labels(name: str, y: Any, images: str, N: int) -> np.ndarray:
    """N labels from 0 upwards. How many classes there are shows when the model gives its first scores."""
    y = np.asarray(y)
    if y.shape != (N,):
        raise ValueError(f"Solver: {name} has shape {y.shape}; it must be ({N},): one label for each of {images}")
    if y.dtype.kind not in "iu":
        raise TypeError(f"Solver: {name} has type {y.dtype}; labels must be integers: convert with {name}.astype(int)")
    if y.min() < 0:
        raise ValueError(f"Solver: {name}[{int(y.argmin())}] is {y.min()}; labels count the classes from 0 upwards")
    return y


def check_every(every: Any, path: str | None) -> int | None:
    """Steps between checkpoints, for which there must be a file."""
    count = check_count("checkpoint_every", every)
    if count and path is None:
        raise ValueError("Solver: checkpoint_every needs checkpoint_path, the file to write")
    return count


def check_parts(processes: int, batch_size: int, num_images: int, steps: int) -> None:
    """Every process has at least one image of each batch."""
    smallest = min(batch_size, num_images // steps)
    if smallest < processes:
        raise ValueError(
            f"Solver: {processes} processes share batches of {smallest} images (batch_size is {batch_size}, there are "
            f"{num_images:,} images); take larger batches or fewer processes"
        )
