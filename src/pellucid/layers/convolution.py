"""Convolution: every filter slides over the image, and each stop is one dot product.

    out[n, k, i, j] = b[k] + sum over c, r, s of x_pad[n, c, i*stride + r*dilation, j*stride + s*dilation] * w[k, c,
    r, s]

(The field says convolution and means correlation: the filter is not flipped. It is flipped on the way back, in dx.)

The naive layers stop at every place (i, j) in turn. The fast ones lay all that the windows see side by side, one row a
stop, so that the whole layer becomes one large matrix product ("im2col").
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pellucid import check
from pellucid.layers.channels_last import as_channels_last, blocks_of_images, pad_channels_last
from pellucid.layers.sums import column_sums
from pellucid.shapes import output_size, span, tap, window

CONV_KEYS = ("stride", "pad", "dilation", "groups")


class ConvSettings(NamedTuple):
    """What ``conv_param`` says, with its defaults filled in."""

    stride: int
    pad: int
    dilation: int
    groups: int


def conv_settings(where, conv_param):
    """Read ``conv_param``: ``stride`` and ``pad`` are required, ``dilation`` and ``groups`` are 1 where absent."""
    check.known_keys(where, "conv_param", conv_param, CONV_KEYS, required=("stride", "pad"))
    return ConvSettings(
        stride=check.whole_number(where, "conv_param['stride']", conv_param["stride"], least=1),
        pad=check.whole_number(where, "conv_param['pad']", conv_param["pad"], least=0),
        dilation=check.whole_number(where, "conv_param['dilation']", conv_param.get("dilation", 1), least=1),
        groups=check.whole_number(where, "conv_param['groups']", conv_param.get("groups", 1), least=1),
    )


def conv_forward_naive(x, w, b, conv_param):
    """Convolve N images with F filters: the forward pass, stop by stop.

    Parameters
    ----------
    x : array (N, C, H, W)
        Images.
    w : array (F, C / groups, HH, WW)
        Filters, of any height and width.
    b : array (F,)
        One bias a filter.
    conv_param : dict
        ``stride``, pixels between neighbouring stops, and ``pad``, zeros around each image; optionally ``dilation``
        (1), pixels between neighbouring taps of a filter, and ``groups`` (1): filter k sees only the k-th part of the
        channels.

    Returns
    -------
    out : array (N, F, H_out, W_out)
        H_out = 1 + (H + 2 pad - HH) / stride, rounded down; W_out likewise. float32 in gives float32 out.
    cache : tuple
        For `conv_backward_naive`.

    Raises
    ------
    ValueError, TypeError
        Shapes that do not go together, a filter larger than the padded image, a stride below 1, an unknown key.
    """
    x, w, b, settings = _checked("conv_forward_naive", x, w, b, conv_param)
    stride, pad, dilation, groups = settings
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out = output_size(H, HH, stride, pad, dilation)
    W_out = output_size(W, WW, stride, pad, dilation)

    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.zeros((N, F, H_out, W_out), dtype=x.dtype)
    for i in range(H_out):
        for j in range(W_out):
            x_window = x_pad[:, :, window(i, HH, stride, dilation), window(j, WW, stride, dilation)]  # (N, C, HH, WW)
            for k in range(F):
                seen = channels_of(k, F, C, groups)
                out[:, k, i, j] = np.sum(x_window[:, seen] * w[k], axis=(1, 2, 3))
    out += b[:, None, None]
    return out, (x, w, b, conv_param)


def conv_backward_naive(dout, cache):
    """The gradients of a convolution, stop by stop.

    Every stop hands its upstream gradient, times what it multiplied by, to both of its factors: dw collects
    ``x_window * dout`` and dx collects ``w * dout``. Summed over all stops, dx is the convolution of dout with the
    filters turned by 180 degrees, and dw the correlation of x with dout.

    Parameters
    ----------
    dout : array (N, F, H_out, W_out)
        Upstream gradient.
    cache : tuple
        From `conv_forward_naive`.

    Returns
    -------
    dx : array (N, C, H, W)
    dw : array (F, C / groups, HH, WW)
    db : array (F,)
    """
    x, w, b, conv_param = cache[:4]
    stride, pad, dilation, groups = conv_settings("conv_backward_naive", conv_param)
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out = output_size(H, HH, stride, pad, dilation)
    W_out = output_size(W, WW, stride, pad, dilation)
    dout = check.upstream("conv_backward_naive", dout, x, (N, F, H_out, W_out))

    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dx_pad = np.zeros_like(x_pad)
    dw = np.zeros_like(w)
    for i in range(H_out):
        for j in range(W_out):
            here = (
                slice(None),
                slice(None),
                window(i, HH, stride, dilation),
                window(j, WW, stride, dilation),
            )
            x_window, dx_window = x_pad[here], dx_pad[here]  # views, (N, C, HH, WW)
            for k in range(F):
                seen = channels_of(k, F, C, groups)
                delta = dout[:, k, i, j][:, None, None, None]
                dw[k] += np.sum(x_window[:, seen] * delta, axis=0)
                dx_window[:, seen] += w[k] * delta
    db = np.sum(dout, axis=(0, 2, 3))
    dx = dx_pad[:, :, pad : pad + H, pad : pad + W]
    return dx, dw, db


def conv_forward_fast(x, w, b, conv_param):
    """The fast twin of `conv_forward_naive`: the same arguments and the same result, by one matrix product a group.

    Works through the images a block at a time, so that the windows laid side by side stay a few megabytes. The result
    is channels-last in memory, seen as (N, F, H_out, W_out); a channels-last ``x`` is not copied.
    """
    x, w, b, settings = _checked("conv_forward_fast", x, w, b, conv_param)
    stride, pad, dilation, groups = settings
    N, C, H, W = x.shape
    F, C_seen, HH, WW = w.shape
    H_out = output_size(H, HH, stride, pad, dilation)
    W_out = output_size(W, WW, stride, pad, dilation)

    x_pad = pad_channels_last(x, pad)
    w_matrices = _filters_as_matrices(w, groups)
    out = np.empty((N, H_out, W_out, F), dtype=x.dtype)
    for block in blocks_of_images(N, H_out * W_out * HH * WW * C_seen * x.itemsize):
        for g, w_matrix in enumerate(w_matrices):
            columns = _columns(x_pad[block, :, :, _part(g, C, groups)], (HH, WW), stride, dilation)
            out[block, :, :, _part(g, F, groups)] = (columns @ w_matrix).reshape(-1, H_out, W_out, F // groups)
    out += b
    return out.transpose(0, 3, 1, 2), (x, w, b, conv_param)


def conv_backward_fast(dout, cache):
    """The fast twin of `conv_backward_naive`: two matrix products a group.

    dw is the transposed columns times dout. dx is dout times the transposed filters, which gives what every tap of
    every stop sends back; the taps are then added onto the pixels that they came from.
    """
    x, w, b, conv_param = cache[:4]
    stride, pad, dilation, groups = conv_settings("conv_backward_fast", conv_param)
    N, C, H, W = x.shape
    F, C_seen, HH, WW = w.shape
    H_out = output_size(H, HH, stride, pad, dilation)
    W_out = output_size(W, WW, stride, pad, dilation)
    dout = as_channels_last(check.upstream("conv_backward_fast", dout, x, (N, F, H_out, W_out)))

    x_pad = pad_channels_last(x, pad)
    w_matrices = _filters_as_matrices(w, groups)
    dx_pad = np.zeros_like(x_pad)
    dw_matrices = np.zeros_like(w_matrices)
    for block in blocks_of_images(N, H_out * W_out * HH * WW * C_seen * x.itemsize):
        for g, w_matrix in enumerate(w_matrices):
            seen = _part(g, C, groups)
            columns = _columns(x_pad[block, :, :, seen], (HH, WW), stride, dilation)
            delta = dout[block, :, :, _part(g, F, groups)].reshape(-1, F // groups)
            dw_matrices[g] += columns.T @ delta
            dcolumns = (delta @ w_matrix.T).reshape(-1, H_out, W_out, HH, WW, C_seen)
            for r in range(HH):
                for s in range(WW):
                    rows, cols = tap(r, H_out, stride, dilation), tap(s, W_out, stride, dilation)
                    dx_pad[block, rows, cols, seen] += dcolumns[:, :, :, r, s]
    dw = dw_matrices.reshape(groups, HH, WW, C_seen, F // groups).transpose(0, 4, 3, 1, 2).reshape(w.shape)
    db = column_sums(dout)
    dx = dx_pad[:, pad : pad + H, pad : pad + W].transpose(0, 3, 1, 2)
    return dx, dw, db


def channels_of(k, F, C, groups):
    """The channels that filter k sees: those of its group, all of them where there is one group."""
    return _part(k * groups // F, C, groups)


def _part(g, count, groups):
    """The g-th of ``groups`` equal parts of ``count`` channels or filters."""
    return slice(g * (count // groups), (g + 1) * (count // groups))


def _filters_as_matrices(w, groups):
    """Filters (F, C / groups, HH, WW) as ``groups`` matrices (HH * WW * C / groups, F / groups)."""
    F, C_seen, HH, WW = w.shape
    by_group = w.reshape(groups, F // groups, C_seen, HH, WW)
    return by_group.transpose(0, 3, 4, 2, 1).reshape(groups, HH * WW * C_seen, F // groups)


def _columns(x_pad, size_window, stride, dilation):
    """What every window sees, one row a stop: (N, H, W, C) -> (N * H_out * W_out, HH * WW * C)."""
    HH, WW = size_window
    windows = sliding_window_view(x_pad, (span(HH, dilation), span(WW, dilation)), axis=(1, 2))  # stride 1, a view
    windows = windows[:, ::stride, ::stride, :, ::dilation, ::dilation]  # (N, H_out, W_out, C, HH, WW)
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, HH * WW * x_pad.shape[3])


def _checked(where, x, w, b, conv_param):
    """The arrays in one floating type and the settings, once everything fits together."""
    settings = conv_settings(where, conv_param)
    x, w, b = check.floats(where, x=x, w=w, b=b)
    check.images(where, "x", x)
    if w.ndim != 4:
        raise ValueError(
            f"{where}: w has shape {w.shape}; it must have four axes (F, C, HH, WW): filters, channels, size"
        )
    check.not_empty(where, "w", w)
    (_, C, H, W), (F, C_seen, HH, WW) = x.shape, w.shape
    groups = settings.groups
    if C % groups or F % groups:
        raise ValueError(
            f"{where}: conv_param['groups'] is {groups}; it must divide the {C} channels of x and the {F} filters of w"
        )
    if C_seen != C // groups:
        share = f", {C // groups} a group" if groups > 1 else ""
        raise ValueError(f"{where}: w has {C_seen} input channels {w.shape} but x has {C} {x.shape}{share}")
    check.shape(where, "b", b, (F,), "one bias for each filter of w")
    check.window_fits(where, "the filter", (H, W), (HH, WW), settings.stride, settings.pad, settings.dilation)
    return x, w, b, settings
