"""The tutorial's network as a list of steps; `ThreeLayerConvNet` is the same, written out."""

from __future__ import annotations

from pellucid.models.plain import MaxPool, ReLU
from pellucid.models.step import Step
from pellucid.models.weighted import Affine, Conv


def tutorial(
    num_filters: int = 32,
    filter_size: int = 7,
    hidden_dim: int = 100,
    num_classes: int = 10,
    weight_scale: float = 1e-3,
) -> list[Step]:
    """conv - relu - 2x2 max pool - affine - relu - affine; the arguments are those of `ThreeLayerConvNet`."""
    return [
        Conv(num_filters, filter_size, pad=(filter_size - 1) // 2, init=weight_scale),
        ReLU(),
        MaxPool(2),
        Affine(hidden_dim, init=weight_scale),
        ReLU(),
        Affine(num_classes, init=weight_scale),
    ]
