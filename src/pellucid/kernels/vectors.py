"""Vector instructions for kernels, emitted through llvmlite: loads, stores, splats, multiply-adds.

Numba turns loops into vectors where it can, but it can't be told to keep a tile of results in registers. The few inner
functions that need this are written here as instructions; everything around them is plain Numba.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

I1, I8, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)


class Emitter:
    """Writes vector instructions for one element type.

    builder : the llvmlite builder at the place where instructions go
    element : FloatType or DoubleType
    lanes : numbers in a vector
    """

    def __init__(self, builder: Any, element: Any, lanes: int) -> None:
        self.builder = builder
        self.element = element
        self.lanes = lanes
        self.vector = ir.VectorType(element, lanes)
        self.bytes = (4 if isinstance(element, ir.FloatType) else 8) * lanes

    def pointer(self, base: Any, *offsets: Any) -> Any:
        """The address ``base + sum(offsets)``, offsets in elements."""
        total = I64(0)
        for offset in offsets:
            total = self.builder.add(total, offset)
        return self.builder.gep(base, [total])

    def load(self, pointer: Any, mask: Any = None) -> Any:
        """LANES numbers from an address that need not be aligned; where there is a mask, its lanes, nothing is read in
        the others, and zero stands there."""
        if mask is not None:
            return self._load_masked(pointer, mask)
        value = self.builder.load(self.builder.bitcast(pointer, self.vector.as_pointer()))
        value.align = self.bytes // self.lanes
        return value

    def store(self, value: Any, pointer: Any, mask: Any = None) -> None:
        """LANES numbers to an address that need not be aligned; where there is a mask, its lanes, and the others in
        memory are left alone."""
        if mask is not None:
            return self._store_masked(value, pointer, mask)
        where = self.builder.bitcast(pointer, self.vector.as_pointer())
        self.builder.store(value, where).align = self.bytes // self.lanes
        return None

    def splat(self, scalar: Any) -> Any:
        """One number in every lane."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, I32(0))
        return self.builder.shuffle_vector(
            first, undefined, ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        )

    def constant(self, number: float) -> Any:
        """One known number in every lane."""
        return ir.Constant(self.vector, [float(number)] * self.lanes)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """a * b + c, rounded once."""
        return self._call(f"llvm.fma.{self._suffix()}", self.vector, [self.vector] * 3, [a, b, c])

    def at_least(self, value: Any, floor: Any) -> Any:
        """The larger of the two, lane by lane; NaN in ``value`` stays."""
        return self.builder.select(self.builder.fcmp_ordered("<", value, floor), floor, value)

    def first_lanes(self, count: Any, start: int) -> Any:
        """The mask of the lanes ``start + lane < count``."""
        numbers = ir.Constant(ir.VectorType(I64, self.lanes), list(range(start, start + self.lanes)))
        mask = ir.VectorType(I64, self.lanes)
        undefined = ir.Constant(mask, ir.Undefined)
        first = self.builder.insert_element(undefined, count, I32(0))
        limit = self.builder.shuffle_vector(
            first, undefined, ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        )
        return self.builder.icmp_signed("<", numbers, limit)

    def _load_masked(self, pointer: Any, mask: Any) -> Any:
        where = self.builder.bitcast(pointer, self.vector.as_pointer())
        name = f"llvm.masked.load.{self._suffix()}.p0{self._suffix()}"
        arguments = [where, I32(self.bytes // self.lanes), mask, self.constant(0)]
        return self._call(name, self.vector, [where.type, I32, mask.type, self.vector], arguments)

    def _store_masked(self, value: Any, pointer: Any, mask: Any) -> None:
        where = self.builder.bitcast(pointer, self.vector.as_pointer())
        name = f"llvm.masked.store.{self._suffix()}.p0{self._suffix()}"
        arguments = [value, where, I32(self.bytes // self.lanes), mask]
        self._call(name, ir.VoidType(), [self.vector, where.type, I32, mask.type], arguments)

    def _suffix(self) -> str:
        return f"v{self.lanes}f{8 * self.bytes // self.lanes}"

    def _call(self, name: str, result: Any, types: list[Any], arguments: list[Any]) -> Any:
        module = self.builder.module
        function = module.globals.get(name) or ir.Function(module, ir.FunctionType(result, types), name)
        return self.builder.call(function, arguments)


def data_pointer(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    """The address of a NumPy array's first number, as Numba hands arrays to an intrinsic."""
    return context.make_array(array_type)(context, builder, array).data


class Register:
    """A vector with the operators of arithmetic, so that a formula can be written as a formula."""

    def __init__(self, emit: Emitter, value: Any) -> None:
        self.emit = emit
        self.value = value

    def __add__(self, other: Register) -> Register:
        return Register(self.emit, self.emit.builder.fadd(self.value, other.value, flags=("contract",)))

    def __sub__(self, other: Register) -> Register:
        return Register(self.emit, self.emit.builder.fsub(self.value, other.value, flags=("contract",)))

    def __mul__(self, factor: float) -> Register:
        product = self.emit.builder.fmul(self.value, self.emit.constant(factor), flags=("contract",))
        return Register(self.emit, product)
