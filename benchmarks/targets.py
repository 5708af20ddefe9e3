"""What is asked of each group of rows: the ratio is the best peer's time (or memory) divided by ours."""

from __future__ import annotations

from typing import NamedTuple


class Target(NamedTuple):
    """What a group must reach."""

    title: str
    chinese: str
    mean: float
    """The geometric mean of the group must be at least this."""
    floor: float
    """No row may be below this."""
    aim: float
    """What we would like the geometric mean to be."""


TARGETS = {
    "conv3x3": Target("3x3 convolutions, stride 1", "3x3 卷积，步长 1", 2.0, 1.2, 3.0),
    "conv-other": Target("Other convolutions", "其他卷积", 1.0, 0.6, 1.5),
    "layers": Target("Pooling, batch norm, softmax", "池化、批归一化、softmax", 1.3, 1.3, 2.0),
    "updates": Target("Updates of 4 million parameters", "400 万个参数的更新", 1.0, 1.0, 1.3),
    "step-tutorial": Target("Training step, the tutorial's network", "训练一步：教程的网络", 2.0, 2.0, 3.0),
    "step-resnet9": Target("Training step, ResNet-9", "训练一步：ResNet-9", 2.0, 2.0, 3.0),
    "step-airbench94": Target("Training step, the 94 % network", "训练一步：94 % 的网络", 2.0, 2.0, 3.0),
    "inference": Target("Inference, batch norm folded", "推理，批归一化已并入卷积", 1.0, 1.0, 1.5),
    "memory": Target("Peak memory of the training steps", "训练步骤的内存峰值", 1.0, 1.0, 1.0),
}
"""Group -> target, in the order in which they are measured and shown."""
