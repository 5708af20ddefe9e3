"""``pellucid save``: a run's network as a model file; what ``pellucid train`` leaves at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from pellucid import recipes
from pellucid.cli.console import say
from pellucid.cli.train import opened_data
from pellucid.kernels.jit import at_most_threads
from pellucid.runs.folder import RunFolder
from pellucid.runs.opening import model_of, saved_weights, trained
from pellucid.runs.start import recorded_settings


def save_command(run: Path, out: Path | None, which: str) -> int:
    """Open the run's data for the mean and the classes, and write the model."""
    folder = RunFolder(run, "save")
    settings = recorded_settings(folder)
    saved = saved_weights(folder, which)
    with threadpool_limits(settings.threads), at_most_threads(settings.threads):
        dataset = opened_data(settings)
        data = recipes.split(settings.recipe, dataset)
        network = trained(settings, dataset, data["X_train"].shape[1:], saved, folder)
    record: dict[str, Any] = {"weights": which, "epochs": saved[2]["epoch"]}
    model_of(settings, dataset, data, network, record).save(out or folder.model)
    say(f"wrote {out or folder.model}: the {which} weights of {run}, after epoch {saved[2]['epoch']}")
    return 0
