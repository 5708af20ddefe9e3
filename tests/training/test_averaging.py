"""Averaged weights: by the formula, with statistics, and what the solver measures and keeps."""

import numpy as np
import pytest
from toy_models import LinearSoftmax, NormalisedNet, blobs

from pellucid.training import Average, Hook, Solver
from pellucid.training.weights import copied, weights_of


class Model:
    """A weight and a running mean."""

    def __init__(self):
        self.params = {"w": np.zeros((2, 3), np.float32)}
        self.bn_params = [{"running_mean": np.zeros(2, np.float32)}]

    def move(self, number):
        self.params["w"][...] = number
        self.bn_params[0]["running_mean"][...] = 10 * number


def averages(average, numbers, total=None):
    """The averaged weight after each step, and the weight itself."""
    model = Model()
    state = average.start(model)
    trace = []
    for i, number in enumerate(numbers, start=1):
        model.move(number)
        average.update(state, model, i, total or len(numbers))
        assert np.all(state.bn_params[0]["running_mean"] == pytest.approx(10 * state.params["w"][0, 0], rel=1e-5))
        trace.append((float(state.params["w"][0, 0]), float(model.params["w"][0, 0])))
    return np.array(trace)


def test_average_of_the_first_weights_is_their_mean():
    np.testing.assert_allclose(averages(Average(0.99), [4, 8, 3, 5])[:, 0], [4, 6, 5, 5], rtol=1e-6)


def test_average_forgets_by_its_decay():
    trace = averages(Average(0.5), [1, 0, 0, 0])[:, 0]
    np.testing.assert_allclose(trace, [1, 0.5, 0.25, 0.125], rtol=1e-6)


def test_every_so_many_steps_and_the_weights_go_their_own_way():
    trace = averages(Average(0.5, every=2), [7, 1, 9, 3, 5])
    np.testing.assert_allclose(trace[:, 0], [0, 1, 1, 2, 2], rtol=1e-6)
    np.testing.assert_array_equal(trace[:, 1], [7, 1, 9, 3, 5])


def test_lookahead_sets_the_weights_to_the_average_and_ends_with_it():
    trace = averages(Average(0.8, every=2, power=1, lookahead=True), [2, 4, 6, 8, 7, 5])
    after_four = 4 + (1 - min(0.8 * 4 / 6, 0.5)) * (8 - 4)
    np.testing.assert_allclose(trace[:, 0], [0, 4, 4, after_four, after_four, after_four], rtol=1e-6)
    np.testing.assert_allclose(trace[:, 1], [2, 4, 6, after_four, 7, after_four], rtol=1e-6)


class Look(Hook):
    """The weights of the model, and their average, after each step."""

    def __init__(self):
        self.weights, self.averages = [], []

    def on_step(self, solver):
        self.weights.append(copied(weights_of(solver.model)))
        self.averages.append(copied(solver.average_weights))


def train(model, **settings):
    look = Look()
    defaults = {"batch_size": 20, "num_epochs": 3, "verbose": False, "progress": False, "rng": 0, "hooks": [look]}
    solver = Solver(model, blobs(), **{**defaults, **settings})
    solver.train()
    return solver, look


@pytest.mark.parametrize("keep", ["best", "last"])
def test_accuracies_are_measured_with_the_average_and_it_is_kept(keep):
    solver, look = train(LinearSoftmax(), average=Average(0.9), keep=keep)
    data = blobs()
    for (params, _), accuracy in zip([look.averages[i] for i in (0, 2, 5, 8)], solver.val_acc_history, strict=True):
        scores = data["X_val"] @ params["W"] + params["b"]
        assert accuracy == np.mean(scores.argmax(axis=1) == data["y_val"])
    kept = look.averages[-1] if keep == "last" else look.averages[[0, 2, 5, 8][int(np.argmax(solver.val_acc_history))]]
    np.testing.assert_array_equal(solver.model.params["W"], kept.params["W"])
    np.testing.assert_array_equal(solver.last_weights.params["W"], look.weights[-1].params["W"])


def test_averaging_does_not_change_how_the_weights_themselves_move():
    (_, plain), (_, averaged) = train(LinearSoftmax(), hooks=[]), train(LinearSoftmax(), average=Average(0.9))
    assert plain.weights == []
    solver, _ = train(LinearSoftmax(), hooks=[])
    np.testing.assert_array_equal(averaged.weights[-1].params["W"], solver.last_weights.params["W"])


def test_training_goes_on_from_the_weights_and_not_from_their_average():
    once, _ = train(LinearSoftmax(), average=Average(0.9), num_epochs=4, hooks=[], keep="last")
    twice, _ = train(LinearSoftmax(), average=Average(0.9), num_epochs=2, hooks=[], keep="last")
    twice.train()
    np.testing.assert_array_equal(once.model.params["W"], twice.model.params["W"])


def test_running_statistics_that_appear_later_are_averaged_from_then_on():
    solver, look = train(NormalisedNet(rng=np.random.default_rng(0)), average=Average(0.9))
    assert look.averages[-1].bn_params[0].keys() == {"running_mean", "running_var"}
    assert solver.model.bn_params[0]["running_mean"].shape == (6,)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"decay": 1}, ValueError, "decay is 1"),
        ({"every": 0}, ValueError, "every is 0"),
        ({"power": -1}, ValueError, "power is -1"),
        ({"lookahead": "yes"}, TypeError, "lookahead is 'yes'; it must be True or False"),
    ],
)
def test_bad_settings_are_one_clear_error(settings, kind, message):
    with pytest.raises(kind, match=f"^Average: {message}"):
        Average(**settings)
