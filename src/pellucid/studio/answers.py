"""From requests to plain values, and from plain values to answers: JSON, a picture, or a sentence about what failed."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pellucid.studio import wire
from pellucid.studio.items import WHERE
from pellucid.studio.security import LOOPBACK, refused
from pellucid.studio.streams import EventStream
from pellucid.studio.workers import WorkFailed

MOST_JSON_BYTES = 2**16
MOST_UPLOAD_BYTES = 20 * 2**20
UPLOAD_S = 30.0
PACKED_BYTES = 2**14
"""Of JSON from here on: worth packing for another machine, never for this one."""

Handler = Callable[[Request], Awaitable[Any]]


class Endpoint:
    """An ASGI endpoint out of a handler that gives plain data, a picture's bytes, an answer or a stream.

    Parameters
    ----------
    handler : callable
        What it raises as `WorkFailed` becomes its sentence.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answer = await self._answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response | EventStream:
        try:
            found = await self._handler(request)
        except WorkFailed as error:
            return refused(request.scope, error.status, str(error))
        except OSError as error:
            return refused(request.scope, 500, f"{WHERE}: {error.strerror or error}: {error.filename or 'a file'}")
        except ClientDisconnect:
            return Response(status_code=400)
        if isinstance(found, bytes):
            return Response(found, media_type="image/png", headers={"cache-control": _keep(request)})
        if isinstance(found, Response | EventStream):
            return found
        return _json(request, wire.encoded(found))


def _json(request: Request, content: bytes) -> Response:
    headers = {"cache-control": "no-store"}
    is_far = request.client is not None and request.client.host not in LOOPBACK
    if is_far and len(content) > PACKED_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers = gzip.compress(content, 1, mtime=0), headers | {"content-encoding": "gzip"}
    return Response(content, media_type="application/json", headers=headers)


def _keep(request: Request) -> str:
    """A picture whose address changes with the weights may be kept."""
    return "private, max-age=31536000, immutable" if request.query_params.get("stamp") else "private, max-age=60"


def whole(request: Request, name: str, default: int | None = None) -> int:
    """A number of the query, from 0.

    Raises
    ------
    WorkFailed
        It is none, or missing where there is no default.
    """
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise WorkFailed(f"{WHERE}: {name} is {text!r}; it must be a whole number", 400)
    return int(text)


async def json_body(request: Request) -> dict[str, Any]:
    """The object that was sent; an empty one where nothing was."""
    content = await body(request, MOST_JSON_BYTES)
    try:
        found = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        raise WorkFailed(f"{WHERE}: the request is no JSON", 400) from None
    if not isinstance(found, dict):
        raise WorkFailed(f"{WHERE}: the request must be a JSON object", 400)
    return found


async def body(request: Request, most: int) -> bytes:
    """What was sent, given up as soon as it is too long or too slow.

    Raises
    ------
    WorkFailed
        It is so, or says beforehand that it will be.
    """
    too_long = WorkFailed(f"{WHERE}: more than {most:,} bytes were sent; send a smaller file", 413)
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > most):
        raise too_long
    content = bytearray()
    try:
        async with asyncio.timeout(UPLOAD_S):
            async for piece in request.stream():
                content += piece
                if len(content) > most:
                    raise too_long
    except TimeoutError:
        raise WorkFailed(f"{WHERE}: the file did not arrive within {UPLOAD_S:g} seconds", 408) from None
    return bytes(content)
