"""Where files are: paths that a caller gave, and the folders in which data sets are kept.

Data sets are looked for in ``$PELLUCID_DATA`` (if set), then in the user's cache folder. Downloads go to the first of
the two. Inside, every data set has a folder of its own name: ``<data folder>/mnist/train-images-idx3-ubyte.gz``.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

VARIABLE = "PELLUCID_DATA"


def as_path(where: str, name: str, value: Any) -> Path:
    """A path from a string or a path object, with ``~`` spelled out."""
    if not isinstance(value, str | os.PathLike) or isinstance(os.fspath(value), bytes):
        raise TypeError(
            f"{where}: {name} is {value!r}, a {type(value).__name__}; it must be a path, such as 'data/images'"
        )
    text = os.fspath(value)
    if not text or "\0" in text:
        raise ValueError(f"{where}: {name} is {text!r}; it must be a path, such as 'data/images'")
    return Path(text).expanduser()


def existing(where: str, name: str, value: Any) -> Path:
    """The path of a file or a folder that is there."""
    path = as_path(where, name, value)
    if not path.exists():
        raise FileNotFoundError(f"{where}: {name} is {str(path)!r}, which does not exist (looked from {Path.cwd()})")
    return path


def regular_file_size(where: str, path: Path) -> int:
    """The size in bytes of a regular file. Pipes and devices are refused: to open one can wait for ever."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise FileNotFoundError(f"{where}: {path} is missing; every file of the data set must be there") from None
    if not stat.S_ISREG(status.st_mode):
        raise _not_regular(where, path)
    return status.st_size


def opened(where: str, path: Path) -> BinaryIO:
    """A regular file, open for reading. What has become a pipe since it was looked at is refused, too, not waited for.

    Raises
    ------
    ValueError for what is no regular file, else OSError as the system reports it.
    """
    # To open a pipe waits for its other end, unless it is told not to.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(where, path)
    return os.fdopen(descriptor, "rb")


def _not_regular(where: str, path: Path) -> ValueError:
    return ValueError(f"{where}: {path} is not a regular file; give the file itself")


def data_folders() -> list[Path]:
    """The folders that may hold data sets, in the order in which they are looked through."""
    import platformdirs

    given = os.environ.get(VARIABLE)
    cache = platformdirs.user_cache_path("pellucid") / "data"
    return [as_path(VARIABLE, "the environment variable", given), cache] if given else [cache]


def data_folder() -> Path:
    """The folder that downloads go to: ``$PELLUCID_DATA`` if set, else the user's cache folder. It need not exist."""
    return data_folders()[0]
