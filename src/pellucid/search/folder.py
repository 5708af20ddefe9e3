"""The folder of a search.

search.json       what is searched: recipe, space, data, sampler, pruner, seed; written once, by the first process
journal.jsonl     what happened, trial by trial, in Optuna's own format (optuna-dashboard shows it)
beats/            a file for each trial that runs, touched as it gets on
best.toml         the best recipe so far, ready to train
trials.csv        a row for each trial
history.png, importance.png, settings.png
*.lock            who may begin a trial, write the journal, write results
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pellucid import __version__
from pellucid.data import places
from pellucid.data.locks import try_lock
from pellucid.files import write_atomically
from pellucid.recipes.changes import flattened

FORMAT = 1
PATIENCE_S = 120.0
"""How long to wait for a lock. Who has one needs a second or two; a process that ends lets go of it by itself."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.1


class SearchFolder:
    """The paths of one search. Making the object touches nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "search.json"
        self.journal = path / "journal.jsonl"
        self.beats = path / "beats"
        self.best = path / "best.toml"
        self.trials = path / "trials.csv"
        self.history = path / "history.png"
        self.importance = path / "importance.png"
        self.settings = path / "settings.png"

    def check_place(self) -> None:
        """The folder is a search, or can become one. FileExistsError where something else is there."""
        if self.path.exists() and not self.path.is_dir():
            raise FileExistsError(f"search: {self.path} is a file; name another folder with --out")
        if self.path.is_dir() and not self.record.exists() and self._holds_others():
            raise FileExistsError(f"search: the folder {self.path} exists and is no search; name another with --out")

    def _holds_others(self) -> bool:
        """Whether it holds more than what a search has there before its record."""
        return any(inner.suffix != ".lock" and not inner.name.startswith(".pellucid") for inner in self.path.iterdir())

    def join(self, identity: Mapping[str, Any], remarks: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Begin the search, or take part in the one that is there.

        Parameters
        ----------
        identity : dict
            What must be the same for every process: plain data.
        remarks : dict, optional
            What the first process records beside it.

        Returns
        -------
        dict
            What differs, by dotted key: (there, given). Empty: joined.
        """
        self.check_place()
        self.path.mkdir(parents=True, exist_ok=True)
        identity = json.loads(json.dumps(identity))  # as it will be read: lists for tuples
        with self.locked("search"):
            self.check_place()
            if not self.record.exists():
                started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
                content = {"format": FORMAT, "pellucid": __version__, "started": started, **(remarks or {}), **identity}
                self.beats.mkdir(exist_ok=True)
                write_atomically(self.record, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
                return {}
        there = self._read_record()
        own, given = ({key: flattened({key: side.get(key)}) for key in identity} for side in (there, identity))
        differs = {}
        for key in identity:
            for path in own[key] | given[key]:
                if own[key].get(path) != given[key].get(path):
                    differs[path] = own[key].get(path), given[key].get(path)
        return differs

    def _read_record(self) -> dict[str, Any]:
        try:
            with places.opened("search", self.record) as file:
                content = json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise ValueError(f"search: {self.record} is damaged ({error}); search in another folder") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            number = content.get("format") if isinstance(content, dict) else None
            raise ValueError(
                f"search: {self.record} has format {number!r}; this version of pellucid reads {FORMAT}. Search in "
                "another folder"
            )
        return content

    @contextlib.contextmanager
    def locked(self, what: str, patience_s: float = PATIENCE_S) -> Iterator[None]:
        """Alone among all processes while this context lasts, as far as ``what`` goes: search, journal or results.

        Raises
        ------
        OSError
            The lock cannot be opened; or nobody has let go of it for ``patience_s`` seconds.
        """
        with (self.path / f"{what}.lock").open("ab") as lock:
            pause_s, until = FIRST_PAUSE_S, time.monotonic() + patience_s
            while not try_lock(lock):
                if time.monotonic() > until:
                    raise TimeoutError(
                        errno.ETIMEDOUT,
                        f"another process has held the lock for {patience_s:g} s; is one stopped (Ctrl-Z)? Or this "
                        "file system may have no locks: search in a folder of another one",
                        str(self.path / f"{what}.lock"),
                    )
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            yield

    def beat(self, number: int) -> Path:
        """The file that a trial touches."""
        return self.beats / f"{number:05d}"


def next_folder(parent: Path, name: str, identity: Mapping[str, Any], remarks: Mapping[str, Any]) -> SearchFolder:
    """parent/name-1, or the first number whose folder is free or is this very search: joined."""
    number = 1
    while True:
        folder = SearchFolder(parent / f"{name}-{number}")
        try:
            if not folder.join(identity, remarks):
                return folder
        except FileExistsError:
            pass  # something else is there
        number += 1
