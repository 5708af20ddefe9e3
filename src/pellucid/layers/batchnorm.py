"""Batch normalisation: every feature is brought to mean 0 and variance 1 over the batch, then scaled and shifted.

    x_hat = (x - mean) / sqrt(var + eps)        out = gamma * x_hat + beta

mean and var are taken over the N samples, feature by feature (Ioffe and Szegedy 2015, arXiv:1502.03167). In training
the running statistics follow as ``running = momentum * running + (1 - momentum) * batch``, with the variance divided by
N and not by N - 1, as in the course; at test time they stand in for mean and var.

The chain rule, with the sums over the batch (mean and var depend on every x):

    dx_hat = dout * gamma
    dvar   = sum(dx_hat * (x - mean)) * -1/2 * (var + eps)^(-3/2)
    dmean  = -sum(dx_hat) / sqrt(var + eps)
    dx     = dx_hat / sqrt(var + eps) + dvar * 2 (x - mean) / N + dmean / N

which simplifies to  dx = (dx_hat - mean(dx_hat) - x_hat * mean(dx_hat * x_hat)) / sqrt(var + eps).  At test time the
statistics are constants, and dx is dx_hat / sqrt(var + eps).
"""

from typing import NamedTuple

import numpy as np

from pellucid import check
from pellucid.layers.sums import column_means, column_sums

BN_KEYS = ("mode", "eps", "momentum", "running_mean", "running_var")


class BatchNormCache(NamedTuple):
    """What the backward pass needs. ``std`` is sqrt(var + eps); D stands for the features."""

    mode: str
    x_hat: np.ndarray  # (N, D)
    std: np.ndarray  # (D,)
    gamma: np.ndarray  # (D,)


def batchnorm_forward_naive(x, gamma, beta, bn_param):
    """Batch normalisation, feature by feature.

    Parameters
    ----------
    x : array (N, D)
    gamma, beta : arrays (D,)
        Scale and shift.
    bn_param : dict
        ``mode``, 'train' or 'test' (required); ``eps`` (1e-5); ``momentum`` (0.9; 0 forgets the old statistics, 1 never
        changes them); ``running_mean`` and ``running_var`` (D,), zeros where absent. **Training writes new running
        statistics into this dictionary**; nothing else is changed.

    Returns
    -------
    out : array (N, D)
    cache : BatchNormCache
        For the backward functions.

    Raises
    ------
    ValueError, TypeError
        Shapes that do not go together, an unknown mode or key.
    """
    x, gamma, beta, mode, eps, momentum, running_mean, running_var = _checked(
        "batchnorm_forward_naive", x, gamma, beta, bn_param
    )
    N, D = x.shape
    mean, var = running_mean.copy(), running_var.copy()
    x_hat, std = np.zeros_like(x), np.zeros_like(gamma)
    out = np.zeros_like(x)
    for d in range(D):
        if mode == "train":
            mean[d] = np.sum(x[:, d]) / N
            var[d] = np.sum((x[:, d] - mean[d]) ** 2) / N
        std[d] = np.sqrt(var[d] + eps)
        x_hat[:, d] = (x[:, d] - mean[d]) / std[d]
        out[:, d] = gamma[d] * x_hat[:, d] + beta[d]
    if mode == "train":
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mean
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
    return out, BatchNormCache(mode, x_hat, std, gamma)


def batchnorm_backward_naive(dout, cache):
    """The gradients of batch normalisation, feature by feature, each step of the chain rule a line.

    Parameters
    ----------
    dout : array (N, D)
        Upstream gradient.
    cache : BatchNormCache
        From the forward pass, in either mode.

    Returns
    -------
    dx : array (N, D)
    dgamma, dbeta : arrays (D,)
    """
    mode, x_hat, std, gamma = cache
    N, D = x_hat.shape
    dout = check.upstream("batchnorm_backward_naive", dout, x_hat, (N, D))
    dx, dgamma, dbeta = np.zeros_like(x_hat), np.zeros_like(gamma), np.zeros_like(gamma)
    for d in range(D):
        dgamma[d] = np.sum(dout[:, d] * x_hat[:, d])
        dbeta[d] = np.sum(dout[:, d])
        dx_hat = dout[:, d] * gamma[d]
        dx[:, d] = dx_hat / std[d]
        if mode == "train":
            x_centred = x_hat[:, d] * std[d]
            dvar = np.sum(dx_hat * x_centred) * -0.5 * std[d] ** -3
            dmean = -np.sum(dx_hat) / std[d]
            dx[:, d] += dvar * 2 * x_centred / N + dmean / N
    return dx, dgamma, dbeta


def batchnorm_forward_fast(x, gamma, beta, bn_param):
    """The fast twin of `batchnorm_forward_naive`: all features at once."""
    x, gamma, beta, mode, eps, momentum, running_mean, running_var = _checked(
        "batchnorm_forward_fast", x, gamma, beta, bn_param
    )
    mean, var = running_mean, running_var
    if mode == "train":
        mean = column_means(x)
        var = column_means(np.square(x - mean))
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mean
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
    std = np.sqrt(var + eps)
    x_hat = x - mean
    x_hat /= std
    return gamma * x_hat + beta, BatchNormCache(mode, x_hat, std, gamma)


def batchnorm_backward_fast(dout, cache):
    """The fast twin of `batchnorm_backward_naive`: the chain rule simplified, all features at once."""
    mode, x_hat, std, gamma = cache
    N = x_hat.shape[0]
    dout = check.upstream("batchnorm_backward_fast", dout, x_hat, x_hat.shape)
    dgamma = column_sums(dout * x_hat)
    dbeta = column_sums(dout)
    # mean(dx_hat) = gamma * dbeta / N and mean(dx_hat * x_hat) = gamma * dgamma / N: the sums are there already
    dx = dout - (dbeta + x_hat * dgamma) / N if mode == "train" else dout.copy()
    dx *= gamma / std
    return dx, dgamma, dbeta


def batchnorm_backward(dout, cache):
    """The course's first form: the chain rule of the module's text, step by step, all features at once.

    The same arguments and results as `batchnorm_backward_naive`.
    """
    mode, x_hat, std, gamma = cache
    N = x_hat.shape[0]
    dout = check.upstream("batchnorm_backward", dout, x_hat, x_hat.shape)
    dgamma = column_sums(dout * x_hat)
    dbeta = column_sums(dout)
    dx_hat = dout * gamma
    dx = dx_hat / std
    if mode == "train":
        x_centred = x_hat * std
        dvar = column_sums(dx_hat * x_centred) * -0.5 * std**-3
        dmean = -column_sums(dx_hat) / std
        dx += dvar * 2 * x_centred / N + dmean / N
    return dx, dgamma, dbeta


batchnorm_forward = batchnorm_forward_fast
batchnorm_backward_alt = batchnorm_backward_fast


def bn_settings(where, bn_param, D, dtype):
    """Read ``bn_param``: mode, eps, momentum, running_mean and running_var (D,) in the given type."""
    check.known_keys(where, "bn_param", bn_param, BN_KEYS, required=("mode",))
    mode = bn_param["mode"]
    if mode not in ("train", "test"):
        raise ValueError(
            f'{where}: Invalid forward batchnorm mode "{mode}"; it must be train or test'
            f"{check.did_you_mean(mode, ('train', 'test'))}"
        )
    eps = check.number(where, "bn_param['eps']", bn_param.get("eps", 1e-5), least=0)
    momentum = check.number(where, "bn_param['momentum']", bn_param.get("momentum", 0.9), least=0, most=1)
    running = []
    for key in ("running_mean", "running_var"):
        statistic = np.asarray(bn_param.get(key, np.zeros(D))).astype(dtype)
        check.shape(where, f"bn_param[{key!r}]", statistic, (D,), "one number for each feature of x")
        running.append(statistic)
    return mode, eps, momentum, *running


def _checked(where, x, gamma, beta, bn_param):
    """The arrays in one floating type, and the settings."""
    x, gamma, beta = check.floats(where, x=x, gamma=gamma, beta=beta)
    check.rows(where, "x", x)
    D = x.shape[1]
    check.shape(where, "gamma", gamma, (D,), "one number for each feature of x")
    check.shape(where, "beta", beta, (D,), "one number for each feature of x")
    return x, gamma, beta, *bn_settings(where, bn_param, D, x.dtype)
