"""What the fast activations share: any array read number by number, in the order in which it lies in memory."""

import numpy as np

from pellucid import check
from pellucid.kernels import activations, workspace
from pellucid.kernels.arrays import flat
from pellucid.kernels.rows import launch
from pellucid.layers.channels_last import contiguous


def checked(where, x):
    """x in a floating type; ``where`` is the public function, for errors."""
    (x,) = check.floats(where, x=x)
    check.not_empty(where, "x", x)
    return x


def forward(x, activation):
    """The activation of every number of x. Returns ``out`` and a cache for `backward`."""
    order = memory_order(x)
    x_flat = contiguous(x.transpose(order))
    out = workspace.empty(x_flat.shape, x.dtype)
    launch(activations.activate, x.size, flat(x_flat), activation, flat(out))
    return out.transpose(np.argsort(order)), x


def backward(where, dout, x, activation):
    """The gradient for x; ``where`` is the public function, for errors."""
    dout = check.upstream(where, dout, x, x.shape)
    order = memory_order(x)
    dout_flat, x_flat = (contiguous(array.transpose(order)) for array in (dout, x))
    dx = workspace.empty(x_flat.shape, x.dtype)
    launch(activations.activate_gradient, x.size, flat(dout_flat), flat(x_flat), activation, flat(dx))
    return dx.transpose(np.argsort(order))


def memory_order(x):
    """The axes by falling stride: in this order a channels-last array, say, is contiguous and is not copied."""
    return sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))


def add(x, y):
    """x + y, for arrays of one shape and type; the result lies in memory as x does."""
    order = memory_order(x)
    out = workspace.empty(tuple(x.shape[axis] for axis in order), x.dtype)
    return np.add(x.transpose(order), y.transpose(order), out=out).transpose(np.argsort(order))
