"""What is to be run: ``pellucid train`` as it was asked for, and then, as often as needed, to go on with its run."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

REMAINS = ("run.lock", "start.safetensors")
"""What a run that is killed before it records its settings may leave in its folder, beside temporary files."""


@dataclass
class Job:
    """The words of ``pellucid train``.

    Parameters
    ----------
    run : path
        The run folder.
    asked : tuple of str
        The words behind ``train``, as they were given, with ``--run``.
    on_resume : tuple of str
        Options that must be given again when the run goes on, since it does not record them.
    resumes : bool
        Whether ``asked`` goes on with a run itself.
    """

    run: Path
    asked: tuple[str, ...]
    on_resume: tuple[str, ...] = ()
    resumes: bool = False
    _before: bytes | None = field(init=False)
    _was_free: bool = field(init=False)

    def __post_init__(self) -> None:
        self._before = self._record()
        self._was_free = not self.run.exists() or (self.run.is_dir() and not any(self.run.iterdir()))

    @property
    def has_begun(self) -> bool:
        """Whether the folder holds the run that was asked for: its settings are not those of before."""
        return self._record() not in (None, self._before)

    @property
    def going_on(self) -> tuple[str, ...]:
        """The words to go on with the run."""
        return self.asked if self.resumes else ("--run", str(self.run), "--resume", *self.on_resume)

    def words(self) -> tuple[str, ...]:
        """For the next attempt: go on where there is something to go on with."""
        return self.going_on if self.has_begun else self.asked

    def clear(self) -> None:
        """Take away what an attempt left that was killed before it had a run: the next would take it for a stranger's.

        Only in a folder that was not there, or empty, when all began.
        """
        if not self._was_free or self._record() is not None or not self.run.is_dir():
            return
        for path in (*(self.run / name for name in REMAINS), *self.run.glob(".pellucid-*.tmp")):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something else is in it
            self.run.rmdir()

    def _record(self) -> bytes | None:
        try:
            return (self.run / "run.json").read_bytes()
        except OSError:
            return None
