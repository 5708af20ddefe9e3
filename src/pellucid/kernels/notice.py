"""What the kernels tell the user: that they are being compiled, once, and how far that is.

Messages go to the standard error stream, so that no program's output is touched; `PELLUCID_QUIET=1` silences them.
"""

from __future__ import annotations

import os
import sys
import time

QUIET_SETTING = "PELLUCID_QUIET"

_started: list[float] = []  # when each compilation of this process began


def compiling(name: str) -> None:
    """A kernel is not on disk and is about to be compiled."""
    _started.append(time.perf_counter())
    if len(_started) == 1:
        say("compiling kernels for this processor; they are kept, so this happens once")
    _progress(f"  {len(_started):3d}  {name} ...")


def compiled() -> None:
    """The kernel that was announced last is ready."""
    if _started:
        _progress(f"  {len(_started):3d}  ready after {time.perf_counter() - _started[0]:.1f} s in all")


def say(text: str) -> None:
    """One line for the user."""
    if not _quiet():
        print(f"pellucid: {text}", file=sys.stderr, flush=True)


def _progress(text: str) -> None:
    """On a terminal, one line that changes; elsewhere nothing, so that logs stay short."""
    if not _quiet() and sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="\n" if "ready" in text else "", file=sys.stderr, flush=True)


def _quiet() -> bool:
    return sys.stderr is None or os.environ.get(QUIET_SETTING, "") not in ("", "0")
