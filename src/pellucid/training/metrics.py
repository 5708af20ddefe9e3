"""What a run measures as it trains, written step by step: the file that `pellucid.metrics` describes and reads."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pellucid import check
from pellucid.files import write_atomically
from pellucid.metrics import EPOCH_KEYS, STEP_KEYS, parsed
from pellucid.training.hooks import Hook

if TYPE_CHECKING:
    from pellucid.training.solver import Solver

MEASURED = ("learning_rate", "images_per_s", "time_s")  # all else can be had from the solver's histories again

PACE_STEPS = 20
"""Steps whose median time gives the images a second: enough that one slow step, such as one after which a figure was
drawn, moves nothing, few enough to follow a machine that slows down."""


class Pace:
    """Images a second of training alone: the images of a step by the median time of the last steps.

    A step's time is from the end of ``on_step`` to the beginning of the next. Steps with something else in between are
    left out: those that end with a look at the accuracies, those after one, those around a saved checkpoint, and the
    first one of ``train``, which may compile. Where an epoch is two steps, this leaves none, and every second one, from
    ``on_epoch`` on, must do. Whoever owns a Pace calls its methods from hooks of the same name.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """At the beginning of training."""
        self._times_s: deque[float] = deque(maxlen=PACE_STEPS)
        self._times_after_looks_s: deque[float] = deque(maxlen=PACE_STEPS)
        self._since: float | None = None
        self._after_look = False

    def step(self, solver: Solver) -> None:
        """First thing in ``on_step``."""
        if self._since is not None and not solver.evaluated:
            times_s = self._times_after_looks_s if self._after_look else self._times_s
            times_s.append(time.perf_counter() - self._since)

    def rest(self, after_look: bool = False) -> None:
        """Last thing in ``on_step``, and in ``on_epoch`` with True: the next step is about to begin."""
        self._since = time.perf_counter()
        self._after_look = after_look

    def saved(self) -> None:
        """In ``on_save``: what runs now is not a step alone."""
        self._since = None

    def images_per_s(self, solver: Solver) -> float | None:
        """None before a step was timed; where each step ends with a look at the accuracies, none ever is."""
        times_s = self._times_s or self._times_after_looks_s
        if not times_s:
            return None
        images = len(solver.y_train) / solver.iterations_per_epoch if solver.shuffle else solver.batch_size
        return images / max(statistics.median(times_s), 1e-9)


class MetricsHook(Hook):
    """Write what the run measures into a file, line by line: see `pellucid.metrics`.

    Parameters
    ----------
    path : str or path
        The file; its folder must exist. A run that begins replaces it. A run that goes on from a checkpoint drops what
        was written after that checkpoint, or half, and adds what is missing from the solver's histories, so that steps,
        losses and accuracies are those of a run that was never interrupted.
    every : int
        Write a line for the first step and for each ``every``-th.

    Attributes
    ----------
    time_s : float
        Seconds in ``train`` so far, over all resumptions. Work that was lost with a killed process does not count, nor
        what came after the last line that the checkpoint covers.

    Raises
    ------
    OSError
        Out of ``train``, where the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 1) -> None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"MetricsHook: path is a {type(path).__name__}; it must be a file's name")
        self.path = os.fspath(path)
        self.every = check.whole_number("MetricsHook", "every", every, least=1)
        self._pace = Pace()
        self._file: TextIO | None = None
        self._rate: float | None = None  # of the step to come: the solver forgets it when the step is done
        self._earlier_s = 0.0
        self._began: float | None = None

    @property
    def time_s(self) -> float:
        return self._earlier_s + (0.0 if self._began is None else time.perf_counter() - self._began)

    def on_train_begin(self, solver: Solver) -> None:
        lines = self._lines_so_far(solver)
        write_atomically(self.path, "".join(map(_text, lines)).encode())
        self._earlier_s = max((line["time_s"] for line in lines if line["time_s"] is not None), default=0.0)
        self._file = Path(self.path).open("a", encoding="utf-8")  # noqa: SIM115 - closed in on_exit
        self._pace.begin()
        self._rate = float(solver.learning_rate)
        self._began = time.perf_counter()

    def on_step(self, solver: Solver) -> None:
        self._pace.step(solver)
        if self._is_due(solver.iteration):
            speed = self._pace.images_per_s(solver)
            measured = {"learning_rate": self._rate, "images_per_s": speed, "time_s": self.time_s}
            self._write(_step_line(solver, solver.iteration) | measured)
        self._rate = float(solver.learning_rate)
        self._pace.rest()

    def on_epoch(self, solver: Solver) -> None:
        line = _epoch_line(solver, solver.iteration, _accuracies(solver)[-1])
        self._write(line | {"time_s": self.time_s})
        self._pace.rest(after_look=True)

    def on_save(self, solver: Solver, path: str) -> None:
        self._pace.saved()

    def on_exit(self, solver: Solver) -> None:
        self._earlier_s, self._began = self.time_s, None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _is_due(self, step: int) -> bool:
        return step == 1 or step % self.every == 0

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is None:
            raise RuntimeError("MetricsHook: on_train_begin must come first: a Solver calls it")
        self._file.write(_text(line))
        self._file.flush()

    def _lines_so_far(self, solver: Solver) -> list[dict[str, Any]]:
        """The file's lines up to the solver's step: what its histories know from there, the rest as it was measured.

        A checkpoint is written before the hooks behind it are told of the step, so that a killed run may have saved a
        step whose line was never written.
        """
        lines: list[dict[str, Any]] = []
        accuracies = iter(_accuracies(solver))
        for step in range(1, solver.iteration + 1):
            if self._is_due(step):
                lines.append(_step_line(solver, step))
            if step == 1 or step % solver.iterations_per_epoch == 0:
                lines.append(_epoch_line(solver, step, next(accuracies, (None, None))))
        measured = {(line["kind"], line["step"]): line for line in self._old_lines()} if lines else {}
        for line in lines:
            old = measured.get((line["kind"], line["step"]), {})
            line.update({key: old[key] for key in MEASURED if key in line and key in old})
        return lines

    def _old_lines(self) -> Iterator[dict[str, Any]]:
        """Whatever can be read of the file; a damaged line is no reason not to go on with a run."""
        try:
            rows = Path(self.path).read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for row in rows:
            try:
                yield parsed(row)
            except ValueError:
                continue


def _step_line(solver: Solver, step: int) -> dict[str, Any]:
    """What the solver knows of a step that is done."""
    known = {
        "step": step,
        "epoch": step / solver.iterations_per_epoch,
        "loss": float(solver.loss_history[step - 1]),
    }
    return {"kind": "step"} | dict.fromkeys(STEP_KEYS) | known


def _epoch_line(solver: Solver, step: int, accuracies: tuple[Any, Any]) -> dict[str, Any]:
    """What the solver knows of a look at the accuracies."""
    train, val = accuracies
    known = {
        "epoch": step // solver.iterations_per_epoch,
        "step": step,
        "train_accuracy": train,
        "val_accuracy": val,
    }
    return {"kind": "epoch"} | dict.fromkeys(EPOCH_KEYS) | known


def _accuracies(solver: Solver) -> list[tuple[float | None, float | None]]:
    """(training, validation) accuracy of each look at them; None for a part that is not looked at."""
    histories = [list(map(float, h)) for h in (solver.train_acc_history, solver.val_acc_history)]
    looks = max(map(len, histories))
    train, val = (h if len(h) == looks else [None] * looks for h in histories)
    return list(zip(train, val, strict=True)) or [(None, None)]


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line) + "\n"
