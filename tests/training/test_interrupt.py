"""Ctrl-C in a real process: the step is finished, the checkpoint written, and nothing is lost."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from interrupt_me import make

from pellucid.training import Hook, load_checkpoint
from pellucid.training.interrupt import HeldSignals, Terminated, stopped_by

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are sent as on Unix")
SCRIPT = Path(__file__).with_name("interrupt_me.py")


class Run:
    """A training process, and the lines that it has printed so far."""

    def __init__(self, path, *options):
        self.lines = []
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(SCRIPT), str(path), *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.communicate()

    def wait_for(self, text):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if text in line:
                return
        pytest.fail(f"never printed {text!r}: {self.process.stderr.read()}")

    def finish(self):
        out, err = self.process.communicate(timeout=30)
        self.lines += out.splitlines()
        return self.process.returncode, err


def ends_as_if_never_stopped(path):
    """Whether the checkpoint goes on to the same weights, to the bit, as a run that was left alone."""
    whole = make(seconds=0, verbose=False)
    whole.train()
    resumed = make(seconds=0, verbose=False)
    resumed.resume(path)
    assert 0 < resumed.iteration < whole.iteration
    resumed.train()
    assert resumed.loss_history == whole.loss_history
    assert resumed.val_acc_history == whole.val_acc_history
    return all((resumed.model.params[name] == w).all() for name, w in whole.model.params.items())


def test_ctrl_c_finishes_the_step_saves_and_raises(tmp_path):
    with Run(tmp_path / "c") as run:
        run.wait_for("(Iteration 8 / 18)")
        run.process.send_signal(signal.SIGINT)
        code, err = run.finish()
        assert code == -signal.SIGINT, "as a shell expects of a process that Ctrl-C has ended"
        saved = load_checkpoint(tmp_path / "c")["iteration"]
        assert saved >= 8
        assert f"ended after {saved} of {saved}" in run.lines
        assert (
            f"KeyboardInterrupt: training was stopped by SIGINT after step {saved} of 18; the last checkpoint is "
            in run.lines[-1]
        )
        assert "KeyboardInterrupt: training was stopped by SIGINT" in err
        assert ends_as_if_never_stopped(tmp_path / "c")


def test_sigterm_where_train_is_told_so(tmp_path):
    with Run(tmp_path / "c", "sigterm") as run:
        run.wait_for("(Iteration 4 / 18)")
        run.process.send_signal(signal.SIGTERM)
        run.finish()
        assert "Terminated: training was stopped by SIGTERM after step" in run.lines[-1]
        assert ends_as_if_never_stopped(tmp_path / "c")


def test_sigterm_otherwise_ends_the_process(tmp_path):
    with Run(tmp_path / "c") as run:
        run.wait_for("(Iteration 4 / 18)")
        run.process.send_signal(signal.SIGTERM)
        code, _ = run.finish()
        assert code == -signal.SIGTERM
        assert load_checkpoint(tmp_path / "c")["iteration"] == 1, "the last one written stands"


def test_after_ctrl_c_the_same_solver_can_go_on(tmp_path):
    with Run(tmp_path / "c", "again") as run:
        run.wait_for("(Iteration 8 / 18)")
        run.process.send_signal(signal.SIGINT)
        code, err = run.finish()
        assert code == 0, err
        assert run.lines[-1] == "went on to the end"
        printed = [line for line in run.lines if line.startswith("(Iteration")]
        whole = make(seconds=0, verbose=False)
        whole.train()
        assert printed == [f"(Iteration {i} / 18) loss: {loss:f}" for i, loss in enumerate(whole.loss_history, start=1)]


def test_the_second_ctrl_c_does_not_wait(tmp_path):
    with Run(tmp_path / "c", "slow") as run:
        run.wait_for("in the first step")
        run.process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            run.process.wait(0.5)
        run.process.send_signal(signal.SIGINT)
        code, err = run.finish()
        assert code == -signal.SIGINT
        assert "KeyboardInterrupt: stopped by a second signal, within a step" in err
        assert not (tmp_path / "c").exists()


def test_after_ctrl_c_the_model_has_the_last_weights_not_the_best():
    class CtrlC(Hook):
        def on_step(self, solver):
            if solver.iteration == 8:
                self.last = {name: w.copy() for name, w in solver.model.params.items()}
                os.kill(os.getpid(), signal.SIGINT)

    hook = CtrlC()
    solver = make(seconds=0, verbose=False, hooks=[hook])
    with pytest.raises(KeyboardInterrupt):
        solver.train()
    assert solver.iteration == 8
    assert all((solver.model.params[name] == w).all() for name, w in hook.last.items())
    assert any((solver.best_params[name] != w).any() for name, w in hook.last.items())


def test_training_in_another_thread_leaves_signals_alone(tmp_path):
    with Run(tmp_path / "c", "thread") as run:
        code, err = run.finish()
        assert (code, err) == (0, "")
        assert "ended after 18 of 18" in run.lines


def test_handlers_of_before_come_back():
    def mine(signum, frame):
        raise AssertionError

    before = signal.signal(signal.SIGINT, mine)
    try:
        with HeldSignals(sigterm=True) as held:
            os.kill(os.getpid(), signal.SIGTERM)
            assert held.signum == signal.SIGTERM
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is mine
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        with pytest.raises(ZeroDivisionError), HeldSignals():
            raise ZeroDivisionError
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_signal_that_is_ignored_stays_ignored():
    """As under nohup, or in the background of a shell script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with HeldSignals() as held:
            os.kill(os.getpid(), signal.SIGINT)
        assert held.signum is None
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_nothing_is_held():
    before, found = signal.getsignal(signal.SIGINT), []

    def inside():
        with HeldSignals():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert found == [before]


def test_sigterm_is_told_apart_from_ctrl_c():
    error = stopped_by(signal.SIGTERM, 3, 10, None)
    assert isinstance(error, KeyboardInterrupt) and isinstance(error, Terminated) and error.signum == 15
    assert str(error) == "training was stopped by SIGTERM after step 3 of 10"
    assert type(stopped_by(signal.SIGINT, 3, 10, "c")) is KeyboardInterrupt
