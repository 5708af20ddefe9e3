"""Many small images as one: a grid, each image stretched to the whole range of brightness."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid import check


def stretched(image: np.ndarray, most: float = 255.0) -> np.ndarray:
    """An image brought to 0 ... ``most`` by its own smallest and largest value; one of a single value is mid-grey."""
    low, high = float(np.min(image)), float(np.max(image))
    if high == low:
        return np.full(image.shape, most / 2)
    image = image.astype(np.float64)
    if not np.isfinite(most * (high - low)):  # numbers near the largest that there is
        scale = max(-low, high)
        image, low, high = image / scale, low / scale, high / scale
    return most * (image - low) / (high - low)


def visualize_grid(Xs: Any, ubound: float = 255.0, padding: int = 1) -> np.ndarray:
    """Images in a square grid, each stretched by its own smallest and largest value.

    Parameters
    ----------
    Xs : array (N, H, W, C)
        Images; for filters (F, C, HH, WW) pass ``w.transpose(0, 2, 3, 1)``. Any number of channels is laid out, but
        only 1 or 3 can be shown as a picture.
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
    Xs = _checked(where, "Xs", Xs, _IMAGES)
    padding = check.whole_number(where, "padding", padding)
    ubound = check.number(where, "ubound", ubound, above=0)
    N, H, W, C = Xs.shape
    rows = math.ceil(math.sqrt(N))
    images = np.stack([stretched(image, ubound) for image in Xs])
    grid = laid_out(images, rows, rows, padding, background=0.0)
    return grid[: rows * (H + padding) - padding, : rows * (W + padding) - padding]


def vis_grid(Xs: Any) -> np.ndarray:
    """The course's other grid: images with a black border, the whole stretched to 0 ... 1 by one minimum and maximum.

    Parameters
    ----------
    Xs : array (N, H, W, C)

    Returns
    -------
    grid : float array (rows * (H + 1), rows * (W + 1), C), rows = ceil(sqrt(N))
        Below and to the right of every image runs a black line, of the last ones too. If all is of a single value, so
        is the grid: mid-grey, 0.5.
    """
    Xs = _checked("vis_grid", "Xs", Xs, _IMAGES)
    rows = math.ceil(math.sqrt(len(Xs)))
    return stretched(laid_out(Xs, rows, rows, 1, background=np.min(Xs)), 1.0)


def vis_nn(rows: Any) -> np.ndarray:
    """Rows of images, such as an image and its nearest neighbours, stretched to 0 ... 1 by one minimum and maximum.

    Parameters
    ----------
    rows : list of lists of arrays (H, W, C), or array (R, D, H, W, C)

    Returns
    -------
    grid : float array (R * (H + 1), D * (W + 1), C)
        Below and to the right of every image runs a line that has the value 1 before the stretching, as in the course:
        white where images lie in 0 ... 1, nearly black where they lie in 0 ... 255.
    """
    try:
        stack = np.asarray(rows)
    except ValueError:  # lists of different lengths make no array
        raise ValueError(
            "vis_nn: rows are of different lengths, or their images of different sizes; give every row as many images, "
            "all (H, W, C)"
        ) from None
    stack = _checked("vis_nn", "rows", stack, _ROWS_OF_IMAGES)
    R, D, H, W, C = stack.shape
    return stretched(laid_out(stack.reshape(R * D, H, W, C), R, D, 1, background=1.0), 1.0)


def laid_out(images: np.ndarray, rows: int, columns: int, padding: int, background: float) -> np.ndarray:
    """Images row by row from the upper left, with ``padding`` pixels of background below and to the right of each."""
    N, H, W, C = images.shape
    grid = np.full((rows * (H + padding), columns * (W + padding), C), background, np.float64)
    for n, image in enumerate(images):
        top, left = (n // columns) * (H + padding), (n % columns) * (W + padding)
        grid[top : top + H, left : left + W] = image
    return grid


_IMAGES = (4, "images (N, H, W, C): for filters (F, C, HH, WW) pass w.transpose(0, 2, 3, 1)")
_ROWS_OF_IMAGES = (5, "rows of images of one size, (R, D, H, W, C)")


def _checked(where: str, name: str, array: Any, needed: tuple[int, str]) -> np.ndarray:
    array, (axes, words) = np.asarray(array), needed
    if array.ndim != axes or array.dtype.kind not in "fiu":
        raise ValueError(f"{where}: {name} has shape {array.shape} and type {array.dtype}; it must be {words}")
    check.not_empty(where, name, array)
    check.all_finite(where, name, array)
    return array
