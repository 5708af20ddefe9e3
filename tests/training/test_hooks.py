"""Hooks: when they are told what, what they may do, and the progress bar."""

import io
import os
import re
import sys

import numpy as np
import pytest
from toy_models import LinearSoftmax, blobs

from pellucid.training import CheckpointHook, Hook, ProgressHook, Solver, load_checkpoint

EVENTS = ["on_train_begin", "on_step", "on_epoch", "on_save", "on_train_end", "on_exit"]


class Diary(Hook):
    """Writes down what it is told."""

    def __init__(self, name="", entries=None):
        self.name, self.entries = name, [] if entries is None else entries

    def __getattribute__(self, event):
        if event not in EVENTS:
            return super().__getattribute__(event)
        return lambda solver, *details: self.entries.append((f"{self.name}{event}", solver.iteration, *details))


def make(**settings):
    defaults = {"batch_size": 20, "num_epochs": 1, "verbose": False, "progress": False, "rng": 0}
    return Solver(LinearSoftmax(), blobs(), **{**defaults, **settings})


def test_events_come_in_order(tmp_path):
    diary = Diary()
    path = str(tmp_path / "c")
    make(hooks=[diary], checkpoint_path=path).train()
    assert diary.entries == [
        ("on_train_begin", 0),
        ("on_step", 1), ("on_save", 1, path), ("on_epoch", 1),
        ("on_step", 2),
        ("on_step", 3), ("on_save", 3, path), ("on_epoch", 3),
        ("on_train_end", 3),
        ("on_exit", 3),
    ]  # fmt: skip


def test_hooks_are_told_in_the_order_given():
    entries = []
    make(hooks=[Diary("a ", entries), Diary("b ", entries)], num_epochs=0).train()
    assert [name for name, _ in entries] == [
        "a on_train_begin", "b on_train_begin", "a on_train_end", "b on_train_end", "b on_exit", "a on_exit"
    ]  # fmt: skip


def test_a_hook_sees_this_steps_loss_accuracies_and_epoch():
    seen = []

    class Look(Hook):
        def on_epoch(self, solver):
            seen.append((solver.epoch, len(solver.loss_history), len(solver.val_acc_history), bool(solver.best_params)))

    make(hooks=[Look()], num_epochs=2).train()
    assert seen == [(0, 1, 1, True), (1, 3, 2, True), (2, 6, 3, True)]


@pytest.mark.parametrize("event", ["on_step", "on_epoch"])
def test_stop_ends_training_after_this_step_with_the_best_weights(event):
    class Stop(Hook):
        pass

    setattr(Stop, event, lambda self, solver: solver.stop())
    diary = Diary()
    solver = make(hooks=[Stop(), diary], num_epochs=5)
    solver.train()
    assert solver.iteration == 1
    assert [entry[0] for entry in diary.entries][-2:] == ["on_train_end", "on_exit"]
    np.testing.assert_array_equal(solver.model.params["W"], solver.best_params["W"])
    solver.hooks = ()
    solver.train()
    assert solver.epoch == 5, "it goes on to the end that it had"


@pytest.mark.parametrize("event", EVENTS)
def test_what_a_hook_raises_comes_out_and_others_are_tidied_up(tmp_path, event):
    class Faulty(Hook):
        pass

    def fail(self, solver, *details):
        raise RuntimeError("the hook's own fault")

    setattr(Faulty, event, fail)
    before, after = Diary(), Diary()
    with pytest.raises(RuntimeError, match="the hook's own fault"):
        make(hooks=[before, Faulty(), after], checkpoint_path=tmp_path / "c").train()
    for diary in (before, after):
        assert [entry[0] for entry in diary.entries].count("on_exit") == 1


def test_hooks_are_told_of_a_runs_own_checkpoints_only(tmp_path, capsys):
    diary = Diary()
    solver = make(hooks=[diary], verbose=True)
    solver.train()
    told = len(diary.entries), capsys.readouterr().out.count("\n")
    assert told == (8, 3)
    solver.save(tmp_path / "by hand")
    assert (len(diary.entries), capsys.readouterr().out) == (8, "")


def test_a_solver_goes_on_after_a_hooks_fault(tmp_path):
    class FailsOnce(Hook):
        failed = False

        def on_step(self, solver):
            if solver.iteration == 2 and not self.failed:
                self.failed = True
                raise RuntimeError

    solver, other = make(hooks=[FailsOnce()], num_epochs=2), make(num_epochs=2)
    with pytest.raises(RuntimeError):
        solver.train()
    solver.train()
    other.train()
    assert solver.loss_history == other.loss_history and solver.val_acc_history == other.val_acc_history


@pytest.mark.parametrize("every, steps", [(None, [1, 3, 6]), (1, [1, 2, 3, 4, 5, 6]), (2, [1, 2, 3, 4, 6])])
def test_one_file_is_written_each_epoch_and_each_so_many_steps_once(tmp_path, every, steps):
    diary = Diary()
    make(hooks=[diary], checkpoint_path=tmp_path / "c", checkpoint_every=every, num_epochs=2).train()
    assert [entry[1] for entry in diary.entries if entry[0] == "on_save"] == steps
    assert load_checkpoint(tmp_path / "c")["iteration"] == 6
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_the_file_that_is_written_again_and_again_is_not_told_each_time(tmp_path, capsys):
    make(checkpoint_path=tmp_path / "c", checkpoint_every=1, verbose=True).train()
    out = capsys.readouterr().out
    assert "(Epoch 1 / 1)" in out
    assert "Saving" not in out


def test_checkpoint_hook_can_be_added_by_hand(tmp_path):
    diary = Diary()
    make(hooks=[CheckpointHook(tmp_path / "own", every=2, each_epoch=False), diary], num_epochs=1).train()
    saves = [entry[1:] for entry in diary.entries if entry[0] == "on_save"]
    assert saves == [(2, str(tmp_path / "own")), (3, str(tmp_path / "own"))]
    with pytest.raises(ValueError, match="CheckpointHook: every is 0"):
        CheckpointHook("c", every=0)


def test_a_full_disk_ends_training_and_keeps_the_solver_and_the_old_file(tmp_path, monkeypatch):
    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    class FillDisk(Hook):
        def on_step(self, solver):
            if solver.iteration == 4:
                monkeypatch.setattr(os, "fsync", no_space)

    solver, other = make(hooks=[FillDisk()], checkpoint_path=tmp_path / "c", num_epochs=3), make(num_epochs=3)
    with pytest.raises(OSError, match="No space left on device: could not write"):
        solver.train()
    assert load_checkpoint(tmp_path / "c")["iteration"] == 3
    monkeypatch.undo()
    solver.train()
    other.train()
    assert solver.loss_history == other.loss_history
    assert load_checkpoint(tmp_path / "c")["iteration"] == 9


# The progress bar.


class Terminal(io.StringIO):
    def isatty(self):
        return True


def plain(text):
    """What a terminal shows in the end: erased lines are gone, colours too."""
    text = re.sub(r"[^\n]*\r\x1b\[2K", "", text)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def run_on(monkeypatch, stdout, stderr, **settings):
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    make(progress=None, **settings).train()
    assert sys.stdout is stdout and sys.stderr is stderr, "what was redirected is put back"
    return stdout.getvalue(), stderr.getvalue()


def lines_of(text):
    return [line for line in plain(text).splitlines() if "Iteration" in line or "Epoch" in line]


def printed_lines(monkeypatch):
    """The lines as they are where there is no bar."""
    out, err = run_on(monkeypatch, io.StringIO(), io.StringIO(), verbose=True)
    assert err == "" and "\x1b" not in out
    return out.splitlines()


def test_no_bar_where_there_is_no_terminal(monkeypatch):
    assert run_on(monkeypatch, io.StringIO(), io.StringIO()) == ("", "")


def test_bar_on_a_terminal_shows_steps_loss_and_accuracy_and_leaves_the_lines_whole(monkeypatch):
    lines = printed_lines(monkeypatch)
    out, err = run_on(monkeypatch, Terminal(), Terminal(), verbose=True)
    assert err == ""
    assert lines_of(out) == lines and len(lines) == 3
    assert re.search(r"3/3 .*loss \d\.\d{4} val 0\.\d{4}", plain(out).splitlines()[-1])


def test_bar_goes_to_standard_error_where_standard_output_is_a_file(monkeypatch):
    lines = printed_lines(monkeypatch)
    out, err = run_on(monkeypatch, io.StringIO(), Terminal(), verbose=True)
    assert out.splitlines() == lines
    assert "3/3" in plain(err) and "Iteration" not in err


def test_bar_is_off_when_told_so(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    make(progress=False).train()
    assert sys.stdout.getvalue() == ""


def test_bar_is_taken_down_after_an_error(monkeypatch):
    class Faulty(Hook):
        def on_step(self, solver):
            raise RuntimeError

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(RuntimeError):
        make(progress=None, hooks=[Faulty()]).train()
    assert sys.stdout is terminal
    assert terminal.getvalue().rstrip().endswith("\x1b[?25h"), "the cursor is shown again"


def test_bar_in_a_terminal_of_one_column(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "1")
    make(hooks=[ProgressHook()]).train()


@pytest.mark.parametrize("validated", [True, False])
def test_bar_shows_the_accuracy_that_there_is_and_images_of_evened_out_batches(monkeypatch, validated):
    shown = []
    hook = ProgressHook()

    class Look(Hook):
        def on_step(self, solver):
            task = hook._bar.tasks[0]
            shown.append((task.fields["figures"], task.speed))

    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    data = {key: value for key, value in blobs().items() if validated or not key.endswith("val")}
    settings = {"batch_size": 50, "num_epochs": 3, "shuffle": True, "verbose": False, "progress": False, "rng": 0}
    solver = Solver(LinearSoftmax(), data, **settings, hooks=[hook, Look()])
    solver.train()
    kind, history = ("val", solver.val_acc_history) if validated else ("train", solver.train_acc_history)
    figures, speed = shown[-1]
    assert f" {kind} {history[-1]:.4f} " in figures
    found = float(figures.rsplit(" ", 2)[1].replace(",", ""))
    assert found / speed == pytest.approx(30, rel=0.5), "60 images in two batches of 30"


def test_a_closed_standard_stream_is_no_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    make(progress=None).train()
