"""Pooling: each channel is made smaller by taking the largest value, or the mean, of each window.

The windows may overlap (stride below the window's size), leave gaps (stride above it) and need not tile the image: the
pixels beyond the last window are not seen, and get no gradient.

**Ties.** Where several pixels of a window share the maximum, the whole gradient goes to the first of them in scan order
(row by row), in the naive and the fast layer alike. So do Caffe (it keeps the index of the first maximum) and PyTorch.
The tutorial gives the full gradient to every one of them, so that a window of four equal pixels sends back four times
what it got. No choice passes a numerical check at a tie: the function has a kink there.
"""

import numpy as np

from pellucid import check
from pellucid.kernels import pooling as kernels
from pellucid.kernels import workspace
from pellucid.kernels.arrays import flat
from pellucid.kernels.rows import launch
from pellucid.layers.channels_last import as_channels_last
from pellucid.shapes import output_size, window

POOL_KEYS = ("pool_height", "pool_width", "stride")
SIDE_BY_SIDE = (2, 2, 2)
"""Height, width and stride of the windows that nearly every network uses; they have kernels of their own."""


def max_pool_forward_naive(x, pool_param):
    """Max pooling, stop by stop.

    Parameters
    ----------
    x : array (N, C, H, W)
    pool_param : dict
        ``pool_height`` and ``pool_width``, the size of the window, and ``stride``, pixels between neighbouring stops.

    Returns
    -------
    out : array (N, C, H_out, W_out)
        H_out = 1 + (H - pool_height) / stride, rounded down; W_out likewise.
    cache : tuple
        For `max_pool_backward_naive`.

    Raises
    ------
    ValueError, TypeError
        A window larger than the image, a stride below 1, an unknown or missing key.
    """
    x, (HH, WW, stride) = checked_pool("max_pool_forward_naive", x, pool_param)
    N, C, H, W = x.shape
    H_out = output_size(H, HH, stride)
    W_out = output_size(W, WW, stride)

    out = np.zeros((N, C, H_out, W_out), dtype=x.dtype)
    for i in range(H_out):
        for j in range(W_out):
            x_window = x[:, :, window(i, HH, stride), window(j, WW, stride)]  # (N, C, HH, WW)
            out[:, :, i, j] = np.max(x_window, axis=(2, 3))
    return out, (x, pool_param)


def max_pool_backward_naive(dout, cache):
    """The gradient of max pooling: each stop hands its gradient to the pixel that was the (first) maximum.

    Parameters
    ----------
    dout : array (N, C, H_out, W_out)
        Upstream gradient.
    cache : tuple
        From `max_pool_forward_naive`.

    Returns
    -------
    dx : array (N, C, H, W)
    """
    x, pool_param = cache
    HH, WW, stride = pool_settings("max_pool_backward_naive", pool_param)
    N, C, H, W = x.shape
    H_out = output_size(H, HH, stride)
    W_out = output_size(W, WW, stride)
    dout = check.upstream("max_pool_backward_naive", dout, x, (N, C, H_out, W_out))

    dx = np.zeros_like(x)
    for n in range(N):
        for c in range(C):
            for i in range(H_out):
                for j in range(W_out):
                    x_window = x[n, c, window(i, HH, stride), window(j, WW, stride)]
                    r, s = np.unravel_index(np.argmax(x_window), (HH, WW))  # the first maximum in scan order
                    dx[n, c, i * stride + r, j * stride + s] += dout[n, c, i, j]
    return dx


def max_pool_forward_fast(x, pool_param):
    """The fast twin of `max_pool_forward_naive`: one walk over the pixels, which notes which tap was the largest.

    The result is channels-last in memory, seen as (N, C, H_out, W_out).
    """
    x, (HH, WW, stride) = checked_pool("max_pool_forward_fast", x, pool_param)
    N, C, H, W = x.shape
    H_out = output_size(H, HH, stride)
    W_out = output_size(W, WW, stride)

    out = workspace.empty((N, H_out, W_out, C), x.dtype)
    taps = workspace.empty(out.shape, np.uint8 if HH * WW <= 256 else x.dtype)  # (N, H_out, W_out, C)
    sizes = N, H, W, C, HH, WW, stride, H_out, W_out
    launch(kernels.max_pool, x.size, flat(as_channels_last(x)), *sizes, flat(out), flat(taps))
    return out.transpose(0, 3, 1, 2), (taps, x.shape, x.dtype, (HH, WW, stride))


def max_pool_backward_fast(dout, cache):
    """The fast twin of `max_pool_backward_naive`: every pixel is written once."""
    taps, (N, C, H, W), dtype, (HH, WW, stride) = cache
    _, H_out, W_out, _ = taps.shape
    dx = workspace.empty((N, H, W, C), dtype)
    dout = as_channels_last(check.upstream("max_pool_backward_fast", dout, dx, (N, C, H_out, W_out)))
    if (HH, WW, stride) == SIDE_BY_SIDE:
        launch(kernels.unpool_2x2, dx.size, flat(dout), flat(taps), N, H, W, C, flat(dx))
    else:
        sizes = N, H, W, C, HH, WW, stride, H_out, W_out
        launch(kernels.unpool, dx.size, flat(dout), flat(taps), *sizes, flat(dx))
    return dx.transpose(0, 3, 1, 2)


def avg_pool_forward_naive(x, pool_param):
    """Average pooling, stop by stop: as `max_pool_forward_naive`, with the mean of each window."""
    x, (HH, WW, stride) = checked_pool("avg_pool_forward_naive", x, pool_param)
    N, C, H, W = x.shape
    H_out = output_size(H, HH, stride)
    W_out = output_size(W, WW, stride)

    out = np.zeros((N, C, H_out, W_out), dtype=x.dtype)
    for i in range(H_out):
        for j in range(W_out):
            x_window = x[:, :, window(i, HH, stride), window(j, WW, stride)]  # (N, C, HH, WW)
            out[:, :, i, j] = np.mean(x_window, axis=(2, 3))
    return out, (x.shape, x.dtype, pool_param)


def avg_pool_backward_naive(dout, cache):
    """The gradient of average pooling: each stop shares its gradient equally among the pixels that it saw.

    The arguments and the result are as of `max_pool_backward_naive`.
    """
    (N, C, H, W), dtype, pool_param = cache
    HH, WW, stride = pool_settings("avg_pool_backward_naive", pool_param)
    H_out = output_size(H, HH, stride)
    W_out = output_size(W, WW, stride)
    dx = np.zeros((N, C, H, W), dtype=dtype)
    dout = check.upstream("avg_pool_backward_naive", dout, dx, (N, C, H_out, W_out))

    for i in range(H_out):
        for j in range(W_out):
            share = dout[:, :, i, j][:, :, None, None] / (HH * WW)
            dx[:, :, window(i, HH, stride), window(j, WW, stride)] += share
    return dx


def avg_pool_forward_fast(x, pool_param):
    """The fast twin of `avg_pool_forward_naive`: one walk over the pixels; the result is channels-last in memory."""
    x, (HH, WW, stride) = checked_pool("avg_pool_forward_fast", x, pool_param)
    N, C, H, W = x.shape
    H_out = output_size(H, HH, stride)
    W_out = output_size(W, WW, stride)

    out = workspace.empty((N, H_out, W_out, C), x.dtype)
    sizes = N, H, W, C, HH, WW, stride, H_out, W_out
    launch(kernels.average_pool, x.size, flat(as_channels_last(x)), *sizes, flat(out))
    return out.transpose(0, 3, 1, 2), (x.dtype, sizes)


def avg_pool_backward_fast(dout, cache):
    """The fast twin of `avg_pool_backward_naive`: every pixel is written once."""
    dtype, sizes = cache
    N, H, W, C, HH, WW, stride, H_out, W_out = sizes
    dx = workspace.empty((N, H, W, C), dtype)
    dout = as_channels_last(check.upstream("avg_pool_backward_fast", dout, dx, (N, C, H_out, W_out)))
    launch(kernels.average_unpool, dx.size, flat(dout), *sizes, flat(dx))
    return dx.transpose(0, 3, 1, 2)


def pool_settings(where, pool_param):
    """Read ``pool_param``: pool_height, pool_width, stride."""
    check.known_keys(where, "pool_param", pool_param, POOL_KEYS, required=POOL_KEYS)
    HH, WW, stride = (check.whole_number(where, f"pool_param[{key!r}]", pool_param[key], least=1) for key in POOL_KEYS)
    return HH, WW, stride


def checked_pool(where, x, pool_param):
    """The images in a floating type, and the window's height, width and stride."""
    HH, WW, stride = pool_settings(where, pool_param)
    (x,) = check.floats(where, x=x)
    check.images(where, "x", x)
    pool_checked_size(where, x.shape[2:], (HH, WW, stride))
    return x, (HH, WW, stride)


def pool_checked_size(where, size, settings):
    """Rows and columns of what pooling leaves of an image of this size; an error where the window is larger."""
    HH, WW, stride = settings
    return check.window_fits(where, "the pooling window", size, (HH, WW), stride)
