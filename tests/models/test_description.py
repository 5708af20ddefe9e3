"""Networks as plain data and back, the course's classes as networks, and what a stranger may have written."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from pellucid.models import (
    Affine,
    BatchNorm,
    Conv,
    FullyConnectedNet,
    MaxPool,
    Network,
    Pad,
    ReLU,
    Step,
    ThreeLayerConvNet,
    TwoLayerNet,
    airbench,
    as_network,
    resnet9,
    resnet20,
    tutorial,
    vgg,
)
from pellucid.models.description import described, network_from, statistics_of

RNG = np.random.default_rng(5)


def again(network, own_steps=()):
    written = json.loads(json.dumps(described(network), allow_nan=False))
    return network_from("here", written, network.params | statistics_of(network), own_steps)


@pytest.mark.parametrize(
    "steps",
    [
        tutorial(4, 3, 8),
        vgg(11, (4, 4, 8, 8, 8)),
        resnet9(4),
        resnet20(1, 4),
        resnet20(1, 4, shortcut="projection"),
        airbench((4, 8, 8)),
        airbench((4, 8, 8), convolutions=3),
        [Pad(1, 0, 1, 0, value=-np.inf), MaxPool((3, 2), stride=2), Conv(4, (2, 3), init=0.1), BatchNorm(), Affine(3)],
    ],
)
def test_a_network_is_the_same_after_it_was_written(steps):
    network = Network(steps, (3, 32, 32), rng=0)
    network.loss(RNG.standard_normal((6, 3, 32, 32)), RNG.integers(0, 3, 6))  # statistics that are not the first ones
    found = again(network)
    X = RNG.standard_normal((4, 3, 32, 32))
    np.testing.assert_array_equal(found.loss(X), network.loss(X))
    assert repr(found.steps) == repr(network.steps)
    assert found.param_options == network.param_options
    assert found.params.keys() == network.params.keys()
    assert not any(np.shares_memory(found.params[name], array) for name, array in network.params.items())


def test_how_parameters_are_trained_is_written():
    network = Network([Conv(4), ReLU(), Affine(3)], (1, 8, 8), rng=0, dtype=np.float64)
    network.freeze("conv1.*")
    network.set_options("affine1.w", learning_rate=0.5, weight_decay=False)
    found = again(network)
    assert found.param_options == network.param_options
    assert found.dtype == np.float64


@pytest.mark.parametrize(
    ("model", "input_shape"),
    [
        (ThreeLayerConvNet((3, 9, 8), 4, 3, 8, weight_scale=0.1, rng=0), None),
        (TwoLayerNet(216, 8, weight_scale=0.1, rng=0), (3, 9, 8)),
        (FullyConnectedNet([8, 7], 216, normalization="batchnorm", weight_scale=0.1, rng=0), (3, 9, 8)),
        (FullyConnectedNet([8], 216, normalization="layernorm", dropout_keep_ratio=0.5, rng=0), None),
        (FullyConnectedNet([], 216, weight_scale=0.1, rng=0), None),
    ],
)
@pytest.mark.parametrize("trained", [True, False])
def test_the_courses_classes_are_networks(model, input_shape, trained):
    X = RNG.standard_normal((6, 3, 9, 8)).astype(model.dtype)
    if trained:
        model.loss(X, RNG.integers(0, 10, 6))
    rows = X if input_shape or isinstance(model, ThreeLayerConvNet) else X.reshape(6, -1)
    network = as_network(model, input_shape)
    right = model.loss(X)
    np.testing.assert_allclose(network.loss(rows), right, rtol=1e-5, atol=1e-5 * np.abs(right).max())
    assert not np.shares_memory(network.params[next(iter(network.params))], model.params["W1"])
    assert as_network(network) is network


def test_what_is_no_network():
    with pytest.raises(TypeError, match="as_network: model is a dict; it must be a Network, or one of the course's"):
        as_network({})
    with pytest.raises(ValueError, match=r"input_shape is \(1, 8, 8\), but the network reads 60 numbers"):
        as_network(TwoLayerNet(60, rng=0), (1, 8, 8))


@dataclass(repr=False, eq=False)
class Power(Step):
    """x to a power."""

    exponent: float = 2.0

    def forward(self, x, params, mode):
        return x**self.exponent, x

    def backward(self, dout, cache):
        return dout * self.exponent * cache ** (self.exponent - 1), {}


class Bad(Step):
    def __init__(self, number):
        self.name, self.number = None, number

    def forward(self, x, params, mode):
        return x, None


def test_a_step_of_ones_own_must_be_handed_over():
    network = Network([Power(3.0), Affine(3)], (4,), rng=0)
    with pytest.raises(ValueError, match=r"there is no step 'Power'.*load\(path, steps=\[TheClass\]\)"):
        again(network)
    assert again(network, [Power]).steps[0].exponent == 3.0
    with pytest.raises(ValueError, match="Bad: a step of one's own must be a dataclass"):
        described(Network([Bad(3), Affine(3)], (4,), rng=0))


GOOD = {"input_shape": [1, 8, 8], "steps": [{"step": "Conv", "filters": 4}, {"step": "Affine", "units": 3}]}


def deep(levels):
    steps = [{"step": "ReLU"}]
    for _ in range(levels):
        steps = [{"step": "Residual", "steps": steps}]
    return steps


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_shape": None}, "input_shape is None"),
        ({"input_shape": [1, 8]}, "input_shape is"),
        ({"input_shape": [1, 8, True]}, "input_shape is True"),
        ({"input_shape": [1, 10**6, 10**6]}, "an input has the shape .*more than 268,435,456 numbers"),
        ({"input_shape": [10**4400, 1, 1]}, "input_shape is a huge integer"),
        ({"dtype": "float16"}, "dtype is 'float16'"),
        ({"dtype": ["float32"]}, "dtype is"),
        ({"steps": {}}, "the steps are a dict"),
        ({"steps": []}, "steps is empty"),
        ({"steps": ["ReLU"]}, "'ReLU' is no step"),
        ({"steps": [{"step": "Relu"}]}, "no step 'Relu'"),
        ({"steps": [{"step": "Network"}]}, "no step 'Network'"),
        ({"steps": [{"step": "Conv"}]}, "Conv lacks the key 'filters'"),
        ({"steps": [{"step": "Conv", "filters": 4, "forward": 1}]}, "Conv has the unknown key 'forward'"),
        ({"steps": [{"step": "Conv", "filters": {}}]}, "Conv's filters is an object"),
        ({"steps": [{"step": "Conv", "filters": 2**40}]}, "it must be at most 2,147,483,648"),
        ({"steps": [{"step": "Conv", "filters": 4, "size": [3, 3, 3, 3]}]}, "Conv: size is"),
        ({"steps": [{"step": "Conv", "filters": 4, "size": 9}]}, "the filter is 9x9, larger than the 8x8"),
        ({"steps": [{"step": "Conv", "filters": 4, "name": "a.b"}]}, "has the name 'a.b'"),
        ({"steps": [{"step": "Conv", "filters": 4, "pad": 10**5}]}, "conv1 gives has the shape .*more than"),
        (
            {"steps": [{"step": "Affine", "units": 10**8}]},
            r"'affine1.w' has the shape \(144, 3\); .* it must be \(64, 100000000\)",
        ),
        ({"steps": [{"step": "Residual", "steps": [{"step": "Flatten"}]}]}, "step residual1: Residual: the steps give"),
        ({"steps": deep(17)}, "nested more than 16 deep"),
        ({"steps": [{"step": "ReLU"}] * 10_001}, "more than 10,000 steps"),
        ({"options": {"conv1.q": {}}}, "unknown key 'conv1.q'"),
        ({"options": {"conv1.w": {"frozen": 1}}}, "frozen is 1"),
        ({"options": {"conv1.w": {"learning_rate": -1}}}, "learning_rate of conv1.w is -1"),
        ({"more": 1}, "unknown key 'more'"),
    ],
)
def test_what_a_stranger_may_have_written(change, message):
    network = network_from("here", GOOD, Network([Conv(4), Affine(3)], (1, 8, 8), rng=0).params)
    with pytest.raises((ValueError, TypeError), match=f"here.*({message})"):
        network_from("here", GOOD | change, network.params)


def test_arrays_that_do_not_fit_change_nothing():
    arrays = Network([Conv(4), BatchNorm(), Affine(3)], (1, 8, 8), rng=0)
    arrays = arrays.params | statistics_of(arrays)
    written = GOOD | {"steps": [GOOD["steps"][0], {"step": "BatchNorm"}, GOOD["steps"][1]]}
    network_from("here", written, arrays)
    for name, array, message in [
        ("conv1.w", np.zeros((4, 1, 3, 2)), r"'conv1.w' has the shape \(4, 1, 3, 2\); by the network's steps"),
        ("conv2.w", np.zeros(1), r"no parameter 'conv2.w' \(did you mean 'conv1.w'\?\)"),
        ("affine1.b", np.array([0, np.nan, 0]), "affine1.b holds nan"),
        ("batchnorm1.running_var", np.full(4, -1.0), "batchnorm1.running_var holds -1.0; a variance is not below"),
    ]:
        with pytest.raises(ValueError, match=message):
            network_from("here", written, arrays | {name: array})
    with pytest.raises(ValueError, match=r"the array 'batchnorm1\.gamma' is missing"):
        network_from("here", written, {name: a for name, a in arrays.items() if name != "batchnorm1.gamma"})
