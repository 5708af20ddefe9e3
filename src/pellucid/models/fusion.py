"""Which steps run together: the one place where the list that the user wrote becomes what is computed.

    convolution, ReLU, max pool     what is negative is cut off before it is written; the ReLU's gradient at pooled size
    convolution, max pool           what pooling drops is not written, where the convolution is one of Winograd's
    convolution, ReLU               what is negative is cut off before it is written
    batch norm, ReLU, max pool      one walk over the pixels; nothing of the images' size is written
    batch norm, ReLU/GELU/SiLU      one walk; the activation's input is never written

A pattern stands for a run of steps of exactly these classes; the first one that suits is taken, so longer ones come
first. The result and the gradients are those of the single steps, in fewer passes over memory. A pattern's steps have
no parameters but those of the first, whose names it keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any, NamedTuple

import numpy as np

from pellucid.layers import relu_backward, spatial_norm
from pellucid.layers.conv_pool import conv_pool_backward, convolve_and_pool
from pellucid.layers.convolution import convolve
from pellucid.models.norms import BatchNorm
from pellucid.models.plain import GELU, MaxPool, ReLU, SiLU
from pellucid.models.step import Params, Shape, Step
from pellucid.models.weighted import Conv


class Running(NamedTuple):
    """What runs: one step, or several in one."""

    name: str
    step: Step
    in_shape: Shape
    out_shape: Shape
    arrays: dict[str, str]
    """The names of its parameters in the chain by their short ones."""
    steps: int = 1
    """Of the user's list."""


class ConvReLU(Step):
    """Convolution, then ReLU."""

    def __init__(self, conv: Conv, relu: ReLU) -> None:
        self.conv = conv

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        out, cache = convolve(x, params["w"], self.conv.bias_of(params), self.conv.conv_param, relu=True)
        return out, (cache, out)

    def gradients(self, dout: np.ndarray, cache: Any, skip: Set[str]) -> tuple[Any, Params]:
        """See `Step.gradients`."""
        conv_cache, out = cache
        return self.conv.gradients(relu_backward(dout, out), conv_cache, skip)


class ConvReLUMaxPool(Step):
    """Convolution, then ReLU, then max pool."""

    def __init__(self, conv: Conv, relu: ReLU, pool: MaxPool) -> None:
        self.conv, self.pool = conv, pool

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        w, b = params["w"], self.conv.bias_of(params)
        out, cache = convolve_and_pool(x, w, b, self.conv.conv_param, self.pool.pool_param, relu=True)
        return out, (cache, out)

    def gradients(self, dout: np.ndarray, cache: Any, skip: Set[str]) -> tuple[Any, Params]:
        """See `Step.gradients`. A window's largest pixel was cut off if the result is zero."""
        conv_pool_cache, out = cache
        return self.conv.gradients_of(conv_pool_backward, relu_backward(dout, out), conv_pool_cache, skip)


class ConvMaxPool(Step):
    """Convolution, then max pool."""

    def __init__(self, conv: Conv, pool: MaxPool) -> None:
        self.conv, self.pool = conv, pool

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        return convolve_and_pool(x, params["w"], self.conv.bias_of(params), self.conv.conv_param, self.pool.pool_param)

    def gradients(self, dout: np.ndarray, cache: Any, skip: Set[str]) -> tuple[Any, Params]:
        """See `Step.gradients`."""
        return self.conv.gradients_of(conv_pool_backward, dout, cache, skip)


NORM_AND_ACTIVATION: dict[type[Step], tuple[Callable, Callable]] = {
    ReLU: (spatial_norm.bn_relu_forward_fast, spatial_norm.bn_relu_backward_fast),
    GELU: (spatial_norm.bn_gelu_forward_fast, spatial_norm.bn_gelu_backward_fast),
    SiLU: (spatial_norm.bn_silu_forward_fast, spatial_norm.bn_silu_backward_fast),
}


class BatchNormActivation(Step):
    """Batch norm, then ReLU, GELU or SiLU."""

    def __init__(self, norm: BatchNorm, activation: Step) -> None:
        self.norm = norm
        self.normalise, self.gradients_of = NORM_AND_ACTIVATION[type(activation)]

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        return self.norm.normalise(self.normalise, x, params, mode)

    def gradients(self, dout: np.ndarray, cache: Any, skip: Set[str]) -> tuple[Any, Params]:
        """See `Step.gradients`."""
        return self.norm.gradients_of(self.gradients_of, dout, cache)


class BatchNormReLUMaxPool(Step):
    """Batch norm, then ReLU, then max pool."""

    def __init__(self, norm: BatchNorm, relu: ReLU, pool: MaxPool) -> None:
        self.norm, self.pool = norm, pool

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        return self.norm.normalise(spatial_norm.bn_relu_pool_forward_fast, x, params, mode, self.pool.pool_param)

    def gradients(self, dout: np.ndarray, cache: Any, skip: Set[str]) -> tuple[Any, Params]:
        """See `Step.gradients`."""
        return self.norm.gradients_of(spatial_norm.bn_relu_pool_backward_fast, dout, cache)


PATTERNS: tuple[tuple[tuple[type[Step], ...], Callable[..., Step]], ...] = (
    ((Conv, ReLU, MaxPool), ConvReLUMaxPool),
    ((Conv, MaxPool), ConvMaxPool),
    ((Conv, ReLU), ConvReLU),
    ((BatchNorm, ReLU, MaxPool), BatchNormReLUMaxPool),
    ((BatchNorm, ReLU), BatchNormActivation),
    ((BatchNorm, GELU), BatchNormActivation),
    ((BatchNorm, SiLU), BatchNormActivation),
)

LONGEST = max(len(classes) for classes, _ in PATTERNS)
"""Steps in a pattern, at most."""


def fused(items: list[Running]) -> list[Running]:
    """The same steps, with those that a pattern knows in one."""
    result = []
    while items:
        result.append(first(items))
        items = items[result[-1].steps :]
    return result


def first(items: list[Running]) -> Running:
    """The first step, with those after it that it runs with."""
    for classes, together in PATTERNS:
        parts = items[: len(classes)]
        if tuple(type(item.step) for item in parts) == classes:
            step = together(*(item.step for item in parts))
            return Running(parts[0].name, step, parts[0].in_shape, parts[-1].out_shape, parts[0].arrays, len(parts))
    return items[0]
