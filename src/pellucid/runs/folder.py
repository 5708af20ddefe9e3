"""A run folder: one training run's settings, checkpoint, figures and result.

run.json                  recipe, data, seed, versions, machine; written when the run starts
checkpoint.safetensors    everything needed to go on, and the best weights
metrics.jsonl             loss, rate, speed and accuracies as training goes (pellucid.training.metrics)
film/                     the first layer's filters at some of the steps (pellucid.runs.film)
train.png, weights.png    the curves, drawn again while it trains; the first layer's filters
result.json               what was reached; written at the end
model.safetensors         the trained model, whole, for predict and export (pellucid.shipping); written at the end
start.safetensors         the model file that a fine-tuning run started from
evaluation.json           accuracy by class and what was taken for what, for the test images;
confusion.png             the same as a picture. evaluation-val.json and confusion-val.png for the validation images
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pellucid.data import places
from pellucid.files import write_atomically

FORMAT = 2
START = "start.safetensors"
MODEL_FILE = "model.safetensors"
TRIES, BETWEEN_TRIES_S = 10, 0.02
PACKAGES = ("pellucid", "numpy", "numba", "safetensors", "pillow", "scikit-learn")


class RunFolder:
    """The paths of one run. Making the object touches nothing.

    Parameters
    ----------
    path : path
    where : str
        The command, for messages.
    """

    def __init__(self, path: Path, where: str = "train") -> None:
        self.path, self.where = path, where
        self.record = path / "run.json"
        self.checkpoint = path / "checkpoint.safetensors"
        self.metrics = path / "metrics.jsonl"
        self.curves = path / "train.png"
        self.weights = path / "weights.png"
        self.film = path / "film"
        self.result = path / "result.json"
        self.model = path / MODEL_FILE
        self.start = path / START
        self.events = path / "tensorboard"
        self.lock = path / "run.lock"
        self._locked: Any = None

    def evaluation(self, part: str) -> Path:
        """Where the report of a part, test or val, stands."""
        return self.path / ("evaluation.json" if part == "test" else f"evaluation-{part}.json")

    def confusion(self, part: str) -> Path:
        """Where its picture stands."""
        return self.path / ("confusion.png" if part == "test" else f"confusion-{part}.png")

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

    def create(self, settings: dict[str, Any], start: bytes | None = None, processes: int = 1) -> None:
        """Make the folder, empty of what an earlier run left, and record the settings.

        ``start`` is the content of the model file that the run starts from, ``processes`` how many train together.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self.hold()
        reports = [file(part) for part in ("test", "val") for file in (self.evaluation, self.confusion)]
        trained = (self.checkpoint, self.metrics, self.curves, self.weights, self.result, self.model)
        for file in (self.record, self.start, *trained, *reports):
            file.unlink(missing_ok=True)
        for inner in (self.events, self.film):
            shutil.rmtree(inner, ignore_errors=True)
        if start is not None:
            write_atomically(self.start, start)
        self.write(self.record, {"format": FORMAT} | settings | _surroundings(settings["threads"], processes))

    def hold(self) -> None:
        """Keep every other process out of this run until `release`, or until this one ends, however it ends."""
        if os.name == "nt":
            return
        import fcntl

        self._locked = self.lock.open("a")
        for _ in range(TRIES):  # whoever only asks whether somebody trains (`is_held`) has the lock for a moment
            try:
                fcntl.flock(self._locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(BETWEEN_TRIES_S)
        self.release()
        raise ValueError(f"train: another process is training in {self.path}; wait for it or name another")

    def release(self) -> None:
        """Let others in again."""
        if self._locked is not None:
            self._locked.close()
            self._locked = None

    def is_held(self) -> bool:
        """Whether a process trains in this folder now. False on Windows, where nobody can tell."""
        if os.name == "nt" or not self.lock.is_file():  # to open a pipe would wait for its other end
            return False
        import fcntl

        with self.lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def recorded(self) -> dict[str, Any]:
        """run.json of the run in this folder."""
        record = self.read(self.record, missing=f"there is no run in {self.path}")
        number = record.get("format")
        if number == 1:
            raise ValueError(
                f"{self.where}: {self.record} has format 1, of an older pellucid without recipes; go on with that "
                f"version, or start a new run. This one reads format {FORMAT}"
            )
        if number != FORMAT:
            raise ValueError(
                f"{self.where}: {self.record} has format {number!r}; this version of pellucid reads {FORMAT}"
            )
        return record

    def read(self, file: Path, missing: str = "") -> dict[str, Any]:
        """One of the JSON files."""
        try:
            with places.opened(self.where, file) as opened:
                content = json.loads(opened.read())
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(
                f"{self.where}: {missing or 'a file of the run is gone'}: {file} is missing"
            ) from None
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{self.where}: {file} is damaged ({error}); start a new run") from None
        if not isinstance(content, dict):
            raise ValueError(f"{self.where}: {file} is damaged (it holds no object); start a new run")
        return content

    def write(self, file: Path, content: dict[str, Any]) -> None:
        """Write one of the JSON files, whole or not at all."""
        write_atomically(file, (json.dumps(content, indent=2) + "\n").encode())


def processes_of(record: dict[str, Any]) -> int:
    """How many processes began the run that run.json records."""
    machine = record.get("machine")
    return machine.get("processes", 1) if isinstance(machine, dict) else 1


def _surroundings(threads: int, processes: int) -> dict[str, Any]:
    """When, with what and on what the run was made."""
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "machine": {
            "system": platform.platform(),
            "processor": processor_name(),
            "cores": os.cpu_count(),
            "threads": threads,
            "processes": processes,
        },
    }


def allowed_processors() -> list[int]:
    """The numbers of the processors that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def processors() -> int:
    """How many processors this process may use."""
    return len(allowed_processors())


def processor_name() -> str:
    """The processor's model as its maker calls it, where the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
