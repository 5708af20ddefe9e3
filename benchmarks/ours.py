"""Our side of every comparison: what the package offers, and nothing faster than a user could write.

Everything that a row of the table runs is called from this file, inside of a workspace as a model has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.case import Runner
from benchmarks.networks import CLASSES, Network, Residual, Sandwich
from pellucid import layers
from pellucid.kernels import convolution as conv_kernels
from pellucid.kernels.geometry import Geometry
from pellucid.kernels.workspace import Workspace
from pellucid.layers import spatial_norm
from pellucid.layers.channels_last import as_channels_last
from pellucid.layers.conv_pool import conv_pool_backward, convolve_and_pool
from pellucid.training import optim

Run = Callable[[], Any]
POOL_2 = {"pool_height": 2, "pool_width": 2, "stride": 2}


def images(rng: np.random.Generator, N: int, C: int, H: int) -> np.ndarray:
    """Random images (N, C, H, H), channels-last in memory, as our layers and the solver make them."""
    return rng.standard_normal((N, H, H, C), dtype=np.float32).transpose(0, 3, 1, 2)


def in_workspace(run: Run) -> Run:
    """The same, in a workspace of its own."""
    workspace = Workspace()

    def inside() -> Any:
        with workspace:
            return run()

    return inside


def convolution(direction: str, x: Any, w: Any, b: Any, dout: Any, conv_param: dict) -> Run:
    """One direction of a convolution. The layer gives both gradients together; each alone is asked of the kernels."""
    if direction == "forward":
        return in_workspace(lambda: layers.conv_forward_fast(x, w, b, conv_param)[0])
    (N, C, H, W), (F, _, HH, WW) = x.shape, w.shape
    g = Geometry(N, C, H, W, F, HH, WW, conv_param["stride"], conv_param["pad"], 1, conv_param["groups"])
    x, dout = as_channels_last(x), as_channels_last(dout)
    if direction == "input gradient":
        return in_workspace(lambda: conv_kernels.input_gradient(dout, w, g).transpose(0, 3, 1, 2))
    return in_workspace(lambda: conv_kernels.filter_gradient(x, dout, g))


def max_pool_forward(x: np.ndarray) -> Run:
    """2x2, stride 2."""
    return in_workspace(lambda: layers.max_pool_forward_fast(x, POOL_2)[0])


def max_pool_backward(x: np.ndarray, dout: np.ndarray) -> Run:
    """2x2, stride 2."""
    _, cache = layers.max_pool_forward_fast(x, POOL_2)
    return in_workspace(lambda: layers.max_pool_backward_fast(dout, cache))


def bn_relu_forward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> Run:
    """Spatial batch norm, then ReLU."""
    bn_param: dict = {"mode": "train"}
    return in_workspace(lambda: spatial_norm.bn_relu_forward_fast(x, gamma, beta, bn_param)[0])


def bn_relu_backward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, dout: np.ndarray) -> Run:
    """dx, dgamma, dbeta."""
    _, cache = spatial_norm.bn_relu_forward_fast(x, gamma, beta, {"mode": "train"})
    return in_workspace(lambda: spatial_norm.bn_relu_backward_fast(dout, cache))


def softmax_loss(x: np.ndarray, y: np.ndarray) -> Run:
    """Loss and gradient."""
    return in_workspace(lambda: layers.softmax_loss(x, y))


RULES: dict[str, tuple[Any, dict]] = {
    "Adam": (optim.adam, {"learning_rate": 1e-3}),
    "SGD-Nesterov": (optim.nesterov, {"learning_rate": 1e-2, "momentum": 0.9}),
}


def update(rule: str, w: np.ndarray, dw: np.ndarray) -> Runner:
    """One flat parameter, step after step; what is compared is the first step."""
    function, settings = RULES[rule]
    updater = Updater({"w": w}, function, settings)

    def step() -> None:
        updater.step({"w": dw})

    return Runner(in_workspace(step), lambda: function(w, dw, dict(settings))[0])


class Updater:
    """What the solver does with gradients: every parameter in place."""

    def __init__(self, params: dict[str, np.ndarray], rule: Any, settings: dict) -> None:
        self.params = {name: w.copy() for name, w in params.items()}
        self.rule = rule
        self.configs = {name: dict(settings) for name in params}

    def step(self, grads: dict[str, np.ndarray]) -> None:
        """Move every parameter."""
        for name, w in self.params.items():
            self.params[name], self.configs[name] = self.rule(w, grads[name], self.configs[name], out=w)


def pool_param(size: int) -> dict:
    """Windows side by side."""
    return {"pool_height": size, "pool_width": size, "stride": size}


def conv_param(sandwich: Sandwich) -> dict:
    """Stride 1."""
    return {"stride": 1, "pad": sandwich.pad}


class OurNetwork:
    """A network of layers' functions, as a model of the package would write it: `params` and `loss(x, y)`."""

    def __init__(self, network: Network, params: dict[str, np.ndarray]) -> None:
        self.network = network
        self.params = params
        self.bn_params: dict[str, dict] = {}
        self.workspace = Workspace()

    def loss(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, dict[str, np.ndarray]]:
        """The mean softmax loss and a gradient for each of `params`."""
        with self.workspace:
            return self._loss(x, y)

    def _loss(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, dict[str, np.ndarray]]:
        caches: list[Any] = []
        for i, step in enumerate(self.network.steps):
            if isinstance(step, Residual):
                first, first_cache = self._forward(f"{i}_first", step.first, x)
                second, second_cache = self._forward(f"{i}_second", step.second, first)
                x = x + second
                caches.append((first_cache, second_cache))
            else:
                x, cache = self._forward(str(i), step, x)
                caches.append(cache)
        pooled, pool_cache = layers.max_pool_forward_fast(x, pool_param(self.network.last_pool))
        factor = np.float32(self.network.factor)
        scores, linear_cache = layers.affine_forward_fast(pooled, self.params["linear"], np.zeros(CLASSES, np.float32))
        loss, dscores = layers.softmax_loss(factor * scores, y)

        grads: dict[str, np.ndarray] = {}
        dpooled, grads["linear"], _ = layers.affine_backward_fast(factor * dscores, linear_cache)
        dx = layers.max_pool_backward_fast(dpooled, pool_cache)
        for i, step in reversed(list(enumerate(self.network.steps))):
            if isinstance(step, Residual):
                dfirst = self._backward(f"{i}_second", step.second, dx, caches[i][1], grads)
                dx = dx + self._backward(f"{i}_first", step.first, dfirst, caches[i][0], grads)
            else:
                dx = self._backward(str(i), step, dx, caches[i], grads)
        return loss, grads

    def _forward(self, name: str, sandwich: Sandwich, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """One sandwich, and what its gradients need."""
        w, b = self.params[f"{name}_w"], self.params[f"{name}_b"]
        if not sandwich.norm:
            out, conv_cache = layers.conv_forward_fast(x, w, b, conv_param(sandwich))
            out, activation_cache = self._activation("forward")(out)
            return out, (conv_cache, activation_cache)
        no_bias, ones = np.zeros(len(b), np.float32), np.ones(len(b), np.float32)
        gamma = self.params.get(f"{name}_gamma", ones)
        bn_param = self.bn_params.setdefault(name, {"mode": "train", "eps": self.network.eps})
        if self.network.activation == "relu" and not sandwich.pool:
            return layers.conv_bn_relu_forward(x, w, no_bias, gamma, b, conv_param(sandwich), bn_param)
        if self.network.activation == "relu" and not sandwich.pool_first:
            pool = pool_param(sandwich.pool)
            return layers.conv_bn_relu_pool_forward(x, w, no_bias, gamma, b, conv_param(sandwich), bn_param, pool)
        if sandwich.pool:
            out, cache = convolve_and_pool(x, w, no_bias, conv_param(sandwich), pool_param(sandwich.pool))
        else:
            out, cache = layers.conv_forward_fast(x, w, no_bias, conv_param(sandwich))
        out, bn_cache = self._norm_and_activation("forward")(out, gamma, b, bn_param)
        return out, (cache, bn_cache)

    def _backward(self, name: str, sandwich: Sandwich, dout: Any, cache: Any, grads: dict) -> np.ndarray:
        """Fills in the sandwich's gradients and returns dx; nobody needs the first one's, for the images."""
        skip_dx = name == "0"
        if not sandwich.norm:
            dout = self._activation("backward")(dout, cache[1])
            dx, grads[f"{name}_w"], grads[f"{name}_b"] = layers.conv_backward_fast(dout, cache[0], skip_dx)
            return dx
        if self.network.activation == "relu" and not sandwich.pool_first:
            backward = layers.conv_bn_relu_pool_backward if sandwich.pool else layers.conv_bn_relu_backward
            dx, dw, _, dgamma, dbeta = backward(dout, cache, skip_dx)
        else:
            conv_cache, bn_cache = cache
            dout, dgamma, dbeta = self._norm_and_activation("backward")(dout, bn_cache)
            if sandwich.pool:
                dx, dw, _ = conv_pool_backward(dout, conv_cache, skip_dx, skip_db=True)
            else:
                dx, dw, _ = layers.conv_backward_fast(dout, conv_cache, skip_dx, skip_db=True)
        grads[f"{name}_w"], grads[f"{name}_b"] = dw, dbeta
        if self.network.trained_scale:
            grads[f"{name}_gamma"] = dgamma
        return dx

    def _activation(self, direction: str) -> Any:
        return getattr(layers, f"{self.network.activation}_{direction}_fast")

    def _norm_and_activation(self, direction: str) -> Any:
        return getattr(spatial_norm, f"bn_{self.network.activation}_{direction}_fast")


def inference(network: Network, weights: dict[str, np.ndarray], x: np.ndarray) -> Run:
    """Scores of the folded network: its filters are laid out once, no cache is kept."""
    relu = network.activation == "relu"

    def prepared(name: str, step: Sandwich) -> Callable[[np.ndarray], np.ndarray]:
        activation = None if step.pool and not relu else network.activation  # the 94 % network pools first
        convolve = layers.PreparedConvolution(weights[f"{name}_w"], weights[f"{name}_b"], conv_param(step), activation)

        def sandwich(x: np.ndarray) -> np.ndarray:
            out = convolve(x)
            if step.pool:
                out, _ = layers.max_pool_forward_fast(out, pool_param(step.pool))
            return out if activation else layers.gelu_forward_fast(out)[0]

        return sandwich

    steps: list[Any] = []
    for i, step in enumerate(network.steps):
        if isinstance(step, Residual):
            steps.append((prepared(f"{i}_first", step.first), prepared(f"{i}_second", step.second)))
        else:
            steps.append(prepared(str(i), step))

    def scores() -> np.ndarray:
        out = x
        for step in steps:
            out = out + step[1](step[0](out)) if isinstance(step, tuple) else step(out)
        out, _ = layers.max_pool_forward_fast(out, pool_param(network.last_pool))
        return layers.affine_forward_fast(out, weights["linear"], np.zeros(CLASSES, np.float32))[0]

    return in_workspace(scores)
