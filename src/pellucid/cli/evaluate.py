"""``pellucid evaluate``: what the network of a run gets right, class by class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from pellucid import recipes
from pellucid.cli.console import say
from pellucid.cli.report import evaluated, write_report
from pellucid.cli.run_folder import RunFolder
from pellucid.cli.settings import Settings
from pellucid.cli.start import recorded_settings
from pellucid.cli.train import absolute, open_data
from pellucid.data import Dataset
from pellucid.kernels.jit import at_most_threads
from pellucid.training import load_weights


def evaluate_command(run: Path, part: str, which: str, data: str | None) -> int:
    """Open the run's data as it was trained with, look at one part of it, and write the report into the folder."""
    folder = RunFolder(run, "evaluate")
    settings = recorded_settings(folder)
    if data is not None:
        settings = replace(settings, data=absolute(data))
    saved = saved_weights(folder, which)
    with threadpool_limits(settings.threads), at_most_threads(settings.threads):
        dataset = open_data(settings)
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


def saved_weights(folder: RunFolder, which: str) -> tuple[dict, list, dict]:
    """The run's best or last parameters and running statistics, and how far it was."""
    if not folder.checkpoint.exists():
        run = folder.path
        raise FileNotFoundError(
            f"{folder.where}: {run} has no checkpoint yet; go on with it: pellucid train --run {run} --resume"
        )
    return load_weights(folder.checkpoint, which)


def trained(
    settings: Settings,
    dataset: Dataset,
    image_shape: tuple[int, int, int],
    saved: tuple[dict, list, dict],
    folder: RunFolder,
) -> Any:
    """The run's network with the saved weights."""
    params, bn_params, _ = saved
    model = recipes.build_network(settings.recipe, image_shape, len(dataset.classes), 0, dataset.classes)
    ours = {name: array.shape for name, array in model.params.items()}
    theirs = {name: array.shape for name, array in params.items()}
    if ours != theirs:
        name = next(name for name in ours | theirs if ours.get(name) != theirs.get(name))
        raise ValueError(
            f"{folder.where}: for the {len(dataset.classes)} classes and {image_shape} images of {settings.data}, "
            f"{name!r} would have shape {ours.get(name)}, but it has {theirs.get(name)} in {folder.checkpoint}; give "
            "the data that the run was trained on"
        )
    for name, array in params.items():
        model.params[name][...] = array
    for own, statistics in zip(getattr(model, "bn_params", None) or [], bn_params, strict=True):
        own.update(statistics)
    return model
