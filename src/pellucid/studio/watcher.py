"""What changes on disk, told to every page that listens. While nobody listens, nothing is looked at."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pellucid.metrics import EPOCH_KEYS, STEP_KEYS, Epochs, Metrics, Steps
from pellucid.runs.folder import RunFolder
from pellucid.studio.items import WHERE, Library, Place, described
from pellucid.studio.tail import Tail

log = logging.getLogger("pellucid.studio")

EVERY_S = 1.0
RESTING = ("seconds",)
"""What changes all the time while a run trains; alone it is no news."""
MOST_WAITING = 200
"""Events that wait for one page. A page that reads no faster loses its stream, and asks again for everything."""

Event = tuple[str, Any]
Change = Callable[[str, dict[str, Any]], dict[str, Any]]


class Watcher:
    """Looks at all items and tells what is new.

    Parameters
    ----------
    library : Library
    data : str, optional
        Where images for model files are.
    change : callable
        ``change(id, item) -> item``: what only the server knows of an item, such as that it started it.
    """

    def __init__(self, library: Library, data: str | None, change: Change) -> None:
        self.library, self._data, self._change = library, data, change
        self._tails: dict[str, Tail] = {}
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._last: list[dict[str, Any]] = []
        self._looking = asyncio.Lock()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[asyncio.Queue[Event | None]]:
        """Events as they come, None where this listener was too slow."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(MOST_WAITING)
        self._listeners.add(queue)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    async def items(self) -> list[dict[str, Any]]:
        """All items, as they are now."""
        return (await self._look())[0]

    async def tail(self, place: Place) -> Tail:
        """A run's metrics so far."""
        async with self._looking:
            await asyncio.to_thread(self._tail(place).read)
        return self._tail(place)

    async def close(self) -> None:
        """Stop looking, and let every listener go."""
        for queue in list(self._listeners):
            self._let_go(queue)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while self._listeners:
            try:
                items, rows = await self._look()
                news = [{key: value for key, value in item.items() if key not in RESTING} for item in items]
                if news != self._last:
                    self._last = news
                    self._tell(("state", {"items": items}))
                for event in rows:
                    self._tell(("rows", event))
            except Exception:
                log.exception("looking at the runs failed; it goes on")
            await asyncio.sleep(EVERY_S)

    def _tell(self, event: Event) -> None:
        for queue in list(self._listeners):
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                self._let_go(queue)

    def _let_go(self, queue: asyncio.Queue[Event | None]) -> None:
        self._listeners.discard(queue)
        while queue.full():
            queue.get_nowait()
        queue.put_nowait(None)

    async def _look(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        async with self._looking:
            return await asyncio.to_thread(self._looked)

    def _looked(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Every item, and what was appended to metrics since the last look."""
        items, rows = [], []
        for place in self.library.places().values():
            metrics = None
            if place.kind == "run":
                tail = self._tail(place)
                steps, epochs, is_new = tail.read()
                metrics = _metrics(tail)
            item = self._change(place.id, described(place, metrics, self._data))
            items.append(item)
            if place.kind == "run" and (steps or epochs):
                left = tail.seconds_left(item["epochs"])
                rows.append({"id": place.id, "steps": steps, "epochs": epochs, "is_new": is_new, "seconds_left": left})
        return sorted(items, key=lambda item: (item["kind"], item["started"] or ""), reverse=True), rows

    def _tail(self, place: Place) -> Tail:
        if place.id not in self._tails:
            self._tails[place.id] = Tail(RunFolder(place.path, WHERE).metrics)
        return self._tails[place.id]


def _metrics(tail: Tail) -> Metrics | None:
    """As much of them as a summary needs: the last step, every look at the accuracies."""
    import numpy as np

    if not tail.steps:
        return None

    def columns(keys: tuple[str, ...], rows: list[list[Any]]) -> dict[str, Any]:
        return {key: np.array([row[i] for row in rows], float) for i, key in enumerate(keys)}

    return Metrics(Steps(**columns(STEP_KEYS, tail.steps[-1:])), Epochs(**columns(EPOCH_KEYS, tail.epochs)))
