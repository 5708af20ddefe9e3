"""``pellucid explain``: what the kernels' plan decides, and why."""

from __future__ import annotations

import numpy as np

from pellucid import check
from pellucid.cli.console import say
from pellucid.kernels import plan
from pellucid.kernels.geometry import Geometry
from pellucid.kernels.jit import threads
from pellucid.kernels.processor import VECTOR_BYTES, lanes


def explain_command(
    images: str,
    weights: str,
    stride: int,
    pad: int | None,
    dilation: int,
    groups: int,
    dtype: str,
    algorithm: str | None,
) -> int:
    """Print every candidate for every direction of a convolution, and which is taken."""
    N, C, H, W = _shape("images", images, "N,C,H,W")
    F, C_seen, HH, WW = _shape("weights", weights, "F,C,HH,WW")
    pad = (HH - 1) * dilation // 2 if pad is None else pad
    for name, value, least in (
        ("stride", stride, 1),
        ("pad", pad, 0),
        ("dilation", dilation, 1),
        ("groups", groups, 1),
    ):
        check.whole_number("explain", f"--{name}", value, least=least)
    if algorithm is not None:
        check.one_of("explain", "--algorithm", algorithm, plan.ALGORITHMS)
    if C % groups or F % groups or C_seen != C // groups:
        raise ValueError(
            f"explain: weights are {weights} and images {images}, groups {groups}; filters must see C / groups channels"
        )
    check.window_fits("explain", "the filter", (H, W), (HH, WW), stride, pad, dilation)
    g = Geometry(N, C, H, W, F, HH, WW, stride, pad, dilation, groups)
    for line in explanation(g, np.dtype(dtype), algorithm):
        say(line)
    return 0


def explanation(g: Geometry, dtype: np.dtype, algorithm: str | None = None) -> list[str]:
    """The plan for a convolution as lines of text."""
    width = f"vectors of {lanes(dtype)} {dtype.name}" if VECTOR_BYTES else "no vector instructions"
    lines = [
        f"{dtype.name} ({g.N}, {g.C}, {g.H}, {g.W}) -> ({g.N}, {g.F}, {g.H_out}, {g.W_out}), filters {g.HH} x {g.WW}, "
        f"stride {g.stride}, pad {g.pad}, dilation {g.dilation}, groups {g.groups}",
        f"{g.multiply_adds / 1e6:,.1f} million multiply-adds in each direction; {width}, {threads()} threads",
    ]
    for direction in plan.DIRECTIONS:
        choice = plan.choose(direction, g, dtype, algorithm)
        lines.append(f"{direction.replace('_', ' ')}: {choice.algorithm}")
        lines += [f"  {'*' if name == choice.algorithm else ' '} {name:10} {reason}" for name, reason in choice.reasons]
    return lines


def _shape(name: str, text: str, form: str) -> tuple[int, int, int, int]:
    """Four sizes from ``64,3,32,32``."""
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = ()
    if len(sizes) != 4 or min(sizes) < 1:
        raise ValueError(f"explain: {name} is {text!r}; it must be four sizes {form}, such as 64,3,32,32")
    return sizes
