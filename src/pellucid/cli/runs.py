"""``pellucid runs`` and ``pellucid plot``: what was run, and how it went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import recipes
from pellucid.cli.console import say
from pellucid.cli.run_folder import FORMAT, RunFolder
from pellucid.training.metrics import Metrics, read_metrics

COLUMNS = ("run", "recipe", "data", "epochs", "best val", "test", "minutes", "state")
UNKNOWN = "–"


def runs_command(parent: Path) -> int:
    """A line for each run below the folder, the oldest first; what is damaged is said in its line."""
    if not parent.is_dir():
        raise FileNotFoundError(f"runs: there is no folder {parent}; name the one that holds your runs")
    records = [parent / "run.json", *parent.glob("*/run.json"), *parent.glob("*/*/run.json")]
    folders = [RunFolder(file.parent, "runs") for file in records if file.is_file()]
    if not folders:
        say(f"no runs in {parent}; pellucid train makes one")
        return 0
    rows = sorted((_described(folder, parent) for folder in folders), key=lambda row: row[0])
    table = [COLUMNS, *(row for _, row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
    for row in table:
        say("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _described(folder: RunFolder, parent: Path) -> tuple[str, tuple[str, ...]]:
    """When the run began, and its line."""
    name = str(folder.path.relative_to(parent)) if folder.path != parent else str(parent)
    try:
        record = folder.read(folder.record)
        if record.get("format") != FORMAT:
            return "", (name, *[UNKNOWN] * (len(COLUMNS) - 2), f"of format {record.get('format')}")
        result = folder.read(folder.result) if folder.result.exists() else {}
        metrics = read_metrics(folder.metrics) if folder.metrics.exists() else None
        return str(record.get("started", "")), (name, *_cells(folder, record, result, metrics))
    except (ValueError, TypeError, KeyError, AttributeError, OSError):
        return "", (name, *[UNKNOWN] * (len(COLUMNS) - 2), "damaged")


def _cells(
    folder: RunFolder, record: dict[str, Any], result: dict[str, Any], metrics: Metrics | None
) -> tuple[str, ...]:
    """Everything but the run's name."""
    wanted = record["recipe"].get("train", {}).get("epochs", UNKNOWN)
    done = int(metrics.epochs.epoch.max(initial=0)) if metrics else result.get("epochs", 0)
    seconds = np.nanmax(metrics.steps.time_s, initial=0) if metrics else result.get("train_time_s", 0)
    val = np.nanmax(metrics.epochs.val_accuracy, initial=-1) if metrics else result.get("val_accuracy")
    if folder.is_held():
        state = "running"
    else:
        state = "finished" if result.get("epochs", -1) == done else "stopped"
    return (
        _recipe_name(record["recipe"]),
        Path(str(record["data"])).name,
        f"{done}/{wanted}",
        _share(val),
        _share(result.get("test_accuracy") if state == "finished" else None),
        f"{float(seconds) / 60:.1f}",
        state,
    )


def _recipe_name(recipe: dict[str, Any]) -> str:
    """Its name; with a word where one of the package's recipes was changed."""
    name = str(recipe.get("name", UNKNOWN))
    is_changed = name in recipes.names() and _without_words(recipes.load(name).resolved()) != _without_words(recipe)
    return f"{name}, changed" if is_changed else name


def _without_words(recipe: dict[str, Any]) -> dict[str, Any]:
    """What a recipe does, without what is said of it."""
    return {key: value for key, value in recipe.items() if key not in ("about", "cost")}


def _share(value: Any) -> str:
    return UNKNOWN if value is None or value < 0 else f"{100 * value:.2f} %"


def plot_command(runs: Sequence[Path], out: Path, x: str) -> int:
    """Draw the curves of the runs into one figure."""
    from pellucid.inspect import runs_figure, save_figure

    if not runs:
        raise ValueError("plot: give at least one run folder, such as runs/cifar10-1")
    found: dict[str, Metrics] = {}
    names = [run.resolve().name for run in runs]
    for run, name in zip(runs, names, strict=True):
        file = RunFolder(run).metrics
        if not file.is_file():
            raise FileNotFoundError(f"plot: there are no metrics in {run}: {file} is missing")
        found[name if names.count(name) == 1 else str(run)] = read_metrics(file)
    save_figure(runs_figure(found, x), out)
    say(f"wrote {out}")
    return 0
