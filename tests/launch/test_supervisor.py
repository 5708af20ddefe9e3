"""What a launch survives: each fault in turn, with an mpiexec that behaves as badly as the real ones do."""

import dataclasses
import sys
from pathlib import Path

import pytest
from launches import IMPATIENT, PATIENT, is_running

from pellucid.launch.supervisor import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="who belongs to an attempt is read from /proc")

NOTHING = {}


def check_over(launched, attempts, ranks=2):
    """The run is done, by so many attempts, and nothing is left but the run."""
    assert launched.finished
    assert launched.ranks == [ranks] * attempts
    assert launched.left() == []
    assert [path.name for path in (launched.folder / "runs").iterdir()] == ["fake"]


def test_a_run_that_nothing_happens_to_takes_one_attempt(fake, capfd):
    launched = fake(NOTHING)
    assert launched.supervisor.run() == 0
    check_over(launched, 1)
    assert launched.seen(1)["words"] == ["digits", "--run", str(launched.run_folder)]
    assert launched.seen(1)["limits"] == "60,60"
    out, err = capfd.readouterr()
    assert out.splitlines() == ["rank 0 of 2 goes on after step 0", *(f"saved step {s}" for s in (5, 10, 15, 20))]
    assert err == "launch: attempt 1: 2 processes (MPICH 9.8.7)\n"


@pytest.mark.parametrize("rank, faults", [(0, ""), (1, ""), (0, "careless"), (1, "cheerful"), (0, "careless cheerful")])
def test_a_killed_rank_costs_an_attempt_whatever_mpiexec_makes_of_it(fake, capfd, rank, faults):
    launched = fake({1: {"do": "kill", "at": 12, "rank": rank}}, faults=faults)
    assert launched.supervisor.run() == 0
    check_over(launched, 2)
    assert launched.seen(2)["words"] == ["--run", str(launched.run_folder), "--resume"]
    out, err = capfd.readouterr()
    assert "rank 0 of 2 goes on after step 10\n" in out
    status = 0 if "cheerful" in faults else 9
    assert err.splitlines()[1:] == [
        f"launch: attempt 1 was lost at about step 12 of 20: mpiexec left with status {status}",
        "launch: attempt 2: 2 processes (MPICH 9.8.7), from the newest checkpoint",
        "launch: done, after 2 attempts",
    ]


@pytest.mark.parametrize("do", ["stop", "hang", "crash"])
@pytest.mark.parametrize("rank, faults", [(0, ""), pytest.param(1, "stubborn", marks=pytest.mark.slow)])
def test_what_hangs_is_ended_and_tried_again(fake, capfd, do, rank, faults):
    launched = fake({1: {"do": do, "at": 12, "rank": rank}}, limits=IMPATIENT, faults=faults)
    assert launched.supervisor.run() == 0
    check_over(launched, 2)
    assert "attempt 1 was lost at about step 12 of 20: it got on no further for 2 s" in capfd.readouterr().err


def test_a_process_that_left_its_parent_its_group_and_its_session_is_found(fake):
    launched = fake({1: {"do": "orphan", "at": 3}})
    assert launched.supervisor.run() == 0
    check_over(launched, 2)
    assert not is_running(int((launched.folder / "orphan").read_text()))


def test_a_run_that_does_not_begin_has_its_own_limit(fake, capfd):
    limits = Limits(start_s=2.0, stall_s=60.0, back_off_s=0.0)
    launched = fake({1: {"do": "wait", "at": "start"}}, limits=limits)
    assert launched.supervisor.run() == 0
    assert "attempt 1 was lost before its first step: it got on no further for 2 s" in capfd.readouterr().err


def test_an_mpiexec_that_never_leaves_does_not_hold_up_a_run_that_is_done(fake, monkeypatch):
    monkeypatch.setattr("pellucid.launch.attempt.LEAVE_S", 0.5)
    launched = fake({1: {"do": "hang", "at": "done"}}, faults="stubborn")
    assert launched.supervisor.run() == 0
    check_over(launched, 1)


def test_killed_over_the_last_files(fake, capfd):
    launched = fake({1: {"do": "kill", "at": "finish"}})
    assert launched.supervisor.run() == 0
    check_over(launched, 2)
    assert "was lost after its 20 steps, over the last files" in capfd.readouterr().err


@pytest.mark.parametrize("where", ["start", "folder"])
def test_killed_before_there_is_a_run_it_is_asked_for_again(fake, where):
    """Also where an attempt left a folder without a run in it, which train takes for somebody else's."""
    launched = fake({1: {"do": "kill", "at": where}})
    assert launched.supervisor.run() == 0
    assert launched.seen(2)["words"] == launched.seen(1)["words"] == ["digits", "--run", str(launched.run_folder)]
    check_over(launched, 2)


def test_what_was_in_the_folder_before_stays(fake):
    """A run that is to be replaced is gone on with only when it has been replaced."""
    launched = fake(NOTHING)
    launched.run_folder.mkdir(parents=True)
    (launched.run_folder / "run.json").write_text("an older run")
    launched = fake({1: {"do": "kill", "at": "start"}, 2: {"do": "kill", "at": 7}}, asked=("digits", "--overwrite"))
    assert launched.supervisor.run() == 0
    words = [launched.seen(attempt)["words"][-1] for attempt in (1, 2, 3)]
    assert words == [str(launched.run_folder), str(launched.run_folder), "--resume"]
    assert "--overwrite" in launched.seen(2)["words"]


def test_a_run_that_is_gone_on_with_is_asked_for_in_the_same_words_each_time(fake):
    launched = fake(NOTHING)
    launched.run_folder.mkdir(parents=True)
    (launched.run_folder / "run.json").write_text("{}")
    (launched.run_folder / "checkpoint").write_text("10")
    launched = fake({1: {"do": "kill", "at": 12}}, asked=("--resume", "--epochs", "9"), resumes=True)
    assert launched.supervisor.run() == 0
    assert launched.seen(2)["words"] == launched.seen(1)["words"]
    assert launched.seen(2)["words"][:3] == ["--resume", "--epochs", "9"]


@pytest.mark.parametrize("status", [1, 2])
def test_a_run_that_gives_up_is_not_tried_again(fake, capfd, status):
    launched = fake({1: {"do": "fail", "at": 4, "status": status, "message": "train: the loss is not finite"}})
    assert launched.supervisor.run() == status
    assert launched.ranks == [2]
    assert not launched.finished
    assert launched.left() == []
    err = capfd.readouterr().err
    assert err.count("the loss is not finite") == 1, "the run has said it, and once is enough"


def test_a_reason_that_the_run_did_not_say_is_said(fake, capfd):
    launched = fake({1: {"do": "fail", "at": "start", "status": 2, "message": "train: there is no recipe 49"}})
    assert launched.supervisor.run() == 2
    assert "launch: train: there is no recipe 49\n" in capfd.readouterr().err


def test_bad_input_to_an_attempt_after_good_ones_may_pass(fake):
    """A file server that is away for a while."""
    plan = {1: {"do": "kill", "at": 7}, 2: {"do": "fail", "at": "start", "status": 2, "message": "no such folder"}}
    launched = fake(plan)
    assert launched.supervisor.run() == 0
    check_over(launched, 3)


def test_two_attempts_without_a_step_and_one_process_fewer(fake, capfd):
    plan = {attempt: {"do": "kill", "at": "start"} for attempt in (1, 2, 3)}
    launched = fake(plan, ranks=3)
    assert launched.supervisor.run() == 0
    assert launched.ranks == [3, 3, 2, 1]
    assert "2 attempts in a row made no step: the next has one process fewer" in capfd.readouterr().err


def test_steps_that_were_made_before_are_steps(fake):
    """Killed before the step that the attempt before had reached: it goes on with all processes."""
    plan = {
        1: {"do": "kill", "at": 9},
        2: {"do": "kill", "at": 8},
        3: {"do": "kill", "at": 6},
        4: {"do": "kill", "at": 7},
    }
    launched = fake(plan)
    assert launched.supervisor.run() == 0
    check_over(launched, 5)


def test_never_fewer_processes_than_wanted(fake):
    plan = {attempt: {"do": "kill", "at": "start"} for attempt in range(1, 5)}
    launched = fake(plan, limits=dataclasses.replace(PATIENT, min_ranks=2))
    assert launched.supervisor.run() == 0
    check_over(launched, 5)


def test_attempts_that_get_no_further_come_to_an_end(fake, capfd):
    plan = {attempt: {"do": "crash", "at": 7} for attempt in range(1, 30)}
    launched = fake(plan, limits=dataclasses.replace(PATIENT, fruitless=3), ranks=1, own_words=["-n", "1"])
    assert launched.supervisor.run() == 1
    assert launched.ranks == [1] * 4, "the first one got somewhere"
    assert launched.left() == []
    err = capfd.readouterr().err
    assert "\n    Traceback: it was not meant to be\n" in err
    how = f"pellucid launch -n 1 train --run {launched.run_folder} --resume"
    assert err.endswith(f"launch: given up: 3 attempts in a row got no further; go on with: {how}\n")


def test_progress_sets_the_count_back_but_not_that_of_restarts(fake, capfd):
    plan = {attempt: {"do": "kill", "at": at} for attempt, at in enumerate((6, 6, 11, 11, 16, 16), 1)}
    launched = fake(plan, limits=dataclasses.replace(PATIENT, fruitless=2, restarts=6))
    assert launched.supervisor.run() == 0
    check_over(launched, 7)


def test_restarts_come_to_an_end(fake, capfd):
    plan = {attempt: {"do": "kill", "at": 2 * attempt} for attempt in range(1, 9)}
    launched = fake(plan, limits=dataclasses.replace(PATIENT, restarts=2))
    assert launched.supervisor.run() == 1
    assert len(launched.ranks) == 3
    assert "given up: 3 attempts did not finish the run; go on with: " in capfd.readouterr().err


def test_without_a_run_there_is_nothing_to_go_on_with(fake, capfd):
    launched = fake({1: {"do": "kill", "at": "start"}}, limits=dataclasses.replace(PATIENT, restarts=0))
    assert launched.supervisor.run() == 1
    said = "launch: given up: 1 attempt did not finish the run; there is no run yet to go on with\n"
    assert capfd.readouterr().err.endswith(said)
    assert not (launched.folder / "runs").exists(), "a folder that was made for nothing is gone"


def test_one_process_needs_no_mpiexec(fake, capfd):
    launched = fake({1: {"do": "kill", "at": 7}}, ranks=1)
    assert launched.supervisor.run() == 0
    check_over(launched, 2, ranks=1)
    assert "attempt 1 was lost at about step 7 of 20: the process was ended by SIGKILL" in capfd.readouterr().err


def test_the_last_attempt_of_an_older_launch_is_not_believed(fake):
    launched = fake(NOTHING, limits=IMPATIENT)
    launched.supervisor.progress_file.parent.mkdir(parents=True)
    launched.supervisor.progress_file.write_text('{"attempt": "older-1", "phase": "done"}')
    assert launched.supervisor.run() == 0
    check_over(launched, 1)


def test_a_system_that_hides_processes_is_no_obstacle(fake, monkeypatch, capfd):
    """As on macOS: what mpiexec ends is ended."""
    monkeypatch.setattr("pellucid.launch.processes.PROC", Path("no-proc"))
    launched = fake({1: {"do": "kill", "at": 7}})
    assert launched.supervisor.run() == 0
    assert launched.finished
    assert "launch: this system does not show whose processes are whose" in capfd.readouterr().err
