"""What the studio knows: run folders and model files, each with an id that is looked up and never joined to a path."""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.metrics import Metrics
from pellucid.runs.folder import RunFolder
from pellucid.runs.summary import found, summary

log = logging.getLogger("pellucid.studio")

WHERE = "studio"
MODEL_ENDING = ".safetensors"


@dataclass(frozen=True)
class Place:
    """Where an item is."""

    id: str
    kind: str
    """run or model"""
    path: Path


class Library:
    """The items below some paths, looked for again whenever somebody asks.

    Parameters
    ----------
    paths : sequence of paths
        Model files, run folders, folders of runs.
    runs : path
        Where runs that the page starts go; the runs in it are items, too. It need not exist yet.

    Raises
    ------
    FileNotFoundError, ValueError
        A path is not there, or is nothing of that kind.
    """

    def __init__(self, paths: Sequence[Path], runs: Path) -> None:
        self.runs = runs.resolve()
        self._models: list[Path] = []
        self._folders: list[Path] = [self.runs]
        self._ids: dict[Path, str] = {}
        self._naming = threading.Lock()  # the watcher looks from another thread
        for path in paths:
            self._add(path)

    def _add(self, path: Path) -> None:
        if path.is_dir():
            self._folders.append(path.resolve())
        elif not path.exists():
            raise FileNotFoundError(f"{WHERE}: {path} does not exist (looked from {Path.cwd()})")
        elif path.suffix != MODEL_ENDING or not path.is_file():
            raise ValueError(
                f"{WHERE}: {path} is no model file (*{MODEL_ENDING}), run folder or folder of runs; give one of these"
            )
        else:
            self._models.append(path.resolve())

    def places(self) -> dict[str, Place]:
        """Every item that is there now, by id."""
        paths = dict.fromkeys(self._models, "model")
        for parent in self._folders:
            for folder in found(parent, WHERE):
                paths.setdefault(folder.path.resolve(), "run")
        return {self.id_of(path): Place(self.id_of(path), kind, path) for path, kind in paths.items()}

    def id_of(self, path: Path) -> str:
        """The id of a path, the same as long as the studio runs."""
        with self._naming:
            if path not in self._ids:
                self._ids[path] = self._free_id(path)
            return self._ids[path]

    def _free_id(self, path: Path) -> str:
        base = path.stem if path.suffix == MODEL_ENDING else path.name
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", base).strip(".-") or "item"
        taken, number, name = set(self._ids.values()), 2, plain
        while name in taken:
            name, number = f"{plain}~{number}", number + 1
        return name


def described(
    place: Place, metrics: Metrics | None = None, data: str | None = None, damage: str | None = None
) -> dict[str, Any]:
    """An item as the page shows it. Whatever is wrong with it becomes its state and a sentence.

    Parameters
    ----------
    place : Place
    metrics : Metrics, optional
        What is known of a run's metrics, where they have been read already.
    data : str, optional
        Where the images for a model file are.
    damage : str, optional
        What is wrong with the run's metrics.
    """
    item = dict.fromkeys(
        ("recipe", "data", "epochs_done", "epochs", "val_accuracy", "test_accuracy", "seconds", "started", "error")
    )
    item = {"id": place.id, "kind": place.kind, "name": place.path.name} | item
    item |= {"has_model": False, "has_data": False, "mine": False}
    if place.kind == "model":
        there = place.path.is_file()
        state = {"state": "model" if there else "gone", "has_model": there}
        return item | state | {"has_data": data is not None, "data": data}
    if damage is not None and metrics is None:
        return item | {"state": "damaged", "error": damage}
    try:
        return item | _run(place, metrics) | {"error": damage}
    except (FileNotFoundError, NotADirectoryError):
        return item | {"state": "gone"}
    except (ValueError, OSError) as error:
        return item | {"state": "damaged", "error": str(error)}
    except Exception as error:  # one odd run must not hide the others
        log.exception("looking at %s failed", place.id)
        return item | {"state": "damaged", "error": f"{WHERE}: the run {place.id} cannot be read ({error!r})"}


def _run(place: Place, metrics: Metrics | None) -> dict[str, Any]:
    folder = RunFolder(place.path, WHERE)
    run = summary(folder, metrics)
    return {
        "state": run.state,
        "recipe": str(run.recipe.get("name", "")),
        "data": Path(run.data).name,
        "epochs_done": run.epochs_done,
        "epochs": _number(run.epochs),
        "val_accuracy": _number(run.val_accuracy),
        "test_accuracy": _number(run.test_accuracy),
        "seconds": _number(run.seconds),
        "started": run.started or None,
        "has_model": folder.model.is_file() or folder.checkpoint.is_file(),
        "has_data": True,
    }


def _number(value: Any) -> int | float | None:
    """What a file calls a number, if it is one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_number else None
