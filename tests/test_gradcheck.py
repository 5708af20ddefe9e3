"""The checker itself: it finds the right gradient, fails the wrong one, puts everything back, and knows a kink."""

import numpy as np
import pytest

from pairs import waves
from pellucid.gradcheck import (
    check_layer,
    check_model,
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    grad_check_sparse,
    rel_error,
)
from pellucid.layers import (
    affine_relu_backward,
    affine_relu_forward,
    conv_backward_naive,
    conv_forward_naive,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
    dropout_forward,
    max_pool_backward_fast,
    max_pool_forward_fast,
    relu_backward,
    relu_forward,
)
from pellucid.models import FullyConnectedNet, ThreeLayerConvNet

POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}


def test_rel_error_is_the_courses():
    assert rel_error(np.array([1.0, 2.0]), np.array([1.0, 2.2])) == pytest.approx(0.2 / 4.2)
    assert rel_error(np.zeros(3), np.zeros(3)) == 0
    assert rel_error(np.array([1e-10]), np.array([0.0])) == pytest.approx(1e-2), "the denominator is at least 1e-8"
    assert np.isnan(rel_error(np.array([np.nan, 1]), np.array([1.0, 1])))


def test_rel_error_does_not_broadcast():
    with pytest.raises(ValueError, match=r"rel_error: x has shape \(3,\) and y has \(1,\)"):
        rel_error(np.zeros(3), np.zeros(1))
    with pytest.raises(ValueError, match="rel_error: x is empty"):
        rel_error([], [])


def test_numerical_gradient_of_a_known_function():
    x = waves(3, 4)
    grad = eval_numerical_gradient(lambda x: np.sum(x**3), x, verbose=False)
    np.testing.assert_allclose(grad, 3 * x**2, atol=1e-9)
    weighted = eval_numerical_gradient_array(lambda x: x**2, x, waves(3, 4, seed=1))
    np.testing.assert_allclose(weighted, 2 * x * waves(3, 4, seed=1), atol=1e-9)


def test_verbose_prints_each_index(capsys):
    eval_numerical_gradient(lambda x: float(x.sum()), np.zeros(2))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(")")[0] for line in lines] == ["(0,", "(1,"]


def test_b23_the_point_is_changed_in_place_for_functions_that_ignore_their_argument():
    w = waves(4)
    before = w.copy()
    grad = eval_numerical_gradient(lambda _: np.sum(w**2), w, verbose=False)
    np.testing.assert_allclose(grad, 2 * w, atol=1e-9)
    np.testing.assert_array_equal(w, before)


@pytest.mark.parametrize("function", [eval_numerical_gradient, lambda f, x: eval_numerical_gradient_array(f, x, 1.0)])
def test_the_point_is_put_back_even_if_the_function_raises(function):
    x = waves(3)
    before, calls = x.copy(), []

    def fails_later(x):
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("stop")
        return x.sum()

    with pytest.raises(RuntimeError):
        function(fails_later, x)
    np.testing.assert_array_equal(x, before)


def test_a_function_that_returns_its_own_buffer():
    x, buffer = waves(3), np.zeros(3)

    def f(x):
        np.multiply(x, x, out=buffer)
        return buffer

    np.testing.assert_allclose(eval_numerical_gradient_array(f, x, np.ones(3)), 2 * x, atol=1e-9)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.arange(3), TypeError, "x is an array of int64; it must be a float array"),
        ([1.0, 2.0], TypeError, "x is a list"),
        (np.broadcast_to(1.0, 3), ValueError, "x is read-only"),
    ],
)
def test_points_that_can_not_be_moved(x, error, message):
    with pytest.raises(error, match=f"eval_numerical_gradient: {message}"):
        eval_numerical_gradient(lambda x: 0.0, x, verbose=False)


def test_sparse_check_prints_and_returns_the_worst(capsys):
    x = waves(5, 5)
    worst = grad_check_sparse(lambda x: np.sum(x**2), x, 2 * x, num_checks=4, rng=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("numerical: ") and "analytic: " in line and "relative error: " in line for line in lines)
    assert worst < 1e-6
    assert grad_check_sparse(lambda x: np.sum(x**2), x, 2.2 * x, rng=1) > 0.04


def test_b9_the_tutorials_check_of_the_convolution_with_its_missing_lines():
    x, w, b, dout = waves(4, 3, 5, 5), waves(2, 3, 3, 3), waves(2), waves(4, 2, 5, 5)
    conv_param = {"stride": 1, "pad": 1}
    dx_num = eval_numerical_gradient_array(lambda x: conv_forward_naive(x, w, b, conv_param)[0], x, dout)
    dw_num = eval_numerical_gradient_array(lambda w: conv_forward_naive(x, w, b, conv_param)[0], w, dout)
    db_num = eval_numerical_gradient_array(lambda b: conv_forward_naive(x, w, b, conv_param)[0], b, dout)
    _, cache = conv_forward_naive(x, w, b, conv_param)
    for ours, numeric in zip(conv_backward_naive(dout, cache), (dx_num, dw_num, db_num), strict=True):
        assert rel_error(ours, numeric) < 1e-7


def test_a_layer_report_names_the_worst_place():
    arrays = {"x": waves(3, 4), "w": waves(4, 2, seed=1), "b": waves(2, seed=2)}

    def wrong(dout, cache):
        dx, dw, db = affine_relu_backward(dout, cache)
        dw[2, 0] *= 1.01
        return dx, dw, db

    report = check_layer(affine_relu_forward, wrong, arrays)
    assert not report.passed
    assert report["w"].index == (2, 0)
    assert report["w"].error == pytest.approx(0.005, rel=0.02)
    assert report["x"].passed and report["b"].passed
    assert "FAIL w" in str(report) and "ok   x" in str(report)
    assert report.worst == report["w"].error


def test_a_relu_at_zero_is_a_kink_and_not_a_failure():
    x = waves(3, 4)
    x[1, 2] = 0
    x[0, 1] = 4e-6  # within h of zero
    x[2, 3] = 3e-7
    report = check_layer(relu_forward, relu_backward, {"x": x})
    assert report.passed
    assert set(report["x"].kinks) == {(1, 2), (0, 1), (2, 3)}
    assert "3 at kinks, first (0, 1)" in str(report)


@pytest.mark.parametrize(
    "distance", [0, *(float(f"{digit}e-{power}") for digit in (1, 3, 5.1, 7, 9.9) for power in range(5, 14))]
)
@pytest.mark.parametrize("side", [-1, 1])
def test_a_kink_is_known_at_any_distance(distance, side):
    x = np.array([side * distance, 0.7, -0.4])
    report = check_layer(relu_forward, relu_backward, {"x": x}, dout=np.array([1.3, 1.0, 1.0]))
    assert report.passed, f"\n{report}"
    wrong = check_layer(relu_forward, lambda dout, x: (x > 0) * dout + 0.2, {"x": x}, dout=np.array([1.3, 1.0, 1.0]))
    assert not wrong.passed
    if distance > 1e-7:
        assert not wrong["x"].kinks, "a wrong gradient beside a kink is a wrong gradient"


def test_a_pooling_tie_is_a_kink():
    x = waves(1, 1, 4, 4)
    x[0, 0, 0, :2] = 2.0
    report = check_layer(max_pool_forward_fast, max_pool_backward_fast, {"x": x}, POOL)
    assert report.passed
    assert set(report["x"].kinks) == {(0, 0, 0, 0), (0, 0, 0, 1)}


@pytest.mark.parametrize("seed", range(12))
def test_where_many_kinks_meet_a_right_gradient_does_not_fail(seed):
    """An image that is mostly black, no bias: the convolution is zero there, ReLU has its kink, pooling its ties."""
    rng = np.random.default_rng(seed)
    x = np.zeros((2, 2, 8, 8))
    x[:, :, 2:4, 2:5] = rng.standard_normal((2, 2, 2, 3))
    arrays = {"x": x, "w": rng.standard_normal((3, 2, 3, 3)), "b": np.zeros(3)}
    report = check_layer(conv_relu_pool_forward, conv_relu_pool_backward, arrays, {"stride": 1, "pad": 1}, POOL)
    assert report.passed, f"\n{report}"
    assert len(report["x"].kinks) > 50
    assert report["w"].index is not None, "what the filters do to the image is smooth"


def test_nothing_but_kinks_does_not_fail_and_says_that_it_shows_nothing():
    report = check_layer(max_pool_forward_fast, max_pool_backward_fast, {"x": np.zeros((1, 1, 4, 4))}, POOL)
    assert report.passed
    assert report["x"].index is None
    assert "no smooth point" in str(report)


def test_kinks_do_not_excuse_a_gradient_that_is_wrong_elsewhere():
    x = np.zeros((2, 1, 8, 8))
    x[:, :, 2:4, 2:5] = waves(2, 1, 2, 3)
    arrays = {"x": x, "w": waves(3, 1, 3, 3, seed=1), "b": np.zeros(3)}

    def wrong(dout, cache):
        return tuple(1.001 * grad for grad in conv_relu_pool_backward(dout, cache))

    report = check_layer(conv_relu_pool_forward, wrong, arrays, {"stride": 1, "pad": 1}, POOL)
    assert not report["x"].passed and not report["w"].passed


@pytest.mark.parametrize("wrong", [1.00001, 0.999, 0.0, -1.0, np.nan])
def test_a_wrong_gradient_at_a_smooth_point_is_no_kink(wrong):
    report = check_layer(
        lambda x: (np.exp(3 * x), x), lambda dout, x: wrong * 3 * np.exp(3 * x) * dout, {"x": waves(2, 3)}
    )
    assert not report.passed
    assert not report["x"].kinks


def test_a_wrong_gradient_beside_a_kink_is_no_kink():
    x = np.array([3e-6, -4e-6, 0.5])
    report = check_layer(relu_forward, lambda dout, x: 1.01 * dout * (x > 0) + 0.01 * dout, {"x": x}, dout=np.ones(3))
    assert not report.passed
    assert not report["x"].kinks


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1.0, 1e10])
def test_the_size_of_the_function_does_not_matter(scale):
    def forward(x):
        return scale * np.tanh(x), x

    def backward(dout, x):
        return scale * dout * (1 - np.tanh(x) ** 2)

    arrays = {"x": waves(3, 4)}
    assert check_layer(forward, backward, arrays).passed
    assert not check_layer(forward, lambda dout, x: 1.001 * backward(dout, x), arrays).passed
    assert not check_layer(forward, lambda dout, x: 0 * x, arrays).passed

    class Scaled(ThreeLayerConvNet):
        factor = 1.0

        def loss(self, X, y=None):
            loss, grads = super().loss(X, y)
            grads = {name: scale * grad for name, grad in grads.items()}
            grads["W1"] *= self.factor
            return scale * loss, grads

    model = Scaled((2, 6, 6), num_filters=2, filter_size=3, hidden_dim=4, weight_scale=0.1, dtype=np.float64, rng=1)
    X, y = waves(3, 2, 6, 6), np.array([1, 2, 3])
    report = check_model(model, X, y)
    assert report.passed, f"\n{report}"
    model.factor = 1.01
    assert not check_model(model, X, y).passed


def test_strong_curvature_is_no_kink():
    report = check_layer(
        lambda x: (np.sin(300 * x), x), lambda dout, x: 300 * np.cos(300 * x) * dout, {"x": waves(2, 3)}
    )
    assert not report["x"].kinks


def test_a_function_that_is_not_the_same_twice_is_refused():
    with pytest.raises(ValueError, match=r"check_layer: the function gives .* for the same point"):
        check_layer(dropout_forward, lambda dout, cache: 7 * dout, {"x": np.ones((3, 4))}, {"p": 0.5, "mode": "train"})
    model = FullyConnectedNet([20], 4, 3, 0.5, dtype=np.float64, rng=0)
    with pytest.raises(ValueError, match=r"check_model: the function gives"):
        check_model(model, waves(6, 4), np.arange(6) % 3)


def test_layer_check_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"check_layer: backward returned 1 gradients for 3 arrays \(x, w, b\)"):
        check_layer(
            affine_relu_forward,
            lambda dout, cache: affine_relu_backward(dout, cache)[0],
            {"x": waves(2, 3), "w": waves(3, 2), "b": waves(2)},
        )
    with pytest.raises(ValueError, match=r"check_layer: dout has shape \(3,\)"):
        check_layer(relu_forward, relu_backward, {"x": waves(2, 3)}, dout=np.ones(3))


def test_at_most_so_many_elements():
    report = check_layer(relu_forward, relu_backward, {"x": waves(10, 10)}, most=7)
    assert report["x"].checked == 7


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
def test_a_right_model_passes_and_is_left_as_it_was(normalization):
    model = FullyConnectedNet(
        [9, 8], input_dim=10, num_classes=5, normalization=normalization, reg=0.1, dropout_keep_ratio=0.8, seed=3,
        weight_scale=0.1, dtype=np.float64, rng=1,
    )  # fmt: skip
    X, y = waves(6, 10), np.arange(6) % 5
    model.loss(X, y)
    params = {name: value.copy() for name, value in model.params.items()}
    statistics = [dict(p) for p in model.bn_params]
    report = check_model(model, X, y)
    assert report.passed, f"\n{report}"
    assert {row.name for row in report.rows} == set(model.params)
    for name, value in params.items():
        np.testing.assert_array_equal(model.params[name], value)
    for now, before in zip(model.bn_params, statistics, strict=True):
        for key in ("running_mean", "running_var"):
            np.testing.assert_array_equal(now.get(key), before.get(key))


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2", "W3", "b3"])
def test_a_model_with_one_wrong_gradient_fails_there_only(name):
    class Wrong(ThreeLayerConvNet):
        def loss(self, X, y=None):
            loss, grads = super().loss(X, y)
            grads[name] = grads[name] * 1.01
            return loss, grads

    model = Wrong(
        input_dim=(2, 6, 6), num_filters=2, filter_size=3, hidden_dim=4, weight_scale=0.1, dtype=np.float64, rng=1
    )
    report = check_model(model, waves(3, 2, 6, 6), np.array([1, 2, 3]))
    assert [row.name for row in report.rows if not row.passed] == [name], f"\n{report}"


def test_model_check_refuses_float32_and_missing_gradients():
    X, y = waves(2, 3, 8, 8), np.array([0, 1])
    with pytest.raises(TypeError, match=r"check_model: model.params\['W1'\] is float32; make the model with dtype"):
        check_model(ThreeLayerConvNet(input_dim=(3, 8, 8)), X, y)

    class Forgets(ThreeLayerConvNet):
        def loss(self, X, y=None):
            loss, grads = super().loss(X, y)
            del grads["b2"]
            return loss, grads

    with pytest.raises(ValueError, match="different names: b2"):
        check_model(Forgets(input_dim=(3, 8, 8), dtype=np.float64), X, y)
