"""Dropout: what is kept, where the randomness comes from, and its expectation."""

import numpy as np
import pytest

from pairs import waves
from pellucid.layers import dropout_backward, dropout_forward, dropout_forward_naive

KINDS = pytest.mark.parametrize("forward", [dropout_forward, dropout_forward_naive])


@KINDS
def test_p_is_the_probability_to_keep(forward):
    x = np.ones((200, 100))
    out, _ = forward(x, {"mode": "train", "p": 0.3, "rng": np.random.default_rng(0)})
    kept = np.mean(out > 0)
    assert kept == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / x.size))
    np.testing.assert_allclose(out[out > 0], 1 / 0.3)


@KINDS
def test_the_seed_gives_the_courses_mask(forward):
    x = waves(5, 6)
    out, _ = forward(x, {"mode": "train", "p": 0.4, "seed": 123})
    mask = (np.random.RandomState(123).rand(5, 6) < 0.4) / 0.4
    np.testing.assert_allclose(out, x * mask)


@KINDS
def test_without_a_seed_the_global_state_is_drawn_from(forward):
    x = np.ones((4, 4))
    np.random.seed(5)
    first, _ = forward(x, {"mode": "train", "p": 0.5})
    second, _ = forward(x, {"mode": "train", "p": 0.5})
    assert (first != second).any()
    np.testing.assert_array_equal(first, 2.0 * (np.random.RandomState(5).rand(4, 4) < 0.5))


@KINDS
def test_a_generator_leaves_the_global_state_alone(forward):
    before = np.random.get_state()[1].copy()
    forward(np.ones((4, 4)), {"mode": "train", "p": 0.5, "rng": np.random.default_rng(1), "seed": 3})
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@KINDS
def test_test_mode_changes_nothing_and_returns_a_copy(forward):
    x = waves(3, 4)
    out, cache = forward(x, {"mode": "test", "p": 0.2})
    np.testing.assert_array_equal(out, x)
    assert not np.shares_memory(out, x)
    dout = waves(3, 4, seed=1)
    np.testing.assert_array_equal(dropout_backward(dout, cache), dout)


def test_the_gradient_passes_where_the_input_did():
    x = waves(6, 7)
    out, cache = dropout_forward(x, {"mode": "train", "p": 0.5, "seed": 1})
    dx = dropout_backward(np.ones_like(x), cache)
    np.testing.assert_allclose(dx, out / x)
