"""Update rules on 4 million parameters in one flat array, against PyTorch's fused ones."""

from __future__ import annotations

import functools

import numpy as np

from benchmarks.case import Case, Contest

PARAMETERS = 4_000_000
ARRAYS = {"Adam": 7, "SGD-Nesterov": 5}
"""Arrays read and written: weights and each average come and go, the gradient only comes."""


def cases() -> list[Case]:
    """One row a rule."""
    return [
        Case("updates", rule, functools.partial(build, rule), traffic_bytes=4 * PARAMETERS * arrays)
        for rule, arrays in ARRAYS.items()
    ]


def build(rule: str, compiled: bool) -> Contest:
    """Both sides of one rule; there is nothing for torch.compile in a fused update."""
    from benchmarks import ours, torch_layers

    rng = np.random.default_rng(0)
    w, dw = (rng.standard_normal(PARAMETERS, dtype=np.float32) for _ in range(2))
    return Contest(ours.update(rule, w, dw), torch_layers.update(rule, w, dw))
