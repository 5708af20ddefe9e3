"""Models that a worker has open, each with the images of its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pellucid import recipes
from pellucid.data import ByteImages, Dataset, open_dataset
from pellucid.runs.folder import RunFolder
from pellucid.runs.opening import model_of, open_data, saved_weights, trained
from pellucid.runs.settings import Settings
from pellucid.runs.start import recorded_settings
from pellucid.shipping import Model, load_model

WHERE = "studio"
MOST_OPEN = 3
"""Models that are kept open; the one that nobody asked for longest makes room."""


class Opened:
    """One model and the images to look at.

    Parameters
    ----------
    model : Model
    data : dict
        X_test, y_test, and X_val, y_val where there are any; empty without data.
    weights : str
        Which weights these are, for people.
    stamp : str
        Another one when the weights have changed.
    """

    def __init__(self, model: Model, data: dict[str, Any], weights: str, stamp: str) -> None:
        self.model, self.data, self.weights, self.stamp = model, data, weights, stamp
        self.predictions: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def parts(self) -> list[str]:
        """Which images there are."""
        return [part for part in ("test", "val") if f"X_{part}" in self.data]

    def count(self, part: str) -> int:
        """How many."""
        return len(self.data[f"y_{part}"]) if part in self.parts() else 0

    def part(self, part: str) -> tuple[ByteImages, np.ndarray]:
        """Images and labels."""
        if part not in self.parts():
            there = ", ".join(self.parts()) or "none"
            raise ValueError(f"{WHERE}: there are no {part} images here (there are: {there}); name data with --data")
        return self.data[f"X_{part}"], self.data[f"y_{part}"]

    def class_number(self, name: str) -> int:
        """Which class is called so."""
        if name not in self.model.classes:
            raise ValueError(f"{WHERE}: there is no class {name!r}")
        return list(self.model.classes).index(name)


class Shelf:
    """What is open. Weights that have changed since are read again; the data of a run stay."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, str | None], Opened] = {}
        self._data: dict[tuple[str, int], Data] = {}

    def opened(self, kind: str, path: str, data: str | None) -> Opened:
        """The model of a run folder or a model file.

        Parameters
        ----------
        kind : 'run' or 'model'
        path : str
        data : str, optional
            Where the images of a model file are.
        """
        weights = _weights_file(kind, Path(path))
        stamp = _stamp(weights)
        key = path, data
        found = self._opened.pop(key, None)
        if found is None or found.stamp != stamp:
            found = self._run(Path(path), weights, stamp) if kind == "run" else _open_file(weights, stamp, data)
        self._opened[key] = found
        _forget_old(self._opened)
        return found

    def _run(self, path: Path, weights: Path, stamp: str) -> Opened:
        folder = RunFolder(path, WHERE)
        settings = recorded_settings(folder)
        if weights == folder.model:
            model = load_model(weights)
            try:
                split = self._data_of(folder, settings).split
            except (ValueError, OSError):  # the data may have moved; the model is whole without them
                split = {}
            return Opened(model, split, weights.name, stamp)
        saved = saved_weights(folder, "last")
        data = self._data_of(folder, settings)
        network = trained(settings, data.dataset, data.split["X_train"].shape[1:], saved, folder)
        epoch = saved[2]["epoch"]
        model = model_of(settings, data.dataset, data.split, network, {"weights": "last", "epochs": epoch})
        return Opened(model, data.split, f"checkpoint, epoch {epoch}", stamp)

    def _data_of(self, folder: RunFolder, settings: Settings) -> Data:
        """A run's data, read once: it saves new weights every few seconds."""
        key = str(folder.path), folder.record.stat().st_mtime_ns
        if key not in self._data:
            dataset = open_data(settings)
            self._data[key] = Data(dataset, recipes.split(settings.recipe, dataset))
            _forget_old(self._data)
        return self._data[key]


class Data(NamedTuple):
    """A run's data set, and its parts as the recipe wants them."""

    dataset: Dataset
    split: dict[str, Any]


def _forget_old(kept: dict[Any, Any]) -> None:
    while len(kept) > MOST_OPEN:
        del kept[next(iter(kept))]


def _weights_file(kind: str, path: Path) -> Path:
    """The file that the weights are read from: a finished run's model, a young one's checkpoint."""
    if kind == "model":
        return path
    folder = RunFolder(path, WHERE)
    if folder.model.is_file():
        return folder.model
    if not folder.checkpoint.is_file():
        raise FileNotFoundError(f"{WHERE}: the run {path.name} has saved no weights yet; look again in some seconds")
    return folder.checkpoint


def _stamp(weights: Path) -> str:
    try:
        about = weights.stat()
    except OSError:
        raise FileNotFoundError(f"{WHERE}: {weights.name} is gone") from None
    return f"{about.st_mtime_ns:x}-{about.st_size:x}"


def _open_file(path: Path, stamp: str, data: str | None) -> Opened:
    model = load_model(path)
    if data is None or model.preprocessing is None:
        return Opened(model, {}, path.name, stamp)
    dataset = open_dataset(data)
    how = model.preprocessing
    if dataset.image_shape != how.image_shape or dataset.classes != tuple(model.classes):
        raise ValueError(
            f"{WHERE}: {data} has images {dataset.image_shape} of {len(dataset.classes)} classes, and {path.name} was "
            f"trained on {how.image_shape} of {len(model.classes)}, or other classes; give its own data with --data"
        )
    X = ByteImages(dataset.X_test.pixels, how.mean, how.scale)
    return Opened(model, {"X_test": X, "y_test": dataset.y_test}, path.name, stamp)
