"""Which mpiexec is taken, what it is taken for, and the command line that it gets."""

import os
import sys

import pytest
from launches import mpiexec_in

from pellucid.launch import finding
from pellucid.launch.hosts import Agent, Host
from pellucid.launch.mpiexec import MPICH, OPEN_MPI, OTHER, Mpiexec

HOSTS = [Host("a", 2), Host("b", 1)]
ENVIRONMENT = {"HOME": "/h", "PELLUCID_ATTEMPT": "x-1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": "/p", "PATH": "/b"}
posix = pytest.mark.skipif(os.name == "nt", reason="the fake mpiexec is a shell script")


def line(kind, version="5.0.11", **settings):
    return Mpiexec(mpiexec_path(), kind, version).command(["python", "t.py"], 3, ENVIRONMENT, **settings)[1:]


def mpiexec_path():
    from pathlib import Path

    return Path("/opt/mpi/bin/mpiexec")


def test_the_command_line_of_mpich():
    assert line(MPICH) == ["-n", "3", "python", "t.py"]
    assert line(MPICH, oversubscribe=True) == line(MPICH)
    assert line(MPICH, hosts=HOSTS) == ["-hosts", "a:2,b:1", "-n", "3", "python", "t.py"]
    reached = ["-launcher", "ssh", "-launcher-exec", "/bin/agent"]
    assert line(MPICH, hosts=HOSTS, agent=Agent("/bin/agent"))[:6] == [*reached, "-hosts", "a:2,b:1"]


def test_the_command_line_of_open_mpi():
    """It ties each process to a core unless told not to, and hands on no variable by itself to other machines."""
    handed_on = ["-x", "OMP_WAIT_POLICY", "-x", "PELLUCID_ATTEMPT", "-x", "PYTHONPATH"]
    assert line(OPEN_MPI) == ["--bind-to", "none", *handed_on, "-n", "3", "python", "t.py"]
    assert line(OPEN_MPI, oversubscribe=True)[:3] == ["--bind-to", "none", "--oversubscribe"]
    assert line(OPEN_MPI, hosts=HOSTS)[8:10] == ["--host", "a:2,b:1"]
    told = line(OPEN_MPI, hosts=HOSTS, agent=Agent("/bin/agent"))[8:13]
    assert told == ["--mca", "plm_ssh_agent", "/bin/agent", "--host", "a:2,b:1"]
    assert line(OPEN_MPI, "4.1.6", hosts=HOSTS, agent=Agent("/bin/agent"))[9] == "plm_rsh_agent"


@pytest.mark.parametrize(
    "kind, version, can", [(OPEN_MPI, "5.0.11", True), (OPEN_MPI, "10.1", True), (OPEN_MPI, "4.1.6", False),
                           (OPEN_MPI, "", False), (MPICH, "5.0.2", False), (OTHER, "", False)],
)  # fmt: skip
def test_which_mpi_can_outlive_a_process(kind, version, can):
    assert Mpiexec(mpiexec_path(), kind, version).can_survive is can


def test_an_open_mpi_that_is_to_outlive_a_process_is_told_so():
    assert line(OPEN_MPI, oversubscribe=True, survive=True)[2:5] == ["--oversubscribe", "--with-ft", "ulfm"]


def test_an_mpi_that_nobody_knows_finds_its_hosts_itself():
    assert line(OTHER) == ["-n", "3", "python", "t.py"]
    with pytest.raises(ValueError, match=r"neither MPICH's nor Open MPI's, so that --hosts cannot be handed on"):
        line(OTHER, hosts=HOSTS)


def test_open_mpi_runs_in_a_container(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 0, raising=False)
    given = {"OMPI_ALLOW_RUN_AS_ROOT": "0"}
    environment = Mpiexec(mpiexec_path(), OPEN_MPI).environment(given)
    assert environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] == "1"
    assert environment["OMPI_ALLOW_RUN_AS_ROOT"] == "0", "what the user has set is left alone"
    monkeypatch.setattr("os.geteuid", lambda: 1000, raising=False)
    assert Mpiexec(mpiexec_path(), OPEN_MPI).environment({}) == {}
    assert Mpiexec(mpiexec_path(), MPICH).environment({}) == {}


@pytest.mark.parametrize("kind, name", [(MPICH, "libmpi.so.12"), (OPEN_MPI, "libmpi.so.40")])
def test_mpi4py_is_given_the_library_beside_mpiexec(tmp_path, kind, name):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libmpi.so").write_text("libmpi.so.99")  # a wheel's stand-in for a link
    mpiexec = Mpiexec(tmp_path / "bin" / "mpiexec", kind)
    assert "MPI4PY_LIBMPI" not in mpiexec.environment({})
    library = tmp_path / "lib" / name
    library.write_bytes(b"\x7fELF and so on")
    assert mpiexec.environment({})["MPI4PY_LIBMPI"] == str(library)
    assert mpiexec.environment({"MPI4PY_LIBMPI": "mine"})["MPI4PY_LIBMPI"] == "mine"


def test_a_clusters_own_comes_before_ours(tmp_path):
    ours, cluster = mpiexec_in(tmp_path, "venv/bin/mpiexec"), mpiexec_in(tmp_path, "cluster/mpiexec")
    prefix = str(tmp_path / "venv")
    path = os.pathsep.join([str(ours.parent), "", str(cluster.parent)])
    if os.name != "nt":
        assert finding.candidates({"PATH": path}, prefix) == [cluster, ours]
        assert finding.candidates({"PATH": str(ours.parent)}, prefix) == [ours]
        assert finding.candidates({}, prefix) == [ours], "also where the environment is not activated"
        link = tmp_path / "link"
        link.symlink_to(ours.parent)
        assert finding.candidates({"PATH": str(link)}, prefix) == [ours]
    assert finding.candidates({}, str(tmp_path / "none")) == []


@posix
@pytest.mark.parametrize("kind, said", [(MPICH, "MPICH 9.8.7"), (OPEN_MPI, "Open MPI 9.8.7"), (OTHER, "another MPI")])
def test_whose_it_is_stands_in_its_version(tmp_path, monkeypatch, kind, said):
    monkeypatch.setenv("FAKE_MPI", kind)
    assert str(finding.identified(mpiexec_in(tmp_path))) == said


@pytest.fixture
def with_mpi4py(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)


def environment(**more):
    return os.environ | more


@posix
def test_one_whose_processes_find_each_other_is_taken(tmp_path, with_mpi4py):
    path = mpiexec_in(tmp_path)
    assert finding.chosen(str(path), environment()).path == path
    assert finding.chosen("mpiexec", environment(PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")).path == path


@posix
@pytest.mark.parametrize(
    "faults, message",
    [
        ({"FAKE_SIZE": "1"}, "each is alone: mpi4py uses MPICH's library, which is not this mpiexec's"),
        ({"FAKE_FAULTS": "broken"}, "left with status 16, saying 'Fatal error in internal_Init_thread'"),
        ({"FAKE_FAULTS": "mute"}, "two processes that only greet did not end within 1 s"),
    ],
)
def test_one_that_does_not_fit_is_refused_in_a_sentence(tmp_path, with_mpi4py, monkeypatch, faults, message):
    monkeypatch.setattr(finding, "PROBE_S", 1.0 if "mute" in faults.values() else 60.0)
    path = mpiexec_in(tmp_path)
    with pytest.raises(ValueError, match="launch: ") as told:
        finding.chosen(str(path), environment(**faults))
    assert message in str(told.value)
    assert str(told.value).startswith(f"launch: {path} (")
    assert str(told.value).endswith("; name another with --mpiexec, or pip install 'pellucid[mpi]'")


@posix
def test_the_next_is_tried(tmp_path, with_mpi4py, monkeypatch):
    """As where the cluster's MPI is another than that of which mpi4py loads the library."""
    bad, good = mpiexec_in(tmp_path, "bad"), mpiexec_in(tmp_path, "good")
    bad.write_text("#!/bin/sh\nexit 3\n")
    monkeypatch.setattr(finding, "candidates", lambda environment: [bad, good])
    assert finding.chosen(None, environment()).path == good
    good.write_text("#!/bin/sh\nexit 4\n")
    with pytest.raises(ValueError, match=r"bad \(another MPI\): .* status 3.*; .*good \(another MPI\): .* status 4"):
        finding.chosen(None, environment())
    good.write_text("no program")
    with pytest.raises(ValueError, match="good"):
        finding.chosen(None, environment())


def test_what_is_missing_is_said(tmp_path, with_mpi4py, monkeypatch):
    with pytest.raises(ValueError, match="--mpiexec is 'no-such-mpiexec', and there is no such program"):
        finding.chosen("no-such-mpiexec", environment())
    with pytest.raises(ValueError, match="--mpiexec is '~/none', and"):
        finding.chosen("~/none", environment())
    monkeypatch.setattr(finding, "candidates", lambda environment: [])
    with pytest.raises(ValueError, match=r"there is no mpiexec; pip install 'pellucid\[mpi\]' brings one, a cluster"):
        finding.chosen(None, environment())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"mpi4py is not installed; it comes with: pip install 'pellucid\[mpi\]'"):
        finding.chosen(None, environment())


def test_the_supervisor_loads_no_package():
    """It starts at once, and nothing that a network needs can be what breaks."""
    import subprocess

    code = (
        "import sys, pellucid.launch.supervisor, pellucid.launch.finding; "
        "print([m for m in sys.modules if m.split('.')[0] in ('numpy', 'numba', 'cyclopts', 'rich', 'mpi4py')])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
