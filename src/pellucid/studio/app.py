"""The studio's addresses: what each request is answered with.

What computes runs in workers, what trains in processes of its own (`workers`, `trainings`); here is only looked up,
handed on and answered, so that the page never waits for a computation that it did not ask for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tomllib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import pellucid
from pellucid.data.listing import one_line
from pellucid.data.sources import describe
from pellucid.runs.folder import RunFolder
from pellucid.studio import pages
from pellucid.studio.answers import MOST_UPLOAD_BYTES, Endpoint, Handler, body, json_body, whole
from pellucid.studio.items import WHERE, Library, Place
from pellucid.studio.security import Door, refused
from pellucid.studio.streams import EventStream, event, heartbeats
from pellucid.studio.trainings import Trainings
from pellucid.studio.watcher import Watcher
from pellucid.studio.workers import Worker, WorkFailed

log = logging.getLogger("pellucid.studio")

QUICK_S, SLOW_S = 60.0, 3600.0


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

    async def release(self) -> None:
        """End every stream and all computing: whoever waits gets a sentence."""
        await asyncio.gather(self.watcher.close(), self.quick.close(), self.slow.close())

    async def close(self) -> None:
        """Leave nothing running: runs that were started here save first."""
        await asyncio.gather(self.release(), self.trainings.close())

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
        async def all_events() -> AsyncGenerator[bytes, None]:
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
        if item is None or item["state"] == "gone":
            raise WorkFailed(f"{WHERE}: the run {place.id} is gone", 404)
        tail = await self.watcher.tail(place)
        record = await asyncio.to_thread(_record, place)
        return {
            "item": item,
            "recipe": record["recipe"],
            "recipe_toml": await asyncio.to_thread(pages.as_toml, record["recipe"]),
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
        epochs = record["recipe"].get("train", {}).get("epochs")
        last = tail.steps[-1] if tail.steps else None
        per_epoch = round(last[0] / last[1]) if last and last[1] else None
        return columns | {"steps_per_epoch": per_epoch, "epochs_wanted": epochs}

    async def start(self, request: Request) -> Any:
        return {"id": await self.trainings.start(await json_body(request))}

    async def stop(self, request: Request) -> Any:
        self.trainings.stop(self._place(request, "run").id)
        return {}

    async def resume(self, request: Request) -> Any:
        place = self._place(request, "run")
        await self.trainings.resume(place.id, place.path, await json_body(request))
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
        return await self._quick(request, "filter", layer=query.get("layer", ""), index=whole(request, "filter"))

    async def images(self, request: Request) -> Any:
        query = request.query_params
        count = min(400, whole(request, "count", 100))
        part, start, label = query.get("part", "test"), whole(request, "start", 0), query.get("label") or None
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
        index = whole(request, "index") if "index" in query else None
        blob = b"" if index is not None else await body(request, MOST_UPLOAD_BYTES)
        if index is None and not blob:
            raise WorkFailed(f"{WHERE}: send a picture, or say which test image with index=", 400)
        return await self._quick(request, "look", blob, index=index, target=query.get("target") or None)

    async def cell(self, request: Request) -> Any:
        query = request.query_params
        about = {"label": whole(request, "label"), "predicted": whole(request, "predicted")}
        place = self._place(request)
        return await self.slow.ask("cell", self._item(place, about | {"part": query.get("part", "test")}), b"", SLOW_S)

    async def strongest(self, request: Request) -> Any:
        query = request.query_params
        top = min(25, whole(request, "top", 9))
        return self._job(request, "strongest", layer=query.get("layer", ""), top=top)

    async def mistakes(self, request: Request) -> Any:
        return self._job(request, "mistakes", part=request.query_params.get("part", "test"))

    async def walk(self, request: Request) -> Any:
        return await self.quick.ask("walk", {"request": await json_body(request)}, limit_s=QUICK_S)

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

        async def told() -> AsyncGenerator[bytes, None]:
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


def _record(place: Place) -> dict[str, Any]:
    folder = RunFolder(place.path, WHERE)
    try:
        record = folder.recorded()
    except FileNotFoundError as error:
        raise WorkFailed(str(error), 404) from None
    except (ValueError, OSError) as error:
        raise WorkFailed(str(error)) from None
    recipe = record.get("recipe")
    if not isinstance(recipe, dict) or not isinstance(recipe.get("train", {}), dict):
        raise WorkFailed(f"{WHERE}: {folder.record} is damaged: its recipe is no table of settings")
    return record


def known_recipes() -> list[dict[str, str]]:
    """The package's recipes, in a few words; read here without the code that builds networks."""
    folder = Path(pellucid.__file__).parent / "recipes"
    found = []
    for file in sorted(folder.glob("*.toml")):
        recipe = tomllib.loads(file.read_text(encoding="utf-8"))
        if recipe.get("network", {}).get("name") != "file":  # those need a model file to start from
            found.append({"name": file.stem, "about": recipe.get("about", ""), "cost": recipe.get("cost", "")})
    return found


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
        what = f"not asked with {request.method}" if error.status_code == 405 else "not an address of the studio"
        answer = refused(request.scope, error.status_code, f"{WHERE}: this is {what}")
        answer.headers.update(error.headers or {})
        return answer

    async def broken(request: Request, error: Exception) -> Response:
        log.exception("%s %s failed", request.method, one_line(request.url.path), exc_info=error)
        return refused(request.scope, 500, f"{WHERE}: this failed inside; the studio's log has the reason")

    handlers: Any = {HTTPException: not_there, Exception: broken}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.state.studio = studio
    return Door(app, token)
