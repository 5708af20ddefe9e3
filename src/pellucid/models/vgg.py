"""VGG for small images: 3x3 convolutions, and a max pool after every stage (Simonyan and Zisserman, arXiv:1409.1556).

As it is used for CIFAR-10: batch norm behind every convolution, and one affine layer at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.models.norms import BatchNorm
from pellucid.models.plain import GlobalMaxPool, MaxPool, ReLU
from pellucid.models.step import Step
from pellucid.models.weighted import Affine, Conv

CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""In each of the five stages, by the number of layers with weights in the paper."""


def vgg(depth: int = 16, widths: Sequence[int] = (64, 128, 256, 512, 512), num_classes: int = 10) -> list[Step]:
    """Five stages of convolutions, and an affine layer. Images need 16 pixels a side or more.

    ``depth``: 11, 13, 16 or 19. ``widths``: the filters of each stage. ``num_classes``: how many scores come out.
    """
    if depth not in CONVOLUTIONS:
        raise ValueError(f"vgg: depth is {depth}; it must be one of {', '.join(map(str, CONVOLUTIONS))}")
    if len(widths) != 5:
        raise ValueError(f"vgg: widths is {widths}; it must be five numbers, one for each stage")
    steps: list[Step] = []
    for convolutions, width in zip(CONVOLUTIONS[depth], widths, strict=True):
        for _ in range(convolutions):
            steps += [Conv(width, 3, pad=1, bias=False), BatchNorm(), ReLU()]
        steps.append(MaxPool(2))
    return [*steps[:-1], GlobalMaxPool(), Affine(num_classes, init=0.01)]
