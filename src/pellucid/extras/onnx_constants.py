"""The parts of an ONNX graph that do not depend on its input, computed: weights that are turned, shapes put together.

Exporters write ``x.view(len(x), -1)`` as half a dozen nodes. Where the batch is open, its size stands in a shape as
`OPEN_BATCH`, which may be moved about but not computed with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pellucid.extras.onnx_reading import Node, OnnxImportError
from pellucid.extras.onnx_tensors import KINDS, type_name
from pellucid.extras.onnx_values import OPEN_BATCH, Budget, Value

MOST_SIZE = 2**31


class Folding(NamedTuple):
    """A node whose inputs are all arrays, or None where they are left out."""

    node: Node
    opset: int
    inputs: list[np.ndarray | None]
    budget: Budget

    def array(self, place: int) -> np.ndarray:
        """An input that must be there."""
        array = self.inputs[place] if place < len(self.inputs) else None
        if array is None:
            raise self.node.refused(f"its input {place} is missing")
        return array

    def integers(self, place: int) -> list[int] | None:
        """An input that is a short list of integers."""
        if place >= len(self.inputs) or self.inputs[place] is None:
            return None
        array = self.array(place)
        if array.dtype.kind != "i" or array.size > np.iinfo(np.uint8).max:
            raise self.node.refused(f"its input {place} is {array.dtype} of shape {array.shape}; it must be integers")
        return [int(number) for number in array.reshape(-1)]

    def sizes(self, numbers: Sequence[int]) -> tuple[int, ...]:
        """A shape that may be made: its numbers are taken out of the budget."""
        if len(numbers) > 16 or not all(0 <= size <= MOST_SIZE for size in numbers):
            raise self.node.refused(f"it makes a constant of the shape {list(numbers)[:16]}")
        self.budget.take(self.node, math.prod(numbers))
        return tuple(numbers)

    def axis(self, rank: int, default: int | None = None) -> int:
        """The attribute ``axis``, counted from the front."""
        axis = self.node.attributes.get("axis", default)
        if not isinstance(axis, int) or not -rank <= axis < rank:
            raise self.node.refused(f"axis is {axis} where there are {rank} axes")
        return axis % rank


def fold(folding: Folding) -> np.ndarray:
    """What the node gives."""
    operator = FOLDED.get(folding.node.op)
    if operator is None:
        raise folding.node.refused(
            "all that it reads is constant, and it is not computed here",
            f"fold constants before export; computed are {', '.join(FOLDED)}",
        )
    try:
        return np.asarray(operator(folding))  # NumPy makes scalars of arrays without axes
    except OnnxImportError:
        raise
    except (ValueError, TypeError, IndexError, OverflowError) as error:  # of NumPy, where shapes do not fit
        raise folding.node.refused(str(error)) from None


def shape_of(node: Node, x: Value | np.ndarray, batch: int | None) -> np.ndarray:
    """Shape, of what depends on the input, too."""
    shape = list(x.shape) if isinstance(x, np.ndarray) else [batch or OPEN_BATCH, *x.sizes]
    start, end = (node.attributes.get(name, default) for name, default in (("start", 0), ("end", None)))
    return np.array(shape[start:end], np.int64)


def _constant(f: Folding) -> np.ndarray:
    types = {"value": None, "value_float": "f4", "value_floats": "f4", "value_int": "i8", "value_ints": "i8"}
    for name, dtype in types.items():
        value = f.node.attributes.get(name)
        if value is not None:
            return np.asarray(value, dtype)
    raise f.node.refused(f"it has {', '.join(f.node.attributes) or 'no value'}; numbers are available")


def _constant_of_shape(f: Folding) -> np.ndarray:
    shape = f.sizes(f.integers(0) or [])
    value = f.node.attributes.get("value", np.zeros(1, np.float32))
    return np.broadcast_to(np.asarray(value).reshape(()), shape)


def _expand(f: Folding) -> np.ndarray:
    shape = np.broadcast_shapes(f.array(0).shape, tuple(f.integers(1) or []))
    return np.broadcast_to(f.array(0), f.sizes(shape))


def _identity(f: Folding) -> np.ndarray:
    return f.array(0)


def _cast(f: Folding) -> np.ndarray:
    to = f.node.attributes.get("to")
    if to not in KINDS or KINDS[to].name == "bfloat16":
        raise f.node.refused(f"it makes {type_name(to) if isinstance(to, int) else 'nothing'} of a constant")
    return _converted(f, np.dtype(KINDS[to].name))


def _cast_like(f: Folding) -> np.ndarray:
    return _converted(f, f.array(1).dtype)


def _converted(f: Folding, dtype: np.dtype) -> np.ndarray:
    array = f.array(0)
    f.sizes(array.shape)
    if dtype != np.int64:
        _check_closed(f, array)
    array = array.astype(dtype, copy=False)
    return array.astype(np.float32) if dtype == np.float16 else array  # half precision is widened everywhere


def _transpose(f: Folding) -> np.ndarray:
    f.sizes(f.array(0).shape)
    return f.array(0).transpose(f.node.attributes.get("perm"))


def _reshape(f: Folding) -> np.ndarray:
    array, shape = f.array(0), f.integers(1) or []
    if not f.node.attributes.get("allowzero"):
        shape = [array.shape[i] if size == 0 else size for i, size in enumerate(shape)]
    f.sizes(array.shape)
    return array.reshape(shape)


def _flatten(f: Folding) -> np.ndarray:
    array, axis = f.array(0), f.node.attributes.get("axis", 1)
    f.sizes(array.shape)
    axis = axis + array.ndim if axis < 0 else axis
    return array.reshape(math.prod(array.shape[:axis]), -1)


def _unsqueeze(f: Folding) -> np.ndarray:
    return np.expand_dims(f.array(0), tuple(_axes(f) or ()))


def _squeeze(f: Folding) -> np.ndarray:
    axes = _axes(f)
    return np.squeeze(f.array(0), None if axes is None else tuple(axes))


def _axes(f: Folding) -> Sequence[int] | None:
    return f.node.attributes.get("axes") if f.opset < 13 else f.integers(1)


def _concat(f: Folding) -> np.ndarray:
    arrays = [f.array(place) for place in range(len(f.inputs))]
    f.sizes([sum(array.size for array in arrays)])
    return np.concatenate(arrays, f.axis(arrays[0].ndim))


def _gather(f: Folding) -> np.ndarray:
    array, indices = f.array(0), f.array(1)
    axis = f.axis(array.ndim, 0)
    f.sizes([*array.shape[:axis], *indices.shape, *array.shape[axis + 1 :]])
    return np.take(array, indices, axis)


def _slice(f: Folding) -> np.ndarray:
    array = f.array(0)
    if f.opset < 10:
        found = [f.node.attributes.get(name) for name in ("starts", "ends", "axes")] + [None]
    else:
        found = [f.integers(place) for place in (1, 2, 3, 4)]
    starts, ends = found[0] or (), found[1] or ()
    axes, steps = found[2] or range(len(starts)), found[3] or [1] * len(starts)
    index = [slice(None)] * array.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        index[axis] = slice(start, end, step)
    return array[tuple(index)]


def _arithmetic(operation: Callable[[Any, Any], np.ndarray]) -> Callable[[Folding], np.ndarray]:
    """Two arrays of one type, spread over each other."""

    def compute(f: Folding) -> np.ndarray:
        one, other = f.array(0), f.array(1)
        for array in (one, other):
            _check_closed(f, array)
        f.sizes(np.broadcast_shapes(one.shape, other.shape))
        if len(f.inputs) != 2 or one.dtype != other.dtype or one.dtype.kind not in "fi":
            raise f.node.refused(f"it computes with {one.dtype} and {other.dtype}; two of one type are available")
        return operation(one, other).astype(one.dtype)

    return compute


def _divide(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Integers are cut off towards zero in ONNX."""
    return one / other if one.dtype.kind == "f" else np.trunc(one / other)


def _negative(f: Folding) -> np.ndarray:
    _check_closed(f, f.array(0))
    f.sizes(f.array(0).shape)
    return -f.array(0)


def _root(f: Folding) -> np.ndarray:
    array = f.array(0)
    f.sizes(array.shape)
    if array.dtype.kind != "f":
        raise f.node.refused(f"it takes the root of {array.dtype}")
    return np.sqrt(array)


def _check_closed(f: Folding, array: np.ndarray) -> None:
    if array.dtype == np.int64 and (array == OPEN_BATCH).any():
        raise f.node.refused(
            "it computes with the batch's size, which is open", "export the model with x.flatten(1) in place of a view"
        )


FOLDED: dict[str, Callable[[Folding], np.ndarray]] = {
    "Add": _arithmetic(np.add),
    "Cast": _cast,
    "CastLike": _cast_like,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Div": _arithmetic(_divide),
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": _identity,
    "Mul": _arithmetic(np.multiply),
    "Neg": _negative,
    "Reshape": _reshape,
    "Slice": _slice,
    "Sqrt": _root,
    "Squeeze": _squeeze,
    "Sub": _arithmetic(np.subtract),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""By ONNX's name."""
