"""Argument checks: the one home of error messages.

Every check takes ``where`` first, the name of the public function that was called, and a message names that function,
the argument, what it got, what it needs and what to do. ``ValueError`` for values and shapes, ``TypeError`` for kinds.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.shapes import output_size, span

LONGEST_WORD = 100
"""A longer one is not a word that was misspelt; to compare it would take its length squared."""


LARGEST_FLOAT = int(np.finfo(np.float64).max)


def did_you_mean(word: object, options: Iterable[str]) -> str:
    """`` (did you mean 'stride'?)`` where one of the options is close to the word, else nothing."""
    if len(str(word)) > LONGEST_WORD:
        return ""
    close = difflib.get_close_matches(str(word), list(options), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def shown(value: object) -> str:
    """The value in a message: as it is written in Python, cut where it is long."""
    if isinstance(value, int) and abs(value) > LARGEST_FLOAT:
        return "a huge integer"  # Python refuses to write the digits of the largest
    text = repr(value[: LONGEST_WORD + 1] if isinstance(value, str) else value)
    return text if len(text) <= LONGEST_WORD + 2 else f"{text[:LONGEST_WORD]}..."


def one_of(where: str, name: str, value: Any, options: Sequence[str]) -> None:
    """The value is one of a few words."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(
            f"{where}: {name} is {shown(value)}; it must be one of {', '.join(options)}{did_you_mean(value, options)}"
        )


def flag(where: str, name: str, value: Any) -> bool:
    """True or False, and nothing that only counts as one of them."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{where}: {name} is {value!r}; it must be True or False")
    return bool(value)


def known_keys(
    where: str, name: str, given: Mapping[str, Any], allowed: Sequence[str], required: Sequence[str] = ()
) -> None:
    """The dictionary has every required key and none that we do not know."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{where}: {name} is a {type(given).__name__}; it must be a dictionary")
    for key in given:
        if key not in allowed:
            hint = did_you_mean(key, allowed)
            raise ValueError(f"{where}: {name} has the unknown key {shown(key)}{hint}; it knows {', '.join(allowed)}")
    for key in required:
        if key not in given:
            raise ValueError(f"{where}: {name} lacks the key {key!r}; it has {', '.join(map(str, given)) or 'none'}")


def whole_number(where: str, name: str, value: Any, least: int = 0) -> int:
    """The value is an integer, at least so large. Returns it as a Python int."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(
            f"{where}: {name} is {shown(value)}, a {type(value).__name__}; it must be an integer, such as "
            f"{max(least, 1)}"
        )
    if value < least:
        raise ValueError(f"{where}: {name} is {shown(int(value))}; it must be at least {least}")
    return int(value)


def number(
    where: str, name: str, value: Any, least: float = -np.inf, most: float = np.inf, above: float = -np.inf
) -> float:
    """The value is a finite number within bounds. Returns it as a Python float.

    A Python float never changes an array's type, where a NumPy float64 scalar would make float32 arrays float64.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{where}: {name} is {shown(value)}, a {type(value).__name__}; it must be a number")
    if isinstance(value, int) and abs(value) > LARGEST_FLOAT:
        raise ValueError(f"{where}: {name} is {shown(value)}, which is larger than any floating number")
    if not (np.isfinite(value) and least <= value <= most and value > above):
        bounds = [
            f"above {above:g}" if above > -np.inf else "",
            f"at least {least:g}" if least > -np.inf else "",
            f"at most {most:g}" if most < np.inf else "",
        ]
        raise ValueError(f"{where}: {name} is {value}; it must be {' and '.join(filter(None, bounds)) or 'finite'}")
    return float(value)


def floats(where: str, **arrays: Any) -> list[np.ndarray]:
    """The arrays in one floating type: float64 if any of them is float64, else float32 if any is, else float64.

    So float32 stays float32 from end to end, integers (a bias of ``[0, 128]``, bytes of an image) follow the floats
    beside them, and an array that has the type already is not copied.
    """
    found = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in found.items():
        if array.dtype.kind not in "fiu" or (array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8)):
            raise TypeError(
                f"{where}: {name} has type {array.dtype}; it must be float32 or float64: convert it with "
                f"{name}.astype(np.float32)"
            )
    types = [array.dtype.newbyteorder("=") for array in found.values() if array.dtype.kind == "f"]
    dtype = np.result_type(*types) if types else np.dtype(np.float64)
    return [array.astype(dtype, copy=False) for array in found.values()]


def shape(where: str, name: str, array: np.ndarray, needed: tuple[int, ...], why: str) -> None:
    """The array has exactly this shape; ``why`` says where the shape comes from."""
    if array.shape != needed:
        raise ValueError(f"{where}: {name} has shape {array.shape}; it must be {needed}: {why}")


def not_empty(where: str, name: str, array: np.ndarray) -> None:
    """No axis of the array has length zero."""
    if array.size == 0:
        raise ValueError(f"{where}: {name} is empty, with shape {array.shape}; give at least one of each")


def images(where: str, name: str, x: np.ndarray) -> None:
    """A batch of images, (N, C, H, W), with at least one of each."""
    if x.ndim != 4:
        raise ValueError(
            f"{where}: {name} has shape {x.shape}; it must have four axes (N, C, H, W): images, channels, height, width"
        )
    not_empty(where, name, x)


def rows(where: str, name: str, x: np.ndarray) -> None:
    """A batch of flat vectors, (N, D), with at least one of each."""
    if x.ndim != 2:
        raise ValueError(f"{where}: {name} has shape {x.shape}; it must have two axes (N, D): samples and features")
    not_empty(where, name, x)


def upstream(where: str, dout: Any, like: np.ndarray, needed: tuple[int, ...]) -> np.ndarray:
    """The upstream gradient: the shape of the forward pass's output, in the forward pass's type."""
    dout = np.asarray(dout)
    if dout.dtype.kind not in "fiu":
        raise TypeError(f"{where}: dout has type {dout.dtype}; it must be {like.dtype}, as the forward pass was")
    shape(where, "dout", dout, needed, "the shape of the forward pass's output")
    return dout.astype(like.dtype, copy=False)


def window_fits(
    where: str,
    name: str,
    size: tuple[int, int],
    window: tuple[int, int],
    stride: int,
    pad: int = 0,
    dilation: int = 1,
) -> tuple[int, int]:
    """The window is no larger than the padded image. Returns the output's height and width."""
    (H, W), (HH, WW) = size, window
    H_out, W_out = output_size(H, HH, stride, pad, dilation), output_size(W, WW, stride, pad, dilation)
    if H_out < 1 or W_out < 1:
        spread = f", {span(HH, dilation)}x{span(WW, dilation)} with dilation {dilation}" if dilation > 1 else ""
        raise ValueError(
            f"{where}: {name} is {HH}x{WW}{spread}, larger than the {H + 2 * pad}x{W + 2 * pad} image "
            f"({H}x{W} with pad {pad}); use a smaller one or more padding"
        )
    return H_out, W_out


def labels(where: str, name: str, y: Any, N: int, num_classes: int) -> np.ndarray:
    """N integer labels from 0 to num_classes - 1."""
    y = np.asarray(y)
    if y.dtype.kind not in "iu":
        raise TypeError(f"{where}: {name} has type {y.dtype}; labels must be integers: convert with {name}.astype(int)")
    shape(where, name, y, (N,), f"one label for each of the {N} samples")
    if y.size and (y.min() < 0 or y.max() >= num_classes):
        wrong = int(np.flatnonzero((y < 0) | (y >= num_classes))[0])
        raise ValueError(
            f"{where}: {name}[{wrong}] is {y[wrong]}; for {num_classes} classes it must be from 0 to {num_classes - 1}"
        )
    return y


def all_finite(where: str, name: str, array: np.ndarray, block: int = 1024) -> None:
    """No NaN and no infinity. Looks at ``block`` rows at a time, so that a large array needs no large mask."""
    if array.dtype.kind != "f":
        return
    for start in range(0, len(array), block):
        good = np.isfinite(array[start : start + block])
        if not good.all():
            index = np.argwhere(~good)[0]
            index[0] += start
            place = tuple(int(i) for i in index)
            raise ValueError(
                f"{where}: {name} holds {array[place]} at {place}; clean the data or leave that sample out"
            )


def fraction(where: str, name: str, value: Any) -> float:
    """The value is at least 0 and below 1, as a momentum or a share is. Returns it as a Python float."""
    value = number(where, name, value, least=0)
    if value >= 1:
        raise ValueError(f"{where}: {name} is {value:g}; it must be at least 0 and below 1")
    return value
