"""The processor that kernels are compiled for: how wide its vectors are, and the register tile that suits them.

Everything is decided once, when this module is imported. `PELLUCID_VECTOR_BYTES` forces a width: 64 (AVX-512), 32
(AVX2), 16 (NEON, SSE) or 0 (no explicit vectors: plain loops, which any processor runs).
"""

from __future__ import annotations

import os
from typing import NamedTuple

import llvmlite.binding as llvm
import numba
import numpy as np

VECTOR_SETTING = "PELLUCID_VECTOR_BYTES"
ALIGNMENT = 64
"""Bytes. Vector loads that straddle two cache lines run at half speed, so buffers start on a line."""


class Tile(NamedTuple):
    """The block of results that one call of the building block keeps in registers."""

    rows: int
    vectors: int


TILES = {64: Tile(8, 2), 32: Tile(6, 2), 16: Tile(6, 2), 0: Tile(4, 1)}
"""Rows and vectors of a register tile by vector width in bytes; `benchmarks/register_tile.py` chose them.

AVX-512 has 32 registers and needs 8 sums in flight to keep both multipliers busy: 8 x 2 is enough, and 32 columns
suit the usual numbers of filters. AVX2 has 16 registers: 6 x 2 + 2 + 1 = 15.
"""

WIDE_TILES = {64: Tile(6, 4), 32: Tile(6, 2), 16: Tile(6, 2), 0: Tile(4, 1)}
"""For Winograd's products, whose rows can be any number of tiles: with 64 columns, fewer numbers of a are spread a
sum."""


TALL_TILES = {64: Tile(10, 2), 32: Tile(6, 2), 16: Tile(6, 2), 0: Tile(4, 1)}
"""For products of matrices: 10 rows divide batches of 50 and 100, and spread each row of b over more products."""


def vector_bytes() -> int:
    """Width of a vector register in bytes: 64, 32, 16, or 0 for plain loops."""
    if numba.config.DISABLE_JIT:
        return 0
    forced = os.environ.get(VECTOR_SETTING)
    if forced is not None:
        if forced not in {"0", "16", "32", "64"}:
            raise ValueError(
                f"{VECTOR_SETTING} is {forced!r}; it must be 64 (AVX-512), 32 (AVX2), 16 (NEON) or 0 (plain)"
            )
        return int(forced)
    features = _features()
    if "avx512f" in features:
        return 64
    if "avx2" in features and "fma" in features:
        return 32
    if "neon" in features:
        return 16
    return 0


def _features() -> set[str]:
    """What the code generator may use: the processor's features, or those that NUMBA_CPU_FEATURES names."""
    if numba.config.CPU_NAME == "generic":
        return set()
    if numba.config.CPU_FEATURES:
        return {name[1:] for name in numba.config.CPU_FEATURES.split(",") if name.startswith("+")}
    return {name for name, there in llvm.get_host_cpu_features().items() if there}


VECTOR_BYTES = vector_bytes()
ROWS, VECTORS = TILES[VECTOR_BYTES]
WIDE_ROWS, WIDE_VECTORS = WIDE_TILES[VECTOR_BYTES]
TALL_ROWS, _ = TALL_TILES[VECTOR_BYTES]


def lanes(dtype: np.dtype | type) -> int:
    """How many numbers of this type a vector register holds."""
    return (VECTOR_BYTES or 32) // np.dtype(dtype).itemsize


def columns(dtype: np.dtype | type) -> int:
    """How many columns a register tile has: filters that are computed together."""
    return VECTORS * lanes(dtype)


def wide_columns(dtype: np.dtype | type) -> int:
    """How many columns a wide register tile has."""
    return WIDE_VECTORS * lanes(dtype)
