"""The Gaussian error linear unit: x times the share of a normal distribution that lies below x.

    out = x * P(x)        P(x) = (1 + erf(x / sqrt 2)) / 2

(Hendrycks and Gimpel 2016, arXiv:1606.08415), in its exact form, not the one with tanh. It is smooth; its gradient is
P(x) + x * p(x), where p is the normal density exp(-x^2 / 2) / sqrt(2 pi).
"""

import math

import numpy as np

from pellucid import check
from pellucid.kernels.activations import GELU
from pellucid.layers import elementwise


def gelu_forward_naive(x):
    """GELU, element by element.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    out : array of the same shape
    cache : array
        For `gelu_backward_naive`.

    Raises
    ------
    ValueError, TypeError
        An empty array, one that holds no numbers.
    """
    x = elementwise.checked("gelu_forward_naive", x)
    out = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        out[index] = x[index] * _share_below(float(x[index]))
    return out, x


def gelu_backward_naive(dout, cache):
    """The gradient of GELU, element by element.

    Parameters
    ----------
    dout : array of the shape of x
        Upstream gradient.
    cache : array
        From `gelu_forward_naive`.

    Returns
    -------
    dx : array of the same shape
    """
    x = cache
    dout = check.upstream("gelu_backward_naive", dout, x, x.shape)
    dx = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        number = float(x[index])
        density = math.exp(-(number * number) / 2) / math.sqrt(2 * math.pi)
        dx[index] = dout[index] * (_share_below(number) + number * density)
    return dx


def gelu_forward_fast(x):
    """The fast twin of `gelu_forward_naive`; the result lies in memory as ``x`` does."""
    return elementwise.forward(elementwise.checked("gelu_forward_fast", x), GELU)


def gelu_backward_fast(dout, cache):
    """The fast twin of `gelu_backward_naive`."""
    return elementwise.backward("gelu_backward_fast", dout, cache, GELU)


gelu_forward = gelu_forward_fast
gelu_backward = gelu_backward_fast


def _share_below(number):
    """P(number). erfc keeps its digits far below zero, where 1 + erf loses them."""
    return math.erfc(-number / math.sqrt(2)) / 2
