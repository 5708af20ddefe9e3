"""The small examples that `pellucid.inspect.walk` walks through: the tutorial's own, and any sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from pellucid import check

WHERE = "walk"
PHOTO_SIZE = 20
"""Pixels on a side: a walk over more would be long, and its numbers too small to read."""


def _nothing() -> np.ndarray:
    return np.zeros(0)


DEFAULTS = {"height": 7, "width": 7, "channels": 1, "filters": 1, "size": 3, "stride": 1, "pad": 0, "dilation": 1}
MOST = {"height": 32, "width": 32, "channels": 8, "filters": 8, "size": 11, "stride": 16, "pad": 8, "dilation": 8}


@dataclass(frozen=True, eq=False)
class Example:
    """What one walk works on.

    Attributes
    ----------
    operation : str
        conv_forward, conv_backward, max_pool_forward or max_pool_backward.
    x : array (C, H, W)
    w, b : array (K, C, HH, WW), (K,)
        Of a convolution.
    pool : (int, int)
        Height and width of a pooling window.
    dout : array (K, H_out, W_out)
        Upstream gradient, for backward.
    symbols : mapping
        Names to show for the numbers of an array, row by row.
    """

    operation: str
    x: np.ndarray
    w: np.ndarray = field(default_factory=_nothing)
    b: np.ndarray = field(default_factory=_nothing)
    pool: tuple[int, int] = (2, 2)
    stride: int = 1
    pad: int = 0
    dilation: int = 1
    dout: np.ndarray = field(default_factory=_nothing)
    symbols: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)

    @property
    def is_convolution(self) -> bool:
        return self.operation.startswith("conv")

    @property
    def window(self) -> tuple[int, int, int]:
        """How many filters (pooling: channels), their height and width."""
        if self.is_convolution:
            return len(self.w), *self.w.shape[2:]
        return len(self.x), *self.pool


@cache
def examples_by_name() -> dict[str, Example]:
    """The tutorial's examples by name; the photograph is read when first asked for."""
    return {
        "volume": _volume(),
        "photograph": _photograph(),
        "pool": Example("max_pool_forward", POOLED, stride=2),
        "pool-gradient": Example("max_pool_backward", POOLED, stride=2, dout=np.array([[[2.0, 8], [4, 6]]])),
        "rotated": _rotated(),
    }


POOLED = np.array([[[9.0, 1, 2, 3], [4, 5, 6, 8], [1, 7, 2, 3], [0, 4, 9, 5]]])
"""Its largest numbers stand where the tutorial's gradient 2, 8, 4, 6 goes."""


def _volume() -> Example:
    """11 x 11 x 4 numbers, two filters of 5 x 5, stride 2, no padding: the first worked example."""
    draw = np.random.default_rng(11)
    x = draw.integers(0, 4, (4, 11, 11)).astype(float)
    w = draw.integers(-1, 2, (2, 4, 5, 5)).astype(float)
    return Example("conv_forward", x, w, np.array([1.0, 0]), stride=2)


def _photograph() -> Example:
    """A small photograph, the filter that makes it grey, and the one that finds horizontal edges in blue."""
    from pellucid.inspect.photographs import bundled_photographs, photograph_filters, square_photo

    _, flower = bundled_photographs()
    small = np.rint(square_photo(flower, PHOTO_SIZE)).astype(float).transpose(2, 0, 1)
    w, b = photograph_filters()
    return Example("conv_forward", small, np.asarray(w, float), np.asarray(b, float), pad=1)


def _rotated() -> Example:
    """The gradient for 3 x 3 numbers of a 2 x 2 filter: dout, padded, by the filter turned by 180 degrees."""
    x = np.arange(1.0, 10).reshape(1, 3, 3)
    w = np.array([[[[1.0, 2], [3, 4]]]])
    names = (("11", "12"), ("21", "22"))
    symbols = {
        "dout": [[f"δ{at}" for at in row] for row in names],
        "w": [[f"w{at}" for at in row] for row in names],
    }
    return Example("conv_backward", x, w, np.zeros(1), dout=np.array([[[1.0, 3], [2, -1]]]), symbols=symbols)


def free_example(request: dict[str, Any]) -> Example:
    """Small integers of the sizes that were asked for; always the same for the same sizes."""
    check.known_keys(WHERE, "request", request, ("operation", *DEFAULTS))
    given = DEFAULTS | request
    for name, most in MOST.items():
        least = 0 if name == "pad" else 1
        number = check.whole_number(WHERE, name, given[name], least=least)
        if number > most:
            raise ValueError(f"{WHERE}: {name} is {number}; at most {most} fit on a page")
        given[name] = number
    operation = given["operation"]
    is_convolution = operation.startswith("conv")
    if not is_convolution:  # a pooling window has none of these
        given |= {"pad": 0, "dilation": 1, "filters": given["channels"]}
    H, W, C, K, F = (given[name] for name in ("height", "width", "channels", "filters", "size"))
    how = {"stride": given["stride"], "pad": given["pad"], "dilation": given["dilation"]}
    out_size = check.window_fits(WHERE, "the window", (H, W), (F, F), how["stride"], how["pad"], how["dilation"])
    draw = np.random.default_rng([H, W, C, K, F])
    x = draw.integers(0, 10, (C, H, W)).astype(float)
    dout = draw.integers(-3, 4, (K, *out_size)).astype(float)
    if not is_convolution:
        return Example(operation, x, pool=(F, F), dout=dout, **how)
    w = draw.integers(-2, 3, (K, C, F, F)).astype(float)
    return Example(operation, x, w, draw.integers(-2, 3, K).astype(float), dout=dout, **how)
