"""``pellucid launch`` on the command line: what is handed on, what is refused before anything starts, its help."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from launches import mpiexec_in, until

from pellucid.cli import run
from pellucid.launch.hosts import Host
from pellucid.launch.mpiexec import MPICH, OPEN_MPI, Mpiexec
from pellucid.launch.supervisor import Limits
from pellucid.runs.folder import RunFolder
from pellucid.runs.progress import SURVIVE_VARIABLE
from program import PROGRAM

module = importlib.import_module("pellucid.cli.launch")  # the command itself has the same name
posix = pytest.mark.skipif(os.name == "nt", reason="the fake mpiexec is a shell script")


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """``launched(words)`` is the supervisor that a command line would set to work."""
    made = []

    class Recorded(module.Supervisor):
        def run(self):
            made.append(self)
            return 0

    monkeypatch.setattr(module, "Supervisor", Recorded)
    monkeypatch.setattr(module.finding, "chosen", lambda given, environment: ("chosen", given))
    monkeypatch.setattr(module, "processors", lambda: 4)
    monkeypatch.chdir(tmp_path)
    for name in (*module.SCHEDULERS, module.SLURM_TASKS):
        monkeypatch.delenv(name, raising=False)

    def launch(words):
        assert run(["launch", *words.split()]) == 0
        return made.pop()

    return launch


def test_everything_behind_our_options_is_trains(launched, tmp_path):
    supervisor = launched("-n 3 --stall-timeout 5 train digits --recipe 94 --set train.epochs=4 --run r")
    assert supervisor.job.asked == ("digits", "--recipe", "94", "--set", "train.epochs=4", "--run", "r")
    assert (supervisor.ranks, supervisor.mpiexec) == (3, ("chosen", None))
    assert supervisor.limits == Limits(stall_s=5.0)
    assert supervisor.own_words == ["-n", "3", "--stall-timeout", "5"]
    assert launched("-n 3 digits --run r").job.asked == ("digits", "--run", "r"), "train may be left out"
    assert launched("-n 3 -- train digits --run r").job.asked == ("digits", "--run", "r")


def test_without_run_it_takes_the_next_free_folder_as_train_would(launched, tmp_path):
    (tmp_path / "runs" / "digits-1").mkdir(parents=True)
    job = launched("-n 2 train --epochs 2 digits").job
    assert str(job.run) == os.path.join("runs", "digits-2")  # noqa: PTH118
    assert job.asked == ("--epochs", "2", "digits", "--run", str(job.run))


def test_how_it_goes_on(launched):
    """A run records its recipe and its data, but not these two."""
    job = launched("-n 2 digits --run r --recipe quick --epochs 2 --memory 3.5 --tensorboard --overwrite").job
    assert job.going_on == ("--run", "r", "--resume", "--memory=3.5", "--tensorboard")
    job = launched("-n 2 --run r --resume --epochs 9").job
    assert job.going_on == job.asked == ("--run", "r", "--resume", "--epochs", "9")


def test_every_limit_has_an_option(launched):
    words = "--start-timeout 1 --stall-timeout 2.5 --max-restarts 0 --max-fruitless 3 --min-ranks 2 --oversubscribe"
    supervisor = launched(f"-n 9 {words} digits --run r")
    assert supervisor.limits == Limits(1.0, 2.5, 0, 3, 2)
    assert supervisor.oversubscribe
    assert supervisor.own_words == ["-n", "9", *sorted_as_asked(words)]


def sorted_as_asked(words):
    """In the order of the help."""
    given = words.split()
    return [*given[2:4], *given[:2], *given[4:]]


def test_how_many_processes_there_are_by_default(launched, monkeypatch, tmp_path):
    assert launched("digits --run r").ranks == 4, "one a processor"
    (tmp_path / "hosts").write_text("a:3\nb\n")
    supervisor = launched("--hostfile hosts --launcher-exec sh digits --run r")
    assert (supervisor.ranks, supervisor.hosts) == (4, [Host("a", 3), Host("b", 1)])
    assert os.path.isabs(supervisor.agent.program)  # noqa: PTH117
    assert launched("-n 4 --hosts localhost digits --run r").hosts == [Host("localhost", 4)]
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("SLURM_NTASKS", "64")
    supervisor = launched("digits --run r")
    assert (supervisor.ranks, supervisor.hosts, supervisor.allocated) == (64, [], True)


def test_one_process_alone_needs_no_mpi(launched, monkeypatch):
    assert launched("-n 1 digits --run r").mpiexec is None
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    assert launched("-n 1 digits --run r").mpiexec is None, "in an allocation, too"
    monkeypatch.delenv("SLURM_JOB_ID")
    assert launched("-n 1 --mpiexec x digits --run r").mpiexec == ("chosen", "x")
    assert launched("-n 1 --hosts localhost digits --run r").mpiexec == ("chosen", None)


def test_survive_is_handed_on(launched, monkeypatch):
    assert not launched("-n 2 digits --run r").survive
    open_mpi = Mpiexec(Path("/opt/mpiexec"), OPEN_MPI, "5.0.11")
    monkeypatch.setattr(module.finding, "chosen", lambda given, environment: open_mpi)
    supervisor = launched("-n 3 --min-ranks 2 --survive digits --run r")
    assert supervisor.survive and supervisor.own_words == ["-n", "3", "--min-ranks", "2", "--survive"]
    assert supervisor._environment("x-1")[SURVIVE_VARIABLE] == "2", "so many may go on by themselves"


@pytest.mark.parametrize(
    "words, message",
    [
        ("-n 2 --survive", "--survive needs Open MPI 5 or later, and /opt/mpiexec is MPICH 5.0.2; name another with"),
        ("-n 1 --survive", "--survive is for several processes; give -n 2 or more, or leave it out"),
    ],
)
def test_where_no_process_can_outlive_another(launched, monkeypatch, capfd, tmp_path, words, message):
    mpich = Mpiexec(Path("/opt/mpiexec"), MPICH, "5.0.2")
    monkeypatch.setattr(module.finding, "chosen", lambda given, environment: mpich)
    assert run(["launch", *words.split(), "digits", "--run", "r"]) == 2
    assert message in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words, message",
    [
        ("-n 2", "launch: say what to train on: pellucid launch -n 2 train digits"),
        ("-n 2 train", "launch: say what to train on"),
        ("-n 0 digits", "launch: -n is 0; it must be at least 1"),
        ("-n -1 digits", "launch: -n is -1; it must be at least 1"),
        ("-n two digits", "'two' is not a whole number"),
        ("-n 1.5 digits", "'1.5' is not a whole number"),
        ("-n 5 digits", "launch: -n is 5, but this process may use 4 processors"),
        ("-n 2 evaluate r", "launch: evaluate cannot be launched; only train can"),
        ("-n 2 --min-ranks 3 digits", "launch: --min-ranks is 3, but only 2 processes are to be started"),
        ("-n 2 --min-ranks 0 digits", "launch: --min-ranks is 0; it must be at least 1"),
        ("-n 2 --max-restarts -1 digits", "launch: --max-restarts is -1; it must be at least 0"),
        ("-n 2 --max-restarts many digits", "'many' is not a whole number"),
        ("-n 2 --max-fruitless 0 digits", "launch: --max-fruitless is 0; it must be at least 1"),
        ("-n 2 --stall-timeout 0 digits", "launch: --stall-timeout is 0.0; it must be above 0"),
        ("-n 2 --stall-timeout nan digits", "launch: --stall-timeout is nan"),
        ("-n 2 --start-timeout inf digits", "launch: --start-timeout is inf"),
        ("-n 2 --start-timeout soon digits", "start-timeout"),
        ("-n 2 --hosts a,b:x digits", "launch: --hosts a,b:x: 'b:x' has 'x' places"),
        ("-n 2 --hosts a --hostfile f digits", "launch: --hosts and --hostfile say the same"),
        ("-n 2 --hostfile missing digits", "missing"),
        ("-n 3 --hosts a:1,b:1 digits", "launch: -n is 3, but the hosts have 2 places"),
        ("-n 2 --launcher-exec no-such-agent digits", "launch: --launcher-exec is 'no-such-agent', and there is no"),
        ("-n 2 digits --run r --epochs many", "--epochs"),
        ("-n 2 digits --run r --stall-timout 5", "--stall-timout"),
        ("-n 2 digits extra", "extra"),
        ("-n 2 --resume", "launch: --resume needs --run"),
    ],
)
def test_bad_input_is_told_before_anything_starts(launched, capfd, tmp_path, words, message):
    assert run(["launch", *words.split()]) == 2
    out, err = capfd.readouterr()
    assert message in " ".join((out + err).replace("│", " ").split())
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_an_allocation_that_does_not_say_how_many_asks(launched, capfd, monkeypatch):
    monkeypatch.setenv("PBS_JOBID", "1")
    assert run(["launch", "digits", "--run", "r"]) == 2
    assert "the scheduler does not say how many processes there are to be; say it with -n" in capfd.readouterr().err
    assert launched("-n 99 digits --run r").ranks == 99, "it knows how many processors there are"


@pytest.mark.skipif(os.name == "nt", reason="nobody can tell there who holds a file")
def test_a_run_in_which_somebody_trains_is_left_alone(launched, capfd, tmp_path):
    folder = RunFolder(tmp_path / "r")
    folder.path.mkdir()
    folder.hold()
    assert run(["launch", "-n", "2", "digits", "--run", "r"]) == 2
    assert "launch: another process is training in r; wait for it or name another" in capfd.readouterr().err
    folder.release()
    launched("-n 2 digits --run r")


def test_the_help_says_what_ends_it(capsys):
    assert run(["launch", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for words in ("How often to start again in all", "Attempts in a row that get no further", "Ctrl-C lets it save"):
        assert words in text


TINY = ("train", "digits", "--epochs", "3", "--filters", "4", "--hidden", "8", "--run")


@posix
def test_the_program_trains_in_one_process_without_mpi(tmp_path):
    command = [PROGRAM, "launch", "-n", "1", *TINY, str(tmp_path / "r")]
    told = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert told.returncode == 0, told.stderr
    assert told.stderr == "launch: attempt 1: 1 process\n"
    assert "test accuracy" in told.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


@posix
def test_the_program_says_in_a_sentence_what_training_refused(tmp_path):
    command = [PROGRAM, "launch", "-n", "1", "train", "digits", "--recipe", "no-such-recipe", "--run", tmp_path / "r"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert told.returncode == 2
    assert told.stderr.count("no-such-recipe") == 1
    assert "Traceback" not in told.stderr
    assert "attempt 2" not in told.stderr
    assert list(tmp_path.iterdir()) == []


@posix
def test_the_program_with_an_mpiexec_that_does_not_fit(tmp_path):
    pytest.importorskip("mpi4py")
    command = [PROGRAM, "launch", "-n", "2", "--oversubscribe", "--mpiexec", str(mpiexec_in(tmp_path)), *TINY, "r"]
    told = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"FAKE_SIZE": "1"}, timeout=110)
    assert told.returncode == 2
    assert told.stderr.startswith("pellucid: launch: ")
    assert "each is alone" in told.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a process is found in /proc")
def test_the_program_goes_on_when_its_training_is_killed(tmp_path):
    """For real, but for MPI: the second attempt goes on from a checkpoint."""
    run_folder = RunFolder(tmp_path / "r")
    command = [PROGRAM, "launch", "-n", "1", "train", "digits", "--epochs", "400", "--filters", "4", "--hidden", "8"]
    process = subprocess.Popen(
        [*command, "--run", run_folder.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        until(run_folder.checkpoint.exists, "the first checkpoint", 110)
        (training,) = until(lambda: trainings(run_folder.path), "the training", 60)
        os.kill(training, 9)
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("going on after iteration ") for line in lines)
        process.terminate()
        _, err = process.communicate(timeout=110)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 143
    assert "launch: attempt 2: 1 process, from the newest checkpoint\n" in err
    assert err.splitlines()[-1].startswith("pellucid: stopped; go on with: ")
    assert f"pellucid launch -n 1 train --run {run_folder.path} --resume" in err
    assert trainings(run_folder.path) == []


def trainings(folder):
    """Processes of ``train`` with this run folder."""
    from launches import processes_of

    word = os.fsencode(folder)
    return [pid for pid in processes_of("") if word in _command_line(pid)]


def _command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""
