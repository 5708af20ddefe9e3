"""Two machines on one: network namespaces with a link whose bandwidth is limited. Linux, as root, with ip and tc."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ADDRESSES = ("10.232.7.1", "10.232.7.2")
AGENT = """#!/bin/sh
# Stands for ssh: [options] HOST COMMAND...
while [ "${{1#-}}" != "$1" ]; do shift; done
case $1 in {a}) name={first};; {b}) name={second};; *) exit 255;; esac
shift
exec ip netns exec $name unshare --uts sh -c "hostname $name; $*"
"""


class Machines:
    """The two, and how something is started on them."""

    def __init__(self, folder: Path) -> None:
        self.names = [f"pellucid-{os.getpid()}-{which}" for which in "cd"]
        self.agent = folder / "agent"

    def command(self, mpiexec: str, program: list[str]) -> list[str]:
        """One process on each, by MPICH's mpiexec, which runs on the first."""
        hosts = ",".join(ADDRESSES)
        launched = [mpiexec, "-launcher", "ssh", "-launcher-exec", str(self.agent), "-hosts", hosts, "-ppn", "1"]
        script = f'hostname {self.names[0]}; exec "$@"'
        inside = ["ip", "netns", "exec", self.names[0], "unshare", "--uts", "sh", "-c", script, "sh"]
        return [*inside, *launched, "-n", "2", *program]

    def environment(self) -> dict[str, str]:
        """Over the link: without it, UCX sees one kernel and uses shared memory."""
        return {"UCX_TLS": "tcp,self", "HYDRA_IFACE": "v0"}

    def limit(self, megabits_per_s: float | None) -> None:
        """How much the link carries, each way. None: as much as it can."""
        for name in self.names:
            subprocess.run(
                ["ip", "netns", "exec", name, "tc", "qdisc", "del", "dev", "v0", "root"], capture_output=True
            )
            if megabits_per_s is not None:
                burst = max(32_000, int(megabits_per_s * 1e6 / 8 / 250))  # what passes between two ticks of the clock
                self._run(
                    "ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", "v0", "root", "tbf",
                    "rate", f"{megabits_per_s}mbit", "burst", str(burst), "latency", "100ms",
                )  # fmt: skip

    def begin(self) -> None:
        """Make them."""
        first, second = self.names
        for name in self.names:
            self._run("ip", "netns", "add", name)
        self._run("ip", "-n", first, "link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", second)
        for name, address in zip(self.names, ADDRESSES, strict=True):
            self._run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "v0")
            for device in ("v0", "lo"):
                self._run("ip", "-n", name, "link", "set", device, "up")
        while any(b"tentative" in self._run("ip", "-n", name, "addr") for name in self.names):
            time.sleep(0.1)  # until then nobody answers on that address
        text = AGENT.format(a=ADDRESSES[0], b=ADDRESSES[1], first=first, second=second)
        self.agent.write_text(text, encoding="utf-8")
        self.agent.chmod(0o755)

    def end(self) -> None:
        """Remove them."""
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def _run(self, *words: Any) -> bytes:
        return subprocess.run(words, check=True, capture_output=True).stdout


@contextmanager
def two_machines(folder: Path) -> Iterator[Machines]:
    """They are there while this lasts."""
    machines = Machines(folder)
    try:
        machines.begin()
        yield machines
    finally:
        machines.end()
