"""Saliency against numerical gradients; Grad-CAM by hand."""

import numpy as np
import pytest

from networks_to_look_into import NETWORKS, numerical_gradient, small, with_own_steps
from pellucid.inspect import cam_layer, grad_cam, saliency
from pellucid.models import (
    Affine,
    Conv,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    Network,
    Pad,
    ReLU,
    ThreeLayerConvNet,
    TwoLayerNet,
    as_network,
)
from random_networks import images_for


def linear(*, w, head, size):
    """A 1 x 1 convolution of one channel, the mean of each map, scores."""
    net = Network([Conv(len(w), 1, bias=False), GlobalAvgPool(), Affine(2)], (1, *size), dtype=np.float64, rng=0)
    net.params["conv1.w"][...] = np.reshape(w, (-1, 1, 1, 1))
    net.params["affine1.w"][...] = head
    return net


def test_saliency_is_the_numerical_gradient_of_the_score():
    net = small()
    X, y = images_for(net, 2), np.array([3, 1])
    np.testing.assert_allclose(saliency(net, X, y), np.abs(numerical_gradient(net, X, y)).max(axis=1), atol=1e-7)


def test_saliency_of_the_courses_class_is_the_numerical_gradient():
    model = ThreeLayerConvNet((3, 6, 6), num_filters=3, hidden_dim=5, weight_scale=0.3, dtype=np.float64, rng=0)
    X, y = np.random.default_rng(1).standard_normal((2, 3, 6, 6)), np.array([0, 7])
    np.testing.assert_allclose(saliency(model, X, y), np.abs(numerical_gradient(model, X, y)).max(axis=1), atol=1e-7)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_images_answer_does_not_depend_on_the_others(name):
    net = NETWORKS[name]()
    X, y = images_for(net, 3), [0, 1, 2]
    heat, cam = saliency(net, X, y), grad_cam(net, X, y)
    assert heat.shape == cam.shape == (3, *net.input_shape[1:])
    assert heat.min() >= 0 and cam.min() >= 0 and cam.max() <= 1
    # max pooling may choose otherwise where rounding differs, so one image is run among others, in another place
    for n in (0, 2):
        turned = [n, 1, 1]
        np.testing.assert_allclose(saliency(net, X[turned], np.array(y)[turned])[0], heat[n], atol=1e-4 * heat.max())
        np.testing.assert_allclose(grad_cam(net, X[turned], np.array(y)[turned])[0], cam[n], atol=1e-3)


def test_grad_cam_by_hand():
    """Two maps, weighted by their mean gradients 1/4 and -2/4, added up, cut off below zero: 0.25 x - 0.5 * 2 x."""
    net = linear(w=[1.0, 2.0], head=[[1.0, 0], [-2.0, 0]], size=(2, 2))
    x = np.array([[[[1.0, -2], [4, -1]]]])
    np.testing.assert_allclose(grad_cam(net, x, [0], "conv1"), [[[0, 1], [0, 0.5]]], atol=1e-6)


def test_a_map_counts_by_the_mean_of_its_gradients():
    """1 and -3 at its two pixels are -1 on the mean, so that what is below zero speaks for the class."""
    net = Network([Conv(1, 1, bias=False), Affine(1, bias=False)], (1, 1, 2), dtype=np.float64, rng=0)
    net.params["conv1.w"][...] = 1
    net.params["affine1.w"][...] = [[1.0], [-3]]
    np.testing.assert_array_equal(grad_cam(net, [[[[-2.0, 4]]]], [0]), [[[1, 0]]])


def test_grad_cam_where_nothing_speaks_for_the_class():
    net = linear(w=[1.0, 2.0], head=[[1.0, -1], [-2.0, 0]], size=(2, 2))
    x = np.array([[[[1.0, 2], [4, 1]]]])
    np.testing.assert_array_equal(grad_cam(net, x, [0]), np.zeros((1, 2, 2)))


def test_grad_cam_between_pixels_goes_in_a_straight_line():
    """2 pixels on 4: the outer quarters are beyond the pixels' middles, between them it is 3/4 and 1/4 of each."""
    net = Network([Conv(1, 1), MaxPool(2), GlobalAvgPool(), Affine(2)], (1, 4, 4), dtype=np.float64, rng=0)
    net.params["conv1.w"][...] = 1
    net.params["affine1.w"][...] = [[1.0, 0]]
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, :, 3] = 2  # pooled: 0 and 2 beside each other
    np.testing.assert_allclose(grad_cam(net, x, [0], "maxpool1")[0], [[0, 0.25, 0.75, 1]] * 4, atol=1e-6)


def test_one_class_is_not_the_other():
    net = linear(w=[1.0, -1.0], head=[[1.0, 0], [0, 1.0]], size=(1, 2))
    x = np.array([[[[3.0, -3]]]])
    np.testing.assert_array_equal(grad_cam(net, x, [0]), [[[1, 0]]])
    np.testing.assert_array_equal(grad_cam(net, x, [1]), [[[0, 1]]])


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("small", "dropout1"),
        ("airbench", "gelu7"),
        ("resnet9", "residual2"),
        ("resnet20", "relu10"),
        ("tutorial", "maxpool1"),
    ],
)
def test_the_last_maps_are_asked_where_none_are_named(name, layer):
    net = NETWORKS[name]()
    assert cam_layer(net) == layer
    X = images_for(net, 1)
    np.testing.assert_array_equal(grad_cam(net, X, [1]), grad_cam(net, X, [1], layer))


def test_steps_inside_of_a_block_may_be_asked():
    net = NETWORKS["resnet20"]()
    assert grad_cam(net, images_for(net, 1), [1], "residual9.conv1").shape == (1, 32, 32)


def test_maps_of_one_pixel_are_passed_over():
    net = Network([Conv(2, 3), ReLU(), MaxPool(2), Affine(2)], (1, 4, 4), rng=0)
    assert cam_layer(net) == "relu1"
    with pytest.raises(ValueError, match=r"layer is 'maxpool1'.* at least 2 pixels: conv1, relu1$"):
        grad_cam(net, images_for(net, 1), [0], "maxpool1")


def call(function, *arguments):
    return lambda: function(*arguments)


ONE = np.zeros((1, 3, 12, 10))


@pytest.mark.parametrize("function", [saliency, grad_cam])
@pytest.mark.parametrize(
    ("network", "X", "y", "error", "message"),
    [
        (small(), ONE, [4], ValueError, "4 classes"),
        (small(), ONE, [-1], ValueError, "y"),
        (small(), ONE, [0, 1], ValueError, "one label"),
        (small(), ONE, [0.5], TypeError, "y"),
        (small(), np.zeros((1, 3, 8, 8)), [0], ValueError, "X has shape"),
        (small(), np.zeros((0, 3, 12, 10)), [], ValueError, "at least 1"),
        (None, ONE, [0], TypeError, "NoneType; it must be a Network"),
        (with_own_steps(), np.zeros((1, 2, 6, 6)), [0], ValueError, "must return a cache"),
    ],
)
def test_bad_input(function, network, X, y, error, message):
    with pytest.raises(error, match=message):
        function(network, X, y)


def images_out(scores, y):
    return scores.mean(), np.ones_like(scores)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (call(saliency, TwoLayerNet(rng=0), np.zeros((1, 3072)), [0]), r"saliency: .* reads \(3072,\) .*as_network"),
        (call(saliency, Network([Conv(2)], (1, 4, 4), loss_function=images_out, rng=0), 0, 0), r"gives \(2, 2, 2\)"),
        (call(grad_cam, small(), ONE, [0], "conv9"), "grad_cam: layer is 'conv9'"),
        (call(grad_cam, small(), ONE, [0], "affine1"), "layer is 'affine1'.*conv1, relu1"),
        (call(cam_layer, Network([Flatten(), Affine(2)], (3, 4, 4), rng=0)), "no step .*; ask saliency"),
    ],
)
def test_networks_and_layers_that_cannot_be_asked(act, message):
    with pytest.raises(ValueError, match=message):
        act()


def test_a_fully_connected_network_that_reads_images_has_saliency_only():
    net = as_network(TwoLayerNet(rng=0), (3, 32, 32))
    assert saliency(net, np.ones((1, 3, 32, 32)), [0]).shape == (1, 32, 32)
    with pytest.raises(ValueError, match="ask saliency"):
        grad_cam(net, np.ones((1, 3, 32, 32)), [0])


def test_maps_that_are_not_finite_are_named():
    steps = [Pad(1, 1, 1, 1, value=-np.inf), MaxPool(3), Affine(2)]
    net = Network(steps, (1, 4, 4), rng=0)
    net.params["affine1.w"][...] = -1
    with pytest.raises(ValueError, match=r"'pad1' gives.*not finite"):
        grad_cam(net, np.ones((1, 1, 4, 4)), [0], "pad1")
