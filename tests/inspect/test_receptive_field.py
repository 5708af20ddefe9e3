"""Receptive fields against what changes when a pixel does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from networks_to_look_into import NETWORKS, small, with_own_steps
from pellucid.inspect import receptive_field
from pellucid.inspect.activations import layers_with_maps
from pellucid.models import (
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Network,
    Pad,
    ReLU,
    Residual,
    Step,
    Subsample,
    ThreeLayerConvNet,
    TwoLayerNet,
)
from pellucid.models.trace import Trace
from random_networks import images_for, networks


def what_changes(net, layer, places, by=(50, -50)):
    """For each place (i, j) of the layer's map the mask (H, W) of the input's pixels that change it."""
    H, W = net.input_shape[1:]
    x = np.abs(images_for(net, 1))
    masks = np.zeros((len(places), H, W), bool)
    for step in by:
        moved = np.repeat(x, 1 + H * W, axis=0)  # the first stays as it is
        pixels = np.arange(H * W)
        moved[1 + pixels, :, pixels // W, pixels % W] += step
        out = np.maximum(Trace(net, moved).outputs[layer], -1e6)  # padding may be minus infinity
        for n, (i, j) in enumerate(places):
            here = out[:, :, i, j]
            rounding = 1e-9 * np.abs(here).max()
            masks[n] |= (np.abs(here[1:] - here[0]) > rounding).any(axis=1).reshape(H, W)
    return masks


def box_of(mask):
    if not mask.any():
        return (0, 0, 0, 0)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


def corners_and_middle(net, layer):
    _, h, w = layers_with_maps(net)[layer]
    return sorted({(0, 0), (h - 1, w - 1), (h // 2, w // 2), (0, w - 1)})


def positive(steps, shape):
    """All weights are above zero, so that no two ways from a pixel to an answer take each other away."""
    net = Network(steps, shape, dtype=np.float64, rng=0)
    for array in net.params.values():
        array[...] = np.abs(array) + 0.1
    return net


WIDER = Residual([Conv(3, 3, stride=2, pad=1), ReLU(), Conv(3, 3, pad=1)], shortcut=[Subsample(3, 2)])
END = [MaxPool(2), Conv(3, 2, pad=1), Affine(2)]
BLOCKS = [Conv(2, 3, pad=1), Residual([Conv(2, 5, pad=2), BatchNorm()]), WIDER, *END]
WITH_PADDING = [Pad(3, 0, 2, 1), Conv(2, 2, stride=2), AvgPool((2, 3), 1), Conv(2, 3, pad=2, dilation=2), Affine(2)]

POSITIVE = {
    "blocks": positive(BLOCKS, (2, 13, 11)),
    "dilated": positive([Conv(2, (2, 3), stride=2, pad=3, dilation=2), Conv(2, 3, dilation=2), Affine(2)], (2, 15, 16)),
    "padded": positive(WITH_PADDING, (1, 9, 12)),
    "unseen rows": positive([MaxPool(2), Conv(2, 3, pad=1), Affine(2)], (1, 5, 7)),
    "beside the pixel": positive([Residual([Conv(1, 2, pad=1, dilation=2)]), Affine(2)], (1, 5, 4)),
    "one branch sees padding": positive([Residual([Conv(1, 2, pad=1, dilation=2)]), Affine(2)], (1, 4, 1)),
    "only padding": positive([Conv(2, 1, pad=2), Conv(1, 2), Affine(2)], (1, 3, 3)),
}


@pytest.mark.parametrize(
    "name, layer", [(name, layer) for name, net in POSITIVE.items() for layer in layers_with_maps(net)]
)
def test_the_box_is_around_exactly_what_changes_the_pixel(name, layer):
    net = POSITIVE[name]
    places = corners_and_middle(net, layer)
    for (i, j), mask in zip(places, what_changes(net, layer, places, by=(50,)), strict=True):
        assert receptive_field(net, layer, i, j) == box_of(mask), (i, j)


@pytest.mark.parametrize("layer", layers_with_maps(small()))
def test_nothing_outside_of_the_box_changes_the_pixel(layer):
    net = small()
    places = corners_and_middle(net, layer)
    for (i, j), mask in zip(places, what_changes(net, layer, places), strict=True):
        y0, x0, y1, x1 = receptive_field(net, layer, i, j)
        mask[y0:y1, x0:x1] = False
        assert not mask.any(), (i, j)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_random_networks(data):
    net = data.draw(networks(dtypes=(np.float64,)).filter(layers_with_maps))
    layer = data.draw(st.sampled_from(list(layers_with_maps(net))))
    H, W = net.input_shape[1:]
    places = corners_and_middle(net, layer)
    for (i, j), mask in zip(places, what_changes(net, layer, places), strict=True):
        y0, x0, y1, x1 = receptive_field(net, layer, i, j)
        assert 0 <= y0 <= y1 <= H and 0 <= x0 <= x1 <= W
        mask[y0:y1, x0:x1] = False
        assert not mask.any(), (layer, i, j)


def test_by_hand():
    net = Network([Conv(2, 3, pad=1), MaxPool(2), Conv(2, 3, pad=1), Affine(2)], (1, 8, 8), rng=0)
    assert receptive_field(net, "conv1", 0, 0) == (0, 0, 2, 2)
    assert receptive_field(net, "conv1", 3, 4) == (2, 3, 5, 6)
    assert receptive_field(net, "maxpool1", 1, 1) == (1, 1, 5, 5)
    assert receptive_field(net, "conv2", 1, 1) == (0, 0, 7, 7)
    assert receptive_field(net, "conv2", 3, 3) == (3, 3, 8, 8)


def test_the_published_networks():
    """Two rows more a 3 x 3 convolution, times the stride that is in front of it."""
    net = NETWORKS["resnet20"]()
    assert receptive_field(net, "conv1", 16, 16) == (15, 15, 18, 18)
    assert receptive_field(net, "residual3", 16, 16) == (16 - 7, 16 - 7, 16 + 8, 16 + 8)
    assert receptive_field(net, "relu10", 4, 4) == (0, 0, 32, 32)
    assert receptive_field(NETWORKS["airbench"](), "whiten", 30, 0) == (30, 0, 32, 2)
    assert receptive_field(NETWORKS["tutorial"](), "maxpool1", 0, 1) == (0, 0, 5, 7)
    model = ThreeLayerConvNet((3, 8, 8), num_filters=4, filter_size=7, hidden_dim=6, rng=0)
    assert receptive_field(model, "conv1", 4, 7) == (1, 4, 8, 8)


class Own(Step):
    """Nobody knows what it looks at."""

    def forward(self, x, params, mode):
        return x[:, :, ::-1], None


@pytest.mark.parametrize("step", [GroupNorm(2), LayerNorm(), Own()])
def test_behind_a_step_that_looks_at_all_it_is_the_whole_image(step):
    net = Network([Conv(2, 3), step, Conv(2, 2), GlobalAvgPool()], (1, 7, 6), rng=0)
    name = [place.name for _, _, place in net.places()][1]
    assert receptive_field(net, name, 0, 0) == receptive_field(net, "conv2", 2, 1) == (0, 0, 7, 6)
    assert receptive_field(net, "conv1", 0, 0) == (0, 0, 3, 3)


class AsImage(Step):
    """Rows as images of one channel."""

    def plan(self, shape):
        return (1, 2, shape[0] // 2), {}

    def forward(self, x, params, mode):
        return x.reshape(len(x), 1, 2, -1), None


def test_through_rows_of_numbers_all_is_seen():
    net = Network([Flatten(), AsImage(), Conv(1, 1), GlobalAvgPool()], (1, 4, 4), rng=0)
    assert receptive_field(net, "conv1", 0, 0) == (0, 0, 4, 4)


@pytest.mark.parametrize(
    ("network", "layer", "i", "j", "error", "message"),
    [
        (small(), "conv1", 12, 0, ValueError, r"\(12, 0\) is no pixel of 'conv1', whose maps have 12 x 10"),
        (small(), "conv1", 0, 10, ValueError, r"\(0, 10\)"),
        (small(), "conv1", -1, 0, ValueError, "i is -1"),
        (small(), "conv1", 0, 0.5, TypeError, "j is 0.5"),
        (small(), "nothing", 0, 0, ValueError, "receptive_field: layer is 'nothing'"),
        (small(), "affine1", 0, 0, ValueError, "layer is 'affine1'"),
        (with_own_steps(), "halved1.conv1", 0, 0, ValueError, "layer is 'halved1.conv1'"),
        (TwoLayerNet(rng=0), "affine1", 0, 0, ValueError, r"reads \(3072,\)"),
        (None, "conv1", 0, 0, TypeError, "must be a Network"),
    ],
)
def test_bad_input(network, layer, i, j, error, message):
    with pytest.raises(error, match=message):
        receptive_field(network, layer, i, j)
