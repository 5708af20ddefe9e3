"""A network run step by step in test mode, and back."""

import numpy as np
import pytest
from hypothesis import given, settings

from networks_to_look_into import NETWORKS, numerical_gradient, small, with_own_steps
from pellucid.models import Affine, Network, ReLU, ThreeLayerConvNet, TwoLayerNet, as_network
from pellucid.models.trace import INPUT, Trace, running, seen_places
from random_networks import images_for, networks, worst

SAME = 1e-5
"""Of the largest score: fused steps round elsewhere."""


@pytest.mark.parametrize("name", NETWORKS)
def test_the_scores_are_the_networks(name):
    net = NETWORKS[name]()
    X = images_for(net)
    trace = Trace(net, X)
    assert worst(trace.scores, net.loss(X)) <= SAME
    assert list(trace.outputs) == [prefix + place.name for _, prefix, place in net.places()]
    for _, prefix, place in net.places():
        assert trace.outputs[prefix + place.name].shape == (len(X), *place.out_shape)
        assert trace.outputs[prefix + place.name].dtype == net.dtype


@settings(max_examples=150, deadline=None)
@given(networks())
def test_random_networks_give_the_same_scores_step_by_step(net):
    X = images_for(net)
    trace = Trace(net, X)
    assert worst(trace.scores, net.loss(X)) <= SAME
    grads = trace.gradients(np.ones_like(trace.scores))
    assert {name: grad.shape for name, grad in grads.items()} == {
        INPUT: X.shape,
        **{name: out.shape for name, out in trace.outputs.items()},
    }


def test_every_output_is_what_the_steps_before_it_give():
    net = small()
    found = Trace(net, images_for(net)).outputs
    np.testing.assert_array_equal(found["relu1"], np.maximum(found["conv1"], 0))
    np.testing.assert_array_equal(
        found["residual1.relu1"],
        np.maximum(found["residual1.batchnorm1"], 0),
    )
    np.testing.assert_array_equal(found["residual1"], found["residual1.relu1"] + found["relu1"])
    np.testing.assert_array_equal(found["residual2"], found["residual2.relu1"] + found["residual2.shortcut.conv1"])
    np.testing.assert_array_equal(found["dropout1"], found["residual2"])


def test_a_block_comes_after_its_steps_as_they_run_and_before_them_as_they_are_listed():
    net = small()
    order = [ran.name for ran in running(net, images_for(net))]
    inside = ["residual1.conv1", "residual1.batchnorm1", "residual1.relu1", "residual1"]
    assert order[:6] == ["conv1", "relu1", *inside]
    assert list(Trace(net, images_for(net)).outputs)[2:6] == [inside[-1], *inside[:-1]]


def test_what_runs_may_be_left_in_the_middle():
    net = small()
    net.params["affine1.w"][...] = np.nan
    ran = next(ran for ran in running(net, images_for(net)) if ran.name == "residual1")
    assert np.isfinite(ran.out).all()


def test_gradients_are_the_numerical_ones():
    net = small()
    X, y = images_for(net, 2), np.array([3, 1])
    trace = Trace(net, X)
    dscores = np.eye(4)[y]
    np.testing.assert_allclose(trace.gradients(dscores)[INPUT], numerical_gradient(net, X, y), atol=1e-7)


def test_every_steps_gradient_is_that_of_the_network_behind_it():
    """What stands behind a step, as a network of its own, has that gradient for what comes in."""
    net = small()
    trace = Trace(net, images_for(net, 1))
    dscores = np.array([[0.0, 1, 0, 0]])
    grads = trace.gradients(dscores)
    for k, place in enumerate(net.chain.places[:-1], start=1):
        behind = Network(net.steps[k:], place.out_shape, dtype=np.float64, rng=1)
        names = [name for later in net.chain.places[k:] for name in later.arrays.values()]
        for name, old in zip(behind.params, names, strict=True):
            behind.params[name][...] = net.params[old]
        behind.bn_params = net.bn_params if behind.bn_params else []
        x = trace.outputs[place.name]
        np.testing.assert_allclose(behind.loss(x), trace.scores, atol=1e-12)
        np.testing.assert_array_equal(grads[place.name], Trace(behind, x).gradients(dscores)[INPUT])


def test_inside_of_a_block_both_branches_get_the_sums_gradient():
    net = small()
    grads = Trace(net, images_for(net)).gradients(np.ones((3, 4)))
    np.testing.assert_array_equal(grads["residual2.relu1"], grads["residual2"])
    np.testing.assert_array_equal(grads["residual2.shortcut.conv1"], grads["residual2"])
    assert not np.array_equal(grads["residual2.conv1"], grads["residual2"])


def test_a_step_may_be_called_input():
    net = Network([ReLU(name="input"), Affine(2)], (3,), dtype=np.float64, rng=0)
    grads = Trace(net, -np.ones((1, 3))).gradients([[1.0, 0]])
    np.testing.assert_array_equal(grads["input"], net.params["affine1.w"][:, :1].T)
    np.testing.assert_array_equal(grads[INPUT], np.zeros((1, 3)))


def test_frozen_parameters_make_no_difference():
    net = small()
    X = images_for(net)
    before = Trace(net, X).gradients(np.ones((3, 4)))
    net.freeze("*")
    for name, grad in Trace(net, X).gradients(np.ones((3, 4))).items():
        np.testing.assert_array_equal(grad, before[name])


def test_looking_changes_nothing():
    net = small()
    X = images_for(net)
    was = X.copy(), {name: array.copy() for name, array in net.params.items()}, net.bn_params[0]["running_mean"].copy()
    loss, grads = net.loss(X, np.array([0, 1, 2]))
    net.bn_params[0]["running_mean"][...] = was[2]
    state = net.rng.bit_generator.state
    trace = Trace(net, X)
    for _ in range(2):  # and twice gives the same
        found = trace.gradients(np.ones((3, 4)))
    np.testing.assert_array_equal(found[INPUT], Trace(net, X).gradients(np.ones((3, 4)))[INPUT])
    assert net.rng.bit_generator.state == state
    np.testing.assert_array_equal(X, was[0])
    np.testing.assert_array_equal(net.bn_params[0]["running_mean"], was[2])
    for name, array in net.params.items():
        np.testing.assert_array_equal(array, was[1][name])


def test_the_courses_classes_are_taken_as_they_are():
    model = ThreeLayerConvNet((3, 8, 8), num_filters=4, hidden_dim=6, dtype=np.float64, rng=0)
    X = np.random.default_rng(0).standard_normal((2, 3, 8, 8))
    np.testing.assert_allclose(Trace(model, X).scores, model.loss(X), atol=1e-12)
    rows = Trace(TwoLayerNet(rng=0), np.ones((2, 3072)))
    assert list(rows.outputs) == ["affine1", "relu1", "affine2"]


def test_a_block_of_ones_own_runs_as_it_likes():
    net = with_own_steps()
    trace = Trace(net, images_for(net))
    assert list(trace.outputs) == ["conv1", "keepsnothing1", "halved1", "globalavgpool1", "affine1"]
    assert [place.name for _, _, place in seen_places(net.chain)] == list(trace.outputs)
    assert worst(trace.scores, net.loss(images_for(net))) <= SAME


def test_a_step_that_keeps_nothing_in_test_mode_is_named():
    net = with_own_steps()
    with pytest.raises(ValueError, match=r"Trace: step 'halved1', Halved, .* must return a cache"):
        Trace(net, images_for(net)).gradients(np.ones((3, 3)))
    net = Network([with_own_steps().steps[1], ReLU(), Affine(2)], (3,), rng=0)
    with pytest.raises(ValueError, match=r"asked: step 'keepsnothing1', KeepsNothing"):
        Trace(net, images_for(net), "asked").gradients(np.ones((3, 2)))


@pytest.mark.parametrize(
    ("network", "X", "error", "message"),
    [
        ("a network", np.zeros((1, 3)), TypeError, "is a str; it must be a Network"),
        (small(), np.zeros((1, 3, 8, 8)), ValueError, r"Trace: X has shape \(1, 3, 8, 8\)"),
        (small(), np.zeros((0, 3, 12, 10)), ValueError, "N at least 1"),
        (small(), np.zeros((3, 12, 10)), ValueError, "X has shape"),
        (small(), np.array(["x"]), TypeError, "X has type"),
        (as_network(TwoLayerNet(rng=0)), np.zeros((1, 3, 32, 32)), ValueError, r"\(N, 3072\)"),
    ],
)
def test_bad_input(network, X, error, message):
    with pytest.raises(error, match=message):
        Trace(network, X)


def test_bad_upstream_gradient():
    with pytest.raises(ValueError, match="Trace"):
        Trace(small(), np.zeros((2, 3, 12, 10))).gradients(np.ones((2, 5)))
