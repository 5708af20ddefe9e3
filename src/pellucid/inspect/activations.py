"""What every step of a network makes of some images, and which steps make images of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pellucid import check
from pellucid.models import Network
from pellucid.models.trace import Trace, seen_places


class Activation(NamedTuple):
    """What one step gave."""

    name: str
    """The step's full name: "conv1", "residual1.conv1"."""
    step: str
    """The step in a line."""
    out: np.ndarray
    """``(N, *out_shape)``"""


def activations(network: Any, X: Any) -> list[Activation]:
    """What every step gives for some images, in test mode.

    Parameters
    ----------
    network : Network
        Or one of the course's classes, whose steps then have the names that `as_network` gives them.
    X : array ``(N, *input_shape)``
        Few images: everything is kept.

    Returns
    -------
    list of Activation
        In the order of `Network.places`: a residual block, then the steps in it.
    """
    trace = Trace(network, X, "activations")
    steps = {prefix + place.name: place.step.describe() for _, prefix, place in trace.network.places()}
    return [Activation(name, steps[name], out) for name, out in trace.outputs.items()]


def layers_with_maps(network: Network, least: int = 1) -> dict[str, tuple[int, int, int]]:
    """The steps that give images of ``least`` pixels or more: their shapes (maps, height, width) by name."""
    found = {}
    for _, prefix, place in seen_places(network.chain):
        if len(place.out_shape) == 3 and place.out_shape[1] * place.out_shape[2] >= least:
            K, h, w = place.out_shape
            found[prefix + place.name] = (K, h, w)
    return found


def maps_of(where: str, network: Network, layer: Any, least: int = 1) -> tuple[int, int, int]:
    """The shape (maps, height, width) of what a layer gives.

    Raises
    ------
    ValueError
        There is no such layer, or it gives no images: those that do are named.
    """
    there = layers_with_maps(network, least)
    if not isinstance(layer, str) or layer not in there:
        kind = "images" if least == 1 else f"images of at least {least} pixels"
        hint = check.did_you_mean(layer, there) if isinstance(layer, str) else ""
        raise ValueError(
            f"{where}: layer is {check.shown(layer)}{hint}; it must be one of those that give {kind}: "
            f"{', '.join(there) or 'the network has none'}"
        )
    return there[layer]
