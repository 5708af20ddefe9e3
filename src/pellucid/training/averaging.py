"""A moving average of the weights: smoother than the weights themselves, which a large learning rate throws about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import check
from pellucid.kernels.arrays import flat
from pellucid.kernels.rows import launch
from pellucid.kernels.updates import blend
from pellucid.training.weights import Weights, copied, put, weights_of


@dataclass(frozen=True)
class Average:
    """How weights and running statistics are averaged while they are trained.

        average <- average + (1 - d) * (weights - average),   d = decay * progress**power

    where progress is the share of the training that is done. The n-th time, d is at most (n - 1) / n, so that what the
    weights were at the start is forgotten at once.

    With lookahead and decay=0.95**5, every=5, power=3 it is that of K. Jordan 2024 (arXiv:2404.00498), after
    M. Zhang et al. 2019 (arXiv:1907.08610).

    Parameters
    ----------
    decay : float
        From 0 to below 1.
    every : int
        Steps from one time to the next.
    power : float
        Above 0, the average follows closely at first and ever more slowly later.
    lookahead : bool
        The weights themselves become the average each time, and training goes on from there. False: they go their
        own way, and accuracies are measured with the average, which is also what is kept.
    """

    decay: float = 0.999
    every: int = 1
    power: float = 0.0
    lookahead: bool = False

    def __post_init__(self) -> None:
        where = "Average"
        object.__setattr__(self, "decay", check.fraction(where, "decay", self.decay))
        object.__setattr__(self, "every", check.whole_number(where, "every", self.every, least=1))
        object.__setattr__(self, "power", check.number(where, "power", self.power, least=0))
        check.flag(where, "lookahead", self.lookahead)

    def start(self, model: Any) -> Weights:
        """The average before the first step: a copy of the weights."""
        return copied(weights_of(model))

    def update(self, average: Weights, model: Any, iteration: int, num_iterations: int) -> None:
        """After step ``iteration`` (from 1): bring the average, and with lookahead the weights, up to date."""
        weights = weights_of(model)
        is_last = iteration == num_iterations
        if iteration % self.every == 0 and not (self.lookahead and is_last):
            times = iteration // self.every
            d = min(self.decay * (iteration / num_iterations) ** self.power, (times - 1) / times)
            _each(average, weights, lambda old, new: _blend(old, new, 1 - d))
        if self.lookahead and (iteration % self.every == 0 or is_last):
            _each(average, weights, lambda old, new: np.copyto(new, old))


@contextmanager
def averaged(model: Any, average: Average | None, weights: Weights | None) -> Iterator[None]:
    """While this lasts, the model has the averaged weights, if there are any apart from its own."""
    if average is None or average.lookahead or weights is None:
        yield
        return
    own = weights_of(model)
    put(weights, model)
    try:
        yield
    finally:
        put(own, model)


def _each(average: Weights, weights: Weights, function: Any) -> None:
    """Call ``function(average's array, weights' array)`` for each parameter and each running statistic."""
    for name, array in weights.params.items():
        function(average.params[name], array)
    for old, new in zip(average.bn_params, weights.bn_params, strict=True):
        for key, array in new.items():
            if key not in old:
                old[key] = array.copy()
            function(old[key], array)


def _blend(average: np.ndarray, weights: np.ndarray, share: float) -> None:
    """average += share * (weights - average), in place."""
    if average.flags.c_contiguous and weights.flags.c_contiguous:
        launch(blend, average.size, flat(average), flat(weights), np.array([share], average.dtype))
    else:
        average += (weights - average) * average.dtype.type(share)
