"""The steps without parameters: activations, pooling, dropout, and what only rearranges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import check
from pellucid.layers import (
    avg_pool_backward_fast,
    avg_pool_forward_fast,
    dropout_backward,
    dropout_forward,
    gelu_backward,
    gelu_forward,
    max_pool_backward_fast,
    max_pool_forward_fast,
    relu_backward,
    relu_forward,
    silu_backward,
    silu_forward,
    softmax,
)
from pellucid.layers.channels_last import contiguous, zero_images
from pellucid.models.step import Params, Shape, Shapes, Step, image_shape, pair


class ReLU(Step):
    """max(0, x)."""

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        return relu_forward(x)

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return relu_backward(dout, cache), {}


class GELU(Step):
    """x times the share of a normal distribution below x."""

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        return gelu_forward(x)

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return gelu_backward(dout, cache), {}


class SiLU(Step):
    """x / (1 + exp(-x))."""

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        return silu_forward(x)

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return silu_backward(dout, cache), {}


@dataclass(repr=False, eq=False)
class _Pool(Step):
    """A window that slides over images; ``stride`` is the window's size where absent."""

    size: int | tuple[int, int] = 2
    stride: int | None = None

    def __post_init__(self) -> None:
        where = type(self).__name__
        height, width = pair(where, "size", self.size)
        if self.stride is not None:
            self.stride = check.whole_number(where, "stride", self.stride, least=1)
        elif height != width:
            raise ValueError(f"{where}: size is {self.size}, not square, so stride must be given")

    @property
    def pool_param(self) -> dict[str, int]:
        """What the layer's functions take."""
        height, width = pair(type(self).__name__, "size", self.size)
        return {"pool_height": height, "pool_width": width, "stride": self.stride or height}

    def plan(self, shape: Shape) -> tuple[Shape, Shapes]:
        """See `Step.plan`."""
        where = type(self).__name__
        C, H, W = image_shape(where, shape)
        height, width, stride = self.pool_param.values()
        return (C, *check.window_fits(where, "the pooling window", (H, W), (height, width), stride)), {}


class MaxPool(_Pool):
    """The largest value of each window of ``size`` (2) pixels, ``stride`` (as the size) pixels apart."""

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        return max_pool_forward_fast(x, self.pool_param)

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return max_pool_backward_fast(dout, cache), {}


class AvgPool(_Pool):
    """The mean of each window of ``size`` (2) pixels, ``stride`` (as the size) pixels apart."""

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        return avg_pool_forward_fast(x, self.pool_param)

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return avg_pool_backward_fast(dout, cache), {}


class _GlobalPool(Step):
    """One window that sees the whole image: (C, H, W) -> (C,)."""

    def plan(self, shape: Shape) -> tuple[Shape, Shapes]:
        """See `Step.plan`."""
        C, _, _ = image_shape(type(self).__name__, shape)
        return (C,), {}


class GlobalMaxPool(_GlobalPool):
    """The largest value of each channel: (C, H, W) -> (C,)."""

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        out, cache = max_pool_forward_fast(x, _whole(x))
        return out.reshape(out.shape[:2]), cache

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return max_pool_backward_fast(dout[:, :, None, None], cache), {}


class GlobalAvgPool(_GlobalPool):
    """The mean of each channel: (C, H, W) -> (C,)."""

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        out, cache = avg_pool_forward_fast(x, _whole(x))
        return out.reshape(out.shape[:2]), cache

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return avg_pool_backward_fast(dout[:, :, None, None], cache), {}


def _whole(x: np.ndarray) -> dict[str, int]:
    return {"pool_height": x.shape[2], "pool_width": x.shape[3], "stride": 1}


@dataclass(repr=False, eq=False)
class Dropout(Step):
    """In training, sets numbers to zero; does nothing at test time.

    Parameters
    ----------
    keep : float
        The probability to **keep** a number, as everywhere in the package; 1 keeps all.
    seed : int, optional
        Drop the same places at every step, for a gradient check. Where absent, the network's generator is drawn from.
    """

    keep: float
    seed: int | None = None

    def __post_init__(self) -> None:
        self.keep = check.number("Dropout", "keep, the probability to keep a number,", self.keep, above=0, most=1)
        if self.seed is not None:
            self.seed = check.whole_number("Dropout", "seed", self.seed)

    def build(self, shape: Shape, rng: Any) -> tuple[Shape, Params]:
        """See `Step.build`."""
        self._rng = rng
        return super().build(shape, rng)

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        if mode == "test" or self.keep == 1:
            return x, None
        rng = self._rng if self.seed is None else np.random.default_rng(self.seed)
        return dropout_forward(x, {"p": self.keep, "mode": mode, "rng": rng})

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return dout if cache is None else dropout_backward(dout, cache), {}


class Flatten(Step):
    """Every sample as one row, in the order channels, rows, columns. (`Affine` reads images so without it.)"""

    def plan(self, shape: Shape) -> tuple[Shape, Shapes]:
        """See `Step.plan`."""
        return (math.prod(shape),), {}

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        return contiguous(x).reshape(len(x), -1), x.shape

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return dout.reshape(cache), {}


class Softmax(Step):
    """exp(x) / sum(exp(x)) over the classes, or over the channels of every pixel.

    The losses of `pellucid.layers` have it inside; this is for networks from elsewhere that end in probabilities.
    """

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        out = softmax(x)
        return out, out

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`. With p = softmax(x): dx = p * (dout - sum(p * dout))."""
        return cache * (dout - np.sum(cache * dout, axis=1, keepdims=True)), {}


@dataclass(repr=False, eq=False)
class Scale(Step):
    """Everything times a fixed ``factor``."""

    factor: float

    def __post_init__(self) -> None:
        self.factor = check.number("Scale", "factor", self.factor)

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        return self.factor * x, None

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return self.factor * dout, {}


@dataclass(repr=False, eq=False)
class Subsample(Step):
    """Every ``stride``-th pixel, and channels of zeros behind those that come in, up to ``filters``.

    The shortcut without parameters of He et al. 2015 (arXiv:1512.03385, option A), where a block halves the image.
    """

    filters: int
    stride: int = 2

    def __post_init__(self) -> None:
        self.filters = check.whole_number("Subsample", "filters", self.filters, least=1)
        self.stride = check.whole_number("Subsample", "stride", self.stride, least=1)

    def plan(self, shape: Shape) -> tuple[Shape, Shapes]:
        """See `Step.plan`."""
        C, H, W = image_shape("Subsample", shape)
        if self.filters < C:
            raise ValueError(f"Subsample: filters is {self.filters}; it must be at least the {C} channels that come in")
        return (self.filters, -(-H // self.stride), -(-W // self.stride)), {}

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        seen = x[:, :, :: self.stride, :: self.stride]
        N, C, H, W = seen.shape
        out = zero_images((N, self.filters, H, W), x.dtype)
        out[:, :C] = seen
        return out, x.shape

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        dx = zero_images(cache, dout.dtype)
        dx[:, :, :: self.stride, :: self.stride] = dout[:, : cache[1]]
        return dx, {}
