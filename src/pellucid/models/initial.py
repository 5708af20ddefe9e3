"""How weights start.

    he        normal, variance 2 / fan_in: keeps the size of activations through ReLUs (arXiv:1502.01852)
    lecun     normal, variance 1 / fan_in: keeps it without an activation
    uniform   evenly within +-1 / sqrt(fan_in), PyTorch's start
    dirac     filters of a convolution: the first ones hand the channels on as they are, the others are uniform
    a number  normal with this standard deviation
    function  init(shape, rng) -> array

fan_in is how many numbers a result is made of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from pellucid import check, draws

Initial = str | float | Callable[[tuple[int, ...], Any], np.ndarray]
NAMES = ("he", "lecun", "uniform")
_all_zeros = ContextVar("all_zeros", default=False)


@contextmanager
def zeros() -> Iterator[None]:
    """While this lasts, weights start at zero whatever was asked for: the network gets its weights from elsewhere."""
    token = _all_zeros.set(True)
    try:
        yield
    finally:
        _all_zeros.reset(token)


def checked(where: str, init: Any, names: tuple[str, ...] = NAMES) -> Any:
    """One of the words, a standard deviation, or a function."""
    if callable(init):
        return init
    if isinstance(init, str):
        check.one_of(where, "init", init, names)
        return init
    return check.number(where, "init", init, least=0)


def weights(where: str, init: Any, shape: tuple[int, ...], fan_in: int, rng: draws.Generator | None) -> np.ndarray:
    """Weights of the shape at their start, float64."""
    if _all_zeros.get():
        return np.zeros(shape)
    if callable(init):
        array = np.array(init(shape, rng), dtype=np.float64)
        check.shape(where, "the result of init", array, shape, "the shape that init was called with")
        return array
    if init in ("uniform", "dirac"):
        return (2 * draws.uniform(rng, shape) - 1) / math.sqrt(fan_in)
    deviation = {"he": math.sqrt(2 / fan_in), "lecun": math.sqrt(1 / fan_in)}.get(init, init)
    return deviation * draws.normal(rng, shape)


def hand_channels_on(w: np.ndarray, groups: int) -> None:
    """Make the first filters of each group of w (F, C / groups, HH, WW) the identity on its channels, in place.

    (Zagoruyko and Komodakis 2017, arXiv:1706.00388.)
    """
    F, C, HH, WW = w.shape
    for group in range(groups):
        first = group * (F // groups)
        for channel in range(min(F // groups, C)):
            w[first + channel] = 0
            w[first + channel, channel, HH // 2, WW // 2] = 1
