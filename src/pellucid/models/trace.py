"""A network run in test mode, one step of the user's list after the other, with what each gave; and back again.

For looking inside (`pellucid.inspect`), not for speed: nothing is fused.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import numpy as np

from pellucid import check
from pellucid.layers.elementwise import add
from pellucid.models.chain import Chain, Place
from pellucid.models.from_course import as_network
from pellucid.models.network import Network
from pellucid.models.residual import Residual
from pellucid.models.step import Params

INPUT = "(input)"
"""Stands for what comes into the network among the gradients of a `Trace`; no step can have this name."""


class Ran(NamedTuple):
    """A step that has run."""

    name: str
    """In full: "conv1", "residual1.conv1"."""
    out: np.ndarray
    """``(N, *out_shape)``"""
    cache: Any
    """For its backward pass; a residual block's is None, since its steps run one by one."""


Run = Generator[Ran, None, np.ndarray]


def running(network: Network, X: np.ndarray) -> Run:
    """Run the network in test mode, and hand over each step when it has run: those inside of a block before the block.

    Nothing is kept here, so that who looks at a step, keeps nothing, and stops there, needs little memory and time.

    Parameters
    ----------
    network : Network
    X : array ``(N, *input_shape)``
        As `Network.checked_input` returns it.
    """
    return _chain(network.chain, "", network.params, X)


def seen_places(chain: Chain, prefix: str = "", depth: int = 0) -> Iterator[tuple[int, str, Place]]:
    """What `running` hands over, in the order and form of `Network.places`.

    It differs only by the steps inside of a block of the user's own, which runs as it likes.
    """
    for place in chain.places:
        yield depth, prefix, place
        if type(place.step) is Residual:
            for label, inner in place.step.chains().items():
                yield from seen_places(inner, f"{prefix}{place.name}.{label}", depth + 1)


class Trace:
    """One pass of some samples through a network in test mode, with everything kept.

    Parameters
    ----------
    network : Network
        Or one of the course's classes.
    X : array ``(N, *input_shape)``
    where : str
        Who asks, for errors.

    Attributes
    ----------
    outputs : dict of arrays ``(N, *out_shape)``, by the step's full name
        In the order of `Network.places`: a residual block, then the steps in it ("residual1.conv1").
    scores : array ``(N, *output_shape)``
        What the last step gave.

    Raises
    ------
    TypeError, ValueError
        No network, or samples that are not of its input's shape.
    """

    def __init__(self, network: Any, X: Any, where: str = "Trace") -> None:
        self.where = where
        self.network = as_network(network)
        ran = {one.name: one for one in running(self.network, self.network.checked_input(where, X))}
        names = [prefix + place.name for _, prefix, place in seen_places(self.network.chain)]
        self.outputs = {name: ran[name].out for name in names}
        self.scores = ran[self.network.chain.names[-1]].out
        self._caches = {name: one.cache for name, one in ran.items()}

    def gradients(self, dscores: Any) -> dict[str, np.ndarray]:
        """The gradient for what came in (`INPUT`) and for what each step gave, by its name.

        Parameters
        ----------
        dscores : array like ``scores``
            The gradient for the scores: 1 at a class, and else 0, asks for the gradient of that class's score.

        Raises
        ------
        ValueError
            A step of the user's own keeps nothing in test mode that its backward pass could use.
        """
        dscores = check.upstream(self.where, dscores, self.scores, self.scores.shape)
        found: dict[str, np.ndarray] = {}
        found[INPUT] = self._back(self.network.chain, "", dscores, found)
        return found

    def _back(self, chain: Chain, prefix: str, dout: np.ndarray, found: dict[str, np.ndarray]) -> np.ndarray:
        for place in reversed(chain.places):
            name = prefix + place.name
            found[name] = dout
            if type(place.step) is Residual:
                chains = place.step.chains().items()
                dxs = [self._back(inner, f"{name}.{label}", dout, found) for label, inner in chains]
                dout = add(dxs[0], dxs[1] if len(dxs) > 1 else dout)
            else:
                dout = self._back_one(chain, place, name, dout)
        return dout

    def _back_one(self, chain: Chain, place: Place, name: str, dout: np.ndarray) -> np.ndarray:
        cache = self._caches[name]
        try:
            return chain.gradients_one(place, dout, cache, frozenset(place.arrays))[0]
        except Exception as error:
            if cache is not None and not place.step.chains():
                raise
            raise ValueError(
                f"{self.where}: step {name!r}, {type(place.step).__name__}, has no gradient in test mode: its forward "
                'must return a cache when mode is "test", too'
            ) from error


def _chain(chain: Chain, prefix: str, params: Params, x: np.ndarray) -> Run:
    own = {name.removeprefix(prefix): array for name, array in params.items() if name.startswith(prefix)}
    for place in chain.places:
        name, cache = prefix + place.name, None
        if type(place.step) is Residual:
            x = yield from _block(place.step, f"{name}.", params, x)
        else:
            x, cache = chain.forward_one(place, x, own, "test")
        yield Ran(name, x, cache)
    return x


def _block(block: Residual, prefix: str, params: Params, x: np.ndarray) -> Run:
    outs = []
    for label, inner in block.chains().items():
        outs.append((yield from _chain(inner, prefix + label, params, x)))
    return add(outs[0], outs[1] if len(outs) > 1 else x)
