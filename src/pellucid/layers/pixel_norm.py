"""Fast batch normalisation of images, alone or with what follows it: the arithmetic between the kernels.

    forward      z = (x - mean) * scale + beta        scale = gamma / std        out = activation(z)
    backward     g = dout * activation'(z), with z computed again from x
                 dbeta = sum of g                     dgamma = sum of g * (x - mean) / std
                 dx = scale * (g - dbeta / P - (x - mean) / std * dgamma / P)

where P counts the pixels of the batch; at test time, where mean and std are constants, dx is scale * g. Where several
processes have a part of the batch each, mean, std, P and the two sums in dx are those of all parts. The cache keeps
x and a few numbers a channel: neither z nor a mask is stored. The sums are float64, and so is what is computed from
them once a channel.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pellucid.kernels import norm, norm_pool, workspace
from pellucid.kernels.arrays import flat
from pellucid.kernels.rows import launch, parts_for, pixels_in_a_row
from pellucid.layers.batchnorm import alone, bn_settings, moments_of_all, total_of
from pellucid.layers.channels_last import as_channels_last


class PixelNormCache(NamedTuple):
    """What the backward pass needs."""

    x: np.ndarray  # (N, H, W, C)
    mean: np.ndarray  # (C,) in x's type, as scale and beta
    scale: np.ndarray
    beta: np.ndarray
    std: np.ndarray  # (C,) in float64: sqrt(var + eps)
    pixels: float  # of all processes; infinite at test time, when mean and std do not move with x
    activation: int  # of kernels.activations
    total: Callable  # adds up over all processes that have a part of the batch

    @property
    def train(self):
        """Whether mean and std are the batch's."""
        return self.pixels < np.inf


def forward(where, x, gamma, beta, bn_param, activation, pool=False):
    """Normalise images x (N, C, H, W), apply the activation and, if so, pool 2 x 2 windows side by side (after ReLU
    only). Returns ``out`` (N, C, H_out, W_out) and a `PixelNormCache`; training writes into ``bn_param``.
    """
    N, C, H, W = x.shape
    mode, eps, momentum, mean, var = bn_settings(where, bn_param, C, x.dtype)
    x, total, pixels = as_channels_last(x), total_of(where, bn_param), np.inf
    if mode == "train":
        pixels, (exact_mean, exact_var) = N * H * W, _moments(x)
        if total is not alone:
            pixels, exact_mean, exact_var = moments_of_all(total, pixels, exact_mean, exact_var, mean)
        bn_param["running_mean"] = momentum * mean + (1 - momentum) * exact_mean.astype(x.dtype)
        bn_param["running_var"] = momentum * var + (1 - momentum) * exact_var.astype(x.dtype)
        mean, var = exact_mean.astype(x.dtype), exact_var
    std = np.sqrt(var.astype(np.float64) + eps)
    scale = (gamma / std).astype(x.dtype)
    cache = PixelNormCache(x, mean, scale, np.ascontiguousarray(beta), std, pixels, activation, total)

    channels = cache.mean, cache.scale, cache.beta
    if pool:
        out = workspace.empty((N, H // 2, W // 2, C), x.dtype)
        launch(norm_pool.normalise_pool, x.size, flat(x), N, H, W, C, *map(flat, channels), flat(out))
    else:
        out = workspace.empty(x.shape, x.dtype)
        m, rows, D = _rows(x)
        launch(norm.normalise, x.size, flat(x), rows, D, *_side_by_side(m, *channels), activation, flat(out))
    return out.transpose(0, 3, 1, 2), cache


def backward(dout, cache, pool=False):
    """The gradients dx (N, C, H, W), dgamma, dbeta (C,) for an upstream gradient that was checked."""
    x, mean, scale, beta, std, pixels, activation, total = cache
    N, H, W, C = x.shape
    dout = as_channels_last(dout)
    m, rows, D = (1, 0, C) if pool else _rows(x)
    shape = (parts_for(x.size), D)
    sums, products = np.empty(shape), np.empty(shape)
    channels = _side_by_side(m, mean, scale, beta)
    arrays = flat(dout), flat(x)
    if pool:
        launch(norm_pool.pooled_gradient_sums, x.size, *arrays, N, H, W, C, *channels, flat(sums), flat(products))
    else:
        launch(norm.gradient_sums, x.size, *arrays, rows, D, *channels, activation, flat(sums), flat(products))

    dbeta, dgamma = _by_channel(sums, C), _by_channel(products, C) / std
    moved = np.stack([dbeta, dgamma / std])  # through mean and std, which every pixel of the batch moves
    moved = total(moved) if cache.train else moved
    factors = scale, scale * moved[0] / pixels, scale * moved[1] / pixels
    factors = _side_by_side(m, *(factor.astype(x.dtype) for factor in factors))
    dx = workspace.empty(x.shape, x.dtype)
    if pool:
        launch(norm_pool.pooled_input_gradient, x.size, *arrays, N, H, W, C, *channels, *factors, flat(dx))
    else:
        launch(norm.input_gradient, x.size, *arrays, rows, D, *channels, activation, *factors, flat(dx))
    return dx.transpose(0, 3, 1, 2), dgamma.astype(x.dtype), dbeta.astype(x.dtype)


def _moments(x):
    """Mean and variance of every channel of x (N, H, W, C), in float64."""
    C = x.shape[-1]
    m, rows, D = _rows(x)
    start = x.reshape(-1, C)[0]
    shape = (parts_for(x.size), D)
    sums, squares = np.empty(shape), np.empty(shape)
    launch(norm.moments, x.size, flat(x), rows, D, *_side_by_side(m, start), flat(sums), flat(squares))
    offset = _by_channel(sums, C) / (rows * m)
    var = np.maximum(_by_channel(squares, C) / (rows * m) - offset * offset, 0)
    return start + offset, var


def _rows(x):
    """Pixels in a row, rows, and numbers in a row, as the kernels read x (N, H, W, C)."""
    C = x.shape[-1]
    m = pixels_in_a_row(x.size // C, C, x.dtype)
    return m, x.size // (m * C), m * C


def _side_by_side(m, *channels):
    """Numbers by channel (C,), repeated for each of the m pixels of a row: (m * C,)."""
    return [flat(np.ascontiguousarray(np.broadcast_to(numbers, (m, numbers.size)))) for numbers in channels]


def _by_channel(sums, C):
    """(parts, m * C) -> (C,), added over parts and over the pixels of a row."""
    return sums.reshape(-1, C).sum(axis=0)
