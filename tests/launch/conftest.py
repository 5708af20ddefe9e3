"""What tests of launches share."""

import pytest
from launches import kill, launch, processes_of, supervisor_of


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """``fake(plan, ...)`` is a launch that is ready to begin; nothing of it outlives the test."""
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.setattr("pellucid.launch.attempt.ASKED_S", 0.5)  # for who will not listen anyway
    monkeypatch.setattr("pellucid.launch.attempt.SETTLE_S", 0.2)  # all is written on this machine
    made = []

    def make(plan, *arguments, faults="", **settings):
        monkeypatch.setenv("FAKE_MPI", settings.get("kind", "MPICH"))
        monkeypatch.setenv("FAKE_FAULTS", faults)
        made.append(launch(tmp_path, plan, *arguments, **settings))
        return made[-1]

    yield make
    for launched in made:
        kill(launched.left())


@pytest.fixture
def real(monkeypatch):
    """``real(faults, ...)`` is the supervisor of a launch under an MPI; nothing of it outlives the test."""
    made = []

    def make(faults, *arguments, **settings):
        monkeypatch.setenv("FAULT", faults)
        monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
        made.append(supervisor_of(*arguments, **settings))
        return made[-1]

    yield make
    for supervisor in made:
        kill(processes_of(supervisor._launch))
