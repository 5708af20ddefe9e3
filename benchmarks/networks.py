"""The two deep networks, as data: the same description makes our network, PyTorch's and the ONNX graph.

ResNet-9 is David Page's of 2018 ("How to train your ResNet"), the 94 % network is Keller Jordan's airbench94
(arXiv:2404.00498). Both take (N, 3, 32, 32) and give 10 scores. Recipes' details that cost nothing are left out: label
smoothing, weight decay, frozen whitening filters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pellucid.shapes import output_size

IMAGE = (3, 32, 32)
CLASSES = 10


class Sandwich(NamedTuple):
    """convolution - batch norm - activation - max pool; the pool stands before the norm with `pool_first`."""

    filters: int
    size: int = 3
    pad: int = 1
    norm: bool = True
    """Without it, the convolution has a bias."""
    pool: int = 0
    """Size and stride of the pool's window; 0: no pool."""
    pool_first: bool = False


class Residual(NamedTuple):
    """Its input plus what two sandwiches make of it."""

    first: Sandwich
    second: Sandwich


class Network(NamedTuple):
    """Steps, then a max pool over what is left of the image, then a linear layer without bias, times `factor`."""

    name: str
    steps: tuple[Sandwich | Residual, ...]
    activation: str
    """relu or gelu"""
    trained_scale: bool
    """Whether batch norm has a gamma; else it is 1."""
    eps: float
    last_pool: int
    factor: float
    batch: int


RESNET9 = Network(
    "resnet9",
    (
        Sandwich(64),
        Sandwich(128, pool=2),
        Residual(Sandwich(128), Sandwich(128)),
        Sandwich(256, pool=2),
        Sandwich(512, pool=2),
        Residual(Sandwich(512), Sandwich(512)),
    ),
    activation="relu",
    trained_scale=True,
    eps=1e-5,
    last_pool=4,
    factor=0.125,
    batch=128,
)


def _block(filters: int) -> tuple[Sandwich, Sandwich]:
    return Sandwich(filters, pool=2, pool_first=True), Sandwich(filters)


AIRBENCH94 = Network(
    "airbench94",
    (Sandwich(24, size=2, pad=0, norm=False), *_block(64), *_block(256), *_block(256)),
    activation="gelu",
    trained_scale=False,
    eps=1e-12,
    last_pool=3,
    factor=1 / 9,
    batch=500,
)


class Place(NamedTuple):
    """A sandwich where it stands in a network."""

    name: str
    sandwich: Sandwich
    channels: int
    """That come in."""
    rows: int
    """And columns, that come in."""


def places(network: Network) -> Iterator[Place]:
    """Every sandwich with its name ("0", "2_first", ...) and what comes in."""
    channels, rows = IMAGE[:2]
    for i, step in enumerate(network.steps):
        inside = {"": step} if isinstance(step, Sandwich) else {"_first": step.first, "_second": step.second}
        for suffix, sandwich in inside.items():
            yield Place(f"{i}{suffix}", sandwich, channels, rows)
            rows = output_size(rows, sandwich.size, 1, sandwich.pad)
            rows = rows // sandwich.pool if sandwich.pool else rows
            channels = sandwich.filters


def parameters(network: Network, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights as He et al. (2015) start them, biases near 0, scales near 1; "linear" is (features, classes)."""
    rng = np.random.default_rng(seed)
    params = {}
    for place in places(network):
        F, C, size = place.sandwich.filters, place.channels, place.sandwich.size
        deviation = np.sqrt(2 / (C * size * size))
        params[f"{place.name}_w"] = deviation * rng.standard_normal((F, C, size, size))
        params[f"{place.name}_b"] = 0.1 * rng.standard_normal(F)  # of the batch norm, or else of the convolution
        if place.sandwich.norm and network.trained_scale:
            params[f"{place.name}_gamma"] = rng.uniform(0.8, 1.2, F)
    features = place.sandwich.filters
    params["linear"] = rng.standard_normal((features, CLASSES)) / np.sqrt(features)
    return {name: value.astype(np.float32) for name, value in params.items()}


def forward_flops(network: Network, training: bool = False) -> float:
    """Floating-point operations an image, of convolutions and the linear layer; with `training`, of a whole step.

    A step takes three times as much, but for the first convolution: nobody needs the gradient for the images.
    """
    total = 0.0
    for i, place in enumerate(places(network)):
        _, (F, size, pad, *_), C, rows = place
        flops = 2.0 * output_size(rows, size, 1, pad) ** 2 * F * C * size**2
        total += flops * ((2 if i == 0 else 3) if training else 1)
    return total + (3 if training else 1) * 2.0 * F * CLASSES


def folded(network: Network, params: dict[str, np.ndarray], seed: int = 1) -> dict[str, np.ndarray]:
    """Filters and biases with batch norm in them, for running statistics drawn at random.

    gamma * (conv(x, w) - mean) / sqrt(var + eps) + beta  =  conv(x, w * scale) + beta - mean * scale, where
    scale = gamma / sqrt(var + eps). A max pool in between does not mind: scale is positive, so the largest stays it.
    """
    rng = np.random.default_rng(seed)
    result = {"linear": params["linear"] * np.float32(network.factor)}
    for name, sandwich, _, _ in places(network):
        w, b = params[f"{name}_w"], params[f"{name}_b"]
        if sandwich.norm:
            mean, var = 0.1 * rng.standard_normal(len(b)), rng.uniform(0.5, 1.5, len(b))
            scale = params.get(f"{name}_gamma", 1.0) / np.sqrt(var + network.eps)
            w, b = w * scale[:, None, None, None], b - mean * scale
        result[f"{name}_w"], result[f"{name}_b"] = (array.astype(np.float32) for array in (w, b))
    return result
