"""Vectors (`lanes`) from and to memory.

`count` says how many of the lanes are there: all, when it is LANES or more; else the rest is zero when loaded, and left
alone in memory when stored. So a loop over channels reads

    for c in range(0, C, lane_count(x)):
        store(out, first + c, C - c, load(x, first + c, C - c) * 2)

for any number of channels, and only its last turn pays for a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pellucid.kernels.lanes import PLAIN, Lanes, as_vector, emitter, vectors_of
from pellucid.kernels.processor import lanes
from pellucid.kernels.vectors import I64, Emitter, data_pointer


def _in_full_or_in_part(emit: Emitter, count: Any, full: Callable[[], Any], part: Callable[[Any], Any]) -> Any:
    """The instructions for a whole vector and those under a mask, one of which runs."""
    whole = emit.builder.icmp_signed(">=", count, I64(emit.lanes))
    ends = []
    with emit.builder.if_else(whole, likely=True) as (then, otherwise):
        with then:
            ends.append((full(), emit.builder.block))
        with otherwise:
            ends.append((part(emit.first_lanes(count, 0)), emit.builder.block))
    if ends[0][0] is None:
        return None
    phi = emit.builder.phi(ends[0][0].type)
    for value, block in ends:
        phi.add_incoming(value, block)
    return phi


def _load(emit: Emitter, pointer: Any, count: Any) -> Any:
    return _in_full_or_in_part(emit, count, lambda: emit.load(pointer), lambda mask: emit.load(pointer, mask))


def _store(emit: Emitter, pointer: Any, count: Any, value: Any) -> None:
    _in_full_or_in_part(emit, count, lambda: emit.store(value, pointer), lambda mask: emit.store(value, pointer, mask))


@intrinsic
def load_lanes(typingctx, array, i, count):
    """array[i : i + LANES], or its first ``count`` numbers and zeros."""
    kind = vectors_of(array)

    def codegen(context, builder, sig, values):
        emit = emitter(context, builder, kind)
        return _load(emit, emit.pointer(data_pointer(context, builder, array, values[0]), values[1]), values[2])

    return kind(array, types.intp, types.intp), codegen


def load_plain(array, i, count):
    """array[i : i + LANES], or its first ``count`` numbers and zeros."""
    vector = np.zeros(lanes(array.dtype), array.dtype)
    vector[:count] = array[i : i + min(count, vector.size)]
    return vector


@intrinsic
def load_or_lanes(typingctx, array, i, count, other):
    """`load`, with the number ``other`` in the lanes that are not there."""
    kind = vectors_of(array)

    def codegen(context, builder, sig, values):
        emit = emitter(context, builder, kind)
        pointer = emit.pointer(data_pointer(context, builder, array, values[0]), values[1])
        filler = as_vector(context, builder, kind, sig.args[3], values[3])

        def part(mask):
            return builder.select(mask, emit.load(pointer, mask), filler)

        return _in_full_or_in_part(emit, values[2], lambda: emit.load(pointer), part)

    return kind(array, types.intp, types.intp, types.unliteral(other)), codegen


def load_or_plain(array, i, count, other):
    """`load`, with the number ``other`` in the lanes that are not there."""
    vector = np.full(lanes(array.dtype), other, array.dtype)
    vector[:count] = array[i : i + min(count, vector.size)]
    return vector


@intrinsic
def store_lanes(typingctx, array, i, count, vector):
    """array[i : i + LANES] = vector, or the first ``count`` of them."""

    def codegen(context, builder, sig, values):
        emit = emitter(context, builder, vector)
        _store(emit, emit.pointer(data_pointer(context, builder, array, values[0]), values[1]), values[2], values[3])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, vector), codegen


def store_plain(array, i, count, vector):
    """array[i : i + LANES] = vector, or the first ``count`` of them."""
    array[i : i + min(count, vector.size)] = vector[:count]


@intrinsic
def load_as_lanes(typingctx, array, i, count, like):
    """array[i : i + LANES], bytes or numbers, as numbers of the type of the vector ``like``, or the first ``count``."""

    def codegen(context, builder, sig, values):
        emit = emitter(context, builder, like)
        if array.dtype == like.dtype:
            where_ = emit.pointer(data_pointer(context, builder, array, values[0]), values[1])
            return _load(emit, where_, values[2])
        base = builder.gep(data_pointer(context, builder, array, values[0]), [values[1]])
        few = ir.VectorType(ir.IntType(8), like.count)

        def full():
            loaded = builder.load(builder.bitcast(base, few.as_pointer()))
            loaded.align = 1
            return loaded

        def part(mask):
            return _lane_by_lane(
                builder, values[2], few, lambda v, k: builder.insert_element(v, builder.load(_at(builder, base, k)), k)
            )

        return builder.uitofp(_in_full_or_in_part(emit, values[2], full, part), emit.vector)

    return like(array, types.intp, types.intp, like), codegen


def load_as_plain(array, i, count, like):
    """array[i : i + LANES], bytes or numbers, as numbers of the type of the vector ``like``, or the first ``count``."""
    vector = np.zeros_like(like)
    vector[:count] = array[i : i + min(count, vector.size)]
    return vector


@intrinsic
def store_as_lanes(typingctx, array, i, count, vector):
    """array[i : i + LANES] = vector in the array's type, bytes (whole numbers from 0 to 255) or numbers."""

    def codegen(context, builder, sig, values):
        emit = emitter(context, builder, vector)
        if array.dtype == vector.dtype:
            where_ = emit.pointer(data_pointer(context, builder, array, values[0]), values[1])
            _store(emit, where_, values[2], values[3])
            return context.get_dummy_value()
        base = builder.gep(data_pointer(context, builder, array, values[0]), [values[1]])
        few = ir.VectorType(ir.IntType(8), vector.count)
        # through 32 bits: a conversion straight to bytes is taken apart number by number
        numbers = builder.fptosi(values[3], ir.VectorType(ir.IntType(32), vector.count))
        small = builder.trunc(numbers, few)

        def full():
            builder.store(small, builder.bitcast(base, few.as_pointer())).align = 1

        def part(mask):
            def write(v, k):
                builder.store(builder.extract_element(small, k), _at(builder, base, k))
                return v

            _lane_by_lane(builder, values[2], few, write)

        _in_full_or_in_part(emit, values[2], full, part)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, vector), codegen


def store_as_plain(array, i, count, vector):
    """array[i : i + LANES] = vector in the array's type, bytes (whole numbers from 0 to 255) or numbers."""
    array[i : i + min(count, vector.size)] = vector[:count]


def _at(builder: Any, base: Any, k: Any) -> Any:
    return builder.gep(base, [k])


def _lane_by_lane(builder: Any, count: Any, kind: Any, step: Callable[[Any, Any], Any]) -> Any:
    """A loop over the first ``count`` lanes that carries a vector: byte masks are not to be had everywhere."""
    before, function = builder.block, builder.function
    head, body, done = (function.append_basic_block(name) for name in ("lane", "lane_body", "lanes_done"))
    builder.branch(head)
    builder.position_at_end(head)
    k, carried = builder.phi(I64), builder.phi(kind)
    k.add_incoming(I64(0), before)
    carried.add_incoming(ir.Constant(kind, [0] * kind.count), before)
    builder.cbranch(builder.icmp_signed("<", k, count), body, done)
    builder.position_at_end(body)
    stepped = step(carried, k)
    k.add_incoming(builder.add(k, I64(1)), builder.block)
    carried.add_incoming(stepped, builder.block)
    builder.branch(head)
    builder.position_at_end(done)
    return carried


@intrinsic
def accumulate_lanes(typingctx, array, i, count, vector):
    """array[i : i + LANES] += vector, added in float64, or the first ``count`` of them."""
    wide = Lanes(types.float64, vector.count)

    def codegen(context, builder, sig, values):
        emit = emitter(context, builder, wide)
        where_ = emit.pointer(data_pointer(context, builder, array, values[0]), values[1])
        more = values[3] if vector.dtype == types.float64 else builder.fpext(values[3], emit.vector)

        def full():
            emit.store(builder.fadd(emit.load(where_), more), where_)

        def part(mask):
            emit.store(builder.fadd(emit.load(where_, mask), more), where_, mask)

        _in_full_or_in_part(emit, values[2], full, part)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, vector), codegen


def accumulate_plain(array, i, count, vector):
    """array[i : i + LANES] += vector, added in float64, or the first ``count`` of them."""
    array[i : i + min(count, vector.size)] += vector[:count]


load = load_plain if PLAIN else load_lanes
load_or = load_or_plain if PLAIN else load_or_lanes
store = store_plain if PLAIN else store_lanes
load_as = load_as_plain if PLAIN else load_as_lanes
store_as = store_as_plain if PLAIN else store_as_lanes
accumulate = accumulate_plain if PLAIN else accumulate_lanes
