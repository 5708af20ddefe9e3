"""ResNet-20, 32, 44 ...: the residual networks for CIFAR-10 of He et al. 2015 (arXiv:1512.03385, section 4.2)."""

from __future__ import annotations

from pellucid import check
from pellucid.models.norms import BatchNorm
from pellucid.models.plain import GlobalAvgPool, ReLU, Subsample
from pellucid.models.residual import Residual
from pellucid.models.step import Step
from pellucid.models.weighted import Affine, Conv


def resnet20(blocks: int = 3, width: int = 16, num_classes: int = 10, shortcut: str = "identity") -> list[Step]:
    """6 * ``blocks`` + 2 layers: 3 blocks a stage make ResNet-20, 5 ResNet-32, 9 ResNet-56.

    ``width`` is the number of filters of the first stage, which the other two double; ``num_classes``, of scores.

    Where a stage begins with half the pixels and twice the filters, the ``shortcut`` is the ``"identity"`` on every
    second pixel, with zeros for the new channels (the paper's option A), or a ``"projection"`` (option B).
    """
    blocks = check.whole_number("resnet20", "blocks", blocks, least=1)
    check.one_of("resnet20", "shortcut", shortcut, ("identity", "projection"))

    def block(filters: int, stride: int) -> list[Step]:
        steps = [
            Conv(filters, 3, stride=stride, pad=1, bias=False), BatchNorm(), ReLU(),
            Conv(filters, 3, pad=1, bias=False), BatchNorm(),
        ]  # fmt: skip
        if stride == 1:
            return [Residual(steps), ReLU()]
        if shortcut == "identity":
            return [Residual(steps, shortcut=[Subsample(filters, stride)]), ReLU()]
        return [Residual(steps, shortcut=[Conv(filters, 1, stride=stride, bias=False), BatchNorm()]), ReLU()]

    steps: list[Step] = [Conv(width, 3, pad=1, bias=False), BatchNorm(), ReLU()]
    for stage in range(3):
        for i in range(blocks):
            steps += block(width << stage, stride=2 if stage and i == 0 else 1)
    return [*steps, GlobalAvgPool(), Affine(num_classes, init=0.01)]
