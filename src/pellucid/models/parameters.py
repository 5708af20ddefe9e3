"""What all the course's networks do with their parameters and inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.layers import add_l2_penalty


def float_type(where: str, dtype: Any) -> np.dtype:
    """The network's type: float32 or float64."""
    dtype = np.dtype(dtype)
    if dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"{where}: dtype is {dtype}; it must be float32 or float64")
    return dtype


def as_input(where: str, X: Any, dtype: np.dtype) -> np.ndarray:
    """X in the network's type, so that float32 networks compute in float32 whatever the loader returns."""
    X = np.asarray(X)
    if X.dtype.kind not in "fiu":
        raise TypeError(f"{where}: X has type {X.dtype}; it must be numbers: floats, or integers such as uint8 pixels")
    return X.astype(dtype, copy=False)


def l2_penalty(params: dict[str, np.ndarray], grads: dict[str, np.ndarray], reg: float) -> Any:
    """0.5 * reg * sum(W**2) over the weights W1, W2, ...; adds its gradient, reg * W, to ``grads`` in place.

    Biases, scales and shifts are not penalised. ``reg`` is taken as a Python float, which leaves float32 as it is.
    """
    reg = float(reg)
    if reg == 0:
        return 0.0
    penalty: Any = 0.0
    for name, W in params.items():
        if name.startswith("W"):
            penalty += add_l2_penalty(W, grads[name], reg)
    return penalty
