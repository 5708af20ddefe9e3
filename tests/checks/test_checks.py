"""The table of checks: every row passes, every row can fail, and nothing global changes."""

import inspect
import re

import numpy as np
import pytest

import pellucid.layers as layers
from pellucid import checks
from pellucid.checks import Row, course, networks_and_rules, normalisation, run_checks, tutorial
from pellucid.checks.row import array_row, error_row, fixed_row, near_row
from pellucid.models import FullyConnectedNet, ThreeLayerConvNet, TwoLayerNet
from pellucid.training import optim

pytestmark = pytest.mark.timeout(300)
"""The rows need most kernels: on a new machine they are compiled first."""


@pytest.fixture(scope="module")
def rows():
    seen = []
    before = np.random.get_state()
    rows = run_checks(seen.append)
    assert seen == rows
    for now, then in zip(np.random.get_state(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    return rows


def failures(check):
    """The names of the rows of a check that fail, one after the other, without the times in brackets."""
    return (re.sub(r" \(.* ms\)", "", row.what) for row in check() if not row.passed)


def scaled(function, factor, place=0):
    """The function with one of its results off by a factor."""

    def wrong(*arguments, **settings):
        result = function(*arguments, **settings)
        if not isinstance(result, tuple):
            return result * factor
        return tuple(part * factor if i == place else part for i, part in enumerate(result))

    return wrong


def test_every_row_passes(rows):
    assert len(rows) > 120
    assert not [row for row in rows if not row.passed]


def test_no_row_stands_twice(rows):
    names = [re.sub(r" \(.* ms\)", "", row.what) for row in rows]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("what", "shown", "answer"),
    [
        ("convolution, forward, naive", "2.21214764e-08", 2.21214764175e-08),
        ("convolution, forward, fast", "2.2121476e-08", 2.21214764175e-08),
        ("max pooling, forward, naive", "4.16666652e-08", 4.16666651573e-08),
        ("max pooling, forward, fast", "4.16666652e-08", 4.16666651573e-08),
    ],
)
def test_fixed_answers_agree_to_the_digit(rows, what, shown, answer):
    row = next(row for row in rows if row.what == what)
    assert row.theirs == shown
    assert float(row.ours) == pytest.approx(answer, rel=0, abs=6e-16)


def test_a_fixed_answer_is_not_just_small():
    assert fixed_row("-", 2.2e-8, 2.2e-8 + 4e-16).passed
    assert not fixed_row("-", 2.2e-8, 2.2e-8 + 6e-16).passed
    assert not fixed_row("-", 2.2e-8, 0.0).passed


def test_nan_fails_every_kind_of_row():
    assert not fixed_row("-", 2.2e-8, np.nan).passed
    assert not error_row("-", "-", np.nan, 1.0).passed
    assert not near_row("-", 1.0, np.nan, 1.0).passed
    assert not array_row("-", [1, 2], np.array([1, np.nan]), 1.0).passed


def test_numbers_that_look_alike_say_how_far_they_are_apart():
    assert array_row("-", [1.0], np.array([1.000001]), 1e-8).ours == "1.0000 (1.0e-06 off)"


# name of a layer, which of its results is wrong, the check, and a row that must fail
WRONG_LAYERS = [
    ("conv_forward_naive", 0, tutorial.convolution_forward, "convolution, forward, naive"),
    ("conv_forward_fast", 0, tutorial.convolution_forward, "convolution, forward, fast"),
    *[
        (f"conv_backward_{kind}", i, tutorial.convolution_backward, f"convolution, {kind}, {name}")
        for kind in ("naive", "fast")
        for i, name in enumerate(("dx", "dw", "db"))
    ],
    ("max_pool_forward_naive", 0, tutorial.pooling_forward, "max pooling, forward, naive"),
    ("max_pool_forward_fast", 0, tutorial.pooling_forward, "max pooling, forward, fast"),
    ("max_pool_backward_naive", 0, tutorial.pooling_backward, "max pooling, naive, dx"),
    ("max_pool_backward_fast", 0, tutorial.pooling_backward, "max pooling, fast, dx"),
    ("conv_relu_backward", 1, tutorial.sandwiches, "conv_relu, dw"),
    ("conv_relu_pool_backward", 2, tutorial.sandwiches, "conv_relu_pool, db"),
    ("conv_forward_fast", 0, course.fast_convolution, "convolution: fast is naive"),
    ("conv_backward_fast", 2, course.fast_convolution, "convolution: fast db is naive"),
    ("max_pool_forward_fast", 0, course.fast_pooling, "max pooling: fast is naive"),
    ("max_pool_backward_naive", 0, course.fast_pooling, "max pooling: fast dx is naive"),
    ("spatial_batchnorm_forward", 0, normalisation.spatial_batchnorm, "spatial batch norm, scaled: means"),
    ("spatial_batchnorm_forward", 0, normalisation.spatial_batchnorm_test_mode, "spatial batch norm, test mode: means"),
    ("spatial_groupnorm_forward", 0, normalisation.spatial_groupnorm, "spatial group norm, after: deviations"),
    ("batchnorm_forward", 0, normalisation.batchnorm, "batch norm, after: deviations"),
    ("batchnorm_forward", 0, normalisation.batchnorm_test_mode, "batch norm, test mode: means"),
    ("layernorm_forward", 0, normalisation.layernorm, "layer norm, scaled: means"),
    ("spatial_batchnorm_backward", 0, normalisation.spatial_gradients, "spatial batch norm, dx"),
    ("spatial_groupnorm_backward", 1, normalisation.spatial_gradients, "spatial group norm, dgamma"),
    ("batchnorm_backward", 0, normalisation.flat_gradients, "batch norm, dx"),
    ("batchnorm_backward_alt", 2, normalisation.flat_gradients, "batch norm (alt), dbeta"),
    ("layernorm_backward", 0, normalisation.flat_gradients, "layer norm, dx"),
    ("dropout_backward", 0, course.dropout, "dropout, dx"),
    ("dropout_forward", 0, course.dropout, "dropout, test mode: nothing changes"),
    ("affine_forward_fast", 0, course.affine_and_relu, "affine, forward, fast"),
    ("affine_backward", 1, course.affine_and_relu, "affine, dw"),
    ("relu_forward_naive", 0, course.relu_forward, "relu, forward, naive"),
    ("relu_forward_fast", 0, course.relu_forward, "relu, forward, fast"),
    ("relu_backward", 0, course.affine_and_relu, "relu, dx"),
    ("affine_relu_backward", 0, course.affine_and_relu, "affine_relu, dx"),
    ("svm_loss", 1, course.losses, "svm_loss, dx"),
    ("softmax_loss", 1, course.losses, "softmax_loss, dx"),
]


@pytest.mark.parametrize(("name", "place", "check", "row"), WRONG_LAYERS)
def test_a_layer_off_by_a_thousandth_fails_its_row(monkeypatch, name, place, check, row):
    monkeypatch.setattr(layers, name, scaled(getattr(layers, name), 1.001, place))
    assert row in failures(check)


def pool_backward_to_the_last(dout, cache):
    """2x2 pooling that hands the gradient of a tie to the last of its maxima."""
    x = cache[0]
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(dout.shape):
        window = x[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        r, s = divmod(3 - int(np.argmax(window.ravel()[::-1])), 2)
        dx[n, c, 2 * i + r, 2 * j + s] = dout[n, c, i, j]
    return dx


def pool_backward_to_all(dout, cache):
    """2x2 pooling that hands the whole gradient to every maximum of a tie, as the tutorial does."""
    x = cache[0]
    spread = np.ones((2, 2))
    largest = np.kron(x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).max(axis=(3, 5)), spread)
    return np.kron(dout, spread) * (x == largest)


@pytest.mark.parametrize("wrong", [pool_backward_to_the_last, pool_backward_to_all])
def test_b8_another_rule_for_ties_fails_its_row_and_no_other(monkeypatch, wrong):
    monkeypatch.setattr(layers, "max_pool_backward_naive", wrong)
    assert list(failures(tutorial.pooling_ties)) == ["max pooling, naive: a tie's gradient goes to"]
    assert not list(failures(tutorial.pooling_backward))


@pytest.mark.parametrize(
    ("name", "what", "check"),
    [
        ("batchnorm_forward", "batch norm", normalisation.batchnorm),
        ("spatial_batchnorm_forward", "spatial batch norm", normalisation.spatial_batchnorm),
    ],
)
def test_a_variance_divided_by_one_less_fails(monkeypatch, name, what, check):
    right = getattr(layers, name)

    def wrong(x, gamma, beta, bn_param):
        count = x[:, 0].size
        return right(x, gamma * np.sqrt((count - 1) / count), beta, bn_param)

    monkeypatch.setattr(layers, name, wrong)
    assert list(failures(check)) == [f"{what}, after: deviations", f"{what}, scaled: deviations"]


def test_running_statistics_that_forget_too_fast_fail(monkeypatch):
    right = layers.batchnorm_forward

    def wrong(x, gamma, beta, bn_param):
        bn_param["momentum"] = 0.8
        return right(x, gamma, beta, bn_param)

    monkeypatch.setattr(layers, "batchnorm_forward", wrong)
    assert len(list(failures(normalisation.batchnorm_test_mode))) == 2
    assert not list(failures(normalisation.batchnorm))


def test_dropout_that_takes_p_as_the_probability_to_drop_fails(monkeypatch):
    right = layers.dropout_forward
    monkeypatch.setattr(layers, "dropout_forward", lambda x, param: right(x, param | {"p": 1 - param["p"]}))
    assert "dropout, p = 0.25: share that is kept" in failures(course.dropout)


def test_dropout_without_its_division_fails(monkeypatch):
    right = layers.dropout_forward

    def wrong(x, param):
        out, cache = right(x, param)
        return out * (param["p"] if param["mode"] == "train" else 1), cache

    monkeypatch.setattr(layers, "dropout_forward", wrong)
    assert "dropout, p = 0.7: mean of the output" in failures(course.dropout)


@pytest.mark.parametrize(
    ("model", "check", "row"),
    [
        (ThreeLayerConvNet, tutorial.network_gradients, "network: check_model"),
        (TwoLayerNet, networks_and_rules.two_layer_net, "TwoLayerNet: gradients, reg 0.7"),
        (FullyConnectedNet, networks_and_rules.fully_connected_net, "FullyConnectedNet: gradients, dropout 0.5"),
    ],
)
def test_a_network_with_one_wrong_gradient_fails(monkeypatch, model, check, row):
    right = model.loss

    def wrong(self, X, y=None):
        loss, grads = right(self, X, y)
        return loss, grads | {"b1": grads["b1"] * 1.001}

    monkeypatch.setattr(model, "loss", wrong)
    assert row in failures(check)


@pytest.mark.parametrize(
    ("model", "check", "count"),
    [
        (ThreeLayerConvNet, tutorial.initial_losses, 2),
        (TwoLayerNet, networks_and_rules.two_layer_net, 4),
        (FullyConnectedNet, networks_and_rules.initial_losses, 4),
    ],
)
def test_a_network_with_a_wrong_loss_fails(monkeypatch, model, check, count):
    monkeypatch.setattr(model, "loss", scaled(model.loss, 1.001))
    assert len(list(failures(check))) == count


@pytest.mark.parametrize("rule", ["sgd", "sgd_momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_an_update_rule_slightly_off_fails(monkeypatch, rule):
    monkeypatch.setattr(optim, rule, scaled(getattr(optim, rule), 1 + 1e-6))
    assert list(failures(networks_and_rules.update_rules)) == [f"update rule {rule}"]


@pytest.mark.parametrize(
    ("rule", "name"), [("sgd_momentum", "velocity"), ("rmsprop", "cache"), ("adam", "m"), ("adam", "v")]
)
def test_a_wrong_state_of_an_update_rule_fails(monkeypatch, rule, name):
    right = getattr(optim, rule)

    def wrong(w, dw, config=None):
        next_w, config = right(w, dw, config)
        return next_w, config | {name: config[name] * (1 + 1e-6)}

    monkeypatch.setattr(optim, rule, wrong)
    assert list(failures(networks_and_rules.update_rules)) == [f"update rule {rule}: {name}"]


def test_a_network_that_does_not_learn_fails(monkeypatch):
    def adam(w, dw, config=None):
        return w, config

    monkeypatch.setitem(optim.RULES, "adam", adam)
    assert list(failures(tutorial.training)) == [
        "training on digits: the loss falls",
        "training on digits: validation accuracy",
    ]
    assert list(failures(course.overfitting)) == ["overfits 100 images: train accuracy"]


def test_training_that_becomes_float64_fails(monkeypatch):
    right = optim.RULES["adam"]

    def adam(w, dw, config=None):
        next_w, config = right(w, dw, config)
        return next_w.astype(np.float64), config

    monkeypatch.setitem(optim.RULES, "adam", adam)
    assert list(failures(tutorial.training)) == ["training: float32 stays float32"]


def test_pictures_that_are_not_grey_fail(monkeypatch):
    right = tutorial.visualize_grid

    def with_nan(w):
        grid = right(w)
        grid[grid == 127.5] = np.nan
        return grid

    monkeypatch.setattr(tutorial, "visualize_grid", with_nan)
    monkeypatch.setattr(tutorial, "draw_image", lambda axes, img: axes.imshow(np.zeros_like(img)))
    assert list(failures(tutorial.pictures)) == ["filter grid: a constant filter", "imshow_noax: a constant image"]


def test_a_check_that_raises_is_a_failed_row_and_the_others_go_on(monkeypatch):
    def broken_check():
        yield Row("before", "-", "-", "-", True)
        raise ValueError("somewhere: x is wrong")

    monkeypatch.setattr(checks, "CHECKS", [broken_check, course.losses])
    rows = run_checks()
    assert rows[0].passed
    assert rows[1] == Row("broken check", "-", "ValueError: somewhere: x is wrong", "no error", False)
    assert len(rows) == 6
    assert all(row.passed for row in rows[2:])


def test_an_error_of_whoever_listens_is_not_taken_for_a_failed_check(monkeypatch):
    monkeypatch.setattr(checks, "CHECKS", [course.losses])
    heard = []

    def closed_pipe(row):
        heard.append(row)
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_checks(closed_pipe)
    assert len(heard) == 1
    assert heard[0].passed


def test_every_check_is_in_the_table_once():
    defined = [
        function
        for module in (tutorial, course, normalisation, networks_and_rules)
        for function in vars(module).values()
        if inspect.isgeneratorfunction(function) and function.__module__ == module.__name__
        if not inspect.signature(function).parameters
    ]
    assert sorted(check.__name__ for check in checks.CHECKS) == sorted(check.__name__ for check in defined)
