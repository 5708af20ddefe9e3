"""What a network gives step by step, and which steps give images."""

import numpy as np
import pytest

from networks_to_look_into import NETWORKS, small, with_own_steps
from pellucid.inspect import activations
from pellucid.inspect.activations import layers_with_maps, maps_of
from pellucid.models import Affine, Network, ThreeLayerConvNet
from random_networks import images_for, worst


@pytest.mark.parametrize("name", NETWORKS)
def test_one_activation_a_step_and_the_last_is_the_scores(name):
    net = NETWORKS[name]()
    X = images_for(net, 2)
    found = activations(net, X)
    assert [a.name for a in found] == [prefix + place.name for _, prefix, place in net.places()]
    assert [a.step for a in found] == [place.step.describe() for _, _, place in net.places()]
    assert [a.out.shape[1:] for a in found] == [place.out_shape for _, _, place in net.places()]
    assert worst(found[-1].out, net.loss(X)) <= 1e-5


def test_the_courses_class():
    model = ThreeLayerConvNet((3, 8, 8), num_filters=4, hidden_dim=6, rng=0)
    found = activations(model, np.ones((1, 3, 8, 8)))
    assert [a.name for a in found] == ["conv1", "relu1", "maxpool1", "affine1", "relu2", "affine2"]
    assert found[0].step.startswith("Conv(4")


def test_layers_with_maps_are_those_that_give_images():
    net = small()
    assert layers_with_maps(net)["residual2.shortcut.conv1"] == (6, 3, 3)
    assert "globalavgpool1" not in layers_with_maps(net)
    assert layers_with_maps(net, least=10).keys() == {
        *("conv1", "relu1", "residual1", "residual1.conv1", "residual1.batchnorm1", "residual1.relu1", "maxpool1")
    }
    assert list(layers_with_maps(with_own_steps())) == ["conv1", "keepsnothing1", "halved1"]


@pytest.mark.parametrize(
    ("net", "layer", "message"),
    [
        (small(), "conv9", r"asked: layer is 'conv9' \(did you mean 'conv1'\?\); it must be one of .*: conv1, relu1, "),
        (small(), "affine1", "layer is 'affine1'"),
        (small(), None, "layer is None"),
        (small(), ["conv1"], "layer is "),
        (Network([Affine(2)], (3, 4, 4), rng=0), "affine1", "the network has none"),
    ],
)
def test_a_layer_that_is_not_there(net, layer, message):
    with pytest.raises(ValueError, match=message):
        maps_of("asked", net, layer)


@pytest.mark.parametrize(
    ("network", "X", "error", "message"),
    [
        (3, np.zeros((1, 3, 12, 10)), TypeError, "model is a int; it must be a Network"),
        (small(), np.zeros((1, 3, 8, 8)), ValueError, "activations: X has shape"),
        (small(), np.zeros((0, 3, 12, 10)), ValueError, "at least 1"),
        (small(), "an image", TypeError, "activations: X has type"),
    ],
)
def test_bad_input(network, X, error, message):
    with pytest.raises(error, match=message):
        activations(network, X)
