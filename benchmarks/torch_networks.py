"""PyTorch's side of whole networks: from the same description, with the same numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.case import Runner
from benchmarks.networks import Network, Residual, Sandwich, places

ACTIVATIONS: dict[str, Any] = {"relu": functools.partial(F.relu, inplace=True), "gelu": F.gelu}


class DeepNetwork(torch.nn.Module):
    """One of the two deep networks, in training mode; with `is_folded`, without its batch norm."""

    def __init__(self, network: Network, params: dict[str, np.ndarray], is_folded: bool = False) -> None:
        super().__init__()
        self.network = network
        self.is_folded = is_folded
        for name, value in params.items():
            self.register_parameter(
                name, torch.nn.Parameter(torch.from_numpy(value.copy()), requires_grad=not is_folded)
            )
        for name, sandwich, _, _ in places(network):
            self.register_buffer(f"{name}_mean", torch.zeros(sandwich.filters))
            self.register_buffer(f"{name}_var", torch.ones(sandwich.filters))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores."""
        for i, step in enumerate(self.network.steps):
            if isinstance(step, Residual):
                x = x + self._sandwich(f"{i}_second", step.second, self._sandwich(f"{i}_first", step.first, x))
            else:
                x = self._sandwich(str(i), step, x)
        x = F.max_pool2d(x, self.network.last_pool).flatten(1) @ self.linear
        return x if self.is_folded else x * self.network.factor

    def _sandwich(self, name: str, sandwich: Sandwich, x: torch.Tensor) -> torch.Tensor:
        activation = ACTIVATIONS[self.network.activation]
        normalise = sandwich.norm and not self.is_folded
        w, b = getattr(self, f"{name}_w"), getattr(self, f"{name}_b")
        x = F.conv2d(x, w, None if normalise else b, padding=sandwich.pad)
        if sandwich.pool and sandwich.pool_first:
            x = F.max_pool2d(x, sandwich.pool)
        if normalise:
            running = getattr(self, f"{name}_mean"), getattr(self, f"{name}_var")
            gamma = getattr(self, f"{name}_gamma", None)
            x = F.batch_norm(x, *running, gamma, b, training=True, eps=self.network.eps)
        x = activation(x)
        return F.max_pool2d(x, sandwich.pool) if sandwich.pool and not sandwich.pool_first else x


class TutorialNetwork(torch.nn.Module):
    """convolution - ReLU - 2x2 max pool - linear - ReLU - linear, with the weights of a ThreeLayerConvNet."""

    def __init__(self, params: dict[str, np.ndarray]) -> None:
        super().__init__()
        for name, value in params.items():
            self.register_parameter(name, torch.nn.Parameter(torch.from_numpy(value.copy())))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores."""
        x = F.max_pool2d(F.relu(F.conv2d(x, self.W1, self.b1, padding=self.W1.shape[2] // 2)), 2)
        hidden = F.relu(torch.addmm(self.b2, x.flatten(1), self.W2))
        return torch.addmm(self.b3, hidden, self.W3)


def optimizer(rule: str, parameters: Any) -> torch.optim.Optimizer:
    """The fused form of the rule."""
    if rule == "Adam":
        return torch.optim.Adam(parameters, lr=1e-6, fused=True)
    return torch.optim.SGD(parameters, lr=1e-6, momentum=0.9, nesterov=True, fused=True)


Batch = tuple[np.ndarray, np.ndarray]


def step(module: torch.nn.Module, batch: Batch, small: list[Batch], rule: str, variant: str) -> Runner:
    """A training step; what is compared is losses and gradients, of the batch and of small ones, before any update.

    variant : "NCHW", "channels_last" or "compile" (channels_last and compiled, for the one size of batch)
    """
    layout = torch.contiguous_format if variant == "NCHW" else torch.channels_last
    module = module.to(memory_format=layout)
    forward: Callable[..., torch.Tensor] = module
    if variant == "compile":
        torch._dynamo.reset()
        forward = torch.compile(module, dynamic=False)
        small = []
    update = optimizer(rule, module.parameters())

    def tensors(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = (torch.from_numpy(np.ascontiguousarray(array)) for array in batch)
        return x.contiguous(memory_format=layout), y

    def backward(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        update.zero_grad(set_to_none=True)
        loss = F.cross_entropy(forward(x), y)
        loss.backward()
        return loss

    x, y = tensors(batch)

    def run() -> None:
        backward(x, y)
        update.step()

    def gradients(batch: Batch) -> Any:
        loss = backward(*tensors(batch))
        return loss.detach(), {name: weights.grad.clone() for name, weights in module.named_parameters()}

    def outputs() -> Any:
        return [gradients(each) for each in (batch, *small)]

    return Runner(run, outputs)


def inference(network: Network, weights: dict[str, np.ndarray], x: np.ndarray, compiled: bool) -> dict[str, Runner]:
    """Scores of the folded network; compiled as it is and "frozen", where filters are laid out once and for all."""
    nchw, last = _both_layouts(x)

    def module() -> torch.nn.Module:
        return DeepNetwork(network, weights, is_folded=True).eval()

    in_channels_last = module().to(memory_format=torch.channels_last)
    runners = {
        "NCHW": Runner(_no_grad(module(), nchw)),
        "channels_last": Runner(_no_grad(in_channels_last, last)),
    }
    if compiled:
        torch._dynamo.reset()
        frozen = module().to(memory_format=torch.channels_last)
        runners["compile"] = Runner(_no_grad(torch.compile(in_channels_last, dynamic=False), last))
        frozen = torch.compile(frozen, dynamic=False, options={"freezing": True})
        runners["compile, frozen"] = Runner(_no_grad(frozen, last))
    return runners


def _no_grad(module: Callable[..., torch.Tensor], x: torch.Tensor) -> Callable[[], torch.Tensor]:
    @torch.no_grad()
    def scores() -> torch.Tensor:
        return module(x)

    return scores


def _both_layouts(x: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    nchw = torch.from_numpy(np.ascontiguousarray(x))
    return nchw, nchw.contiguous(memory_format=torch.channels_last)
