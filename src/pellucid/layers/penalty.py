"""The L2 penalty on weights: 0.5 * reg * sum(w**2), and its gradient reg * w."""

import numpy as np

from pellucid.kernels import updates
from pellucid.kernels.arrays import flat
from pellucid.kernels.rows import parts_for


def add_l2_penalty(w, dw, reg):
    """Add the penalty's gradient to ``dw`` in place, in one walk over both, and return the penalty, a float.

    Parameters
    ----------
    w, dw : arrays of one shape and type
        Weights, and the gradient of the loss for them.
    reg : float
        Strength.
    """
    if not (w.flags.c_contiguous and dw.flags.c_contiguous and w.dtype == dw.dtype):
        dw += reg * w
        return 0.5 * reg * float(np.sum(np.square(w, dtype=np.float64)))
    parts = parts_for(w.size)
    squares = np.zeros(parts)
    updates.penalise(flat(w), flat(dw), np.array([reg], w.dtype), squares, parts)
    return 0.5 * reg * float(squares.sum())
