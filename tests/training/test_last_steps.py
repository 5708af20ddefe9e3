"""The last steps of a run in memory: a new solver goes on from either of the two to the bit."""

import numpy as np
import pytest
from test_resume_recipe import AVERAGES, STEPS, everything, make, uninterrupted

from pellucid.training import Hook, LastSteps
from pellucid.training.together import Alone


class Cut(Hook):
    """Ends training by an error, as a lost process does: after a step, or in the middle of the next one."""

    def __init__(self, iteration, within_step=False):
        self.iteration, self.within_step = iteration, within_step

    def on_step(self, solver):
        if solver.iteration != self.iteration:
            return
        if not self.within_step:
            raise ConnectionError
        solver.together = Failing()


class Failing(Alone):
    """Fails when the gradients are there: the images were drawn and the running statistics moved."""

    def after_step(self, model, loss):
        raise ConnectionError


def cut_off(at, within_step, average):
    steps = LastSteps()
    solver = make(average=AVERAGES[average], hooks=[steps, Cut(at, within_step)])
    with pytest.raises(ConnectionError):
        solver.train()
    return steps, solver


@pytest.fixture(scope="module", params=["averaged", "look-ahead"])
def whole(request):
    """A kind of average, and everything that a run with it ends in."""
    return request.param, uninterrupted(average=AVERAGES[request.param])


@pytest.mark.parametrize("within_step", [False, True], ids=["after a step", "within a step"])
@pytest.mark.parametrize("at", [1, 5, 8, 19])
def test_a_new_solver_goes_on_from_either_step(at, within_step, whole):
    average, expected = whole
    steps, _ = cut_off(at, within_step, average)
    assert steps.newest == at
    for step in (at, at - 1):
        solver = make(average=AVERAGES[average])
        steps.go_back(solver, step)
        assert solver.iteration == step
        solver.train()
        assert everything(solver) == expected


def test_training_on_changes_nothing_in_what_is_kept():
    steps, solver = cut_off(8, False, "averaged")
    for array in (*solver.model.params.values(), *solver.average_weights.params.values()):
        array[...] = 0
    for config in solver.optim_configs.values():
        for value in config.values():
            if isinstance(value, np.ndarray):
                value[...] = 0
    fresh = make(average=AVERAGES["averaged"])
    steps.go_back(fresh, 8)
    fresh.train()
    assert everything(fresh) == uninterrupted(average=AVERAGES["averaged"])


def test_after_going_back_it_keeps_what_comes_then():
    steps, _ = cut_off(8, False, "averaged")
    solver = make(average=AVERAGES["averaged"], hooks=[steps])
    steps.go_back(solver, 7)
    solver.train()
    assert steps.newest == STEPS
    with pytest.raises(ValueError, match=r"LastSteps.go_back: iteration is 8; it must be one of those kept: 19, 20"):
        steps.go_back(solver, 8)


def test_before_training_nothing_is_kept():
    steps = LastSteps()
    assert steps.newest is None
    with pytest.raises(ValueError, match=r"iteration is 0; it must be one of those kept: none"):
        steps.go_back(make(), 0)
