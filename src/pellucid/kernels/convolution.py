"""Convolution for the layers: the plan picks an algorithm, the result is made, the algorithm fills it.

Images come and go channels-last, (N, H, W, C) contiguous; filters (F, C / groups, HH, WW) contiguous.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pellucid.kernels import algorithms, plan
from pellucid.kernels.geometry import Geometry
from pellucid.kernels.workspace import empty

_FILTERS = {
    "winograd": algorithms.winograd_filters,
    "depthwise": algorithms.depthwise_filters,
    "direct": algorithms.direct_filters,
}
_BIND = {
    "winograd": algorithms.bind_winograd,
    "depthwise": algorithms.bind_depthwise,
    "direct": algorithms.bind_direct,
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


def prepared_algorithm(g: Geometry, dtype: np.dtype, algorithm: str | None = None) -> str:
    """What `prepare` would lay filters out for."""
    return plan.choose("forward", g, dtype, algorithm, prepared=True).algorithm


class Filters(NamedTuple):
    """Filters laid out for an algorithm, so that many images can be convolved without doing it again."""

    algorithm: str
    numbers: np.ndarray


def prepare(w: np.ndarray, g: Geometry, algorithm: str | None = None, prepared: bool = True) -> Filters:
    """Lay filters (F, C / groups, HH, WW) out for convolutions of this geometry, however many images there are.

    prepared : whether they will be used more than once; then laying them out does not count when the plan chooses.
    """
    name = plan.choose("forward", g, w.dtype, algorithm, prepared).algorithm
    return Filters(name, _FILTERS[name](w, g))


def forward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, g: Geometry, algorithm: str | None = None, relu: bool = False
) -> np.ndarray:
    """(N, H, W, C), (F, C / groups, HH, WW), (F,) -> (N, H_out, W_out, F); with ``relu``, at least 0."""
    out = empty((g.N, g.H_out, g.W_out, g.F), x.dtype)
    if out.size:
        bind(prepare(w, g, algorithm, prepared=False), b, g, relu)(x, out)
    return out


def bind(filters: Filters, b: np.ndarray, g: Geometry, relu: bool = False) -> algorithms.Bound:
    """``run(x, out)``: `forward` with prepared filters, all tables and scratch memory made once."""
    return _BIND[filters.algorithm](filters.numbers, b, g, relu)


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


def pools(direction: str, g: Geometry, dtype: np.dtype, algorithm: str | None = None) -> bool:
    """Whether this direction can be computed without the image between a convolution and 2 x 2 max pooling."""
    return g.pad == 1 and g.HH == 3 and plan.choose(direction, g, dtype, algorithm).algorithm == "winograd"


def forward_and_pool(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, g: Geometry, relu: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """What 2 x 2 max pooling leaves of `forward`, where it `pools`: numbers and taps (N, H_out // 2, W_out // 2, F)."""
    out = empty((g.N, g.H_out // 2, g.W_out // 2, g.F), x.dtype)
    taps = empty(out.shape, np.uint8)
    algorithms.bind_winograd(algorithms.winograd_filters(w, g), b, g, relu)(x, out, out_taps=taps)
    return out, taps


def pooled_input_gradient(dout: np.ndarray, taps: np.ndarray, w: np.ndarray, g: Geometry) -> np.ndarray:
    """`input_gradient`, where it `pools`, for the gradient of what pooling left, (N, H_out // 2, W_out // 2, F)."""
    dx = empty((g.N, g.H, g.W, g.C), dout.dtype)
    algorithms.winograd_input_gradient(dout, w, g, dx, taps)
    return dx


def pooled_filter_gradient(x: np.ndarray, dout: np.ndarray, taps: np.ndarray, g: Geometry) -> np.ndarray:
    """`filter_gradient`, where it `pools`, for the gradient of what pooling left."""
    dw = empty((g.F, g.C, g.HH, g.WW), x.dtype)
    algorithms.winograd_filter_gradient(x, dout, g, dw, taps)
    return dw
