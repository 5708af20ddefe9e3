"""Convolutions alone, in three directions: forward, the gradient for the input, the gradient for the filters."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from benchmarks.case import Case, Contest, Runner
from pellucid.shapes import output_size

DIRECTIONS = ("forward", "input gradient", "filter gradient")


class Convolution(NamedTuple):
    """Sizes: images (N, C, H, H), F filters of size x size."""

    N: int
    C: int
    H: int
    F: int
    size: int = 3
    stride: int = 1
    pad: int = 1
    groups: int = 1

    @property
    def H_out(self) -> int:
        """Rows, and pixels in a row, of the result."""
        return output_size(self.H, self.size, self.stride, self.pad)

    @property
    def flops(self) -> float:
        """Of any one direction: a multiplication and an addition for each tap, channel, filter and pixel."""
        return 2.0 * self.N * self.H_out**2 * self.F * self.size**2 * self.C // self.groups


THREE_BY_THREE = [
    Convolution(64, 64, 32, 64),
    Convolution(64, 128, 16, 128),
    Convolution(64, 256, 8, 256),
    Convolution(64, 64, 15, 256),
    Convolution(64, 256, 7, 256),
    Convolution(64, 24, 31, 64),
]

OTHERS = {
    "7x7 RGB->32 at 32x32": Convolution(64, 3, 32, 32, size=7, pad=3),
    "2x2 RGB->24 at 32x32, no padding": Convolution(64, 3, 32, 24, size=2, pad=0),
    "5x5 32->64 at 16x16": Convolution(64, 32, 16, 64, size=5, pad=2),
    "1x1 256->256 at 8x8": Convolution(64, 256, 8, 256, size=1, pad=0),
    "3x3 stride 2 64->128 at 32x32": Convolution(64, 64, 32, 128, stride=2),
    "11x11 stride 4 RGB->64 at 224x224": Convolution(16, 3, 224, 64, size=11, stride=4, pad=2),
    "3x3 depthwise 128 at 16x16": Convolution(64, 128, 16, 128, groups=128),
}


def cases() -> list[Case]:
    """Every row of both groups."""
    named = [("conv3x3", f"{c.N},{c.C},{c.H},{c.H}->{c.F}", c) for c in THREE_BY_THREE]
    named += [("conv-other", name, c) for name, c in OTHERS.items()]
    return [
        Case(group, f"{name}, {direction}", functools.partial(build, c, direction), flops=c.flops)
        for group, name, c in named
        for direction in DIRECTIONS
    ]


def build(c: Convolution, direction: str, compiled: bool) -> Contest:
    """Both sides of one direction of a convolution."""
    from benchmarks import ours, torch_layers

    rng = np.random.default_rng(0)
    x = ours.images(rng, c.N, c.C, c.H)
    dout = ours.images(rng, c.N, c.F, c.H_out)
    w = rng.standard_normal((c.F, c.C // c.groups, c.size, c.size), dtype=np.float32)
    b = rng.standard_normal(c.F, dtype=np.float32)
    conv_param = {"stride": c.stride, "pad": c.pad, "groups": c.groups}
    return Contest(
        Runner(ours.convolution(direction, x, w, b, dout, conv_param)),
        torch_layers.convolution(direction, x, w, b, dout, conv_param, compiled),
    )
