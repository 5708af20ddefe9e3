"""The affine (fully connected) layer: every output is a weighted sum of every input, plus a bias.

    out[n, m] = sum over d of  x[n, d] * w[d, m] + b[m]

where x[n] is the n-th sample, whatever its axes, as one row of D numbers.
"""

import numpy as np

from pellucid import check
from pellucid.kernels.matmul import multiply
from pellucid.layers.channels_last import contiguous
from pellucid.layers.sums import column_sums


def affine_forward_naive(x, w, b):
    """The affine layer, output by output.

    Parameters
    ----------
    x : array (N, d_1, ..., d_k)
        Each sample is read as one row of D = d_1 * ... * d_k numbers.
    w : array (D, M)
    b : array (M,)

    Returns
    -------
    out : array (N, M)
    cache : tuple
        For `affine_backward_naive`.

    Raises
    ------
    ValueError, TypeError
        Shapes that do not go together.
    """
    x, w, b = _checked("affine_forward_naive", x, w, b)
    N, M = x.shape[0], w.shape[1]

    rows = x.reshape(N, -1)
    out = np.zeros((N, M), dtype=x.dtype)
    for n in range(N):
        for m in range(M):
            out[n, m] = np.sum(rows[n] * w[:, m]) + b[m]
    return out, (x, w, b)


def affine_backward_naive(dout, cache, skip_dx=False, skip_dw=False):
    """The gradients of the affine layer, output by output: each hands its gradient to both factors of each product.

    Parameters
    ----------
    dout : array (N, M)
        Upstream gradient.
    cache : tuple
        From `affine_forward_naive`.
    skip_dx, skip_dw : bool
        Do without ``dx``, which nobody needs for the first layer of a network, or ``dw``, of weights that stay as they
        are; None stands in its place.

    Returns
    -------
    dx : array (N, d_1, ..., d_k)
    dw : array (D, M)
    db : array (M,)
    """
    x, w, b = cache
    N, M = x.shape[0], w.shape[1]
    dout = check.upstream("affine_backward_naive", dout, x, (N, M))

    rows = x.reshape(N, -1)
    drows, dw, db = np.zeros_like(rows), np.zeros_like(w), np.zeros_like(b)
    for n in range(N):
        for m in range(M):
            drows[n] += dout[n, m] * w[:, m]
            dw[:, m] += dout[n, m] * rows[n]
            db[m] += dout[n, m]
    return None if skip_dx else drows.reshape(x.shape), None if skip_dw else dw, db


def affine_forward_fast(x, w, b):
    """The fast twin of `affine_forward_naive`: one matrix product."""
    x, w, b = _checked("affine_forward_fast", x, w, b)
    rows = contiguous(x).reshape(x.shape[0], -1)
    out = multiply(rows, w)
    out += b
    return out, (rows, x.shape, w)


def affine_backward_fast(dout, cache, skip_dx=False, skip_dw=False):
    """The fast twin of `affine_backward_naive`: two matrix products, unless they are skipped, and a sum."""
    rows, shape, w = cache
    dout = contiguous(check.upstream("affine_backward_fast", dout, rows, (len(rows), w.shape[1])))
    dx = None if skip_dx else contiguous(multiply(dout, w.T)).reshape(shape)
    dw = None if skip_dw else multiply(rows.T, dout)
    db = column_sums(dout)
    return dx, dw, db


affine_forward = affine_forward_fast
affine_backward = affine_backward_fast


def _checked(where, x, w, b):
    x, w, b = check.floats(where, x=x, w=w, b=b)
    if x.ndim < 2:
        raise ValueError(f"{where}: x has shape {x.shape}; it must have two axes or more (N, d_1, ..., d_k)")
    check.not_empty(where, "x", x)
    D = x[0].size
    if w.ndim != 2 or w.shape[0] != D or w.shape[1] == 0:
        raise ValueError(
            f"{where}: w has shape {w.shape}; it must be ({D}, M): a row for each number of a sample of x {x.shape}"
        )
    check.shape(where, "b", b, (w.shape[1],), "one bias for each column of w")
    return x, w, b
