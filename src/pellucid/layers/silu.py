"""The sigmoid linear unit, also called swish: x times the logistic function of x.

    out = x * s(x)        s(x) = 1 / (1 + exp(-x))

(Elfwing, Uchibe and Doya 2017, arXiv:1702.03118; Ramachandran, Zoph and Le 2017, arXiv:1710.05941.) A smooth step much
like GELU, cheaper to compute; its gradient is s(x) * (1 + x * (1 - s(x))).
"""

import math

import numpy as np

from pellucid import check
from pellucid.kernels.activations import SILU
from pellucid.layers import elementwise


def silu_forward_naive(x):
    """SiLU, element by element.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    out : array of the same shape
    cache : array
        For `silu_backward_naive`.

    Raises
    ------
    ValueError, TypeError
        An empty array, one that holds no numbers.
    """
    x = elementwise.checked("silu_forward_naive", x)
    out = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        out[index] = x[index] * _logistic(float(x[index]))
    return out, x


def silu_backward_naive(dout, cache):
    """The gradient of SiLU, element by element.

    Parameters
    ----------
    dout : array of the shape of x
        Upstream gradient.
    cache : array
        From `silu_forward_naive`.

    Returns
    -------
    dx : array of the same shape
    """
    x = cache
    dout = check.upstream("silu_backward_naive", dout, x, x.shape)
    dx = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        number = float(x[index])
        s = _logistic(number)
        dx[index] = dout[index] * (s * (1 + number * (1 - s)))
    return dx


def silu_forward_fast(x):
    """The fast twin of `silu_forward_naive`; the result lies in memory as ``x`` does."""
    return elementwise.forward(elementwise.checked("silu_forward_fast", x), SILU)


def silu_backward_fast(dout, cache):
    """The fast twin of `silu_backward_naive`."""
    return elementwise.backward("silu_backward_fast", dout, cache, SILU)


silu_forward = silu_forward_fast
silu_backward = silu_backward_fast


def _logistic(number):
    """1 / (1 + exp(-number)), by whichever exponential cannot overflow."""
    e = math.exp(-abs(number))
    return e / (1 + e) if number < 0 else 1 / (1 + e)
