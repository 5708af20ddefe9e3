"""Vectors as values: `a = load(x, i, count)`, then `a * b + c`, `a > 0`, `where(mask, a, b)`, `store(...)`.

A kernel that moves more than it computes is a loop over runs of contiguous numbers, LANES of them at a time. Left to
the compiler, such a loop may become vectors or may not: two numbers of different size, or more arrays than it cares to
compare addresses of, and it is eight times slower. Written with the functions of this file and of `lane_memory` it is
vectors always, with the same code for float32 and float64, and the compiler has less to think about.

With `NUMBA_DISABLE_JIT=1` a vector is a NumPy array of LANES numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from pellucid.kernels.processor import lanes
from pellucid.kernels.vectors import I64, Emitter

DOUBLE = ir.DoubleType()
ROUNDER = {32: (1.5 * 2**23, 23, 127), 64: (1.5 * 2**52, 52, 1023)}
"""By bits of a number: what, added, leaves the integer in the low bits; bits of the fraction; the exponent's zero."""
RECIPROCAL = {32: (0x7EF311C3, 3), 64: (0x7FDE623822FC16E6, 5)}
"""By bits of a number: what the bits of v are taken from, for a first guess at 1 / v; steps of Newton's."""


class Lanes(types.Type):
    """The compiler's type of a vector: ``count`` numbers (or truth values) of type ``dtype``."""

    def __init__(self, dtype: Any, count: int) -> None:
        self.dtype = dtype
        self.count = count
        super().__init__(name=f"Lanes({dtype}, {count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        element = {types.float32: ir.FloatType(), types.float64: DOUBLE, types.boolean: ir.IntType(1)}[kind.dtype]
        super().__init__(manager, kind, ir.VectorType(element, kind.count))


def vectors_of(array: Any) -> Lanes:
    """The vectors that an array is read in."""
    return Lanes(array.dtype, lanes(np.dtype(f"f{array.dtype.bitwidth // 8}")))


def emitter(context: Any, builder: Any, kind: Lanes) -> Emitter:
    """What writes instructions for these vectors."""
    return Emitter(builder, context.get_value_type(kind.dtype), kind.count)


def as_vector(context: Any, builder: Any, kind: Lanes, given: Any, value: Any) -> Any:
    """A vector as it is, a number in every lane."""
    if isinstance(given, Lanes):
        return value
    return emitter(context, builder, kind).splat(context.cast(builder, value, given, kind.dtype))


# Operators

ARITHMETIC = {operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul", operator.truediv: "fdiv"}
COMPARISONS = {operator.gt: ">", operator.lt: "<", operator.eq: "==", operator.ne: "!="}
LOGIC = {operator.and_: "and_", operator.or_: "or_"}


def _teach_operator(symbol: Any, emit: Callable[[Any, Any, Any], Any], compares: bool = False) -> None:
    """Let the compiler know ``vector symbol vector``, and the same with a number on either side."""

    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            kinds = [kind for kind in args if isinstance(kind, Lanes)]
            if len(args) != 2 or not kinds or any(kind != kinds[0] for kind in kinds):
                return None
            result = Lanes(types.boolean, kinds[0].count) if compares else kinds[0]
            return signature(result, *(types.unliteral(kind) for kind in args))

    infer_global(symbol)(Template)

    def lower(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        kind = next(kind for kind in sig.args if isinstance(kind, Lanes))
        return emit(builder, *(as_vector(context, builder, kind, *pair) for pair in zip(sig.args, values, strict=True)))

    for pair in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
        lower_builtin(symbol, *pair)(lower)


def _instruction(name: str, *before: str, **options: Any) -> Callable[[Any, Any, Any], Any]:
    """What writes one instruction on two vectors, a method of llvmlite's builder."""
    return lambda builder, a, b: getattr(builder, name)(*before, a, b, **options)


def _teach_operators() -> None:
    for symbol, name in ARITHMETIC.items():
        _teach_operator(symbol, _instruction(name, flags=("contract",)))
    for symbol, sign in COMPARISONS.items():
        name = "fcmp_unordered" if sign == "!=" else "fcmp_ordered"  # as IEEE has it: NaN differs from everything
        _teach_operator(symbol, _instruction(name, sign), compares=True)
    for symbol, name in LOGIC.items():
        _teach_operator(symbol, _instruction(name))


_teach_operators()


# Numbers


@intrinsic
def count_lanes(typingctx, array):
    """LANES of this array: a constant to the compiler."""
    count = vectors_of(array).count
    return types.intp(array), lambda context, builder, sig, values: I64(count)


def count_plain(array):
    """LANES of this array."""
    return lanes(array.dtype)


@intrinsic
def spread_lanes(typingctx, array, number):
    """A number in every lane of a vector of the array's type."""
    kind = vectors_of(array)

    def codegen(context, builder, sig, values):
        return as_vector(context, builder, kind, sig.args[1], values[1])

    return kind(array, types.unliteral(number)), codegen


def spread_plain(array, number):
    """A number in every lane of a vector of the array's type."""
    return np.full(lanes(array.dtype), number, array.dtype)


@intrinsic
def where_lanes(typingctx, mask, a, b):
    """a where the mask is true, else b; a or b may be a number."""
    kind = a if isinstance(a, Lanes) else b

    def codegen(context, builder, sig, values):
        a_, b_ = (as_vector(context, builder, kind, sig.args[k], values[k]) for k in (1, 2))
        return builder.select(values[0], a_, b_)

    return kind(mask, types.unliteral(a), types.unliteral(b)), codegen


def where_plain(mask, a, b):
    """a where the mask is true, else b; a or b may be a number."""
    like = a if isinstance(a, np.ndarray) else b
    return np.where(mask, a, b).astype(like.dtype)


@intrinsic
def widen_lanes(typingctx, vector):
    """The same numbers in float64."""
    wide = Lanes(types.float64, vector.count)

    def codegen(context, builder, sig, values):
        if vector.dtype == types.float64:
            return values[0]
        return builder.fpext(values[0], context.get_value_type(wide))

    return wide(vector), codegen


def widen_plain(vector):
    """The same numbers in float64."""
    return vector.astype(np.float64)


def _unary(name: str) -> Any:
    """A vector instruction of one argument."""

    @intrinsic
    def function(typingctx, vector):
        def codegen(context, builder, sig, values):
            emit = emitter(context, builder, vector)
            kind = f"v{vector.count}f{vector.dtype.bitwidth}"
            return emit._call(f"llvm.{name}.{kind}", emit.vector, [emit.vector], [values[0]])

        return vector(vector), codegen

    return function


def _halved(combine: Callable[[Any, Any, Any], Any]) -> Any:
    """One number out of all lanes: the upper half is combined with the lower, until one lane is left."""

    @intrinsic
    def function(typingctx, vector):
        def codegen(context, builder, sig, values):
            value, count = values[0], vector.count
            while count > 1:
                count //= 2
                order = [(k + count) % vector.count for k in range(vector.count)]
                mask = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), order)
                other = builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), mask)
                value = combine(builder, value, other)
            return builder.extract_element(value, I64(0))

        return vector.dtype(vector), codegen

    return function


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


@intrinsic
def power_of_two_lanes(typingctx, vector):
    """2^n for whole numbers n within the range of exponents."""

    def codegen(context, builder, sig, values):
        emit = emitter(context, builder, vector)
        bits = vector.dtype.bitwidth
        rounder, fraction, zero = ROUNDER[bits]
        integers = ir.VectorType(ir.IntType(bits), vector.count)

        def whole(number):
            return ir.Constant(integers, [number] * vector.count)

        low = builder.bitcast(builder.fadd(values[0], emit.constant(rounder)), integers)
        exponent = builder.shl(builder.add(low, whole(zero)), whole(fraction))
        return builder.bitcast(exponent, emit.vector)

    return vector(vector), codegen


def power_of_two_plain(vector):
    """2^n for whole numbers n within the range of exponents."""
    return np.exp2(vector)


@intrinsic
def reciprocal_lanes(typingctx, vector):
    """1 / vector for numbers well inside of the range, to about the last bit: a division takes as long as ten steps.

    The negated exponent, in the bits of the number, is right to an eighth; every step of Newton's doubles the digits.
    """

    def codegen(context, builder, sig, values):
        emit = emitter(context, builder, vector)
        bits, v = vector.dtype.bitwidth, values[0]
        integers = ir.VectorType(ir.IntType(bits), vector.count)
        magic, steps = RECIPROCAL[bits]
        guess = builder.sub(ir.Constant(integers, [magic] * vector.count), builder.bitcast(v, integers))
        r = builder.bitcast(guess, emit.vector)
        minus_v = builder.fneg(v)
        for _ in range(steps):
            r = emit.fma(r, emit.fma(minus_v, r, emit.constant(1)), r)
        return r

    return vector(vector), codegen


def polynomial(single: list[float], double: list[float]) -> Any:
    """A function of a vector: the polynomial with these coefficients, lowest first, those of the vector's type.

    With one coefficient it is a constant of that type.
    """

    def plain(vector):
        coefficients = single if vector.dtype == np.float32 else double
        value = np.full_like(vector, coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            value = value * vector + vector.dtype.type(coefficient)
        return value

    if numba.config.DISABLE_JIT:
        return plain

    @intrinsic
    def evaluate(typingctx, vector):
        def codegen(context, builder, sig, values):
            emit = emitter(context, builder, vector)
            coefficients = single if vector.dtype == types.float32 else double
            value = emit.constant(coefficients[-1])
            for coefficient in reversed(coefficients[:-1]):
                value = emit.fma(value, values[0], emit.constant(coefficient))
            return value

        return vector(vector), codegen

    return evaluate


PLAIN = bool(numba.config.DISABLE_JIT)
lane_count = count_plain if PLAIN else count_lanes
spread = spread_plain if PLAIN else spread_lanes
where = where_plain if PLAIN else where_lanes
widen = widen_plain if PLAIN else widen_lanes
nearest = np.rint if PLAIN else _unary("rint")
absolute = np.abs if PLAIN else _unary("fabs")
total = np.sum if PLAIN else _halved(_instruction("fadd"))
largest = np.fmax.reduce if PLAIN else _halved(_larger)
reciprocal = np.reciprocal if PLAIN else reciprocal_lanes
power_of_two = power_of_two_plain if PLAIN else power_of_two_lanes
