"""A launch that is told to end, or is killed: what is saved, what is left, and with which status it leaves."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from launches import HERE, kill, launch, processes_of, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="who belongs to an attempt is read from /proc")

LIMITS = {"start_s": 60.0, "stall_s": 60.0, "back_off_s": 0.0}
WAIT = {1: {"do": "wait", "at": 7}}
DEAF = {1: {"do": "deaf", "at": 7}}


@pytest.fixture
def supervised(tmp_path):
    """``supervised(plan)`` is a supervisor at work, in a process group of its own, that waits at step 7."""
    begun = []

    def begin(plan, limits=LIMITS, before=(), wait_for="waiting-0", **settings):
        script = [sys.executable, str(HERE / "supervise_me.py"), str(tmp_path)]
        command = [*before, *script, json.dumps({"plan": plan, "limits": limits} | settings)]
        environment = os.environ | {"FAKE_LOG": str(tmp_path / "log")}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, env=environment, start_new_session=True, **streams)
        begun.append(process)
        if wait_for:
            until((tmp_path / wait_for).exists, "the step to wait at")
            until((tmp_path / "seen-1-1.json").exists, "the other process, ready for signals")
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()
    kill(ranks_in(tmp_path))


def ranks_in(folder):
    """All processes of the launch in a folder."""
    return [pid for pid in processes_of("") if os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes()]


def runs_in(folder):
    return [path.name for path in (folder / "runs").iterdir()]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_lets_the_run_save(supervised, tmp_path, signum):
    """Sent to the whole group, as Ctrl-C is: the processes hear of it by SIGUSR1 alone."""
    process = supervised(WAIT, own_words=["-n", "2"])
    os.killpg(process.pid, signum)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signum
    assert (tmp_path / "asked-0").exists()
    assert (tmp_path / "asked-1").exists()
    how = f"pellucid launch -n 2 train --run {tmp_path}/runs/fake --resume"
    assert err.splitlines()[-1] == f"stopped; go on with: {how}"
    assert ranks_in(tmp_path) == []
    assert runs_in(tmp_path) == ["fake"]


@pytest.mark.slow
def test_a_run_that_does_not_listen_is_ended_after_a_while(supervised, tmp_path):
    """The limit is on standing still, too: it must not be over before the signal is sent."""
    process = supervised(DEAF, LIMITS | {"stall_s": 10.0})
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "stopped at about step 7 of 20: it did not save within 10 s; go on with: " in err
    assert ranks_in(tmp_path) == []


def test_a_second_signal_ends_it_at_once(supervised, tmp_path):
    """The limit on saving is a minute, and the test's as long: it is not waited for."""
    process = supervised(DEAF, LIMITS | {"stall_s": 1000.0})
    process.send_signal(signal.SIGINT)
    until((tmp_path / "asked-0").exists, "SIGUSR1")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped at about step 7 of 20: a second signal came before it had saved; go on with: " in err
    assert ranks_in(tmp_path) == []


def test_stopped_while_it_waits_for_the_next_attempt(supervised, tmp_path):
    process = supervised({1: {"do": "kill", "at": 7}}, LIMITS | {"back_off_s": 1000.0}, wait_for=None)
    lines = iter(process.stderr.readline, "")
    assert any("attempt 1 was lost at about step 7 of 20" in line for line in lines)
    process.terminate()
    assert "stopped between two attempts; go on with: pellucid launch" in process.communicate(timeout=60)[1]
    assert process.returncode == 143


def test_under_nohup_the_end_of_a_terminal_is_nothing(supervised, tmp_path):
    process = supervised(WAIT, before=["sh", "-c", 'trap "" HUP; exec "$@"', "sh"])
    process.send_signal(signal.SIGHUP)
    (tmp_path / "go").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert (tmp_path / "result").exists()


@pytest.mark.parametrize("do, rank", [("deaf", 0), ("stop", 1)])
def test_nothing_outlives_a_supervisor_that_is_killed(supervised, tmp_path, do, rank):
    """Somebody kills him without a word: the guard ends his processes, also those that are stopped or deaf."""
    process = supervised({1: {"do": do, "at": 7, "rank": rank}})
    assert len(ranks_in(tmp_path)) == 3, "mpiexec and two ranks"
    process.kill()
    until(lambda: not ranks_in(tmp_path), "the end of the ranks")
    until(lambda: runs_in(tmp_path) == ["fake"], "the end of the progress file")


def test_a_run_goes_on_when_nobody_reads_its_log(supervised, tmp_path):
    process = supervised(WAIT)
    process.stdout.close()
    process.stderr.close()
    (tmp_path / "go").touch()
    assert process.wait(60) == 0
    assert (tmp_path / "result").exists()
    process.stdout = process.stderr = None


def test_signals_are_handled_as_before_afterwards(fake):
    before = signal.getsignal(signal.SIGINT)
    assert launch(fake({}).folder, {}).supervisor.run() == 0
    assert signal.getsignal(signal.SIGINT) is before
