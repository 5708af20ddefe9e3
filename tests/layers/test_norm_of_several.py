"""Batch norm where several processes have a part of the batch each: the same as one process with the whole batch."""

import numpy as np
import pytest

from pellucid.layers import (
    batchnorm_backward,
    batchnorm_backward_fast,
    batchnorm_backward_naive,
    batchnorm_forward_fast,
    batchnorm_forward_naive,
    spatial_batchnorm_backward_fast,
    spatial_batchnorm_backward_naive,
    spatial_batchnorm_forward_fast,
    spatial_batchnorm_forward_naive,
    spatial_norm,
)
from thread_ranks import in_ranks

PAIRS = {
    "naive": (batchnorm_forward_naive, batchnorm_backward_naive),
    "fast": (batchnorm_forward_fast, batchnorm_backward_fast),
    "course": (batchnorm_forward_fast, batchnorm_backward),
    "spatial naive": (spatial_batchnorm_forward_naive, spatial_batchnorm_backward_naive),
    "spatial fast": (spatial_batchnorm_forward_fast, spatial_batchnorm_backward_fast),
    "with relu": (spatial_norm.bn_relu_forward_fast, spatial_norm.bn_relu_backward_fast),
    "with gelu": (spatial_norm.bn_gelu_forward_fast, spatial_norm.bn_gelu_backward_fast),
    "with silu": (spatial_norm.bn_silu_forward_fast, spatial_norm.bn_silu_backward_fast),
}
POOLED = (
    lambda x, gamma, beta, bn_param: spatial_norm.bn_relu_pool_forward_fast(
        x, gamma, beta, bn_param, {"pool_height": 2, "pool_width": 2, "stride": 2}
    ),
    spatial_norm.bn_relu_pool_backward_fast,
)
CASES = [pytest.param(*pair, name in ("naive", "fast", "course"), id=name) for name, pair in PAIRS.items()]
CASES.append(pytest.param(*POOLED, False, id="with relu and pool"))


@pytest.fixture
def rng():
    return np.random.default_rng(231)


SHARES = {1: [slice(0, 7)], 2: [slice(0, 4), slice(4, 7)], 3: [slice(0, 1), slice(1, 3), slice(3, 7)]}


@pytest.mark.parametrize("size", SHARES)
@pytest.mark.parametrize("forward, backward, rows", CASES)
def test_parts_of_a_batch_are_normalised_as_the_whole(forward, backward, rows, size, rng):
    x = 3 + 2 * rng.standard_normal((7, 5) if rows else (7, 5, 4, 6))
    gamma, beta = rng.standard_normal(5), rng.standard_normal(5)
    statistics = {"running_mean": np.full(5, 2.5), "running_var": np.ones(5)}
    whole = {"mode": "train", **statistics}
    out, cache = forward(x, gamma, beta, whole)
    dout = rng.standard_normal(out.shape)
    dx, dgamma, dbeta = backward(dout, cache)

    def part(ranks):
        own, bn_param = SHARES[size][ranks.rank], {"mode": "train", "total": ranks.total, **statistics}
        out_, cache_ = forward(x[own], gamma, beta, bn_param)
        return (out_, bn_param, *backward(dout[own], cache_))

    outs, bn_params, dxs, dgammas, dbetas = zip(*in_ranks(size, part), strict=True)
    np.testing.assert_allclose(np.concatenate(outs), out, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(np.concatenate(dxs), dx, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(sum(dgammas), dgamma, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(sum(dbetas), dbeta, rtol=1e-10, atol=1e-11)
    for bn_param in bn_params:
        for key in ("running_mean", "running_var"):
            np.testing.assert_allclose(bn_param[key], whole[key], rtol=1e-10)
            assert np.array_equal(bn_param[key], bn_params[0][key])


def test_a_mean_far_from_zero_costs_no_digits_of_the_variance(rng):
    """The parts' squares are added around the running mean."""
    x = (1e4 + rng.standard_normal((64, 3))).astype(np.float32)
    exact = np.var(x.astype(np.float64), axis=0)

    def part(ranks):
        bn_param = {"mode": "train", "momentum": 0.0, "running_mean": np.full(3, 1e4, np.float32), "total": ranks.total}
        batchnorm_forward_fast(x[32 * ranks.rank : 32 * ranks.rank + 32], np.ones(3), np.zeros(3), bn_param)
        return bn_param["running_var"]

    for var in in_ranks(2, part):
        np.testing.assert_allclose(var, exact, rtol=1e-3)


@pytest.mark.parametrize("forward, backward, rows", CASES)
def test_nothing_is_added_up_at_test_time(forward, backward, rows, rng):
    def never(numbers):
        raise AssertionError("asked for a total")

    x = rng.standard_normal((4, 5) if rows else (4, 5, 4, 4))
    bn_param = {"mode": "test", "total": never, "running_mean": np.zeros(5), "running_var": np.ones(5)}
    out, cache = forward(x, np.ones(5), np.zeros(5), bn_param)
    backward(np.ones_like(out), cache)


@pytest.mark.parametrize("forward, backward, rows", CASES)
def test_a_total_that_is_no_function(forward, backward, rows, rng):
    x = rng.standard_normal((4, 5) if rows else (4, 5, 4, 4))
    with pytest.raises(TypeError, match=r"bn_param\['total'\] is a int; it must be a function"):
        forward(x, np.ones(5), np.zeros(5), {"mode": "train", "total": 3})
