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
from pellucid.studio.tail import Mark, Tail

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
        self._told: dict[str, Mark] = {}
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._last: list[dict[str, Any]] | None = None
        self._looking = asyncio.Lock()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[asyncio.Queue[Event | None]]:
        """Events as they come, None where this listener was too slow.

        Whoever asks for a run's metrics after this began, and takes in its rows from here on, misses none; some rows
        may come twice.
        """
        queue: asyncio.Queue[Event | None] = asyncio.Queue(MOST_WAITING)
        if self._task is None or self._task.done():
            self._told = {id: tail.mark() for id, tail in list(self._tails.items())}
            self._task = asyncio.create_task(self._watch())
        self._listeners.add(queue)
        self._last = None  # all are told at the next look: the new one may know of something older or newer
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    async def items(self) -> list[dict[str, Any]]:
        """All items, as they are now."""
        return await self._look()

    async def tail(self, place: Place) -> Tail:
        """A run's metrics so far."""
        async with self._looking:
            return await asyncio.to_thread(self._read, place)

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
                items = await self._look()
                news = [{key: value for key, value in item.items() if key not in RESTING} for item in items]
                if news != self._last:
                    self._last = news
                    self._tell(("state", {"items": items}))
                async with self._looking:  # nobody reads on meanwhile
                    for item in items:
                        self._tell_rows(item)
            except Exception:
                log.exception("looking at the runs failed; it goes on")
            await asyncio.sleep(EVERY_S)

    def _tell_rows(self, item: dict[str, Any]) -> None:
        """What was appended to a run's metrics since the listeners were told of it last, whoever read it meanwhile."""
        tail = self._tails.get(item["id"])
        if tail is None:
            return
        steps, epochs, is_new = tail.since(self._told[item["id"]])
        self._told[item["id"]] = tail.mark()
        if steps or epochs or is_new:
            left = tail.seconds_left(item["epochs"])
            rows = {"id": item["id"], "steps": steps, "epochs": epochs, "is_new": is_new, "seconds_left": left}
            self._tell(("rows", rows))

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

    async def _look(self) -> list[dict[str, Any]]:
        async with self._looking:
            return await asyncio.to_thread(self._looked)

    def _looked(self) -> list[dict[str, Any]]:
        """Every item as it is now, the newest runs first."""
        items = [self._change(place.id, self._described(place)) for place in self.library.places().values()]
        return sorted(items, key=lambda item: (item["kind"], item["started"] or ""), reverse=True)

    def _described(self, place: Place) -> dict[str, Any]:
        if place.kind == "model":
            return described(place, data=self._data)
        tail = self._read(place)
        return described(place, _metrics(tail), damage=tail.error)

    def _read(self, place: Place) -> Tail:
        """A run's metrics with what was appended. What was there when they were first read is not told as news."""
        tail = self._tails.get(place.id)
        if tail is None:
            tail = self._tails[place.id] = Tail(RunFolder(place.path, WHERE).metrics)
        tail.read()
        self._told.setdefault(place.id, tail.mark())
        return tail


def _metrics(tail: Tail) -> Metrics | None:
    """As much of them as a summary needs: the last step, the last epoch, the best accuracy."""
    if not tail.steps:
        return None
    import numpy as np

    def columns(keys: tuple[str, ...], row: list[Any]) -> dict[str, Any]:
        return {key: np.array([value], float) for key, value in zip(keys, row, strict=True)}

    epochs = {"epoch": tail.epochs_done, "val_accuracy": tail.best_val}
    return Metrics(
        Steps(**columns(STEP_KEYS, tail.steps[-1])),
        Epochs(**columns(EPOCH_KEYS, [epochs.get(key) for key in EPOCH_KEYS])),
    )
