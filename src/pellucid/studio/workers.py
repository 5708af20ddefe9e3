"""Processes that compute for the page, so that the server itself is always free to answer.

A `Worker` is one child process that does one thing at a time. It is started when it is first asked, and again after it
died, hung or was stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from pellucid.studio import wire

log = logging.getLogger("pellucid.studio")

PYTHON = (sys.executable, "-P", "-m")
"""What starts a module of ours. Without -P, a file json.py in the present folder would be taken for Python's own."""

Progress = Callable[[dict[str, int]], None]


class WorkFailed(Exception):
    """Something could not be computed; the text is a sentence for the page.

    Parameters
    ----------
    status : int
        What kind of failure, as HTTP counts them.
    """

    def __init__(self, sentence: str, status: int = 422) -> None:
        super().__init__(sentence)
        self.status = status


class Worker:
    """One child process.

    Parameters
    ----------
    name : str
        For the log.
    nice : int
        How far it stands back behind everything else on this machine, from 0 to 19.
    """

    def __init__(self, name: str, nice: int = 0) -> None:
        self.name, self.nice = name, nice
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._is_closed = False

    async def ask(
        self,
        do: str,
        arguments: dict[str, Any],
        blob: bytes = b"",
        limit_s: float = 60.0,
        on_progress: Progress | None = None,
    ) -> Any:
        """What the worker answers: plain data, or bytes.

        If whoever waits is cancelled, the process is ended with what it was doing.

        Raises
        ------
        WorkFailed
            It refused with a sentence, died, or took longer than ``limit_s`` seconds.
        """
        async with self._turn:
            if self._is_closed:
                raise WorkFailed("studio: the studio is ending", 503)
            try:
                async with asyncio.timeout(limit_s):
                    return await self._asked(do, arguments, blob, on_progress)
            except TimeoutError:
                await self.end()
                raise WorkFailed(f"studio: this took longer than {limit_s:g} seconds and was stopped", 504) from None
            except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
                status = await self.end()
                log.warning("the %s worker ended with %s (%s)", self.name, status, type(error).__name__)
                raise WorkFailed(
                    "studio: the process that was computing this ended; it may have needed too much memory", 500
                ) from None
            except asyncio.CancelledError:
                await asyncio.shield(self.end())
                raise

    async def _asked(self, do: str, arguments: dict[str, Any], blob: bytes, on_progress: Progress | None) -> Any:
        process = await self._running()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(wire.message({"do": do, "arguments": arguments}, blob))
        await process.stdin.drain()
        while True:
            json_bytes, blob_bytes = wire.lengths(await process.stdout.readexactly(wire.HEAD.size))
            content = json.loads(await process.stdout.readexactly(json_bytes))
            found = await process.stdout.readexactly(blob_bytes)
            if "progress" in content:
                if on_progress is not None:
                    on_progress(content["progress"])
            elif "error" in content:
                raise WorkFailed(content["error"], 404 if content["kind"] == "FileNotFoundError" else 422)
            else:
                return found or content["result"]

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *(*PYTHON, "pellucid.studio.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=os.environ | {"PELLUCID_QUIET": "1", "NUMBA_NUM_THREADS": "1"},
            )
            if self.nice and hasattr(os, "setpriority"):
                with contextlib.suppress(OSError):
                    os.setpriority(os.PRIO_PROCESS, self._process.pid, self.nice)
        return self._process

    async def close(self) -> None:
        """End the process, and start no other."""
        self._is_closed = True
        await self.end()

    async def end(self) -> int | None:
        """End the process, if it runs, and wait for that; returns its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        return await process.wait()
