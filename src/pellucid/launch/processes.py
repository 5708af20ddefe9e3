"""Who belongs to an attempt, and how all of them are ended.

Processes that ``mpiexec`` started may leave its process group, its session, and even their parent; what they keep is
the environment that they were given, and in it the attempt's word. Linux shows it in ``/proc``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pellucid.runs.progress import ATTEMPT_VARIABLE

PROC = Path("/proc")
DAEMONS = ("hydra_pmi_proxy", "prted", "orted")
"""What starts the processes of an MPI program on another machine: one for each program, and without its environment."""
BETWEEN_LOOKS_S = 0.05


def started(
    words: Sequence[str],
    environment: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own: no Ctrl-C in a terminal reaches it, and it leads its group."""
    return subprocess.Popen(
        words, env=environment, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
    )  # fmt: skip


def can_be_found() -> bool:
    """Whether this system shows the environment of processes."""
    return (PROC / "self" / "environ").exists()


def marked(attempt: str, daemons: bool = False) -> list[int]:
    """The numbers of all processes that have the attempt's word in their environment, this one excepted.

    ``daemons`` adds those that started them, where they are known to have nothing else to do.
    """
    word = f"{ATTEMPT_VARIABLE}={attempt}".encode()
    found = [number for number in _numbers() if number != os.getpid() and word in _environment(number)]
    if daemons:
        parents = {parent for number in found if (parent := _parent(number)) and _name(parent) in DAEMONS}
        found += sorted(parents - set(found))
    return found


def end_marked(attempt: str, within_s: float, daemons: bool = False) -> list[int]:
    """SIGKILL all of them, again and again until none is left; returns those that are left after some seconds.

    A stopped process is ended, too. One that waits for a broken disk or file server may not be.
    """
    until = time.monotonic() + within_s
    while left := marked(attempt, daemons):
        for number in left:
            with contextlib.suppress(OSError):  # it has gone, or has become somebody else's
                os.kill(number, signal.SIGKILL)
        if time.monotonic() > until:
            return left
        time.sleep(BETWEEN_LOOKS_S)
    return []


def end_group(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """End a process that leads a group of its own: asked first, then with the whole group."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):  # nobody is left in it
            os.killpg(process.pid, signal.SIGKILL)
    if process.poll() is None:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s + 1)


def _numbers() -> list[int]:
    try:
        return sorted(int(path.name) for path in PROC.iterdir() if path.name.isdecimal())
    except OSError:
        return []


def _environment(number: int) -> list[bytes]:
    """As the process was started with; nothing where it is gone or another user's."""
    try:
        return (PROC / str(number) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _parent(number: int) -> int | None:
    try:
        text = (PROC / str(number) / "stat").read_text(encoding="ascii", errors="replace")
        return int(text.rpartition(")")[2].split()[1])  # a program's name stands before, and may hold anything
    except (OSError, ValueError, IndexError):
        return None


def _name(number: int) -> str:
    try:
        return (PROC / str(number) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
