"""Winograd's transforms where 2 x 2 max pooling stands between a convolution and what follows it.

A tile of 4 x 4 results holds four whole windows, so the results can be pooled while they are in registers, and what
pooling drops is never written:

    pooling output    36 products -> 4 x 4 results -> the largest of each window, and which tap it was, as a byte

and on the way back, the upstream gradient need not be spread over the pixels of an image first:

    pooled input      the pooled gradients and taps that a tile sees -> pixels, of which a window has one that is not
                      zero -> factors

Ties and NaN are decided as in `pooling`: a number must be strictly larger to take the place of an earlier one, the
first NaN keeps its place.
"""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pellucid.kernels.processor import VECTOR_BYTES, lanes
from pellucid.kernels.transforms import (
    ARGUMENTS,
    bias_and_floor,
    emit_forms,
    filter_line,
    input_line,
    lines_down,
    output_line,
    place,
    square,
    tile_emitter,
)
from pellucid.kernels.vectors import I8, Register

WINDOW = [(0, 0), (0, 1), (1, 0), (1, 1)]
"""The taps of a window in scan order: tap k is at WINDOW[k]."""
RESULTS, POOLED = 4, 2
"""Results of a tile along an axis, and what is left of them."""


def make_pooling_output(line: Any) -> Any:
    """``target, taps = pool(square(line, source) + bias)``, 2 x 2 of 4 x 4, for one vector of channels.

    The arguments are those of a transform whose target has edges, and ``taps``, bytes with the target's places.
    """
    return _transform("target", POOLED, functools.partial(_emit_pooling, line))


def _transform(side: str, size: int, emit_tile: Any) -> Any:
    """A transform with one more argument than the others, ``taps``.

    side, size : which one counts windows and has edges, "source" or "target", and how many windows it has along an axis
    emit_tile : writes one form, from emit, the given values, and which side has edges
    """

    @intrinsic
    def transform(typingctx, source, source0, source_row, source_column, target, target0, target_row, target_column,
                  top, bottom, left, right, spare, spare0, bias, bias0, relu, taps):  # fmt: skip
        arrays = {"source": source, "target": target, "spare": spare, "bias": bias, "taps": taps}
        signature = types.void(*(arrays.get(name, types.intp) for name in (*ARGUMENTS, "taps")))

        def codegen(context, builder, signature, values):
            given = dict(zip((*ARGUMENTS, "taps"), values, strict=True))
            emit = tile_emitter(context, builder, given, arrays)
            emit_forms(emit, given, side, size, lambda edges: emit_tile(emit, given, edges))
            return context.get_dummy_value()

        return signature, codegen

    return transform


def _emit_pooling(line, emit, given, edges):
    columns = lines_down(emit, given, line, 6, edges)
    bias, floor = bias_and_floor(emit, given)
    rows = [[(result + bias).value for result in line([column[i] for column in columns])] for i in range(RESULTS)]
    bytes_ = ir.VectorType(I8, emit.lanes)
    for i in range(POOLED):
        for j in range(POOLED):
            largest, tap = rows[2 * i][2 * j], ir.Constant(bytes_, [0] * emit.lanes)
            for k, (r, s) in list(enumerate(WINDOW))[1:]:
                result = rows[2 * i + r][2 * j + s]
                better = _beats(emit.builder, result, largest)
                largest = emit.builder.select(better, result, largest)
                tap = emit.builder.select(better, ir.Constant(bytes_, [k] * emit.lanes), tap)
            emit.store(emit.at_least(largest, floor), place(emit, given, "target", i, j, edges))
            _store_bytes(emit.builder, tap, place(emit, given, "target", i, j, edges, "taps"))


def _beats(builder, challenger, holder):
    """Where the challenger takes the place of the holder: it is larger, or the first NaN."""
    larger_or_nan = builder.fcmp_unordered(">", challenger, holder)
    return builder.and_(larger_or_nan, builder.fcmp_ordered("==", holder, holder))


def _store_bytes(builder, value, pointer):
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer())).align = 1


def _load_bytes(emit, pointer):
    value = emit.builder.load(emit.builder.bitcast(pointer, ir.VectorType(I8, emit.lanes).as_pointer()))
    value.align = 1
    return value


def make_pooled_input(line: Any, size_in: int, offset: int) -> Any:
    """``target = square(line, tile)`` for the tile of size_in x size_in pixels that a pooled gradient stands for.

    offset : rows and columns of the tile before its first whole window

    The arguments are those of a transform whose source has edges, and ``taps``, bytes with the source's places; source
    and edges count windows, the first of which holds the tile's first pixel.
    """
    windows = _windows(size_in, offset)
    return _transform("source", windows[-1][0] + 1, functools.partial(_emit_unpooling, line, windows))


def _windows(size_in, offset):
    """For every row (or column) of a tile: its window, the first being 0, and its place in that window."""
    first = -offset // 2
    return [((k - offset) // 2 - first, (k - offset) % 2) for k in range(size_in)]


def _emit_unpooling(line, windows, emit, given, edges):
    builder, count = emit.builder, windows[-1][0] + 1
    read = {
        (i, j): (
            emit.load(place(emit, given, "source", i, j, edges)),
            _load_bytes(emit, place(emit, given, "source", i, j, edges, "taps")),
        )
        for i in range(count)
        for j in range(count)
    }

    def pixel(row, column):
        (i, r), (j, s) = row, column
        gradient, tap = read[i, j]
        own = ir.Constant(tap.type, [WINDOW.index((r, s))] * emit.lanes)
        return Register(emit, builder.select(builder.icmp_signed("==", tap, own), gradient, emit.constant(0)))

    columns = [line([pixel(row, column) for row in windows]) for column in windows]
    for i in range(6):
        for j, factor in enumerate(line([column[i] for column in columns])):
            emit.store(factor.value, place(emit, given, "target", i, j, edges))


def make_plain_pooling_output(line: Any) -> Any:
    """The same in plain Python, a channel at a time: for a debugger."""

    def transform(source, source0, source_row, source_column, target, target0, target_row, target_column,
                  top, bottom, left, right, spare, spare0, bias, bias0, relu, taps):  # fmt: skip
        for lane in range(lanes(source.dtype)):
            tile = [[source[source0 + i * source_row + j * source_column + lane] for j in range(6)] for i in range(6)]
            rows = [[value + bias[bias0 + lane] for value in row] for row in square(line, tile)]
            for i in range(max(top, 0), min(bottom, POOLED)):
                for j in range(max(left, 0), min(right, POOLED)):
                    window = [rows[2 * i + r][2 * j + s] for r, s in WINDOW]
                    largest = 0
                    for k in range(1, len(WINDOW)):
                        if window[k] > window[largest] or (
                            window[k] != window[k] and window[largest] == window[largest]
                        ):
                            largest = k
                    here = target0 + i * target_row + j * target_column + lane
                    target[here] = 0.0 if relu and window[largest] < 0 else window[largest]
                    taps[here] = largest

    return transform


def make_plain_pooled_input(line: Any, size_in: int, offset: int) -> Any:
    """The same in plain Python, a channel at a time: for a debugger."""
    windows = _windows(size_in, offset)

    def transform(source, source0, source_row, source_column, target, target0, target_row, target_column,
                  top, bottom, left, right, spare, spare0, bias, bias0, relu, taps):  # fmt: skip
        def pixel(i, r, j, s, lane):
            here = source0 + i * source_row + j * source_column + lane
            inside = top <= i < bottom and left <= j < right
            return source[here] if inside and taps[here] == WINDOW.index((r, s)) else 0.0

        for lane in range(lanes(source.dtype)):
            tile = [[pixel(i, r, j, s, lane) for j, s in windows] for i, r in windows]
            for i, row in enumerate(square(line, tile)):
                for j, value in enumerate(row):
                    target[target0 + i * target_row + j * target_column + lane] = value

    return transform


pool_output = (make_pooling_output if VECTOR_BYTES else make_plain_pooling_output)(output_line(4))
_make_input = make_pooled_input if VECTOR_BYTES else make_plain_pooled_input
transform_pooled_input = _make_input(input_line, 6, 1)
transform_pooled_gradient = _make_input(filter_line, 4, 0)
