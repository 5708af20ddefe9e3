"""Which images a filter answers to most, and where in its map."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pellucid import check
from pellucid.inspect.activations import maps_of
from pellucid.layers import Workspace
from pellucid.models import Network, as_network
from pellucid.models.trace import running

BATCH_NUMBERS = 2**24
"""Of the largest step's output, for the images that run at once: 64 MB in float32."""
MOST_AT_ONCE = 100
"""Images, so that progress is told often."""


class Strongest(NamedTuple):
    """For each of F filters, the images with the strongest answers, the strongest first."""

    values: np.ndarray
    """(F, top), in the network's type"""
    indices: np.ndarray
    """(F, top), of the images"""
    places: np.ndarray
    """(F, top, 2), row and column in the layer's map: see `receptive_field` for what that is in the image"""


def strongest(
    network: Any, images: Any, layer: str, top: int = 9, on_progress: Callable[[int, int], None] | None = None
) -> Strongest:
    """The images that each filter of a layer answers to most. Every image counts once a filter, by its largest answer.

    Runs in batches, and only up to the layer.

    Parameters
    ----------
    network : Network
        Or one of the course's classes.
    images : array (N, C, H, W), or what is indexed like one, such as `pellucid.data.ByteImages`
        Each batch is a slice of it.
    layer : str
        The full name of a step that gives images.
    top : int
        Images for each filter; all where there are fewer.
    on_progress : callable, optional
        Told (images done, images in all) after each batch; what it raises ends the work.

    Returns
    -------
    Strongest
        Of equal answers the image that comes first, and in it the place.

    Raises
    ------
    ValueError
        There is no such layer, or it gives no images; there is no image, or one of another shape.
    """
    where = "strongest"
    network = as_network(network)
    maps_of(where, network, layer)
    top = check.whole_number(where, "top", top, least=1)
    total = len(images)
    if total == 0:
        raise ValueError(f"{where}: images is empty; give at least one image")
    batch = _images_at_once(network)
    best: Strongest | None = None
    with Workspace():
        for start in range(0, total, batch):
            X = network.checked_input(where, images[start : start + batch])
            best = _best_of(best, _answers(network, X, layer, start), top)
            if on_progress is not None:
                on_progress(start + len(X), total)
    assert best is not None
    return best


def _images_at_once(network: Network) -> int:
    largest = max(math.prod(place.out_shape) for _, _, place in network.places())
    return max(1, min(MOST_AT_ONCE, BATCH_NUMBERS // largest))


def _answers(network: Network, X: np.ndarray, layer: str, start: int) -> Strongest:
    """Of each filter to each image, the first of which has the number ``start``: (F, n)."""
    out = next(ran.out for ran in running(network, X) if ran.name == layer)  # (n, F, h, w)
    n, F, h, w = out.shape
    flat = out.reshape(n, F, h * w)
    at = flat.argmax(axis=2)  # (n, F)
    values = np.take_along_axis(flat, at[:, :, None], axis=2)[:, :, 0]
    numbers = np.broadcast_to(np.arange(start, start + n), (F, n))
    return Strongest(values.T, numbers, np.stack([at // w, at % w], axis=-1).swapaxes(0, 1))


def _best_of(a: Strongest | None, b: Strongest, top: int) -> Strongest:
    """The strongest of both, of equal ones those that came first."""
    both = b if a is None else Strongest(*(np.concatenate(pair, axis=1) for pair in zip(a, b, strict=True)))
    order = np.argsort(-both.values, axis=1, kind="stable")[:, :top]
    return Strongest(
        np.take_along_axis(both.values, order, axis=1),
        np.take_along_axis(both.indices, order, axis=1),
        np.take_along_axis(both.places, order[:, :, None], axis=1),
    )
