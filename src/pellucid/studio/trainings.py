"""Runs that the page starts, stops and resumes: each is ``python -m pellucid train`` in a process of its own.

A run goes on when the page is closed. When the studio ends, its runs are stopped as by Ctrl-C: they save, and can be
resumed.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pellucid.data.catalogue import CATALOGUE
from pellucid.runs.folder import RunFolder
from pellucid.studio.items import WHERE, Library
from pellucid.studio.workers import PYTHON, WorkFailed

NAME = re.compile(r"\w[\w.-]{0,63}")
MOST_LINES, MOST_LINE_BYTES, PIECE_BYTES = 200, 2000, 2**16
MOST_LETTERS = 1000
"""Of a field of a request."""
MOST_NAME_BYTES = 200
"""File systems take 255."""
MOST_NUMBER = 2**31
UNTIL_STARTED_S, UNTIL_STOPPED_S = 60.0, 60.0
STOPPED_BY_SIGNAL = (143, -15, 130, -2)
"""SIGTERM and SIGINT, after saving and before there was anything to save."""
FIELDS = {"data": str, "recipe": str, "name": str, "epochs": int, "batch_size": int, "seed": int, "set": list}
KINDS = {str: "text", int: "a whole number", list: "a list"}


class Training:
    """One process that trains, and what it printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: deque[str] = deque(maxlen=MOST_LINES)
        self.stopping = False
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        rest = b""
        while piece := await self.process.stdout.read(PIECE_BYTES):
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                self._keep(line)
            rest = rest[:MOST_LINE_BYTES]  # whoever prints without end is read all the same: a full pipe stops a run
        if rest:
            self._keep(rest)
        await self.process.wait()

    def _keep(self, line: bytes) -> None:
        self.lines.append(line[:MOST_LINE_BYTES].decode(errors="replace").rstrip())

    @property
    def is_running(self) -> bool:
        return self.process.returncode is None

    @property
    def failure(self) -> str | None:
        """The last sentence of a run that failed."""
        status = self.process.returncode
        if status is None or status == 0 or status in STOPPED_BY_SIGNAL:
            return None
        if status < 0:
            return f"the run was ended by {_signal_name(-status)}; it can be resumed from its last checkpoint"
        said = next((line for line in reversed(self.lines) if line.strip()), "")
        return said.removeprefix("pellucid: ") or f"the run ended with status {status}"

    def stop(self) -> None:
        """Ask it to save and stop, once: a second signal would end it before it has saved."""
        if self.is_running and not self.stopping:
            self.stopping = True
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)  # SIGINT is ignored where the studio is in the background


class Trainings:
    """Everything that was started here.

    Parameters
    ----------
    library : Library
        Whose folder of runs new runs go to.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self._all: dict[str, Training] = {}
        self._starting: set[Path] = set()

    def change(self, id: str, item: dict[str, Any]) -> dict[str, Any]:
        """What is known here of an item."""
        training = self._all.get(id)
        if training is None:
            return item
        if training.is_running:
            return item | {"mine": True, "state": "stopping" if training.stopping else "running"}
        return item | {"error": item["error"] or training.failure}

    def log(self, id: str) -> str:
        """What a run that was started here printed last."""
        return "\n".join(self._all[id].lines) if id in self._all else ""

    async def start(self, asked: Any) -> str:
        """Start a run; returns its id once its folder is there.

        Raises
        ------
        WorkFailed
            What was asked for makes no sense, a run of that name is there, or training refused it with a sentence.
        """
        arguments, name = _arguments(asked)
        path = self.library.runs / name if name else self._next(arguments[0])
        if path in self._starting or path.exists():
            raise WorkFailed(f"{WHERE}: a run named {path.name} is there already, or being started", 409)
        return await self._run(RunFolder(path, WHERE), [*arguments, "--run", str(path)])

    async def resume(self, id: str, path: Path, asked: Any) -> None:
        """Go on with a run that was stopped."""
        asked = _checked(asked, ("epochs",))
        if (id in self._all and self._all[id].is_running) or path in self._starting:
            raise WorkFailed(f"{WHERE}: the run {path.name} is training already", 409)
        more = ["--epochs", str(asked["epochs"])] if "epochs" in asked else []
        await self._run(RunFolder(path, WHERE), ["--resume", "--run", str(path), *more])

    def stop(self, id: str) -> None:
        """Let a run save and stop."""
        training = self._all.get(id)
        if training is None or not training.is_running:
            raise WorkFailed(f"{WHERE}: the run {id} was not started here; stop it where it was, with Ctrl-C", 409)
        training.stop()

    async def close(self) -> None:
        """Stop everything and wait for it."""
        running = [training for training in self._all.values() if training.is_running]
        for training in running:
            training.stop()
        for training in running:
            try:
                async with asyncio.timeout(UNTIL_STOPPED_S):
                    await training.reading
            except TimeoutError:
                training.process.kill()
                await training.process.wait()

    async def _run(self, folder: RunFolder, arguments: Sequence[str]) -> str:
        self._starting.add(folder.path)
        try:
            folder.path.parent.mkdir(parents=True, exist_ok=True)
            process = await asyncio.create_subprocess_exec(
                *(*PYTHON, "pellucid", "train", *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the studio, which stops its runs itself
            )
            id = self.library.id_of(folder.path.resolve())
            training = self._all[id] = Training(process)
            await self._until_started(folder, training)
        except OSError as error:
            raise WorkFailed(f"{WHERE}: a run cannot be started in {folder.path.parent}: {error.strerror}") from None
        finally:
            self._starting.discard(folder.path)
        return id

    async def _until_started(self, folder: RunFolder, training: Training) -> None:
        """Wait for the sign that it trains, or for its refusal."""
        for _ in range(int(UNTIL_STARTED_S / 0.05)):
            if not training.is_running:
                await training.reading
                if training.failure:
                    raise WorkFailed(training.failure, 422)
                return
            if folder.record.exists() and folder.is_held():
                return
            await asyncio.sleep(0.05)

    def _next(self, data: str) -> Path:
        """A name for the run that nobody has."""
        base = re.sub(r"[^\w.-]+", "-", Path(data).stem).strip(".-")[:40] or "run"
        number = 1
        while (path := self.library.runs / f"{base}-{number}").exists() or path in self._starting:
            number += 1
        return path


def _arguments(asked: Any) -> tuple[list[str], str]:
    """What the page asks for, as arguments of the command, and the run's name if it has one."""
    asked = _checked(asked, tuple(FIELDS))
    if not asked.get("data") or not asked.get("recipe"):
        raise WorkFailed(f"{WHERE}: say which data to train on, and by which recipe")
    for field in ("data", "recipe"):
        if asked[field].startswith("-") or "\0" in asked[field]:
            raise WorkFailed(f"{WHERE}: {field} is {asked[field]!r}, which is neither a name nor a path")
    name = asked.get("name") or ""
    if name and (not NAME.fullmatch(name) or len(name.encode()) > MOST_NAME_BYTES):
        raise WorkFailed(
            f"{WHERE}: name is {name!r}; give letters, digits, dots and dashes, at most 64, a letter or digit first"
        )
    arguments = [_data(asked["data"]), "--recipe", asked["recipe"]]
    for field in ("epochs", "batch_size", "seed"):
        if field in asked:
            arguments += [f"--{field.replace('_', '-')}", str(asked[field])]
    for change in asked.get("set", []):
        if not isinstance(change, str) or not _is_text(change) or not re.fullmatch(r"[a-z][\w.]*\s*=[^\0]*", change):
            raise WorkFailed(f"{WHERE}: {change!r} is no change to a recipe; write key=value, such as train.epochs=4")
        arguments += ["--set", change]
    return arguments, name


def _data(data: str) -> str:
    """A data set's name as it is, a path with what ~ means."""
    try:
        return data if data in CATALOGUE else str(Path(data).expanduser())
    except RuntimeError:
        raise WorkFailed(f"{WHERE}: data is {data!r}, and nobody of that name has a home folder here") from None


def _is_text(value: str) -> bool:
    """Whether a process can be given it: a JSON string may hold halves of letters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return len(value) <= MOST_LETTERS


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _checked(asked: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    """The fields that were given, of the kinds they must be."""
    if not isinstance(asked, dict):
        raise WorkFailed(f"{WHERE}: the request must be a JSON object", 400)
    given = {name: value for name, value in asked.items() if value is not None and value != ""}
    for name, value in given.items():
        if name not in fields:
            raise WorkFailed(f"{WHERE}: {name!r} is no field of this request; there are {', '.join(fields)}", 400)
        if not isinstance(value, FIELDS[name]) or isinstance(value, bool):
            raise WorkFailed(f"{WHERE}: {name} is {value!r}; it must be {KINDS[FIELDS[name]]}", 400)
        if isinstance(value, str) and not _is_text(value):
            raise WorkFailed(f"{WHERE}: {name} must be text of at most {MOST_LETTERS} letters", 400)
        if isinstance(value, int) and abs(value) >= MOST_NUMBER:
            raise WorkFailed(f"{WHERE}: {name} must be less than {MOST_NUMBER:,}", 400)
    return given
