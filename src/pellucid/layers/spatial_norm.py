"""Normalisation of images: batch normalisation by channel, and group normalisation by groups of channels.

**Spatial batch normalisation** takes every pixel of every image as one sample of C features:
(N, C, H, W) is read as (N * H * W, C) and given to batch normalisation.

**Spatial group normalisation** takes every group of channels of every image as one sample to be normalised by itself
(Wu and He 2018, arXiv:1803.08494): (N, C, H, W) is read as (N * G, C / G * H * W) and given to layer normalisation with
gamma 1 and beta 0; each channel then has its own scale and shift.
"""

from typing import NamedTuple

import numpy as np

from pellucid import check
from pellucid.kernels.activations import GELU, NONE, RELU, SILU
from pellucid.layers import pixel_norm
from pellucid.layers.batchnorm import batchnorm_backward_naive, batchnorm_forward_naive
from pellucid.layers.layernorm import (
    LN_KEYS,
    LayerNormCache,
    layernorm_backward_fast,
    layernorm_backward_naive,
    layernorm_forward_fast,
    layernorm_forward_naive,
)
from pellucid.layers.pooling import SIDE_BY_SIDE, checked_pool, max_pool_backward_fast, max_pool_forward_fast
from pellucid.layers.sums import column_sums


def spatial_batchnorm_forward_naive(x, gamma, beta, bn_param):
    """Batch normalisation of every channel over all images and pixels.

    Parameters
    ----------
    x : array (N, C, H, W)
    gamma, beta : arrays (C,)
        Scale and shift.
    bn_param : dict
        As for `batchnorm_forward_naive`, with one running statistic a channel. **Training writes new running statistics
        into it.**

    Returns
    -------
    out : array (N, C, H, W)
    cache : tuple
        For `spatial_batchnorm_backward_naive`.
    """
    x, gamma, beta = _checked_images("spatial_batchnorm_forward_naive", x, gamma, beta)
    N, C, H, W = x.shape
    pixels = x.transpose(0, 2, 3, 1).reshape(N * H * W, C)
    out, cache = batchnorm_forward_naive(pixels, gamma, beta, bn_param)
    return out.reshape(N, H, W, C).transpose(0, 3, 1, 2), (x.shape, cache)


def spatial_batchnorm_backward_naive(dout, cache):
    """The gradients of spatial batch normalisation.

    Parameters
    ----------
    dout : array (N, C, H, W)
        Upstream gradient.
    cache : tuple
        From `spatial_batchnorm_forward_naive`.

    Returns
    -------
    dx : array (N, C, H, W)
    dgamma, dbeta : arrays (C,)
    """
    (N, C, H, W), bn_cache = cache
    dout = check.upstream("spatial_batchnorm_backward_naive", dout, bn_cache.x_hat, (N, C, H, W))
    dpixels = dout.transpose(0, 2, 3, 1).reshape(N * H * W, C)
    dx, dgamma, dbeta = batchnorm_backward_naive(dpixels, bn_cache)
    return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma, dbeta


def spatial_batchnorm_forward_fast(x, gamma, beta, bn_param):
    """The fast twin of `spatial_batchnorm_forward_naive`: x is read twice, once for the statistics."""
    return _norm_forward(x, gamma, beta, bn_param, NONE)


def spatial_batchnorm_backward_fast(dout, cache):
    """The fast twin of `spatial_batchnorm_backward_naive`: x and dout are read twice, once for the sums."""
    return _norm_backward(dout, cache)


# What sandwiches are made of: the norm and what follows it, in the same walks over the pixels.


def bn_relu_forward_fast(x, gamma, beta, bn_param):
    """`spatial_batchnorm_forward_fast`, then ReLU, whose input is never written. Returns ``out, cache``."""
    return _norm_forward(x, gamma, beta, bn_param, RELU)


def bn_relu_backward_fast(dout, cache):
    """The gradients of `bn_relu_forward_fast`: ``dx, dgamma, dbeta``."""
    return _norm_backward(dout, cache)


def bn_gelu_forward_fast(x, gamma, beta, bn_param):
    """`spatial_batchnorm_forward_fast`, then GELU, whose input is never written. Returns ``out, cache``."""
    return _norm_forward(x, gamma, beta, bn_param, GELU)


def bn_gelu_backward_fast(dout, cache):
    """The gradients of `bn_gelu_forward_fast`: ``dx, dgamma, dbeta``."""
    return _norm_backward(dout, cache)


def bn_silu_forward_fast(x, gamma, beta, bn_param):
    """`spatial_batchnorm_forward_fast`, then SiLU, whose input is never written. Returns ``out, cache``."""
    return _norm_forward(x, gamma, beta, bn_param, SILU)


def bn_silu_backward_fast(dout, cache):
    """The gradients of `bn_silu_forward_fast`: ``dx, dgamma, dbeta``."""
    return _norm_backward(dout, cache)


def bn_relu_pool_forward_fast(x, gamma, beta, bn_param, pool_param):
    """`bn_relu_forward_fast`, then max pooling. Returns ``out, cache``.

    For 2 x 2 windows side by side nothing of x's size is written; other windows are pooled afterwards.
    """
    x, gamma, beta = _checked_images("spatial_batchnorm_forward_fast", x, gamma, beta)
    _, settings = checked_pool("max_pool_forward_fast", x, pool_param)
    if settings == SIDE_BY_SIDE:
        out, cache = pixel_norm.forward("spatial_batchnorm_forward_fast", x, gamma, beta, bn_param, RELU, pool=True)
        return out, (cache, None)
    s, cache = bn_relu_forward_fast(x, gamma, beta, bn_param)
    out, pool_cache = max_pool_forward_fast(s, pool_param)
    return out, (cache, pool_cache)


def bn_relu_pool_backward_fast(dout, cache):
    """The gradients of `bn_relu_pool_forward_fast`: ``dx, dgamma, dbeta``."""
    norm_cache, pool_cache = cache
    if pool_cache is not None:
        return bn_relu_backward_fast(max_pool_backward_fast(dout, pool_cache), norm_cache)
    N, H, W, C = norm_cache.x.shape
    dout = check.upstream("max_pool_backward_fast", dout, norm_cache.x, (N, C, H // 2, W // 2))
    return pixel_norm.backward(dout, norm_cache, pool=True)


def _norm_forward(x, gamma, beta, bn_param, activation):
    x, gamma, beta = _checked_images("spatial_batchnorm_forward_fast", x, gamma, beta)
    return pixel_norm.forward("spatial_batchnorm_forward_fast", x, gamma, beta, bn_param, activation)


def _norm_backward(dout, cache):
    N, H, W, C = cache.x.shape
    return pixel_norm.backward(check.upstream("spatial_batchnorm_backward_fast", dout, cache.x, (N, C, H, W)), cache)


class GroupNormCache(NamedTuple):
    """What the backward pass needs."""

    x_hat: np.ndarray  # (N, C, H, W)
    gamma: np.ndarray  # as it was given
    G: int
    groups: LayerNormCache


def spatial_groupnorm_forward_naive(x, gamma, beta, G, gn_param):
    """Group normalisation: each image's channels in G groups, each group normalised by itself.

    Parameters
    ----------
    x : array (N, C, H, W)
    gamma, beta : arrays (1, C, 1, 1) or (C,)
        Scale and shift of each channel.
    G : int
        How many groups; it must divide C.
    gn_param : dict
        ``eps`` (1e-5).

    Returns
    -------
    out : array (N, C, H, W)
    cache : GroupNormCache
        For `spatial_groupnorm_backward_naive`.
    """
    x, gamma, beta, G = _checked_groups("spatial_groupnorm_forward_naive", x, gamma, beta, G, gn_param)
    return _groupnorm_forward(x, gamma, beta, G, gn_param, layernorm_forward_naive)


def spatial_groupnorm_backward_naive(dout, cache):
    """The gradients of group normalisation.

    Parameters
    ----------
    dout : array (N, C, H, W)
        Upstream gradient.
    cache : GroupNormCache
        From `spatial_groupnorm_forward_naive`.

    Returns
    -------
    dx : array (N, C, H, W)
    dgamma, dbeta : arrays of the shape of gamma
    """
    return _groupnorm_backward("spatial_groupnorm_backward_naive", dout, cache, layernorm_backward_naive)


def spatial_groupnorm_forward_fast(x, gamma, beta, G, gn_param):
    """The fast twin of `spatial_groupnorm_forward_naive`."""
    x, gamma, beta, G = _checked_groups("spatial_groupnorm_forward_fast", x, gamma, beta, G, gn_param)
    return _groupnorm_forward(x, gamma, beta, G, gn_param, layernorm_forward_fast)


def spatial_groupnorm_backward_fast(dout, cache):
    """The fast twin of `spatial_groupnorm_backward_naive`."""
    return _groupnorm_backward("spatial_groupnorm_backward_fast", dout, cache, layernorm_backward_fast)


spatial_batchnorm_forward = spatial_batchnorm_forward_fast
spatial_batchnorm_backward = spatial_batchnorm_backward_fast
spatial_groupnorm_forward = spatial_groupnorm_forward_fast
spatial_groupnorm_backward = spatial_groupnorm_backward_fast


def _groupnorm_forward(x, gamma, beta, G, gn_param, layernorm_forward):
    """Normalise each group as one sample, then give every channel its scale and shift."""
    samples = x.reshape(x.shape[0] * G, -1)
    ones, zeros = np.ones(samples.shape[1], x.dtype), np.zeros(samples.shape[1], x.dtype)
    normalised, groups = layernorm_forward(samples, ones, zeros, gn_param)
    x_hat = normalised.reshape(x.shape)
    out = gamma.reshape(-1, 1, 1) * x_hat + beta.reshape(-1, 1, 1)
    return out, GroupNormCache(x_hat, gamma, G, groups)


def _groupnorm_backward(where, dout, cache, layernorm_backward):
    x_hat, gamma, G, groups = cache
    dout = check.upstream(where, dout, x_hat, x_hat.shape)
    dgamma = column_sums((dout * x_hat).transpose(0, 2, 3, 1)).reshape(gamma.shape)
    dbeta = column_sums(dout.transpose(0, 2, 3, 1)).reshape(gamma.shape)
    dx_hat = dout * gamma.reshape(-1, 1, 1)
    dx, _, _ = layernorm_backward(dx_hat.reshape(groups.x_hat.shape), groups)
    return dx.reshape(x_hat.shape), dgamma, dbeta


def _checked_images(where, x, gamma, beta):
    x, gamma, beta = check.floats(where, x=x, gamma=gamma, beta=beta)
    check.images(where, "x", x)
    for name, array in (("gamma", gamma), ("beta", beta)):
        check.shape(where, name, array, (x.shape[1],), "one number for each channel of x")
    return x, gamma, beta


def _checked_groups(where, x, gamma, beta, G, gn_param):
    check.known_keys(where, "gn_param", gn_param, LN_KEYS)
    x, gamma, beta = check.floats(where, x=x, gamma=gamma, beta=beta)
    check.images(where, "x", x)
    C = x.shape[1]
    G = check.whole_number(where, "G", G, least=1)
    if C % G:
        raise ValueError(f"{where}: G is {G}, which must divide the {C} channels of x {x.shape}")
    for name, array in (("gamma", gamma), ("beta", beta)):
        if array.shape not in ((1, C, 1, 1), (C,)):
            raise ValueError(
                f"{where}: {name} has shape {array.shape}; it must be (1, {C}, 1, 1): one number a channel"
            )
    return x, gamma, beta, G
