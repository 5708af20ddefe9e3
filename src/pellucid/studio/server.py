"""The studio as a program: it prints its address, opens the browser, and serves until Ctrl-C."""

from __future__ import annotations

import logging
import secrets
import socket
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from pellucid.studio.app import create_app
from pellucid.studio.security import LOOPBACK

GRACE_S = 2
"""Until open streams are cut when the studio ends."""


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
    listening = _socket(host, port)
    number = listening.getsockname()[1]
    shown = "127.0.0.1" if host in LOOPBACK else (socket.gethostname() if host in ("0.0.0.0", "::") else host)
    address = f"http://{shown}:{number}/" + (f"?token={token}" if token else "")
    print(
        f"pellucid studio: {address}\nCtrl-C ends it; runs that were started here save, and can be resumed", flush=True
    )
    if open_browser:
        webbrowser.open(address)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
        lifespan="on",
    )
    uvicorn.Server(config).run([listening])


def _socket(host: str, port: int) -> socket.socket:
    """A socket that listens; the next free port where another program has this one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise OSError(
            f"studio: cannot listen on {host}, port {port} ({error.strerror}); give another with --port"
        ) from None
    return made
