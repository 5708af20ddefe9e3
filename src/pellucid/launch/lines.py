"""What the processes print: handed on as it comes, the last lines kept."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import deque
from typing import IO, TextIO

MOST_LINES, MOST_BYTES = 20, 2**16
"""Lines that are kept; the longest piece that is handed on at once."""
SHOWN = 300


class Lines:
    """Standard output and standard error of one process.

    Attributes
    ----------
    last : deque of str
        The last lines of both.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.last: deque[str] = deque(maxlen=MOST_LINES)
        pairs = ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
        self._threads = [
            threading.Thread(target=self._hand_on, args=(source, to), daemon=True)
            for source, to in pairs
            if source is not None
        ]
        for thread in self._threads:
            thread.start()

    def finish(self, within_s: float) -> None:
        """Wait until everything was read, but not for a stranger who holds the pipe."""
        until = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _hand_on(self, source: IO[bytes], to: TextIO) -> None:
        while piece := source.readline(MOST_BYTES):
            line = piece.decode(errors="replace")
            if line.strip():
                self.last.append(line.strip()[:SHOWN])
            write(to, line)
        source.close()


def write(to: TextIO, text: str) -> None:
    """Print, if anybody reads it: a run does not end because its log does."""
    try:
        to.write(text.encode(to.encoding or "utf-8", "replace").decode(to.encoding or "utf-8"))
        to.flush()
    except (OSError, ValueError):
        pass
