"""The steps with weights: convolution and the affine layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import check
from pellucid.layers import affine_backward, affine_forward, conv_backward_fast, conv_forward_fast
from pellucid.models import initial
from pellucid.models.step import Params, Shape, Shapes, Step, image_shape, pair


@dataclass(repr=False, eq=False)
class Conv(Step):
    """Convolution: images (C, H, W) -> (filters, H_out, W_out).

    Parameters of the network: ``w`` (filters, C / groups, height, width), ``b`` (filters,).

    Parameters
    ----------
    filters : int
    size : int or (int, int)
        Height and width of a filter.
    stride, pad, dilation, groups : int
        As for `pellucid.layers.conv_forward`.
    bias : bool
        Leave it out in front of batch norm, which takes it away again.
    init : 'he', 'lecun', 'uniform', 'dirac', number or function
        How the filters start: see `pellucid.models.initial`. Biases start at zero.
    """

    filters: int
    size: int | tuple[int, int] = 3
    stride: int = 1
    pad: int = 0
    dilation: int = 1
    groups: int = 1
    bias: bool = True
    init: Any = "he"

    def __post_init__(self) -> None:
        self.filters = check.whole_number("Conv", "filters", self.filters, least=1)
        pair("Conv", "size", self.size)
        for name, least in (("stride", 1), ("pad", 0), ("dilation", 1), ("groups", 1)):
            setattr(self, name, check.whole_number("Conv", name, getattr(self, name), least=least))
        if self.filters % self.groups:
            raise ValueError(f"Conv: groups is {self.groups}; it must divide the {self.filters} filters")
        check.flag("Conv", "bias", self.bias)
        initial.checked("Conv", self.init, (*initial.NAMES, "dirac"))

    @property
    def conv_param(self) -> dict[str, int]:
        """What the layer's functions take."""
        return {"stride": self.stride, "pad": self.pad, "dilation": self.dilation, "groups": self.groups}

    def plan(self, shape: Shape) -> tuple[Shape, Shapes]:
        """See `Step.plan`."""
        C, H, W = image_shape("Conv", shape)
        size = pair("Conv", "size", self.size)
        if C % self.groups:
            raise ValueError(f"Conv: groups is {self.groups}; it must divide the {C} channels that come in")
        shapes: Shapes = {"w": (self.filters, C // self.groups, *size)}
        return (self.filters, *self._stops(H, W, size)), shapes | ({"b": (self.filters,)} if self.bias else {})

    def build(self, shape: Shape, rng: Any) -> tuple[Shape, Params]:
        """See `Step.build`."""
        out_shape, params = super().build(shape, rng)
        w_shape = params["w"].shape
        params["w"] = initial.weights("Conv", self.init, w_shape, math.prod(w_shape[1:]), rng)
        if self.init == "dirac":
            initial.hand_channels_on(params["w"], self.groups)
        return out_shape, params

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        return conv_forward_fast(x, params["w"], self.bias_of(params), self.conv_param)

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return self.gradients(dout, cache, frozenset())

    def gradients(self, dout: np.ndarray, cache: Any, skip: Set[str]) -> tuple[Any, Params]:
        """See `Step.gradients`."""
        return self.gradients_of(conv_backward_fast, dout, cache, skip)

    def gradients_of(self, backward: Callable, dout: np.ndarray, cache: Any, skip: Set[str]) -> tuple[Any, Params]:
        """What a layer's function that goes back through the convolution gives, by name."""
        skip_db = not self.bias or "b" in skip
        dx, dw, db = backward(dout, cache, "x" in skip, "w" in skip, skip_db)
        return dx, {"w": dw} if skip_db else {"w": dw, "b": db}

    def multiply_adds(self, shape: Shape) -> int:
        """See `Step.multiply_adds`."""
        C, H, W = image_shape("Conv", shape)
        size = pair("Conv", "size", self.size)
        taps = C // self.groups * math.prod(size)
        return self.filters * taps * math.prod(self._stops(H, W, size))

    def _stops(self, H: int, W: int, size: tuple[int, int]) -> tuple[int, int]:
        return check.window_fits("Conv", "the filter", (H, W), size, self.stride, self.pad, self.dilation)

    def bias_of(self, params: Params) -> np.ndarray:
        """The bias, zeros where there is none."""
        return params["b"] if self.bias else np.zeros(self.filters, params["w"].dtype)


@dataclass(repr=False, eq=False)
class Affine(Step):
    """The affine layer: everything of a sample, read as one row -> (units,).

    Parameters of the network: ``w`` (numbers a sample, units), ``b`` (units,).

    Parameters
    ----------
    units : int
    bias : bool
    init : 'he', 'lecun', 'uniform', number or function
        How the weights start: see `pellucid.models.initial`. Biases start at zero.
    """

    units: int
    bias: bool = True
    init: Any = "he"

    def __post_init__(self) -> None:
        self.units = check.whole_number("Affine", "units", self.units, least=1)
        check.flag("Affine", "bias", self.bias)
        initial.checked("Affine", self.init)

    def plan(self, shape: Shape) -> tuple[Shape, Shapes]:
        """See `Step.plan`."""
        shapes: Shapes = {"w": (math.prod(shape), self.units)}
        return (self.units,), shapes | ({"b": (self.units,)} if self.bias else {})

    def build(self, shape: Shape, rng: Any) -> tuple[Shape, Params]:
        """See `Step.build`."""
        out_shape, params = super().build(shape, rng)
        D, _ = w_shape = params["w"].shape
        params["w"] = initial.weights("Affine", self.init, w_shape, D, rng)
        return out_shape, params

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        b = params["b"] if self.bias else np.zeros(self.units, params["w"].dtype)
        return affine_forward(x, params["w"], b)

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return self.gradients(dout, cache, frozenset())

    def gradients(self, dout: np.ndarray, cache: Any, skip: Set[str]) -> tuple[Any, Params]:
        """See `Step.gradients`."""
        dx, dw, db = affine_backward(dout, cache, "x" in skip, "w" in skip)
        return dx, {"w": dw, "b": db} if self.bias else {"w": dw}

    def multiply_adds(self, shape: Shape) -> int:
        """See `Step.multiply_adds`."""
        return math.prod(shape) * self.units
