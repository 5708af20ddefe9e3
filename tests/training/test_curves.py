"""The picture that is drawn again during a run: how often, and that it never ends one."""

import pytest
from toy_models import LinearSoftmax, blobs

from pellucid.training import Hook, Solver, curves
from pellucid.training.curves import CurvesHook
from stop_at import StopAt


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that stands still unless it is told to go on.

    Every test has it: on a busy machine a drawing that does nothing may take a twentieth of an epoch of microseconds.
    """

    class Clock:
        now = 5.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(curves, "time", clock)
    return clock


class Drawn:
    """Notes at which steps it drew."""

    def __init__(self, clock=None, takes_s=0, fails_at=()):
        self.steps, self.clock, self.takes_s, self.fails_at = [], clock, takes_s, fails_at

    def __call__(self, solver, path):
        self.steps.append((solver.iteration, path))
        if self.clock is not None:
            self.clock.now += self.takes_s
        if solver.iteration in self.fails_at:
            raise OSError("no room")


class Wait(Hook):
    """A second a step."""

    def __init__(self, clock):
        self.clock = clock

    def on_step(self, solver):
        self.clock.now += 1


def train(hook, *others, **settings):
    defaults = {"batch_size": 20, "num_epochs": 2, "verbose": False, "progress": False, "rng": 0}
    Solver(LinearSoftmax(), blobs(), hooks=[*others, hook], **{**defaults, **settings}).train()


def test_each_epoch_and_the_end_are_drawn(tmp_path):
    drawn = Drawn()
    train(CurvesHook(tmp_path / "p.png", drawn))
    path = str(tmp_path / "p.png")
    assert drawn.steps == [(1, path), (3, path), (6, path), (6, path)]


def test_where_a_run_is_stopped_the_picture_is_of_its_last_step():
    drawn = Drawn()
    train(CurvesHook("p.png", drawn), StopAt(4))
    assert drawn.steps[-1] == (4, "p.png")


def test_steps_are_drawn_as_often_as_was_asked(clock):
    drawn = Drawn()
    train(CurvesHook("p.png", drawn, every_s=3), Wait(clock), batch_size=5)
    assert [step for step, _ in drawn.steps] == [1, 4, 7, 10, 12, 15, 18, 21, 24, 24]
    drawn = Drawn()
    train(CurvesHook("p.png", drawn, every_s=0), num_epochs=1)
    assert [step for step, _ in drawn.steps] == [1, 2, 3, 3]


def test_slow_drawing_is_done_less_often(clock):
    drawn = Drawn(clock, takes_s=1)  # so one second in twenty
    train(CurvesHook("p.png", drawn, every_s=2), Wait(clock), num_epochs=20)
    assert [step for step, _ in drawn.steps] == [1, 20, 39, 58, 60]


def test_an_error_of_the_drawing_is_kept_and_training_goes_on():
    drawn = Drawn(fails_at=(1, 3, 6))
    hook = CurvesHook("p.png", drawn)
    train(hook)
    assert len(drawn.steps) == 4
    assert isinstance(hook.error, OSError)
    assert str(hook.error) == "no room"


def test_the_error_is_forgotten_when_a_later_drawing_succeeds():
    hook = CurvesHook("p.png", Drawn(fails_at=(1,)))
    train(hook)
    assert hook.error is None


def test_ctrl_c_in_a_drawing_is_no_error_of_the_drawing():
    def interrupt(solver, path):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(CurvesHook("p.png", interrupt))


def test_a_run_without_a_step_draws_nothing():
    drawn = Drawn()
    train(CurvesHook("p.png", drawn), num_epochs=0)
    assert drawn.steps == []


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((7, print), TypeError, "CurvesHook: path is a int"),
        (("p.png", "draw"), TypeError, "CurvesHook: draw is 'draw'; it must be a function"),
        (("p.png", print, -1), ValueError, "CurvesHook: every_s is -1; it must be at least 0"),
        (("p.png", print, "often"), TypeError, "CurvesHook: every_s is 'often'"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        CurvesHook(*arguments)
