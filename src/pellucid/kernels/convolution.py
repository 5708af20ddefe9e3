"""Convolution for the layers: the plan picks an algorithm, the result is made, the algorithm fills it.

Images come and go channels-last, (N, H, W, C) contiguous; filters (F, C / groups, HH, WW) contiguous.
"""

from __future__ import annotations

import numpy as np

from pellucid.kernels import algorithms, plan
from pellucid.kernels.geometry import Geometry
from pellucid.kernels.workspace import empty

_FORWARD = {
    "winograd": algorithms.winograd_forward,
    "depthwise": algorithms.depthwise_forward,
    "direct": algorithms.direct_forward,
}
_INPUT_GRADIENT = {
    "winograd": algorithms.winograd_input_gradient,
    "depthwise": algorithms.depthwise_input_gradient,
    "scatter": algorithms.scatter_input_gradient,
    "direct": algorithms.direct_input_gradient,
}
_FILTER_GRADIENT = {
    "winograd": algorithms.winograd_filter_gradient,
    "depthwise": algorithms.depthwise_filter_gradient,
    "direct": algorithms.direct_filter_gradient,
}


def forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, g: Geometry, algorithm: str | None = None) -> np.ndarray:
    """(N, H, W, C), (F, C / groups, HH, WW), (F,) -> (N, H_out, W_out, F)."""
    out = empty((g.N, g.H_out, g.W_out, g.F), x.dtype)
    if out.size:
        _FORWARD[plan.choose("forward", g, x.dtype, algorithm).algorithm](x, w, b, g, out)
    return out


def input_gradient(dout: np.ndarray, w: np.ndarray, g: Geometry, algorithm: str | None = None) -> np.ndarray:
    """(N, H_out, W_out, F), (F, C / groups, HH, WW) -> (N, H, W, C)."""
    dx = empty((g.N, g.H, g.W, g.C), dout.dtype)
    if dx.size:
        _INPUT_GRADIENT[plan.choose("input_gradient", g, dout.dtype, algorithm).algorithm](dout, w, g, dx)
    return dx


def filter_gradient(x: np.ndarray, dout: np.ndarray, g: Geometry, algorithm: str | None = None) -> np.ndarray:
    """(N, H, W, C), (N, H_out, W_out, F) -> (F, C / groups, HH, WW)."""
    dw = empty((g.F, g.C // g.groups, g.HH, g.WW), x.dtype)
    if x.size:
        _FILTER_GRADIENT[plan.choose("filter_gradient", g, x.dtype, algorithm).algorithm](x, dout, g, dw)
    else:
        dw.fill(0)
    return dw
