"""The run's curves as a picture that is drawn again while training goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pellucid import check
from pellucid.training.hooks import Hook

if TYPE_CHECKING:
    from pellucid.training.solver import Solver

Draw = Callable[["Solver", str], object]

LARGEST_SHARE = 0.05
"""So much of the time may go into drawing: where epochs are short, a picture after each would take longer than they."""


class CurvesHook(Hook):
    """Draw a picture of the run every so many seconds, after each epoch, and where training ends.

    Parameters
    ----------
    path : str or path
        The file to draw into.
    draw : callable
        ``draw(solver, path)`` makes the picture; it should write the file whole or not at all. Drawing is no part of
        training, so that this module knows no figures.
    every_s : float
        Seconds from one picture to the next. After an epoch it is drawn sooner, but never so often that drawing takes
        more than a twentieth of the time.

    Attributes
    ----------
    error : Exception or None
        What the last drawing raised. A picture that cannot be drawn does not end a run; whoever started the run may
        look here, in the end, and say so.
    """

    def __init__(self, path: str | os.PathLike[str], draw: Draw, every_s: float = 60.0) -> None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"CurvesHook: path is a {type(path).__name__}; it must be a file's name")
        if not callable(draw):
            raise TypeError(f"CurvesHook: draw is {draw!r}; it must be a function draw(solver, path)")
        self.path = os.fspath(path)
        self.draw = draw
        self.every_s = check.number("CurvesHook", "every_s", every_s, least=0)
        self.error: Exception | None = None
        self._drawn_at = 0.0
        self._took_s = 0.0

    def on_train_begin(self, solver: Solver) -> None:
        self._drawn_at = time.perf_counter()

    def on_step(self, solver: Solver) -> None:
        if not solver.evaluated and time.perf_counter() - self._drawn_at >= self._pause_s(self.every_s):
            self._draw(solver)

    def on_epoch(self, solver: Solver) -> None:
        if time.perf_counter() - self._drawn_at >= self._pause_s(0.0):
            self._draw(solver)

    def on_train_end(self, solver: Solver) -> None:
        if solver.loss_history:
            self._draw(solver)

    def _pause_s(self, wanted_s: float) -> float:
        return max(wanted_s, self._took_s * (1 / LARGEST_SHARE - 1))

    def _draw(self, solver: Solver) -> None:
        began = time.perf_counter()
        try:
            self.draw(solver, self.path)
            self.error = None
        except Exception as error:
            self.error = error.with_traceback(None)  # which would keep everything alive that the drawing had in hand
        self._drawn_at = time.perf_counter()
        self._took_s = self._drawn_at - began
