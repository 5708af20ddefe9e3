"""A run's metrics as they grow: only what was appended is read."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from pellucid.metrics import EPOCH_KEYS, STEP_KEYS, parsed

MOST_POINTS = 2000
"""Steps of a curve that a page draws: it has no more pixels across."""


class Tail:
    """The lines of one metrics.jsonl so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.steps: list[list[Any]] = []
        self.epochs: list[list[Any]] = []
        self._at = 0
        self._file: tuple[int, int] | None = None

    def read(self) -> tuple[list[list[Any]], list[list[Any]], bool]:
        """New steps, new looks at the accuracies, and whether the file is another one, so that these are all.

        Half a line at the end waits for its other half. A damaged line is left out.
        """
        is_new = False
        try:
            with self.path.open("rb") as file:
                about = os.fstat(file.fileno())
                if (about.st_dev, about.st_ino) != self._file or about.st_size < self._at:
                    is_new = self._file is not None
                    self.steps, self.epochs, self._at = [], [], 0
                    self._file = about.st_dev, about.st_ino
                file.seek(self._at)
                data = file.read(about.st_size - self._at)
        except OSError:
            return [], [], False
        whole = data.rfind(b"\n") + 1
        self._at += whole
        steps: list[list[Any]] = []
        epochs: list[list[Any]] = []
        for row in data[:whole].splitlines():
            try:
                line = parsed(row)
            except ValueError:
                continue
            keys = STEP_KEYS if line["kind"] == "step" else EPOCH_KEYS
            (steps if line["kind"] == "step" else epochs).append([_plain(line[key]) for key in keys])
        self.steps += steps
        self.epochs += epochs
        return steps, epochs, is_new

    def columns(self) -> dict[str, Any]:
        """All of it, thinned, the last step always there."""
        stride = max(1, math.ceil(len(self.steps) / MOST_POINTS))
        steps = self.steps[::-stride][::-1]
        return {
            "steps": {key: [row[i] for row in steps] for i, key in enumerate(STEP_KEYS)},
            "epochs": {key: [row[i] for row in self.epochs] for i, key in enumerate(EPOCH_KEYS)},
        }

    def seconds_left(self, epochs_wanted: Any) -> float | None:
        """How long the run will take from here, at its mean pace so far, looks at the accuracies included."""
        if not self.steps or not isinstance(epochs_wanted, int | float):
            return None
        epoch, time_s = self.steps[-1][1], self.steps[-1][5]
        if not epoch or time_s is None:
            return None
        return max(0.0, (epochs_wanted - epoch) / epoch * time_s)


def _plain(value: Any) -> Any:
    """JSON knows no infinities."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
