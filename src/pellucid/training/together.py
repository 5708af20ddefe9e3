"""Data-parallel training: each process computes a part of every batch, and all take the same step.

    the whole batch, the same in all processes         rank r of P takes the images n r / P to n (r + 1) / P
    forward and backward on the own part               gradients start on their way as soon as they are there
    mean over all processes                            the same bits in all
    the same update in all                             so that weights stay the same without being sent

What is random does not depend on the rank: the order of the images is drawn in the same way by all, what happens to an
image depends on its place in the epoch, and dropout draws for its own rows out of the numbers for all
(`pellucid.draws.BatchGenerator`). Thus P processes compute what one would, but for the order in which numbers are
added, and for the statistics of batch norm, which are of each part unless they are synchronised.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from pellucid.draws import BatchGenerator
from pellucid.training.batches import Wanted
from pellucid.training.ranks import Ranks, Started
from pellucid.training.weights import STATISTICS, weights_of

BUCKET_BYTES = 1 << 20
"""Gradients that are sent at once, at least: `benchmarks/scaling.py` compares sizes."""

SIGINT, SIGTERM = 2, 15


class Agreed(NamedTuple):
    """What all processes do after a step."""

    stop: bool
    signum: int | None


class Alone:
    """One process that has all of every batch: what the Solver asks, and the answers where there is nothing to do.

    Parameters
    ----------
    on_progress : callable
        Called whenever some images were looked at, so that somebody who waits can see that it goes on.
    """

    rank, size = 0, 1

    def __init__(self, on_progress: Callable[[], None] = lambda: None) -> None:
        self.on_progress = on_progress

    def begin(self, model: Any) -> None:
        """Before the first step of a call of ``train``."""

    def end(self, model: Any) -> None:
        """After the last one, also where an error ended it: the model is as it was before `begin`."""

    def part(self, wanted: Wanted) -> Wanted:
        """The own images of a batch."""
        return wanted

    def before_step(self, model: Any, wanted: Wanted) -> None:
        """The model is about to compute the own part of the wanted batch."""

    def __call__(self, grads: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The gradients of the whole batch."""
        return grads

    def after_step(self, model: Any, loss: float) -> float:
        """The loss of the whole batch; running statistics become those of all."""
        return loss

    def agreed(self, stop: bool, signum: int | None) -> Agreed:
        """Whether all stop now, because one of them was told to."""
        return Agreed(stop, signum)

    def turns(self, count: int, size: int) -> Iterator[slice]:
        """Which of ``count`` images this process looks at, so many at a time."""
        for start in range(0, count, size):
            yield slice(start, min(start + size, count))
            self.on_progress()

    def joined(self, own: np.ndarray, count: int) -> np.ndarray:
        """The rows of all processes, where each has those of its `turns`."""
        return own

    def check_same(self, model: Any, when: str) -> None:
        """All have the same weights."""


ALONE = Alone()


class Together(Alone):
    """Several processes: what the Solver takes as ``reduce_gradients``.

    Parameters
    ----------
    ranks : Ranks
    synchronise : bool
        Batch norm takes mean and variance over all parts of the batch, rather than over the own one.
    bucket_bytes : int
        Gradients are sent as soon as so many bytes of them are there.
    on_progress : callable

    Attributes
    ----------
    waited_s : float
        Seconds in which this process had nothing to do but to wait for sums: what communication costs, and what the
        slowest process costs the others.
    sent_bytes : int
    """

    def __init__(
        self,
        ranks: Ranks,
        synchronise: bool = False,
        bucket_bytes: int = BUCKET_BYTES,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(on_progress)
        self.ranks, self.synchronise, self.bucket_bytes = ranks, synchronise, bucket_bytes
        self.rank, self.size = ranks.rank, ranks.size
        self.waited_s, self.sent_bytes = 0.0, 0
        self._factor = 1.0
        self._collected: dict[str, np.ndarray] = {}
        self._under_way: list[tuple[dict[str, np.ndarray], Started]] = []
        self._buffers: dict[tuple[Any, ...], np.ndarray] = {}

    def begin(self, model: Any) -> None:
        """Nobody begins with other weights; the model tells of gradients as they come."""
        self.check_same(model, "at the start")
        layers = getattr(model, "bn_params", None) or []
        if self.synchronise and layers:
            if not hasattr(model, "loss_scale"):
                raise ValueError(
                    f"Together: synchronise needs a model with loss_scale, such as a Network; {type(model).__name__} "
                    "has none: train it with batch norm's statistics of each part"
                )
            for layer in layers:
                layer["total"] = self.total
        if hasattr(model, "on_gradients"):
            model.on_gradients = self._arrived

    def end(self, model: Any) -> None:
        """Gradients stay here again."""
        self._collected, self._under_way = {}, []
        for layer in getattr(model, "bn_params", None) or []:
            layer.pop("total", None)
        if hasattr(model, "on_gradients"):
            model.on_gradients = None
        if hasattr(model, "loss_scale"):
            model.loss_scale = 1.0
        if isinstance(getattr(model, "rng", None), BatchGenerator):
            model.rng.rows = None

    def part(self, wanted: Wanted) -> Wanted:
        """Neighbouring images, as many as the others have or one more."""
        own = self._own(len(wanted.chosen))
        return Wanted(wanted.epoch, wanted.first + own.start, wanted.chosen[own])

    def before_step(self, model: Any, wanted: Wanted) -> None:
        """A part counts as much as it has images.

        A model that can is told to weigh its loss before the backward pass, so that the sums over all parts in
        synchronised batch norm weigh them, too; all else is weighed when it is sent.
        """
        total = len(wanted.chosen)
        own = self._own(total)
        count = own.stop - own.start
        self._factor = count / total
        if hasattr(model, "loss_scale"):
            model.loss_scale, self._factor = count * self.size / total, 1 / self.size
        if isinstance(getattr(model, "rng", None), BatchGenerator):
            model.rng.rows = (own.start, total)

    def __call__(self, grads: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The mean of every gradient over all images of the batch, once a step."""
        on_their_way = {name for views, _ in self._under_way for name in views} | self._collected.keys()
        self._arrived({name: gradient for name, gradient in grads.items() if name not in on_their_way})
        if self._collected:
            self._send()
        means: dict[str, np.ndarray] = {}
        for views, started in self._under_way:
            self._timed(started.wait)
            means |= views
        self._under_way = []
        return {name: means[name] for name in grads}

    def after_step(self, model: Any, loss: float) -> float:
        """One short sum: the loss, and the running statistics unless they are the same already."""
        layers = [] if self.synchronise else getattr(model, "bn_params", None) or []
        running = [(layer, key) for layer in layers for key in STATISTICS if key in layer]
        sums = np.concatenate([[loss * self._factor], *(layer[key] / self.size for layer, key in running)])
        sums = sums.astype(np.float64)
        self._timed(self.ranks.sum, sums)
        at = 1
        for layer, key in running:
            count = layer[key].size
            layer[key] = sums[at : at + count].astype(layer[key].dtype)
            at += count
        return float(sums[0])

    def agreed(self, stop: bool, signum: int | None) -> Agreed:
        """What one was told, all do, after the same step."""
        flags = np.array([stop, signum == SIGINT, signum not in (None, SIGINT)], np.float64)
        self._timed(self.ranks.sum, flags)
        told = flags > 0
        return Agreed(bool(told[0]), SIGINT if told[1] else SIGTERM if told[2] else None)

    def total(self, numbers: Any) -> np.ndarray:
        """The sum over all processes, for layers that need it: see `pellucid.layers.batchnorm`."""
        sums = np.array(numbers, np.float64)
        self._timed(self.ranks.sum, sums)
        return sums

    def turns(self, count: int, size: int) -> Iterator[slice]:
        """A part of the images for each process; all for everybody where they are too few."""
        own = self._own(count) if count >= self.size else slice(0, count)
        for start in range(own.start, own.stop, size):
            yield slice(start, min(start + size, own.stop))
            self.on_progress()

    def joined(self, own: np.ndarray, count: int) -> np.ndarray:
        """Each fills in its rows, and all are added."""
        if count < self.size:
            return own
        rows = np.zeros((count, *own.shape[1:]), own.dtype)
        rows[self._own(count)] = own
        self._timed(self.ranks.sum, rows)
        return rows

    def check_same(self, model: Any, when: str) -> None:
        """Raise RuntimeError where a process has other weights than the first."""
        digests = self.ranks.gathered(_digest(model))
        others = [str(rank) for rank, digest in enumerate(digests) if digest != digests[0]]
        if others:
            raise RuntimeError(
                f"Together: {when}, rank {', '.join(others)} has other weights than rank 0; all must run the same "
                "program on the same data, recipe and seed, with sums that are the same in all"
            )

    def _own(self, count: int) -> slice:
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def _arrived(self, grads: dict[str, np.ndarray]) -> None:
        """Collect gradients, send them when they are enough, and help on those that are under way."""
        self._collected |= grads
        if sum(gradient.nbytes for gradient in self._collected.values()) >= self.bucket_bytes:
            self._send()
        for _, started in self._under_way:
            started.poll()

    def _send(self) -> None:
        """Put the collected gradients, weighed, into one flat array and begin to add it up."""
        grads, self._collected = self._collected, {}
        dtype = np.result_type(*grads.values())
        key = (dtype, *grads)
        if key not in self._buffers:
            self._buffers[key] = np.empty(sum(gradient.size for gradient in grads.values()), dtype)
        flat, views, at = self._buffers[key], {}, 0
        for name, gradient in grads.items():
            views[name] = flat[at : at + gradient.size].reshape(gradient.shape)
            np.multiply(gradient, dtype.type(self._factor), out=views[name])
            at += gradient.size
        self.sent_bytes += flat.nbytes
        self._under_way.append((views, self.ranks.start_sum(flat)))

    def _timed(self, wait: Callable[..., None], *arguments: Any) -> None:
        began = time.perf_counter()
        wait(*arguments)
        self.waited_s += time.perf_counter() - began


def _digest(model: Any) -> str:
    digest = hashlib.sha256()
    weights = weights_of(model)
    for arrays in (weights.params, *weights.bn_params):
        for name, array in sorted(arrays.items()):
            digest.update(f"{name} {array.shape} {array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
