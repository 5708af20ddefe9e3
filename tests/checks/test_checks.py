"""The table of checks: every row passes, every row can fail, and nothing global changes."""

import numpy as np
import pytest

import pellucid.layers as layers
from pellucid import checks
from pellucid.checks import Row, course, networks_and_rules, run_checks, tutorial
from pellucid.training import optim


@pytest.fixture(scope="module")
def rows():
    seen = []
    state = np.random.get_state()[1].copy()
    rows = run_checks(seen.append)
    assert seen == rows
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    return rows


def test_every_row_passes(rows):
    assert len(rows) > 100
    assert not [row for row in rows if not row.passed]


def test_no_row_stands_twice(rows):
    names = [row.what.partition(" (")[0] if " ms" in row.what else row.what for row in rows]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("what", "digits"),
    [
        ("convolution, forward, naive", "2.21214764e-08"),
        ("convolution, forward, fast", "2.2121476e-08"),
        ("max pooling, forward, naive", "4.16666652e-08"),
        ("max pooling, forward, fast", "4.16666652e-08"),
    ],
)
def test_fixed_answers_agree_to_the_digit(rows, what, digits):
    row = next(row for row in rows if row.what == what)
    assert row.ours == row.theirs == digits


def scaled(function, factor):
    """The function with its first result off by a factor."""

    def wrong(*arguments):
        result = function(*arguments)
        if not isinstance(result, tuple):
            return result * factor
        return (result[0] * factor, *result[1:])

    return wrong


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("conv_forward_naive", tutorial.convolution_forward),
        ("conv_forward_fast", tutorial.convolution_forward),
        ("conv_backward_naive", tutorial.convolution_backward),
        ("conv_backward_fast", tutorial.convolution_backward),
        ("max_pool_forward_naive", tutorial.pooling_forward),
        ("max_pool_backward_fast", tutorial.pooling_backward),
        ("conv_relu_backward", tutorial.sandwiches),
        ("conv_relu_pool_backward", tutorial.sandwiches),
        ("conv_backward_fast", course.fast_convolution),
        ("max_pool_backward_naive", course.fast_pooling),
        ("spatial_batchnorm_forward", course.spatial_batchnorm),
        ("spatial_batchnorm_backward", course.norms_backward),
        ("spatial_groupnorm_backward", course.norms_backward),
        ("batchnorm_backward", course.norms_backward),
        ("layernorm_backward", course.norms_backward),
        ("dropout_backward", course.dropout),
        ("affine_forward_fast", course.affine_and_relu),
        ("relu_backward", course.affine_and_relu),
        ("svm_loss", course.losses),
        ("softmax_loss", course.losses),
    ],
)
def test_a_layer_off_by_a_thousandth_fails(monkeypatch, name, check):
    assert all(row.passed for row in check())
    monkeypatch.setattr(layers, name, scaled(getattr(layers, name), 1.001))
    assert not all(row.passed for row in check())


@pytest.mark.parametrize("rule", ["sgd", "sgd_momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_an_update_rule_slightly_off_fails(monkeypatch, rule):
    monkeypatch.setattr(optim, rule, scaled(getattr(optim, rule), 1 + 1e-6))
    failed = [row.what for row in networks_and_rules.update_rules() if not row.passed]
    assert failed == [f"update rule {rule}"]


def test_a_variance_divided_by_one_less_fails(monkeypatch):
    right = layers.spatial_batchnorm_forward

    def wrong(x, gamma, beta, bn_param):
        out, cache = right(x, gamma, beta, bn_param)
        count = x[:, 0].size
        return out * np.sqrt((count - 1) / count), cache

    monkeypatch.setattr(layers, "spatial_batchnorm_forward", wrong)
    assert not all(row.passed for row in course.spatial_batchnorm())


def test_a_network_that_does_not_learn_fails(monkeypatch):
    def adam(w, dw, config=None):
        return w, config

    monkeypatch.setitem(optim.RULES, "adam", adam)
    assert not all(row.passed for row in tutorial.training())
    assert not all(row.passed for row in course.overfitting())


def test_a_check_that_raises_is_a_failed_row_and_the_others_go_on(monkeypatch):
    def broken_check():
        yield Row("before", "-", "-", "-", True)
        raise ValueError("somewhere: x is wrong")

    monkeypatch.setattr(checks, "CHECKS", [broken_check, course.losses])
    rows = run_checks()
    assert rows[0].passed
    assert rows[1] == Row("broken check", "-", "ValueError: somewhere: x is wrong", "no error", False)
    assert len(rows) == 6
