"""What a run measured, step by step: the file metrics.jsonl, which `pellucid.training.metrics` writes, read back.

One JSON object a line. null stands where something was not measured:

    {"kind": "step", "step": 7, "epoch": 0.28, "loss": 1.93, "learning_rate": 0.1, "images_per_s": 912.0, "time_s": 8.1}
    {"kind": "epoch", "epoch": 1, "step": 25, "train_accuracy": 0.41, "val_accuracy": 0.4, "time_s": 29.6}

``loss`` and ``learning_rate`` are those of the step itself; of several learning rates, the largest. ``time_s`` is what
one waits: all of ``train`` so far, with evaluation and saving, over all resumptions. ``images_per_s`` is of training
alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.data import places

STEP_KEYS = ("step", "epoch", "loss", "learning_rate", "images_per_s", "time_s")
EPOCH_KEYS = ("epoch", "step", "train_accuracy", "val_accuracy", "time_s")
KEYS = {"step": STEP_KEYS, "epoch": EPOCH_KEYS}

MOST_COUNTED = 2**53
"""The largest integer in the file: a float64 holds it exactly."""


@dataclass(frozen=True, eq=False)
class Steps:
    """One number a recorded step, (n,) each: int64 for ``step``, else float64 with NaN where it was not measured."""

    step: np.ndarray
    epoch: np.ndarray
    loss: np.ndarray
    learning_rate: np.ndarray
    images_per_s: np.ndarray
    time_s: np.ndarray


@dataclass(frozen=True, eq=False)
class Epochs:
    """One number a look at the accuracies, (n,) each: after the first step (epoch 0) and after each epoch."""

    epoch: np.ndarray
    step: np.ndarray
    train_accuracy: np.ndarray
    val_accuracy: np.ndarray
    time_s: np.ndarray


@dataclass(frozen=True, eq=False)
class Metrics:
    """A run's metrics: see `read_metrics`."""

    steps: Steps
    epochs: Epochs


def read_metrics(path: str | os.PathLike[str]) -> Metrics:
    """Read the metrics of a run, also while it is being written: half a line at the end is left out.

    ``path`` is the file, ``metrics.jsonl`` in the run's folder.

    Raises
    ------
    ValueError
        A line is damaged; the file and the line are named.
    OSError
        The file cannot be read.
    """
    with places.opened("read_metrics", Path(path)) as file:
        rows = file.read().split(b"\n")
    lines = []
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        try:
            lines.append(parsed(row))
        except ValueError as error:
            if number == len(rows):  # nothing ends it: the writer was stopped there, or is still at it
                break
            raise ValueError(f"read_metrics: {os.fspath(path)}, line {number}, is damaged: {error}") from None
    return Metrics(
        Steps(**_columns(lines, "step", STEP_KEYS)),
        Epochs(**_columns(lines, "epoch", EPOCH_KEYS)),
    )


def parsed(row: bytes) -> dict[str, Any]:
    """One line of the file. ValueError says what is wrong with it."""
    try:
        line = json.loads(row)
    except (ValueError, RecursionError):
        raise ValueError(f"{_shortened(row)} is no JSON object") from None
    kind = line.get("kind") if isinstance(line, dict) else None
    if not isinstance(kind, str) or kind not in KEYS:
        raise ValueError(f"{_shortened(row)} is neither a step nor an epoch")
    for key in KEYS[kind]:
        if key not in line:
            raise ValueError(f"{_shortened(row)} lacks {key!r}")
        value = line[key]
        whole = key == "step" or kind == key == "epoch"
        good = isinstance(value, int) if whole else value is None or isinstance(value, int | float)
        if isinstance(value, bool) or not good or (isinstance(value, int) and not 0 <= value <= MOST_COUNTED):
            needed = f"an integer from 0 to {MOST_COUNTED}" if whole else "a number or null"
            raise ValueError(f"{key} is {_shortened(json.dumps(value).encode())}; it must be {needed}")
    return line


def _shortened(row: bytes) -> str:
    text = row.decode(errors="replace")
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _columns(lines: list[dict[str, Any]], kind: str, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    chosen = [line for line in lines if line["kind"] == kind]
    columns = {key: np.array([line[key] for line in chosen], dtype=np.float64) for key in keys}  # None becomes NaN
    whole = {key: columns[key].astype(np.int64) for key in ("step", "epoch") if key == "step" or kind == "epoch"}
    return columns | whole
