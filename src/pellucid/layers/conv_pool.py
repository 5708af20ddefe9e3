"""Convolution and max pooling in one go, for the fast sandwiches: what pooling drops is never written.

Where the kernels can pool 2 x 2 windows as they compute (3 x 3 filters, padding 1, Winograd's algorithm), the image
between the two layers is in memory neither forward nor backward. Anywhere else the two layers run one after the other.
"""

from typing import Any, NamedTuple

import numpy as np

from pellucid import check
from pellucid.kernels import convolution as kernels
from pellucid.layers.channels_last import as_channels_last
from pellucid.layers.convolution import (
    conv_backward_fast,
    conv_checked,
    conv_geometry,
    conv_settings,
    convolve,
)
from pellucid.layers.pooling import (
    SIDE_BY_SIDE,
    max_pool_backward_fast,
    max_pool_forward_fast,
    pool_checked_size,
    pool_settings,
)
from pellucid.layers.sums import column_sums


class _Fused(NamedTuple):
    """What the backward pass needs where the kernels pooled."""

    x: Any
    w: Any
    conv_param: dict
    taps: np.ndarray


class _Parts(NamedTuple):
    """What it needs where the layers ran one after the other."""

    conv: tuple
    pool: tuple


def convolve_and_pool(x, w, b, conv_param, pool_param, relu=False):
    """What `conv_forward_fast` and then `max_pool_forward_fast` do; with ``relu``, negative results become zero.

    Returns ``out, cache``.
    """
    x, w, b, settings = conv_checked("conv_forward_fast", x, w, b, conv_param)
    g = conv_geometry(x, w, settings)
    window = pool_settings("max_pool_forward_fast", pool_param)
    if window != SIDE_BY_SIDE or not kernels.pools("forward", g, x.dtype, settings.algorithm):
        a, conv_cache = convolve(x, w, b, conv_param, relu)
        out, pool_cache = max_pool_forward_fast(a, pool_param)
        return out, _Parts(conv_cache, pool_cache)
    pool_checked_size("max_pool_forward_fast", (g.H_out, g.W_out), window)
    x, w = as_channels_last(x), np.ascontiguousarray(w)
    out, taps = kernels.forward_and_pool(x, w, np.ascontiguousarray(b), g, relu)
    return out.transpose(0, 3, 1, 2), _Fused(x.transpose(0, 3, 1, 2), w, conv_param, taps)


def conv_pool_backward(dout, cache, skip_dx=False, skip_dw=False, skip_db=False):
    """The gradients ``dx, dw, db`` of `convolve_and_pool`, without its ReLU; None in place of what is skipped."""
    skip = skip_dx, skip_dw, skip_db
    if isinstance(cache, _Parts):
        return conv_backward_fast(max_pool_backward_fast(dout, cache.pool), cache.conv, *skip)
    x, w, conv_param, taps = cache
    settings = conv_settings("conv_backward_fast", conv_param)
    g = conv_geometry(x, w, settings)
    N, H, W, F = taps.shape
    dout = as_channels_last(check.upstream("max_pool_backward_fast", dout, x, (N, F, H, W)))
    fits = [kernels.pools(d, g, x.dtype, settings.algorithm) for d in ("filter_gradient", "input_gradient")]
    if not all(fits):
        pool_cache = taps, (N, F, g.H_out, g.W_out), x.dtype, SIDE_BY_SIDE
        da = max_pool_backward_fast(dout.transpose(0, 3, 1, 2), pool_cache)
        return conv_backward_fast(da, (x, w, None, conv_param), *skip)
    dw = None if skip_dw else kernels.pooled_filter_gradient(as_channels_last(x), dout, taps, g)
    dx = None if skip_dx else kernels.pooled_input_gradient(dout, taps, w, g).transpose(0, 3, 1, 2)
    return dx, dw, None if skip_db else column_sums(dout)  # every pooled number stands for one pixel
