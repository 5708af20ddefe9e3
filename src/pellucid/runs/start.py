"""The model file that a fine-tuning run starts from: the run folder keeps a copy, so that it needs no other file."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from pellucid import recipes
from pellucid.data.sources import holds_pictures
from pellucid.runs.folder import RunFolder
from pellucid.runs.settings import Settings


def from_model_file(settings: Settings) -> tuple[Settings, bytes]:
    """A new run's settings with what the model file says, and the file's content for the run folder."""
    network = settings.recipe["network"]
    recipes.start_model(network)  # says what is wrong with it before the data are read
    recipe = recipes.for_pictures(settings.recipe) if holds_pictures(settings.data) else settings.recipe
    content = Path(network["path"]).read_bytes()
    start = {"file": Path(network["path"]).name, "sha256": hashlib.sha256(content).hexdigest()}
    return replace(settings, recipe=recipe, start=start), content


def recorded_settings(folder: RunFolder) -> Settings:
    """What the run in the folder was made with; it needs nothing outside of the folder but its data."""
    return with_own_start(Settings.from_record(str(folder.record), folder.recorded()), folder)


def with_own_start(settings: Settings, folder: RunFolder) -> Settings:
    """A recorded run's settings, with its own copy of the model file, which must be there and the same.

    Raises
    ------
    FileNotFoundError, ValueError
        It is missing; it is another file.
    """
    if settings.start is None:
        return settings
    advice = f"put {settings.start['file']} there that the run started from, or start a new run"
    if not folder.start.is_file():
        raise FileNotFoundError(f"{folder.where}: the run's copy of its model file, {folder.start}, is gone; {advice}")
    if hashlib.sha256(folder.start.read_bytes()).hexdigest() != settings.start["sha256"]:
        raise ValueError(
            f"{folder.where}: the run's copy of its model file, {folder.start}, has changed: its SHA-256 is another "
            f"than in {folder.record.name}; {advice}"
        )
    return replace(settings, recipe=settings.recipe.with_changes({"network.path": str(folder.start)}))
