"""The course's fully connected networks."""

import numpy as np
import pytest

from pairs import waves
from pellucid.gradcheck import check_model
from pellucid.models import FullyConnectedNet, TwoLayerNet

X, Y = waves(5, 12), np.array([0, 1, 2, 2, 1])


def test_two_layer_net_gives_the_courses_losses():
    N, D, H, C = 3, 5, 50, 7
    model = TwoLayerNet(input_dim=D, hidden_dim=H, num_classes=C)
    model.params["W1"] = np.linspace(-0.7, 0.3, num=D * H).reshape(D, H)
    model.params["b1"] = np.linspace(-0.1, 0.9, num=H)
    model.params["W2"] = np.linspace(-0.3, 0.4, num=H * C).reshape(H, C)
    model.params["b2"] = np.linspace(-0.9, 0.1, num=C)
    images, labels = np.linspace(-5.5, 4.5, num=N * D).reshape(D, N).T, np.array([0, 5, 1])
    assert model.loss(images, labels)[0] == pytest.approx(3.4702243556, abs=1e-10)
    model.reg = 1.0
    assert model.loss(images, labels)[0] == pytest.approx(26.5948426952, abs=1e-10)


@pytest.mark.parametrize("reg", [0.0, 0.7])
def test_two_layer_gradients(reg):
    model = TwoLayerNet(input_dim=12, hidden_dim=7, num_classes=3, weight_scale=0.1, reg=reg, rng=1)
    report = check_model(model, X.reshape(5, 3, 2, 2), Y)
    assert report.passed, f"\n{report}"


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
@pytest.mark.parametrize("keep", [1, 0.7])
@pytest.mark.parametrize("reg", [0.0, 3.14])
@pytest.mark.parametrize("hidden", [[], [7], [7, 6, 5]])
def test_gradients(normalization, keep, reg, hidden):
    model = FullyConnectedNet(
        hidden, input_dim=12, num_classes=3, normalization=normalization, dropout_keep_ratio=keep, reg=reg,
        weight_scale=0.3, dtype=np.float64, seed=11,
    )  # fmt: skip
    report = check_model(model, X, Y)
    assert report.passed, f"\n{report}"


def test_parameters_and_attributes_are_the_courses():
    model = FullyConnectedNet([4, 3], input_dim=6, normalization="batchnorm", dropout_keep_ratio=0.5, seed=1)
    assert set(model.params) == {"W1", "b1", "gamma1", "beta1", "W2", "b2", "gamma2", "beta2", "W3", "b3"}
    assert model.num_layers == 3
    assert model.use_dropout
    assert model.dropout_param == {"mode": "train", "p": 0.5, "seed": 1}
    assert model.bn_params == [{"mode": "train"}, {"mode": "train"}]
    assert FullyConnectedNet([4], input_dim=6).dropout_param == {}
    assert not FullyConnectedNet([4], input_dim=6).use_dropout


def test_scores_are_computed_in_test_mode():
    model = FullyConnectedNet(
        [8], input_dim=12, num_classes=3, normalization="batchnorm", dropout_keep_ratio=0.5, rng=1, weight_scale=0.1
    )
    model.loss(X, Y)
    statistics = {key: model.bn_params[0][key].copy() for key in ("running_mean", "running_var")}
    whole = model.loss(X)
    np.testing.assert_allclose(np.concatenate([model.loss(X[:2]), model.loss(X[2:])]), whole, rtol=1e-5)
    np.testing.assert_array_equal(model.loss(X), whole)
    for key, value in statistics.items():
        np.testing.assert_array_equal(model.bn_params[0][key], value)


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
def test_float32_stays(normalization):
    model = FullyConnectedNet(
        [8], input_dim=12, num_classes=3, normalization=normalization, dropout_keep_ratio=0.5, reg=np.float64(0.1)
    )
    loss, grads = model.loss(X, Y)
    assert loss.dtype == np.float32
    assert {g.dtype for g in grads.values()} == {np.dtype(np.float32)}
    if normalization == "batchnorm":
        assert model.bn_params[0]["running_var"].dtype == np.float32


def test_weights_are_drawn_from_the_global_state_in_the_courses_order():
    np.random.seed(3)
    model = FullyConnectedNet([4, 3], input_dim=6, num_classes=2, weight_scale=0.1, dtype=np.float64)
    rng = np.random.RandomState(3)
    for name, shape in (("W1", (6, 4)), ("W2", (4, 3)), ("W3", (3, 2))):
        np.testing.assert_array_equal(model.params[name], 0.1 * rng.randn(*shape))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"normalization": "batch"}, ValueError, r"normalization is 'batch'; .*did you mean 'batchnorm'"),
        ({"dropout_keep_ratio": 0}, ValueError, "dropout_keep_ratio is 0"),
        ({"dropout_keep_ratio": 1.1}, ValueError, "dropout_keep_ratio is 1.1"),
        ({"hidden_dims": [4, 0]}, ValueError, "hidden_dims is 0"),
        ({"hidden_dims": [4.0]}, TypeError, "hidden_dims is 4.0"),
        ({"hidden_dims": 4}, TypeError, "hidden_dims is 4, a int; it must be a list of integers"),
        ({"num_classes": 0}, ValueError, "num_classes is 0"),
        ({"seed": -1, "dropout_keep_ratio": 0.5}, ValueError, "seed is -1"),
    ],
)
def test_bad_settings(options, error, message):
    with pytest.raises(error, match=f"FullyConnectedNet: {message}"):
        FullyConnectedNet(**{"hidden_dims": [4], "input_dim": 6} | options)
