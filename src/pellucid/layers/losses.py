"""Losses: how wrong the scores of a batch are, and which way they should move.

Softmax (cross-entropy): the scores become probabilities, and the loss is the mean of -log of the right class's.

    p[n, c] = exp(s[n, c]) / sum over k of exp(s[n, k])        loss = -mean over n of log p[n, y[n]]

Label smoothing (Szegedy et al. 2016, arXiv:1512.00567, section 7): the right class is believed only to 1 - smoothing,
the rest is spread evenly over all C classes, so that no score is pushed without end.

    q[n, c] = (1 - smoothing) [c is y[n]] + smoothing / C       loss = -mean over n of sum over c of q[n, c] log p[n, c]

SVM (hinge, Weston and Watkins 1999): every wrong class should score at least 1 below the right one.

    loss = mean over n of  sum over c != y[n] of  max(0, s[n, c] - s[n, y[n]] + 1)
"""

import numpy as np

from pellucid import check
from pellucid.kernels import losses as kernels
from pellucid.kernels import workspace
from pellucid.kernels.arrays import flat
from pellucid.kernels.rows import launch, parts_for


def softmax(x):
    """The probabilities of scores ``x`` (N, C), or of the channels of every pixel (N, C, H, W); they add up to 1.

    The losses have it inside. What is subtracted changes no probability, and keeps exp from overflowing.
    """
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def softmax_loss_naive(x, y):
    """Softmax loss and its gradient, sample by sample.

    Parameters
    ----------
    x : array (N, C)
        Scores.
    y : integer array (N,)
        The right classes, from 0 to C - 1.

    Returns
    -------
    loss : scalar of x's type
        Mean over the batch; log C where all scores are equal.
    dx : array (N, C)
        (p - [c is the right class]) / N.

    Raises
    ------
    ValueError, TypeError
        Labels out of range, of the wrong length or not integers; an empty batch.
    """
    x, y = _checked("softmax_loss_naive", x, y)
    N, C = x.shape
    loss, dx = x.dtype.type(0), np.zeros_like(x)
    for n in range(N):
        shifted = x[n] - np.max(x[n])  # changes no probability, and keeps exp from overflowing
        log_p = shifted - np.log(np.sum(np.exp(shifted)))
        loss += -log_p[y[n]] / N
        for c in range(C):
            dx[n, c] = (np.exp(log_p[c]) - (c == y[n])) / N
    return loss, dx


def softmax_loss_fast(x, y):
    """The fast twin of `softmax_loss_naive`: one walk over the scores."""
    x, y = _checked("softmax_loss_fast", x, y)
    return _softmax(x, y, 0.0)


def smoothed_softmax_loss_naive(x, y, smoothing=0.1):
    """Softmax loss with smoothed labels and its gradient, sample by sample.

    Everything else is as in `softmax_loss_naive`.

    Parameters
    ----------
    smoothing : float
        From 0, the softmax loss itself, to 1, where the labels say nothing.
    """
    x, y = _checked("smoothed_softmax_loss_naive", x, y)
    smoothing = check.number("smoothed_softmax_loss_naive", "smoothing", smoothing, least=0, most=1)
    N, C = x.shape
    loss, dx = x.dtype.type(0), np.zeros_like(x)
    for n in range(N):
        shifted = x[n] - np.max(x[n])
        log_p = shifted - np.log(np.sum(np.exp(shifted)))
        for c in range(C):
            q = smoothing / C + (1 - smoothing if c == y[n] else 0)
            loss += -q * log_p[c] / N
            dx[n, c] = (np.exp(log_p[c]) - q) / N
    return loss, dx


def smoothed_softmax_loss_fast(x, y, smoothing=0.1):
    """The fast twin of `smoothed_softmax_loss_naive`: one walk over the scores."""
    smoothing = check.number("smoothed_softmax_loss_fast", "smoothing", smoothing, least=0, most=1)
    x, y = _checked("smoothed_softmax_loss_fast", x, y)
    return _softmax(x, y, smoothing)


def _softmax(x, y, smoothing):
    N, C = x.shape
    dx = workspace.empty((N, C), x.dtype)
    losses = np.empty(parts_for(x.size))
    y, strength = np.ascontiguousarray(y, np.int64), np.array([smoothing], x.dtype)
    launch(kernels.softmax_loss, x.size, flat(np.ascontiguousarray(x)), flat(y), strength, N, C, flat(dx), losses)
    return x.dtype.type(losses.sum() / N), dx


def svm_loss_naive(x, y):
    """Multi-class SVM loss and its gradient, sample by sample and class by class.

    Parameters and results are those of `softmax_loss_naive`. At a margin of exactly zero the function has a kink; the
    gradient is taken to be zero there.
    """
    x, y = _checked("svm_loss_naive", x, y)
    N, C = x.shape
    loss, dx = x.dtype.type(0), np.zeros_like(x)
    for n in range(N):
        for c in range(C):
            if c == y[n]:
                continue
            margin = x[n, c] - x[n, y[n]] + 1
            loss += np.maximum(0, margin) / N
            if margin > 0:
                dx[n, c] += 1 / N
                dx[n, y[n]] -= 1 / N
    return loss, dx


def svm_loss_fast(x, y):
    """The fast twin of `svm_loss_naive`."""
    x, y = _checked("svm_loss_fast", x, y)
    N = x.shape[0]
    right = (np.arange(N), y)
    margins = np.maximum(x - x[right][:, None] + 1, 0)
    margins[right] = 0
    loss = margins.sum() / N
    dx = (margins > 0).astype(x.dtype)
    dx[right] = -dx.sum(axis=1)
    dx /= N
    return loss, dx


softmax_loss = softmax_loss_fast
smoothed_softmax_loss = smoothed_softmax_loss_fast
svm_loss = svm_loss_fast


class SmoothedSoftmaxLoss:
    """`smoothed_softmax_loss` with its smoothing: what a network takes as its ``loss_function``.

    Parameters
    ----------
    smoothing : float
        From 0 to 1.
    """

    def __init__(self, smoothing=0.1):
        self.smoothing = check.number("SmoothedSoftmaxLoss", "smoothing", smoothing, least=0, most=1)

    def __call__(self, x, y):
        """Scores (N, C) and labels (N,) -> loss, gradient for the scores."""
        return smoothed_softmax_loss(x, y, self.smoothing)

    def __repr__(self):
        return f"SmoothedSoftmaxLoss({self.smoothing!r})"


def _checked(where, x, y):
    (x,) = check.floats(where, x=x)
    check.rows(where, "x", x)
    return x, check.labels(where, "y", y, *x.shape)
