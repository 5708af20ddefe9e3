"""Winograd's transforms of one tile: a few additions on either side of the multiplications.

For 4 x 4 results of a 3 x 3 filter at a time (Lavin & Gray 2015, arXiv:1509.09308), with the points 0, 1, -1, 2, -2 and
infinity; in one dimension

    results = output_line(4)(filter_line(filter) * input_line(image))          6 products instead of 12

and in two dimensions each line function runs down the columns and then along the rows: 36 products instead of 144. The
gradient for the filter is the same with 3 x 3 results of a 4 x 4 "filter", the upstream gradient:

    filter gradient = output_line(3)(filter_line(dout) * input_line(image))

With the same points, a tile gives 2 x 2 results of a 5 x 5 filter (36 products instead of 100): the transforms ending
in ``_5``; the image's side is the same.

Each function below is the formula, on a list of numbers, arrays or vector registers alike: the compiled kernels, the
plain ones and the tests share it. Pairs of rows that differ only in the signs of their odd terms share their sums,
which saves a third of the additions.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

from numba import types
from numba.extending import intrinsic

from pellucid.kernels.processor import VECTOR_BYTES, lanes
from pellucid.kernels.vectors import I1, I64, Emitter, Register, data_pointer


def input_line(d):
    """6 pixels -> 6 factors."""
    even, odd = d[4] - d[2] * 4.0, d[3] - d[1] * 4.0
    even_2, odd_2 = d[4] - d[2], (d[3] - d[1]) * 2.0
    first, last = d[0] * 4.0 - d[2] * 5.0 + d[4], d[1] * 4.0 - d[3] * 5.0 + d[5]
    return [first, even + odd, even - odd, even_2 + odd_2, even_2 - odd_2, last]


def filter_line(g):
    """2 to 5 weights, or upstream gradients -> 6 factors: the polynomial with these coefficients at the points."""
    even, odd = _sum(g[0::2]) * (-1 / 6), _sum(g[1::2]) * (-1 / 6)
    even_2 = _sum(weight * power for weight, power in zip(g[0::2], (1 / 24, 1 / 6, 2 / 3), strict=False))
    odd_2 = _sum(weight * power for weight, power in zip(g[1::2], (1 / 12, 1 / 3), strict=False))
    return [g[0] * (1 / 4), even + odd, even - odd, even_2 + odd_2, even_2 - odd_2, g[-1]]


def output_line(results):
    """The line function from 6 products to 2 to 5 results, or gradients of weights."""

    def line(m):
        sum_1, difference_1 = m[1] + m[2], m[1] - m[2]
        sum_2, difference_2 = m[3] + m[4], m[3] - m[4]
        finite = [
            m[0] + sum_1 + sum_2,
            difference_1 + difference_2 * 2.0,
            sum_1 + sum_2 * 4.0,
            difference_1 + difference_2 * 8.0,
            sum_1 + sum_2 * 16.0,
        ]
        return [*finite[: results - 1], finite[results - 1] + m[5]]  # infinity reaches the last result

    return line


def _sum(terms):
    """The built-in sum would start at the number 0, which no register can be added to."""
    return functools.reduce(operator.add, terms)


def square(line, tile):
    """The line function down the columns of a tile (a list of rows) and then along its rows."""
    columns = [line(list(column)) for column in zip(*tile, strict=True)]
    return [line(list(row)) for row in zip(*columns, strict=True)]


ARGUMENTS = (
    *("source", "source0", "source_row", "source_column", "target", "target0", "target_row", "target_column"),
    *("top", "bottom", "left", "right", "spare", "spare0", "bias", "bias0", "relu"),
)
"""Flat arrays, where the tile starts in them, and the steps between its rows and columns, in numbers.

Rows top <= i < bottom and columns left <= j < right of the tile are inside of the image. Where the source has edges,
pixels outside of it count as zero (`spare` holds a vector of zeros there); where the target has, results outside go
to `spare`, and the vector of `bias` is added to all; then, with `relu`, negative results become zero.
"""


def make_transform(line: Any, size_in: int, size_out: int, side: str) -> Any:
    """The vector form of ``target = square(line, source)`` for one vector of channels.

    side : which one has edges, "source", "target" or "" for tiles that always lie inside
    """

    @intrinsic
    def transform(typingctx, source, source0, source_row, source_column, target, target0, target_row, target_column,
                  top, bottom, left, right, spare, spare0, bias, bias0, relu):  # fmt: skip
        arrays = {"source": source, "target": target, "spare": spare, "bias": bias}
        signature = types.void(*(arrays.get(name, types.intp) for name in ARGUMENTS))

        def codegen(context, builder, signature, values):
            given = dict(zip(ARGUMENTS, values, strict=True))
            emit = tile_emitter(context, builder, given, arrays)

            def emit_form(edges):
                _emit_transform(emit, given, line, size_in, size_out, edges, biased=side == "target")

            emit_forms(emit, given, side, size_in if side == "source" else size_out, emit_form)
            return context.get_dummy_value()

        return signature, codegen

    return transform


def tile_emitter(context: Any, builder: Any, given: dict[str, Any], arrays: dict[str, Any]) -> Emitter:
    """What writes instructions for the source's type; the arrays among the given values become addresses."""
    for name, kind in arrays.items():
        given[name] = data_pointer(context, builder, kind, given[name])
    dtype = arrays["source"].dtype
    return Emitter(builder, context.get_data_type(dtype), VECTOR_BYTES * 8 // dtype.bitwidth)


def emit_forms(emit: Emitter, given: dict[str, Any], side: str, size: int, emit_form: Any) -> None:
    """Two forms of a transform, one of which runs: for tiles inside of the image and, slower, for those at its edge.

    emit_form : writes one form, told which side has edges ("": none)
    """
    if not side:
        return emit_form("")
    builder, inside = emit.builder, I1(1)
    for name, test, limit in (("top", "<=", 0), ("left", "<=", 0), ("bottom", ">=", size), ("right", ">=", size)):
        inside = builder.and_(inside, builder.icmp_signed(test, given[name], I64(limit)))
    with builder.if_else(inside, likely=True) as (whole, at_edge):
        with whole:
            emit_form("")
        with at_edge:
            emit_form(side)
    return None


def _emit_transform(emit, given, line, size_in, size_out, edges, biased):
    columns = lines_down(emit, given, line, size_in, edges)
    bias, floor = bias_and_floor(emit, given) if biased else (None, None)
    for i in range(size_out):
        for j, result in enumerate(line([column[i] for column in columns])):
            value = result.value if bias is None else emit.at_least((result + bias).value, floor)
            emit.store(value, place(emit, given, "target", i, j, edges))


def lines_down(emit: Emitter, given: dict[str, Any], line: Any, size_in: int, edges: str) -> list[list[Register]]:
    """The source's tile, loaded, with the line function run down each of its columns."""
    columns = []
    for j in range(size_in):
        pointers = [place(emit, given, "source", i, j, edges) for i in range(size_in)]
        columns.append(line([Register(emit, emit.load(pointer)) for pointer in pointers]))
    return columns


def bias_and_floor(emit: Emitter, given: dict[str, Any]) -> tuple[Register, Any]:
    """The vector that is added to all results, and the one below which they are cut off."""
    bias = Register(emit, emit.load(emit.pointer(given["bias"], given["bias0"])))
    cut = emit.builder.icmp_signed("!=", given["relu"], I64(0))
    return bias, emit.builder.select(cut, emit.constant(0), emit.constant(-math.inf))


def place(emit: Emitter, given: dict[str, Any], side: str, i: int, j: int, edges: str, array: str = "") -> Any:
    """The address of pixel (i, j) of the tile; outside of the image, the spare vector's.

    array : where not in the side's own array, one with the same places
    """
    builder, spare = emit.builder, emit.pointer(given["spare"], given["spare0"])
    rows, columns = (builder.mul(given[f"{side}_{step}"], I64(k)) for step, k in (("row", i), ("column", j)))
    here = emit.pointer(given[array or side], given[f"{side}0"], rows, columns)
    if edges != side:
        return here
    inside = I1(1)
    for first, last, k in (("top", "bottom", i), ("left", "right", j)):
        inside = builder.and_(inside, builder.icmp_signed("<=", given[first], I64(k)))
        inside = builder.and_(inside, builder.icmp_signed("<", I64(k), given[last]))
    return builder.select(inside, here, builder.bitcast(spare, here.type))


def make_plain_transform(line: Any, size_in: int, size_out: int, edge_side: str) -> Any:
    """The same in plain Python, a channel at a time: for a debugger."""

    def transform(source, source0, source_row, source_column, target, target0, target_row, target_column,
                  top, bottom, left, right, spare, spare0, bias, bias0, relu):  # fmt: skip
        def outside(side, i, j):
            return edge_side == side and not (top <= i < bottom and left <= j < right)

        for lane in range(lanes(source.dtype)):
            tile = [
                [0.0 if outside("source", i, j) else source[source0 + i * source_row + j * source_column + lane]
                 for j in range(size_in)] for i in range(size_in)
            ]  # fmt: skip
            for i, row in enumerate(square(line, tile)):
                for j, value in enumerate(row):
                    if not outside("target", i, j):
                        value += bias[bias0 + lane] if edge_side == "target" else 0.0
                        target[target0 + i * target_row + j * target_column + lane] = (
                            0.0 if relu and value < 0 else value
                        )

    return transform


_make = make_transform if VECTOR_BYTES else make_plain_transform
transform_input = _make(input_line, 6, 6, "source")
transform_filter = _make(filter_line, 3, 6, "")
transform_output = _make(output_line(4), 6, 4, "target")
transform_gradient = _make(filter_line, 4, 6, "source")
transform_gradient_output = _make(output_line(3), 6, 3, "")
transform_filter_5 = _make(filter_line, 5, 6, "")
transform_output_5 = _make(output_line(2), 6, 2, "target")
transform_gradient_5 = _make(filter_line, 2, 6, "source")
transform_gradient_output_5 = _make(output_line(5), 6, 5, "")
