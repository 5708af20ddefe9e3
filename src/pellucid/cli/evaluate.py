"""``pellucid evaluate``: what the network of a run gets right, class by class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from threadpoolctl import threadpool_limits

from pellucid import recipes
from pellucid.cli.console import say
from pellucid.cli.report import evaluated, write_report
from pellucid.cli.train import opened_data
from pellucid.kernels.jit import at_most_threads
from pellucid.runs.folder import RunFolder
from pellucid.runs.opening import absolute, saved_weights, trained
from pellucid.runs.start import recorded_settings


def evaluate_command(run: Path, part: str, which: str, data: str | None) -> int:
    """Open the run's data as it was trained with, look at one part of it, and write the report into the folder."""
    folder = RunFolder(run, "evaluate")
    settings = recorded_settings(folder)
    if data is not None:
        settings = replace(settings, data=absolute(data))
    saved = saved_weights(folder, which)
    with threadpool_limits(settings.threads), at_most_threads(settings.threads):
        dataset = opened_data(settings)
        parts = recipes.split(settings.recipe, dataset)
        if f"X_{part}" not in parts:
            raise ValueError(f"evaluate: the run in {run} was trained without validation images; leave --part out")
        model = trained(settings, dataset, parts["X_train"].shape[1:], saved, folder)
        X, y = parts[f"X_{part}"], parts[f"y_{part}"]
        report, plain = evaluated(settings.recipe, model, X, y, dataset.classes)
    say(f"{which} weights of {run}, after epoch {saved[2]['epoch']}; {dataset.name}, {part} images")
    say(str(report))
    if plain != report.accuracy:
        say(f"each image seen once, as it is: {100 * plain:.2f} %")
    written = write_report(folder, part, which, settings, report, plain)
    say("wrote " + ", ".join(map(str, written)))
    return 0
