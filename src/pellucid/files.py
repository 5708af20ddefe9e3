"""Files that are written whole or not at all.

The bytes go to a temporary file in the same folder, are forced to the disk (fsync), and the file is renamed over the
old one, which the system does in one step; then the folder itself is forced to the disk. Whoever reads at any moment,
also after a crash or a power failure, finds the old file or the new one, never a mixture.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PREFIX = f".pellucid-{hashlib.sha256(platform.node().encode()).hexdigest()[:8]}"  # the same on this machine only
_numbers = itertools.count()
_being_written: set[str] = set()


def write_atomically(path: str | os.PathLike[str], data: bytes | Sequence[Any]) -> None:
    """Write the file whole or not at all.

    Parameters
    ----------
    path : str or path
        Where to. A file that is there is replaced, a symbolic link is followed; the folder must exist. The permission
        bits are those of any new file (0666 less the umask).
    data : bytes or the like, or a sequence of buffers
        What to write: bytes, or pieces one after the other, such as bytes and contiguous arrays.

    Raises
    ------
    OSError
        Of the kind that the system reported (a full disk, a quota, no permission, no such folder), naming the file and
        the bytes needed. The old file is as it was, the temporary one is gone.
    """
    path = Path(path)
    chunks: Sequence[Any] = [data] if isinstance(data, bytes | bytearray | memoryview) else data
    pieces = [memoryview(chunk) for chunk in chunks]
    target = Path(os.path.realpath(path))
    _remove_strays(target.parent)
    temporary = target.with_name(f"{_PREFIX}-{os.getpid()}-{next(_numbers)}.tmp")
    _being_written.add(temporary.name)
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with temporary.open("xb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise _explained(error, path, target, sum(piece.nbytes for piece in pieces)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        _being_written.discard(temporary.name)


def _sync_folder(folder: Path) -> None:
    """Force the folder's table of names to the disk. Windows has no call for it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_strays(folder: Path) -> None:
    """Remove the temporary files that processes of this machine left in the folder when they died."""
    for stray in folder.glob(f"{_PREFIX}-*-*.tmp"):
        owner = stray.name.removeprefix(_PREFIX).split("-")[1]
        if stray.name not in _being_written and owner.isdecimal() and not _alive(int(owner)):
            with contextlib.suppress(OSError):
                stray.unlink()


def _alive(process: int) -> bool:
    """Whether another process of that number runs. This process's own numbers are told apart by ``_being_written``."""
    if process == os.getpid() or os.name == "nt":  # Windows itself refuses to remove a file that is open
        return False
    try:
        os.kill(process, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _explained(error: OSError, path: Path, target: Path, bytes_needed: int) -> OSError:
    """The same error, of the same kind, saying which file could not be written and how much room it takes."""
    free = ""
    with contextlib.suppress(OSError):
        free = f", {shutil.disk_usage(target.parent).free:,} are free there"
    if not target.parent.is_dir():
        advice = f"the folder {str(target.parent)!r} is missing: make it first"
    elif target.is_dir():
        advice = "it is a folder: name a file in it"
    else:
        advice = "what was there before is untouched"
    text = f"{error.strerror}: could not write {bytes_needed:,} bytes{free}; {advice}"
    return OSError(error.errno, text, str(path))
