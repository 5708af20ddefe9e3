"""The studio's addresses: what each request is answered with.

What computes runs in workers, what trains in processes of its own (`workers`, `trainings`); here is only looked up,
handed on and answered, so that the page never waits for a computation that it did not ask for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import pellucid
from pellucid.data.listing import one_line
from pellucid.data.sources import describe
from pellucid.runs.folder import RunFolder
from pellucid.studio import pages
from pellucid.studio.items import WHERE, Library, Place
from pellucid.studio.security import Door, refused
from pellucid.studio.streams import EventStream, event, heartbeats
from pellucid.studio.trainings import Trainings
from pellucid.studio.watcher import Watcher
from pellucid.studio.workers import Worker, WorkFailed

log = logging.getLogger("pellucid.studio")

MOST_JSON_BYTES = 2**16
MOST_UPLOAD_BYTES = 20 * 2**20
UPLOAD_S = 30.0
QUICK_S, SLOW_S = 60.0, 3600.0

Handler = Callable[[Request], Awaitable[Any]]


class Studio:
    """The parts that answer, and the answers.

    Parameters
    ----------
    paths : sequence of paths
        Model files, run folders, folders of runs.
    runs : path
        Where new runs go.
    data : str, optional
        Images for the model files.
    """

    def __init__(self, paths: Sequence[Path], runs: Path, data: str | None) -> None:
        self.library = Library(paths, runs)
        self.data = data
        self.trainings = Trainings(self.library)
        self.watcher = Watcher(self.library, data, self.trainings.change)
        self.quick, self.slow = Worker("quick"), Worker("slow", nice=10)

    async def close(self) -> None:
        """Leave nothing running."""
        await self.watcher.close()
        await asyncio.gather(self.trainings.close(), self.quick.end(), self.slow.end())

    # what there is

    async def state(self, request: Request) -> Any:
        return {
            "version": pellucid.__version__,
            "cwd": str(Path.cwd()),
            "items": await self.watcher.items(),
            "recipes": await asyncio.to_thread(known_recipes),
            "datasets": [{"name": row.name, "title": row.title, "here": row.where is not None} for row in describe()],
            "may_train": True,
        }

    async def events(self, request: Request) -> Any:
        async def all_events() -> AsyncIterator[bytes]:
            async with self.watcher.listening() as queue:
                yield event("state", {"items": await self.watcher.items()})
                async for piece in heartbeats(queue):
                    yield piece

        return EventStream(all_events())

    # runs

    async def run(self, request: Request) -> Any:
        place = self._place(request, "run")
        items = {item["id"]: item for item in await self.watcher.items()}
        item = items.get(place.id)
        if item is None:
            raise WorkFailed(f"{WHERE}: the run {place.id} is gone", 404)
        tail = await self.watcher.tail(place)
        record = await asyncio.to_thread(_record, place)
        return {
            "item": item,
            "recipe": record.get("recipe", {}),
            "recipe_toml": await asyncio.to_thread(pages.as_toml, record.get("recipe", {})),
            "machine": record.get("machine", {}),
            "versions": record.get("versions", {}),
            "log": self.trainings.log(place.id),
            "images_per_s": tail.steps[-1][4] if tail.steps else None,
            "seconds_left": tail.seconds_left(item["epochs"]),
        }

    async def metrics(self, request: Request) -> Any:
        place = self._place(request, "run")
        tail = await self.watcher.tail(place)
        record = await asyncio.to_thread(_record, place)
        columns = tail.columns()
        epochs = record.get("recipe", {}).get("train", {}).get("epochs")
        last = tail.steps[-1] if tail.steps else None
        per_epoch = round(last[0] / last[1]) if last and last[1] else None
        return columns | {"steps_per_epoch": per_epoch, "epochs_wanted": epochs}

    async def start(self, request: Request) -> Any:
        return {"id": await self.trainings.start(await self._json(request))}

    async def stop(self, request: Request) -> Any:
        self.trainings.stop(self._place(request, "run").id)
        return {}

    async def resume(self, request: Request) -> Any:
        place = self._place(request, "run")
        await self.trainings.resume(place.id, place.path, await self._json(request))
        return {"id": place.id}

    # looking into a network

    async def network(self, request: Request) -> Any:
        return await self._quick(request, "network")

    async def film(self, request: Request) -> Any:
        return await self._quick(request, "film")

    async def frame(self, request: Request) -> Any:
        return await self._quick(request, "frame", number=request.path_params["number"])

    async def filter(self, request: Request) -> Any:
        query = request.query_params
        return await self._quick(request, "filter", layer=query.get("layer", ""), index=_whole(query, "filter"))

    async def images(self, request: Request) -> Any:
        query = request.query_params
        count = min(400, _whole(query, "count", 100))
        part, start, label = query.get("part", "test"), _whole(query, "start", 0), query.get("label") or None
        return await self._quick(request, "images", part=part, start=start, count=count, label=label)

    async def sheet(self, request: Request) -> Any:
        query = request.query_params
        try:
            indices = [int(index) for index in query.get("indices", "").split(",")]
        except ValueError:
            raise WorkFailed(f"{WHERE}: indices must be numbers with commas between", 400) from None
        return await self._quick(request, "sheet", part=query.get("part", "test"), indices=indices)

    async def look(self, request: Request) -> Any:
        query = request.query_params
        index = _whole(query, "index") if "index" in query else None
        blob = b"" if index is not None else await self._body(request, MOST_UPLOAD_BYTES)
        if index is None and not blob:
            raise WorkFailed(f"{WHERE}: send a picture, or say which test image with index=", 400)
        return await self._quick(request, "look", blob, index=index, target=query.get("target") or None)

    async def cell(self, request: Request) -> Any:
        query = request.query_params
        about = {"label": _whole(query, "label"), "predicted": _whole(query, "predicted")}
        place = self._place(request)
        return await self.slow.ask("cell", self._item(place, about | {"part": query.get("part", "test")}), b"", SLOW_S)

    async def strongest(self, request: Request) -> Any:
        query = request.query_params
        top = min(25, _whole(query, "top", 9))
        return self._job(request, "strongest", layer=query.get("layer", ""), top=top)

    async def mistakes(self, request: Request) -> Any:
        return self._job(request, "mistakes", part=request.query_params.get("part", "test"))

    async def walk(self, request: Request) -> Any:
        return await self.quick.ask("walk", {"request": await self._json(request)}, limit_s=QUICK_S)

    # how

    def _place(self, request: Request, kind: str | None = None) -> Place:
        id = request.path_params["id"]
        place = self.library.places().get(id)
        if place is None or (kind is not None and place.kind != kind):
            raise WorkFailed(f"{WHERE}: there is no {kind or 'run or model'} {id!r}; it may have been deleted", 404)
        return place

    def _item(self, place: Place, more: dict[str, Any]) -> dict[str, Any]:
        return {"kind": place.kind, "path": str(place.path), "data": self.data} | more

    async def _quick(self, request: Request, do: str, blob: bytes = b"", **more: Any) -> Any:
        return await self.quick.ask(do, self._item(self._place(request), more), blob, QUICK_S)

    def _job(self, request: Request, do: str, **more: Any) -> EventStream:
        """Progress as it is made, and the result; ended when the page no longer listens."""
        arguments = self._item(self._place(request), more)

        async def told() -> AsyncIterator[bytes]:
            queue: asyncio.Queue[Any] = asyncio.Queue()
            work = asyncio.create_task(
                self.slow.ask(do, arguments, b"", SLOW_S, lambda done: queue.put_nowait(("progress", done)))
            )
            work.add_done_callback(lambda _: queue.put_nowait(None))
            try:
                async for piece in heartbeats(queue):
                    yield piece
                try:
                    yield event("result", await work)
                except WorkFailed as error:
                    log.warning("%s: %s", do, one_line(str(error)))
                    yield event("failed", {"error": str(error)})
            finally:
                work.cancel()
                with contextlib.suppress(asyncio.CancelledError, WorkFailed):
                    await work

        return EventStream(told())

    async def _json(self, request: Request) -> Any:
        body = await self._body(request, MOST_JSON_BYTES)
        try:
            return json.loads(body or b"{}")
        except (ValueError, RecursionError):
            raise WorkFailed(f"{WHERE}: the request is no JSON", 400) from None

    async def _body(self, request: Request, most: int) -> bytes:
        """What was sent, given up as soon as it is too long or too slow."""
        body = bytearray()
        try:
            async with asyncio.timeout(UPLOAD_S):
                async for piece in request.stream():
                    body += piece
                    if len(body) > most:
                        raise WorkFailed(f"{WHERE}: more than {most:,} bytes were sent; send a smaller file", 413)
        except TimeoutError:
            raise WorkFailed(f"{WHERE}: the file did not arrive within {UPLOAD_S:g} seconds", 408) from None
        return bytes(body)


def _whole(query: Any, name: str, default: int | None = None) -> int:
    """A number of the query, from 0."""
    text = query.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise WorkFailed(f"{WHERE}: {name} is {text!r}; it must be a whole number", 400)
    return int(text)


def _record(place: Place) -> dict[str, Any]:
    try:
        return RunFolder(place.path, WHERE).recorded()
    except (ValueError, OSError) as error:
        raise WorkFailed(str(error), 404) from None


def known_recipes() -> list[dict[str, str]]:
    """The package's recipes, in a few words; read here without the code that builds networks."""
    folder = Path(pellucid.__file__).parent / "recipes"
    found = []
    for file in sorted(folder.glob("*.toml")):
        recipe = tomllib.loads(file.read_text(encoding="utf-8"))
        if recipe.get("network", {}).get("name") != "file":  # those need a model file to start from
            found.append({"name": file.stem, "about": recipe.get("about", ""), "cost": recipe.get("cost", "")})
    return found


def answered(handler: Handler) -> Callable[[Request], Awaitable[Any]]:
    """The handler, with its plain data as JSON, its bytes as a picture, its failures as a sentence."""

    async def endpoint(request: Request) -> Any:
        try:
            found = await handler(request)
        except WorkFailed as error:
            return refused(request.scope, error.status, str(error))
        except ClientDisconnect:
            return Response(status_code=400)
        if isinstance(found, bytes):
            return Response(found, media_type="image/png", headers={"cache-control": _keep(request)})
        if isinstance(found, Response | EventStream):
            return found
        return JSONResponse(found, headers={"cache-control": "no-store"})

    return endpoint


def _keep(request: Request) -> str:
    """A picture whose address changes with the weights may be kept."""
    return "private, max-age=31536000, immutable" if request.query_params.get("stamp") else "private, max-age=60"


class Endpoint:
    """An ASGI endpoint out of a handler that may answer with a stream."""

    def __init__(self, handler: Handler) -> None:
        self._endpoint = answered(handler)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answer = await self._endpoint(Request(scope, receive))
        await answer(scope, receive, send)


def create_app(
    paths: Sequence[Path] = (), runs: Path = Path("runs"), data: str | None = None, token: str | None = None
) -> Any:
    """The studio as an ASGI application.

    Raises
    ------
    FileNotFoundError, ValueError
        A path is not there, or neither model, run nor folder.
    """
    studio = Studio(paths, runs, data)

    def route(path: str, handler: Handler, method: str = "GET") -> Route:
        return Route(path, Endpoint(handler), methods=[method])

    item = "/api/items/{id}"
    routes = [
        route("/api/state", studio.state),
        route("/api/events", studio.events),
        route("/api/runs", studio.start, "POST"),
        route("/api/runs/{id}", studio.run),
        route("/api/runs/{id}/metrics", studio.metrics),
        route("/api/runs/{id}/stop", studio.stop, "POST"),
        route("/api/runs/{id}/resume", studio.resume, "POST"),
        route(f"{item}/network", studio.network),
        route(f"{item}/film", studio.film),
        route(item + "/film/{number:int}.png", studio.frame),
        route(f"{item}/filter.png", studio.filter),
        route(f"{item}/images", studio.images),
        route(f"{item}/sheet.png", studio.sheet),
        route(f"{item}/look", studio.look, "POST"),
        route(f"{item}/strongest", studio.strongest),
        route(f"{item}/mistakes", studio.mistakes),
        route(f"{item}/mistakes/cell", studio.cell),
        route("/api/walk", studio.walk, "POST"),
        route("/", pages.index),
        route("/static/{path:path}", pages.static),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await studio.close()

    async def not_there(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return refused(request.scope, error.status_code, f"{WHERE}: there is nothing at this address")

    async def broken(request: Request, error: Exception) -> Response:
        log.exception("%s %s failed", request.method, one_line(request.url.path), exc_info=error)
        return JSONResponse({"error": f"{WHERE}: this failed inside; the studio's log has the reason"}, 500)

    handlers: Any = {HTTPException: not_there, Exception: broken}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.state.studio = studio
    return Door(app, token)
