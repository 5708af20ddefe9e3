"""Processes that ``mpiexec`` started together, through mpi4py: ``pip install 'pellucid[mpi]'``.

::

    ranks = mpi.joined()                     # None for a process that is alone
    solver = Solver(model, data, reduce_gradients=Together(ranks), ...)

An exception in one process leaves the others waiting for ever, so whoever uses this calls `MPIRanks.abort` when
something went wrong.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

from pellucid.training.ranks import RankLost

STARTED_BY = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")
"""Variables that mpiexec, or a cluster's srun, gives to every process: one of MPICH's kind, one of Open MPI's."""
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")

TOGETHER_S = 5.0
"""Whoever has an error waits so long for the others to have one, too."""
UNREAD_S = 2.0
"""Whoever ends all waits so long for mpiexec to read why."""
POLL_S = 0.005


class MPIRanks:
    """The processes of MPI's world, for `pellucid.training.Together`.

    Attributes
    ----------
    rank, size : int
    library : str
        Which MPI this is: "MPICH 5.0.2".
    can_lose : bool
        Whether this MPI has ULFM, and thus tells when a process is gone, rather than wait for it.
    """

    def __init__(self, world: Any = None, before: MPIRanks | None = None) -> None:
        from mpi4py import MPI

        self._before = before  # kept, because sums that a loss cut off may still write into their arrays
        self._unfinished: list[StartedSum] = []
        self._mpi = MPI
        self._world = MPI.COMM_WORLD if world is None else world
        self._losses = _losses(MPI)
        self.can_lose = bool(self._losses)
        self.rank, self.size = self._world.rank, self._world.size
        name, version = MPI.get_vendor()
        self.library = f"{name} {'.'.join(map(str, version))}"
        with self.losses_said():
            self._errors = self._world.Dup()  # for what is said when the world is busy with something else

    def sum(self, array: np.ndarray) -> None:
        """See `pellucid.training.ranks`."""
        with self.losses_said():
            self._world.Allreduce(self._mpi.IN_PLACE, array)

    def start_sum(self, array: np.ndarray) -> StartedSum:
        """See `pellucid.training.ranks`."""
        with self.losses_said():
            started = StartedSum(self._world.Iallreduce(self._mpi.IN_PLACE, array), self)
        self._unfinished.append(started)
        return started

    def gathered(self, text: str) -> list[str]:
        """See `pellucid.training.ranks`. Texts travel as bytes: nothing is pickled."""
        own = np.frombuffer(text.encode(), np.uint8)
        counts = np.empty(self.size, np.int64)
        with self.losses_said():
            self._world.Allgather(np.array([own.size], np.int64), counts)
            everything = np.empty(int(counts.sum()), np.uint8)
            self._world.Allgatherv(own, (everything, counts))
        ends = np.cumsum(counts)
        return [everything[end - count : end].tobytes().decode() for count, end in zip(counts, ends, strict=True)]

    def all_fail(self) -> bool:
        """Called by each process that has an error: whether all of them do, within some seconds."""
        try:
            with self.losses_said():
                request = self._errors.Ibarrier()
                until = time.monotonic() + TOGETHER_S
                while not request.Test():
                    if time.monotonic() > until:
                        return False
                    time.sleep(0.01)
        except RankLost:
            return False
        return True

    def without_the_lost(self) -> MPIRanks:
        """Called by each process that is left, in whatever the loss has interrupted it: the processes that are left."""
        world = self._world
        while True:
            with self.losses_said():
                world.Revoke()  # from now on whoever waits in it for the lost one raises, too
                world = world.Shrink()
            with contextlib.suppress(RankLost):  # one more
                return MPIRanks(world, before=self)

    def finished(self, started: StartedSum) -> None:
        """A sum says that it is done."""
        self._unfinished.remove(started)

    @contextlib.contextmanager
    def losses_said(self) -> Iterator[None]:
        """Inside a ``with``, MPI's errors about a process that is gone become `RankLost`."""
        try:
            yield
        except self._mpi.Exception as error:
            if error.Get_error_class() not in self._losses:
                raise
            raise RankLost(f"MPI: {error}") from None

    def abort(self, status: int) -> NoReturn:
        """End all processes, wherever they are, once mpiexec has read what this one said."""
        _see_all_read()
        self._world.Abort(status)
        os._exit(status)  # MPICH only asks mpiexec to end all, and comes back


class StartedSum:
    """A sum on its way."""

    def __init__(self, request: Any, ranks: MPIRanks) -> None:
        self._request, self._ranks = request, ranks

    def poll(self) -> bool:
        """Whether it is done; to ask helps it on."""
        with self._ranks.losses_said():
            return self._request.Test()

    def wait(self) -> None:
        """Until it is done."""
        with self._ranks.losses_said():
            self._request.Wait()
        self._ranks.finished(self)


def leave_without_mpi(status: int) -> NoReturn:
    """End this process without MPI's own end, in which Open MPI sometimes waits for ever for those that are lost."""
    _see_all_read()
    os._exit(status)


def _see_all_read() -> None:
    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        with contextlib.suppress(OSError, ValueError):  # closed: nothing that is wrong here may keep the others
            stream.flush()
            wait_until_read(descriptor)


def wait_until_read(descriptor: int, until_s: float = UNREAD_S, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait until nothing is left in a pipe, for some time at most.

    MPICH's mpiexec ends all as soon as it hears of an abort, and what it has not read by then nobody sees. Anything
    but a pipe is not waited for, nor a pipe on a system that cannot say what is left in it.
    """
    try:
        import fcntl
        import termios
    except ImportError:  # Windows
        return
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return
    for _ in range(round(until_s / POLL_S)):
        left = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
        if not any(left):
            return
        sleep(POLL_S)


def _losses(MPI: Any) -> tuple[int, ...]:
    """The classes of errors that say that a process is gone; none where the MPI has no ULFM, which gives them."""
    names = "ERR_PROC_FAILED", "ERR_PROC_FAILED_PENDING", "ERR_REVOKED"  # old versions of mpi4py lack the names
    classes = tuple(getattr(MPI, name, MPI.ERR_UNKNOWN) for name in names)
    return () if MPI.ERR_UNKNOWN in classes else classes


def was_started_together(environment: Mapping[str, str]) -> bool:
    """Whether mpiexec, or something like it, started this process."""
    return any(name in environment for name in STARTED_BY)


def joined(environment: Mapping[str, str] = os.environ) -> MPIRanks | None:
    """The processes that were started with this one; None where it is alone.

    Raises
    ------
    ValueError
        There are others, but mpi4py is missing, finds no MPI library, or works with another one than mpiexec's.
    RankLost
        One of them is gone already.
    """
    if not was_started_together(environment):
        return None
    try:
        ranks = MPIRanks()
    except ImportError:
        raise ValueError(
            "MPI: mpiexec started this process, but mpi4py is not installed: pip install 'pellucid[mpi]', or on a "
            "cluster, with its own MPI, pip install mpi4py"
        ) from None
    except RankLost:
        raise
    except RuntimeError as error:
        raise ValueError(
            f"MPI: mpi4py finds no MPI library ({' '.join(str(error).split())[:200]}); install 'pellucid[mpi]', load "
            "the cluster's MPI, or name the library in MPI4PY_LIBMPI"
        ) from None
    promised = max((int(environment[name]) for name in SIZES if environment.get(name, "").isdecimal()), default=1)
    if ranks.size != promised and ranks.size == 1:
        raise ValueError(
            f"MPI: mpiexec started {promised} processes, but mpi4py, which uses {ranks.library}, sees itself alone: "
            "mpiexec is another MPI's. Start it with the mpiexec of that library, or name mpiexec's library in "
            "MPI4PY_LIBMPI"
        )
    return ranks if ranks.size > 1 else None
