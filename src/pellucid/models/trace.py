"""A network run once in test mode, step by step, with everything kept: what each step gave, and what it was worth.

For looking inside (`pellucid.inspect`), not for speed: nothing is fused, nothing is used again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pellucid import check
from pellucid.layers.elementwise import add
from pellucid.models.chain import Chain, Place
from pellucid.models.network import Network
from pellucid.models.parameters import as_input
from pellucid.models.residual import Residual

INPUT = "input"


class _Run(NamedTuple):
    """One step that ran: its full name, itself, and what its backward pass needs."""

    name: str
    place: Place
    cache: Any
    branches: tuple[list[_Run], ...]
    """Of a residual block, instead of a cache."""


class Trace:
    """One pass of some images through a network.

    Parameters
    ----------
    network : Network
    X : array (N, *input_shape)

    Attributes
    ----------
    outputs : dict of arrays (N, *out_shape) by the step's full name
        In the order of `Network.places`: a residual block, then the steps in it ("residual1.conv1").
    scores : array (N, *output_shape)
        What the last step gave.
    """

    def __init__(self, network: Any, X: Any) -> None:
        where = "Trace"
        if not isinstance(network, Network):
            kind = type(network).__name__
            raise TypeError(f"{where}: network is a {kind}; give a Network, or as_network(model)")
        X = as_input(where, X, network.dtype)
        if X.shape[1:] != network.input_shape or len(X) == 0:
            needed = ", ".join(map(str, ("N", *network.input_shape)))
            raise ValueError(f"{where}: X has shape {X.shape}; it must be ({needed}), with N at least 1")
        self.network = network
        self._found: dict[str, np.ndarray] = {}
        self.scores, self._runs = self._forward(network.chain, "", X)
        names = [prefix + place.name for _, prefix, place in network.places()]
        self.outputs = {name: self._found[name] for name in names if name in self._found}

    def gradients(self, dscores: Any) -> dict[str, np.ndarray]:
        """The gradient for what came in ("input") and for what each step gave, by its name.

        Parameters
        ----------
        dscores : array like ``scores``
            The gradient for the scores: ones at a class ask what speaks for that class.
        """
        dscores = check.upstream("Trace.gradients", dscores, self.scores, self.scores.shape)
        found: dict[str, np.ndarray] = {}
        found[INPUT] = self._backward(self._runs, dscores, found)
        return found

    def _forward(self, chain: Chain, prefix: str, x: np.ndarray) -> tuple[np.ndarray, list[_Run]]:
        runs = []
        for place in chain.places:
            name = prefix + place.name
            if type(place.step) is Residual:
                x, branches = self._forward_block(place.step, f"{name}.", x)
                runs.append(_Run(name, place, None, branches))
            else:
                own = {short: self.network.params[prefix + full] for short, full in place.arrays.items()}
                x, cache = place.step.forward(x, own, "test")
                runs.append(_Run(name, place, cache, ()))
            self._found[name] = x
        return x, runs

    def _forward_block(self, block: Residual, prefix: str, x: np.ndarray) -> tuple[np.ndarray, tuple[list[_Run], ...]]:
        done = [self._forward(chain, prefix + label, x) for label, chain in block.chains().items()]
        shortcut = done[1][0] if len(done) > 1 else x
        return add(done[0][0], shortcut), tuple(runs for _, runs in done)

    def _backward(self, runs: list[_Run], dout: np.ndarray, found: dict[str, np.ndarray]) -> np.ndarray:
        for run in reversed(runs):
            found[run.name] = dout
            if run.branches:
                dxs = [self._backward(branch, dout, found) for branch in run.branches]
                dout = add(dxs[0], dxs[1] if len(dxs) > 1 else dout)
            else:
                dout, _ = run.place.step.gradients(dout, run.cache, frozenset(run.place.arrays))
        return dout
