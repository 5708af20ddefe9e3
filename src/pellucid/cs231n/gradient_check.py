"""``cs231n.gradient_check``: numerical gradients, in place. ``rel_error`` stands in the course's notebooks."""

import numpy as np

from pellucid.gradcheck import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    grad_check_sparse,
    rel_error,
)

__all__ = [
    "eval_numerical_gradient",
    "eval_numerical_gradient_array",
    "eval_numerical_gradient_blobs",
    "eval_numerical_gradient_net",
    "grad_check_sparse",
    "rel_error",
]


def eval_numerical_gradient_blobs(f, inputs, output, h=1e-5):
    """Numerical gradients for a function that writes into a blob.

    Parameters
    ----------
    f : function
        ``f(*inputs, output)`` reads the inputs' ``vals`` and writes ``output.vals``.
    inputs : tuple of blobs
        Objects with an array ``vals``, changed in place during the call.
    output : blob
        Has ``vals``, written by f, and ``diffs``, the upstream gradient.
    h : float
        Half the distance between two evaluations.

    Returns
    -------
    list of arrays
        One gradient for each input.
    """

    def value_of(_):
        f(*inputs, output)
        return np.array(output.vals)

    return [eval_numerical_gradient_array(value_of, blob.vals, output.diffs, h) for blob in inputs]


def eval_numerical_gradient_net(net, inputs, output, h=1e-5):
    """The same for a network whose ``forward()`` reads the inputs' blobs and writes the output's."""
    return eval_numerical_gradient_blobs(lambda *_: net.forward(), inputs, output, h=h)
