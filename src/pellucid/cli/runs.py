"""``pellucid runs`` and ``pellucid plot``: what was run, and how it went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pellucid import recipes
from pellucid.cli.console import say
from pellucid.metrics import Metrics, read_metrics
from pellucid.runs.folder import FORMAT, RunFolder
from pellucid.runs.summary import RunSummary, found, summary

COLUMNS = ("run", "recipe", "data", "epochs", "best val", "test", "minutes", "state")
UNKNOWN = "–"


def runs_command(parent: Path) -> int:
    """A line for each run below the folder, the oldest first; what is damaged is said in its line."""
    if not parent.is_dir():
        raise FileNotFoundError(f"runs: there is no folder {parent}; name the one that holds your runs")
    folders = found(parent)
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
        number = folder.read(folder.record).get("format")
        if number != FORMAT:
            return "", (name, *[UNKNOWN] * (len(COLUMNS) - 2), f"of format {number}")
        run = summary(folder)
        return run.started, (name, *_cells(run))
    except (ValueError, TypeError, KeyError, AttributeError, OSError):
        return "", (name, *[UNKNOWN] * (len(COLUMNS) - 2), "damaged")


def _cells(run: RunSummary) -> tuple[str, ...]:
    """Everything but the run's name."""
    return (
        _recipe_name(run.recipe),
        Path(run.data).name,
        f"{run.epochs_done}/{UNKNOWN if run.epochs is None else run.epochs}",
        _share(run.val_accuracy),
        _share(run.test_accuracy),
        f"{run.seconds / 60:.1f}",
        run.state,
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
    return UNKNOWN if value is None else f"{100 * value:.2f} %"


def plot_command(runs: Sequence[Path], out: Path, x: str) -> int:
    """Draw the curves of the runs into one figure."""
    from pellucid.inspect import runs_figure, save_figure

    if not runs:
        raise ValueError("plot: give at least one run folder, such as runs/cifar10-1")
    curves: dict[str, Metrics] = {}
    names = [run.resolve().name for run in runs]
    for run, name in zip(runs, names, strict=True):
        file = RunFolder(run).metrics
        if not file.is_file():
            raise FileNotFoundError(f"plot: there are no metrics in {run}: {file} is missing")
        curves[name if names.count(name) == 1 else str(run)] = read_metrics(file)
    save_figure(runs_figure(curves, x), out)
    say(f"wrote {out}")
    return 0
