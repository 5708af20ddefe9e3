"""Convolution: every filter slides over the image, and each stop is one dot product.

    out[n, k, i, j] = b[k] + sum over c, r, s of x_pad[n, c, i*stride + r*dilation, j*stride + s*dilation] * w[k, c,
    r, s]

(The field says convolution and means correlation: the filter is not flipped. It is flipped on the way back, in dx.)

The naive layers stop at every place (i, j) in turn. The fast ones hand the images, channels-last, to
`pellucid.kernels`, whose plan picks an algorithm by shape and type.
"""

from typing import NamedTuple

import numpy as np

from pellucid import check
from pellucid.kernels import convolution as kernels
from pellucid.kernels.geometry import Geometry
from pellucid.kernels.plan import ALGORITHMS
from pellucid.layers.channels_last import as_channels_last
from pellucid.layers.sums import column_sums
from pellucid.shapes import output_size, window

CONV_KEYS = ("stride", "pad", "dilation", "groups", "algorithm")


class ConvSettings(NamedTuple):
    """What ``conv_param`` says, with its defaults filled in."""

    stride: int
    pad: int
    dilation: int
    groups: int
    algorithm: str | None


def conv_settings(where, conv_param):
    """Read ``conv_param``: ``stride`` and ``pad`` are required, ``dilation`` and ``groups`` are 1 where absent."""
    check.known_keys(where, "conv_param", conv_param, CONV_KEYS, required=("stride", "pad"))
    algorithm = conv_param.get("algorithm")
    if algorithm is not None:
        check.one_of(where, "conv_param['algorithm']", algorithm, ALGORITHMS)
    return ConvSettings(
        stride=check.whole_number(where, "conv_param['stride']", conv_param["stride"], least=1),
        pad=check.whole_number(where, "conv_param['pad']", conv_param["pad"], least=0),
        dilation=check.whole_number(where, "conv_param['dilation']", conv_param.get("dilation", 1), least=1),
        groups=check.whole_number(where, "conv_param['groups']", conv_param.get("groups", 1), least=1),
        algorithm=algorithm,
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
        (1), pixels between neighbouring taps of a filter, ``groups`` (1): filter k sees only the k-th part of the
        channels, and ``algorithm``, which `conv_forward_fast` computes with ("direct" for the smallest rounding error;
        the plan chooses where it is absent).

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
    x, w, b, settings = conv_checked("conv_forward_naive", x, w, b, conv_param)
    stride, pad, dilation, groups, _ = settings
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


def conv_backward_naive(dout, cache, skip_dx=False, skip_dw=False, skip_db=False):
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
    skip_dx, skip_dw, skip_db : bool
        Do without a gradient: ``dx``, which nobody needs for the first layer of a network, ``dw`` of filters that stay
        as they are, ``db`` of a layer without a bias, or in front of batch norm, which takes any bias away again. None
        stands in its place.

    Returns
    -------
    dx : array (N, C, H, W)
    dw : array (F, C / groups, HH, WW)
    db : array (F,)
    """
    x, w, b, conv_param = cache[:4]
    stride, pad, dilation, groups, _ = conv_settings("conv_backward_naive", conv_param)
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
    return None if skip_dx else dx, None if skip_dw else dw, None if skip_db else db


def conv_forward_fast(x, w, b, conv_param):
    """The fast twin of `conv_forward_naive`: the same arguments and the same result, by compiled kernels.

    The result is channels-last in memory, seen as (N, F, H_out, W_out); a channels-last ``x`` is not copied. Which
    algorithm computes it, `pellucid explain conv` tells.
    """
    return convolve(x, w, b, conv_param)


def convolve(x, w, b, conv_param, relu=False):
    """What `conv_forward_fast` does; with ``relu``, negative results become zero before they reach memory."""
    x, w, b, settings = conv_checked("conv_forward_fast", x, w, b, conv_param)
    g = conv_geometry(x, w, settings)
    x, w = as_channels_last(x), np.ascontiguousarray(w)
    out = kernels.forward(x, w, np.ascontiguousarray(b), g, settings.algorithm, relu)
    return out.transpose(0, 3, 1, 2), (x.transpose(0, 3, 1, 2), w, b, conv_param)


def conv_backward_fast(dout, cache, skip_dx=False, skip_dw=False, skip_db=False):
    """The fast twin of `conv_backward_naive`: what is skipped is not computed."""
    x, w, b, conv_param = cache[:4]
    settings = conv_settings("conv_backward_fast", conv_param)
    g = conv_geometry(x, w, settings)
    dout = as_channels_last(check.upstream("conv_backward_fast", dout, x, (g.N, g.F, g.H_out, g.W_out)))
    dx = dw = db = None
    if not skip_dw:
        dw = kernels.filter_gradient(as_channels_last(x), dout, g, settings.algorithm)
    if not skip_dx:
        dx = kernels.input_gradient(dout, np.ascontiguousarray(w), g, settings.algorithm).transpose(0, 3, 1, 2)
    if not skip_db:
        db = column_sums(dout)
    return dx, dw, db


def conv_geometry(x, w, settings):
    """The sizes, as the kernels take them."""
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    return Geometry(N, C, H, W, F, HH, WW, settings.stride, settings.pad, settings.dilation, settings.groups)


def channels_of(k, F, C, groups):
    """The channels that filter k sees: those of its group, all of them where there is one group."""
    return _part(k * groups // F, C, groups)


def _part(g, count, groups):
    """The g-th of ``groups`` equal parts of ``count`` channels or filters."""
    return slice(g * (count // groups), (g + 1) * (count // groups))


def conv_checked(where, x, w, b, conv_param):
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
