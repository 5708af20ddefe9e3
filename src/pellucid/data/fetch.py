"""Downloads: resumed where they broke off, tried at one mirror after the other, checked before they get their name.

A file has its final name only if its size and SHA-256 are the pinned ones. Until then it is called ``<name>.part`` and
stays there when a download is interrupted, so that the next attempt goes on from there. One process at a time works on
that file (a lock that ends with the process); a second one that starts meanwhile downloads under a name of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from pellucid.data.catalogue import Entry, RemoteFile
from pellucid.data.locks import try_lock
from pellucid.data.places import VARIABLE, data_folder

Progress = Callable[[int, int], object]

# A server that is silent for so long, on connecting or in the middle, is given up.
TIMEOUT_S = 30.0
# Attempts at one mirror that each bring some bytes and then break off.
MOST_ATTEMPTS = 50
_CHUNK_BYTES = 1 << 16


class _MirrorError(Exception):
    """A mirror did not deliver; another one might."""


def fetch_entry(entry: Entry, *, progress: Progress | None = None, timeout_s: float = TIMEOUT_S) -> Path:
    """Download the files of a data set that are missing from its folder in the data folder; returns that folder.

    ``progress(done_bytes, total_bytes)`` counts over all files that are fetched.

    Raises
    ------
    OSError if no mirror delivers (the message says how to fetch the file by hand) or the disk refuses it.
    """
    folder = data_folder() / entry.name
    missing = [file for file in entry.files if not (folder / file.name).exists()]
    total, done = sum(file.size_bytes for file in missing), 0
    for file in missing:
        report = _shifted(progress, done, total)
        fetch_file(file, entry.urls(file), folder, progress=report, timeout_s=timeout_s)
        done += file.size_bytes
    return folder


def fetch_file(
    file: RemoteFile,
    urls: tuple[str, ...],
    folder: Path,
    *,
    progress: Progress | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Path:
    """Download one file into a folder, from the first of the addresses that delivers it; returns its path.

    Raises
    ------
    ValueError for an address that is neither http nor https.
    OSError if no address delivers, or the disk refuses the file.
    """
    for url in urls:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"fetch_file: the address {url!r} is neither http nor https")
    final = folder / file.name
    _make_room(file, folder)
    problems = []
    with _part_file(folder, file.name) as part:
        if final.exists():  # another process has just brought it
            return final
        for url in urls:
            try:
                _download_checked(url, part, file, progress, timeout_s)
            except _MirrorError as error:
                problems.append(f"{url}: {error}")
                continue
            _publish(part, final)
            return final
        if _size(part) == 0:
            part.unlink(missing_ok=True)
    raise ConnectionError(f"{file.name} could not be downloaded ({'; '.join(problems)}). {by_hand(file, urls, folder)}")


def by_hand(file: RemoteFile, urls: tuple[str, ...], folder: Path) -> str:
    """How to get a file without us, in one sentence."""
    return (
        f"To do it by hand, put {file.name} ({file.size_bytes:,} bytes, sha256 {file.sha256}) from {' or '.join(urls)} "
        f"into {folder}, or set {VARIABLE} to a folder that has it in {folder.name}{os.sep}"
    )


def not_here(where: str, entry: Entry) -> FileNotFoundError:
    """The error for a data set that is not on this machine and may not be fetched."""
    folder = data_folder() / entry.name
    missing = [file for file in entry.files if not (folder / file.name).exists()] or list(entry.files)
    return FileNotFoundError(
        f"{where}: {entry.title} is not on this machine. "
        + ". ".join(by_hand(file, entry.urls(file), folder) for file in missing)
    )


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Progress over several files from the progress of one of them."""
    return None if progress is None else lambda done, _: progress(before + done, total)


def _make_room(file: RemoteFile, folder: Path) -> None:
    """The folder exists and the disk has room for the file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"the folder {folder} cannot be made ({error}); set {VARIABLE} to one that can") from error
    free = shutil.disk_usage(folder).free
    if free < file.size_bytes:
        raise OSError(
            f"{folder} has {free:,} bytes free, but {file.name} needs {file.size_bytes:,}; make room, or set "
            f"{VARIABLE} to a folder on another disk"
        )


@contextlib.contextmanager
def _part_file(folder: Path, name: str) -> Iterator[Path]:
    """The name under which to download: ``<name>.part``, or one of our own while another process works on that."""
    try:
        lock = (folder / f".{name}.lock").open("ab")
    except OSError as error:
        raise OSError(f"{folder} cannot be written to ({error}); set {VARIABLE} to a folder that can") from error
    with lock:
        if try_lock(lock):
            yield folder / f"{name}.part"
            return
        own = folder / f"{name}.{uuid.uuid4().hex}.part"
        try:
            yield own
        finally:
            own.unlink(missing_ok=True)


def _download_checked(url: str, part: Path, file: RemoteFile, progress: Progress | None, timeout_s: float) -> None:
    """Bring the part file to its full size from one mirror, and check it.

    A wrong file is removed. If its beginning was older than this call, this mirror is not yet to blame: once more.
    """
    resumed = _size(part) > 0
    _download(url, part, file, progress, timeout_s)
    problem = _wrong(part, file)
    if problem and resumed:
        part.unlink()
        _download(url, part, file, progress, timeout_s)
        problem = _wrong(part, file)
    if problem:
        part.unlink()
        raise _MirrorError(problem)


def _download(url: str, part: Path, file: RemoteFile, progress: Progress | None, timeout_s: float) -> None:
    """Bring the part file to its full size, going on where it ends, for as long as every attempt brings something."""
    if _size(part) > file.size_bytes:
        part.unlink()
    for _ in range(MOST_ATTEMPTS):
        before = _size(part)
        if before == file.size_bytes:
            return
        try:
            _attempt(url, part, file, progress, timeout_s)
        except _MirrorError:
            if _size(part) <= before:
                raise
    if _size(part) < file.size_bytes:
        raise _MirrorError(f"the connection broke {MOST_ATTEMPTS} times")


def _attempt(url: str, part: Path, file: RemoteFile, progress: Progress | None, timeout_s: float) -> None:
    """One request for what is missing, appended to the part file; a server that sends all of it starts it anew."""
    start = _size(part)
    headers = {"User-Agent": "pellucid", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        response = _opener().open(urllib.request.Request(url, headers=headers), timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # it has no such range: what we have is not a part of its file
            part.unlink(missing_ok=True)
        if error.code != 416 or not start:
            raise _MirrorError(f"the server answers {error.code} {error.reason}") from error
        _attempt(url, part, file, progress, timeout_s)
        return
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _MirrorError(f"no connection ({getattr(error, 'reason', error)})") from error
    with response:
        start = _agreed_start(response, start)
        _check_announced(response, file, start)
        with part.open("ab") as out:
            out.truncate(start)
            _copy(response, out, file, start, progress)


def _opener() -> urllib.request.OpenerDirector:
    """HTTP and HTTPS, proxies and redirects, and nothing else: a redirect to file: or ftp: leads nowhere."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _agreed_start(response: Any, asked: int) -> int:
    """Where the bytes that now follow begin: at what we asked for, or at 0 if the server ignored that."""
    if response.status != 206:
        return 0
    given = response.headers.get("Content-Range", "")
    if not given.startswith(f"bytes {asked}-"):
        raise _MirrorError(f"asked for bytes from {asked}, the server sends {given or 'some it does not name'}")
    return asked


def _check_announced(response: Any, file: RemoteFile, start: int) -> None:
    """What the server says it will send can be the file; a web page that excuses itself is not."""
    announced = response.headers.get("Content-Length")
    if response.headers.get_content_type() == "text/html":
        raise _MirrorError("the server sends a web page, not the file")
    if announced is not None and announced != str(file.size_bytes - start):
        raise _MirrorError(f"the server offers {announced} bytes, {file.size_bytes - start} are needed")


def _copy(response: Any, out: IO[bytes], file: RemoteFile, done: int, progress: Progress | None) -> None:
    """Append what comes, up to the file's size."""
    while True:
        try:
            chunk = response.read(_CHUNK_BYTES)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _MirrorError(f"the connection broke after {done} of {file.size_bytes} bytes ({error!r})") from error
        if not chunk:
            break
        done += len(chunk)
        if done > file.size_bytes:
            out.truncate(0)
            raise _MirrorError(f"the server sends more than {file.size_bytes} bytes")
        out.write(chunk)
        if progress is not None:
            progress(done, file.size_bytes)
    if done < file.size_bytes:
        raise _MirrorError(f"the connection broke after {done} of {file.size_bytes} bytes")


def _wrong(part: Path, file: RemoteFile) -> str | None:
    """What is wrong with a downloaded file, or None."""
    with part.open("rb") as stream:
        got = hashlib.file_digest(stream, "sha256").hexdigest()
    if got != file.sha256:
        return f"wrong checksum of {file.name}: got sha256 {got}, expected {file.sha256}; the bad file was removed"
    return None


def _publish(part: Path, final: Path) -> None:
    """Give a checked file its final name, so that it survives a power cut from then on."""
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
    part.replace(final)
    if sys.platform != "win32":
        folder = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
