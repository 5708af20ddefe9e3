"""What every step of a network makes of some images."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pellucid.models import Network
from pellucid.models.trace import Trace


class Activation(NamedTuple):
    """What one step gave."""

    name: str
    """The step's full name: "conv1", "residual1.conv1"."""
    step: str
    """The step in a line."""
    out: np.ndarray
    """(N, *out_shape)"""


def activations(network: Network, X: Any) -> list[Activation]:
    """What every step gives for some images, in test mode.

    Parameters
    ----------
    network : Network
        Of a course's class: ``as_network(model)``.
    X : array (N, *input_shape)
        Few images: everything is kept.

    Returns
    -------
    list of Activation
        In the order of `Network.places`: a residual block, then the steps in it.
    """
    outputs = Trace(network, X).outputs
    steps = {prefix + place.name: place.step.describe() for _, prefix, place in network.places()}
    return [Activation(name, steps[name], out) for name, out in outputs.items()]
