"""What a trained network gets right: the report of a run's test or validation images, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import recipes
from pellucid.inspect import confusion_figure, save_figure
from pellucid.recipes import Recipe
from pellucid.runs.folder import RunFolder
from pellucid.runs.settings import Settings
from pellucid.training import scores
from pellucid.training.report import Report, evaluate
from pellucid.training.together import ALONE, Alone


def evaluated(
    recipe: Recipe, model: Any, X: Any, y: np.ndarray, classes: Sequence[str], together: Alone = ALONE
) -> tuple[Report, float]:
    """The report with the recipe's views of the images, and the accuracy without them."""
    plain = evaluate(scores(model, X, together=together), y, classes)
    views = recipes.views(recipe)
    if views is None:
        return plain, plain.accuracy
    return evaluate(scores(model, X, views, together=together), y, classes), plain.accuracy


def write_report(
    folder: RunFolder, part: str, which: str, settings: Settings, report: Report, plain: float
) -> list[Path]:
    """Write the report and its picture into the run folder; returns the files."""
    views = recipes.views(settings.recipe)
    content = {
        "part": part,
        "weights": which,
        "data": settings.data,
        "views": None if views is None else asdict(views),
        "accuracy_plain": plain,
    }
    files = [folder.evaluation(part), folder.confusion(part)]
    folder.write(files[0], content | report.as_dict())
    save_figure(confusion_figure(report.confusion, report.classes), files[1])
    return files
