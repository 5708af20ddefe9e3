"""What moves more than it computes: max pool, spatial batch norm with ReLU, softmax loss."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.case import Case, Contest, Runner

N, C, H = 64, 64, 32
"""Images (64, 64, 32, 32), as after the first layers of a network for CIFAR-10: 17 MB."""
IMAGE_BYTES = 4 * N * C * H * H
SCORES = [(512, 10), (512, 1000)]


def cases() -> list[Case]:
    """Every row of the group. Softmax loss gives loss and gradient at once: forward and backward are one row."""

    def case(name: str, build: Callable[[bool], Contest], traffic_bytes: float) -> Case:
        return Case("layers", name, build, traffic_bytes=traffic_bytes)

    return [
        case("max pool 2x2, forward", max_pool_forward, 1.25 * IMAGE_BYTES),
        case("max pool 2x2, backward", max_pool_backward, 1.25 * IMAGE_BYTES),
        case("batch norm + ReLU, forward", bn_relu_forward, 2 * IMAGE_BYTES),
        case("batch norm + ReLU, backward", bn_relu_backward, 3 * IMAGE_BYTES),
        *(
            case(f"softmax loss {shape[0]}x{shape[1]}, forward and backward", functools.partial(softmax_loss, shape),
                 2 * 4 * shape[0] * shape[1])
            for shape in SCORES
        ),
    ]  # fmt: skip


def max_pool_forward(compiled: bool) -> Contest:
    """2x2 windows, stride 2."""
    from benchmarks import ours, torch_layers

    x = ours.images(np.random.default_rng(0), N, C, H)
    return Contest(Runner(ours.max_pool_forward(x)), torch_layers.max_pool_forward(x, compiled))


def max_pool_backward(compiled: bool) -> Contest:
    """Its gradient."""
    from benchmarks import ours, torch_layers

    rng = np.random.default_rng(0)
    x, dout = ours.images(rng, N, C, H), ours.images(rng, N, C, H // 2)
    return Contest(Runner(ours.max_pool_backward(x, dout)), torch_layers.max_pool_backward(x, dout, compiled))


def _bn_inputs() -> tuple[Any, ...]:
    from benchmarks import ours

    rng = np.random.default_rng(0)
    x, dout = ours.images(rng, N, C, H), ours.images(rng, N, C, H)
    gamma, beta = (rng.uniform(0.5, 1.5, C).astype(np.float32) for _ in range(2))
    return x, gamma, beta, dout


def bn_relu_forward(compiled: bool) -> Contest:
    """In training, with running statistics."""
    from benchmarks import ours, torch_layers

    x, gamma, beta, _ = _bn_inputs()
    runner = Runner(ours.bn_relu_forward(x, gamma, beta))
    return Contest(runner, torch_layers.bn_relu_forward(x, gamma, beta, compiled))


def bn_relu_backward(compiled: bool) -> Contest:
    """Its gradients dx, dgamma, dbeta."""
    from benchmarks import ours, torch_layers

    x, gamma, beta, dout = _bn_inputs()
    runner = Runner(ours.bn_relu_backward(x, gamma, beta, dout))
    return Contest(runner, torch_layers.bn_relu_backward(x, gamma, beta, dout, compiled))


def softmax_loss(shape: tuple[int, int], compiled: bool) -> Contest:
    """Loss and gradient for (N, classes) scores."""
    from benchmarks import ours, torch_layers

    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, dtype=np.float32)
    y = rng.integers(shape[1], size=shape[0])
    return Contest(Runner(ours.softmax_loss(x, y)), torch_layers.softmax_loss(x, y, compiled))
