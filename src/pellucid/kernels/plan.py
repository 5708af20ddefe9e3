"""Which algorithm computes a convolution: an ordered list of candidates, the first that suits is taken.

The last candidate of every list, `direct`, takes everything. Whoever needs the smaller rounding error of direct sums
says so: ``conv_param["algorithm"] = "direct"``, or `PELLUCID_ALGORITHM=direct` for a whole process.

`pellucid explain conv N,C,H,W F,C,HH,WW` prints what this file decides, and why.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

from pellucid.kernels.geometry import Geometry
from pellucid.kernels.processor import VECTOR_BYTES, lanes

SETTING = "PELLUCID_ALGORITHM"
DIRECTIONS = ("forward", "input_gradient", "filter_gradient")
ALGORITHMS = ("winograd", "depthwise", "scatter", "direct")

WINOGRAD_SAVES = 1.0
"""Multiplications that direct convolution must need for each of Winograd's, or the transforms cost more than they save.

Tiles that hang over the edge of a small image make the saving smaller than 4. `benchmarks/plan_thresholds.py` chose
it."""
WINOGRAD_TILES = 32
"""Tiles below which transforming the filters takes longer than the multiplications. The same benchmark chose it."""
GRADIENT_TILES = 64
"""The same for the gradient of the filters, whose sums are transformed back. The same benchmark chose it."""
PREPARED_TILES = 16
"""The same where the filters have been transformed before: then they must be read, four times as many numbers."""
SCATTER_NUMBERS = 48
"""Most numbers in a row of a filter's taps (WW * C): more fill a register tile of the sweep just as well."""


class Candidate(NamedTuple):
    """An algorithm, why it is good where it suits, and why it can't compute a convolution (None: it can)."""

    name: str
    merit: str
    unable: Callable[[str, Geometry, np.dtype], str | None]
    slow: Callable[[str, Geometry, bool], str | None]
    """The same for what it could compute, but not fast; nobody asks this of an algorithm that was asked for."""


class Choice(NamedTuple):
    """What was decided for one direction of a convolution."""

    algorithm: str
    reasons: tuple[tuple[str, str], ...]
    """For every candidate that was asked, in order: its name and what it said."""


def _winograd(direction: str, g: Geometry, dtype: np.dtype) -> str | None:
    if (g.HH, g.WW) not in ((3, 3), (5, 5)) or (g.stride, g.dilation, g.groups) != (1, 1, 1):
        return "needs 3 x 3 or 5 x 5 filters, stride 1, dilation 1, one group"
    if dtype != np.float32:
        return "its rounding error would waste float64"
    if VECTOR_BYTES == 0 and not numba.config.DISABLE_JIT:
        return "needs vector instructions"
    LANES = lanes(dtype)
    if g.C < LANES or g.F < LANES:
        return f"needs at least {LANES} channels and filters, a vector register full"
    if direction == "filter_gradient" and g.F % LANES:
        return f"needs a multiple of {LANES} filters"
    return None


def _slow_winograd(direction: str, g: Geometry, prepared: bool) -> str | None:
    H, W = (g.H, g.W) if direction == "input_gradient" else (g.H_out, g.W_out)
    results = 7 - g.HH  # a tile sees 6 x 6 pixels
    tiles = g.N * -(-H // results) * -(-W // results)
    least = GRADIENT_TILES if direction == "filter_gradient" else PREPARED_TILES if prepared else WINOGRAD_TILES
    if tiles < least:
        return f"{tiles} tiles, fewer than {least}: the transformed filters would cost more than they save"
    saves = g.HH * g.WW * g.N * H * W / (36 * tiles)
    if saves < WINOGRAD_SAVES:
        return f"saves {saves:.1f} times the multiplications, less than {WINOGRAD_SAVES}: the image leaves tiles empty"
    return None


def _depthwise(direction: str, g: Geometry, dtype: np.dtype) -> str | None:
    if g.groups == 1 or not g.groups == g.C == g.F:
        return "needs as many groups as channels and filters"
    return None


def _scatter(direction: str, g: Geometry, dtype: np.dtype) -> str | None:
    if direction != "input_gradient":
        return "is for the gradient of the input"
    if (g.dilation, g.groups) != (1, 1):
        return "needs dilation 1 and one group"
    LANES = lanes(dtype)
    if g.C * g.WW > SCATTER_NUMBERS or LANES <= g.C:
        return f"needs few channels: less than {LANES}, and at most {SCATTER_NUMBERS} numbers in a row of taps"
    return None


def _direct(direction: str, g: Geometry, dtype: np.dtype) -> str | None:
    return None


def _never_slow(direction: str, g: Geometry, prepared: bool) -> str | None:
    return None


CANDIDATES = (
    Candidate("winograd", "suits: up to four times fewer multiplications", _winograd, _slow_winograd),
    Candidate(
        "depthwise", "suits: vectors run along the channels, none of which sees another", _depthwise, _never_slow
    ),
    Candidate(
        "scatter", "suits: fills registers with a row of taps, as there are too few channels", _scatter, _never_slow
    ),
    Candidate(
        "direct",
        "takes every convolution: a matrix product over the windows, without copying them",
        _direct,
        _never_slow,
    ),
)


def choose(
    direction: str, g: Geometry, dtype: np.dtype, algorithm: str | None = None, prepared: bool = False
) -> Choice:
    """The algorithm for one direction of a convolution.

    algorithm : what the caller asks for, instead of the environment's setting and of the first that suits, even where
        it is slow; a direction that it can't compute is computed directly
    prepared : the filters have been laid out before
    """
    return _choose(direction, g, np.dtype(dtype), algorithm or os.environ.get(SETTING) or None, prepared)


@functools.lru_cache(maxsize=2048)
def _choose(direction: str, g: Geometry, dtype: np.dtype, asked: str | None, prepared: bool) -> Choice:
    if asked is not None and asked not in ALGORITHMS:
        raise ValueError(f"{SETTING} is {asked!r}; it must be one of {', '.join(ALGORITHMS)}")
    reasons = []
    for candidate in CANDIDATES:
        if asked is not None and candidate.name not in (asked, "direct"):
            reasons.append((candidate.name, f"{asked} was asked for"))
            continue
        objection = candidate.unable(direction, g, dtype)
        if objection is None and asked is None:
            objection = candidate.slow(direction, g, prepared)
        reasons.append((candidate.name, objection or candidate.merit))
        if objection is None:
            break
    return Choice(reasons[-1][0], tuple(reasons))
