"""Processes that train one model together, as the package asks for them: MPI gives them (`pellucid.extras.mpi`)."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class RankLost(RuntimeError):
    """A process that trained with this one is gone, and what all were about to do together cannot be done."""


class Started(Protocol):
    """A sum that was begun and goes on beside other work."""

    def poll(self) -> bool:
        """Whether it is done. To ask helps it on: most MPI libraries work only while they are called."""

    def wait(self) -> None:
        """Return when it is done: the array holds the sum."""


class Ranks(Protocol):
    """All processes, seen from one of them. What one calls, all must call, in the same order.

    Where one is lost and MPI lets the others outlive it, what they call raises `RankLost`.

    Attributes
    ----------
    rank : int
        Which of them this is, from 0.
    size : int
        How many they are.
    """

    @property
    def rank(self) -> int: ...

    @property
    def size(self) -> int: ...

    def sum(self, array: np.ndarray) -> None:
        """Add a contiguous array up over all ranks, in place: each has the same bits afterwards."""

    def start_sum(self, array: np.ndarray) -> Started:
        """Begin to; until it is done the array must be left alone."""

    def gathered(self, text: str) -> list[str]:
        """What each rank gave, in the order of the ranks."""
