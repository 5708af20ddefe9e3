"""A model's parameters together with its running statistics: what makes its scores, and what must change hands at once.

Batch normalisation's running means and variances live beside the parameters, in ``model.bn_params``. Weights that were
the best at one time are only as good with the statistics of that time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

STATISTICS = ("running_mean", "running_var")


class Weights(NamedTuple):
    """Arrays by name, and for each dictionary of ``bn_params`` its running statistics by name."""

    params: dict[str, np.ndarray]
    bn_params: list[dict[str, np.ndarray]]


def weights_of(model: Any) -> Weights:
    """The arrays that the model holds, not copies."""
    statistics = [
        {key: np.asarray(layer[key]) for key in STATISTICS if layer.get(key) is not None}
        for layer in getattr(model, "bn_params", None) or []
    ]
    return Weights(dict(model.params), statistics)


def copied(weights: Weights) -> Weights:
    """The same numbers in arrays of their own, laid out in memory as the originals are."""
    return Weights(
        {name: np.copy(array, order="K") for name, array in weights.params.items()},
        [{key: np.copy(array, order="K") for key, array in layer.items()} for layer in weights.bn_params],
    )


def is_finite(array: np.ndarray) -> bool:
    """No NaN and no infinity. A finite sum says so in one pass; a sum can overflow where the numbers are finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def not_finite(weights: Weights) -> str | None:
    """The name of an array that holds NaN or infinity, or None."""
    for arrays in (weights.params, *weights.bn_params):
        for name, array in arrays.items():
            if not is_finite(array):
                return name
    return None


def put(weights: Weights, model: Any) -> None:
    """Make the arrays the model's own. Its ``params`` and ``bn_params`` stay the same dictionaries."""
    model.params.update(weights.params)
    for layer, statistics in zip(getattr(model, "bn_params", None) or [], weights.bn_params, strict=True):
        for key in STATISTICS:
            layer.pop(key, None)
        layer.update(statistics)
