"""Pooling, norms, activations and losses on sizes around the edges of vectors, compared with their naive twins.

`python -m pointwise_cases` checks them all in a process of its own, so that the same cases can run with another vector
width or as plain Python.
"""

import sys

import numpy as np

from pellucid import layers
from pellucid.kernels.processor import VECTOR_BYTES, lanes
from pellucid.layers import spatial_norm
from pellucid.tolerances import TOLERANCES

TYPES = (np.float32, np.float64)
POOLS = [(2, 2, 2), (3, 3, 2), (2, 3, 1), (1, 2, 3)]
FUSED = ("bn", "bn_relu", "bn_gelu", "bn_silu", "bn_relu_pool")


def around_vectors(dtype):
    """Numbers of channels on both sides of the edges of a vector."""
    L = lanes(dtype)
    return [1, 3, L - 1, L, L + 1, 2 * L + 3]


def images(rng, shape, dtype, ties=False):
    x = rng.standard_normal(shape).astype(dtype)
    return np.round(x) if ties else x


def assert_close(ours, right, dtype, what=""):
    """Equal but for rounding, as a part of the largest value or of 1; NaN in the same places."""
    ours, right = np.asarray(ours), np.asarray(right)
    assert ours.dtype == dtype, what
    assert ours.shape == right.shape, what
    assert np.array_equal(np.isnan(ours), np.isnan(right)), f"{what}: NaN"
    bound = TOLERANCES[f"twins, {np.dtype(dtype).name}"].bound
    if not np.isnan(right).all():
        assert np.nanmax(np.abs(ours - right)) <= bound * max(1, np.nanmax(np.abs(right))), what


def check_pool(kind, x, pool_param, rng):
    """Forward and backward of one pooling."""
    naive, fast = (
        [getattr(layers, f"{kind}_pool_{direction}_{twin}") for direction in ("forward", "backward")]
        for twin in ("naive", "fast")
    )
    (right, right_cache), (out, cache) = naive[0](x, pool_param), fast[0](x, pool_param)
    assert_close(out, right, x.dtype, f"{kind} {x.shape} {pool_param}")
    dout = rng.standard_normal(out.shape).astype(x.dtype)
    assert_close(fast[1](dout, cache), naive[1](dout, right_cache), x.dtype, f"{kind} {x.shape} {pool_param}, dx")


def pool_param(HH, WW, stride):
    return {"pool_height": HH, "pool_width": WW, "stride": stride}


def naive_chain(name, x, gamma, beta, bn_param, pool):
    """The naive layers of a fused one in a row: out, and a function of dout that gives all gradients."""
    out, bn_cache = layers.spatial_batchnorm_forward_naive(x, gamma, beta, bn_param)
    activation = None
    for candidate in ("relu", "gelu", "silu"):
        if candidate in name:
            activation = getattr(layers, f"{candidate}_backward_naive")
            out, cache = getattr(layers, f"{candidate}_forward_naive")(out)
    if pool:
        out, pool_cache = layers.max_pool_forward_naive(out, pool)

    def backward(dout):
        if pool:
            dout = layers.max_pool_backward_naive(dout, pool_cache)
        if activation:
            dout = activation(dout, cache)
        return layers.spatial_batchnorm_backward_naive(dout, bn_cache)

    return out, backward


def check_norm(name, x, mode, rng, pool=(2, 2, 2)):
    """Forward, running statistics and backward of a norm and what follows it."""
    dtype, C = x.dtype, x.shape[1]
    gamma, beta = (rng.standard_normal(C).astype(dtype) for _ in range(2))  # gamma below zero turns the order round
    given = {"mode": mode, "running_mean": rng.standard_normal(C), "running_var": rng.uniform(1, 2, C)}
    pool = pool_param(*pool) if "pool" in name else None
    right_param, our_param = dict(given), dict(given)
    right, right_backward = naive_chain(name, x, gamma, beta, right_param, pool)
    if name == "bn":
        forward, backward = layers.spatial_batchnorm_forward_fast, layers.spatial_batchnorm_backward_fast
    else:
        forward, backward = (getattr(spatial_norm, f"{name}_{direction}_fast") for direction in ("forward", "backward"))
    out, cache = forward(x, gamma, beta, our_param, *([pool] if pool else []))
    what = f"{name} {x.shape} {mode}"
    assert_close(out, right, dtype, what)
    for key in ("running_mean", "running_var"):
        assert_close(np.asarray(our_param[key], dtype), np.asarray(right_param[key], dtype), dtype, f"{what}, {key}")
    dout = rng.standard_normal(out.shape).astype(dtype)
    for gradient, ours, exact in zip(
        ("dx", "dgamma", "dbeta"), backward(dout, cache), right_backward(dout), strict=True
    ):
        assert_close(ours, exact, dtype, f"{what}, {gradient}")


def check_activation(name, x, rng):
    """Forward and backward of ReLU, GELU or SiLU."""
    (right, right_cache), (out, cache) = (getattr(layers, f"{name}_forward_{kind}")(x) for kind in ("naive", "fast"))
    assert_close(out, right, x.dtype, name)
    dout = rng.standard_normal(x.shape).astype(x.dtype)
    right, ours = (
        getattr(layers, f"{name}_backward_{kind}")(dout, c) for kind, c in (("naive", right_cache), ("fast", cache))
    )
    assert_close(ours, right, x.dtype, f"{name}, dx")


def check_softmax(x, y):
    """Loss and gradient, with the labels as they are and smoothed."""
    for smoothing in (0, 0.2):
        right, right_dx = layers.smoothed_softmax_loss_naive(x, y, smoothing)
        loss, dx = layers.smoothed_softmax_loss_fast(x, y, smoothing)
        assert_close(loss, right, x.dtype, f"softmax {x.shape}, {smoothing}")
        assert_close(dx, right_dx, x.dtype, f"softmax {x.shape}, {smoothing}, dx")


def check_all():
    """Every operation, in both types, for channels around the edges of vectors."""
    rng = np.random.default_rng(0)
    for dtype in TYPES:
        for C in around_vectors(dtype):
            for HH, WW, stride in POOLS:
                for kind in ("max", "avg"):
                    check_pool(kind, images(rng, (2, C, 5, 7), dtype, ties=True), pool_param(HH, WW, stride), rng)
            for name in FUSED:
                for mode in ("train", "test"):
                    check_norm(name, images(rng, (2, C, 5, 3), dtype), mode, rng)
            check_softmax(3 * images(rng, (4, C + 1), dtype), rng.integers(C + 1, size=4))
            for name in ("relu", "gelu", "silu"):
                check_activation(name, 3 * images(rng, (C, 5), dtype), rng)


if __name__ == "__main__":
    check_all()
    print(f"vectors of {VECTOR_BYTES} bytes: all agree", file=sys.stdout)
