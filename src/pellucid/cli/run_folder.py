"""A run folder: one training run's settings, checkpoint, figures and result.

run.json                  settings, seed, versions, machine; written when the run starts
checkpoint.safetensors    everything needed to go on, and the best weights
train.png, weights.png    the curves and the first layer's filters
result.json               what was reached; written at the end
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pellucid.files import write_atomically

FORMAT = 1
PACKAGES = ("pellucid", "numpy", "safetensors", "pillow", "scikit-learn")


class RunFolder:
    """The paths of one run. Making the object touches nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "run.json"
        self.checkpoint = path / "checkpoint.safetensors"
        self.curves = path / "train.png"
        self.weights = path / "weights.png"
        self.result = path / "result.json"
        self.lock = path / "run.lock"
        self._locked: Any = None

    @classmethod
    def next_free(cls, parent: Path, name: str) -> RunFolder:
        """parent/name-1, or the first number that is free."""
        number = 1
        while (parent / f"{name}-{number}").exists():
            number += 1
        return cls(parent / f"{name}-{number}")

    def check_free(self, overwrite: bool) -> None:
        """The folder is not there, or is empty, or is a run that may be replaced."""
        if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
            return
        if not self.path.is_dir():
            raise FileExistsError(f"train: {self.path} is a file; name another folder with --run")
        if not self.record.exists():
            raise FileExistsError(f"train: the folder {self.path} exists and is no run; name another with --run")
        if not overwrite:
            raise FileExistsError(
                f"train: the run folder {self.path} exists; name another with --run, go on with it with --resume, or "
                "replace it with --overwrite"
            )

    def create(self, settings: dict[str, Any]) -> None:
        """Make the folder, empty of what an earlier run left, and record the settings."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.hold()
        for file in (self.record, self.checkpoint, self.curves, self.weights, self.result):
            file.unlink(missing_ok=True)
        self.write(self.record, {"format": FORMAT, "settings": settings} | _surroundings())

    def hold(self) -> None:
        """Keep every other process out of this run until this one ends, however it ends."""
        if os.name == "nt":
            return
        import fcntl

        self._locked = self.lock.open("a")
        try:
            fcntl.flock(self._locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"train: another process is training in {self.path}; wait for it or name another"
            ) from None

    def recorded_settings(self) -> dict[str, Any]:
        """The settings of the run in this folder."""
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
            number, settings = record["format"], record["settings"]
        except FileNotFoundError:
            raise FileNotFoundError(f"train: there is no run in {self.path}: {self.record} is missing") from None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"train: {self.record} is damaged ({error!r}); start a new run") from None
        if number != FORMAT:
            raise ValueError(f"train: {self.record} has format {number}; this version of pellucid reads {FORMAT}")
        return settings

    def write(self, file: Path, content: dict[str, Any]) -> None:
        """Write one of the JSON files, whole or not at all."""
        write_atomically(file, (json.dumps(content, indent=2) + "\n").encode())

    def remove(self) -> None:
        """Remove the folder: for a run that ended before it began."""
        shutil.rmtree(self.path, ignore_errors=True)


def _surroundings() -> dict[str, Any]:
    """When, with what and on what the run was made."""
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "machine": {"system": platform.platform(), "processor": platform.processor() or platform.machine()},
    }
