"""The numbers of an ONNX file's tensors, as arrays: only what is there is believed."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

MOST_AXES = 16
MOST_SPREAD = 2**40


class Kind(NamedTuple):
    """How numbers of a type are stored."""

    name: str
    stored: str
    """NumPy's code of what stands in the raw data."""
    field: str
    """Where they stand if there is no raw data."""


KINDS = {
    1: Kind("float32", "<f4", "float_data"),
    2: Kind("uint8", "<u1", "int32_data"),
    3: Kind("int8", "<i1", "int32_data"),
    4: Kind("uint16", "<u2", "int32_data"),
    5: Kind("int16", "<i2", "int32_data"),
    6: Kind("int32", "<i4", "int32_data"),
    7: Kind("int64", "<i8", "int64_data"),
    9: Kind("bool", "|b1", "int32_data"),
    10: Kind("float16", "<f2", "int32_data"),
    11: Kind("float64", "<f8", "double_data"),
    16: Kind("bfloat16", "<u2", "int32_data"),
}
"""By ONNX's number for the type. Others (strings, complex numbers, 4 and 8 bits) are refused."""
FLOATS = {1: np.float32, 10: np.float32, 11: np.float64, 16: np.float32}
"""What floating types become here: half precision is widened."""
_ALL_FIELDS = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")


def type_name(number: int) -> str:
    """ONNX's type in words."""
    return KINDS[number].name if number in KINDS else f"ONNX's type {number}"


def what_is_wrong(tensor: Any) -> str:
    """Why this tensor is refused, before any of its numbers are looked at; nothing where it may be read."""
    if tensor.data_location or tensor.external_data:
        return "its numbers are in another file, and no path in a file is followed; save the model as one file"
    if tensor.HasField("segment"):
        return "it is a part of a tensor; save the model with whole tensors"
    if tensor.data_type not in KINDS:
        return f"it has {type_name(tensor.data_type)}; only floating numbers, integers and truth values can be read"
    dims = tensor.dims[: MOST_AXES + 1]
    spread = math.prod(max(1, size) for size in dims)  # an empty array's other axes count for NumPy
    if len(dims) > MOST_AXES or any(size < 0 for size in dims) or spread > MOST_SPREAD:
        return f"it has the shape {_shown(dims)}; there may be {MOST_AXES} axes, none below 0, and 2**40 numbers"
    kind = KINDS[tensor.data_type]
    filled = [field for field in _ALL_FIELDS if len(getattr(tensor, field))]
    if any(field not in ("raw_data", kind.field) for field in filled) or len(filled) > 1:
        return f"its numbers stand in {' and '.join(filled)}; {kind.name} stands in raw_data or {kind.field}"
    needed = math.prod(dims)
    if filled == [kind.field]:
        found = len(getattr(tensor, kind.field))
    else:
        found, rest = divmod(len(tensor.raw_data), np.dtype(kind.stored).itemsize)
        found += bool(rest)  # one number is cut off
    if found != needed:
        return f"its shape {_shown(dims)} says {_count(needed)} numbers, but the file holds {found:,}"
    return ""


def array_of(tensor: Any) -> np.ndarray:
    """The tensor's numbers, read-only; `what_is_wrong` has found nothing. float16 and bfloat16 become float32."""
    kind = KINDS[tensor.data_type]
    stored = np.dtype(kind.stored)
    if tensor.raw_data or not len(getattr(tensor, kind.field)):
        array = np.frombuffer(tensor.raw_data, stored)
    elif kind.field == "int32_data" and kind.name != "int32":  # narrow types stand as their bits in wider integers
        bits = _numbers(tensor.int32_data, "i8")
        array = (bits != 0) if kind.name == "bool" else bits.astype(np.dtype(f"<u{stored.itemsize}")).view(stored)
    else:
        array = _numbers(getattr(tensor, kind.field), stored)
    if kind.name == "bfloat16":
        array = (array.astype(np.uint32) << 16).view(np.float32)  # the upper half of a float32
    elif kind.name == "float16":
        array = array.astype(np.float32)
    elif kind.name == "bool":
        array = array.view(np.uint8) != 0
    array = array.astype(array.dtype.newbyteorder("="), copy=False).reshape(tuple(tensor.dims))
    array.flags.writeable = False
    return array


def _numbers(field: Any, dtype: Any) -> np.ndarray:
    """A repeated field as an array, without a list of Python's numbers on the way."""
    return np.fromiter(field, dtype, len(field))


def _shown(dims: list[int]) -> str:
    text = f"({', '.join(map(str, dims[:MOST_AXES]))})"
    return text if len(text) < 100 else text[:97] + "..."


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**15 else "more than 10**15"
