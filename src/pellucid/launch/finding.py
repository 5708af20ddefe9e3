"""Which ``mpiexec`` to take: a cluster's own where there is one, else that of the ``[mpi]`` extra.

The one that is taken has shown that its processes, through mpi4py, see each other. They do not where mpi4py loads
another MPI's library: each is then alone, and would train for itself.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pellucid.launch.mpiexec import MPICH, OPEN_MPI, OTHER, Mpiexec
from pellucid.launch.processes import end_group, started

VERSION_S, PROBE_S = 20.0, 90.0
"""For an answer that takes a fraction of a second, or seconds where Python comes over a network."""
PROBED = 2
PROBE = """
import sys
from mpi4py import MPI
sys.stdout.write(f"<ranks {MPI.COMM_WORLD.size} of {MPI.get_vendor()[0]}>\\n")
"""
INSTALL = "pip install 'pellucid[mpi]'"


def chosen(given: str | None, environment: Mapping[str, str]) -> Mpiexec:
    """The mpiexec to take.

    Parameters
    ----------
    given : str or None
        Of ``--mpiexec``: this one and no other.
    environment : mapping
        With the PATH to look in.

    Raises
    ------
    ValueError
        There is none, or none whose processes find each other; it says what was the matter with each.
    """
    if importlib.util.find_spec("mpi4py") is None:
        raise ValueError(
            f"launch: mpi4py is not installed; it comes with: {INSTALL}, or on a cluster, with its own MPI: "
            "pip install mpi4py"
        )
    found = [named(given, environment)] if given is not None else candidates(environment)
    if not found:
        raise ValueError(
            f"launch: there is no mpiexec; {INSTALL} brings one, a cluster has its own (module load ...), and "
            "--mpiexec names one"
        )
    complaints = []
    for path in found:
        mpiexec = identified(path)
        complaint = probed(mpiexec, environment)
        if complaint is None:
            return mpiexec
        complaints.append(f"{path} ({mpiexec}): {complaint}")
    raise ValueError(f"launch: {'; '.join(complaints)}; name another with --mpiexec, or {INSTALL}")


def named(given: str, environment: Mapping[str, str], option: str = "--mpiexec") -> Path:
    """The program that an option names, by its path or as a command."""
    path = shutil.which(Path(given).expanduser(), path=environment.get("PATH"))
    if path is None:
        raise ValueError(f"launch: {option} is {given!r}, and there is no such program")
    return Path(path).absolute()


def candidates(environment: Mapping[str, str], prefix: str = sys.prefix) -> list[Path]:
    """Those on the PATH that do not belong to this Python, then its own."""
    own = Path(prefix) / ("Scripts" if os.name == "nt" else "bin")
    folders = [folder for folder in environment.get("PATH", "").split(os.pathsep) if folder]
    foreign = [folder for folder in folders if not _same(folder, own)]
    paths = (shutil.which("mpiexec", path=where) for where in (os.pathsep.join(foreign), str(own)) if where)
    return [Path(path).absolute() for path in paths if path is not None]


def identified(path: Path) -> Mpiexec:
    """Whose it is, by what it answers to ``--version``."""
    text = _output([str(path), "--version"], None, VERSION_S)[0]
    number = re.search(r"Open MPI\)?\s+v?(\d[\w.]*)|Version\D{0,80}?(\d[\w.]*)", text)
    version = (number[1] or number[2]) if number else ""
    if "Open MPI" in text or "OpenRTE" in text or "PRRTE" in text:
        return Mpiexec(path, OPEN_MPI, version)
    if "HYDRA" in text or "MPICH" in text or "Intel(R) MPI" in text:
        return Mpiexec(path, MPICH, version)
    return Mpiexec(path, OTHER)


def probed(mpiexec: Mpiexec, environment: Mapping[str, str]) -> str | None:
    """Start two processes; None where they see each other, else what is the matter."""
    variables = mpiexec.environment(environment)
    words = mpiexec.command([sys.executable, "-c", PROBE], PROBED, {}, oversubscribe=True)
    text, status = _output(words, variables, PROBE_S)
    answers = re.findall(r"<ranks (\d+) of ([^>]*)>", text)
    if any(int(size) == PROBED for size, _ in answers):
        return None
    if answers:
        return (
            f"it started {PROBED} processes, and each is alone: mpi4py uses {answers[0][1]}'s library, which is not "
            "this mpiexec's (MPI4PY_LIBMPI can name the right one)"
        )
    if status is None:
        return f"two processes that only greet did not end within {PROBE_S:g} s"
    last = [line.strip() for line in text.splitlines() if re.search(r"\w", line)]
    said = next((line for line in last if "Error" in line or "error" in line), last[-1] if last else "nothing")
    return f"two processes that only greet left with status {status}, saying {said[:200]!r}"


def _output(words: Sequence[str], environment: Mapping[str, str] | None, within_s: float) -> tuple[str, int | None]:
    """What a program prints, and its exit status; None where it had to be ended."""
    try:
        process = started(words, environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        return str(error), error.errno or 1
    try:
        printed, _ = process.communicate(timeout=within_s)
        return printed.decode(errors="replace"), process.returncode
    except subprocess.TimeoutExpired:
        end_group(process, 1.0)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=1.0)
        return "", None


def _same(folder: str, other: Path) -> bool:
    return os.path.realpath(folder) == os.path.realpath(other)
