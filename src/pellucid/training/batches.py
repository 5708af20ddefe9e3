"""Batches of training images, each made in the background while the network works on the one before."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from pellucid.kernels.workspace import Workspace
from pellucid.training.augmentation import Augmentation, changed


class Wanted(NamedTuple):
    """Which images, and where in the run: all that a batch depends on."""

    epoch: int
    first: int
    """The place in the epoch of the first of them."""
    chosen: np.ndarray
    """int array (N,): which images of the training set."""


def share_of_epoch(order: np.ndarray, epoch: int, i: int, steps: int) -> Wanted:
    """The i-th of the batches that an epoch's images are shared out to: their sizes differ by one at most."""
    size, larger = divmod(len(order), steps)  # the first ``larger`` batches have one image more
    start = i * size + min(i, larger)
    return Wanted(epoch, start, order[start : start + size + (i < larger)])


class Batches:
    """Images and labels by the batch.

    Nothing is drawn from a generator that somebody else draws from: a batch made early, or made twice, is the same.

    Parameters
    ----------
    X, y : (N, ...) and (N,)
        The training set.
    augmentation : Augmentation, optional
    """

    def __init__(self, X: Any, y: np.ndarray, augmentation: Augmentation | None) -> None:
        if augmentation is not None:
            augmentation.check_images(tuple(X.shape))
        self._X, self._y, self._augmentation = X, y, augmentation
        self._workspace = Workspace()
        self._pool: ThreadPoolExecutor | None = None
        self._coming: tuple[Wanted, Future[np.ndarray]] | None = None

    def take(self, wanted: Wanted, following: Wanted | None) -> tuple[np.ndarray, np.ndarray]:
        """The batch that is wanted now; the one that will be wanted next, if that is known, is begun."""
        images = self._received(wanted)
        if following is not None:
            self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="pellucid-batches")
            self._coming = following, self._pool.submit(self._made, following)
        return images, self._y[wanted.chosen]

    def close(self) -> None:
        """End the background thread; a batch that is in the making is waited for."""
        if self._pool is not None:
            self._pool.shutdown()
        self._pool = self._coming = None

    def _received(self, wanted: Wanted) -> np.ndarray:
        coming, self._coming = self._coming, None
        if coming is not None:
            promised, future = coming
            images = future.result()
            if promised[:2] == wanted[:2] and np.array_equal(promised.chosen, wanted.chosen):
                return images
        return self._made(wanted)

    def _made(self, wanted: Wanted) -> np.ndarray:
        epoch, first, chosen = wanted
        if self._augmentation is None:
            return self._X[chosen]
        changes = self._augmentation.draw(epoch, first, chosen, len(self._y), self._X.shape[2:])
        with self._workspace:
            return changed(self._X, chosen, changes, self._augmentation.cutout)
