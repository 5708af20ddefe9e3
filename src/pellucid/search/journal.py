"""What happened in a search, as lines of one file to which several processes append.

The lines are those of Optuna's own journal. Optuna's backend for files keeps others out by a link that somebody who is
killed leaves behind, and is stopped for good by half a line; this one holds a lock that the system itself lets go of,
and cuts off half a line (a full disk, a power failure) before it appends.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from pellucid.search.folder import SearchFolder

CUT_BYTES = 2**16
"""Read at a time when the end of the last whole line is looked for."""


class Journal(BaseJournalBackend):
    """The journal of a search.

    Parameters
    ----------
    folder : SearchFolder
        Its file is made where there is none.
    """

    def __init__(self, folder: SearchFolder) -> None:
        self.folder, self.path = folder, folder.journal
        self._places = [0]  # where each line begins that was read so far, and the one to come

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The whole lines from this number on. A line that is not whole yet is somebody's who writes, or wrote, it."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            number = min(log_number_from, len(self._places) - 1)
            file.seek(self._places[number])
            for line in file:
                if not line.endswith(b"\n"):
                    return
                if number + 1 == len(self._places):
                    self._places.append(self._places[number] + len(line))
                if number >= log_number_from:
                    yield self._parsed(line, number)
                number += 1

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append lines, and see them onto the disk.

        Raises
        ------
        OSError
            They could not be written whole. Those that were written count; half a line never does.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with self.folder.locked("journal"):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            try:
                os.lseek(descriptor, _cut_to_whole_lines(descriptor), os.SEEK_SET)
                while lines:
                    lines = lines[os.write(descriptor, lines) :]
                os.fsync(descriptor)
            except OSError as error:
                raise OSError(error.errno, f"{error.strerror}: what was there is kept", str(self.path)) from error
            finally:
                os.close(descriptor)

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise ValueError(f"search: {self.path} is damaged at line {number + 1}; search in another folder")
        return content


def _cut_to_whole_lines(descriptor: int) -> int:
    """Cut off what follows the last end of a line; returns the size that is left."""
    size = end = os.lseek(descriptor, 0, os.SEEK_END)
    while end > 0:
        start = max(0, end - CUT_BYTES)
        os.lseek(descriptor, start, os.SEEK_SET)
        found = os.read(descriptor, end - start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)
    return end
