"""A look at an ONNX file's bytes before protobuf reads them.

A few bytes of a protobuf message can become hundreds in memory: an empty node is two. So the fields are counted first,
along the tags and lengths of the format, without reading what is in them; the numbers of a tensor are one field.
"""

from __future__ import annotations

from typing import Any

MOST_FIELDS = 1_000_000
"""Of all messages together: ten thousand nodes with all that belongs to them have a tenth of it."""
MOST_DEPTH = 16
"""Messages in messages: a tensor in an attribute of a node is 5 deep."""
MOST_VARINT_BYTES = 2**22
"""Of integers, which may be one byte each and take eight in memory: sizes and shapes, not weights."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def what_is_wrong(data: bytes, message: Any) -> str:
    """Why these bytes should not be read as that message; nothing where they may be.

    Parameters
    ----------
    data : bytes
    message : descriptor of a protobuf message
        ``onnx.ModelProto.DESCRIPTOR``.
    """
    try:
        _walk(data, message)
    except (_Wrong, IndexError) as error:
        return str(error) if isinstance(error, _Wrong) else "it ends in the middle of a field"
    return ""


class _Wrong(Exception):
    pass


def _walk(data: bytes, message: Any) -> None:
    layouts: dict[str, dict[int, Any]] = {}
    open_messages = [(len(data), _layout(message, layouts))]
    place = fields = varint_bytes = 0
    while open_messages:
        end, layout = open_messages[-1]
        if place >= end:
            if place > end:
                raise _Wrong("a message ends behind the one that it is in")
            open_messages.pop()
            continue
        fields += 1
        if fields > MOST_FIELDS:
            raise _Wrong(f"it has more than {MOST_FIELDS:,} fields")
        tag, place = _varint(data, place)
        wire, kind = tag & 7, layout.get(tag >> 3)
        if wire == _VARINT:
            _, place = _varint(data, place)
        elif wire == _FIXED64:
            place += 8
        elif wire == _FIXED32:
            place += 4
        elif wire == _BYTES:
            length, place = _varint(data, place)
            if place + length > end:
                raise _Wrong(f"a field claims {length:,} bytes where {end - place:,} are left")
            if kind is None or kind == "bytes":
                place += length
            elif kind == "integers":
                varint_bytes += length
                place += length
            else:
                if len(open_messages) > MOST_DEPTH:
                    raise _Wrong(f"its messages are nested more than {MOST_DEPTH} deep")
                open_messages.append((place + length, _layout(kind, layouts)))
        else:
            raise _Wrong(f"a field has the wire type {wire}, which protobuf does not use")
        if varint_bytes > MOST_VARINT_BYTES:
            raise _Wrong(f"it has more than {MOST_VARINT_BYTES:,} bytes of integers that are not stored as raw data")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """The number that begins here, seven bits a byte, and where it ends."""
    number = shift = 0
    while True:
        byte = data[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
        shift += 7
        if shift > 63:
            raise _Wrong("a number has more than ten bytes")


def _layout(message: Any, layouts: dict[str, dict[int, Any]]) -> dict[int, Any]:
    """What stands in each field of a message: another message, "integers", or "bytes" that stay as many in memory."""
    name = message.full_name
    if name not in layouts:
        layouts[name] = {field.number: _content(field) for field in message.fields}
    return layouts[name]


def _content(field: Any) -> Any:
    if field.message_type is not None:
        return field.message_type
    as_many = (field.CPPTYPE_STRING, field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE)
    return "bytes" if field.cpp_type in as_many else "integers"
