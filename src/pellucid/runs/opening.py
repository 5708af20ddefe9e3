"""A run, opened again: its data, its network with the weights that it saved, and the whole model."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pellucid import __version__, recipes
from pellucid.data import Dataset, open_dataset
from pellucid.data.catalogue import CATALOGUE
from pellucid.runs.folder import RunFolder
from pellucid.runs.settings import Settings
from pellucid.runs.start import recorded_settings
from pellucid.shipping import Model, Preprocessing
from pellucid.training import load_weights

SavedWeights = tuple[dict[str, Any], list[Any], dict[str, Any]]
"""Parameters, running statistics, and how far the run was: what `pellucid.training.load_weights` gives."""


def absolute(path: str) -> str:
    """A path that still means the same when the run is resumed from another folder; a data set's name as it is."""
    return str(Path(path).resolve()) if path not in CATALOGUE and Path(path).exists() else path


def open_data(settings: Settings, progress: Callable[[int, int], None] | None = None) -> Dataset:
    """The data set that a run trains on. A named set has a size of its own."""
    wanted = settings.recipe["data"]
    size = wanted["image_size"]
    options: dict[str, Any] = {"size": None if size is None else tuple(size)}
    if settings.data not in CATALOGUE:
        options |= {"fit": wanted["fit"], "max_broken": wanted["max_broken"]}
        options |= {"cache": settings.cache} if settings.cache else {}
    return open_dataset(settings.data, **options, progress=progress)


def saved_weights(folder: RunFolder, which: str) -> SavedWeights:
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
    saved: SavedWeights,
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


def model_of(
    settings: Settings, dataset: Dataset, data: dict[str, Any], network: Any, record: Mapping[str, Any]
) -> Model:
    """A run's network as a whole model, with what is worth knowing of its training."""
    X = data["X_train"]
    C, H, W = X.shape[1:]
    record_of_run = settings.record()  # its recipe names no place on this machine
    recipe = record_of_run["recipe"]
    start = {"start": record_of_run["start"]} if "start" in record_of_run else {}
    about = start | {
        "recipe": recipe,
        "data": dataset.name,
        "seed": settings.seed,
        "images": len(X),
        "pellucid": __version__,
    }
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    how = Preprocessing((H, W), C, X.mean, X.scale, recipe["data"]["fit"])
    views = recipes.views(settings.recipe)
    return Model(network, dataset.classes, how, about | {"date": when} | dict(record), views)


def model_of_run(
    folder: RunFolder, which: str = "best", progress: Callable[[int, int], None] | None = None
) -> tuple[Model, dict[str, Any], Dataset]:
    """The model as its checkpoint has it, the data as the run splits them, and the whole data set.

    Parameters
    ----------
    folder : RunFolder
        Of a run that is finished, stopped, or trains now.
    which : 'best' or 'last'
        Which weights: those that the run kept so far, or those of the step that was saved last.
    progress : callable, optional
        Told (done, total) while pictures are read.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no run, no checkpoint yet, or the data have changed.
    """
    settings = recorded_settings(folder)
    saved = saved_weights(folder, which)
    dataset = open_data(settings, progress)
    data = recipes.split(settings.recipe, dataset)
    network = trained(settings, dataset, data["X_train"].shape[1:], saved, folder)
    record = {"weights": which, "epochs": saved[2]["epoch"]}
    return model_of(settings, dataset, data, network, record), data, dataset
