"""The page's own files, the charts' library out of its Python package, and a recipe as text."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pellucid.studio.items import WHERE
from pellucid.studio.workers import WorkFailed

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
PLOTLY = "plotly.min.js"
LARGE_BYTES = 2**17
"""From here on a file is worth packing."""


async def index(request: Request) -> Response:
    """The page itself."""
    return await _file(request, STATIC / "index.html")


async def static(request: Request) -> Response:
    """One of the page's files, found in the list of those that there are."""
    path = request.path_params["path"]
    file = plotly() if path == PLOTLY else files().get(path)
    if file is None:
        raise WorkFailed(f"{WHERE}: the page has no file of this name", 404)
    return await _file(request, file)


def files() -> dict[str, Path]:
    """Every file of the page, by what it is asked for as."""
    return {file.relative_to(STATIC).as_posix(): file for file in STATIC.rglob("*") if file.suffix in TYPES}


@cache
def plotly() -> Path | None:
    """The bundle that the Python package ships, found without importing the package, which takes a while."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "package_data" / PLOTLY
    return file if file.is_file() else None


async def _file(request: Request, file: Path) -> Response:
    stamp = file.stat().st_mtime_ns
    content, packed, tag = await asyncio.to_thread(_content, file, stamp)
    headers = {"etag": tag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    if packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers = packed, headers | {"content-encoding": "gzip"}
    return Response(content, media_type=TYPES[file.suffix], headers=headers)


@cache
def _content(file: Path, stamp: int) -> tuple[bytes, bytes | None, str]:
    """A file's bytes, the same packed where they are many, and what tells them from other bytes."""
    content = file.read_bytes()
    packed = gzip.compress(content, 5, mtime=0) if len(content) > LARGE_BYTES else None
    return content, packed, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def as_toml(table: dict[str, Any], above: str = "") -> str:
    """A recipe as the TOML that `pellucid train --recipe` reads; what is None is left out."""
    plain = {key: value for key, value in table.items() if not isinstance(value, dict) and value is not None}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    text = (f"[{above}]\n" if above and plain else "") + "".join(line + "\n" for line in lines)
    parts = [text] if text else []
    for key, value in table.items():
        if isinstance(value, dict):
            inner = as_toml(value, f"{above}.{_key(key)}" if above else _key(key))
            parts += [inner] if inner else []
    return "\n".join(parts)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: Any) -> str:
    """JSON's way of writing strings, numbers and lists is TOML's, too."""
    return json.dumps(value, ensure_ascii=False)
