"""The rectified linear unit: what is below zero becomes zero.

    out = max(0, x)

At zero itself the function has a kink; like everybody, we take the gradient to be zero there.
"""

import numpy as np

from pellucid import check
from pellucid.kernels.activations import RELU
from pellucid.layers import elementwise


def relu_forward_naive(x):
    """ReLU, element by element.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    out : array of the same shape
    cache : array
        For `relu_backward_naive`.
    """
    x = elementwise.checked("relu_forward_naive", x)
    out = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        out[index] = 0 if x[index] < 0 else x[index]
    return out, x


def relu_backward_naive(dout, cache):
    """The gradient of ReLU: it passes where the input was above zero.

    Parameters
    ----------
    dout : array of the shape of x
        Upstream gradient.
    cache : array
        From `relu_forward_naive`.

    Returns
    -------
    dx : array of the same shape
    """
    x = cache
    dout = check.upstream("relu_backward_naive", dout, x, x.shape)
    dx = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        dx[index] = dout[index] if x[index] > 0 else 0
    return dx


def relu_forward_fast(x):
    """The fast twin of `relu_forward_naive`; the result lies in memory as ``x`` does."""
    return elementwise.forward(elementwise.checked("relu_forward_fast", x), RELU)


def relu_backward_fast(dout, cache):
    """The fast twin of `relu_backward_naive`."""
    return elementwise.backward("relu_backward_fast", dout, cache, RELU)


relu_forward = relu_forward_fast
relu_backward = relu_backward_fast
