"""Whether two sides computed the same thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def as_arrays(result: Any) -> list[np.ndarray]:
    """Every array of a result in order: arrays, tensors and numbers in tuples, lists or dictionaries (by name)."""
    if isinstance(result, dict):
        return [array for key in sorted(result) for array in as_arrays(result[key])]
    if isinstance(result, tuple | list):
        return [array for part in result for array in as_arrays(part)]
    if hasattr(result, "detach"):
        result = result.detach().numpy()
    return [np.asarray(result)]


def largest_error(got: Any, want: Any) -> float:
    """The largest difference in any array, as a share of the array's largest value; infinity for NaN.

    Raises
    ------
    ValueError
        The two sides have not the same number of arrays, or not of the same shapes.
    """
    return _worst(got, want, lambda array: np.abs(array).max(initial=0))


def norm_error(got: Any, want: Any) -> float:
    """The length of the difference, as a share of the length of the array, for the worst array."""
    return _worst(got, want, lambda array: np.linalg.norm(array.astype(np.float64)))


def _worst(got: Any, want: Any, size: Callable[[np.ndarray], Any]) -> float:
    got, want = as_arrays(got), as_arrays(want)
    shapes = [array.shape for array in got], [array.shape for array in want]
    if shapes[0] != shapes[1]:
        raise ValueError(f"shapes are {shapes[0]}; they must be {shapes[1]}")
    return max((_error(a, b, size) for a, b in zip(got, want, strict=True)), default=0.0)


def _error(got: np.ndarray, want: np.ndarray, size: Callable[[np.ndarray], Any]) -> float:
    difference, whole = size(got - want), size(want)
    if not np.isfinite(difference):
        return float("inf")
    return float(difference / whole) if whole else float(difference)
