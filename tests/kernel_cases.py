"""Small convolutions for every algorithm, direction and edge, compared with the naive layer in float64.

`python -m kernel_cases` checks them all in a process of its own, so that the same cases can run with another vector
width or as plain Python.
"""

import itertools

import numba
import numpy as np

from pellucid.kernels import algorithms, convolution, plan
from pellucid.kernels.geometry import Geometry
from pellucid.kernels.processor import VECTOR_BYTES, lanes
from pellucid.layers.convolution import conv_backward_naive, conv_forward_naive
from pellucid.tolerances import TOLERANCES

G = Geometry
DIRECT = [
    G(1, 1, 1, 1, 1, 1, 1),
    G(2, 3, 5, 6, 4, 3, 3, pad=1),
    G(2, 3, 9, 8, 5, 2, 3, stride=2, pad=1),
    G(1, 3, 7, 7, 33, 1, 1, stride=3),  # phases of dx that no tap reaches
    G(2, 4, 5, 11, 6, 3, 3, pad=2, dilation=2, groups=2),
    G(1, 5, 6, 13, 35, 5, 2, stride=3, pad=4, dilation=2),
    G(1, 2, 4, 4, 3, 2, 2, pad=3),  # more padding than filter
    G(1, 3, 11, 10, 7, 11, 9, stride=4, pad=5),
    G(3, 2, 4, 17, 2, 3, 1, stride=1, pad=0),
]
DEPTHWISE = [G(1, 5, 4, 5, 5, 3, 3, pad=1, groups=5), G(2, 18, 6, 5, 18, 2, 4, stride=2, pad=2, dilation=2, groups=18)]
SCATTER = [
    G(2, 3, 7, 8, 5, 3, 3, pad=1),
    G(1, 1, 9, 9, 4, 2, 2, stride=3, pad=1),
    G(1, 2, 5, 9, 3, 4, 9, stride=2, pad=4),
]


def winograd_cases(L):
    """Sizes on both sides of the edges of tiles and registers, for registers of L numbers."""
    return [
        G(1, L, 4, 4, L, 3, 3, pad=1),
        G(2, L + 3, 5, 7, 2 * L, 3, 3, pad=0),
        G(1, L, 1, 9, L, 3, 3, pad=2),
        G(1, 2 * L, 3, 3, 4 * L, 3, 3, pad=1),
        G(1, L, 6, 4, L, 3, 3, pad=4),
        G(1, L + 1, 5, 6, 2 * L, 5, 5, pad=2),
        G(2, L, 7, 5, L, 5, 5, pad=0),
    ]


def cases(small=False):
    """(algorithm, geometry, dtype), for what this process can run."""
    rows = [("direct", g, dtype) for g in DIRECT for dtype in (np.float32, np.float64)]
    rows += [("depthwise", g, dtype) for g in DEPTHWISE for dtype in (np.float32, np.float64)]
    rows += [("scatter", g, np.float32) for g in SCATTER]
    if VECTOR_BYTES or small:
        rows += [("winograd", g, np.float32) for g in winograd_cases(lanes(np.float32))]
    return rows


def errors(algorithm, g, dtype, seed=0):
    """The largest error of each direction, as a part of the largest value."""
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((g.N, g.C, g.H, g.W)), rng.standard_normal((g.F, g.C // g.groups, g.HH, g.WW))
    b, param = rng.standard_normal(g.F), {"stride": g.stride, "pad": g.pad, "dilation": g.dilation, "groups": g.groups}
    x, w, b = (array.astype(dtype).astype(np.float64) for array in (x, w, b))
    out, cache = conv_forward_naive(x, w, b, param)
    dout = rng.standard_normal(out.shape).astype(dtype).astype(np.float64)
    dx, dw, _ = conv_backward_naive(dout, cache)

    x_last, dout_last = (np.ascontiguousarray(a.transpose(0, 2, 3, 1)).astype(dtype) for a in (x, dout))
    w, b = w.astype(dtype), b.astype(dtype)
    found = {
        "forward": (convolution.forward(x_last, w, b, g, algorithm).transpose(0, 3, 1, 2), out),
        "input_gradient": (convolution.input_gradient(dout_last, w, g, algorithm).transpose(0, 3, 1, 2), dx),
        "filter_gradient": (convolution.filter_gradient(x_last, dout_last, g, algorithm), dw),
    }
    for value, _ in found.values():
        assert value.dtype == dtype
    return {name: scaled_error(value, exact) for name, (value, exact) in found.items()}


def pooled_cases(L):
    """Images whose last row and column pooling drops or keeps, tiles that hang over the edge, register tiles."""
    return [
        G(2, L, 8, 8, L, 3, 3, pad=1),
        G(1, L + 3, 7, 9, 2 * L, 3, 3, pad=1),
        G(2, 2 * L, 15, 5, 4 * L, 3, 3, pad=1),
        G(1, L, 2, 3, L, 3, 3, pad=1),
    ]


def check_pooled(g, relu=False, seed=0):
    """A convolution pooled in registers is the convolution, pooled; its gradients are those of the parts in a row."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((g.N, g.H, g.W, g.C), dtype=np.float32)
    w = rng.standard_normal((g.F, g.C, 3, 3), dtype=np.float32)
    b = rng.standard_normal(g.F, dtype=np.float32)
    full = np.empty((g.N, g.H_out, g.W_out, g.F), np.float32)
    algorithms.bind_winograd(algorithms.winograd_filters(w, g), b, g, relu)(x, full)
    H, W = g.H_out // 2, g.W_out // 2
    windows = full[:, : 2 * H, : 2 * W].reshape(g.N, H, 2, W, 2, g.F).transpose(0, 1, 3, 2, 4, 5)
    windows = windows.reshape(g.N, H, W, 4, g.F)
    out, taps = convolution.forward_and_pool(x, w, b, g, relu)
    assert np.array_equal(out, windows.max(axis=3)), g
    if not relu:  # where all of a window was cut off, any tap will do
        assert np.array_equal(taps, windows.argmax(axis=3)), g

    dout = rng.standard_normal(out.shape, dtype=np.float32)
    spread = np.where(np.arange(4)[:, None] == taps[:, :, :, None], dout[:, :, :, None], 0)
    spread = spread.reshape(g.N, H, W, 2, 2, g.F).transpose(0, 1, 3, 2, 4, 5).reshape(g.N, 2 * H, 2 * W, g.F)
    upstream = np.zeros(full.shape)
    upstream[:, : 2 * H, : 2 * W] = spread
    cache = x.transpose(0, 3, 1, 2).astype(np.float64), w.astype(np.float64), b, {"stride": 1, "pad": 1}
    dx, dw, _ = conv_backward_naive(upstream.transpose(0, 3, 1, 2), cache)
    limit = TOLERANCES["kernels, Winograd"].bound
    assert scaled_error(convolution.pooled_input_gradient(dout, taps, w, g).transpose(0, 3, 1, 2), dx) <= limit, g
    assert scaled_error(convolution.pooled_filter_gradient(x, dout, taps, g), dw) <= limit, g


def scaled_error(value, exact):
    """The largest difference as a part of the largest value."""
    return np.abs(value - exact).max() / max(np.abs(exact).max(), 1e-30)


def bound(algorithm, dtype):
    """How large an error may be."""
    if dtype == np.float64:
        return TOLERANCES["twins, float64"].bound
    return TOLERANCES["kernels, Winograd" if algorithm == "winograd" else "kernels, direct"].bound


def check(algorithm, g, dtype):
    """Every direction is as close as it must be; the algorithm is the one that was asked for wherever it suits."""
    for direction, error in errors(algorithm, g, dtype).items():
        assert error <= bound(algorithm, dtype), (algorithm, direction, g, dtype, error)


def chosen(algorithm, g, dtype):
    """The algorithm that each direction is really computed with."""
    return [plan.choose(direction, g, np.dtype(dtype), algorithm).algorithm for direction in plan.DIRECTIONS]


if __name__ == "__main__":
    tried = list(itertools.starmap(lambda *case: check(*case), cases(small=True)))
    if VECTOR_BYTES or numba.config.DISABLE_JIT:
        for g in pooled_cases(lanes(np.float32)):
            check_pooled(g)
            check_pooled(g, relu=True)
    print(f"{len(tried)} convolutions, vectors of {VECTOR_BYTES} bytes")
