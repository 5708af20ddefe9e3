"""float32 layers add up many numbers without losing digits: a million terms, far from zero, against float64."""

import numpy as np
import pytest

from pellucid.layers import (
    affine_backward,
    affine_forward,
    conv_backward_fast,
    conv_forward_fast,
    layernorm_forward,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)

rng = np.random.default_rng(0)
X = (rng.standard_normal((64, 4, 64, 64)) + 1000).astype(np.float32)
DOUT = (rng.standard_normal(X.shape) + 1).astype(np.float32)
ONES, ZEROS = np.ones(4, np.float32), np.zeros(4, np.float32)


def both(function, *arrays, **options):
    """The same call in float32 and in float64."""
    return (function(*(array.astype(dtype) for array in arrays), **options) for dtype in (np.float32, np.float64))


def assert_close(ours, right, rtol):
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, right, rtol=rtol)


def test_batch_statistics():
    found = []
    for dtype in (np.float32, np.float64):
        bn_param = {"mode": "train"}
        out, _ = spatial_batchnorm_forward(X.astype(dtype), ONES.astype(dtype), ZEROS.astype(dtype), bn_param)
        found.append((out, bn_param))
    (ours, ours_param), (right, right_param) = found
    np.testing.assert_allclose(ours, right, atol=5e-4)  # a float32 near 1000 has steps of 6e-5
    assert np.abs(ours.mean(axis=(0, 2, 3), dtype=np.float64)).max() < 1e-4
    assert_close(ours_param["running_mean"], right_param["running_mean"], 1e-6)
    assert_close(ours_param["running_var"], right_param["running_var"], 1e-4)


def test_gradients_of_batch_norm():
    def gradients(x, gamma, beta, dout):
        _, cache = spatial_batchnorm_forward(x, gamma, beta, {"mode": "train"})
        return spatial_batchnorm_backward(dout, cache)

    (_, dgamma, dbeta), (_, right_gamma, right_beta) = both(gradients, X - 1000, ONES, ZEROS, DOUT)
    np.testing.assert_allclose(dgamma, right_gamma, atol=0.02)  # of sums near zero of 262,144 numbers near one
    assert_close(dbeta, right_beta, 1e-6)


def test_layer_norm_of_any_layout():
    x = (rng.standard_normal((3, 10**5)) + 1000).astype(np.float32)
    gamma, beta = np.ones(10**5, np.float32), np.zeros(10**5, np.float32)
    right, _ = layernorm_forward(x.astype(np.float64), gamma, beta, {})
    for laid_out in (x, np.asfortranarray(x)):
        out, _ = layernorm_forward(laid_out, gamma, beta, {})
        np.testing.assert_allclose(out, right, atol=5e-4)


def test_gradients_of_group_norm():
    def gradients(x, gamma, beta, dout):
        _, cache = spatial_groupnorm_forward(x, gamma, beta, 2, {})
        return spatial_groupnorm_backward(dout, cache)

    (_, _, dbeta), (_, _, right) = both(gradients, X - 1000, ONES, ZEROS, DOUT)
    assert_close(dbeta, right, 1e-6)


@pytest.mark.parametrize("F", [1, 4])
def test_bias_gradient_of_convolution(F):
    x, w, b = X[:, :1] - 1000, np.ones((F, 1, 1, 1), np.float32), np.zeros(F, np.float32)
    _, cache = conv_forward_fast(x, w, b, {"stride": 1, "pad": 0})
    _, _, db = conv_backward_fast(DOUT[:, :F], cache)
    assert_close(db, DOUT[:, :F].sum(axis=(0, 2, 3), dtype=np.float64), 1e-6)


def test_bias_gradient_of_the_affine_layer():
    dout = DOUT.reshape(-1, 4)
    _, cache = affine_forward(np.ones((len(dout), 1), np.float32), np.ones((1, 4), np.float32), ZEROS)
    _, _, db = affine_backward(dout, cache)
    assert_close(db, dout.sum(axis=0, dtype=np.float64), 1e-6)
