"""What the commands print: lines on standard output, progress bars on standard error and only on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]

_silent: list[bool] = []  # not empty: another process speaks for this one


def be_silent() -> None:
    """From now on nothing is printed here but errors: one of several processes speaks for all."""
    _silent.append(True)
    os.environ["PELLUCID_QUIET"] = "1"  # the kernels' notices, too


def speak() -> None:
    """Whoever spoke for this process is gone."""
    _silent.clear()
    os.environ.pop("PELLUCID_QUIET", None)


def say(text: str) -> None:
    """One line, at once, so that a log shows how far a run is."""
    if not _silent:
        print(text, flush=True)


@contextmanager
def progress_bar(what: str) -> Iterator[Progress | None]:
    """A function ``progress(done, total)`` that draws a bar while this context lasts; None where nobody looks."""
    if _silent or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
