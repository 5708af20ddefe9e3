"""Layer normalisation: every sample is brought to mean 0 and variance 1 over its own features, then scaled and shifted.

    x_hat = (x - mean) / sqrt(var + eps)        out = gamma * x_hat + beta

As batch normalisation with the two axes exchanged (Ba, Kiros and Hinton 2016, arXiv:1607.06450): mean and var are taken
over the D features of one sample, so samples do not depend on each other and training and testing are the same.
gamma and beta still belong to the features.
"""

from typing import NamedTuple

import numpy as np

from pellucid import check
from pellucid.layers.sums import column_sums, row_means

LN_KEYS = ("eps", "mode")
"""``mode`` is accepted because the course's networks put it into every norm's dictionary; it changes nothing here."""


class LayerNormCache(NamedTuple):
    """What the backward pass needs. ``std`` is sqrt(var + eps)."""

    x_hat: np.ndarray  # (N, D)
    std: np.ndarray  # (N, 1)
    gamma: np.ndarray  # (D,)


def layernorm_forward_naive(x, gamma, beta, ln_param):
    """Layer normalisation, sample by sample.

    Parameters
    ----------
    x : array (N, D)
    gamma, beta : arrays (D,)
        Scale and shift.
    ln_param : dict
        ``eps`` (1e-5).

    Returns
    -------
    out : array (N, D)
    cache : LayerNormCache
        For `layernorm_backward_naive`.
    """
    x, gamma, beta, eps = _checked("layernorm_forward_naive", x, gamma, beta, ln_param)
    N, D = x.shape
    x_hat, std = np.zeros_like(x), np.zeros((N, 1), dtype=x.dtype)
    out = np.zeros_like(x)
    for n in range(N):
        mean = np.sum(x[n]) / D
        var = np.sum((x[n] - mean) ** 2) / D
        std[n] = np.sqrt(var + eps)
        x_hat[n] = (x[n] - mean) / std[n]
        out[n] = gamma * x_hat[n] + beta
    return out, LayerNormCache(x_hat, std, gamma)


def layernorm_backward_naive(dout, cache):
    """The gradients of layer normalisation, sample by sample, each step of the chain rule a line.

    Parameters
    ----------
    dout : array (N, D)
        Upstream gradient.
    cache : LayerNormCache
        From `layernorm_forward_naive`.

    Returns
    -------
    dx : array (N, D)
    dgamma, dbeta : arrays (D,)
    """
    x_hat, std, gamma = cache
    N, D = x_hat.shape
    dout = check.upstream("layernorm_backward_naive", dout, x_hat, (N, D))
    dx, dgamma, dbeta = np.zeros_like(x_hat), np.zeros_like(gamma), np.zeros_like(gamma)
    for n in range(N):
        dgamma += dout[n] * x_hat[n]
        dbeta += dout[n]
        dx_hat = dout[n] * gamma
        x_centred = x_hat[n] * std[n]
        dvar = np.sum(dx_hat * x_centred) * -0.5 * std[n] ** -3
        dmean = -np.sum(dx_hat) / std[n]
        dx[n] = dx_hat / std[n] + dvar * 2 * x_centred / D + dmean / D
    return dx, dgamma, dbeta


def layernorm_forward_fast(x, gamma, beta, ln_param):
    """The fast twin of `layernorm_forward_naive`: all samples at once."""
    x, gamma, beta, eps = _checked("layernorm_forward_fast", x, gamma, beta, ln_param)
    x_hat = x - row_means(x)
    std = np.sqrt(row_means(np.square(x_hat)) + eps)
    x_hat /= std
    return gamma * x_hat + beta, LayerNormCache(x_hat, std, gamma)


def layernorm_backward_fast(dout, cache):
    """The fast twin of `layernorm_backward_naive`: the chain rule simplified, all samples at once."""
    x_hat, std, gamma = cache
    dout = check.upstream("layernorm_backward_fast", dout, x_hat, x_hat.shape)
    dgamma = column_sums(dout * x_hat)
    dbeta = column_sums(dout)
    dx_hat = dout * gamma
    dx = dx_hat - row_means(dx_hat) - x_hat * row_means(dx_hat * x_hat)
    dx /= std
    return dx, dgamma, dbeta


layernorm_forward = layernorm_forward_fast
layernorm_backward = layernorm_backward_fast


def _checked(where, x, gamma, beta, ln_param):
    check.known_keys(where, "ln_param", ln_param, LN_KEYS)
    x, gamma, beta = check.floats(where, x=x, gamma=gamma, beta=beta)
    check.rows(where, "x", x)
    check.shape(where, "gamma", gamma, (x.shape[1],), "one number for each feature of x")
    check.shape(where, "beta", beta, (x.shape[1],), "one number for each feature of x")
    return x, gamma, beta, check.number(where, "ln_param['eps']", ln_param.get("eps", 1e-5), least=0)
