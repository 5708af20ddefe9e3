"""Which images a filter answers to most, and which part of them it saw."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pellucid import check
from pellucid.models import Network
from pellucid.models.trace import Trace

BATCH_NUMBERS = 2**25
"""Of all steps together, for the images that run at once: 128 MB in float32."""


class Strongest(NamedTuple):
    """For each of F filters, the images with the strongest answers, the strongest first."""

    values: np.ndarray
    """(F, top)"""
    indices: np.ndarray
    """(F, top), of the images"""
    places: np.ndarray
    """(F, top, 2), row and column in the layer's map"""


def strongest(
    network: Network, images: Any, layer: str, top: int = 9, on_progress: Callable[[int, int], None] | None = None
) -> Strongest:
    """The images that each filter of a layer answers to most. Every image counts once a filter, by its largest answer.

    Parameters
    ----------
    network : Network
    images : array (N, C, H, W), or anything like one that is indexed by slices
    layer : str
        The full name of a step that gives images.
    top : int
        Images for each filter; all where there are fewer.
    on_progress : callable, optional
        Told (done, total) after each batch.

    Raises
    ------
    ValueError
        There is no such layer, or it gives no images.
    """
    where = "strongest"
    F, _, w = layer_shape(where, network, layer)
    top = min(check.whole_number(where, "top", top, least=1), len(images))
    total = sum(math.prod(place.out_shape) for _, _, place in network.places())
    batch = max(1, min(100, BATCH_NUMBERS // max(1, total)))
    best = Strongest(np.empty((F, 0)), np.empty((F, 0), np.int64), np.empty((F, 0, 2), np.int64))
    for start in range(0, len(images), batch):
        out = Trace(network, images[start : start + batch]).outputs[layer]  # (n, F, h, w)
        flat = out.reshape(*out.shape[:2], -1)
        at = flat.argmax(axis=2).T  # (F, n)
        values = flat.max(axis=2).T
        here = np.broadcast_to(np.arange(start, start + len(out)), at.shape)
        places = np.stack([at // w, at % w], axis=-1)
        best = _best_of(best, Strongest(values, here, places), top)
        if on_progress is not None:
            on_progress(min(start + batch, len(images)), len(images))
    return best


def _best_of(a: Strongest, b: Strongest, top: int) -> Strongest:
    """The strongest of both; of equal ones those that came first."""
    values, indices, places = (np.concatenate(pair, axis=1) for pair in zip(a, b, strict=True))
    order = np.argsort(-values, axis=1, kind="stable")[:, :top]
    return Strongest(
        np.take_along_axis(values, order, axis=1),
        np.take_along_axis(indices, order, axis=1),
        np.take_along_axis(places, order[:, :, None], axis=1),
    )


def layer_shape(where: str, network: Network, layer: str) -> tuple[int, int, int]:
    """(F, h, w) of what a layer gives.

    Raises
    ------
    ValueError
        There is no such layer, or it gives no images: those that do are named.
    """
    shapes = {prefix + place.name: place.out_shape for _, prefix, place in network.places()}
    if len(shapes.get(layer, ())) != 3:
        there = ", ".join(name for name, shape in shapes.items() if len(shape) == 3) or "none"
        raise ValueError(f"{where}: layer is {layer!r}; it must be one of those that give images: {there}")
    F, h, w = shapes[layer]
    return F, h, w
