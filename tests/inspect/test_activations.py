"""What a network gives step by step, what in an image speaks for a class, and which images a filter answers to."""

import sys

import numpy as np
import pytest

from pellucid.inspect import activations, cam_layer, grad_cam, receptive_field, saliency, strongest
from pellucid.models import (
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    Network,
    ReLU,
    Residual,
    ThreeLayerConvNet,
    TwoLayerNet,
    airbench,
    as_network,
    resnet20,
)
from pellucid.models.padding import Pad
from pellucid.models.trace import INPUT, Trace


def small(dtype=np.float64):
    """Every kind of step that stands in the way of a gradient."""
    block = [Conv(5, 3, pad=1, bias=False), BatchNorm(), ReLU()]
    wider = Residual([Conv(6, 3, stride=2, pad=1), ReLU()], shortcut=[Conv(6, 1, stride=2)])
    steps = [Conv(5, 3, pad=1), ReLU(), Residual(block), MaxPool(2), wider, Dropout(0.5), GlobalAvgPool(), Affine(4)]
    net = Network(steps, (3, 12, 10), dtype=dtype, rng=1)
    draw = np.random.default_rng(2)
    for bn_param in net.bn_params:  # statistics that are not those of the start
        bn_param["running_mean"][...] = draw.normal(0, 0.3, bn_param["running_mean"].shape)
        bn_param["running_var"][...] = draw.uniform(0.5, 2, bn_param["running_var"].shape)
    return net


def images(net, N=3, seed=3):
    return np.random.default_rng(seed).standard_normal((N, *net.input_shape)).astype(net.dtype)


NETWORKS = {
    "small": small,
    "airbench": lambda: Network(airbench(widths=(8, 8, 8)), (3, 32, 32), rng=0),
    "airbench, three convolutions": lambda: Network(airbench(widths=(8, 8, 8), convolutions=3), (3, 32, 32), rng=0),
    "resnet20": lambda: Network(resnet20(), (3, 32, 32), rng=0),
    "tutorial": lambda: as_network(ThreeLayerConvNet((3, 8, 8), num_filters=4, hidden_dim=6, rng=0)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_activation_is_the_scores(name):
    net = NETWORKS[name]()
    X = images(net)
    found = activations(net, X)
    np.testing.assert_allclose(found[-1].out, net.loss(X), rtol=1e-4, atol=1e-5)
    assert [a.name for a in found] == [prefix + place.name for _, prefix, place in net.places()]
    assert all(a.out.shape == (3, *place.out_shape) for a, (_, _, place) in zip(found, net.places(), strict=True))


def test_every_activation_is_what_the_steps_before_it_give():
    net = small()
    X = images(net)
    found = {a.name: a.out for a in activations(net, X)}
    np.testing.assert_array_equal(found["relu1"], np.maximum(found["conv1"], 0))
    inside = np.maximum(found["residual1.batchnorm1"], 0)
    np.testing.assert_allclose(found["residual1"], inside + found["relu1"], atol=1e-12)
    np.testing.assert_allclose(
        found["residual2"], found["residual2.relu1"] + found["residual2.shortcut.conv1"], atol=1e-12
    )
    np.testing.assert_array_equal(found["dropout1"], found["residual2"])


def test_looking_changes_nothing():
    net = small()
    before = [bn_param["running_mean"].copy() for bn_param in net.bn_params]
    scores = net.loss(images(net))
    saliency(net, images(net), [0, 1, 2])
    np.testing.assert_array_equal(net.loss(images(net)), scores)
    assert all((a == b["running_mean"]).all() for a, b in zip(before, net.bn_params, strict=True))


def numerical(net, X, y, h=1e-6):
    grads = np.zeros_like(X)
    for place in np.ndindex(X.shape):
        old = X[place]
        pair = []
        for moved in (old + h, old - h):
            X[place] = moved
            pair.append(net.loss(X)[place[0], y[place[0]]])
        X[place] = old
        grads[place] = (pair[0] - pair[1]) / (2 * h)
    return grads


def test_saliency_is_the_numerical_gradient_of_the_score():
    net = small()
    X, y = images(net, 2), np.array([3, 1])
    np.testing.assert_allclose(saliency(net, X, y), np.abs(numerical(net, X, y)).max(axis=1), atol=1e-7)


def test_gradients_of_every_step_are_those_of_the_scores():
    """What stands behind a step, as a network of its own, has the same gradient for what comes in."""
    net = small()
    trace = Trace(net, images(net, 1))
    dscores = np.array([[0.0, 1, 0, 0]])
    grads = trace.gradients(dscores)
    assert set(grads) == {INPUT, *trace.outputs}
    behind = Network(net.steps[3:], (5, 12, 10), dtype=np.float64, rng=1)
    for name, array in behind.params.items():
        array[...] = net.params[name.replace("residual1", "residual2")]
    x = trace.outputs["residual1"].copy()
    np.testing.assert_allclose(behind.loss(x), trace.scores, atol=1e-12)
    np.testing.assert_array_equal(grads["residual1"], Trace(behind, x).gradients(dscores)[INPUT])
    x += np.random.default_rng(5).uniform(0, 0.1, x.shape)  # zeros behind a ReLU tie where they are pooled
    np.testing.assert_allclose(Trace(behind, x).gradients(dscores)[INPUT], numerical(behind, x, [1]), atol=1e-7)


def test_grad_cam_by_hand():
    """Two maps, weighted by their mean gradients 0.25 and -0.5, cut off below zero."""
    net = Network([Conv(2, 1, bias=False), GlobalAvgPool(), Affine(2)], (1, 2, 2), dtype=np.float64, rng=0)
    net.params["conv1.w"][...] = np.array([1.0, 2.0]).reshape(2, 1, 1, 1)
    net.params["affine1.w"][...] = [[1.0, 0], [-2.0, 0]]
    x = np.array([[[[1.0, -2], [4, 0]]]])
    # (0.25 * x) + (-0.5 * 2x) is -0.75 x; what is above zero is at x = -2, and by linear interpolation the size stays
    np.testing.assert_allclose(grad_cam(net, x, [0], "conv1"), [[[0, 1], [0, 0]]], atol=1e-6)
    np.testing.assert_array_equal(grad_cam(net, x, [1], "conv1"), np.zeros((1, 2, 2)))


def test_grad_cam_has_the_images_size_and_asks_the_last_maps():
    net = small()
    cam = grad_cam(net, images(net), [0, 1, 2])
    assert cam.shape == (3, 12, 10)
    assert cam.min() >= 0 and cam.max() <= 1
    assert cam_layer(net) == "dropout1"
    np.testing.assert_array_equal(cam, grad_cam(net, images(net), [0, 1, 2], "dropout1"))


@pytest.mark.parametrize("layer", ["conv1", "residual1.conv1", "residual2.shortcut.conv1", "maxpool1"])
def test_the_strongest_are_those_of_all_at_once(layer):
    net = small(np.float32)
    X = images(net, 30)
    told = []
    values, indices, places = strongest(net, X, layer, 4, lambda *done: told.append(done))
    out = Trace(net, X).outputs[layer]
    for k in range(out.shape[1]):
        most = out[:, k].reshape(30, -1).max(axis=1)
        order = np.argsort(-most, kind="stable")[:4]
        np.testing.assert_array_equal(indices[k], order)
        np.testing.assert_array_equal(values[k], most[order])
        for n, (i, j), value in zip(indices[k], places[k], values[k], strict=True):
            assert out[n, k, i, j] == value
    assert told[-1] == (30, 30)


def test_batches_make_no_difference(monkeypatch):
    net = small(np.float32)
    X = images(net, 30)
    whole = strongest(net, X, "conv1", 5)
    monkeypatch.setattr(sys.modules["pellucid.inspect.strongest"], "BATCH_NUMBERS", 1)
    for a, b in zip(whole, strongest(net, X, "conv1", 5), strict=True):
        np.testing.assert_array_equal(a, b)


def test_fewer_images_than_were_asked_for():
    net = small(np.float32)
    assert strongest(net, images(net, 2), "conv1", 9).indices.shape == (5, 2)


def fields():
    yield (
        "small",
        small(),
        (
            "conv1",
            "residual1",
            "residual1.conv1",
            "maxpool1",
            "residual2",
            "residual2.relu1",
            "residual2.shortcut.conv1",
        ),
    )
    strided = [Conv(3, (2, 3), stride=2, pad=1, dilation=2), AvgPool(2, 1), Pad(1, 0, 2, 0), Conv(2, 2), Affine(2)]
    yield "strided", Network(strided, (2, 15, 14), dtype=np.float64, rng=0), ("conv1", "avgpool1", "pad1", "conv2")
    yield "pooled", Network([Conv(3, 3), GlobalMaxPool(), Affine(2)], (2, 5, 6), dtype=np.float64, rng=0), ("conv1",)


@pytest.mark.parametrize("net, layer", [pytest.param(n, x, id=f"{name}-{x}") for name, n, xs in fields() for x in xs])
def test_a_receptive_field_is_what_can_change_the_pixel(net, layer):
    """Every pixel of the input is changed; those that change the answer lie in the box."""
    x = np.abs(images(net, 1))
    _, h, w = Trace(net, x).outputs[layer].shape[1:]
    H, W = net.input_shape[1:]
    for i, j in {(0, 0), (h - 1, w - 1), (h // 2, w // 2)}:
        y0, x0, y1, x1 = receptive_field(net, layer, i, j)
        assert 0 <= y0 <= y1 <= H and 0 <= x0 <= x1 <= W
        before = Trace(net, x).outputs[layer][0, :, i, j]
        for r, s in np.ndindex(H, W):
            moved = np.concatenate([x, x])
            moved[0, :, r, s] += 50
            moved[1, :, r, s] -= 50
            changed = (Trace(net, moved).outputs[layer][:, :, i, j] != before).any()
            inside = y0 <= r < y1 and x0 <= s < x1
            assert inside or not changed, (i, j, r, s)


def test_receptive_fields_by_hand():
    net = Network([Conv(2, 3, pad=1), MaxPool(2), Conv(2, 3, pad=1), Affine(2)], (1, 8, 8), rng=0)
    assert receptive_field(net, "conv1", 0, 0) == (0, 0, 2, 2)
    assert receptive_field(net, "conv1", 3, 4) == (2, 3, 5, 6)
    assert receptive_field(net, "maxpool1", 1, 1) == (1, 1, 5, 5)
    assert receptive_field(net, "conv2", 1, 1) == (0, 0, 7, 7)
    assert receptive_field(net, "conv2", 3, 3) == (3, 3, 8, 8)


def call(function, *arguments):
    return lambda: function(*arguments)


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (call(activations, TwoLayerNet(), np.zeros((1, 3072))), TypeError, "as_network"),
        (call(activations, small(), np.zeros((1, 3, 8, 8))), ValueError, "X has shape"),
        (call(activations, small(), np.zeros((0, 3, 12, 10))), ValueError, "at least 1"),
        (call(saliency, small(), np.zeros((1, 3, 12, 10)), [4]), ValueError, "for 4 classes"),
        (call(saliency, small(), np.zeros((1, 3, 12, 10)), [0, 1]), ValueError, "one label"),
        (call(saliency, as_network(TwoLayerNet(rng=0)), np.zeros((1, 3072)), [0]), TypeError, "reads images"),
        (call(grad_cam, small(), np.zeros((1, 3, 12, 10)), [0], "conv9"), ValueError, "layer is 'conv9'"),
        (call(grad_cam, small(), np.zeros((1, 3, 12, 10)), [0], "affine1"), ValueError, "conv1, relu1"),
        (call(strongest, small(), np.zeros((2, 3, 12, 10)), "affine1"), ValueError, "layer is 'affine1'"),
        (call(strongest, small(), np.zeros((2, 3, 12, 10)), "conv1", 0), ValueError, "top is 0"),
        (call(receptive_field, small(), "conv1", 12, 0), ValueError, "12 x 10"),
        (call(receptive_field, small(), "nothing", 0, 0), ValueError, "layer is 'nothing'"),
    ],
)
def test_bad_input(act, error, message):
    with pytest.raises(error, match=message):
        act()
