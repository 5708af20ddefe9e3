"""An ``mpiexec``, and the command line that it wants.

Whose it is matters: MPICH's (Intel MPI's is made from it) and Open MPI's name hosts, agents and the environment by
different options, and Open MPI ties each process to one core unless it is told not to.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.launch.hosts import SSH, Agent, Host

MPICH, OPEN_MPI, OTHER = "MPICH", "Open MPI", "another MPI"
LIBRARIES = {
    MPICH: ("libmpi.so.12", "libmpich.so.12", "libmpi.so"),
    OPEN_MPI: ("libmpi.so.40", "libmpi.so"),
    OTHER: (),
}
FIRST_WITH_ULFM = 5
"""Open MPI's first version that can tell processes of one that is gone ("user-level failure mitigation")."""
ELF = b"\x7fELF"
LIBRARY_VARIABLE = "MPI4PY_LIBMPI"
HANDED_ON = ("PELLUCID_", "NUMBA_", "OMP_", "MPI4PY_", "PYTHON")
"""How variables begin that all processes must have. MPICH hands on everything, Open MPI what it is told to."""
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
"""In a container everybody is root."""


@dataclass(frozen=True)
class Mpiexec:
    """The program and what it is.

    Parameters
    ----------
    path : path
    kind : str
        MPICH, OPEN_MPI or OTHER.
    version : str
    """

    path: Path
    kind: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.version}".strip()

    @property
    def can_survive(self) -> bool:
        """Whether it can leave the other processes alone when one is gone."""
        major = self.version.partition(".")[0]
        return self.kind == OPEN_MPI and major.isdecimal() and int(major) >= FIRST_WITH_ULFM

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """What mpiexec and its processes are given: mpi4py must load the library that belongs to it."""
        added = dict(AS_ROOT) if self.kind == OPEN_MPI and hasattr(os, "geteuid") and os.geteuid() == 0 else {}
        library = next(self._libraries(), None)
        if library is not None:
            added[LIBRARY_VARIABLE] = str(library)
        return added | dict(given)

    def command(
        self,
        program: Sequence[str],
        ranks: int,
        environment: Mapping[str, str],
        hosts: Sequence[Host] = (),
        agent: Agent = SSH,
        oversubscribe: bool = False,
        survive: bool = False,
    ) -> list[str]:
        """The command line that starts so many processes of a program; to ``survive``, they outlive each other.

        Raises
        ------
        ValueError
            Hosts are wanted of an MPI of which nobody knows how it wants them.
        """
        words = [str(self.path)]
        if self.kind == OPEN_MPI:
            words += ["--bind-to", "none", *(["--oversubscribe"] if oversubscribe else [])]
            words += ["--with-ft", "ulfm"] if survive else []
            for name in sorted(environment):
                words += ["-x", name] if name.startswith(HANDED_ON) else []
        if hosts:
            words += self._placing(hosts, agent)
        return [*words, "-n", str(ranks), *program]

    def _placing(self, hosts: Sequence[Host], agent: Agent) -> list[str]:
        listed = ",".join(map(str, hosts))
        if self.kind == MPICH:
            reached = ["-launcher", "ssh", "-launcher-exec", agent.program] if agent.program else []
            return [*reached, "-hosts", listed]
        if self.kind == OPEN_MPI:
            name = "plm_rsh_agent" if self.version.startswith(("1.", "2.", "3.", "4.")) else "plm_ssh_agent"
            return [*(["--mca", name, agent.program] if agent.program else []), "--host", listed]
        raise ValueError(
            f"launch: {self.path} is neither MPICH's nor Open MPI's, so that --hosts cannot be handed on; let it find "
            "its hosts in its own way, or name another with --mpiexec"
        )

    def _libraries(self) -> Iterator[Path]:
        """Real libraries beside the program; in wheels, some are a line of text in place of a link."""
        for path in dict.fromkeys((self.path, self.path.resolve())):
            prefix = path.parent.parent
            for folder in (prefix / "lib", prefix / "lib64", *sorted(prefix.glob("lib/*-linux-gnu"))):
                for library in (folder / name for name in LIBRARIES[self.kind]):
                    if _begins(library) == ELF:
                        yield library


def _begins(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(ELF))
    except OSError:
        return b""
