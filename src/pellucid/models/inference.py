"""A network that is no longer trained: batch norm folded into convolutions, filters laid out once, memory used again.

    convolution, batch norm            one convolution (`pellucid.layers.fold_batchnorm`)
    convolution, max pool, batch norm  the same, where no channel's scale is negative: then the largest pixel stays the
                                       largest
    and ReLU or GELU behind them       before the convolution's result is written; a ReLU may also pass a max pool

Everything else runs as in `Network.loss` in test mode.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.layers import PreparedConvolution, Workspace, fold_batchnorm
from pellucid.layers.elementwise import add
from pellucid.models import fusion
from pellucid.models.chain import Chain, Place
from pellucid.models.fusion import Running
from pellucid.models.network import Network
from pellucid.models.norms import BatchNorm
from pellucid.models.parameters import as_input
from pellucid.models.plain import GELU, MaxPool, ReLU
from pellucid.models.residual import Residual
from pellucid.models.weighted import Conv

Run = Callable[[np.ndarray], np.ndarray]
Params = dict[str, np.ndarray]

ACTIVATIONS = {ReLU: "relu", GELU: "gelu"}
MOST_TOGETHER = max(4, fusion.LONGEST)
"""Steps that may run in one: a convolution, max pool, batch norm and activation; or a pattern of `fusion`."""


class Inference:
    """Scores of a network as it is now; what happens to the network's parameters later changes nothing here.

    Several threads may call it at once; they take turns.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self.input_shape, self.dtype = network.input_shape, network.dtype
        params = {name: array.copy() for name, array in network.params.items()}
        self._run = _prepared(copy.deepcopy(network.chain), "", params)  # the steps hold running statistics
        self._workspace = Workspace()
        self._turn = threading.Lock()

    def loss(self, X: Any, y: None = None) -> np.ndarray:
        """Scores, as every model gives them without labels.

        Parameters
        ----------
        X : array ``(N, *input_shape)``

        Returns
        -------
        array (N, classes), in the network's type
        """
        X = as_input("Inference", X, self.dtype)
        if X.shape[1:] != self.input_shape or X.ndim == 0:
            needed = ", ".join(map(str, ("N", *self.input_shape)))
            raise ValueError(f"Inference: X has shape {X.shape}; it must be ({needed})")
        with self._turn, self._workspace:
            return self._run(X).copy()  # the workspace keeps its memory

    __call__ = loss


def _prepared(chain: Chain, prefix: str, params: Params) -> Run:
    """The steps of a chain, one after the other."""
    runs, done = [], 0
    while done < len(chain.places):
        run, count = _first(chain.places[done : done + MOST_TOGETHER], prefix, params)
        runs.append(run)
        done += count
    if len(runs) == 1:
        return runs[0]

    def in_a_row(x: np.ndarray) -> np.ndarray:
        for run in runs:
            x = run(x)
        return x

    return in_a_row


def _first(places: Sequence[Place], prefix: str, params: Params) -> tuple[Run, int]:
    """What runs for the first of the steps, and how many of them it stands for."""
    step = places[0].step
    if type(step) is Conv:
        return _convolution(places, prefix, params)
    if type(step) is Residual:
        return _residual(step, f"{prefix}{places[0].name}.", params), 1
    item = fusion.first([Running(*place) for place in places])
    own = _own(places[0], prefix, params)
    return (lambda x: item.step.forward(x, own, "test")[0]), item.steps


def _own(place: Place, prefix: str, params: Params) -> Params:
    return {short: params[prefix + name] for short, name in place.arrays.items()}


def _residual(block: Residual, prefix: str, params: Params) -> Run:
    branches = [_prepared(chain, prefix + label, params) for label, chain in block.chains().items()]
    if len(branches) == 1:
        return lambda x: add(branches[0](x), x)
    return lambda x: add(branches[0](x), branches[1](x))


def _convolution(places: Sequence[Place], prefix: str, params: Params) -> tuple[Run, int]:
    """A convolution with whatever of the steps behind it can be done in it."""
    conv: Any = places[0].step
    own = _own(places[0], prefix, params)
    w, b = own["w"], conv.bias_of(own)
    kinds: list[Any] = [type(place.step) for place in places] + [None] * MOST_TOGETHER
    count = 1
    pool: Any = None
    may_follow = ACTIVATIONS
    if kinds[1] is BatchNorm:
        w, b = _folded(w, b, places[1], prefix, params)
        count = 2
    elif kinds[1] is MaxPool and kinds[2] is BatchNorm and _keeps_order(places[2], prefix, params):
        pool = places[1].step
        w, b = _folded(w, b, places[2], prefix, params)
        count = 3
        may_follow = {ReLU: "relu"}  # the largest of what is cut off is the largest, cut off
    activation = may_follow.get(kinds[count])
    if activation is not None:
        count += 1
    convolve = PreparedConvolution(w, b, conv.conv_param, activation)
    if pool is None:
        return convolve, count
    return (lambda x: pool.forward(convolve(x), {}, "test")[0]), count


def _folded(w: np.ndarray, b: np.ndarray, place: Place, prefix: str, params: Params) -> tuple[np.ndarray, np.ndarray]:
    """Filters and biases that do what the batch norm does, too."""
    norm: Any = place.step
    own = _own(place, prefix, params)
    gamma, beta = own.get("gamma", np.ones_like(b)), own.get("beta", np.zeros_like(b))
    return fold_batchnorm(w, b, gamma, beta, norm.bn_param["running_mean"], norm.bn_param["running_var"], norm.eps)


def _keeps_order(place: Place, prefix: str, params: Params) -> bool:
    """Whether a larger number is a larger one after this batch norm, too."""
    gamma = _own(place, prefix, params).get("gamma")
    return gamma is None or bool(np.all(gamma >= 0))
