"""A run's metrics as they grow: only what was appended is read."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pellucid.data import places
from pellucid.metrics import EPOCH_KEYS, STEP_KEYS, parsed
from pellucid.studio.items import WHERE

MOST_POINTS = 2000
"""Steps of a curve that a page draws: it has no more pixels across."""
PIECE_BYTES = 2**22
"""Read at a time. No line is as long."""
MOST_BYTES = 2**28
"""Of a file: over a million steps."""
REMEMBERED_BYTES = 512
"""Of the end of what was read, a line or more: other bytes there, and the file was rewritten in place."""

VAL_ACCURACY = EPOCH_KEYS.index("val_accuracy")


class Mark(NamedTuple):
    """How far somebody was told of a file."""

    version: int
    steps: int
    epochs: int


class Tail:
    """The lines of one metrics.jsonl so far.

    Attributes
    ----------
    steps, epochs : lists of rows
        In the order of ``STEP_KEYS`` and ``EPOCH_KEYS``; None for what was not measured.
    epochs_done : int
        The latest epoch at whose end there was a look at the accuracies.
    best_val : float or None
        The highest accuracy on the validation images.
    error : str or None
        What is wrong with the file. Damaged lines are left out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._version = 0
        self._file: tuple[int, int] | None = None
        self._begin()

    def _begin(self) -> None:
        self.steps: list[list[Any]] = []
        self.epochs: list[list[Any]] = []
        self.epochs_done, self.best_val = 0, None
        self.error: str | None = None
        self._at, self._lines, self._remembered = 0, 0, b""

    def read(self) -> None:
        """Take in what was appended; all of it, where the file is another one. Half a line waits for its other half."""
        try:
            with places.opened(WHERE, self.path) as file:
                about = os.fstat(file.fileno())
                if (about.st_dev, about.st_ino) != self._file or self._was_rewritten(file, about.st_size):
                    self._version += self._file is not None
                    self._file = about.st_dev, about.st_ino
                    self._begin()
                self._read_on(file, about.st_size)
        except OSError:  # not there yet, or gone
            return
        except ValueError as error:  # no regular file
            self.error = str(error)

    def _was_rewritten(self, file: BinaryIO, size: int) -> bool:
        if size < self._at:
            return True
        file.seek(self._at - len(self._remembered))
        return file.read(len(self._remembered)) != self._remembered

    def _read_on(self, file: BinaryIO, size: int) -> None:
        if size > MOST_BYTES:
            self.error = f"{WHERE}: {self.path} has {size:,} bytes; a run's metrics have at most {MOST_BYTES:,}"
            return
        file.seek(self._at)
        rest = b""
        while self._at + len(rest) < size and (piece := file.read(PIECE_BYTES)):
            piece = rest + piece
            whole = piece.rfind(b"\n") + 1
            if whole == 0 and len(piece) >= PIECE_BYTES:
                whole = len(piece)  # no line of ours
            if whole:
                self._take(piece[:whole])
            rest = piece[whole:]

    def _take(self, lines: bytes) -> None:
        """Whole lines, at least one."""
        for row in lines.removesuffix(b"\n").split(b"\n"):
            self._lines += 1
            if not row.strip():
                continue
            try:
                line = parsed(row)
            except ValueError as error:
                self.error = self.error or f"{WHERE}: {self.path}, line {self._lines}, is damaged: {error}"
                continue
            if line["kind"] == "step":
                self.steps.append([_plain(line[key]) for key in STEP_KEYS])
            else:
                self._take_epoch([_plain(line[key]) for key in EPOCH_KEYS])
        self._at += len(lines)
        self._remembered = (self._remembered + lines)[-REMEMBERED_BYTES:]

    def _take_epoch(self, row: list[Any]) -> None:
        self.epochs.append(row)
        self.epochs_done = max(self.epochs_done, row[0])
        known = [value for value in (self.best_val, row[VAL_ACCURACY]) if value is not None]
        self.best_val = max(known, default=None)

    def mark(self) -> Mark:
        """Where it is now."""
        return Mark(self._version, len(self.steps), len(self.epochs))

    def since(self, mark: Mark) -> tuple[list[list[Any]], list[list[Any]], bool]:
        """(steps, epochs) since then, and whether what was told before no longer holds.

        That is so where the file is another one, so that these are all; and where they are too many to be told one by
        one: then none are given, and `columns` has them.
        """
        is_new = mark.version != self._version
        steps = self.steps if is_new else self.steps[mark.steps :]
        epochs = self.epochs if is_new else self.epochs[mark.epochs :]
        return ([], [], True) if len(steps) + len(epochs) > MOST_POINTS else (list(steps), list(epochs), is_new)

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
