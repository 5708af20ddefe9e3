"""The steps that normalise: by channel over the batch, by sample, by groups of channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import check
from pellucid.layers import (
    layernorm_backward,
    layernorm_forward,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)
from pellucid.models.step import Params, Shape, Shapes, Step, image_shape


@dataclass(repr=False, eq=False)
class BatchNorm(Step):
    """Batch normalisation of every channel of images, or of every feature of rows, with running statistics for testing.

    Parameters of the network: ``gamma`` (C,), ``beta`` (C,).

    Parameters
    ----------
    momentum : float
        Of the running statistics: running = momentum * running + (1 - momentum) * batch's. (PyTorch counts the other
        way: its 0.1 is 0.9 here.)
    eps : float
        Added to the variance.
    scale, shift : bool
        Whether there is a gamma, a beta; else they are 1 and 0.
    """

    momentum: float = 0.9
    eps: float = 1e-5
    scale: bool = True
    shift: bool = True

    def __post_init__(self) -> None:
        self.momentum = check.number("BatchNorm", "momentum", self.momentum, least=0, most=1)
        self.eps = check.number("BatchNorm", "eps", self.eps, least=0)
        for name in ("scale", "shift"):
            check.flag("BatchNorm", name, getattr(self, name))

    def plan(self, shape: Shape) -> tuple[Shape, Shapes]:
        """See `Step.plan`."""
        if len(shape) not in (1, 3):
            raise ValueError(f"BatchNorm: what comes in has the shape {shape}; it must be (C, H, W) or (D,)")
        there = {"gamma": self.scale, "beta": self.shift}
        return shape, {short: shape[:1] for short, is_there in there.items() if is_there}

    def build(self, shape: Shape, rng: Any) -> tuple[Shape, Params]:
        """See `Step.build`."""
        out_shape, params = super().build(shape, rng)
        C = shape[0]
        self.bn_param = {  # type: ignore[misc]  # the class says that there may be none
            "mode": "train",
            "momentum": self.momentum,
            "eps": self.eps,
            "running_mean": np.zeros(C),
            "running_var": np.ones(C),  # not the course's 0, so that an untrained network can be looked at
        }
        return out_shape, params

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        return self.normalise(spatial_batchnorm_forward, x, params, mode)

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return self.gradients_of(spatial_batchnorm_backward, dout, cache)

    def normalise(
        self, forward: Callable, x: np.ndarray, params: Params, mode: str, *more: Any
    ) -> tuple[np.ndarray, Any]:
        """Call a layer's function that normalises images; rows are images of one pixel."""
        C = x.shape[1]
        gamma = params["gamma"] if self.scale else np.ones(C, x.dtype)
        beta = params["beta"] if self.shift else np.zeros(C, x.dtype)
        bn_param = self.bn_param if mode == "train" else {**(self.bn_param or {}), "mode": "test"}
        images = x if x.ndim == 4 else x[:, :, None, None]
        out, cache = forward(images, gamma, beta, bn_param, *more)
        return out if x.ndim == 4 else out.reshape(x.shape), cache

    def gradients_of(self, backward: Callable, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """The reverse of `normalise`."""
        images = dout if dout.ndim == 4 else dout[:, :, None, None]
        dx, dgamma, dbeta = backward(images, cache)
        grads = {"gamma": dgamma} if self.scale else {}
        return dx if dout.ndim == 4 else dx.reshape(dout.shape), {**grads, "beta": dbeta} if self.shift else grads


@dataclass(repr=False, eq=False)
class LayerNorm(Step):
    """Layer normalisation: every sample by itself, over all that it has.

    Parameters of the network: ``gamma``, ``beta``, both of the shape of a sample. ``eps`` is added to the variance.
    """

    eps: float = 1e-5

    def __post_init__(self) -> None:
        self.eps = check.number("LayerNorm", "eps", self.eps, least=0)

    def plan(self, shape: Shape) -> tuple[Shape, Shapes]:
        """See `Step.plan`."""
        return shape, {"gamma": shape, "beta": shape}

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        gamma, beta = params["gamma"].ravel(), params["beta"].ravel()
        out, cache = layernorm_forward(x.reshape(len(x), -1), gamma, beta, {"eps": self.eps})
        return out.reshape(x.shape), cache

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        dx, dgamma, dbeta = layernorm_backward(dout.reshape(len(dout), -1), cache)
        shape = dout.shape[1:]
        return dx.reshape(dout.shape), {"gamma": dgamma.reshape(shape), "beta": dbeta.reshape(shape)}


@dataclass(repr=False, eq=False)
class GroupNorm(Step):
    """Group normalisation of images: the channels of each image in ``groups`` groups, each by itself.

    Parameters of the network: ``gamma`` (C,), ``beta`` (C,). ``eps`` is added to the variance.
    """

    groups: int
    eps: float = 1e-5

    def __post_init__(self) -> None:
        self.groups = check.whole_number("GroupNorm", "groups", self.groups, least=1)
        self.eps = check.number("GroupNorm", "eps", self.eps, least=0)

    def plan(self, shape: Shape) -> tuple[Shape, Shapes]:
        """See `Step.plan`."""
        C, _, _ = image_shape("GroupNorm", shape)
        if C % self.groups:
            raise ValueError(f"GroupNorm: groups is {self.groups}; it must divide the {C} channels that come in")
        return shape, {"gamma": (C,), "beta": (C,)}

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        return spatial_groupnorm_forward(x, params["gamma"], params["beta"], self.groups, {"eps": self.eps})

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        dx, dgamma, dbeta = spatial_groupnorm_backward(dout, cache)
        return dx, {"gamma": dgamma, "beta": dbeta}
