"""A small process beside the supervisor, for the case that somebody kills him: it ends what he had started.

The supervisor holds a pipe and writes into it what the present attempt is called. When the pipe closes without a last
word, he is gone.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pellucid.launch.hosts import Agent, Host
from pellucid.launch.processes import end_marked, started

WITHIN_S = 10.0
OVER = "over"


class Guard:
    """The supervisor's side: a context in which attempts are guarded."""

    def __init__(self) -> None:
        self.process = started([sys.executable, "-m", "pellucid.launch.guard"], stdin=subprocess.PIPE)

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, *error: object) -> None:
        self._tell(OVER)
        with contextlib.suppress(OSError):
            self.process.stdin.close()  # type: ignore[union-attr]
        try:
            self.process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def attempt(self, name: str, agent: Agent, hosts: Sequence[Host], progress: Path) -> None:
        """From now on this is what to end."""
        self._tell({"attempt": name, "agent": agent.program, "hosts": [h.name for h in hosts], "file": str(progress)})

    def _tell(self, what: Any) -> None:
        with contextlib.suppress(OSError):  # the guard itself was killed; nobody is worse off than without
            self.process.stdin.write(json.dumps(what).encode() + b"\n")  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]


def main() -> None:
    """The guard's side."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    last: Any = OVER
    for line in sys.stdin:
        with contextlib.suppress(ValueError):  # he was killed while he wrote it
            last = json.loads(line)
    if last == OVER:
        return
    end_marked(last["attempt"], WITHIN_S)
    Agent(last["agent"]).sweep([Host(name) for name in last["hosts"]], last["attempt"], WITHIN_S)
    end_marked(last["attempt"], WITHIN_S)
    Path(last["file"]).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
