"""``pellucid studio``: the live page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pellucid import check
from pellucid.data.catalogue import CATALOGUE

NEEDS = ("starlette", "uvicorn", "plotly")


def studio_command(
    paths: Sequence[Path], runs: Path, data: str | None, host: str, port: int, token: str | None, no_browser: bool
) -> int:
    """Serve the page until Ctrl-C."""
    port = check.whole_number("studio", "--port", port, least=0)
    if port > 65535:
        raise ValueError(f"studio: --port is {port}; it must be at most 65535")
    if token is not None and (len(token) < 8 or not token.isascii() or not token.isprintable()):
        raise ValueError("studio: --token must have 8 or more letters, digits and signs")
    try:
        from pellucid.studio.server import serve
    except ImportError as error:
        if error.name not in NEEDS:
            raise
        raise ValueError(
            f"studio: the package {error.name} is not installed; it comes with: pip install 'pellucid[studio]'"
        ) from None
    serve(
        paths,
        runs,
        data if data is None or data in CATALOGUE else str(Path(data).resolve()),
        host,
        port,
        token,
        not no_browser,
    )
    return 0
