"""The command ``pellucid launch``: its arguments and help. What it does stands in ``launch.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pellucid.cli.commands import Whole


def launch(
    *command: Annotated[str, Parameter(allow_leading_hyphen=True)],
    ranks: Annotated[Whole | None, Parameter(name=("-n", "--ranks"))] = None,
    hosts: str | None = None,
    hostfile: Path | None = None,
    mpiexec: str | None = None,
    launcher_exec: str | None = None,
    stall_timeout: float = 60.0,
    start_timeout: float = 600.0,
    max_restarts: Whole = 20,
    max_fruitless: Whole = 6,
    min_ranks: Whole = 1,
    oversubscribe: bool = False,
    survive: bool = False,
) -> int:
    """Train with several processes, by MPI, and go on when one of them is lost.

    `pellucid launch -n 4 train cifar10 --recipe 94` starts `pellucid train cifar10 --recipe 94` under mpiexec and
    watches how it gets on. When a process is killed, stopped, hangs, or a machine is cut off, all others are ended, and
    training goes on from the newest checkpoint: with the hosts that answer, and on one machine, after two attempts in a
    row that made no step, with one process fewer each time. A run that gives up by itself, over bad input or because it
    diverged, is not tried again. Ctrl-C lets it save; a second one ends it at once. One process needs no MPI; several
    need pip install 'pellucid[mpi]', or a cluster's own MPI and pip install mpi4py.

    Parameters
    ----------
    command
        train, which may be left out, and everything that it is to be given. --run names the folder that is gone on
        with; where other hosts take part, all must see it at the same path.
    ranks
        Processes (default: one a processor of this machine; with hosts, one a place).
    hosts
        Other machines, with their places: node1,node2:4. Without places they share the processes evenly. The first one
        writes the run folder. In a scheduler's allocation, such as Slurm's, leave it out: mpiexec asks the scheduler.
    hostfile
        The same, from a file with one host a line: node1, node2:4 or node2 slots=4.
    mpiexec
        The mpiexec to use (default: a cluster's own on the PATH, else that of pip install 'pellucid[mpi]').
    launcher_exec
        The program that runs a command on a host, called as PROGRAM HOST COMMAND (default ssh).
    stall_timeout
        Seconds without progress, once training has begun, until an attempt is given up. Checkpoints, looks at the
        accuracy and the slowest step must fit in.
    start_timeout
        The same until the first step: reading the data, compiling the kernels.
    max_restarts
        How often to start again in all.
    max_fruitless
        Attempts in a row that get no further than those before, after which it is given up. Progress sets the count
        back.
    min_ranks
        Never train with fewer processes.
    oversubscribe
        Allow more processes than processors or places. Waiting processes take whole processors: it is slow.
    survive
        Experimental, with Open MPI 5 or later: when a process is killed, the others go on without it from the last
        step, in the same attempt. Whatever else is lost starts a new attempt, as without it.
    """
    given = dict(locals())
    from pellucid.cli.launch import launch_command

    return launch_command(given.pop("command"), given)
