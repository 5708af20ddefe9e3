"""Which process a trial belongs to, and whether that process is still there."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

PROC = Path("/proc")
DEAD_STATES = ("Z", "X", "x")
"""Of a process that has ended, but whose parent has not asked how."""


@dataclass(frozen=True)
class Owner:
    """A process, so that no other is taken for it.

    Attributes
    ----------
    host : str
        The machine's name.
    system : str
        The machine's present boot and the process's name space, where it tells: containers may share a name, and a
        number means nothing in another container, nor after the machine was started again.
    pid : int
    started : str
        When the process began, in the machine's own ticks, where it tells: numbers are used again.
    """

    host: str
    system: str
    pid: int
    started: str

    def attributes(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this machine, of which this one can tell what became."""
        return (self.host, self.system) == (platform.node(), _system())

    @property
    def is_gone(self) -> bool:
        """Whether it has ended. False where nobody can tell."""
        if not self.is_here:
            return False
        if _has_proc():
            started = _started(self.pid)
            return started is None or started != self.started
        return not _answers(self.pid)


def this_process() -> Owner:
    """The process that asks."""
    return Owner(platform.node(), _system(), os.getpid(), _started(os.getpid()) or "")


def owner_of(attributes: Any) -> Owner | None:
    """The owner as `Owner.attributes` gave it; None where it is something else."""
    if not isinstance(attributes, Mapping) or attributes.keys() != {"host", "system", "pid", "started"}:
        return None
    return Owner(**attributes)


@cache
def _system() -> str:
    """This machine's boot and this process's name space; nothing where the system does not tell."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {(PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


@cache
def _has_proc() -> bool:
    return (PROC / "self/stat").exists()


def _started(pid: int) -> str | None:
    """When a process began; None where there is none of this number that still runs."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # a program's name stands before, and may hold anything
    return None if len(fields) < 20 or fields[0] in DEAD_STATES else fields[19]


def _answers(pid: int) -> bool:
    """Whether a process has this number, where there is no /proc."""
    if os.name == "nt":  # os.kill would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
