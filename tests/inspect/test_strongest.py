"""Which images a filter answers to most, against all answers at once."""

import sys

import numpy as np
import pytest

from networks_to_look_into import NETWORKS, small, with_own_steps
from pellucid.data import ByteImages
from pellucid.inspect import activations, strongest
from pellucid.models import Conv, GlobalAvgPool, Network, ThreeLayerConvNet, TwoLayerNet
from random_networks import images_for


def by_brute_force(out, top):
    """(N, F, h, w) -> for each filter the images by their largest answer, one after the other."""
    found = []
    for f in range(out.shape[1]):
        answers = []
        for n, one in enumerate(out[:, f]):
            i, j = np.unravel_index(one.argmax(), one.shape)
            answers.append((-one[i, j], n, (i, j)))
        found.append(sorted(answers)[:top])
    values = np.array([[-value for value, _, _ in row] for row in found])
    indices = np.array([[n for _, n, _ in row] for row in found])
    return values, indices, np.array([[place for _, _, place in row] for row in found])


CASES = [
    ("small", "conv1"),
    ("small", "residual1"),
    ("small", "residual1.conv1"),
    ("small", "residual2.shortcut.conv1"),
    ("small", "dropout1"),
    ("airbench", "gelu7"),
    ("resnet20", "residual9.conv1"),
    ("tutorial", "maxpool1"),
]


@pytest.mark.parametrize("at_once", [100, 7, 1])
@pytest.mark.parametrize(("name", "layer"), CASES)
def test_the_strongest_are_those_of_all_at_once(name, layer, at_once, monkeypatch):
    monkeypatch.setattr(sys.modules["pellucid.inspect.strongest"], "MOST_AT_ONCE", at_once)
    net = NETWORKS[name]()
    X = images_for(net, 20)
    found = strongest(net, X, layer, 4)
    out = {a.name: a.out for a in activations(net, X)}[layer]
    values, indices, places = by_brute_force(out, 4)
    np.testing.assert_allclose(found.values, values, rtol=1e-4, atol=1e-4 * np.abs(values).max())
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_array_equal(found.places, places)
    assert found.values.dtype == net.dtype


def handing_on():
    """One map: the image itself."""
    net = Network([Conv(1, 1, bias=False), GlobalAvgPool()], (1, 2, 2), rng=0)
    net.params["conv1.w"][...] = 1
    return net


def test_an_image_counts_once_and_by_its_largest_answer():
    X = np.array([[[[9, 8], [7, 6]]], [[[0, 1], [5, 2]]], [[[0, 0], [0, 8]]]])
    values, indices, places = strongest(handing_on(), X, "conv1", 2)
    np.testing.assert_array_equal(values, [[9, 8]])
    np.testing.assert_array_equal(indices, [[0, 2]])
    np.testing.assert_array_equal(places, [[[0, 0], [1, 1]]])


@pytest.mark.parametrize("at_once", [100, 2, 1])
def test_of_equal_answers_the_first_comes_first(at_once, monkeypatch):
    monkeypatch.setattr(sys.modules["pellucid.inspect.strongest"], "MOST_AT_ONCE", at_once)
    X = np.random.default_rng(0).integers(0, 3, (90, 1, 2, 2))
    _, indices, places = strongest(handing_on(), X, "conv1", 80)
    _, right, right_places = by_brute_force(X, 80)
    np.testing.assert_array_equal(indices, right)
    np.testing.assert_array_equal(places, right_places)


def test_all_images_where_there_are_fewer_than_asked_for():
    net = small()
    found = strongest(net, images_for(net, 2), "conv1", 9)
    assert [array.shape for array in found] == [(5, 2), (5, 2), (5, 2, 2)]


def test_progress_is_told_and_may_end_the_work():
    net = small()
    told = []
    strongest(net, images_for(net, 250), "conv1", 2, lambda *progress: told.append(progress))
    assert told == [(100, 250), (200, 250), (250, 250)]

    def enough(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        strongest(net, images_for(net, 250), "conv1", 2, enough)


def test_only_the_steps_up_to_the_layer_run(monkeypatch):
    net = small()
    ran = []
    forward = Conv.forward
    monkeypatch.setattr(Conv, "forward", lambda self, *rest: ran.append(self) or forward(self, *rest))
    strongest(net, images_for(net, 3), "residual1.conv1")
    assert len(ran) == 2


def test_a_network_of_large_images_takes_few_at_once(monkeypatch):
    net = small()
    monkeypatch.setattr(sys.modules["pellucid.inspect.strongest"], "BATCH_NUMBERS", 3 * 5 * 12 * 10)
    told = []
    strongest(net, images_for(net, 7), "conv1", 2, lambda done, total: told.append(done))
    assert told == [3, 6, 7]


def test_images_of_bytes():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 10, 3), np.uint8)
    images = ByteImages(pixels)
    net = small(np.float32)
    for a, b in zip(strongest(net, images, "conv1"), strongest(net, images[:], "conv1"), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_courses_class():
    model = ThreeLayerConvNet((3, 8, 8), num_filters=4, hidden_dim=6, rng=0)
    assert strongest(model, np.ones((2, 3, 8, 8)), "conv1").values.shape == (4, 2)


TWO = np.zeros((2, 3, 12, 10))


@pytest.mark.parametrize(
    ("network", "images", "layer", "top", "error", "message"),
    [
        (small(), TWO, "affine1", 9, ValueError, "strongest: layer is 'affine1'"),
        (small(), TWO, "conv7", 9, ValueError, "layer is 'conv7'"),
        (small(), TWO, "conv1", 0, ValueError, "top is 0"),
        (small(), TWO, "conv1", 1.5, TypeError, "top is"),
        (small(), TWO[:0], "conv1", 9, ValueError, "images is empty"),
        (small(), TWO[:, :1], "conv1", 9, ValueError, "strongest: X has shape"),
        (TwoLayerNet(rng=0), np.zeros((2, 3072)), "affine1", 9, ValueError, "the network has none"),
        (with_own_steps(), np.zeros((2, 2, 6, 6)), "halved1.conv1", 9, ValueError, "conv1, keepsnothing1, halved1$"),
        ("net", TWO, "conv1", 9, TypeError, "must be a Network"),
    ],
)
def test_bad_input(network, images, layer, top, error, message):
    with pytest.raises(error, match=message):
        strongest(network, images, layer, top)
