"""What the studio knows: run folders and model files, each with an id that is looked up and never joined to a path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.metrics import Metrics
from pellucid.runs.folder import RunFolder
from pellucid.runs.summary import found, summary

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
        if path not in self._ids:
            base = path.stem if path.suffix == MODEL_ENDING else path.name
            plain = re.sub(r"[^A-Za-z0-9._-]+", "-", base).strip(".-") or "item"
            taken, number, name = set(self._ids.values()), 2, plain
            while name in taken:
                name, number = f"{plain}~{number}", number + 1
            self._ids[path] = name
        return self._ids[path]


def described(place: Place, metrics: Metrics | None = None, data: str | None = None) -> dict[str, Any]:
    """An item as the page shows it. Whatever is wrong with it becomes its state and a sentence."""
    empty = dict.fromkeys(
        ("recipe", "data", "epochs_done", "epochs", "val_accuracy", "test_accuracy", "seconds", "started", "error")
    )
    item = {"id": place.id, "kind": place.kind, "name": place.path.name} | empty
    item |= {"has_model": False, "has_data": False, "mine": False}
    if place.kind == "model":
        there = place.path.is_file()
        return item | {
            "state": "model" if there else "gone",
            "has_model": there,
            "has_data": data is not None,
            "data": data,
        }
    folder = RunFolder(place.path, WHERE)
    try:
        run = summary(folder, metrics)
    except (FileNotFoundError, NotADirectoryError):
        return item | {"state": "gone"}
    except (ValueError, OSError) as error:
        return item | {"state": "damaged", "error": str(error)}
    return item | {
        "state": run.state,
        "recipe": str(run.recipe.get("name", "")),
        "data": Path(run.data).name,
        "epochs_done": run.epochs_done,
        "epochs": run.epochs,
        "val_accuracy": run.val_accuracy,
        "test_accuracy": run.test_accuracy,
        "seconds": run.seconds,
        "started": run.started or None,
        "has_model": folder.model.is_file() or folder.checkpoint.is_file(),
        "has_data": True,
    }
