"""Copying and clearing runs of numbers: the machine's own block moves, which a loop is not always turned into."""

from __future__ import annotations

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pellucid.kernels.vectors import I1, I8, I64, data_pointer


def copy_plain(target, target0, source, source0, count):
    """target[target0 : target0 + count] = source[source0 : source0 + count]; the two must not overlap."""
    for k in range(count):
        target[target0 + k] = source[source0 + k]


def clear_plain(target, target0, count):
    """target[target0 : target0 + count] = 0"""
    for k in range(count):
        target[target0 + k] = 0


@intrinsic
def copy_block(typingctx, target, target0, source, source0, count):
    """`copy_plain` as one block move."""

    def codegen(context, builder, signature, values):
        target_, target0_, source_, source0_, count_ = values
        to = builder.gep(data_pointer(context, builder, target, target_), [target0_])
        start = builder.gep(data_pointer(context, builder, source, source_), [source0_])
        size = builder.mul(count_, I64(target.dtype.bitwidth // 8))
        pointer = I8.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, pointer, I64, I1])
        move = builder.module.declare_intrinsic("llvm.memcpy", [pointer, pointer, I64], kind)
        builder.call(move, [builder.bitcast(to, pointer), builder.bitcast(start, pointer), size, I1(0)])
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp), codegen


@intrinsic
def clear_block(typingctx, target, target0, count):
    """`clear_plain` as one block move."""

    def codegen(context, builder, signature, values):
        target_, target0_, count_ = values
        to = builder.gep(data_pointer(context, builder, target, target_), [target0_])
        size = builder.mul(count_, I64(target.dtype.bitwidth // 8))
        pointer = I8.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, I8, I64, I1])
        move = builder.module.declare_intrinsic("llvm.memset", [pointer, I64], kind)
        builder.call(move, [builder.bitcast(to, pointer), I8(0), size, I1(0)])
        return context.get_dummy_value()

    return types.void(target, types.intp, types.intp), codegen


copy = copy_plain if numba.config.DISABLE_JIT else copy_block
clear = clear_plain if numba.config.DISABLE_JIT else clear_block
