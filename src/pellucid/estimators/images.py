"""From what scikit-learn hands over to what a network takes: rows read as images, normalised, float32, by the batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from pellucid.estimators.settings import WHERE

BLOCK = 1024
"""Samples looked at together where all are looked at."""


class Scaling(NamedTuple):
    """(x - mean) / scale is what the network sees."""

    mean: np.ndarray
    """float64, the shape of a sample."""
    scale: float


class Images:
    """Samples for the `Solver`: an index gives float32 (n, C, H, W), or (n, D) for rows. Nothing is copied before.

    Parameters
    ----------
    X : array (N, ...)
        Numbers of any type.
    shape : tuple
        Of a sample, (C, H, W) or (D,): as which one of X is read.
    scaling : Scaling
    chosen : int array, optional
        Which samples of X; all where None.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, X: np.ndarray, shape: tuple[int, ...], scaling: Scaling, chosen: np.ndarray | None = None):
        self._X, self._scaling = X, scaling
        self._chosen = np.arange(len(X)) if chosen is None else chosen
        self.shape = (len(self._chosen), *shape)

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: Any) -> np.ndarray:
        samples = self._X[self._chosen[index]].reshape(-1, *self.shape[1:])
        mean, scale = self._scaling
        with np.errstate(over="ignore", invalid="ignore"):
            result = (np.subtract(samples, mean, dtype=np.float64) / scale).astype(np.float32)
        if not np.isfinite(result).all():
            raise ValueError(
                f"{WHERE}: X holds numbers that float32 cannot hold, up to {np.abs(samples).max():g}; scale X before, "
                "for example with StandardScaler"
            )
        return result


def scaling_of(X: np.ndarray, shape: tuple[int, ...], normalise: str, chosen: np.ndarray | None = None) -> Scaling:
    """The mean sample, and the standard deviation of all numbers about it (1 where there is none).

    For ``normalise="none"`` zero and 1. Only the chosen samples are looked at.
    """
    if normalise == "none":
        return Scaling(np.zeros(shape), 1.0)
    chosen = np.arange(len(X)) if chosen is None else chosen
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sum(block.sum(axis=0) for block in _blocks(X, shape, chosen)) / len(chosen)
        squares = sum(float(np.square(block - mean).sum()) for block in _blocks(X, shape, chosen))
    deviation = math.sqrt(squares / (len(chosen) * math.prod(shape)))
    if not math.isfinite(deviation):
        raise ValueError(
            f"{WHERE}: X holds numbers whose squares overflow, so they have no deviation; scale X before, for example "
            "with StandardScaler"
        )
    return Scaling(mean, deviation if deviation > 0 else 1.0)


def _blocks(X: np.ndarray, shape: tuple[int, ...], chosen: np.ndarray) -> Iterator[np.ndarray]:
    """The chosen samples as float64, some at a time."""
    for start in range(0, len(chosen), BLOCK):
        yield X[chosen[start : start + BLOCK]].reshape(-1, *shape).astype(np.float64)


def read(
    estimator: BaseEstimator, X: Any, image_shape: tuple[int, int, int] | None, reset: bool
) -> tuple[np.ndarray, tuple[int, ...]]:
    """X as an array of finite numbers, and its samples' shape.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets ``n_features_in_`` and ``feature_names_in_``.
    X : array-like (N, D), or array (N, C, H, W)
    image_shape : (int, int, int) or None
        As which images rows are read.
    reset : bool
        Whether to learn the number of features, or to hold X to the one that was learned.

    Returns
    -------
    X : array (N, D) or (N, C, H, W)
    shape : tuple
        (C, H, W), or (D,) for rows without an image_shape.
    """
    if not _are_images(X):
        X = validate_data(estimator, X, reset=reset)
        return X, _shape_of_rows(X, image_shape)
    X = check_array(X, ensure_2d=False, allow_nd=True, input_name="X", estimator=estimator)
    shape = _shape_of_images(X, image_shape)
    like_rows = np.broadcast_to(np.float32(0), (len(X), math.prod(shape)))
    validate_data(estimator, like_rows, reset=reset, skip_check_array=True)
    return X, shape


def read_with_labels(
    estimator: BaseEstimator, X: Any, y: Any, image_shape: tuple[int, int, int] | None, reset: bool
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """As `read`, with y (N,), the classes of the samples, after X."""
    if _are_images(X):
        y = validate_data(estimator, y=y)
        X, shape = read(estimator, X, image_shape, reset)
        check_consistent_length(X, y)
    else:
        X, y = validate_data(estimator, X, y, reset=reset)
        shape = _shape_of_rows(X, image_shape)
    check_classification_targets(y)
    return X, y, shape


def _are_images(X: Any) -> bool:
    return getattr(X, "ndim", 0) == 4


def _shape_of_images(X: np.ndarray, image_shape: tuple[int, int, int] | None) -> tuple[int, ...]:
    shape = X.shape[1:]
    if 0 in shape:
        raise ValueError(f"{WHERE}: X has shape {X.shape}; images (N, C, H, W) need at least one pixel")
    if image_shape is not None and shape != image_shape:
        raise ValueError(
            f"{WHERE}: X has images of shape {shape}, but image_shape is {image_shape}; give images (N, C, H, W) of "
            "that shape, or rows"
        )
    return shape


def _shape_of_rows(X: np.ndarray, image_shape: tuple[int, int, int] | None) -> tuple[int, ...]:
    D = X.shape[1]
    if image_shape is None:
        return (D,)
    if math.prod(image_shape) != D:
        raise ValueError(
            f"{WHERE}: image_shape is {image_shape}, {math.prod(image_shape)} numbers, but X has rows of {D} features; "
            "the two must agree"
        )
    return image_shape
