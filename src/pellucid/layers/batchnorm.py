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

Where several processes have a part of the batch each, the sums over the batch go over all parts: ``bn_param["total"]``
adds a number or an array up over the processes. dgamma and dbeta are those of the own part, for whoever adds up the
gradients adds these up, too.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pellucid import check
from pellucid.layers.sums import column_means, column_sums

BN_KEYS = ("mode", "eps", "momentum", "running_mean", "running_var", "total")


def alone(numbers):
    """The total over all processes where there is one."""
    return numbers


class BatchNormCache(NamedTuple):
    """What the backward pass needs. ``std`` is sqrt(var + eps); D stands for the features."""

    mode: str
    x_hat: np.ndarray  # (N, D)
    std: np.ndarray  # (D,)
    gamma: np.ndarray  # (D,)
    total: Callable = alone
    samples: float = 0  # of all processes; not used at test time


def batchnorm_forward_naive(x, gamma, beta, bn_param):
    """Batch normalisation, feature by feature.

    Parameters
    ----------
    x : array (N, D)
    gamma, beta : arrays (D,)
        Scale and shift.
    bn_param : dict
        ``mode``, 'train' or 'test' (required); ``eps`` (1e-5); ``momentum`` (0.9; 0 forgets the old statistics, 1 never
        changes them); ``running_mean`` and ``running_var`` (D,), zeros where absent; ``total``, where x is one of
        several processes' parts of a batch: a function that adds an array up over all of them. **Training writes new
        running statistics into this dictionary**; nothing else is changed.

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
    total = total_of("batchnorm_forward_naive", bn_param)
    samples = total(N) if mode == "train" else 0
    mean, var = running_mean.copy(), running_var.copy()
    x_hat, std = np.zeros_like(x), np.zeros_like(gamma)
    out = np.zeros_like(x)
    for d in range(D):
        if mode == "train":
            mean[d] = total(np.sum(x[:, d])) / samples
            var[d] = total(np.sum((x[:, d] - mean[d]) ** 2)) / samples
        std[d] = np.sqrt(var[d] + eps)
        x_hat[:, d] = (x[:, d] - mean[d]) / std[d]
        out[:, d] = gamma[d] * x_hat[:, d] + beta[d]
    if mode == "train":
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mean
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
    return out, BatchNormCache(mode, x_hat, std, gamma, total, samples)


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
    mode, x_hat, std, gamma, total, samples = cache
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
            dvar = total(np.sum(dx_hat * x_centred)) * -0.5 * std[d] ** -3
            dmean = -total(np.sum(dx_hat)) / std[d]
            dx[:, d] += dvar * 2 * x_centred / samples + dmean / samples
    return dx, dgamma, dbeta


def batchnorm_forward_fast(x, gamma, beta, bn_param):
    """The fast twin of `batchnorm_forward_naive`: all features at once."""
    x, gamma, beta, mode, eps, momentum, running_mean, running_var = _checked(
        "batchnorm_forward_fast", x, gamma, beta, bn_param
    )
    total = total_of("batchnorm_forward_fast", bn_param)
    samples = 0
    mean, var = running_mean, running_var
    if mode == "train":
        samples, mean = len(x), column_means(x)
        var = column_means(np.square(x - mean))
        if total is not alone:
            samples, mean, var = moments_of_all(total, samples, mean, var, running_mean)
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mean
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
    std = np.sqrt(var + eps)
    x_hat = x - mean
    x_hat /= std
    return gamma * x_hat + beta, BatchNormCache(mode, x_hat, std, gamma, total, samples)


def batchnorm_backward_fast(dout, cache):
    """The fast twin of `batchnorm_backward_naive`: the chain rule simplified, all features at once."""
    mode, x_hat, std, gamma, total, samples = cache
    dout = check.upstream("batchnorm_backward_fast", dout, x_hat, x_hat.shape)
    dgamma = column_sums(dout * x_hat)
    dbeta = column_sums(dout)
    dx = dout.copy()
    if mode == "train":
        # mean(dx_hat) = gamma * dbeta / N and mean(dx_hat * x_hat) = gamma * dgamma / N: the sums are there already
        of_all = total(np.stack([dgamma, dbeta]))
        dx -= (of_all[1] + x_hat * of_all[0]) / samples
    dx *= gamma / std
    return dx, dgamma, dbeta


def batchnorm_backward(dout, cache):
    """The course's first form: the chain rule of the module's text, step by step, all features at once.

    The same arguments and results as `batchnorm_backward_naive`.
    """
    mode, x_hat, std, gamma, total, samples = cache
    dout = check.upstream("batchnorm_backward", dout, x_hat, x_hat.shape)
    dgamma = column_sums(dout * x_hat)
    dbeta = column_sums(dout)
    dx_hat = dout * gamma
    dx = dx_hat / std
    if mode == "train":
        x_centred = x_hat * std
        dvar = total(column_sums(dx_hat * x_centred)) * -0.5 * std**-3
        dmean = -total(column_sums(dx_hat)) / std
        dx += dvar * 2 * x_centred / samples + dmean / samples
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


def total_of(where, bn_param):
    """What adds up over all processes that have a part of the batch."""
    total = bn_param.get("total", alone)
    if not callable(total):
        raise TypeError(f"{where}: bn_param['total'] is a {type(total).__name__}; it must be a function of an array")
    return total


def moments_of_all(total, count, mean, var, centre):
    """Samples, mean and variance of the whole batch from those of each process's part.

    Added up are the squares around ``centre``, which must be the same in all processes and should be near the mean:
    around zero, the squares of numbers far from it would lose the digits that make up the variance.

    Parameters
    ----------
    total : callable
        Adds an array up over all processes.
    count : int
        Samples of the own part.
    mean, var, centre : arrays (D,)

    Returns
    -------
    count : float
    mean, var : arrays (D,) in mean's type
    """
    offset = mean.astype(np.float64) - centre
    sums = total(np.concatenate([[count], count * offset, count * (var + offset * offset)]))
    count, D = sums[0], len(mean)
    offset, squares = sums[1 : D + 1] / count, sums[D + 1 :] / count
    var_of_all = np.maximum(squares - offset * offset, 0)
    return count, (centre + offset).astype(mean.dtype), var_of_all.astype(mean.dtype)


def _checked(where, x, gamma, beta, bn_param):
    """The arrays in one floating type, and the settings."""
    x, gamma, beta = check.floats(where, x=x, gamma=gamma, beta=beta)
    check.rows(where, "x", x)
    D = x.shape[1]
    check.shape(where, "gamma", gamma, (D,), "one number for each feature of x")
    check.shape(where, "beta", beta, (D,), "one number for each feature of x")
    return x, gamma, beta, *bn_settings(where, bn_param, D, x.dtype)
