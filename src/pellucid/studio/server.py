"""The studio as a program: it prints its address, opens the browser, and serves until Ctrl-C."""

from __future__ import annotations

import functools
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from pellucid.studio.app import create_app
from pellucid.studio.security import LOOPBACK

GRACE_S = 2
"""Until open connections are cut when the studio ends."""
MOST_CONNECTIONS = 250
"""A browser has at most six; more than these are refused with 503."""


class Program(uvicorn.Server):
    """The web server around the studio. It ends in order, however often it is told to.

    Parameters
    ----------
    app : what `create_app` gives
    """

    def __init__(self, app: Any) -> None:
        self._studio = app.app.state.studio
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                lifespan="on",
                limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=GRACE_S,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end. Another Ctrl-C does not cut it short: runs that were started here are saving."""
        if self.should_exit:
            os.write(2, b"pellucid studio: it ends as soon as its runs have saved\n")  # print may be at work already
        else:
            super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let streams end by themselves before connections are waited for."""
        await self._studio.release()
        await super().shutdown(sockets)


def serve(
    paths: Sequence[Path] = (),
    runs: Path = Path("runs"),
    data: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8765,
    token: str | None = None,
    open_browser: bool = True,
) -> None:
    """Serve the page until the process is told to stop.

    Parameters
    ----------
    paths : sequence of paths
        Model files, run folders, folders of runs.
    runs : path
        Where new runs go, and whose runs are shown, too.
    data : str, optional
        A data set or path: test images for the model files.
    host : str
        Where to listen. Other machines reach it only if this is one of this machine's addresses (0.0.0.0: all of them),
        and then they need the token.
    port : int
        0 takes one that is free.
    token : str, optional
        Made up where one is needed and none is given.
    open_browser : bool

    Raises
    ------
    FileNotFoundError, ValueError, OSError
        A path that is not there; a port that another program has.
    """
    if host not in LOOPBACK and token is None:
        token = secrets.token_urlsafe(24)
    app = create_app(paths, runs, data, token)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    program = Program(app)
    listening = _socket(host, port)
    number = listening.getsockname()[1]
    shown = "127.0.0.1" if host in LOOPBACK else (socket.gethostname() if host in ("0.0.0.0", "::") else host)
    address = f"http://{shown}:{number}/" + (f"?token={token}" if token else "")
    print(
        f"pellucid studio: {address}\nCtrl-C ends it; runs that were started here save, and can be resumed", flush=True
    )
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        end = functools.partial(program.handle_exit, signal.SIGTERM)
        signal.signal(signal.SIGHUP, lambda _, frame: end(frame))  # the terminal was closed: runs save, as on Ctrl-C
    if open_browser:  # some browsers keep the terminal until they are closed
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    program.run([listening])


def _socket(host: str, port: int) -> socket.socket:
    """A socket that listens: who comes before the server is ready waits a moment, and is not refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen()
    except OSError as error:
        made.close()
        raise OSError(
            f"studio: cannot listen on {host}, port {port} ({error.strerror}); give another with --port"
        ) from None
    return made
