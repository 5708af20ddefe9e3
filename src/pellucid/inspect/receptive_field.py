"""Which part of the input one pixel of a layer's map depends on."""

from __future__ import annotations

from typing import Any, NamedTuple

from pellucid import check
from pellucid.inspect.strongest import layer_shape
from pellucid.models import Conv, Network, Residual
from pellucid.models.chain import Chain, Place
from pellucid.models.padding import Pad
from pellucid.models.plain import AvgPool, MaxPool, Subsample

WHOLE = -(2**40), 2**40


class Span(NamedTuple):
    """Rows (or columns) from first to last, both included."""

    first: int
    last: int

    def through(self, size: int, stride: int, before: int, dilation: int = 1) -> Span:
        """What a window of ``size`` taps sees of the input, whose padding has ``before`` rows."""
        return Span(self.first * stride - before, self.last * stride - before + (size - 1) * dilation)

    def union(self, other: Span) -> Span:
        return Span(min(self.first, other.first), max(self.last, other.last))


def receptive_field(network: Network, layer: str, i: int, j: int) -> tuple[int, int, int, int]:
    """The pixels of the input that a pixel of a layer's maps can depend on, as a box inside of the image.

    Parameters
    ----------
    network : Network
    layer : str
        The full name of a step that gives images.
    i, j : int
        Row and column in its map.

    Returns
    -------
    (y0, x0, y1, x1) : int
        The first row and column, and those behind the last.

    Raises
    ------
    ValueError
        There is no such layer, or no such pixel.
    """
    where = "receptive_field"
    _, h, w = layer_shape(where, network, layer)
    i = check.whole_number(where, "i", i)
    j = check.whole_number(where, "j", j)
    if i >= h or j >= w:
        raise ValueError(f"{where}: ({i}, {j}) is no pixel of {layer!r}, whose maps are {h} x {w}")
    rows, columns = _traced(network.chain, "", layer, (Span(i, i), Span(j, j)))
    H, W = network.input_shape[1:]
    return max(0, rows.first), max(0, columns.first), min(H, rows.last + 1), min(W, columns.last + 1)


Box = tuple[Span, Span]


def _traced(chain: Chain, prefix: str, layer: str, box: Box) -> Box:
    """From a step in the chain, or in one of its blocks, back to what comes into the chain."""
    names = [prefix + place.name for place in chain.places]
    k = next(k for k, name in enumerate(names) if layer == name or layer.startswith(f"{name}."))
    places = chain.places[: k + 1]
    if layer != names[k]:  # somewhere inside of a block
        block: Any = places.pop().step
        inner = f"{names[k]}."
        branches = {inner + label: own for label, own in block.chains().items()}
        label = next(label for label, own in branches.items() if layer in _names(own, label))
        box = _traced(branches[label], label, layer, box)
    for place in reversed(places):
        box = _behind(place, box)
    return box


def _names(chain: Chain, prefix: str) -> set[str]:
    return {inner + place.name for _, inner, place in chain.walk(prefix)}


def _behind(place: Place, box: Box) -> Box:
    """What a step needs of its input for a box of its output."""
    step: Any = place.step
    rows, columns = box
    if type(step) is Conv:
        height, width = step.size if isinstance(step.size, tuple) else (step.size, step.size)
        own = step.stride, step.pad, step.dilation
        return rows.through(height, *own), columns.through(width, *own)
    if type(step) in (MaxPool, AvgPool):
        height, width, stride = step.pool_param.values()
        return rows.through(height, stride, 0), columns.through(width, stride, 0)
    if type(step) is Pad:
        return rows.through(1, 1, step.top), columns.through(1, 1, step.left)
    if type(step) is Subsample:
        return rows.through(1, step.stride, 0), columns.through(1, step.stride, 0)
    if type(step) is Residual:
        return _behind_block(step, box)
    if len(place.in_shape) == 3 and place.in_shape[1:] == place.out_shape[1:]:
        return box  # each pixel of its own: activations, batch norm, dropout
    return Span(*WHOLE), Span(*WHOLE)


def _behind_block(block: Residual, box: Box) -> Box:
    boxes = []
    for chain in block.chains().values():
        own = box
        for place in reversed(chain.places):
            own = _behind(place, own)
        boxes.append(own)
    if len(boxes) == 1:
        boxes.append(box)  # the image itself is the shortcut
    return boxes[0][0].union(boxes[1][0]), boxes[0][1].union(boxes[1][1])
