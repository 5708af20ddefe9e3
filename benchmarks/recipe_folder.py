"""The run folder of a recipe that others train: run.json, metrics.jsonl and result.json, as `pellucid train` has.

So `pellucid plot`, `pellucid runs` and the figure of accuracies read both sides alike.
"""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

from pellucid.files import write_atomically

FORMAT = 2


class RecipeFolder:
    """The files of one run; `create` makes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: list[str] = []

    @classmethod
    def create(cls, path: Path) -> RecipeFolder:
        """An empty folder.

        Raises
        ------
        FileExistsError
            There is something in it already.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise FileExistsError(f"the run folder {path} exists and is not empty; name another, or remove it")
        path.mkdir(parents=True, exist_ok=True)
        return cls(path)

    def record(self, recipe: dict[str, Any], data: str, seed: int, machine: dict[str, Any]) -> None:
        """What is run, on what, and where: run.json."""
        self._write("run.json", {
            "format": FORMAT,
            "recipe": recipe,
            "data": data,
            "seed": seed,
            "threads": machine["threads"],
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "command": sys.argv,
            "versions": {name: machine[name] for name in ("python", "pellucid", "numpy", "torch")},
            "machine": {name: machine[name] for name in ("system", "processor", "cores")},
        })  # fmt: skip

    def log_step(
        self, step: int, per_epoch: int, loss: float, learning_rate: float, images_per_s: float, time_s: float
    ) -> None:
        """Remember a step for metrics.jsonl; it is written with its epoch."""
        line = {"kind": "step", "step": step, "epoch": step / per_epoch, "loss": loss, "learning_rate": learning_rate}
        self._lines.append(json.dumps(line | {"images_per_s": images_per_s, "time_s": time_s}))

    def log_epoch(self, epoch: int, step: int, train_accuracy: float, time_s: float) -> None:
        """The same for an epoch; metrics.jsonl is written."""
        line = {"kind": "epoch", "epoch": epoch, "step": step, "train_accuracy": train_accuracy, "val_accuracy": None}
        self._lines.append(json.dumps(line | {"time_s": time_s}))
        self.write_metrics()

    def finish(self, result: dict[str, Any]) -> None:
        """What was reached: result.json."""
        self._write("result.json", result)

    def write_metrics(self) -> None:
        """Write what there is to metrics.jsonl."""
        write_atomically(self.path / "metrics.jsonl", "".join(f"{line}\n" for line in self._lines).encode())

    def _write(self, name: str, content: dict[str, Any]) -> None:
        write_atomically(self.path / name, (json.dumps(content, indent=2) + "\n").encode())
