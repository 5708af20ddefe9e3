"""The tutorial's 25 known bugs and traps, each by its number: fixed, or refused with a clear error.

B3, B4, B9 to B12, B19 and B23 to B25 sit in calls, checks and figures rather than in a layer; their tests stand where
the code does, and `test_every_bug_has_a_test` finds them all.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from pairs import waves
from pellucid.layers import (
    conv_backward_fast,
    conv_backward_naive,
    conv_forward_fast,
    conv_forward_naive,
    conv_relu_pool_forward,
    max_pool_backward_fast,
    max_pool_backward_naive,
    max_pool_forward_fast,
    max_pool_forward_naive,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
)

CONVS = pytest.mark.parametrize(
    ("forward", "backward"), [(conv_forward_naive, conv_backward_naive), (conv_forward_fast, conv_backward_fast)]
)
POOLS = pytest.mark.parametrize(
    ("forward", "backward"),
    [(max_pool_forward_naive, max_pool_backward_naive), (max_pool_forward_fast, max_pool_backward_fast)],
)
POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}


def test_every_bug_has_a_test():
    text = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parents[1].rglob("test_*.py"))
    named = {int(n) for n in re.findall(r"def test_b(\d+)_", text)}
    assert named == set(range(1, 26))


@CONVS
def test_b1_output_sizes_of_convolution_are_integers(forward, backward):
    out, cache = forward(waves(1, 1, 5, 5), waves(1, 1, 3, 3), np.zeros(1), {"stride": 2, "pad": 1})
    assert out.shape == (1, 1, 3, 3)
    assert backward(out, cache)[0].shape == (1, 1, 5, 5)


@POOLS
def test_b2_output_sizes_of_pooling_are_integers(forward, backward):
    out, cache = forward(waves(1, 1, 4, 6), POOL)
    assert out.shape == (1, 1, 2, 3)
    assert backward(out, cache).shape == (1, 1, 4, 6)


def test_b3_pooling_backward_runs_on_python_3():
    _, cache = max_pool_forward_naive(waves(1, 1, 4, 4), POOL)
    assert np.count_nonzero(max_pool_backward_naive(np.ones((1, 1, 2, 2)), cache)) == 4


@CONVS
@pytest.mark.parametrize("pad", [1.0, np.float64(1), "1"])
def test_b6_a_pad_that_is_no_integer_is_refused(forward, backward, pad):
    with pytest.raises(TypeError, match=r"conv_param\['pad'\] is .* it must be an integer"):
        forward(waves(1, 1, 5, 5), waves(1, 1, 3, 3), np.zeros(1), {"stride": 1, "pad": pad})


@CONVS
def test_b7_the_gradient_without_padding_has_the_shape_of_the_image(forward, backward):
    x, w = waves(2, 3, 6, 5), waves(4, 3, 3, 3)
    out, cache = forward(x, w, np.zeros(4), {"stride": 1, "pad": 0})
    dx, _, _ = backward(np.ones_like(out), cache)
    assert dx.shape == x.shape
    # a corner pixel is seen by one stop, through the first tap of each filter
    np.testing.assert_allclose(dx[0, :, 0, 0], w[:, :, 0, 0].sum(axis=0), rtol=1e-12)


@POOLS
def test_b8_a_tie_gives_its_gradient_once_and_to_the_first_in_scan_order(forward, backward):
    x = np.zeros((1, 1, 2, 4))
    x[0, 0, :, 2:] = [[1, 3], [3, 3]]
    out, cache = forward(x, POOL)
    dx = backward(np.array([[[[5.0, 7.0]]]]), cache)
    np.testing.assert_array_equal(dx[0, 0], [[5, 0, 0, 7], [0, 0, 0, 0]])
    for function in (forward, backward):
        import sys

        text = sys.modules[function.__module__].__doc__
        assert "Ties" in text
        assert all(name in text for name in ("tutorial", "Caffe", "PyTorch"))


@CONVS
def test_b13_a_remainder_is_rounded_down(forward, backward):
    x = waves(1, 1, 8, 8)
    out, cache = forward(x, waves(1, 1, 3, 3), np.zeros(1), {"stride": 2, "pad": 0})
    assert out.shape == (1, 1, 3, 3)
    dx, _, _ = backward(np.ones_like(out), cache)
    assert not dx[:, :, 7].any() and not dx[:, :, :, 7].any(), "the last row and column are not seen"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_b16_the_naive_convolution_keeps_the_type(dtype):
    out, cache = conv_forward_naive(
        waves(1, 2, 4, 4, dtype=dtype), waves(2, 2, 3, 3, dtype=dtype), np.zeros(2, dtype), {"stride": 1, "pad": 1}
    )
    assert out.dtype == dtype
    assert all(gradient.dtype == dtype for gradient in conv_backward_naive(out, cache))


def test_b16_an_integer_bias_does_not_change_the_type():
    x, w = waves(1, 2, 4, 4, dtype=np.float32), waves(2, 2, 3, 3, dtype=np.float32)
    for forward in (conv_forward_naive, conv_forward_fast):
        assert forward(x, w, np.array([0, 128]), {"stride": 1, "pad": 1})[0].dtype == np.float32
        assert forward(np.ones_like(x, np.uint8), w, np.zeros(2, int), {"stride": 1, "pad": 1})[0].dtype == np.float32


def test_b16_bytes_follow_the_floats_beside_them_in_batch_norm():
    x = np.arange(32, dtype=np.uint8).reshape(2, 2, 2, 4)
    out, _ = spatial_batchnorm_forward(x, np.ones(2, np.float32), np.zeros(2, np.float32), {"mode": "train"})
    assert out.dtype == np.float32


@pytest.mark.parametrize("mode", ["train", "test"])
def test_b18_spatial_batchnorm_has_a_backward_pass_in_both_modes(mode):
    x, gamma = waves(3, 2, 4, 4), np.array([2.0, 3.0])
    bn_param = {"mode": mode, "running_mean": np.ones(2), "running_var": np.array([4.0, 9.0]), "eps": 0}
    _, cache = spatial_batchnorm_forward(x, gamma, np.zeros(2), bn_param)
    dx, dgamma, dbeta = spatial_batchnorm_backward(np.ones_like(x), cache)
    assert dx.shape == x.shape
    np.testing.assert_allclose(dbeta, 3 * 4 * 4)
    if mode == "train":  # a shift of every pixel changes nothing that is normalised
        np.testing.assert_allclose(dx, 0, atol=1e-12)
    else:  # the statistics are constants: gamma / sqrt(running_var)
        np.testing.assert_allclose(dx, np.broadcast_to([[[1.0]], [[1.0]]], x.shape))


@pytest.mark.parametrize("stride", [1, 2])
def test_b25_fast_layers_are_as_accurate_as_naive_ones(stride):
    x, w, b = waves(8, 3, 15, 15), waves(5, 3, 3, 3), waves(5)
    naive, naive_cache = conv_forward_naive(x, w, b, {"stride": stride, "pad": 1})
    fast, fast_cache = conv_forward_fast(x, w, b, {"stride": stride, "pad": 1})
    np.testing.assert_allclose(fast, naive, rtol=0, atol=1e-13)
    for a, c in zip(conv_backward_fast(naive, fast_cache), conv_backward_naive(naive, naive_cache), strict=True):
        np.testing.assert_allclose(a, c, rtol=0, atol=1e-12 * np.abs(c).max())


def test_sandwiches_name_the_part_that_refused():
    with pytest.raises(ValueError, match=r"^conv_forward_fast: w has 4 input channels"):
        conv_relu_pool_forward(waves(1, 3, 4, 4), waves(2, 4, 3, 3), np.zeros(2), {"stride": 1, "pad": 1}, POOL)
