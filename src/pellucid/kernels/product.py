"""The building block: a batch-reduce matrix product on one register tile.

    c[i, j] = s[i, j] + sum over r < R, k < K of a[a_rows[i] + taps[r] + k*a_k] * b[r*b_r + k*b_k + j]

for ``rows`` <= ROWS rows and ``columns`` <= VECTORS * LANES columns. It is the product of Georganas et al. 2019
(arXiv:1906.06440), with every step given at run time and the places of ``a`` read from tables: a convolution needs
no im2col with it, because the windows are never laid out, only visited.

In words: the tile of sums starts at zero and stays in registers; for every tap r and every k, one row of ``b`` is
loaded as vectors, one number of ``a`` for each row is spread over a vector, and each pair is multiplied and added. At
the end ``s`` is added (zeros, a bias, or what ``c`` held before), once: short sums added to long ones keep more digits
than one long sum. Then the tile is written.

Where there are fewer rows than ROWS, the last row is computed several times and written several times, the same numbers
to the same place: cheaper than a second copy of the code for every size. Where there are fewer columns, vectors are
loaded and stored under a mask.

What was tried (`benchmarks/register_tile.py`; AVX-512, GFLOP/s of one thread, peak about 200): rows x vectors 8 x 2:
192, 12 x 2: 191, 14 x 2: 199, 8 x 3: 199, 4 x 4: 180, 6 x 4: 192 for sums of 576 terms. All are near the peak, so the
tile follows the sizes: 8 rows and 32 columns divide most images and filters. Tiles of 64 columns read fewer numbers
of a; in Winograd's products, which stream from the second-level cache, 6 x 4 is 8 % faster than 8 x 2.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from pellucid.kernels.jit import inner
from pellucid.kernels.processor import ROWS, TALL_ROWS, VECTOR_BYTES, VECTORS, WIDE_ROWS, WIDE_VECTORS
from pellucid.kernels.vectors import I64, Emitter, data_pointer

ARGUMENTS = "a a0 a_rows taps a_k b b0 b_r b_k s s0 s_rows c c0 c_rows i0 R K rows columns".split()  # noqa: SIM905
"""Flat arrays; a0, b0, s0, c0 are where to start in them. a_rows, s_rows and c_rows say where row i of each starts, at
[i0 + i], so that neighbouring rows of a tile may be anywhere: pixels of two lines of a narrow image. Steps count
numbers."""


def product_plain(a, a0, a_rows, taps, a_k, b, b0, b_r, b_k, s, s0, s_rows, c, c0, c_rows, i0, R, K, rows, columns):
    """The formula as loops: what the vector form is compared with, and what runs where there are no vectors."""
    sums = np.zeros(columns, c.dtype)
    for i in range(rows):
        for j in range(columns):
            sums[j] = 0
        for r in range(R):
            for k in range(K):
                factor = a[a0 + a_rows[i0 + i] + taps[r] + k * a_k]
                start = b0 + r * b_r + k * b_k
                for j in range(columns):
                    sums[j] += factor * b[start + j]
        for j in range(columns):
            c[c0 + c_rows[i0 + i] + j] = s[s0 + s_rows[i0 + i] + j] + sums[j]


@inner
def every(step, count):
    """The table of rows that lie ``step`` numbers apart."""
    return np.arange(count) * step


def make_product(ROWS: int, VECTORS: int, VECTOR_BYTES: int, adds: bool = True) -> Any:
    """The vector form of `product_plain` for a tile of ROWS rows and VECTORS vectors.

    adds : whether ``s`` is added; without, it is not looked at, which saves a read for every result
    """

    @intrinsic
    def product(
        typingctx, a, a0, a_rows, taps, a_k, b, b0, b_r, b_k, s, s0, s_rows, c, c0, c_rows, i0, R, K, rows, columns
    ):  # fmt: skip
        arrays = {"a": a, "a_rows": a_rows, "taps": taps, "b": b, "s": s, "s_rows": s_rows, "c": c, "c_rows": c_rows}
        signature = types.void(*(arrays.get(name, types.intp) for name in ARGUMENTS))

        def codegen(context, builder, signature, values):
            given = dict(zip(ARGUMENTS, values, strict=True))
            emit = Emitter(builder, context.get_data_type(a.dtype), VECTOR_BYTES * 8 // a.dtype.bitwidth)
            _emit_tile(context, emit, given, arrays, ROWS, VECTORS, functools.partial(_emit_product, adds=adds))
            return context.get_dummy_value()

        return signature, codegen

    return product


def _emit_tile(context, emit, given, arrays, ROWS, VECTORS, emit_form):
    """Both forms of a product, one of which runs: all columns are there, or vectors are masked."""
    builder = emit.builder
    for name, kind in arrays.items():
        given[name] = data_pointer(context, builder, kind, given[name])
    full = builder.icmp_signed("==", given["columns"], I64(VECTORS * emit.lanes))
    with builder.if_else(full, likely=True) as (whole, ragged):
        with whole:
            emit_form(emit, given, ROWS, masks=[None] * VECTORS)
        with ragged:
            masks = [emit.first_lanes(given["columns"], j * emit.lanes) for j in range(VECTORS)]
            emit_form(emit, given, ROWS, masks)


def _load_row(emit, pointer, masks):
    """One row of a tile: a vector for each mask, None where all its lanes are there."""
    return [emit.load(emit.pointer(pointer, I64(j * emit.lanes)), mask) for j, mask in enumerate(masks)]


def _store_row(emit, values, pointer, masks):
    """Write one row of a tile."""
    for j, (value, mask) in enumerate(zip(values, masks, strict=True)):
        emit.store(value, emit.pointer(pointer, I64(j * emit.lanes)), mask)


def _emit_product(emit, given, ROWS, masks, adds):
    """Two loops, over taps and over k, that carry the tile of sums in registers."""
    builder, VECTORS = emit.builder, len(masks)
    last_row = builder.sub(given["rows"], I64(1))
    row = [builder.add(given["i0"], _at_most(builder, i, last_row)) for i in range(ROWS)]
    a_row, s_row, c_row = (
        [builder.load(builder.gep(given[table], [i])) for i in row] for table in ("a_rows", "s_rows", "c_rows")
    )
    a = emit.pointer(given["a"], given["a0"])
    b = emit.pointer(given["b"], given["b0"])

    before, function = builder.block, builder.function
    over_taps, over_k, next_tap, done = (function.append_basic_block(name) for name in ("tap", "k", "next_tap", "done"))
    builder.branch(over_taps)

    builder.position_at_end(over_taps)
    r = _phi(builder, I64, before, I64(0))
    carried = [_phi(builder, emit.vector, before, emit.constant(0)) for _ in range(ROWS * VECTORS)]
    a_tap = emit.pointer(a, builder.load(builder.gep(given["taps"], [r])))
    b_tap = emit.pointer(b, builder.mul(r, given["b_r"]))
    builder.branch(over_k)

    builder.position_at_end(over_k)
    k = _phi(builder, I64, over_taps, I64(0))
    a_here = _phi(builder, a.type, over_taps, a_tap)
    b_here = _phi(builder, b.type, over_taps, b_tap)
    sums = [_phi(builder, emit.vector, over_taps, value) for value in carried]
    b_row = _load_row(emit, b_here, masks)
    updated = []
    for i in range(ROWS):
        factor = emit.splat(builder.load(builder.gep(a_here, [a_row[i]])))
        updated += [emit.fma(factor, b_row[j], sums[i * VECTORS + j]) for j in range(VECTORS)]
    k_next = builder.add(k, I64(1))
    k.add_incoming(k_next, over_k)
    a_here.add_incoming(builder.gep(a_here, [given["a_k"]]), over_k)
    b_here.add_incoming(builder.gep(b_here, [given["b_k"]]), over_k)
    for phi, value in zip(sums, updated, strict=True):
        phi.add_incoming(value, over_k)
    builder.cbranch(builder.icmp_signed("<", k_next, given["K"]), over_k, next_tap)

    builder.position_at_end(next_tap)
    r_next = builder.add(r, I64(1))
    r.add_incoming(r_next, next_tap)
    for phi, value in zip(carried, updated, strict=True):
        phi.add_incoming(value, next_tap)
    builder.cbranch(builder.icmp_signed("<", r_next, given["R"]), over_taps, done)

    builder.position_at_end(done)
    totals = []  # all of s is read before any of c is written: they may be the same, and the last row stands in twice
    for i in range(ROWS) if adds else ():
        starts = _load_row(emit, emit.pointer(given["s"], given["s0"], s_row[i]), masks)
        totals += [builder.fadd(start, updated[i * VECTORS + j]) for j, start in enumerate(starts)]
    for i in range(ROWS):
        target = emit.pointer(given["c"], given["c0"], c_row[i])
        _store_row(emit, (totals or updated)[i * VECTORS : (i + 1) * VECTORS], target, masks)


def _phi(builder, kind, block, value):
    """A value that a loop carries, with what it is when the loop is entered."""
    phi = builder.phi(kind)
    phi.add_incoming(value, block)
    return phi


def _at_most(builder, i, limit):
    return builder.select(builder.icmp_signed("<", I64(i), limit), I64(i), limit)


def fresh_product_plain(
    a, a0, a_rows, taps, a_k, b, b0, b_r, b_k, s, s0, s_rows, c, c0, c_rows, i0, R, K, rows, columns
):  # fmt: skip
    """`product_plain` where s is zeros: they are not read."""
    for i in range(rows):
        for j in range(columns):
            c[c0 + c_rows[i0 + i] + j] = 0
    product_plain(a, a0, a_rows, taps, a_k, b, b0, b_r, b_k, c, c0, c_rows, c, c0, c_rows, i0, R, K, rows, columns)


if VECTOR_BYTES:
    product = make_product(ROWS, VECTORS, VECTOR_BYTES)
    fresh_product = make_product(ROWS, VECTORS, VECTOR_BYTES, adds=False)
    wide_product = make_product(WIDE_ROWS, WIDE_VECTORS, VECTOR_BYTES)
    fresh_wide_product = make_product(WIDE_ROWS, WIDE_VECTORS, VECTOR_BYTES, adds=False)
    tall_product = make_product(TALL_ROWS, VECTORS, VECTOR_BYTES)
else:
    product_plain = njit(product_plain)
    product = wide_product = tall_product = product_plain
    fresh_product = fresh_wide_product = njit(fresh_product_plain)


LANE_ARGUMENTS = "a a0 row_starts tap_starts b b0 b_r s s0 s_i c c0 c_i R rows columns".split()  # noqa: SIM905


def lane_product_plain(a, a0, row_starts, tap_starts, b, b0, b_r, s, s0, s_i, c, c0, c_i, R, rows, columns):
    """Where no channel sees another: c[i, j] = s[i, j] + sum over r < R of a[row_starts[i] + tap_starts[r] + j] *
    b[r*b_r + j].

    For ``rows`` <= ROWS rows and ``columns`` <= VECTORS * LANES channels: the building block of depthwise convolution.
    """
    sums = np.zeros(columns, c.dtype)
    for i in range(rows):
        for j in range(columns):
            sums[j] = 0
        for r in range(R):
            start = a0 + row_starts[i] + tap_starts[r]
            for j in range(columns):
                sums[j] += a[start + j] * b[b0 + r * b_r + j]
        for j in range(columns):
            c[c0 + i * c_i + j] = s[s0 + i * s_i + j] + sums[j]


def make_lane_product(ROWS: int, VECTORS: int, VECTOR_BYTES: int) -> Any:
    """The vector form of `lane_product_plain` for a tile of ROWS rows and VECTORS vectors."""

    @intrinsic
    def lane_product(typingctx, a, a0, row_starts, tap_starts, b, b0, b_r, s, s0, s_i, c, c0, c_i, R, rows, columns):
        arrays = {"a": a, "row_starts": row_starts, "tap_starts": tap_starts, "b": b, "s": s, "c": c}
        signature = types.void(*(arrays.get(name, types.intp) for name in LANE_ARGUMENTS))

        def codegen(context, builder, signature, values):
            given = dict(zip(LANE_ARGUMENTS, values, strict=True))
            emit = Emitter(builder, context.get_data_type(a.dtype), VECTOR_BYTES * 8 // a.dtype.bitwidth)
            _emit_tile(context, emit, given, arrays, ROWS, VECTORS, _emit_lane_product)
            return context.get_dummy_value()

        return signature, codegen

    return lane_product


def _emit_lane_product(emit, given, ROWS, masks):
    """One loop over taps that carries the tile of sums in registers."""
    builder, VECTORS = emit.builder, len(masks)
    last_row = builder.sub(given["rows"], I64(1))
    row = [_at_most(builder, i, last_row) for i in range(ROWS)]
    a_row = [emit.pointer(given["a"], given["a0"], builder.load(builder.gep(given["row_starts"], [i]))) for i in row]

    before, function = builder.block, builder.function
    over_taps, done = (function.append_basic_block(name) for name in ("tap", "done"))
    builder.branch(over_taps)

    builder.position_at_end(over_taps)
    r = _phi(builder, I64, before, I64(0))
    sums = [_phi(builder, emit.vector, before, emit.constant(0)) for _ in range(ROWS * VECTORS)]
    tap = builder.load(builder.gep(given["tap_starts"], [r]))
    factors = _load_row(emit, emit.pointer(given["b"], given["b0"], builder.mul(r, given["b_r"])), masks)
    seen = [value for pointer in a_row for value in _load_row(emit, emit.pointer(pointer, tap), masks)]
    updated = [emit.fma(value, factors[k % VECTORS], sums[k]) for k, value in enumerate(seen)]
    r_next = builder.add(r, I64(1))
    r.add_incoming(r_next, over_taps)
    for phi, value in zip(sums, updated, strict=True):
        phi.add_incoming(value, over_taps)
    builder.cbranch(builder.icmp_signed("<", r_next, given["R"]), over_taps, done)

    builder.position_at_end(done)
    s_row = [emit.pointer(given["s"], given["s0"], builder.mul(given["s_i"], i)) for i in row]
    starts = [value for pointer in s_row for value in _load_row(emit, pointer, masks)]
    totals = [builder.fadd(start, value) for start, value in zip(starts, updated, strict=True)]
    for i in range(ROWS):
        target = emit.pointer(given["c"], given["c0"], builder.mul(given["c_i"], row[i]))
        _store_row(emit, totals[i * VECTORS : (i + 1) * VECTORS], target, masks)


TAP_ROWS = 9
"""Rows of the lane product where they are the taps of a filter: those of a 3 x 3 filter at once."""
lane_product = make_lane_product(ROWS, VECTORS, VECTOR_BYTES) if VECTOR_BYTES else njit(lane_product_plain)
lane_product_of_taps = make_lane_product(TAP_ROWS, VECTORS, VECTOR_BYTES) if VECTOR_BYTES else lane_product
