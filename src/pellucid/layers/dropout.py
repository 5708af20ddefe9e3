"""Inverted dropout: in training each number is kept with probability p and divided by p, or set to zero.

Dividing by p while training keeps the expected output at x, so that nothing has to be done at test time.

``p`` is the probability to **keep**, as in the course from 2018 on; until 2017 it was the probability to drop.
"""

import numpy as np

from pellucid import check, draws

DROPOUT_KEYS = ("p", "mode", "seed", "rng")


def dropout_forward_naive(x, dropout_param):
    """Dropout, element by element.

    Parameters
    ----------
    x : array of any shape
    dropout_param : dict
        ``p``, the probability to keep a number, above 0 and at most 1; ``mode``, 'train' or 'test'; optionally ``rng``,
        a `numpy.random.Generator` to draw from, or ``seed``: as in the course, NumPy's global state is seeded with it
        before the draw, which makes the layer repeatable for a gradient check. Without both, the global state is used.

    Returns
    -------
    out : array of the same shape
    cache : tuple
        For `dropout_backward_naive`.
    """
    x, p, mode, keep = _checked("dropout_forward_naive", x, dropout_param)
    if mode == "test":
        return x.copy(), (mode, None)
    mask = np.zeros_like(x)
    out = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        mask[index] = 1 / p if keep[index] else 0
        out[index] = x[index] * mask[index]
    return out, (mode, mask)


def dropout_backward_naive(dout, cache):
    """The gradient of dropout: what was kept was multiplied by 1 / p, so its gradient is too.

    Parameters
    ----------
    dout : array of the shape of x
        Upstream gradient.
    cache : tuple
        From `dropout_forward_naive`.

    Returns
    -------
    dx : array of the same shape
    """
    mode, mask = cache
    if mode == "test":
        return np.array(dout)
    dout = check.upstream("dropout_backward_naive", dout, mask, mask.shape)
    dx = np.zeros_like(mask)
    for index in np.ndindex(dx.shape):
        dx[index] = dout[index] * mask[index]
    return dx


def dropout_forward_fast(x, dropout_param):
    """The fast twin of `dropout_forward_naive`: it draws the same numbers, so it keeps the same places."""
    x, p, mode, keep = _checked("dropout_forward_fast", x, dropout_param)
    if mode == "test":
        return x.copy(), (mode, None)
    mask = keep.astype(x.dtype)
    mask *= 1 / p
    return x * mask, (mode, mask)


def dropout_backward_fast(dout, cache):
    """The fast twin of `dropout_backward_naive`."""
    mode, mask = cache
    if mode == "test":
        return np.array(dout)
    return check.upstream("dropout_backward_fast", dout, mask, mask.shape) * mask


dropout_forward = dropout_forward_fast
dropout_backward = dropout_backward_fast


def _checked(where, x, dropout_param):
    """x, p, the mode, and in training the places to keep."""
    check.known_keys(where, "dropout_param", dropout_param, DROPOUT_KEYS, required=("p", "mode"))
    (x,) = check.floats(where, x=x)
    check.not_empty(where, "x", x)
    p = check.number(where, "dropout_param['p'], the probability to keep,", dropout_param["p"], above=0, most=1)
    mode = dropout_param["mode"]
    check.one_of(where, "dropout_param['mode']", mode, ("train", "test"))
    return x, p, mode, _places_to_keep(where, x.shape, p, dropout_param) if mode == "train" else None


def _places_to_keep(where, shape, p, dropout_param):
    rng = draws.generator(where, dropout_param.get("rng"))
    seed = dropout_param.get("seed")
    if rng is None and seed is not None:
        np.random.seed(check.whole_number(where, "dropout_param['seed']", seed))
    return draws.uniform(rng, shape) < p
