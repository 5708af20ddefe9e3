"""ResNet-9: David Page's small residual network of 2018, made to be trained fast ("How to train your ResNet")."""

from __future__ import annotations

from pellucid.models.norms import BatchNorm
from pellucid.models.plain import GlobalMaxPool, MaxPool, ReLU, Scale
from pellucid.models.residual import Residual
from pellucid.models.step import Step
from pellucid.models.weighted import Affine, Conv


def resnet9(width: int = 64, num_classes: int = 10, scale: float = 1 / 8) -> list[Step]:
    """Eight convolutions, two residual blocks of two among them, and an affine layer.

    ``width``: the filters of the first convolution, an eighth of the last's. ``num_classes``: how many scores come out;
    ``scale``: a factor on them.
    """

    def block(filters: int) -> list[Step]:
        return [Conv(filters, 3, pad=1, bias=False), BatchNorm(), ReLU()]

    return [
        *block(width),
        *block(2 * width), MaxPool(2),
        Residual([*block(2 * width), *block(2 * width)]),
        *block(4 * width), MaxPool(2),
        *block(8 * width), MaxPool(2),
        Residual([*block(8 * width), *block(8 * width)]),
        GlobalMaxPool(), Affine(num_classes, bias=False, init="uniform"), Scale(scale),
    ]  # fmt: skip
