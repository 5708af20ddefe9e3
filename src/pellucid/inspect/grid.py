"""Many small images as one: a grid, each image stretched to the whole range of brightness."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import check


def stretched(image: np.ndarray, most: float = 255.0) -> np.ndarray:
    """An image brought to 0 ... ``most`` by its own smallest and largest value; one of a single value is mid-grey."""
    low, high = float(np.min(image)), float(np.max(image))
    if high == low:
        return np.full(image.shape, most / 2)
    return most * (image.astype(np.float64) - low) / (high - low)


def visualize_grid(Xs: Any, ubound: float = 255.0, padding: int = 1) -> np.ndarray:
    """Images in a square grid, each stretched by its own smallest and largest value.

    Parameters
    ----------
    Xs : array (N, H, W, C)
        Images; for filters (F, C, HH, WW) pass ``w.transpose(0, 2, 3, 1)``.
    ubound : float
        The result lies in 0 ... ubound.
    padding : int
        Black pixels between images.

    Returns
    -------
    grid : float array (rows * (H + padding) - padding, rows * (W + padding) - padding, C)
        rows = ceil(sqrt(N)); unfilled places are black. An image of a single value is mid-grey.

    Raises
    ------
    ValueError
        Not four axes, or NaN or infinity in the images.
    """
    where = "visualize_grid"
    Xs = _checked(where, Xs)
    padding = check.whole_number(where, "padding", padding)
    ubound = check.number(where, "ubound", ubound, above=0)
    N, H, W, C = Xs.shape
    rows = int(np.ceil(np.sqrt(N)))
    grid = np.zeros((rows * (H + padding) - padding, rows * (W + padding) - padding, C))
    for n, image in enumerate(Xs):
        top, left = (n // rows) * (H + padding), (n % rows) * (W + padding)
        grid[top : top + H, left : left + W] = stretched(image, ubound)
    return grid


def vis_grid(Xs: Any) -> np.ndarray:
    """The course's other grid: images a black pixel apart, the whole stretched to 0 ... 1 by one minimum and maximum.

    Parameters
    ----------
    Xs : array (N, H, W, C)

    Returns
    -------
    grid : float array (rows * (H + 1) - 1, rows * (W + 1) - 1, C), rows = ceil(sqrt(N))
    """
    Xs = _checked("vis_grid", Xs)
    N, H, W, C = Xs.shape
    rows = int(np.ceil(np.sqrt(N)))
    grid = np.full((rows * (H + 1) - 1, rows * (W + 1) - 1, C), np.min(Xs), dtype=np.float64)
    for n, image in enumerate(Xs):
        top, left = (n // rows) * (H + 1), (n % rows) * (W + 1)
        grid[top : top + H, left : left + W] = image
    return stretched(grid, 1.0)


def vis_nn(rows: Any) -> np.ndarray:
    """Rows of images, such as an image and its nearest neighbours, stretched to 0 ... 1 by one minimum and maximum.

    Parameters
    ----------
    rows : list of lists of arrays (H, W, C), or array (R, D, H, W, C)

    Returns
    -------
    grid : float array (R * (H + 1) - 1, D * (W + 1) - 1, C)
    """
    stack = np.asarray(rows)
    if stack.ndim != 5:
        raise ValueError(
            f"vis_nn: rows has shape {stack.shape}; it must be rows of images of one size, (R, D, H, W, C)"
        )
    R, D, H, W, C = stack.shape
    _checked("vis_nn", stack.reshape(R * D, H, W, C))
    grid = np.full((R * (H + 1) - 1, D * (W + 1) - 1, C), np.min(stack), dtype=np.float64)
    for r in range(R):
        for d in range(D):
            grid[r * (H + 1) : r * (H + 1) + H, d * (W + 1) : d * (W + 1) + W] = stack[r, d]
    return stretched(grid, 1.0)


def _checked(where: str, Xs: Any) -> np.ndarray:
    Xs = np.asarray(Xs)
    if Xs.ndim != 4 or Xs.dtype.kind not in "fiu":
        raise ValueError(
            f"{where}: Xs has shape {Xs.shape} and type {Xs.dtype}; it must be images (N, H, W, C): for filters "
            "(F, C, HH, WW) pass w.transpose(0, 2, 3, 1)"
        )
    check.not_empty(where, "Xs", Xs)
    check.all_finite(where, "Xs", Xs)
    return Xs
