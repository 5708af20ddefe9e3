"""Which part of the input one pixel of a layer's map depends on."""

from __future__ import annotations

from typing import Any

from pellucid import check
from pellucid.inspect.activations import maps_of
from pellucid.models import (
    GELU,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    MaxPool,
    Pad,
    ReLU,
    Residual,
    Scale,
    SiLU,
    Softmax,
    Subsample,
    as_network,
)
from pellucid.models.chain import Chain, Place
from pellucid.models.step import pair

PIXEL_BY_PIXEL = (BatchNorm, ReLU, GELU, SiLU, Dropout, Scale, Softmax)
"""Steps that work on every pixel by itself, in test mode."""

Seen = tuple[set[int], set[int]]
"""Rows and columns of an image."""


def receptive_field(network: Any, layer: str, i: int, j: int) -> tuple[int, int, int, int]:
    """The pixels of the input that a pixel of a layer's maps depends on in test mode, as a box.

    It goes through windows with stride, padding and dilation, and through both branches of residual blocks. Behind a
    step that looks at the whole image, such as layer norm, or one of the user's own, it is the whole image.

    Parameters
    ----------
    network : Network
        Or one of the course's classes.
    layer : str
        The full name of a step that gives images.
    i, j : int
        Row and column in its map.

    Returns
    -------
    (y0, x0, y1, x1) : int
        The first row and column, and those behind the last. Where the pixel sees only padding: (0, 0, 0, 0).

    Raises
    ------
    ValueError
        There is no such layer, or no such pixel.
    """
    where = "receptive_field"
    network = as_network(network)
    if len(network.input_shape) != 3:
        raise ValueError(f"{where}: the network reads {network.input_shape} and not images (C, H, W)")
    _, h, w = maps_of(where, network, layer)
    i = check.whole_number(where, "i", i)
    j = check.whole_number(where, "j", j)
    if i >= h or j >= w:
        raise ValueError(f"{where}: ({i}, {j}) is no pixel of {layer!r}, whose maps have {h} x {w}")
    rows, columns = _back_to_input(network.chain, "", layer, ({i}, {j}))
    if not rows or not columns:
        return 0, 0, 0, 0
    return min(rows), min(columns), max(rows) + 1, max(columns) + 1


def _back_to_input(chain: Chain, prefix: str, layer: str, seen: Seen) -> Seen:
    """From a step in the chain, or inside of one of its blocks, back to what comes into the chain."""
    names = [prefix + place.name for place in chain.places]
    k = next(k for k, name in enumerate(names) if layer == name or layer.startswith(f"{name}."))
    places = chain.places[: k + 1]
    if layer != names[k]:
        block: Any = places.pop().step
        branches = {f"{names[k]}.{label}": inner for label, inner in block.chains().items()}
        longest_first = sorted(branches, key=len, reverse=True)  # "block.shortcut." begins as "block." does
        label = next(label for label in longest_first if layer.startswith(label))
        seen = _back_to_input(branches[label], label, layer, seen)
    return _through(places, seen)


def _through(places: list[Place], seen: Seen) -> Seen:
    """From what is seen of the last step's output to what is seen of the first one's input."""
    for place in reversed(places):
        if len(place.in_shape) == 3 and all(seen):  # of rows of numbers, all is seen; of nothing, nothing
            C, H, W = place.in_shape
            rows, columns = _through_one(place, seen)
            seen = rows & set(range(H)), columns & set(range(W))  # the rest is padding
    return seen


def _through_one(place: Place, seen: Seen) -> Seen:
    step: Any = place.step
    rows, columns = seen
    kind = type(step)
    if kind in PIXEL_BY_PIXEL:
        return seen
    if kind is Conv:
        height, width = pair("Conv", "size", step.size)
        how = step.stride, step.pad, step.dilation
        return _windows(rows, height, *how), _windows(columns, width, *how)
    if kind in (MaxPool, AvgPool):
        how = step.pool_param
        stride = how["stride"]
        return _windows(rows, how["pool_height"], stride), _windows(columns, how["pool_width"], stride)
    if kind is Pad:
        return _windows(rows, 1, pad=step.top), _windows(columns, 1, pad=step.left)
    if kind is Subsample:
        return _windows(rows, 1, step.stride), _windows(columns, 1, step.stride)
    if kind is Residual and len(place.out_shape) == 3:
        branches = [_through(inner.places, seen) for inner in step.chains().values()]
        if step.shortcut is None:
            branches.append(seen)  # what comes in is added
        branches = [found for found in branches if all(found)] or branches
        return set.union(*(rows for rows, _ in branches)), set.union(*(columns for _, columns in branches))
    _, H, W = place.in_shape
    return set(range(H)), set(range(W))


def _windows(stops: set[int], size: int, stride: int = 1, pad: int = 0, dilation: int = 1) -> set[int]:
    """What windows at these stops see, counted from behind the padding."""
    return {stop * stride - pad + tap * dilation for stop in stops for tap in range(size)}
