"""Convolution and max pooling in one go: sandwiches of a size that the kernels pool in registers, and near misses."""

import numpy as np
import pytest

from pellucid import layers
from pellucid.kernels import convolution as kernels
from pellucid.kernels.geometry import Geometry
from pellucid.kernels.processor import VECTOR_BYTES
from pellucid.layers.conv_pool import conv_pool_backward, convolve_and_pool
from pellucid.tolerances import TOLERANCES

POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}
LIMIT = TOLERANCES["kernels, Winograd"].bound
needs_vectors = pytest.mark.skipif(not VECTOR_BYTES, reason="Winograd needs vector instructions")


def arrays(seed=0, N=5, C=16, H=15, W=14, F=32, dtype=np.float32):
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((N, C, H, W)), rng.standard_normal((F, C, 3, 3)) / 12
    return [a.astype(dtype) for a in (x, w, rng.standard_normal(F))]


def assert_close(got, want):
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= LIMIT * max(1, np.abs(b).max())


@needs_vectors
def test_this_size_is_pooled_in_registers():
    g = Geometry(5, 16, 15, 14, 32, 3, 3, pad=1)
    assert all(kernels.pools(d, g, np.dtype(np.float32)) for d in ("forward", "input_gradient", "filter_gradient"))


@pytest.mark.parametrize(
    ("conv_param", "pool_param"),
    [
        ({"stride": 1, "pad": 1}, POOL),
        ({"stride": 1, "pad": 1, "algorithm": "direct"}, POOL),
        ({"stride": 1, "pad": 0}, POOL),
        ({"stride": 2, "pad": 1}, POOL),
        ({"stride": 1, "pad": 1}, {**POOL, "stride": 1}),
        ({"stride": 1, "pad": 1}, {"pool_height": 3, "pool_width": 2, "stride": 2}),
    ],
    ids=["pooled in registers", "direct", "no padding", "stride 2", "overlapping", "3 x 2"],
)
@pytest.mark.parametrize("relu", [False, True])
def test_both_ways_give_what_the_layers_give_one_by_one(conv_param, pool_param, relu):
    x, w, b = arrays()
    a, conv_cache = layers.conv_forward_fast(x, w, b, conv_param)
    s, relu_cache = layers.relu_forward_fast(a) if relu else (a, None)
    want, pool_cache = layers.max_pool_forward_fast(s, pool_param)
    got, cache = convolve_and_pool(x, w, b, conv_param, pool_param, relu)
    assert_close([got], [want])
    dout = np.random.default_rng(1).standard_normal(want.shape).astype(np.float32)
    dout[want <= 0] = 0  # where ReLU cut a whole window off, its pixels are a tie
    ds = layers.max_pool_backward_fast(dout, pool_cache)
    da = layers.relu_backward_fast(ds, relu_cache) if relu else ds
    expected = layers.conv_backward_fast(da, conv_cache)
    assert_close(conv_pool_backward(dout, cache), expected)
    dx, dw, db = conv_pool_backward(dout, cache, skip_dx=True, skip_db=True)
    assert dx is None
    assert db is None
    assert_close([dw], [expected[1]])
    dx, dw, db = conv_pool_backward(dout, cache, skip_dw=True)
    assert dw is None
    assert_close([dx, db], [expected[0], expected[2]])


def test_relu_and_pool_sandwich_agrees_with_its_naive_twin():
    x, w, b = arrays()
    param = {"stride": 1, "pad": 1}
    want, naive_cache = layers.conv_relu_pool_forward_naive(*(a.astype(np.float64) for a in (x, w, b)), param, POOL)
    got, cache = layers.conv_relu_pool_forward_fast(x, w, b, param, POOL)
    assert_close([got], [want])
    dout = np.random.default_rng(1).standard_normal(want.shape)
    expected = layers.conv_relu_pool_backward_naive(dout, naive_cache)
    assert_close(layers.conv_relu_pool_backward_fast(dout.astype(np.float32), cache), expected)


@pytest.mark.parametrize("mode", ["train", "test"])
def test_pool_and_norm_sandwich_agrees_with_its_naive_twin(mode):
    x, w, b = arrays()
    param, (gamma, beta) = {"stride": 1, "pad": 1}, np.random.default_rng(2).uniform(0.5, 1.5, (2, 32))
    running = {"running_mean": np.full(32, 0.1), "running_var": np.full(32, 2.0)}

    def run(kind, dtype):
        norm = {"mode": mode, **{name: value.astype(dtype) for name, value in running.items()}}
        given = [a.astype(dtype) for a in (x, w, b, gamma, beta)]
        out, cache = getattr(layers, f"conv_pool_bn_relu_forward_{kind}")(*given, param, POOL, norm)
        dout = np.random.default_rng(1).standard_normal(out.shape).astype(dtype)
        return out, *getattr(layers, f"conv_pool_bn_relu_backward_{kind}")(dout, cache)

    (got, dx, dw, db, *rest), (want, dx_, dw_, db_, *rest_) = run("fast", np.float32), run("naive", np.float64)
    assert_close([got, dx, dw, *rest], [want, dx_, dw_, *rest_])
    assert np.abs(db - db_).max() <= 1e-4 * np.abs(dw_).max()  # in training a bias has no effect: rounding is left


def test_a_window_larger_than_what_the_convolution_leaves_is_refused():
    x, w, b = arrays(H=1, N=70)
    with pytest.raises(ValueError, match="max_pool_forward_fast: the pooling window"):
        convolve_and_pool(x, w, b, {"stride": 1, "pad": 1}, POOL)
