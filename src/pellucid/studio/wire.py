"""How the studio and its workers talk: a JSON text and some bytes, each after its length. Nothing is unpickled.

12 bytes    length of the JSON text, length of the bytes (big-endian, 4 and 8 bytes)
JSON        UTF-8
bytes       a picture, or nothing
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any, BinaryIO

HEAD = struct.Struct(">IQ")
MOST_JSON, MOST_BYTES = 2**27, 2**28


def encoded(content: Any) -> bytes:
    """Plain data as JSON, all of it ASCII: NaN and infinities, which JSON does not know, are null.

    Names of files that are not UTF-8 keep their odd bytes as escapes.
    """
    try:
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(content), allow_nan=False, separators=(",", ":"))
    return text.encode()


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def message(content: Any, blob: bytes = b"") -> bytes:
    """One message."""
    text = encoded(content)
    return HEAD.pack(len(text), len(blob)) + text + blob


def lengths(head: bytes) -> tuple[int, int]:
    """Of the two parts that follow.

    Raises
    ------
    ValueError
        No message of ours is so long.
    """
    json_bytes, blob_bytes = HEAD.unpack(head)
    if json_bytes > MOST_JSON or blob_bytes > MOST_BYTES:
        raise ValueError(f"a message of {json_bytes:,} + {blob_bytes:,} bytes")
    return json_bytes, blob_bytes


def read(stream: BinaryIO) -> tuple[Any, bytes] | None:
    """The next message; None where the stream ends."""
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    json_bytes, blob_bytes = lengths(head)
    text, blob = stream.read(json_bytes), stream.read(blob_bytes)
    if len(text) < json_bytes or len(blob) < blob_bytes:
        return None
    return json.loads(text), blob
