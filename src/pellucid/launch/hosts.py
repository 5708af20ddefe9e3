"""Other machines: a list of hosts, and the program by which they are reached."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pellucid.launch.processes import started

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
LINE = re.compile(r"(?P<name>\S+?)(?::(?P<places>\S*)|\s+slots\s*=\s*(?P<slots>\S*))?")
MOST_PLACES = 4096
CONNECT_S = 5
"""For ssh: how long to wait for a machine."""
HERE = ("localhost", "127.0.0.1")
BETWEEN_LOOKS_S = 0.05


class Host(NamedTuple):
    """A machine, and how many processes it takes; None: its share of them."""

    name: str
    places: int | None = None

    def __str__(self) -> str:
        return self.name if self.places is None else f"{self.name}:{self.places}"


def hosts_from(text: str) -> list[Host]:
    """Of ``--hosts``: "a,b:2".

    Raises
    ------
    ValueError
        One is no name, or has no places.
    """
    return _merged([_host(part.strip(), f"--hosts {text}") for part in text.split(",")])


def hosts_of_file(path: Path) -> list[Host]:
    """Of ``--hostfile``: a line for each host, "a", "a:2" or "a slots=2"; # begins a comment.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It holds something else, or nothing.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"launch: --hostfile {path} is no text; write one host a line, such as node1:2") from None
    contents = [(number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1)]
    hosts = [_host(content, f"{path}, line {number}") for number, content in contents if content]
    if not hosts:
        raise ValueError(f"launch: --hostfile {path} names no host; write one a line, such as node1:2")
    return _merged(hosts)


def with_places(hosts: Sequence[Host], ranks: int | None, oversubscribe: bool = False) -> list[Host]:
    """The hosts, each with a number of places: who has none takes an even share of the ranks that are left.

    Raises
    ------
    ValueError
        There are more ranks than places.
    """
    fixed = sum(host.places for host in hosts if host.places is not None)
    open_ = [host.name for host in hosts if host.places is None]
    left = max(0, (fixed + len(open_) if ranks is None else ranks) - fixed)
    shares = {name: max(1, left // len(open_) + (index < left % len(open_))) for index, name in enumerate(open_)}
    placed = [Host(host.name, shares.get(host.name, host.places)) for host in hosts]
    if ranks is not None and ranks > total(placed) and not oversubscribe:
        raise ValueError(
            f"launch: -n is {ranks}, but the hosts have {total(placed)} places; name more hosts, give them more "
            f"places ({hosts[0].name}:{(hosts[0].places or 1) + ranks - total(placed)}), or add --oversubscribe"
        )
    return placed


def total(hosts: Sequence[Host]) -> int:
    """All places."""
    return sum(host.places or 0 for host in hosts)


@dataclass(frozen=True)
class Agent:
    """What runs a command on another machine, as ``ssh`` does: AGENT HOST COMMAND.

    Parameters
    ----------
    program : str or None
        None is ssh.
    """

    program: str | None = None

    def check(self, hosts: Sequence[Host]) -> None:
        """Raise ValueError where a host would need ssh and there is none."""
        if self.program is None and shutil.which("ssh") is None and any(not is_here(host.name) for host in hosts):
            raise ValueError("launch: ssh is not installed; name the program that reaches hosts with --launcher-exec")

    def words(self, host: str, command: Sequence[str]) -> list[str]:
        """The command line that runs a command there."""
        if self.program is not None:
            return [self.program, host, shlex.join(command)]
        return ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_S}", host, shlex.join(command)]

    def run(self, hosts: Sequence[Host], command: Sequence[str], within_s: float) -> list[Host]:
        """Run a command on all hosts at once. Returns those on which it left with status 0 within some seconds."""
        running = {host: self._started(host, command) for host in hosts}
        until = time.monotonic() + within_s
        while any(process is not None and process.poll() is None for process in running.values()):
            if time.monotonic() > until:
                break
            time.sleep(BETWEEN_LOOKS_S)
        for process in running.values():
            if process is not None and process.poll() is None:
                _kill(process)
        return [host for host, process in running.items() if process is not None and process.returncode == 0]

    def answering(self, hosts: Sequence[Host], within_s: float) -> list[Host]:
        """Which of them can be reached."""
        far = [host for host in hosts if self.program is not None or not is_here(host.name)]
        answered = self.run(far, ["true"], within_s)
        return [host for host in hosts if host in answered or host not in far]

    def sweep(self, hosts: Sequence[Host], attempt: str, within_s: float) -> list[Host]:
        """End what is left of an attempt on the other machines; returns those on which nothing is left for sure."""
        far = [host for host in hosts if self.program is not None or not is_here(host.name)]
        path = os.environ.get("PYTHONPATH")
        python = ["env", f"PYTHONPATH={path}", sys.executable] if path else [sys.executable]
        return self.run(far, [*python, "-m", "pellucid.launch.sweep", attempt], within_s)

    def _started(self, host: Host, command: Sequence[str]) -> subprocess.Popen[bytes] | None:
        try:
            return started(self.words(host.name, command))
        except OSError:
            return None


SSH = Agent()


def is_here(name: str) -> bool:
    """Whether it is a name of this machine."""
    own = platform.node()
    return name in HERE or name in (own, own.partition(".")[0])


def _host(text: str, where: str) -> Host:
    found = LINE.fullmatch(text)
    name = found["name"] if found else text
    if not found or not NAME.fullmatch(name):
        raise ValueError(f"launch: {where}: {text!r} is no host; write a name or an IPv4 address, or name:2 for places")
    number = found["places"] if found["places"] is not None else found["slots"]
    if number is None:
        return Host(name)
    if not (number.isascii() and number.isdecimal()) or not 1 <= int(number[:9]) <= MOST_PLACES:
        raise ValueError(f"launch: {where}: {text!r} has {number!r} places; it must be a whole number from 1")
    return Host(name, int(number))


def _merged(hosts: list[Host]) -> list[Host]:
    """A host that is named several times has all of those places."""
    names = list(dict.fromkeys(host.name for host in hosts))
    if len(names) == len(hosts):
        return hosts
    return [Host(name, sum(host.places or 1 for host in hosts if host.name == name)) for name in names]


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
