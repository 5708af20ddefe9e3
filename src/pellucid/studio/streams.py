"""Server-sent events, ended at once when the page goes away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from pellucid.studio import wire

HEARTBEAT_S = 15.0
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


def event(name: str, data: Any) -> bytes:
    """One event as it is sent."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), wire.encoded(data))


class EventStream:
    """An answer that goes on: whatever an iterator gives, until it ends or the page is closed.

    Parameters
    ----------
    events : async generator of bytes
        It is closed, and what it waits for cancelled, as soon as the other side has gone.
    """

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        self._events = events

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            for task in (sending, leaving):
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await task
        if not sending.cancelled():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Any) -> None:
        async with contextlib.aclosing(self._events) as events:
            async for piece in events:
                await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def heartbeats(queue: asyncio.Queue[Any]) -> AsyncIterator[bytes]:
    """Events of a queue of (name, data), a comment where none came for a while; None ends it."""
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                found = await queue.get()
        except TimeoutError:
            yield b": still here\n\n"
            continue
        if found is None:
            return
        yield event(*found)
