"""``pellucid search`` through the installed program: one search for all who start the same command."""

import contextlib
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

optuna = pytest.importorskip("optuna", reason="optuna is not installed: pip install -e '.[search]'")

from pellucid.data.locks import try_lock  # noqa: E402
from pellucid.metrics import read_metrics  # noqa: E402
from program import PROGRAM  # noqa: E402

SPACE = """
"optimizer.learning_rate" = {low = 1e-4, high = 1e-1, log = true}
"optimizer.beta1" = {low = 0.8, high = 0.99}
"network.weight_scale" = {low = 1e-3, high = 1e-1, log = true}
"network.filters" = {low = 2, high = 8, step = 2}
"""
SMALL = ("--set", "network.filters=4", "--set", "network.filter_size=3", "--set", "network.hidden=[20]")
QUICK = ("--set", "network.filter_size=3", "--set", "network.hidden=[20]", "--validation", 400, "--threads", 1)
PATIENCE_S = 100


@pytest.fixture
def space(pellucid):
    (pellucid.folder / "space.toml").write_text(SPACE)
    return pellucid.folder / "space.toml"


def trials_of(folder):
    """The trials as Optuna itself reads them from the journal; [] before there is one."""
    if not (folder / "journal.jsonl").exists():
        return []
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        backend = optuna.storages.journal.JournalFileBackend(str(folder / "journal.jsonl"))
        storage = optuna.storages.JournalStorage(backend)
        studies = storage.get_all_studies()
        return storage.get_all_trials(studies[0]._study_id) if studies else []
    finally:
        optuna.logging.set_verbosity(before)


def states(folder):
    return [trial.state.name for trial in trials_of(folder) if trial.state.name != "WAITING"]


def wait_until(there, process=None):
    until = time.monotonic() + PATIENCE_S
    while not (found := there()):
        assert time.monotonic() < until, "it never came about"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.01)
    return found


@contextlib.contextmanager
def started(pellucid, *arguments):
    """The program, running; killed at the end if it still does."""
    environment = os.environ | {"PELLUCID_QUIET": "1"}
    command = [str(PROGRAM), *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=pellucid.folder, env=environment, **pipes)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stop_in_a_trial(process, folder):
    """SIGSTOP while a trial of this process runs, and while it has no lock; the trial's number."""
    while True:
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGSTOP)
        for trial in trials_of(folder):
            is_its_own = trial.user_attrs.get("owner", {}).get("pid") == process.pid
            if trial.state.name == "RUNNING" and is_its_own and not any(map(is_locked, folder.glob("*.lock"))):
                return trial.number
        process.send_signal(signal.SIGCONT)
        time.sleep(0.01)


def is_locked(file):
    with file.open("ab") as opened:
        return not try_lock(opened)


def owners(folder):
    return {trial.user_attrs["owner"]["pid"] for trial in trials_of(folder) if "owner" in trial.user_attrs}


def ended(folder):
    return sum(state != "RUNNING" for state in states(folder))


@pytest.mark.slow
def test_the_whole_way(pellucid, space):
    done = pellucid("search", "digits", "--space", space, "--trials", 6, "--epochs", 2, *QUICK)
    folder = pellucid.folder / "searches" / "digits-1"
    assert done.stderr == ""
    assert "search folder: searches/digits-1" in done.stdout
    assert "6 trials: 6 complete" in done.stdout or "pruned" in done.stdout
    assert "likely to have less of others" in done.stdout
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".lock") == [
        "beats",
        "best.toml",
        "history.png",
        "importance.png",
        "journal.jsonl",
        "search.json",
        "settings.png",
        "trials.csv",
    ]
    assert len(states(folder)) == 6
    command = done.stdout.splitlines()[-1].removeprefix("train it: pellucid ").split()
    pellucid(*command, "--run", "again")
    best = max(trial.value for trial in trials_of(folder) if trial.state.name == "COMPLETE")
    result = json.loads((pellucid.folder / "again" / "result.json").read_text())
    assert result["val_accuracy"] == best  # the trial again, to the bit


@pytest.mark.slow
def test_the_same_command_takes_part_in_the_same_search(pellucid, space):
    folder = pellucid.folder / "searches" / "digits-1"
    done = pellucid("search", "digits", "--space", space, "--trials", 6, "--epochs", 2, *QUICK)
    same = pellucid("search", "digits", "--space", space, "--trials", 6, "--epochs", 2, *QUICK)
    assert "search folder: searches/digits-1" in same.stdout and len(states(folder)) == 6
    assert same.stdout.splitlines()[-9:] == done.stdout.splitlines()[-9:]
    more = pellucid("search", "digits", "--space", space, "--trials", 7, "--epochs", 2, *QUICK)
    assert len(states(folder)) == 7 and "7 trials: " in more.stdout
    other = pellucid("search", "digits", "--space", space, "--trials", 1, "--epochs", 1, *QUICK)
    assert "search folder: searches/digits-2" in other.stdout


def test_a_recipe_that_holds_nothing_out(pellucid, space):
    done = pellucid("search", "digits", "--space", space, "--trials", 1, *SMALL[2:], "--validation", 0, "--out", "s")
    assert "the search takes a tenth, at most 1,000" in done.stdout and "150 held out to judge by" in done.stdout
    assert "add --validation 0" in (pellucid.folder / "s" / "best.toml").read_text()


@pytest.mark.slow
def test_the_grid(pellucid):
    (pellucid.folder / "grid.toml").write_text('"optimizer.rule" = ["sgd", "adam"]\n"train.epochs" = [1, 2]')
    done = pellucid("search", "digits", "--space", "grid.toml", "--trials", 9, "--sampler", "grid", *QUICK)
    assert "the grid has 4 points" in done.stdout and len(states(pellucid.folder / "searches" / "digits-1")) == 4


BAD = {
    "no data": ((), "", "requires an argument"),
    "no space": (("digits", "--trials", 3), "", "space"),
    "no trials": (("digits", "--space", "space.toml"), "", "trials"),
    "trials of nothing": (
        ("digits", "--space", "space.toml", "--trials", 0),
        "",
        "--trials is 0; it must be at least 1",
    ),
    "half a trial": (("digits", "--space", "space.toml", "--trials", 1.5), "", "'1.5' is not a whole number"),
    "no such space": (("digits", "--space", "nowhere.toml", "--trials", 3), "", "nowhere.toml: there is no such file"),
    "unknown data set": (("digts", "--space", "space.toml", "--trials", 3), "", "did you mean 'digits'"),
    "unknown recipe": (
        ("digits", "--space", "space.toml", "--trials", 3, "--recipe", "tutoral"),
        "",
        "did you mean 'tutorial'?",
    ),
    "unknown key": (
        ("digits", "--space", "bad.toml", "--trials", 3),
        '"optimizer.learning_rat" = [1, 2]',
        "did you mean 'learning_rate'?",
    ),
    "a key that is set": (
        ("digits", "--space", "bad.toml", "--trials", 3, "--epochs", 3),
        '"train.epochs" = [1, 2]',
        "train.epochs is varied, and train.epochs is set on the command line",
    ),
    "a grid without steps": (
        ("digits", "--space", "space.toml", "--trials", 3, "--sampler", "grid"),
        "",
        "a grid needs a step for optimizer.learning_rate",
    ),
    "unknown sampler": (("digits", "--space", "space.toml", "--trials", 3, "--sampler", "tp"), "", "tpe"),
    "unknown pruner": (("digits", "--space", "space.toml", "--trials", 3, "--pruner", "x"), "", "median"),
    "seed": (("digits", "--space", "space.toml", "--trials", 3, "--seed", -1), "", "search: --seed is -1"),
    "threads": (("digits", "--space", "space.toml", "--trials", 3, "--threads", 0), "", "search: --threads is 0"),
    "memory": (("digits", "--space", "space.toml", "--trials", 3, "--memory", 0), "", "search: --memory is 0.0"),
    "too many held out": (("digits", "--space", "space.toml", "--trials", 3, "--validation", 5000), "", "5000"),
    "a file as folder": (("digits", "--space", "space.toml", "--trials", 3, "--out", "space.toml"), "", "is a file"),
    "a folder that is no search": (
        ("digits", "--space", "space.toml", "--trials", 3, "--out", "."),
        "",
        "is no search",
    ),
    "a folder below a file": (
        ("digits", "--space", "space.toml", "--trials", 3, "--out", "space.toml/below"),
        "",
        "Not a directory",
    ),
}


@pytest.mark.parametrize(("arguments", "text", "message"), BAD.values(), ids=BAD)
def test_bad_input_gives_one_sentence_and_leaves_nothing(pellucid, space, arguments, text, message):
    (pellucid.folder / "bad.toml").write_text(text)
    done = pellucid("search", *arguments, status=2)
    assert message in done.stderr
    assert sorted(path.name for path in pellucid.folder.iterdir()) == ["bad.toml", "space.toml"]


def test_who_joins_with_other_settings_is_told_what_differs(pellucid, space):
    arguments = ("--space", space, "--trials", 1, *SMALL[2:], "--threads", 1, "--out", "s")
    pellucid("search", "digits", *arguments)
    record = (pellucid.folder / "s" / "search.json").read_text()
    for changes, message in {
        ("--epochs", 2): "train.epochs is 1 there and 2 here",
        ("--seed", 1): "seed is 231 there and 1 here",
        ("--sampler", "random"): "sampler is 'tpe' there and 'random' here",
        ("--pruner", "none", "--seed", 3): "pruner is 'median' there and 'none' here, seed is",
        ("--set", "optimizer.rule=adamw"): "optimizer.rule is 'adam' there and 'adamw' here",
    }.items():
        done = pellucid("search", "digits", *arguments, *changes, status=2)
        assert "s is another search: " in done.stderr and message in done.stderr
    space.write_text(SPACE.replace("0.99", "0.95"))
    assert (
        "space.optimizer.beta1.high is 0.99 there and 0.95 here"
        in pellucid("search", "digits", *arguments, status=2).stderr
    )
    assert (pellucid.folder / "s" / "search.json").read_text() == record
    assert states(pellucid.folder / "s") == ["COMPLETE"]


@pytest.mark.slow
def test_a_copy_of_the_data_elsewhere_is_the_same_data_and_others_are_not(pellucid, space):
    from PIL import Image

    for name, shade in (("a", 0), ("b", 0), ("c", 9)):
        for part in ("train", "test"):
            for kind in ("dark", "light"):
                folder = pellucid.folder / name / part / kind
                folder.mkdir(parents=True)
                for i in range(10):
                    Image.new("L", (8, 8), (200 if kind == "light" else 20) + i + shade).save(folder / f"{i}.png")
    arguments = ("--space", space, "--trials", 1, *SMALL[2:], "--threads", 1, "--out", "s", "--validation", 4)
    pellucid("search", "a", *arguments)
    assert "1 trial: 1 complete" in pellucid("search", "b", *arguments).stdout
    assert "data.digest is" in pellucid("search", "c", *arguments, status=2).stderr


def test_all_trials_fail_alike(pellucid, space):
    arguments = ("--space", space, "--trials", 30, *QUICK, "--memory", 1e-6, "--out", "s")
    done = pellucid("search", "digits", *arguments, status=2, installed=True)
    assert "the first 5 trials all failed alike: recipe: a batch of 50 images needs about" in done.stderr
    assert done.stderr.count("\n") == 1 and states(pellucid.folder / "s") == ["FAIL"] * 5


def test_no_trial_ends_well(pellucid, space):
    arguments = ("--space", space, "--trials", 2, *QUICK, "--memory", 1e-6, "--out", "s")
    done = pellucid("search", "digits", *arguments, status=1)
    assert (
        "2 trials: 0 complete, 2 failed" in done.stdout and "none went to its end; s/trials.csv says why" in done.stdout
    )


def test_without_optuna_there_is_one_sentence(pellucid, space):
    fake = pellucid.folder / "path" / "optuna.py"
    fake.parent.mkdir()
    fake.write_text("raise ImportError('no optuna here')")
    done = pellucid(
        "search",
        "digits",
        "--space",
        space,
        "--trials",
        3,
        status=2,
        installed=True,
        env={"PYTHONPATH": str(fake.parent)},
    )
    assert done.stderr == (
        "pellucid: search: the package optuna is not installed; it comes with: pip install 'pellucid[search]'\n"
    )


def test_help_loads_neither_optuna_nor_a_kernel():
    code = (
        "import sys\nsys.argv = ['pellucid', 'search', '--help']\n"
        "import atexit; atexit.register(lambda: print([m for m in ('optuna', 'numba', 'numpy') if m in sys.modules]))\n"
        "from pellucid.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "--trials" in done.stdout and done.stdout.splitlines()[-1] == "[]"


LONG = ("--epochs", 100_000, "--pruner", "none")
"""A trial that does not end by itself in a test's time."""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_with_its_status_and_nothing_lost(pellucid, space, number, status):
    folder = pellucid.folder / "s"
    with started(pellucid, "search", "digits", "--space", space, "--trials", 2, *QUICK, *LONG, "--out", "s") as process:
        wait_until(lambda: (folder / "beats").exists() and list((folder / "beats").iterdir()), process)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == status
    name = signal.Signals(number).name
    assert err == f"pellucid: stopped by {name} in trial 0, whose settings are tried again; the same command goes on\n"
    assert states(folder) == ["FAIL"] and list((folder / "beats").iterdir()) == []
    with (folder / "trials.csv").open(newline="") as file:
        assert [row["reason"] for row in csv.DictReader(file)] == [f"stopped by {name}"]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_search_that_was_killed_goes_on(pellucid, space):
    folder = pellucid.folder / "searches" / "digits-1"
    arguments = ("search", "digits", "--space", space, "--trials", 8, "--epochs", 10, *QUICK)
    with started(pellucid, *arguments) as process:
        wait_until(lambda: ended(folder) >= 2, process)
        killed = stop_in_a_trial(process, folder)
        process.kill()
        process.wait()
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"op_code": 6, "half a li')  # and the power failed, too
    done = pellucid(*arguments)
    trials = [trial for trial in trials_of(folder) if trial.state.name != "WAITING"]
    assert len(trials) == 8 and trials[killed].state.name == "FAIL"
    assert {trial.state.name for trial in trials} <= {"COMPLETE", "PRUNED", "FAIL"}
    assert "ended without a word" in (folder / "trials.csv").read_text()
    assert any(trial.user_attrs.get("again") == killed and trial.params == trials[killed].params for trial in trials)
    assert "8 trials: " in done.stdout and "1 failed" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_thirty_trials_by_two_processes_of_which_one_is_killed_half_way(pellucid, space):
    """Thirty have ended, whatever became of each, and the best beats the tutorial's default in as many steps."""
    folder = pellucid.folder / "s"
    tutorial = ("--epochs", 2, "--validation", 400, "--threads", 1)
    arguments = ("search", "digits", "--space", space, "--trials", 30, *tutorial, "--out", "s")
    with started(pellucid, *arguments) as one:
        wait_until(lambda: states(folder), one)
        stop_in_a_trial(one, folder)  # until the other takes part, too
        with started(pellucid, *arguments) as other:
            wait_until(lambda: other.pid in owners(folder), other)
            one.send_signal(signal.SIGCONT)
            wait_until(lambda: ended(folder) >= 8, one)
            killed = stop_in_a_trial(one, folder)
            wait_until(lambda: ended(folder) >= 15, other)
            one.kill()
            out, err = other.communicate(timeout=300)
    assert owners(folder) == {one.pid, other.pid}
    assert other.returncode == 0 and err == ""
    trials = [trial for trial in trials_of(folder) if trial.state.name != "WAITING"]
    assert len(trials) == 30 and {trial.state.name for trial in trials} <= {"COMPLETE", "PRUNED", "FAIL"}
    assert trials[killed].state.name == "FAIL"
    assert "30 trials: " in out and list((folder / "beats").iterdir()) == []

    pellucid("train", "digits", *tutorial, "--run", "default")
    shutil.copy(folder / "best.toml", pellucid.folder / "mine.toml")
    pellucid("train", "digits", "--recipe", "mine.toml", "--threads", 1, "--run", "found")
    default, found = (json.loads((pellucid.folder / run / "result.json").read_text()) for run in ("default", "found"))
    assert found["iterations"] == default["iterations"]
    assert len(read_metrics(pellucid.folder / "found" / "metrics.jsonl").steps.step) == default["iterations"]
    assert found["val_accuracy"] == max(trial.value for trial in trials if trial.state.name == "COMPLETE")
    assert found["val_accuracy"] > default["val_accuracy"]
    assert found["test_accuracy"] > default["test_accuracy"]  # on images that no choice has seen
