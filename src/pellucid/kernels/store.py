"""Compiled kernels on disk, so that only the first process waits for them.

Numba's own cache looks at the file of the function itself and misses a change in a file that the function calls. Here
the folder's name is a digest of every file of this package, of Numba's and Python's version, of the processor and of
the settings that change the code: whatever changes, the old files are simply not looked at.

One file holds one compiled function: a checksum, then Numba's own bytes. A file is written whole or not at all, under
a name that says what is in it, so processes that compile the same thing at once do each other no harm. A file that is
not what its checksum says is left alone and compiled anew. Numba's bytes are a pickle: the folder must belong to this
user and be writable by nobody else, or it is not used.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import stat
import sys
import time
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numba
import platformdirs
from numba.core import compiler
from numba.core.caching import _Cache
from numba.core.serialize import dumps

from pellucid.files import write_atomically
from pellucid.kernels import notice
from pellucid.kernels.processor import VECTOR_BYTES

FOLDER_SETTING = "PELLUCID_KERNEL_CACHE"
"""Where compiled kernels are kept; the user's cache folder where it is not set."""
KEPT_DAYS = 60
"""Folders of other versions that nobody has used for this long are removed."""


def stamp() -> str:
    """A digest of all that decides what the compiled code is."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    host = (llvm.get_host_cpu_name(), sorted(llvm.get_host_cpu_features().items()))
    facts = (numba.__version__, llvmlite.__version__, sys.version, host, VECTOR_BYTES)
    digest.update(repr((facts, numba.config.CPU_NAME, numba.config.CPU_FEATURES)).encode())
    return digest.hexdigest()[:20]


def cache_folder() -> Path:
    """The folder for kernels of this version on this processor."""
    given = os.environ.get(FOLDER_SETTING)
    root = Path(given).expanduser() if given else platformdirs.user_cache_path("pellucid") / "kernels"
    return root / stamp()


class KernelCache(_Cache):
    """What Numba asks before it compiles `function` and tells afterwards."""

    _folder: Path | None = None  # found once for all kernels
    _looked_for = False

    def __init__(self, function: Any, parallel: bool) -> None:
        self._function = function
        self._parallel = parallel

    @property
    def cache_path(self) -> str:
        return str(cache_folder())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function from disk, or None; then Numba compiles."""
        target_context.refresh()
        path = self._path(sig, target_context.codegen())
        payload = None if path is None else _read(path)
        if payload is not None:
            try:
                return compiler.CompileResult._rebuild(target_context, *pickle.loads(payload))
            except Exception as error:  # whatever an unusable file makes Numba raise, compiling is the answer
                notice.say(f"could not use {path} ({type(error).__name__}: {error}); compiling instead")
        notice.compiling(self._function.__name__)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled. A cache that can't be written costs the next process time, nothing else."""
        notice.compiled()
        path = self._path(sig, data.codegen)
        if path is None or data.library.has_dynamic_globals:
            return
        payload = dumps(data._reduce())
        try:
            write_atomically(path, [hashlib.sha256(payload).digest(), payload])
        except OSError as error:
            KernelCache._folder = None
            notice.say(f"compiled kernels can't be kept ({error}); set {FOLDER_SETTING} to a folder of your own")

    def enable(self) -> None:
        """Always on: the folder's name keeps old code out."""

    disable = flush = enable

    def _path(self, sig: Any, codegen: Any) -> Path | None:
        if not KernelCache._looked_for:
            KernelCache._folder, KernelCache._looked_for = _usable_folder(), True
        if KernelCache._folder is None:
            return None
        key = hashlib.sha256(repr((sig, codegen.magic_tuple(), self._parallel)).encode()).hexdigest()[:24]
        return KernelCache._folder / f"{self._function.__module__}.{self._function.__qualname__}-{key}.kernel"


def _read(path: Path) -> bytes | None:
    """The checked contents of a cache file; None where there is none or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, payload = content[:32], content[32:]
    return payload if hashlib.sha256(payload).digest() == digest else None


def _usable_folder() -> Path | None:
    """Make the folder, or say why there is none."""
    folder = cache_folder()
    try:
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if new:
            _remove_unused(folder.parent)
        else:
            os.utime(folder)  # in use
        status = folder.stat()
    except OSError as error:
        # a read-only cache that another process filled is still worth reading
        if folder.is_dir() and _private(folder.stat()):
            return folder
        notice.say(f"compiled kernels can't be kept ({error}); set {FOLDER_SETTING} to a folder of your own")
        return None
    if not _private(status):
        notice.say(f"{folder} is not used: others may write there. chmod 700 it, or set {FOLDER_SETTING}")
        return None
    return folder


def _private(status: os.stat_result) -> bool:
    """Whether only this user (or the system's administrator) can have written there."""
    if os.name == "nt":
        return True
    return status.st_uid in (os.getuid(), 0) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _remove_unused(root: Path) -> None:
    limit = time.time() - KEPT_DAYS * 86400
    for old in root.iterdir():
        if old.is_dir() and len(old.name) == 20 and old.stat().st_mtime < limit:
            shutil.rmtree(old, ignore_errors=True)
