"""What is known of the runs in a folder, at a glance: no kernel and no data set is loaded for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.metrics import Metrics, read_metrics
from pellucid.runs.folder import RunFolder


@dataclass(frozen=True)
class RunSummary:
    """How far a run is, and what it reached; None for what is not known."""

    recipe: dict[str, Any]
    data: str
    started: str
    epochs_done: int
    epochs: int | None
    """As many as it was asked for."""
    val_accuracy: float | None
    """The best so far."""
    test_accuracy: float | None
    seconds: float
    """In training so far, over all resumptions."""
    state: str
    """running, finished or stopped."""


def found(parent: Path, where: str = "runs") -> list[RunFolder]:
    """The runs in a folder: itself, those in it, and those one folder further down."""
    records = [parent / "run.json", *parent.glob("*/run.json"), *parent.glob("*/*/run.json")]
    return [RunFolder(file.parent, where) for file in records if file.is_file()]


def summary(folder: RunFolder, metrics: Metrics | None = None) -> RunSummary:
    """Read what a run has written.

    Parameters
    ----------
    folder : RunFolder
    metrics : Metrics, optional
        Where they have been read already.

    Raises
    ------
    ValueError, OSError
        A file of the run is damaged, of another format, or gone.
    """
    record = folder.recorded()
    result = folder.read(folder.result) if folder.result.exists() else {}
    if metrics is None and folder.metrics.exists():
        metrics = read_metrics(folder.metrics)
    try:
        return _summary(folder, record, result, metrics)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{folder.where}: {folder.record} is damaged ({error!r})") from None


def _summary(folder: RunFolder, record: dict[str, Any], result: dict[str, Any], metrics: Metrics | None) -> RunSummary:
    done = int(metrics.epochs.epoch.max(initial=0)) if metrics else int(result.get("epochs", 0))
    seconds = np.nanmax(metrics.steps.time_s, initial=0) if metrics else result.get("train_time_s", 0)
    val = np.nanmax(metrics.epochs.val_accuracy, initial=-1) if metrics else result.get("val_accuracy")
    if folder.is_held():
        state = "running"
    else:
        state = "finished" if result.get("epochs", -1) == done else "stopped"
    return RunSummary(
        recipe=dict(record["recipe"]),
        data=str(record["data"]),
        started=str(record.get("started", "")),
        epochs_done=done,
        epochs=record["recipe"].get("train", {}).get("epochs"),
        val_accuracy=None if val is None or val < 0 else float(val),
        test_accuracy=result.get("test_accuracy") if state == "finished" else None,
        seconds=float(seconds),
        state=state,
    )
